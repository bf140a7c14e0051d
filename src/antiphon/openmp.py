"""The wait policy of OpenMP threads, set before PyTorch or faiss loads a runtime that reads it.

By default idle threads of a parallel region spin for a while. On a busy machine they occupy the cores that the working
threads need: a search of seconds takes minutes. Passive waiting costs a wake-up per parallel region instead.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Set the variables by which the OpenMP runtimes of GNU, LLVM and Intel let waiting threads sleep.

    Does nothing where the user has set one. A runtime that is loaded already does not read the environment again.
    """
    if not any(name in environment for name in _CHOICES):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment["KMP_BLOCKTIME"] = "0"  # milliseconds; LLVM's and Intel's runtimes spin for 200


wait_passively(os.environ)
