"""A row of the results table, and the setting in which it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.search.querying import Indexes
from benchmarks.search.sampling import Data

Result = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Inputs of a row: data, indexes, number of queries, seed, and the folder in which peers find the queries."""

    data: Data
    indexes: Indexes
    queries: int
    seed: int
    exchange: Path


@dataclass(frozen=True)
class Row:
    """One line of the table. A row is skipped where a field of `Data` named in `needs` is not given."""

    name: str
    title: str
    bar: str
    needs: tuple[str, ...]
    run: Callable[[Row, Setting], Result]

    def missing_inputs(self, data: Data) -> list[str]:
        """Names of the fields of `Data` that this row needs and that are not given."""
        return [name for name in self.needs if not getattr(data, name)]
