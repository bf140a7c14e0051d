"""What the commands share: the application they register with, options, printing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from antiphon.errors import UnreadableInput
from antiphon.progress import console as errors

app = typer.Typer(
    name="antiphon",
    help="Find the MIDI for a recording and the recording for a MIDI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
index_app = typer.Typer(help="Make and update a library that can be searched.", no_args_is_help=True)
app.add_typer(index_app, name="index")
stdout = Console(highlight=False)

CorpusArgument = Annotated[
    str, typer.Argument(metavar="CORPUS", help="a MAESTRO folder, a folder of pairs, or the word demo")
]
AudioOption = Annotated[
    Path | None, typer.Option("--audio", metavar="DIR", help="parallel folder of sound, any format")
]
SplitOption = Annotated[str | None, typer.Option("--split", help="train, validation, test, …")]
TRAINED_MODEL_HELP = "default, a model folder or a run folder"
MODEL_HELP = f"{TRAINED_MODEL_HELP}, or template (nothing learned)"
ModelOption = Annotated[str, typer.Option("--model", metavar="MODEL", help=MODEL_HELP)]
RecordingsOption = Annotated[
    int | None, typer.Option(help="use this many recordings, evenly spread (all)", min=1, metavar="N")
]
KeepGoingOption = Annotated[bool, typer.Option("--keep-going/--strict", help="exit 0 although some files failed, or 2")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


def report_skipped(skipped: Sequence[UnreadableInput | str]) -> None:
    """Name every file that was left out, then count them."""
    for error in skipped:
        errors.print(f"skipped: {error}", markup=False)
    if skipped:
        errors.print(f"{len(skipped)} skipped")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_rows(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo("  ".join(f"{key} {_plain(value)}" for key, value in row.items() if value not in ([], {}, "")))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
