"""Render a corpus in parallel processes, each of which loads its instrument once. Resumable at any time.

The output folder is a corpus of its own: FLAC files, copies of the note files, and `rendered.json`.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path

from antiphon.augmentation import Conditions, record_whole
from antiphon.checks import COUNT, SAMPLE_RATE_HZ, SECONDS
from antiphon.corpora import Corpus, Recording, absolute_spec, as_corpus
from antiphon.corpora.rendered import MANIFEST, open_rendered, write_manifest
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import audio_info, write_flac
from antiphon.io.files import atomic_file, content_hash, write_json
from antiphon.io.kinds import suffix_of
from antiphon.io.note_files import read_notes
from antiphon.progress import track
from antiphon.rendering import Renderer, make_renderer

_renderers: tuple[Renderer, ...] = ()


def render(
    corpus: Corpus | str | Path,
    *,
    out: str | Path,
    soundfont: str | Sequence[str] = "FluidR3_GM",
    split: str | None = None,
    max_seconds: float | None = None,
    jobs: int = 2,
    sample_rate_hz: int = 24_000,
    conditions: int | None = None,
    seed: int = 42,
) -> Corpus:
    """Render the notes of a corpus to sound. A stopped run resumes, and `out` becomes a corpus.

    Parameters
    ----------
    corpus
        A corpus or the spec of one.
    out
        Folder for the FLAC files, copies of the note files, and `rendered.json`.
    soundfont
        A SoundFont file or name, or `additive`, which needs no other package. Several, with `conditions`, take turns.
    split
        Render this split only.
    max_seconds
        Render only this much of each recording.
    jobs
        Number of processes, each of which loads the SoundFont once.
    sample_rate_hz
        Sample rate of the sound.
    conditions
        Number of recording conditions (SoundFont, room, noise, microphone, level). Each recording has one of them. By
        default the sound is that of the SoundFont alone.
    seed
        Determines the conditions, and which recording has which. Different seeds have no condition in common.

    Returns
    -------
    Corpus
        The recordings rendered by this call or an earlier one, with their sound; `skipped` names unreadable files.

    Raises
    ------
    AntiphonError
        For an unknown SoundFont, for several without `conditions`, and where `out` contains other files or sound of
        other settings.

    Examples
    --------
    >>> import antiphon
    >>> made = antiphon.render("demo", out="sound", soundfont="additive", split="test", max_seconds=1.0, jobs=1)
    >>> len(made), made.duration_s
    (8, 8.0)
    >>> rooms = antiphon.render(made, out="rooms", soundfont="additive", conditions=4, seed=1, jobs=1)
    >>> len(rooms), rooms.duration_s
    (8, 8.0)
    """
    SECONDS.check("max_seconds", max_seconds)
    COUNT.check("jobs", jobs)
    SAMPLE_RATE_HZ.check("sample_rate_hz", sample_rate_hz)
    drawn = None if conditions is None else Conditions(conditions, seed)
    out = Path(out)
    source = as_corpus(corpus)
    source = source if split is None else source.split(split)
    done: dict[str, Recording] = {}
    skipped = list(source.skipped)
    results = render_corpus(source, out, soundfont, max_seconds, jobs, sample_rate_hz, drawn)
    for result in track(results, "rendering", total=len(source)):
        if isinstance(result, UnreadableInput):
            skipped.append(result)
        else:
            done[result.id] = result
    recordings = tuple(done[one.id] for one in source.recordings if one.id in done)
    return Corpus(out.name, recordings, tuple(skipped), absolute_spec(out))


def render_corpus(
    corpus: Corpus,
    out: Path,
    soundfont: str | Sequence[str],
    max_seconds: float | None,
    jobs: int,
    sample_rate_hz: int = 24_000,
    conditions: Conditions | None = None,
) -> Iterator[Recording | UnreadableInput]:
    """Render the notes of every recording, with the sustain pedal applied, to FLAC files.

    A recording is not rendered again when `out` already contains its audio, made from the same note file, with the same
    length and settings. The manifest is written when the iterator is exhausted.

    Parameters
    ----------
    corpus
        The recordings to render; existing audio is not used.
    out
        Folder of the rendered corpus: new, empty, or of an earlier rendering with the same settings.
    soundfont
        `additive`, a SoundFont file, or the name of an installed SoundFont; several where there are `conditions`.
    max_seconds
        Longest duration of a recording in seconds, None for no limit.
    jobs
        Number of processes.
    sample_rate_hz
        Sample rate of the FLAC files in Hz.
    conditions
        The recording conditions, None for the sound of the SoundFont alone.

    Yields
    ------
    Recording or UnreadableInput
        Each recording when its audio is written, in any order; the error of each note file that cannot be read.

    Raises
    ------
    AntiphonError
        `out` contains other files or audio made with other settings, or the instrument is not available.

    Examples
    --------
    >>> import tempfile
    >>> from antiphon.corpora import open_corpus
    >>> corpus = open_corpus("demo").spread(1)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     _ = list(render_corpus(corpus, Path(out), "additive", max_seconds=1.0, jobs=1))
    ...     open_corpus(out).duration_s
    1.0
    """
    soundfonts = (soundfont,) if isinstance(soundfont, str) else tuple(soundfont)
    if len(soundfonts) != 1 and conditions is None:
        raise AntiphonError(f"{len(soundfonts)} SoundFonts: without conditions, name one")
    renderers = [make_renderer(name, sample_rate_hz) for name in soundfonts]
    settings = {
        "soundfont": ", ".join(renderer.name for renderer in renderers),
        "instrument": ", ".join(renderer.fingerprint for renderer in renderers),
        "sample_rate_hz": sample_rate_hz,
        "max_seconds": max_seconds,
        "corpus": corpus.name,
        "conditions": None if conditions is None else asdict(conditions),
    }
    _claim(out, settings)
    done: dict[str, Recording] = {}
    with ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_load_renderers,
        initargs=(soundfonts, sample_rate_hz),
    ) as pool:
        waiting: dict[Future[None], Recording] = {}
        for recording in corpus.recordings:
            length_s = recording.duration_s if max_seconds is None else min(recording.duration_s, max_seconds)
            wanted = replace(recording, duration_s=length_s, audio_path=out / f"{recording.id}.flac")
            if _is_rendered(wanted, out, sample_rate_hz):
                done[recording.id] = wanted
                yield wanted
            else:
                waiting[pool.submit(_render_one, wanted, out, sample_rate_hz, conditions)] = wanted
        for future in as_completed(waiting):
            try:
                future.result()
            except UnreadableInput as error:
                yield error
            else:
                done[waiting[future].id] = waiting[future]
                yield waiting[future]
    # Earlier runs may have rendered other splits of the corpus into the same folder: their entries stay.
    before = open_rendered(str(out)).recordings if (out / MANIFEST).exists() else ()
    merged = {recording.id: recording for recording in (*before, *done.values())}
    write_manifest(out, [merged[id_] for id_ in sorted(merged)], settings)


def _claim(out: Path, settings: dict[str, object]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "render-settings.json"
    if path.exists():
        before = {"conditions": None} | json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key in settings if key in before and before[key] != settings[key]]
        if changed:
            was = ", ".join(f"{key} {before[key]!r}" for key in changed)
            raise AntiphonError(f"{out} holds sound rendered with {was}; choose another folder or remove it")
    elif any(out.iterdir()):
        raise AntiphonError(f"{out} is not empty and was not made by antiphon render; choose another folder")
    else:
        write_json(path, settings)


def _notes_copy(recording: Recording, out: Path) -> Path:
    return out / f"{recording.id}{suffix_of(recording.notes_path)}"


def _is_rendered(recording: Recording, out: Path, sample_rate_hz: int) -> bool:
    """Whether `out` contains audio of these notes with this duration.

    The copy of the note file shows from which notes the audio was made, see `_render_one`.
    """
    assert recording.audio_path is not None
    try:
        if content_hash(_notes_copy(recording, out)) != content_hash(recording.notes_path):
            return False
        found_s = audio_info(recording.audio_path).duration_s
    except (OSError, UnreadableInput):
        return False
    return round(found_s * sample_rate_hz) == round(recording.duration_s * sample_rate_hz)


def _load_renderers(soundfonts: Sequence[str], sample_rate_hz: int) -> None:
    global _renderers
    _renderers = tuple(make_renderer(name, sample_rate_hz) for name in soundfonts)


def _render_one(recording: Recording, out: Path, sample_rate_hz: int, conditions: Conditions | None) -> None:
    assert recording.audio_path is not None
    notes = read_notes(recording.notes_path, sustain=True)
    if conditions is None:
        samples = _renderers[0].render(notes, recording.duration_s)
    else:
        condition = conditions.condition_of(recording.id, len(_renderers))
        samples = _renderers[condition.instrument].render(notes, recording.duration_s)
        samples = record_whole(samples, condition, recording.id, sample_rate_hz)
    recording.audio_path.parent.mkdir(parents=True, exist_ok=True)
    # Old sound is removed before the copy of the notes changes, and new sound appears only when it is complete, so that
    # a sound file always belongs to the copied notes, whenever a run is killed.
    recording.audio_path.unlink(missing_ok=True)
    with atomic_file(_notes_copy(recording, out)) as temporary:
        shutil.copyfile(recording.notes_path, temporary)
    with atomic_file(recording.audio_path) as temporary:
        write_flac(temporary, samples, sample_rate_hz)
