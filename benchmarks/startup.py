"""CPU time of new processes: the interpreter alone, `import antiphon`, and `antiphon --help`."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from benchmarks.timing import Benchmark, Effort, Row

_COMMANDS: tuple[tuple[str, str, tuple[str, ...], int | None], ...] = (
    ("startup-python", "start Python, nothing imported", ("-c", "pass"), None),
    ("startup-import", "import antiphon", ("-c", "import antiphon"), 100),
    ("startup-help", "antiphon --help", ("-m", "antiphon", "--help"), 400),
)
"""Name, description, arguments of Python, and the goal in milliseconds."""


def cpu_seconds(command: Sequence[str]) -> float:
    """User and system time of a command that is run once. Raises `CalledProcessError` where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _measure(what: str, arguments: tuple[str, ...], goal_ms: int | None, effort: Effort) -> list[Row]:
    command = [sys.executable, *arguments]
    cpu_seconds(command)  # the first call may compile modules
    found = [1000 * cpu_seconds(command) for _ in range(effort.pick(10, 1))]
    remark = f"median {statistics.median(found):.0f}" + ("" if goal_ms is None else f"; goal: at most {goal_ms}")
    return [Row(f"{what}: CPU time of the process, minimum", "ms", min(found), remark=remark)]


BENCHMARKS = tuple(
    Benchmark(name, partial(_measure, what, arguments, goal_ms)) for name, what, arguments, goal_ms in _COMMANDS
)
