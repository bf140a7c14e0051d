"""A row of the table, and the setting that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.search.asking import Indexes
from benchmarks.search.drawing import Data

Result = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Where a row finds what it needs, how many queries it asks, and where it leaves them for peers."""

    data: Data
    indexes: Indexes
    queries: int
    seed: int
    exchange: Path


@dataclass(frozen=True)
class Row:
    """One line of the table. `needs` are the fields of `Data` without which it is left out."""

    name: str
    title: str
    bar: str
    needs: tuple[str, ...]
    run: Callable[[Row, Setting], Result]

    def lacks(self, data: Data) -> list[str]:
        """Which of its needs are not met."""
        return [name for name in self.needs if not getattr(data, name)]
