"""Memory of this process: its size, and the settings of the C library's allocator."""

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
    """Keep freed memory in the process instead of returning it to the kernel; does nothing outside glibc.

    Each training step frees and allocates the same hundreds of megabytes. Returned to the kernel every time, they cost
    a sixth of a step on a CPU in page faults, and more when several processes train.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def resident_mib(field: str) -> float:
    """Memory of this process in MiB: field VmRSS, the current size, or VmHWM, the peak.

    Without /proc only the peak is known; nan where the system does not give it.
    """
    # On Linux the figure of getrusage survives exec and so starts at the size of the parent process; the peak of this
    # address space in /proc does not.
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(rf"{field}:\s+(\d+) kB", status.read_text(encoding="utf-8"))):
        return int(found[1]) / 1024
    if sys.platform == "win32" or field == "VmRSS":
        return float("nan")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def release_mapped(array: NDArray[Any]) -> None:
    """Release the pages of a memory-mapped file that were read; they stay in the system's cache, not in the process.

    Does nothing for an array that maps no file, and where the system has no such call.
    """
    mapping: object = array.base
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)
