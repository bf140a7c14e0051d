"""Which readers of files are installed: a value that changes when a file that failed may be readable."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import soundfile

from antiphon.version import __version__

_DECODERS = ("soundfile", "av", "symusic")


@cache
def readers_version() -> str:
    """A hash of the version of the package, the source of its readers, and the versions of the decoders.

    The source counts because a version from a repository keeps its number for many changes.
    """
    digest = hashlib.sha256(f"{__version__} {soundfile.__libsndfile_version__}".encode())
    for name in _DECODERS:
        try:
            digest.update(f" {name} {version(name)}".encode())
        except PackageNotFoundError:
            continue
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
