"""A library of notes, indexed by a model of the package, for peers that search notes."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

from antiphon.models.loading import load_model
from benchmarks.search.queries import Library
from benchmarks.search.querying import Indexes, SearchFunction, search


def open_search(library: Library, model: str, folder: Path | None = None) -> SearchFunction:
    """Index the library in `folder`, by default a temporary folder, and return its search function."""
    if folder is None:
        folder = Path(mkdtemp(prefix="antiphon-peer-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    embedder = load_model(model)
    store = Indexes(folder, model, embedder).open(library)
    return lambda query: search(query, store, embedder)
