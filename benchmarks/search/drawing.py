"""What each row asks: which library, which stretches of what, drawn by the seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from antiphon.corpora import Corpus, Recording, open_corpus
from antiphon.errors import AntiphonError
from antiphon.io.audio import write_flac
from antiphon.io.files import atomic_file
from antiphon.io.notes import Notes, read_notes
from antiphon.rendering import Renderer, make_renderer
from antiphon.types import Modality
from benchmarks.search.asap import read_asap, work_of
from benchmarks.search.queries import Asked, Library, Query, Source, draw

_RENDERED_HZ = 24_000
_LEAD_S = 8.0  # rendered before a transposed query, so that what was struck earlier sounds on
_KEYS = (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Data:
    """What there is to ask with and to ask; None where it was not given.

    `corpus` has sound that the model has not heard; `real` recordings with their notes; `library` folders of notes that
    are searched besides; `asap` the scores, `maestro` the performances of them, `asap_sound` corpora that have sound
    for some of those. `splits` are MAESTRO's whose performances ask for scores. What is rendered goes to `cache`.
    """

    corpus: Corpus | None = None
    real: Corpus | None = None
    library: tuple[Path, ...] = ()
    asap: Path | None = None
    maestro: Corpus | None = None
    asap_sound: tuple[Corpus, ...] = ()
    splits: tuple[str, ...] = ("validation", "test")
    soundfont: str = "additive"
    cache: Path = Path()


def own_sound(corpus: Corpus, length_s: float, count: int, seed: int) -> Asked:
    """A corpus's sound asks for its own notes."""
    recordings = corpus.with_sound().recordings
    return Asked(_placed(recordings, length_s, count, seed), _library_of(corpus.recordings), corpus.manifest_hash)


def own_notes(corpus: Corpus, others: Corpus | None, length_s: float, count: int, seed: int) -> Asked:
    """A corpus's notes ask for its own sound, among the sound of `others` too."""
    recordings = corpus.with_sound().recordings
    besides = () if others is None else others.with_sound().recordings
    queries = _placed(recordings, length_s, count, seed, asking="notes", against="audio")
    return Asked(queries, _library_of([*recordings, *besides], "audio"), corpus.manifest_hash)


def real_sound(corpus: Corpus, folders: Sequence[Path], length_s: float, count: int, seed: int) -> Asked:
    """The same with the notes below `folders` in the library as well."""
    recordings = corpus.with_sound().recordings
    others = Library.below(folders).files if folders else ()
    files = {*_library_of(recordings).files, *others}
    return Asked(_placed(recordings, length_s, count, seed), Library(tuple(sorted(files))), corpus.manifest_hash)


