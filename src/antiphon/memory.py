"""How the C library's allocator keeps memory, for work that needs the same large buffers again and again."""

from __future__ import annotations

import ctypes
import sys

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
