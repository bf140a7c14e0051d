"""How OpenMP threads wait for work, set before PyTorch or faiss loads a runtime that reads it.

By default idle threads of a parallel region spin for a while. On a machine that is busy with other things they keep
the cores from the threads that they wait for: a search that takes seconds takes minutes. Passive waiting costs a
wake-up per parallel region instead.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Ask GNU's, LLVM's and Intel's OpenMP runtimes to let waiting threads sleep; what a user has set stays.

    A runtime that is loaded already does not read the environment again.
    """
    if not any(name in environment for name in _CHOICES):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment["KMP_BLOCKTIME"] = "0"  # milliseconds; LLVM's and Intel's runtimes spin for 200


wait_passively(os.environ)
