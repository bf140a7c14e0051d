"""The queries and the library of each row, sampled with a seed."""

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
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.rendering import Renderer, make_renderer
from antiphon.types import Modality
from benchmarks.search.asap import read_asap, work_of
from benchmarks.search.queries import Library, Query, QuerySet, Source, sample_stretches

_RENDERED_HZ = 24_000
_LEAD_S = 8.0  # rendered before a transposed query, so that earlier notes are still sounding when it starts
_TRANSPOSITIONS = (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Data:
    """The data of the benchmark. None where the command line names none.

    corpus
        A corpus with audio that the model has not seen in training.
    real
        Real recordings with their notes.
    library
        Folders of further note files to search among.
    asap, maestro, asap_sound, splits
        Scores, their performances, corpora with audio of the performances, and the MAESTRO splits to sample from.
    soundfont, cache
        The SoundFont of transposed queries, and the folder for rendered queries.
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


def sound_queries(corpus: Corpus, length_s: float, count: int, seed: int) -> QuerySet:
    """Audio queries of a corpus against its own notes."""
    recordings = corpus.with_sound().recordings
    return QuerySet(_queries(recordings, length_s, count, seed), _library_of(corpus.recordings), corpus.manifest_hash)


def notes_queries(corpus: Corpus, others: Corpus | None, length_s: float, count: int, seed: int) -> QuerySet:
    """Note queries of a corpus against its own audio and the audio of `others`."""
    recordings = corpus.with_sound().recordings
    further = () if others is None else others.with_sound().recordings
    queries = _queries(recordings, length_s, count, seed, modality="notes", against="audio")
    return QuerySet(queries, _library_of([*recordings, *further], "audio"), corpus.manifest_hash)


def real_sound_queries(corpus: Corpus, folders: Sequence[Path], length_s: float, count: int, seed: int) -> QuerySet:
    """Audio queries of a corpus against its own notes and the note files below `folders`."""
    recordings = corpus.with_sound().recordings
    others = Library.below(folders).files if folders else ()
    files = {*_library_of(recordings).files, *others}
    return QuerySet(_queries(recordings, length_s, count, seed), Library(tuple(sorted(files))), corpus.manifest_hash)


def half_absent_queries(corpus: Corpus, folders: Sequence[Path], length_s: float, count: int, seed: int) -> QuerySet:
    """Alternate between queries whose piece is in the library and queries whose piece is absent.

    The library holds half of the composers, plus those performances of the corpora in `folders` that name a composer
    outside the absent half. Pieces are separated by composer and not by title, because MAESTRO spells the title of one
    work in several ways. Raises `AntiphonError` for a corpus with one composer.
    """
    recordings = corpus.with_sound().recordings
    groups = _composers_together([one.composer for one in corpus.recordings])
    if len(groups) < 2:
        raise AntiphonError(f"{corpus.name}: absent pieces need at least two composers; the corpus has one")
    shuffled = [groups[number] for number in np.random.default_rng(seed).permutation(len(groups))]
    absent = set().union(*shuffled[len(groups) // 2 :])
    inside = [one for one in recordings if not names_of(one.composer) & absent]
    outside = [one for one in recordings if names_of(one.composer) & absent]
    others = [one for folder in folders for one in open_corpus(folder).recordings if one.composer]
    library = _library_of([*inside, *(one for one in others if not names_of(one.composer) & absent)])
    found = _queries(inside, length_s, math.ceil(count / 2), seed, "present")
    missing = _queries(outside, length_s, count // 2, seed + 1, "absent", present=False)
    turns = [query for pair in zip_longest(found, missing) for query in pair if query is not None]
    return QuerySet(tuple(turns), library, corpus.manifest_hash)


def names_of(composer: str) -> set[str]:
    """The composers of a piece; an arrangement has two, as in "Franz Schubert / Franz Liszt"."""
    return {name.strip() for name in composer.split("/")}


def _composers_together(composers: Sequence[str]) -> list[set[str]]:
    """Group composers so that no piece belongs to two groups."""
    groups: list[set[str]] = []
    for names in sorted({frozenset(names_of(composer)) for composer in composers}, key=sorted):
        joined = set(names).union(*(group for group in groups if group & names))
        groups = [*(group for group in groups if not group & names), joined]
    return groups


def score_queries(data: Data, length_s: float, count: int, seed: int) -> QuerySet:
    """Queries from performances against the scores of their works; performances take turns in random order.

    A query is audio where a corpus of `data.asap_sound` has the performance, else notes. Raises `AntiphonError` where
    `data.maestro` has none of the performances.
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
        for one, start_s in sample_stretches(sources, count, length_s, seed, evenly=True)
    )
    works = {str(score.resolve()): work_of(folder) for folder, score in asap.scores.items()}
    return QuerySet(queries, Library(tuple(sorted(map(Path, works))), works), data.maestro.manifest_hash)


