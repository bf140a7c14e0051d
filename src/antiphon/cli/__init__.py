"""The command line: parse, call, print. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from antiphon.cli.shared import app
from antiphon.errors import AntiphonError
from antiphon.progress import console

# isort: off
# Importing registers the commands, in the order of antiphon --help.
from antiphon.cli import library, pairing, serving, experiments, data  # noqa: F401

# isort: on


def main() -> None:
    """Entry point: expected failures become one line on stderr and exit code 2."""
    try:
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
def _options(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        from antiphon.version import __version__

        typer.echo(__version__)
        raise typer.Exit
