"""Parts of summaries that several analyses share: tables as Markdown, and the paper's figures for an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from antiphon.experiments.published import REFERENCE
from antiphon.experiments.reporting import Table, as_markdown

Figures = TypeVar("Figures")


def as_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells as a Markdown table.

    >>> print(as_table(["layer", "CKA"], [["first", "0.5"]]))
    | layer | CKA |
    |-------|----:|
    | first | 0.5 |
    """
    return as_markdown("", [Table(columns, rows)]).partition("\n\n")[2].rstrip("\n")


def paper_row(figures: Mapping[str, Figures], arm: str) -> Figures | None:
    """The paper's figures for an arm, ignoring case, or None where it has none.

    >>> paper_row({"a4r": 82.0}, "A4r")
    82.0
    """
    return next((figure for name, figure in figures.items() if name.lower() == arm.lower()), None)


def compared_arms(figures: Mapping[str, Figures], arm: str) -> dict[str, Figures]:
    """The paper's figures to compare an arm with: those of the same arm, if any, and those of the reference.

    >>> compared_arms({"D0": 75.2, "a4r": 80.7, "d4a4": 84.0}, "A4r")
    {'paper, A4r': 80.7, 'paper, D0': 75.2}
    """
    found = {f"paper, {name}": paper_row(figures, name) for name in dict.fromkeys((arm, REFERENCE))}
    return {title: figure for title, figure in found.items() if figure is not None}
