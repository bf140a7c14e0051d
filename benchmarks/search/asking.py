"""Search asked: the index of a library, kept for the next time, and queries put to it with their time."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import antiphon.index.search as engine
from antiphon.errors import UnreadableInput
from antiphon.index.build import build_index
from antiphon.index.metadata import FileMetadata
from antiphon.index.store import Store, is_index
from antiphon.io.files import atomic_folder
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from benchmarks.search.queries import Answer, Asked, Found, Library, Query

Find = Callable[[Query], Found | None]
_NEVER_QUANTISED = 1 << 62  # nobody searches the index of all


def search(query: Query, store: Store, embedder: Embedder) -> Found | None:
    """The best hit, None where there is none; the only place here that knows how the package is asked."""
    hits = engine.search(
        query.path,
        store,
        embedder,
        query.start_s,
        query.length_s,
        engine.SearchOptions(top=1, by_work=query.by_work, against=query.against, transpose=query.transpose),
    )
    return Found.of(hits[0]) if hits else None


@dataclass
class Indexes:
    """Indexes of files below a folder. Each file is embedded once, in an index of all; a library is a part of it.

    `failed` collects the files that cannot be used.
    """

    folder: Path
    model: str
    embedder: Embedder
    failed: list[UnreadableInput] = field(default_factory=list)

    def open(self, library: Library) -> Store:
        """The index of a library and nothing else, brought up to date."""
        whole = self.folder / "all"
        report = build_index(
            library.files, self.embedder, self.model, whole, only=library.side, exact_below=_NEVER_QUANTISED
        )
        self.failed += report.failed
        names = "\0".join([self.embedder.fingerprint, *map(str, library.files)])
        place = self.folder / hashlib.sha256(names.encode()).hexdigest()[:12]
        if not is_index(place):
            with atomic_folder(place) as aside:
                shutil.copytree(whole, aside, dirs_exist_ok=True)
                with Store(aside) as store:
                    store.remove(sorted({*store.known(), *store.failed()} - set(map(str, library.files))))
        build_index(library.files, self.embedder, self.model, place, only=library.side)
        store = Store(place)
        held = store.known()
        store.describe({path: FileMetadata(work=work) for path, work in library.works.items() if path in held})
        return store


def ask_all(asked: Asked, find: Find, what: str = "searching") -> list[Answer]:
    """Every query's answer with its seconds, decoding and embedding included, after one that is not counted."""
    answers: list[Answer] = []
    for query in track((asked.queries[0], *asked.queries), what):
        began = time.perf_counter()
        try:
            found, refused = find(query), ""
        except UnreadableInput as error:
            found, refused = None, error.reason
        seconds = time.perf_counter() - began
        answers.append(Answer(found, seconds, refused))
    return answers[1:]
