"""What is asked of which library, what came back, and how both are kept in files that peers read and write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.corpora import files_below
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.files import content_hash, write_json
from antiphon.io.notes import NOTE_SUFFIXES, read_notes
from antiphon.types import Modality

_TRIES = 1000  # stretches drawn for one query before a source is given up as silent


@dataclass(frozen=True)
class Query:
    """The `length_s` of `path` from `start_s` on, and what it comes from.

    `file` is the library's file that is right, empty where the piece is absent; what the stretch begins with lies at
    its second `file_s`, None where only the file is known. `semitones` is how far the sound lies above the file.
    `kind` tells apart what is to be counted apart. `against` is what the library holds.
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
class Found:
    """The best hit: the fields of `antiphon.index.match.Match` that are judged; what is not said is None."""

    file: str
    start_s: float
    end_s: float
    query_start_s: float
    tempo: float | None
    score: float
    confidence: float | None
    semitones: int | None = None

    @classmethod
    def of(cls, hit: Any) -> Found:
        """The same fields of a hit."""
        said: dict[str, Any] = {name: getattr(hit, name, None) for name in cls.__dataclass_fields__}
        return cls(**said)


@dataclass(frozen=True)
class Answer:
    """What a query found in how many seconds; `refused` says why it could not be asked."""

    found: Found | None
    seconds: float
    refused: str = ""


@dataclass(frozen=True)
class Library:
    """Files of one `side` to search, full paths in order, and of some of them the work that they perform."""

    files: tuple[Path, ...]
    works: Mapping[str, str] = field(default_factory=dict)
    side: Modality = "notes"

    @classmethod
    def below(cls, folders: Sequence[Path]) -> Library:
        """Every note file below the folders. Raises `AntiphonError` for a folder without any."""
        found: set[Path] = set()
        for folder in folders:
            files = files_below(folder.resolve(), NOTE_SUFFIXES)
            if not files:
                raise AntiphonError(f"{folder}: no note files below it")
            found |= files
        return cls(tuple(sorted(found)))

    def work_of(self, file: str) -> str:
        """The work of a file; the file itself where none is known."""
        return self.works.get(file, file)

    @property
    def manifest_hash(self) -> str:
        """SHA-256 over names and bytes: equal hashes, equal libraries."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Asked:
    """The queries of a row in a random order, so that the first few are a fair sample, and their library.

    `data_hash` is that of the corpus that asks.
    """

    queries: tuple[Query, ...]
    library: Library
    data_hash: str = ""

    def sample(self, queries: int | None, library: int | None, seed: int) -> Asked:
        """The first queries with a smaller library, which holds all that they come from; None takes all.

        What else the library holds is drawn by `seed` alone: everyone who asks for the same sizes has the same.
        """
        kept = self.queries[:queries]
        needed = {query.file for query in kept if query.file}
        others = [path for path in self.library.files if str(path) not in needed]
        room = len(others) if library is None else max(0, library - len(needed))
        drawn = [others[number] for number in np.random.default_rng(seed).permutation(len(others))[:room]]
        files = tuple(sorted([*map(Path, needed), *drawn]))
        return Asked(kept, replace(self.library, files=files), self.data_hash)


@dataclass(frozen=True)
class Source:
    """Where queries may lie: within seconds `begin_s` to `end_s` of `path`, whose notes are those of `notes_path`.

    `file` is the right answer; `placed` says that it has the same time as `path`.
    """

    recording: str
    path: Path
    notes_path: Path
    begin_s: float
    end_s: float
    file: str
    placed: bool = True
    kind: str = ""


def draw(
    sources: Sequence[Source], count: int, length_s: float, seed: int, evenly: bool = False
) -> tuple[tuple[Source, float], ...]:
    """`count` stretches that begin anywhere, to the millisecond: where they lie and their first second.

    Every moment is as likely as any other; `evenly`, every source is, and asks again when all have asked. Fewer
    stretches are the first of more. One in which no note begins is drawn again: there is nothing to find. Raises
    `AntiphonError` when no source is long enough.
    """
    long = [one for one in sources if one.end_s - one.begin_s >= length_s]
    if not long:
        raise AntiphonError(f"none of {len(sources)} recordings is as long as a query of {length_s:g} s")
    return tuple(islice(_drawn(long, length_s, seed, evenly), count))


def _drawn(sources: Sequence[Source], length_s: float, seed: int, evenly: bool) -> Iterator[tuple[Source, float]]:
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
            raise AntiphonError(f"{sources[max(0, number)].notes_path}: hardly a note begins in it; nothing can ask")


def write_queries(path: Path, row: str, seed: int, asked: Asked) -> str:
    """Write what a row asks, for peers to ask the same; the hash that says which queries answers belong to."""
    content = {
        "row": row,
        "seed": seed,
        "data_hash": asked.data_hash,
        "library": [str(file) for file in asked.library.files],
        "works": dict(asked.library.works),
        "side": asked.library.side,
        "queries": [asdict(query) | {"path": str(query.path.resolve())} for query in asked.queries],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    return content_hash(path)


def read_queries(path: Path) -> tuple[str, int, Asked]:
    """Row, seed and what is asked. Raises `UnreadableInput` for another kind of file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        queries = tuple(Query(**(one | {"path": Path(one["path"])})) for one in content["queries"])
        library = Library(tuple(Path(file) for file in content["library"]), content["works"], content["side"])
        return content["row"], content["seed"], Asked(queries, library, content["data_hash"])
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableInput(path, f"no queries of benchmarks.search ({type(error).__name__}: {error})") from None


def answer_as_dict(answer: Answer) -> dict[str, Any]:
    """An answer as JSON."""
    found = None if answer.found is None else asdict(answer.found)
    return {"seconds": round(answer.seconds, 4), "found": found} | (
        {"refused": answer.refused} if answer.refused else {}
    )


def answer_from_dict(content: Mapping[str, Any]) -> Answer:
    """An answer from JSON."""
    found = None if content["found"] is None else Found(**content["found"])
    return Answer(found, content["seconds"], content.get("refused", ""))
