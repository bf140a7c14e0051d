"""The command that serves an index over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import antiphon
from antiphon.checks import Range
from antiphon.cli.shared import INDEX_OPTION, app, time_option, within


@app.command()
def serve(
    context: typer.Context,
    index: Annotated[Path | None, INDEX_OPTION] = None,
    demo: Annotated[bool, typer.Option("--demo", help="serve the demo corpus, which is made where missing")] = False,
    host: Annotated[str, typer.Option(help="address to listen on; other computers need --token")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="1 to 65535, or 0 for any that is free", callback=within(Range(0, 65535)))
    ] = 8000,
    token: Annotated[
        str | None, typer.Option(help="the secret that clients must send", envvar="ANTIPHON_TOKEN", show_envvar=True)
    ] = None,
    max_upload_mb: Annotated[
        int, typer.Option(help="largest request, MiB, up to 4096", callback=within(Range(1, 4096)))
    ] = 64,
    max_query_s: Annotated[
        float,
        time_option("--max-query-s", Range(20, 3600), help="longest query, 20 s to 1 h, in seconds or as m:ss"),
    ] = 600.0,
    queue: Annotated[
        int, typer.Option(help="how many searches may wait, up to 150", callback=within(Range(1, 150)))
    ] = 64,
    workers: Annotated[
        int | None,
        typer.Option(help="searches at the same time, up to 64 (the number of cores)", callback=within(Range(1, 64))),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="accept no files into the library")] = False,
) -> None:
    """Serve an index: a web page for searching, and its API.

    Example: antiphon serve --index library
    """
    source = context.get_parameter_source("index")
    if demo and source is not None and source.name != "COMMANDLINE":
        index = None  # a default, by ANTIPHON_INDEX or a file of settings
    if (index is None) == (not demo):
        raise typer.BadParameter("give --index DIR or --demo")
    # Set before PyTorch is imported: several searches run at the same time, with one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    antiphon.serve(
        index,
        demo=demo,
        host=host,
        port=port,
        token=token,
        read_only=read_only,
        max_upload_mb=max_upload_mb,
        max_query_s=max_query_s,
        queue=queue,
        workers=workers,
        on_ready=lambda url: typer.echo(f"Antiphon is at {url}"),
    )
