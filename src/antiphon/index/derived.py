"""Files that are derived from the database: named after kind and generation, there whole or not at all.

The database counts its changes; that count is the generation. A file of an older one is stale and is removed as soon as
a newer one is there. Any number of processes may make the same file at the same time: each writes its own aside, and
the last to finish is kept.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_ABANDONED_S = 3600.0  # an unfinished file of this age belongs to a process that died
_UNFINISHED = ".part"


@dataclass(frozen=True)
class Derived:
    """The derived files of one kind (audio, notes) in one generation: `FOLDER/KIND-GENERATION` and a suffix."""

    folder: Path
    kind: str
    generation: int

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.kind}-{self.generation}{suffix}"

    @contextmanager
    def written_aside(self, *suffixes: str) -> Iterator[list[Path]]:
        """Paths to write to, one for each suffix; when the block ends they take their names, in this order.

        What the block maps or reads there stays valid, whatever other processes do to the names afterwards. If it
        fails, nothing is left behind.
        """
        mine = f".{uuid.uuid4().hex}{_UNFINISHED}"
        aside = [self.path(suffix + mine) for suffix in suffixes]
        try:
            yield aside
            for path, suffix in zip(aside, suffixes, strict=True):
                os.replace(path, self.path(suffix))
        finally:
            for path in aside:
                path.unlink(missing_ok=True)
        self._tidy()

    def _tidy(self) -> None:
        """Remove files of older generations, and what died half-written."""
        finished = {}
        for path in self.folder.glob(f"{self.kind}-*"):
            if path.suffix == _UNFINISHED:
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _ABANDONED_S:
                        path.unlink()
            elif name := re.match(rf"{self.kind}-(\d+)\.", path.name):
                finished[path] = int(name[1])
        newest = max(finished.values(), default=0)
        for path, generation in finished.items():
            if generation < newest:
                path.unlink(missing_ok=True)
