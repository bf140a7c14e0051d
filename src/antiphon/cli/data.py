"""Commands about what there is: render, info, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli.shared import CorpusArgument, JsonOption, SplitOption, app, print_json, print_rows, report_skipped
from antiphon.errors import UnreadableInput
from antiphon.progress import track


@app.command()
def render(
    corpus: CorpusArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the sound; it becomes a corpus")],
    soundfont: Annotated[
        str,
        typer.Option("--soundfont", metavar="F", help="a SoundFont file or name, or additive (nothing needed)"),
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

    source = open_corpus(corpus)
    source = source if split is None else source.split(split)
    results = render_corpus(source, out, soundfont, max_seconds, jobs, sample_rate)
    done, skipped = [], list(source.skipped)
    for result in track(results, "rendering", total=len(source)):
        if isinstance(result, UnreadableInput):
            skipped.append(result)
        else:
            done.append(result)
    report_skipped(skipped)
    hours = sum(recording.duration_s for recording in done) / 3600
    summary = {"recordings": len(done), "hours": round(hours, 3), "skipped": len(skipped), "out": str(out)}
    print_json(summary) if json_ else typer.echo(f"{len(done)} recordings, {hours:.2f} h of sound in {out}")


@app.command()
def info(
    what: Annotated[str, typer.Argument(metavar="CORPUS|INDEX|MODEL")],
    split: SplitOption = None,
    json_: JsonOption = False,
) -> None:
    """Describe a corpus, an index or a model.

    Example: antiphon info maestro-v3.0.0 --split validation
    """
    from antiphon.catalogue import describe_path

    facts = describe_path(what, split)
    print_json(facts) if json_ else print_rows([facts])


@app.command("list")
def list_command(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="arms, descriptors, mechanisms, towers, losses, …")],
    json_: JsonOption = False,
) -> None:
    """List what there is to choose from.

    Example: antiphon list arms --json
    """
    from antiphon.catalogue import list_entries

    rows = list_entries(what)
    print_json(rows) if json_ else print_rows(rows)