def half_absent(corpus: Corpus, folders: Sequence[Path], length_s: float, count: int, seed: int) -> Asked:
    """In turn a query whose piece the library holds and one whose piece it does not: it has half of the composers.

    Titles do not tell works apart, since one work goes by several in MAESTRO; composers do. Besides, the library has
    those performances of the corpora among `folders` whose composers are named and not of the absent half.
    """
    recordings = corpus.with_sound().recordings
    groups = _composers_together([one.composer for one in corpus.recordings])
    if len(groups) < 2:
        raise AntiphonError(f"{corpus.name}: pieces cannot be absent where all are of one composer")
    shuffled = [groups[number] for number in np.random.default_rng(seed).permutation(len(groups))]
    absent = set().union(*shuffled[len(groups) // 2 :])
    inside = [one for one in recordings if not names_of(one.composer) & absent]
    outside = [one for one in recordings if names_of(one.composer) & absent]
    others = [one for folder in folders for one in open_corpus(folder).recordings if one.composer]
    library = _library_of([*inside, *(one for one in others if not names_of(one.composer) & absent)])
    found = _placed(inside, length_s, math.ceil(count / 2), seed, "present")
    missing = _placed(outside, length_s, count // 2, seed + 1, "absent", there=False)
    turns = [query for pair in zip_longest(found, missing) for query in pair if query is not None]
    return Asked(tuple(turns), library, corpus.manifest_hash)


def names_of(composer: str) -> set[str]:
    """Whose music it is: an arrangement is by both, as in "Franz Schubert / Franz Liszt"."""
    return {name.strip() for name in composer.split("/")}


def _composers_together(composers: Sequence[str]) -> list[set[str]]:
    """Composers in groups, so that no piece is by two groups."""
    groups: list[set[str]] = []
    for names in sorted({frozenset(names_of(composer)) for composer in composers}, key=sorted):
        joined = set(names).union(*(group for group in groups if group & names))
        groups = [*(group for group in groups if not group & names), joined]
    return groups


def scores(data: Data, length_s: float, count: int, seed: int) -> Asked:
    """Performances ask for the scores of what they play, each performance as often as any other.

    With their sound where one of the corpora has it, else with their notes.
    """
    assert data.asap is not None
    assert data.maestro is not None
    asap = read_asap(data.asap)
    played = {one.id: one for one in data.maestro.recordings if one.split in data.splits or not one.split}
    sounding = {one.id: one for corpus in reversed(data.asap_sound) for one in corpus.with_sound().recordings}
    sources = []
    for performance in asap.performances:
        if (notes := played.get(performance.id)) is None:
            continue
        score = str(asap.scores[performance.folder].resolve())
        end_s = min(performance.end_s, notes.duration_s)
        sound = sounding.get(performance.id)
        path, kind = notes.notes_path, "notes"
        if sound is not None and min(end_s, sound.duration_s) - performance.start_s >= length_s:
            assert sound.audio_path is not None
            path, kind, end_s = sound.audio_path, "sound", min(end_s, sound.duration_s)
        sources.append(
            Source(performance.id, path, notes.notes_path, performance.start_s, end_s, score, placed=False, kind=kind)
        )
    if not sources:
        raise AntiphonError(f"{data.asap}: none of its {len(asap.performances)} performances is in {data.maestro.name}")
    queries = tuple(
        Query(one.recording, one.path, start_s, length_s, one.file, by_work=True, kind=one.kind)
        for one, start_s in draw(sources, count, length_s, seed, evenly=True)
    )
    works = {str(score.resolve()): work_of(folder) for folder, score in asap.scores.items()}
    return Asked(queries, Library(tuple(sorted(map(Path, works))), works), data.maestro.manifest_hash)


def transposed(corpus: Corpus, length_s: float, count: int, seed: int, soundfont: str, cache: Path) -> Asked:
    """Stretches of a corpus's notes, played 1 to 6 semitones higher or lower, ask for the notes as they are."""
    renderer = make_renderer(soundfont, _RENDERED_HZ)
    rng = np.random.default_rng(seed)
    queries = []
    for number, (one, start_s) in enumerate(draw(_sources(corpus.recordings, "notes"), count, length_s, seed)):
        semitones = int(rng.choice(_KEYS))
        lead_s = min(start_s, _LEAD_S)
        path = cache / "transposed" / f"{renderer.name}-{seed}-{length_s:g}s" / f"{number:05d}{semitones:+d}.flac"
        _render(renderer, one.notes_path, start_s - lead_s, lead_s + length_s, semitones, path)
        asks = Query(one.recording, path, lead_s, length_s, one.file, start_s, transpose=True, semitones=semitones)
        queries.append(asks)
    return Asked(tuple(queries), _library_of(corpus.recordings), corpus.manifest_hash)


def _render(renderer: Renderer, notes_path: Path, begin_s: float, length_s: float, semitones: int, path: Path) -> None:
    """Play a stretch of a note file in another key. What was struck before it is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    heard = read_notes(notes_path, sustain=True).window(begin_s, length_s)
    pitch = heard.pitch.astype(np.int64) + semitones
    kept = (heard.onset_s >= 0) & (pitch >= 0) & (pitch <= 127)
    moved = Notes.of(heard.onset_s[kept], heard.duration_s[kept], pitch[kept], heard.velocity[kept])
    with atomic_file(path) as aside:
        write_flac(aside, renderer.render(moved, length_s), _RENDERED_HZ)


def _placed(
    recordings: Sequence[Recording],
    length_s: float,
    count: int,
    seed: int,
    kind: str = "",
    there: bool = True,
    asking: Modality = "audio",
    against: Modality = "notes",
) -> tuple[Query, ...]:
    """Stretches of one side that ask for the other; `there` says whether the library holds what they come from."""
    return tuple(
        Query(
            one.recording,
            one.path,
            start_s,
            length_s,
            one.file if there else "",
            start_s if there else None,
            against=against,
            kind=kind,
        )
        for one, start_s in draw(_sources(recordings, asking, against), count, length_s, seed)
    )


def _sources(recordings: Sequence[Recording], asking: Modality, against: Modality = "notes") -> list[Source]:
    return [
        Source(one.id, _file(one, asking), one.notes_path, 0.0, one.duration_s, str(_file(one, against).resolve()))
        for one in recordings
    ]


def _library_of(recordings: Sequence[Recording], side: Modality = "notes") -> Library:
    works = {str(_file(one, side).resolve()): one.work for one in recordings}
    return Library(tuple(sorted(map(Path, works))), works, side)


def _file(recording: Recording, side: Modality) -> Path:
    path = recording.audio_path if side == "audio" else recording.notes_path
    assert path is not None
    return path
