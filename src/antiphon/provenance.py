"""The version of the code that made a result."""

from __future__ import annotations

import subprocess
from pathlib import Path

from antiphon.version import __version__


def code_version() -> dict[str, str | None]:
    """The package's version and, in a git checkout, its commit (`-dirty` when files differ from it)."""
    try:
        _git(
            "ls-files", "--error-unmatch", Path(__file__).name
        )  # fails where the package is installed inside another checkout
        commit = _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        commit = None
    return {"version": __version__, "commit": commit}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()
