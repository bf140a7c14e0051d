"""Adding uploaded files to the library: check in a decoder process, store in the index's folder, index."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import UnreadableInput
from antiphon.index.library import Index
from antiphon.io.files import atomic_file, content_hash
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from antiphon.serving.decoder_pool import Decoders
from antiphon.serving.models import Failure
from antiphon.serving.uploads import free_name
from antiphon.types import Modality

FOLDER = "uploads"


@dataclass(frozen=True)
class Received:
    """An uploaded file in a temporary folder, with its display name and its name for storage."""

    path: Path
    kind: Modality
    shown: str
    name: str


@dataclass(frozen=True)
class Added:
    """New paths in the index, files already in the index, and files that cannot be used."""

    paths: tuple[str, ...]
    unchanged: tuple[str, ...]
    failed: tuple[Failure, ...]


def add_files(received: Sequence[Received], index: Path, embedder: Embedder, decoders: Decoders) -> Added:
    """Store files in the folder `uploads` of the index and update the index.

    Unreadable and silent files are reported and not stored.
    """
    folder = index / FOLDER
    folder.mkdir(exist_ok=True)
    with Index.open(index) as opened:
        known = opened.content_hashes()
    usable: list[Received] = []
    unchanged, failed = [], []
    for one in track(received, "reading"):
        try:
            content = content_hash(one.path)
            if content in known:
                unchanged.append(one.shown)
                continue
            decoders.check(one.path, one.kind, embedder.sample_rate_hz)
        except UnreadableInput as error:
            failed.append(Failure(file=one.shown, reason=error.reason))
            continue
        known.add(content)
        usable.append(one)
    stored: dict[str, Received] = {}  # stored only after all are read, so that a failed job leaves no files
    for one in usable:
        path = free_name(folder, one.name)
        with atomic_file(path) as aside:
            shutil.copyfile(one.path, aside)
        stored[os.fspath(path.resolve())] = one
    reasons = {}
    if stored:
        with Index.open(index, model=embedder) as opened:
            reasons = {os.fspath(error.path): error.reason for error in opened.add([folder, *stored]).failed}
    for path_, one in stored.items():
        if path_ in reasons:
            failed.append(Failure(file=one.shown, reason=reasons[path_]))
            Path(path_).unlink()
    return Added(tuple(path_ for path_ in stored if path_ not in reasons), tuple(unchanged), tuple(failed))
