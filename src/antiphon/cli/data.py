"""Commands about data and the installation: render, info, list, cache."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import antiphon
from antiphon.checks import COUNT, MIN_0, SAMPLE_RATE_HZ, SECONDS
from antiphon.cli.index_files import index_as_text
from antiphon.cli.shared import (
    CorpusArgument,
    JsonOption,
    SeedOption,
    SplitOption,
    app,
    output_folder,
    print_json,
    print_rows,
    report_skipped,
    time_option,
    within,
)
from antiphon.wording import counted


@app.command()
def render(
    corpus: CorpusArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="folder for the sound, which becomes a corpus", callback=output_folder
        ),
    ],
    soundfont: Annotated[
        list[str] | None,
        typer.Option(
            "--soundfont",
            metavar="F",
            help="a SoundFont file or name, or additive (no other package); several with --conditions (FluidR3_GM)",
        ),
    ] = None,
    split: SplitOption = None,
    max_seconds: Annotated[
        float | None,
        time_option("--max-seconds", SECONDS, help="render this much of each recording, in seconds or as m:ss"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="number of processes, each of which loads the font once", callback=within(COUNT))
    ] = 2,
    sample_rate: Annotated[int, typer.Option(help="Hz, 8000 to 96000", callback=within(SAMPLE_RATE_HZ))] = 24_000,
    conditions: Annotated[
        int | None,
        typer.Option(help="number of recording conditions: SoundFont, room, microphone, noise", callback=within(COUNT)),
    ] = None,
    seed: SeedOption = 42,
    json_: JsonOption = False,
) -> None:
    """Render notes to sound. A stopped run resumes.

    Example: antiphon render maestro-v3.0.0 --split validation --max-seconds 104 --out rendered
    """
    made = antiphon.render(
        corpus,
        out=out,
        soundfont=soundfont or "FluidR3_GM",
        split=split,
        max_seconds=max_seconds,
        jobs=jobs,
        sample_rate_hz=sample_rate,
        conditions=conditions,
        seed=seed,
    )
    report_skipped(made.skipped)
    hours = made.duration_s / 3600
    summary = {"recordings": len(made), "hours": round(hours, 3), "skipped": len(made.skipped), "out": str(out)}
    print_json(summary) if json_ else typer.echo(f"{counted(len(made), 'recording')}, {hours:.2f} h of sound in {out}")


@app.command()
def info(
    what: Annotated[str, typer.Argument(metavar="CORPUS|INDEX|MODEL")],
    split: SplitOption = None,
    files: Annotated[bool, typer.Option("--files", help="also list the files of an index")] = False,
    json_: JsonOption = False,
) -> None:
    """Describe a corpus, an index or a model. Files of an index that are gone are named.

    Example: antiphon info maestro-v3.0.0 --split validation
    """
    facts = antiphon.describe(what, split=split, files=files)
    if json_:
        print_json(facts)
    elif facts["kind"] == "index":
        typer.echo(index_as_text(facts))
    else:
        print_rows([_left_out_as_text(facts)])


def _left_out_as_text(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {"left_out": str(antiphon.LeftOut(**facts["left_out"]))} if "left_out" in facts else facts


@app.command("list")
def list_command(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="arms, descriptors, mechanisms, towers, losses, …")],
    json_: JsonOption = False,
) -> None:
    """List the names of one kind: arms, models, presets, and others.

    Example: antiphon list arms --json
    """
    rows = antiphon.catalogue(what)
    print_json(rows) if json_ else print_rows(rows)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="remove everything; it is computed again when needed")] = False,
    limit: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            help="remove the least recently used samples beyond this many gigabytes",
            callback=within(MIN_0),
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Show the content of the cache folder, and remove it.

    The folder is $ANTIPHON_CACHE, else antiphon in the user's cache folder. Decoded samples are removed,
    the least recently used first, when they would exceed $ANTIPHON_CACHE_LIMIT_GB (100 unless set).

    Example: antiphon cache --limit 20
    """
    report = antiphon.clear_cache() if clear else antiphon.sample_cache(limit)
    facts = report.as_dict()
    if json_:
        print_json(facts)
        return
    typer.echo(f"{facts['folder']}: the limit for samples is {facts['samples_limit_gb']:g} GB")
    print_rows(
        [{"kind": kind, "entries": size["entries"], "GB": f"{size['gb']:.3f}"} for kind, size in facts["kinds"].items()]
    )
    if clear or limit is not None:
        typer.echo(f"{counted(facts['removed'], 'entry', 'entries')} removed, {facts['removed_gb']:.3f} GB")
