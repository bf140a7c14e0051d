"""Reports as blocks of text, tables and pictures, rendered as Markdown and as one self-contained HTML file."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    """A section's title."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of short statements."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Cells as text; rows whose number is in `marked` are emphasised."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG below the report's folder, with a caption."""

    path: str
    caption: str


Block = Heading | Paragraph | Bullets | Table | Picture


def as_markdown(title: str, blocks: Sequence[Block]) -> str:
    """The blocks as Markdown. Tables are padded so that their source is readable.

    >>> print(as_markdown("Scores", [Table(["arm", "S"], [["D0", "60.2"], ["a|b", "–"]], frozenset({0}))]))
    # Scores
    <BLANKLINE>
    | arm    |    S |
    |--------|-----:|
    | **D0** | 60.2 |
    | a\\|b   |    – |
    <BLANKLINE>
    """
    return "\n\n".join([f"# {title}", *(_markdown(block) for block in blocks)]) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {text}"
        case Paragraph(text):
            return text
        case Bullets(items):
            return "\n".join(f"* {item}" for item in items)
        case Picture(path, caption):
            return f"![{caption}]({path})"
        case Table():
            return _markdown_table(block)


def _markdown_table(table: Table) -> str:
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (table.columns, *table.rows)]
    for row in table.marked:
        lines[row + 1][0] = f"**{lines[row + 1][0]}**"
    width = [max(3, *(len(line[column]) for line in lines)) for column in range(len(table.columns))]
    numeric = _numeric(table)
    text = [
        "| "
        + " | ".join(f"{cell:{'>' if n else '<'}{w}}" for cell, w, n in zip(line, width, numeric, strict=True))
        + " |"
        for line in lines
    ]
    text.insert(
        1, "|" + "|".join("-" * (w + 1) + (":" if n else "-") for w, n in zip(width, numeric, strict=True)) + "|"
    )
    return "\n".join(text)


def _numeric(table: Table) -> list[bool]:
    """The columns that hold figures and are aligned to the right; the first never does."""
    return [
        column > 0 and all(re.match(r"[\d+−–<]", row[column]) for row in table.rows)
        for column in range(len(table.columns))
    ]


def cell(value: float | None, digits: int = 1, signed: bool = False) -> str:
    """The text of a figure in a table; "–" for None or nan.

    >>> cell(8.75, signed=True), cell(-1.2), cell(1917056, 0), cell(None)
    ('+8.8', '−1.2', '1 917 056', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    return text.replace("-", "−").replace(",", " ")


_STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --quiet: #5b6675; --page: #ffffff; --line: #d6dce4;
  --head: #eef2f7; --marked: #fdf3dc; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --quiet: #9aa6b5; --page: #14181e; --line: #333c48;
  --head: #1f2731; --marked: #3a3220; } }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); padding-bottom: 0.2rem; }
p, ul { max-width: 46rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.7rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { background: var(--head); white-space: normal; vertical-align: bottom; line-height: 1.25; }
.n { text-align: right; }
tr.marked td { background: var(--marked); font-weight: 600; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; border-radius: 6px; background: #ffffff; }
figcaption { color: var(--quiet); font-size: 0.88rem; }
"""


def as_html(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """The blocks as one HTML document, light or dark like the reader's system. Pictures are read from `folder`."""
    body = "\n".join(_html(block, folder) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block, folder: Path) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Picture(path, caption):
            data = base64.b64encode((folder / path).read_bytes()).decode("ascii")
            text, source = escape(caption), f"data:image/png;base64,{data}"
            return f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'
        case Table():
            return _html_table(block)


def _html_table(table: Table) -> str:
    classes = [' class="n"' if numeric else "" for numeric in _numeric(table)]

    def cells(line: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{class_}>{escape(cell)}</{tag}>" for cell, class_ in zip(line, classes, strict=True))

    begin = {True: '<tr class="marked">', False: "<tr>"}
    rows = [f"{begin[number in table.marked]}{cells(row, 'td')}</tr>" for number, row in enumerate(table.rows)]
    return (
        f'<div class="table"><table>\n<thead><tr>{cells(table.columns, "th")}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody>\n</table></div>"
    )
