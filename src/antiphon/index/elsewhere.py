"""The folder for derived files of an index whose own folder cannot be written, as on read-only media."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from antiphon.index.database import NAME, can_write
from antiphon.io.cache import cache_folder


def derived_folder(index: Path, kind: str, generation: int) -> Path:
    """The folder of the index, or one in the cache, which first gets links to the existing derived files.

    The name of the cache folder depends on size and time of the database, because other media may be mounted at the
    same path.
    """
    if can_write(index):
        return index
    database = (index / NAME).stat()
    identity = f"{index.resolve()}\0{database.st_size}\0{database.st_mtime_ns}"
    folder = cache_folder("index") / hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    for path in index.glob(f"{kind}-{generation}.*"):
        with suppress(OSError):  # there already, or links are not permitted: then it is made
            os.symlink(path.resolve(), folder / path.name)
    return folder
