"""Memory of this process: how much it holds, and how the C library's allocator keeps it."""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep freed memory in the process instead of handing it back to the kernel; does nothing outside glibc.

    A training step frees and asks for the same hundreds of megabytes every time. Handed back and forth, they cost a
    sixth of a step on a CPU in page faults, and more when several processes do so.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def resident_mib(what: str) -> float:
    """Memory of this process in MiB: VmRSS, held now, or VmHWM, the most ever held.

    Only the latter is known where there is no /proc; nan where the system does not tell.
    """
    # On Linux getrusage's figure survives exec and so starts at the parent's size; the kernel's high-water mark of
    # this address space does not.
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(rf"{what}:\s+(\d+) kB", status.read_text(encoding="utf-8"))):
        return int(found[1]) / 1024
    if sys.platform == "win32" or what == "VmRSS":
        return float("nan")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def release_mapped(array: NDArray[Any]) -> None:
    """Give back the pages of a memory-mapped file that were read; they stay in the system's cache, not in the process.

    Does nothing for an array that maps no file, and where the system cannot.
    """
    mapping: object = array.base
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)
