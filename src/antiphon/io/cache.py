"""The cache folder: derived data kept between runs, its size limit, and removal in order of last use."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.checks import MIN_0
from antiphon.errors import AntiphonError

LIMIT_VARIABLE = "ANTIPHON_CACHE_LIMIT_GB"
DEFAULT_LIMIT_GB = 100.0
"""Enough for the samples of two corpora of the size of MAESTRO (34 GB each, int16 at 24 kHz) and some smaller ones."""
GB = 10**9


def cache_root() -> Path:
    """`$ANTIPHON_CACHE`, else `antiphon` in the user's cache folder. The folder may not exist yet."""
    home = os.environ.get("ANTIPHON_CACHE")
    return Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon"


def cache_folder(kind: str) -> Path:
    """The folder below `cache_root()` for one kind of derived data; created if missing."""
    folder = cache_root() / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_limit_bytes() -> int:
    """Largest total size of cached samples in bytes: `$ANTIPHON_CACHE_LIMIT_GB` gigabytes, else 100 GB.

    Raises `AntiphonError` unless the variable is a finite number of at least 0.
    """
    text = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_LIMIT_GB)
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = math.nan
    if not 0 <= limit_gb < math.inf:
        raise AntiphonError(f"{LIMIT_VARIABLE} is {text!r}; it takes a number of gigabytes, 0 or more")
    return round(limit_gb * GB)


@dataclass(frozen=True)
class CacheEntry:
    """One folder of derived data; `used_s` is the time of its last use, in seconds since 1970."""

    kind: str
    path: Path
    size_bytes: int
    used_s: float


def cache_entries(kind: str | None = None) -> list[CacheEntry]:
    """The entries of one kind, or of all kinds, least recently used first."""
    kinds = [folder for folder in _folders(cache_root()) if kind is None or folder.name == kind]
    entries = [_entry(folder.name, path) for folder in kinds for path in _folders(folder)]
    return sorted(entries, key=lambda entry: entry.used_s)


def mark_used(entry: Path) -> None:
    """Set the time of last use of an entry to now."""
    os.utime(entry)


def evict(kind: str, limit_bytes: int, keep: Collection[Path] = ()) -> list[CacheEntry]:
    """Remove the least recently used entries of a kind until the rest takes at most `limit_bytes`; return the removed.

    Entries in `keep` stay, even if they alone exceed the limit. On Windows, entries with open files stay too; on other
    systems a process that has mapped a removed file can still read it.
    """
    entries = cache_entries(kind)
    excess = sum(entry.size_bytes for entry in entries) - limit_bytes
    removed = []
    for entry in entries:
        if excess <= 0:
            break
        if entry.path not in keep and _remove(entry.path):
            removed.append(entry)
            excess -= entry.size_bytes
    return removed


@dataclass(frozen=True)
class CacheReport:
    """The cache folder after a call, and the entries that the call removed.

    Attributes
    ----------
    folder : Path
        The cache folder.
    samples_limit_bytes : int
        Largest total size of the decoded samples that training keeps, in bytes.
    entries : tuple of CacheEntry
        The entries that remain: kind, path, size in bytes and time of last use, least recently used first.
    removed : tuple of CacheEntry
        The entries that the call removed.

    Examples
    --------
    >>> from pathlib import Path
    >>> import antiphon
    >>> from antiphon.io.cache import CacheEntry
    >>> entry = CacheEntry("samples", Path("cache/samples/0a1b"), size_bytes=2 * 10**9, used_s=1.7e9)
    >>> report = antiphon.CacheReport(Path("cache"), 100 * 10**9, entries=(entry,), removed=())
    >>> report.as_dict()["kinds"], report.as_dict()["samples_limit_gb"]
    ({'samples': {'entries': 1, 'gb': 2.0}}, 100.0)
    """

    folder: Path
    samples_limit_bytes: int
    entries: tuple[CacheEntry, ...]
    removed: tuple[CacheEntry, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON: sizes in gigabytes, the entries counted by kind."""
        kinds = {entry.kind: [one for one in self.entries if one.kind == entry.kind] for entry in self.entries}
        return {
            "folder": str(self.folder),
            "samples_limit_gb": self.samples_limit_bytes / GB,
            "removed": len(self.removed),
            "removed_gb": _gigabytes(self.removed),
            "kinds": {kind: {"entries": len(found), "gb": _gigabytes(found)} for kind, found in kinds.items()},
        }


def sample_cache(limit_gb: float | None = None) -> CacheReport:
    """Describe the cache folder, and remove the least recently used samples beyond a limit.

    Parameters
    ----------
    limit_gb
        Keep at most this many gigabytes of decoded samples; by default nothing is removed.

    Returns
    -------
    CacheReport
        The remaining entries and the removed ones.

    Raises
    ------
    AntiphonError
        For an impossible value of `$ANTIPHON_CACHE_LIMIT_GB` or of `limit_gb`.

    Examples
    --------
    >>> import antiphon
    >>> report = antiphon.sample_cache()
    >>> len(report.removed), report.samples_limit_bytes > 0
    (0, True)
    """
    MIN_0.check("limit_gb", limit_gb)
    return _report([] if limit_gb is None else evict("samples", round(limit_gb * GB)))


def clear_cache() -> CacheReport:
    """Remove every entry of every kind that can be removed. Removed data are computed again when needed.

    Returns
    -------
    CacheReport
        The removed entries, and those that could not be removed.

    Raises
    ------
    AntiphonError
        For an impossible value of `$ANTIPHON_CACHE_LIMIT_GB`.

    Examples
    --------
    >>> import antiphon
    >>> report = antiphon.clear_cache()  # doctest: +SKIP
    >>> len(report.entries)  # doctest: +SKIP
    0
    """
    cache_limit_bytes()  # raises before anything is removed
    return _report([entry for entry in cache_entries() if _remove(entry.path)])


def _report(removed: Sequence[CacheEntry]) -> CacheReport:
    return CacheReport(cache_root(), cache_limit_bytes(), tuple(cache_entries()), tuple(removed))


def _gigabytes(entries: Iterable[CacheEntry]) -> float:
    return round(sum(entry.size_bytes for entry in entries) / GB, 3)


def _remove(path: Path) -> bool:
    # Renamed first, so that an interrupted removal does not leave an incomplete entry under its name.
    aside = path.with_name(f"{path.name.removesuffix('.removed')}.{os.getpid()}.removed")
    try:
        os.replace(path, aside)
    except OSError:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _entry(kind: str, path: Path) -> CacheEntry:
    found = list(_stats(path))
    used_s = max((stat.st_mtime for stat in found), default=0.0)
    return CacheEntry(kind, path, sum(stat.st_size for stat in found[1:]), used_s)


def _stats(folder: Path) -> Iterator[os.stat_result]:
    """Status of the folder and then of every file below it; files that another process removes are skipped."""
    for path in (folder, *(found for found in folder.rglob("*") if found.is_file())):
        try:
            yield path.stat()
        except FileNotFoundError:
            continue
