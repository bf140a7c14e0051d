"""Commands about what there is: render, info, list, cache."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli.shared import (
    CorpusArgument,
    JsonOption,
    SplitOption,
    app,
    output_folder,
    positive,
    print_json,
    print_rows,
    report_skipped,
    within,
)
from antiphon.errors import UnreadableInput
from antiphon.progress import track


@app.command()
def render(
    corpus: CorpusArgument,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="folder for the sound; it becomes a corpus", callback=output_folder),
    ],
    soundfont: Annotated[
        str,
        typer.Option("--soundfont", metavar="F", help="a SoundFont file or name, or additive (nothing needed)"),
    ] = "FluidR3_GM",
    split: SplitOption = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="render only this much of each piece", callback=positive)
    ] = None,
    jobs: Annotated[int, typer.Option(help="processes, each with the font loaded once", callback=within(1))] = 2,
    sample_rate: Annotated[int, typer.Option(help="Hz, 8000 to 96000", callback=within(8000, 96_000))] = 24_000,
    json_: JsonOption = False,
) -> None:
    """Turn notes into sound. A stopped run goes on where it was.

    Example: antiphon render maestro-v3.0.0 --split validation --max-seconds 104 --out rendered
    """
    from antiphon.corpora import open_corpus
    from antiphon.corpora.render import render_corpus

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
    from antiphon.cli.listing import describe_path

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
    from antiphon.cli.listing import list_entries

    rows = list_entries(what)
    print_json(rows) if json_ else print_rows(rows)


@app.command()
def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="remove everything; it is made again when it is needed")
    ] = False,
    limit: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            help="remove the least recently used samples beyond this many gigabytes",
            callback=within(0.0),
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Show what the cache folder holds, and remove it.

    The folder is $ANTIPHON_CACHE, else antiphon in the user's cache folder. Samples that training has decoded are
    removed, the least recently used first, when they would exceed $ANTIPHON_CACHE_LIMIT_GB (100 unless set).

    Example: antiphon cache --limit 20
    """
    from antiphon.io.cache import GB, cache_entries, cache_limit_bytes, cache_root, clear_cache, evict

    removed = clear_cache() if clear else [] if limit is None else evict("samples", round(limit * GB))
    entries = cache_entries()
    kinds = {entry.kind: [one for one in entries if one.kind == entry.kind] for entry in entries}
    size = {kind: sum(one.size_bytes for one in found) for kind, found in kinds.items()}
    facts = {
        "folder": str(cache_root()),
        "samples_limit_gb": cache_limit_bytes() / GB,
        "removed": len(removed),
        "removed_gb": round(sum(one.size_bytes for one in removed) / GB, 3),
        "kinds": {kind: {"entries": len(found), "gb": round(size[kind] / GB, 3)} for kind, found in kinds.items()},
    }
    if json_:
        print_json(facts)
        return
    typer.echo(f"{facts['folder']}: samples may take {facts['samples_limit_gb']:g} GB")
    print_rows([{"kind": kind, "entries": len(found), "GB": f"{size[kind] / GB:.3f}"} for kind, found in kinds.items()])
    if clear or limit is not None:
        typer.echo(f"{len(removed)} entries removed, {facts['removed_gb']:.3f} GB")
