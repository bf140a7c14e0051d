"""A library of notes indexed by a model of the package, for peers that search it, as long as they run."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

from antiphon.models.loading import load_model
from benchmarks.search.asking import Find, Indexes, search
from benchmarks.search.queries import Library


def searcher(library: Library, model: str, folder: Path | None = None) -> Find:
    """Index the library in `folder` (a new one in the system's temporary folder) and give what searches it."""
    if folder is None:
        folder = Path(mkdtemp(prefix="antiphon-peer-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    embedder = load_model(model)
    store = Indexes(folder, model, embedder).open(library)
    return lambda query: search(query, store, embedder)
