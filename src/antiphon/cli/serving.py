"""The command that serves an index over HTTP."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli.shared import app, within


@app.command()
def serve(
    index: Annotated[Path | None, typer.Option("--index", metavar="DIR", help="the library to serve")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="serve the demo's pieces, made where they are missing")] = False,
    host: Annotated[str, typer.Option(help="the address to listen on; other computers need --token")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="1 to 65535, or 0 for any that is free", callback=within(0, 65535))] = 8000,
    token: Annotated[
        str | None, typer.Option(help="what clients have to show", envvar="ANTIPHON_TOKEN", show_envvar=True)
    ] = None,
    max_upload_mb: Annotated[int, typer.Option(help="largest request, MiB, up to 4096", callback=within(1, 4096))] = 64,
    max_query_s: Annotated[
        float, typer.Option(help="longest stretch to search with, 20 to 3600 s", callback=within(20, 3600))
    ] = 600.0,
    queue: Annotated[int, typer.Option(help="how many searches may wait, up to 150", callback=within(1, 150))] = 64,
    workers: Annotated[
        int | None,
        typer.Option(help="searches at the same time, up to 64 (as many as there are cores)", callback=within(1, 64)),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="take no files into the library")] = False,
) -> None:
    """Serve an index: a web page to search it with, and the API behind it.

    Example: antiphon serve --index library
    """
    if (index is None) == (not demo):
        raise typer.BadParameter("give --index DIR or --demo")
    # Before anything reads it: searches run beside each other, one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from antiphon.serving.limits import MIB, Limits
    from antiphon.serving.page import MISSING, is_bundled
    from antiphon.serving.run import demo_index, settings_for
    from antiphon.serving.run import serve as serve_index

    limits = replace(Limits(), upload_bytes=max_upload_mb * MIB, query_s=max_query_s, queue=queue)
    place = Path() if index is None else index
    settings = settings_for(
        place, host, token, uploads=not read_only, workers=workers or os.cpu_count() or 1, limits=limits
    )
    if index is None:
        settings = replace(settings, index=demo_index())
    if not is_bundled():
        typer.echo(MISSING, err=True)
    serve_index(settings, host, port, lambda url: typer.echo(f"Antiphon is at {url}"))
