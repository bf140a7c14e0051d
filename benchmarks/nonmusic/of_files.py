"""Kinds that are drawn from files: drum patterns, and music of other kinds than the library's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.io.folders import list_folders
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.rendering import make_renderer
from benchmarks.nonmusic.kinds import KINDS, LONGEST_S, RATE_HZ, SHORTEST_S, Generator, Samples, notes_kind, sound_kind
from benchmarks.nonmusic.percussion import SOUNDFONTS, drums_of_file

_FEWEST_NOTES = 12
_TRIES = 200


def register_files(drums: Path | None, music: Sequence[Path]) -> None:
    """Register `drum-pattern`, the drums of the files below a folder, and `other-music` with `played-other-music`.

    `music` are folders of note files of which no work may be in the library.
    """
    if drums is not None and "drum-pattern" not in KINDS:

        def drum_pattern(rng: Generator, count: int) -> Samples:
            return drums_of_file(rng, count, drums)

        sound_kind(drum_pattern)
    if music and "other-music" not in KINDS:
        files = [*list_folders([folder.resolve() for folder in music]).only(["notes"]).files]

        def other_music(rng: Generator) -> Notes:
            return _stretch(rng, files)

        def played_other_music(rng: Generator, count: int) -> Samples:
            piano = make_renderer(str(rng.choice(SOUNDFONTS)), RATE_HZ)
            return piano.render(_stretch(rng, files), count / RATE_HZ).astype(float)

        notes_kind()(other_music)
        sound_kind(played_other_music)


def _stretch(rng: Generator, files: Sequence[Path]) -> Notes:
    """A stretch with at least 12 notes of one of the files. Raises `AntiphonError` where none has so many."""
    for notes in _drawn(rng, files):
        length_s = rng.uniform(SHORTEST_S, LONGEST_S)
        begin_s = rng.uniform(0.0, max(notes.end_s - length_s, 0.0))
        part = notes.within(begin_s, begin_s + length_s)
        if len(part) >= _FEWEST_NOTES:
            return Notes.of(part.onset_s - begin_s, part.duration_s, part.pitch, part.velocity)
    raise AntiphonError(f"none of {_TRIES} stretches of {len(files)} files has {_FEWEST_NOTES} notes")


def _drawn(rng: Generator, files: Sequence[Path]) -> Iterator[Notes]:
    for _ in range(_TRIES):
        try:
            yield read_notes(files[int(rng.integers(len(files)))])
        except AntiphonError:
            continue
