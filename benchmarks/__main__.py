"""`python -m benchmarks`: one command, one table. See docs/background/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from antiphon.errors import AntiphonError, UnknownName
from antiphon.io.files import write_json
from antiphon.progress import track
from benchmarks import decode, descriptors, embedding, long, midi, render, sound_fuzz, startup, training
from benchmarks.report import markdown_table, replace_section
from benchmarks.timing import Benchmark, Effort, Row

BENCHMARKS: tuple[Benchmark, ...] = tuple(
    benchmark
    for topic in (startup, midi, decode, sound_fuzz, long, render, descriptors, embedding, training)
    for benchmark in topic.BENCHMARKS
)
_VERSIONS = ("torch", "numpy", "soundfile", "symusic", "pretty_midi", "mido", "librosa")
_COLUMNS = ("name", "what", "unit", "ours", "peer", "peer's", "ours ÷ peer's", "remark")


def main() -> None:
    """Parse the command line, run the benchmarks, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measured speeds, with those of peers.")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="names or patterns (decode-* a4), see --list", default=["*"]
    )
    parser.add_argument("--quick", action="store_true", help="one turn on little data, as a functional check")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="PyTorch's threads (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--update", type=Path, metavar="FILE", help="replace the figures in FILE")
    parser.add_argument("--note", default="", help="a remark to print with the figures, such as other load")
    parser.add_argument("--list", action="store_true", help="print the names and exit")
    options = parser.parse_args()
    if options.list:
        print("\n".join(benchmark.name for benchmark in BENCHMARKS))
        return
    try:
        chosen = _chosen(options.only)
    except AntiphonError as error:
        parser.error(str(error))
    # Deprecation warnings of peers would interrupt the table.
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    effort = Effort(options.quick)
    rows: list[tuple[str, Row]] = []
    for benchmark in track(chosen, "measuring"):
        rows += [(benchmark.name, row) for row in benchmark.measure(effort)]
    facts = _facts(effort, options.note)
    text = "\n".join(f"* {key}: {value}" for key, value in facts.items()) + "\n\n" + _table(rows)
    print(text)
    if options.json:
        plain = [{"name": name, **asdict(row), "ratio": row.ratio} for name, row in rows]
        write_json(options.json, {"facts": facts, "rows": plain})
    if options.update:
        replace_section(options.update, "figures", text)


def _chosen(patterns: Sequence[str]) -> list[Benchmark]:
    for pattern in patterns:
        if not any(fnmatchcase(benchmark.name, pattern) for benchmark in BENCHMARKS):
            raise UnknownName("benchmark", pattern, [benchmark.name for benchmark in BENCHMARKS])
    return [benchmark for benchmark in BENCHMARKS if any(fnmatchcase(benchmark.name, pattern) for pattern in patterns)]


def _facts(effort: Effort, note: str) -> dict[str, str]:
    found = []
    for package in _VERSIONS:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    facts = {
        "date": datetime.now().date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "threads": f"PyTorch {torch.get_num_threads()}, peers 1",
        "versions": f"Python {platform.python_version()}, {', '.join(found)}",
        "figures": "one turn on little data (--quick)" if effort.quick else f"best of {effort.repeats} or more turns",
    }
    return facts | ({"note": note} if note else {})


def _table(rows: Sequence[tuple[str, Row]]) -> str:
    cells = [
        (name, row.what, row.unit, _figure(row.ours), row.peer, _figure(row.theirs), _figure(row.ratio), row.remark)
        for name, row in rows
    ]
    return markdown_table(_COLUMNS, cells)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    main()
