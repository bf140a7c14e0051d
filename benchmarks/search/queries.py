"""Queries, libraries and outcomes, and the JSON files in which peers exchange them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.files import content_hash, write_json
from antiphon.io.folders import list_folders
from antiphon.io.note_files import read_notes
from antiphon.types import Modality

_TRIES = 1000  # draws for one query before its source counts as silent


@dataclass(frozen=True)
class Query:
    """The stretch of `path` from `start_s` on, `length_s` long, and its ground truth.

    `file` is the matching file of the library, empty where the piece is absent. The stretch starts at second `file_s`
    of that file; None where only the file is known. `semitones` is the transposition of the query relative to the file.
    `kind` groups queries that are scored separately. `against` is the modality of the library.
    """

    recording: str
    path: Path
    start_s: float
    length_s: float
    file: str
    file_s: float | None = None
    against: Modality = "notes"
    by_work: bool = False
    transpose: bool = False
    semitones: int = 0
    kind: str = ""


@dataclass(frozen=True)
class BestMatch:
    """The fields of `antiphon.index.match.Match` that are scored. A field that a peer does not report is None."""

    file: str
    start_s: float
    end_s: float
    query_start_s: float
    tempo: float | None
    score: float
    confidence: float | None
    semitones: int | None = None

    @classmethod
    def of(cls, match: Any) -> BestMatch:
        """Copy the fields of a match."""
        fields: dict[str, Any] = {name: getattr(match, name, None) for name in cls.__dataclass_fields__}
        return cls(**fields)


@dataclass(frozen=True)
class Outcome:
    """The best match of a query and its seconds. `refused` is the reason where the query could not be run."""

    match: BestMatch | None
    seconds: float
    refused: str = ""


@dataclass(frozen=True)
class Library:
    """Files of one modality to search, as sorted absolute paths, and the works of those whose work is known."""

    files: tuple[Path, ...]
    works: Mapping[str, str] = field(default_factory=dict)
    modality: Modality = "notes"

    @classmethod
    def below(cls, folders: Sequence[Path]) -> Library:
        """All note files below the folders. Raises `AntiphonError` for a folder without note files."""
        found: set[Path] = set()
        for folder in folders:
            files = list_folders([folder.resolve()]).only(["notes"]).files
            if not files:
                raise AntiphonError(f"{folder}: no note files in this folder")
            found |= files.keys()
        return cls(tuple(sorted(found)))

    def work_of(self, file: str) -> str:
        """The work of a file, or the file itself where the work is unknown."""
        return self.works.get(file, file)

    @property
    def manifest_hash(self) -> str:
        """SHA-256 over file names and contents. Equal libraries have equal hashes."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class QuerySet:
    """The queries of a row and their library. The order is random, so that the first queries are a fair sample.

    `data_hash` is the hash of the corpus that the queries come from.
    """

    queries: tuple[Query, ...]
    library: Library
    data_hash: str = ""

    def sample(self, queries: int | None, library: int | None, seed: int) -> QuerySet:
        """The first queries, with a smaller library that contains all their matching files. None keeps all.

        The other files of the library depend on `seed` and the sizes only, so that peers with the same sizes use the
        same files.
        """
        first = self.queries[:queries]
        needed = {query.file for query in first if query.file}
        others = [path for path in self.library.files if str(path) not in needed]
        room = len(others) if library is None else max(0, library - len(needed))
        drawn = [others[number] for number in np.random.default_rng(seed).permutation(len(others))[:room]]
        files = tuple(sorted([*map(Path, needed), *drawn]))
        return QuerySet(first, replace(self.library, files=files), self.data_hash)


@dataclass(frozen=True)
class Source:
    """A range that queries are sampled from: seconds `begin_s` to `end_s` of `path`, with the notes of `notes_path`.

    `file` is the matching file of the library. `placed` says that both files have the same time axis.
    """

    recording: str
    path: Path
    notes_path: Path
    begin_s: float
    end_s: float
    file: str
    placed: bool = True
    kind: str = ""


def sample_stretches(
    sources: Sequence[Source], count: int, length_s: float, seed: int, evenly: bool = False
) -> tuple[tuple[Source, float], ...]:
    """`count` stretches with arbitrary start times, rounded to milliseconds: pairs of source and start in seconds.

    Start times are uniform over the total duration. With `evenly`, sources take turns in random order instead. With
    the same seed, fewer stretches are the first ones of more. A stretch without an onset is sampled again. Raises
    `AntiphonError` when no source is long enough, or when a source has hardly any notes.
    """
    long = [one for one in sources if one.end_s - one.begin_s >= length_s]
    if not long:
        raise AntiphonError(f"none of {len(sources)} recordings is as long as a query of {length_s:g} s")
    return tuple(islice(_stretches(long, length_s, seed, evenly), count))


def _stretches(sources: Sequence[Source], length_s: float, seed: int, evenly: bool) -> Iterator[tuple[Source, float]]:
    rng = np.random.default_rng(seed)
    room_s = np.array([one.end_s - one.begin_s - length_s for one in sources])
    turns: list[int] = []
    while True:
        if evenly and not turns:
            turns = rng.permutation(len(sources)).tolist()
        number = turns.pop() if evenly else -1
        for _ in range(_TRIES):
            chosen = number if evenly else int(rng.choice(len(sources), p=(room_s + 1e-9) / (room_s + 1e-9).sum()))
            one = sources[chosen]
            start_s = round(float(one.begin_s + rng.uniform(0.0, 1.0) * room_s[chosen]), 3)
            onset_s = read_notes(one.notes_path).onset_s
            if np.any((onset_s >= start_s) & (onset_s < start_s + length_s)):
                yield one, start_s
                break
        else:
            raise AntiphonError(f"{sources[max(0, number)].notes_path}: it has too few notes to sample queries from")


def write_queries(path: Path, row: str, seed: int, query_set: QuerySet) -> str:
    """Write the queries of a row for peers, and return the hash by which results name their queries."""
    content = {
        "row": row,
        "seed": seed,
        "data_hash": query_set.data_hash,
        "library": [str(file) for file in query_set.library.files],
        "works": dict(query_set.library.works),
        "side": query_set.library.modality,
        "queries": [asdict(query) | {"path": str(query.path.resolve())} for query in query_set.queries],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    return content_hash(path)


def read_queries(path: Path) -> tuple[str, int, QuerySet]:
    """Row, seed and queries of a file. Raises `UnreadableInput` for another kind of file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        queries = tuple(Query(**(one | {"path": Path(one["path"])})) for one in content["queries"])
        library = Library(tuple(Path(file) for file in content["library"]), content["works"], content["side"])
        return content["row"], content["seed"], QuerySet(queries, library, content["data_hash"])
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableInput(
            path, f"not a query file of benchmarks.search ({type(error).__name__}: {error})"
        ) from None


def outcome_as_dict(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a JSON object."""
    found = None if outcome.match is None else asdict(outcome.match)
    return {"seconds": round(outcome.seconds, 4), "found": found} | (
        {"refused": outcome.refused} if outcome.refused else {}
    )


def outcome_from_dict(content: Mapping[str, Any]) -> Outcome:
    """An outcome from a JSON object."""
    match = None if content["found"] is None else BestMatch(**content["found"])
    return Outcome(match, content["seconds"], content.get("refused", ""))
