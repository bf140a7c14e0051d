"""Measure the server against its target figures.

python -m benchmarks.serve --index DIR --query FILES… [--users 16] [--fuzz 10000] [--minutes 10]

The server uses a copy of the index, because fuzzing adds files to it. `--turns 0`, `--users 0`, `--fuzz 0` and
`--minutes 0` skip a measurement; the file `--out` then keeps its earlier figures and their library.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.io.files import write_json
from antiphon.provenance import code_version
from benchmarks.report import markdown_table, replace_section
from benchmarks.serve.fuzzing import Fuzzer
from benchmarks.serve.load import cut_queries, measure_concurrent, measure_first_match
from benchmarks.serve.memory import FileMonitor, measure_memory
from benchmarks.serve.server import started

_COLUMNS = ("what", "library", "measured", "bar", "met")
_CANARY = "antiphon-canary"


def main() -> None:
    """Parse the command line, measure, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serve", description="The server against its target figures."
    )
    parser.add_argument("--index", type=Path, required=True, metavar="DIR", help="the library to serve")
    parser.add_argument("--query", type=Path, nargs="+", required=True, metavar="FILE", help="files to search with")
    parser.add_argument("--length", type=float, default=20.0, metavar="S", help="seconds of each query (20)")
    parser.add_argument("--turns", type=int, default=20, metavar="N", help="consecutive searches (20)")
    parser.add_argument("--users", type=int, default=16, metavar="N", help="concurrent users (16)")
    parser.add_argument("--each", type=int, default=3, metavar="N", help="searches of each user (3)")
    parser.add_argument("--fuzz", type=int, default=10_000, metavar="N", help="fuzzed requests (10000)")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="minutes of the memory test (10)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--note", default="", help="a remark to keep with the figures, such as other load")
    parser.add_argument("--out", type=Path, default=Path("results/serve.json"), metavar="FILE")
    parser.add_argument("--update", type=Path, metavar="FILE", help="replace the table in FILE")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
            results = _run(options, Path(folder))
    except AntiphonError as error:
        parser.error(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, results)
    text = as_markdown(results)
    print(text)
    if options.update:
        replace_section(options.update, "serve", text)
    if not all(part["met"] for part in results["measures"].values()):
        sys.exit(1)


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    index = folder / "index"
    shutil.copytree(options.index, index)
    queries = cut_queries(options.query, options.length, folder / "queries")
    measures: dict[str, dict[str, Any]] = {}
    with started(index, folder / "temporary") as server:
        with server.client() as client:
            health = client.get("/api/health").json()
        if options.turns:
            measures["first hit"] = measure_first_match(server, queries, options.turns)
        if options.users:
            measures["many at once"] = measure_concurrent(server, queries, options.users, options.each)
        if options.minutes:
            measures["memory"] = measure_memory(server, queries, options.minutes)
        if options.fuzz:
            # No file outside the served index and the temporary folder may change.
            monitor = FileMonitor([Path("src"), Path("results"), folder / "queries", options.index], _CANARY)
            measures["fuzzing"] = Fuzzer(server, queries, _CANARY, options.seed).run(options.fuzz)
            changed = [path for path in monitor.changed() if "__pycache__" not in path]
            measures["files elsewhere"] = {"changed": changed, "met": not changed}
    about = {
        "code": code_version(),
        "date": datetime.now().date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "versions": {name: version(name) for name in ("fastapi", "uvicorn", "torch")},
        "note": options.note,
        "model": health["model"],
        "library": {"recordings": health["index"], "hours": round(health["hours"], 1)},
        "query_s": options.length,
    }
    earlier = json.loads(options.out.read_text(encoding="utf-8"))["measures"] if options.out.exists() else {}
    return {"measures": earlier | {name: found | {"about": about} for name, found in measures.items()}}


def as_markdown(results: dict[str, Any]) -> str:
    """The Markdown table: one row per measurement."""
    rows = []
    for name, found in results["measures"].items():
        about = found["about"]
        met = "yes" if found["met"] else "no"
        where = f"{about['library']['hours']:.0f} h"
        if name == "first hit":
            text = f"p50 {found['p50_s']:.2f} s, p95 {found['p95_s']:.2f} s over {found['searches']} searches"
            what, bar = f"first hit, {about['query_s']:g} s of sound", f"p95 ≤ {found['bar_s']:g} s"
        elif name == "many at once":
            text = (
                f"p50 {found['p50_s']:.2f} s, p95 {found['p95_s']:.2f} s, first hits p95 "
                f"{found['first_hit_p95_s']:.2f} s, {len(found['failures'])} failures"
            )
            what, bar = f"{found['users']} people at once, {found['searches']} searches", f"p95 ≤ {found['bar_s']:g} s"
        elif name == "memory":
            text = f"{found['after_a_third_mib']} MiB after a third, {found['at_the_end_mib']} MiB at the end"
            what, bar = f"memory over {found['minutes']:g} min", f"≤ {found['bar_mib']:g} MiB more"
        elif name == "fuzzing":
            text = ", ".join(f"{count} × {status}" for status, count in found["statuses"].items())
            what, bar = f"{found['requests']} fuzzed requests", "no 5xx except 503"
        else:
            text, what, bar = f"{len(found['changed'])} changed", f"{name}, while fuzzed", "none"
        rows.append((what, where, text, bar, met))
    about = next(iter(results["measures"].values()))["about"]
    notes = {found["about"]["note"] for found in results["measures"].values()} - {""}
    head = f"Model {about['model']}; {about['machine']}, {about['date']}. {' '.join(sorted(notes))}".rstrip()
    return f"{head}\n\n{markdown_table(_COLUMNS, rows)}"


if __name__ == "__main__":
    main()