def transposed_queries(corpus: Corpus, length_s: float, count: int, seed: int, soundfont: str, cache: Path) -> QuerySet:
    """Rendered queries, transposed by 1 to 6 semitones up or down, against the untransposed notes of a corpus."""
    renderer = make_renderer(soundfont, _RENDERED_HZ)
    rng = np.random.default_rng(seed)
    queries = []
    for number, (one, start_s) in enumerate(
        sample_stretches(_sources(corpus.recordings, "notes"), count, length_s, seed)
    ):
        semitones = int(rng.choice(_TRANSPOSITIONS))
        lead_s = min(start_s, _LEAD_S)
        path = cache / "transposed" / f"{renderer.name}-{seed}-{length_s:g}s" / f"{number:05d}{semitones:+d}.flac"
        _render(renderer, one.notes_path, start_s - lead_s, lead_s + length_s, semitones, path)
        query = Query(one.recording, path, lead_s, length_s, one.file, start_s, transpose=True, semitones=semitones)
        queries.append(query)
    return QuerySet(tuple(queries), _library_of(corpus.recordings), corpus.manifest_hash)


def _render(renderer: Renderer, notes_path: Path, begin_s: float, length_s: float, semitones: int, path: Path) -> None:
    """Render a transposed stretch of a note file to FLAC, without notes that begin before the stretch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = read_notes(notes_path, sustain=True).window(begin_s, length_s)
    pitch = notes.pitch.astype(np.int64) + semitones
    kept = (notes.onset_s >= 0) & (pitch >= 0) & (pitch <= 127)
    transposed = Notes.of(notes.onset_s[kept], notes.duration_s[kept], pitch[kept], notes.velocity[kept])
    with atomic_file(path) as temporary:
        write_flac(temporary, renderer.render(transposed, length_s), _RENDERED_HZ)


def _queries(
    recordings: Sequence[Recording],
    length_s: float,
    count: int,
    seed: int,
    kind: str = "",
    present: bool = True,
    modality: Modality = "audio",
    against: Modality = "notes",
) -> tuple[Query, ...]:
    """Queries of one modality against the other. `present` says whether the library holds the matching files."""
    return tuple(
        Query(
            one.recording,
            one.path,
            start_s,
            length_s,
            one.file if present else "",
            start_s if present else None,
            against=against,
            kind=kind,
        )
        for one, start_s in sample_stretches(_sources(recordings, modality, against), count, length_s, seed)
    )


def _sources(recordings: Sequence[Recording], modality: Modality, against: Modality = "notes") -> list[Source]:
    return [
        Source(one.id, _file(one, modality), one.notes_path, 0.0, one.duration_s, str(_file(one, against).resolve()))
        for one in recordings
    ]


def _library_of(recordings: Sequence[Recording], modality: Modality = "notes") -> Library:
    works = {str(_file(one, modality).resolve()): one.work for one in recordings}
    return Library(tuple(sorted(map(Path, works))), works, modality)


def _file(recording: Recording, modality: Modality) -> Path:
    path = recording.audio_path if modality == "audio" else recording.notes_path
    assert path is not None
    return path
