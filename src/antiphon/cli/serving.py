"""The command that serves an index over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import antiphon
from antiphon.checks import Range
from antiphon.cli.shared import app, within


@app.command()
def serve(
    index: Annotated[Path | None, typer.Option("--index", metavar="DIR", help="the index to serve")] = None,
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
        float, typer.Option(help="longest query, 20 to 3600 s", callback=within(Range(20, 3600)))
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
