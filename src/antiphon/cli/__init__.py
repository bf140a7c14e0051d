"""The command line: each command parses its options, calls one public name of `antiphon` and prints the result."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from antiphon.cli.settings import read_settings
from antiphon.cli.shared import app
from antiphon.cli.terminal import console, progress_on_stderr
from antiphon.errors import AntiphonError

# isort: off
# Importing registers the commands, in the order of antiphon --help.
from antiphon.cli import demo, library, index_files, setlist, pairing, checking, serving, experiments, data  # noqa: F401

# isort: on


def main() -> None:
    """Entry point: an expected failure is reported in one line on stderr, with exit code 2."""
    try:
        with progress_on_stderr():
            app()
    except AntiphonError as error:
        reason = str(error)
    except OSError as error:  # a disk that is full, a file that may not be read or written
        if error.filename is None:
            raise
        reason = f"{error.filename}: {error.strerror}"
    console.print(f"antiphon: {reason}", markup=False)
    sys.exit(2)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="print the version")] = False
) -> None:
    if version:
        from antiphon.version import __version__

        typer.echo(__version__)
        raise typer.Exit
    context.default_map = read_settings(context.command)
