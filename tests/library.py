"""A small folder of music, an embedder that counts, and an index read in two ways."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.index.build import BuildReport, build_index
from antiphon.index.store import Store
from antiphon.io.notes import Notes
from antiphon.models.template import TemplateEmbedder
from antiphon.types import AS_RECORDED, Playback


class CountingEmbedder:
    """The template, counting the files that it embeds."""

    def __init__(self, fingerprint: str = TemplateEmbedder.fingerprint) -> None:
        self._inner = TemplateEmbedder()
        self.fingerprint = fingerprint
        self.name, self.dimensions = self._inner.name, self._inner.dimensions
        self.sample_rate_hz, self.window_s = self._inner.sample_rate_hz, self._inner.window_s
        self.elastic, self.query_hop_s = self._inner.elastic, self._inner.query_hop_s
        self.files = 0

    def embed_audio_windows(
        self, samples: NDArray[np.float32], starts_s: NDArray[np.float64], playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        self.files += 1
        return self._inner.embed_audio_windows(samples, starts_s, playback)

    def embed_notes_windows(
        self, notes: Notes, starts_s: NDArray[np.float64], playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        self.files += 1
        return self._inner.embed_notes_windows(notes, starts_s, playback)


def bring_up_to_date(folder: Path, out: Path, **how: Any) -> tuple[BuildReport, int]:
    """What a build reports, and how many files it embedded by the embedder's own count."""
    embedder = CountingEmbedder()
    report = build_index([folder], embedder, "template", out, **how)
    assert report.embedded <= embedder.files
    return report, embedder.files


def in_database(out: Path, kind: str | None = None) -> dict[str, tuple[list[float], bytes]]:
    """File name → starts and vectors, read past everything but SQLite."""
    with sqlite3.connect(out / "index.sqlite") as db:
        rows = db.execute("SELECT path, kind, starts_s, vectors FROM recordings").fetchall()
    db.close()
    return {
        Path(path).name: (np.frombuffer(starts).tolist(), vectors)
        for path, its_kind, starts, vectors in rows
        if kind in (None, its_kind)
    }


def in_library(out: Path, kind: Any) -> dict[str, tuple[list[float], bytes]]:
    """The same by way of the derived file."""
    with Store(out) as store:
        library = store.library(kind)
    assert list(library.paths) == sorted(library.paths)
    assert library.offset[-1] == len(library.vectors) == len(library.start_s)
    pieces = [slice(*edges) for edges in zip(library.offset[:-1], library.offset[1:], strict=True)]
    return {
        Path(path).name: (library.start_s[piece].tolist(), library.vectors[piece].tobytes())
        for path, piece in zip(library.paths, pieces, strict=True)
    }
