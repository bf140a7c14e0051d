"""All windows of one modality as a search reads them: mapped from flat files, with the metadata of the recordings.

The flat files and their table are derived from the database and made again when they are missing or stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import AntiphonError, UnknownName
from antiphon.index.artifacts import Artifacts
from antiphon.index.metadata import FileMetadata, work_of
from antiphon.index.neighbours import EXACT_BELOW, Neighbours
from antiphon.io.notes import Notes

_SUFFIXES = _VECTORS, _ONSETS, _FACTS = ".f16", ".onsets", ".json"
_ONSET = np.dtype([("onset_s", "<f8"), ("pitch", "u1"), ("velocity", "u1")])
"""The properties of a note that an alignment uses."""

StoredRecording = tuple[float, bytes, bytes, bytes]
"""Duration in seconds, starts float64 [w] and vectors float16 [w, D] of its windows, onsets [notes]."""


@dataclass(frozen=True)
class Filters:
    """Conditions on recordings: a search leaves out those that do not meet all of them.

    `composer` is a part of the name in any case, `split` the whole name, `folder` contains the file at any depth.
    """

    composer: str = ""
    split: str = ""
    folder: str | Path | None = None


ALL = Filters()


@dataclass(frozen=True)
class IndexView:
    """All windows of one modality.

    `vectors` float16 [n, D]; `start_s` float64 [n]; recording r has rows `offset[r]:offset[r + 1]`, the file `paths[r]`
    and the length `duration_s[r]`; `about` maps paths to metadata. For note files `onsets` contains the note onsets,
    those of recording r at `onset_offset[r]:onset_offset[r + 1]`. With `exact_below` windows or more there is a
    quantised copy of the vectors at `derived`.
    """

    vectors: NDArray[np.float16]
    start_s: NDArray[np.float64]
    offset: NDArray[np.int64]
    paths: tuple[str, ...]
    duration_s: NDArray[np.float64]
    about: Mapping[str, FileMetadata] = field(default_factory=dict)
    onsets: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _ONSET))
    onset_offset: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    derived: Artifacts | None = None
    exact_below: int = EXACT_BELOW

    @cached_property
    def neighbours(self) -> Neighbours:
        """The search for nearest rows; no vector is read before its first use."""
        if self.derived is None or len(self.vectors) < self.exact_below:
            return Neighbours(self.vectors)
        from antiphon.index.quantised import quantised  # brings faiss

        return Neighbours(self.vectors, quantised(self.vectors, self.derived))

    def onsets_in(self, recording: int) -> Notes:
        """The notes of a note file as it was indexed; durations are not stored, they are 0."""
        own = self.onsets[self.onset_offset[recording] : self.onset_offset[recording + 1]]
        return Notes(own["onset_s"].copy(), np.zeros(len(own)), own["pitch"].copy(), own["velocity"].copy())

    def describe_recording(self, recording: int) -> FileMetadata:
        """The metadata of a recording."""
        return self.about.get(self.paths[recording], FileMetadata())

    def work_of(self, recording: int) -> str:
        """The work that a recording performs; a work of its own where that is not known."""
        return work_of(self.paths[recording], self.about)

    def among(self, filters: Filters) -> NDArray[np.bool_]:
        """True for the recordings that meet the conditions [recordings].

        Raises `UnknownName` for a composer or a split that no recording has, `AntiphonError` when none meets all.
        """
        about = [self.describe_recording(recording) for recording in range(len(self.paths))]
        kept = np.ones(len(self.paths), bool)
        if filters.composer:
            part = filters.composer.casefold()
            composers = [one.composer for one in about]
            kept &= _matching("composer", filters.composer, composers, [part in one.casefold() for one in composers])
        if filters.split:
            splits = [one.split for one in about]
            kept &= _matching("split", filters.split, splits, [one == filters.split for one in splits])
        if filters.folder is not None:
            folder = Path(filters.folder).resolve()
            kept &= [Path(path).is_relative_to(folder) for path in self.paths]
        if not kept.any():
            given = ", ".join(f"{name} {value}" for name, value in vars(filters).items() if value)
            raise AntiphonError(f"none of {len(self.paths)} recordings fits {given}")
        return kept

    def rows_of(self, recordings: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """True for the rows [n] of the recordings that are True [recordings]."""
        return np.repeat(recordings, np.diff(self.offset))


def _matching(column: str, wanted: str, values: list[str], matches: list[bool]) -> NDArray[np.bool_]:
    known = sorted({*values} - {""})
    if not known:
        raise AntiphonError(f"no recording has a {column}; name a table with: antiphon index build FOLDER --works FILE")
    if not any(matches):
        raise UnknownName(column, wanted, known)
    return np.array(matches)


def onsets_of(notes: Notes) -> NDArray[np.void]:
    """The onsets of notes [N] as an index stores them."""
    onsets = np.empty(len(notes), _ONSET)
    onsets["onset_s"], onsets["pitch"], onsets["velocity"] = notes.onset_s, notes.pitch, notes.velocity
    return onsets


def open_view(
    derived: Artifacts,
    dimensions: int,
    paths: Sequence[str],
    recordings: Iterable[StoredRecording],
    about: Mapping[str, FileMetadata],
    exact_below: int = EXACT_BELOW,
) -> IndexView:
    """Map the derived files of the recordings `paths`.

    Where they do not exist yet, they are made of `recordings` first, in the order of the paths, which are read then.
    """

    def mapped(vectors: Path, onsets: Path, facts: dict[str, Any]) -> IndexView:
        count = facts["onset_offset"][-1]
        return IndexView(
            vectors=np.memmap(vectors, np.float16, mode="r", shape=(facts["offset"][-1], dimensions)),
            start_s=np.array(facts["start_s"], np.float64),
            offset=np.array(facts["offset"], np.int64),
            paths=tuple(paths),
            duration_s=np.array(facts["duration_s"], np.float64),
            about=about,
            # An empty file cannot be mapped.
            onsets=np.memmap(onsets, _ONSET, mode="r", shape=(count,)) if count else np.zeros(0, _ONSET),
            onset_offset=np.array(facts["onset_offset"], np.int64),
            derived=derived,
            exact_below=exact_below,
        )

    try:
        return mapped(
            derived.path(_VECTORS), derived.path(_ONSETS), json.loads(derived.path(_FACTS).read_text(encoding="utf-8"))
        )
    except (OSError, ValueError):  # missing, or cut off
        pass
    with derived.written_aside(*_SUFFIXES) as (vectors_aside, onsets_aside, facts_aside):
        facts = _write_flat(vectors_aside, onsets_aside, recordings)
        facts_aside.write_text(json.dumps(facts), encoding="utf-8")
        return mapped(vectors_aside, onsets_aside, facts)  # before another reader's newer files take their place


def _write_flat(vectors_to: Path, onsets_to: Path, recordings: Iterable[StoredRecording]) -> dict[str, Any]:
    """Write vectors and onsets of all recordings; returns the other arrays of an `IndexView`, as JSON."""
    durations, starts, offset, onset_offset = [], [], [0], [0]
    with vectors_to.open("wb") as vectors_file, onsets_to.open("wb") as onsets_file:
        for duration_s, starts_s, vectors, onsets in recordings:
            vectors_file.write(vectors)
            onsets_file.write(onsets)
            starts.append(np.frombuffer(starts_s, np.float64))
            durations.append(duration_s)
            offset.append(offset[-1] + len(starts[-1]))
            onset_offset.append(onset_offset[-1] + len(onsets) // _ONSET.itemsize)
    return {
        "duration_s": durations,
        "offset": offset,
        "onset_offset": onset_offset,
        "start_s": np.concatenate(starts).tolist(),
    }


def describe_neighbours(derived: Artifacts, windows: int, exact_below: int) -> dict[str, Any]:
    """The search method for that number of windows, and the recall of the quantised copy where that is made."""
    if windows < exact_below:
        return {"method": "exact"}
    from antiphon.index.quantised import facts_of

    facts = facts_of(derived)
    return {"method": "product quantisation", "made": facts is not None} | (asdict(facts) if facts else {})
