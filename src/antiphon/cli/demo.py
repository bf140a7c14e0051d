"""The command that demonstrates the package on its own corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import antiphon
from antiphon.checks import COUNT
from antiphon.cli.shared import JsonOption, ModelOption, app, output_folder, print_json, within
from antiphon.cli.terminal import stdout
from antiphon.wording import clock, counted, shown_path


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder for the index and the pictures", callback=output_folder)
    ] = Path("demo"),
    model: ModelOption = "default",
    queries: Annotated[
        int | None, typer.Option(help="number of recordings to search with (all)", callback=within(COUNT))
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Make a small corpus, index its notes and find them again from its sound. Needs no other data.

    Example: antiphon demo
    """
    result = antiphon.demo(out, model=model, queries=queries)
    if json_:
        print_json(result.as_dict())
        return
    table = Table(box=None)
    for title, width in (("10 s of a recording", 25), ("at", 4), ("best match among the notes", 26), ("at", 4)):
        table.add_column(title, no_wrap=True, width=width)
    table.add_column("", width=10)
    for query in result.queries:
        verdict = "right" if query.right_place else ("same piece" if query.right_piece else "wrong")
        names = (query.recording.id, Path(query.match.file).stem)
        recording, notes = (escape(name.split(" - ", 1)[-1]) for name in names)
        table.add_row(recording, clock(query.start_s), notes, clock(query.match.start_s), verdict)
    stdout.print(table)
    typer.echo(
        f"{counted(len(result.queries), 'query', 'queries')}: right piece first {result.right_piece:.1f} %, "
        f"right place within 0.5 s {result.right_place:.1f} %\n"
        f"pictures in {shown_path(out / 'pictures')}, index in {shown_path(out / 'index')}"
    )
