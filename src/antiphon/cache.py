"""Where derived data is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """A folder for one kind of derived data: under `$ANTIPHON_CACHE`, else the user's cache folder; made if missing."""
    home = os.environ.get("ANTIPHON_CACHE")
    root = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon"
    folder = root / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder
