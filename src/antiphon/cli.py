"""The command line: parse, call, print. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from antiphon.errors import AntiphonError, UnreadableInput

Item = TypeVar("Item")

app = typer.Typer(
    name="antiphon",
    help="Find the MIDI for a recording and the recording for a MIDI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

CorpusArgument = Annotated[
    str, typer.Argument(metavar="CORPUS", help="a MAESTRO folder, a folder of pairs, or the word demo")
]
AudioOption = Annotated[
    Path | None, typer.Option("--audio", metavar="DIR", help="parallel folder of sound, any format")
]
SplitOption = Annotated[str | None, typer.Option("--split", help="train, validation, test, …")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


def main() -> None:
    """Entry point: expected failures become one line on stderr and exit code 2."""
    try:
        app()
    except AntiphonError as error:
        errors.print(f"antiphon: {error}", markup=False)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        from antiphon import __version__

        typer.echo(__version__)
        raise typer.Exit


def progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items under a progress bar on stderr; quiet when stderr is not a terminal."""
    if total is None and isinstance(items, Sequence):
        total = len(items)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        yield from bar.track(items, total=total, description=what)


def report_skipped(skipped: Sequence[UnreadableInput]) -> None:
    """Name every file that was left out, then count them."""
    for error in skipped:
        errors.print(f"skipped: {error}", markup=False)
    if skipped:
        errors.print(f"{len(skipped)} skipped")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


@app.command()
def render(
    corpus: CorpusArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the sound; it becomes a corpus")],
    soundfont: Annotated[
        str, typer.Option("--soundfont", metavar="F", help="a SoundFont file or name, or additive (nothing needed)")
    ] = "FluidR3_GM",
    split: SplitOption = None,
    max_seconds: Annotated[float | None, typer.Option(help="render only this much of each piece")] = None,
    jobs: Annotated[int, typer.Option(help="processes, each with the font loaded once", min=1)] = 2,
    sample_rate: Annotated[int, typer.Option(help="Hz", min=4000)] = 24_000,
    json_: JsonOption = False,
) -> None:
    """Turn notes into sound. A stopped run goes on where it was.

    Example: antiphon render maestro-v3.0.0 --split validation --max-seconds 104 --out rendered
    """
    from antiphon.corpora import open_corpus
    from antiphon.rendering.corpus import render_corpus

    source = open_corpus(corpus, split=split)
    results = render_corpus(source, out, soundfont, max_seconds, jobs, sample_rate)
    done, skipped = [], list(source.skipped)
    for result in progress(results, "rendering", total=len(source)):
        if isinstance(result, UnreadableInput):
            skipped.append(result)
        else:
            done.append(result)
    report_skipped(skipped)
    hours = sum(recording.duration_s for recording in done) / 3600
    summary = {"recordings": len(done), "hours": round(hours, 3), "skipped": len(skipped), "out": str(out)}
    print_json(summary) if json_ else typer.echo(f"{len(done)} recordings, {hours:.2f} h of sound in {out}")


if __name__ == "__main__":
    main()
