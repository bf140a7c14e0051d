"""Indexes of benchmark libraries, kept between runs, and timed runs of queries against them."""

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
from benchmarks.search.queries import BestMatch, Library, Outcome, Query, QuerySet

SearchFunction = Callable[[Query], BestMatch | None]
_NEVER_QUANTISED = 1 << 62  # the index of all files is never searched


def search(query: Query, store: Store, embedder: Embedder) -> BestMatch | None:
    """The best match, or None. The only function of the benchmarks that calls the package's search."""
    hits = engine.search(
        query.path,
        store,
        embedder,
        query.start_s,
        query.length_s,
        engine.SearchOptions(top=1, by_work=query.by_work, against=query.against, transpose=query.transpose),
    )
    return BestMatch.of(hits[0]) if hits else None


@dataclass
class Indexes:
    """Indexes stored below a folder. Each file is embedded once, in one index of all files; libraries are subsets.

    `failed` collects the files that cannot be read.
    """

    folder: Path
    model: str
    embedder: Embedder
    failed: list[UnreadableInput] = field(default_factory=list)

    def open(self, library: Library) -> Store:
        """The updated index of exactly this library."""
        whole = self.folder / "all"
        report = build_index(
            library.files, self.embedder, self.model, whole, only=library.modality, exact_below=_NEVER_QUANTISED
        )
        self.failed += report.failed
        names = "\0".join([self.embedder.fingerprint, *map(str, library.files)])
        folder = self.folder / hashlib.sha256(names.encode()).hexdigest()[:12]
        if not is_index(folder):
            with atomic_folder(folder) as temporary:
                shutil.copytree(whole, temporary, dirs_exist_ok=True)
                with Store(temporary) as store:
                    store.remove(sorted({*store.known(), *store.failed()} - set(map(str, library.files))))
        build_index(library.files, self.embedder, self.model, folder, only=library.modality)
        store = Store(folder)
        indexed = store.known()
        store.describe({path: FileMetadata(work=work) for path, work in library.works.items() if path in indexed})
        return store


def run_queries(query_set: QuerySet, find: SearchFunction, task: str = "searching") -> list[Outcome]:
    """The outcome of every query. Seconds include decoding and embedding; the first query also runs once untimed."""
    outcomes: list[Outcome] = []
    for query in track((query_set.queries[0], *query_set.queries), task):
        began = time.perf_counter()
        try:
            match, refused = find(query), ""
        except UnreadableInput as error:
            match, refused = None, error.reason
        seconds = time.perf_counter() - began
        outcomes.append(Outcome(match, seconds, refused))
    return outcomes[1:]
