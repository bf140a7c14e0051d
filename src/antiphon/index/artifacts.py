"""Files that are derived from the database: named after modality and generation, written atomically.

The database counts its changes; that count is the generation. A file of an older generation is stale and is removed as
soon as a newer one exists. Any number of processes may make the same file at the same time: each writes its own aside,
and the last to finish is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from antiphon.io.files import UNFINISHED, atomic_file, remove_abandoned


@dataclass(frozen=True)
class Artifacts:
    """The derived files of one kind (audio, notes) in one generation: `FOLDER/KIND-GENERATION` and a suffix."""

    folder: Path
    kind: str
    generation: int

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.kind}-{self.generation}{suffix}"

    @contextmanager
    def written_aside(self, *suffixes: str) -> Iterator[list[Path]]:
        """Paths to write to, one for each suffix; when the block ends they take their names, in this order.

        Files that the block maps or opens there stay valid when other processes replace the names afterwards. If it
        fails, it leaves no files.
        """
        with ExitStack() as stack:  # which ends the last entered first
            aside = [stack.enter_context(atomic_file(self.path(suffix))) for suffix in reversed(suffixes)]
            yield aside[::-1]
        self._tidy()

    def _tidy(self) -> None:
        """Remove files of older generations and unfinished files of processes that died."""
        remove_abandoned(self.folder, f"{self.kind}-")
        finished = {}
        for path in self.folder.glob(f"{self.kind}-*"):
            name = re.match(rf"{self.kind}-(\d+)\.", path.name)
            if name and path.suffix != UNFINISHED:
                finished[path] = int(name[1])
        newest = max(finished.values(), default=0)
        for path, generation in finished.items():
            if generation < newest:
                path.unlink(missing_ok=True)
