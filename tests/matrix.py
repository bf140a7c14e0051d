"""`make matrix`: install the package and run tests with each CPython at hand, and with the lowest dependencies.

Each row of the table is an environment of its own under `.matrix/`: one for every minor version of CPython on the
search path or known to uv, with the latest dependencies, and one for the oldest of them with the lowest versions that
`pyproject.toml` declares. No interpreter is downloaded. Torch has the version of `constraints.txt` in all of them: a
build for the CPU only is at hand for few versions, and the others bring gigabytes of CUDA libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".matrix"
LATEST, LOWEST = "highest", "lowest-direct"
_FILES = """
layout public_api stored_formats notes audio av_audio index neighbours dtw rendering serving terminal campaign_report
run_log build_page
"""
TESTS = tuple(f"tests/test_{name}.py" for name in _FILES.split())
"""Fast tests; together they use every dependency."""
SHOWN = ("numpy", "scipy", "torch", "faiss-cpu", "symusic", "soundfile", "soxr", "pydantic", "typer", "fastapi")


@dataclass(frozen=True)
class Interpreter:
    """A CPython: its version, such as (3, 11, 7), and its path."""

    version: tuple[int, ...]
    path: str


@dataclass(frozen=True)
class Outcome:
    """One row of the table. `versions` are those of `SHOWN`; `summary` is the last line of pytest, or the fault."""

    python: str
    resolution: str
    versions: tuple[str, ...]
    passed: bool
    summary: str


def main() -> None:
    """Parse the command line, test each environment, print the table. Exits with 1 when a row failed."""
    parser = argparse.ArgumentParser(prog="make matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tests", nargs="*", help=f"test files (default: {' '.join(TESTS)})")
    parser.add_argument("--all", action="store_true", help="run the whole suite, slow tests included")
    parser.add_argument("--python", action="append", metavar="PYTHON", help="an interpreter to use instead of all")
    parser.add_argument("--resolution", choices=(LATEST, LOWEST), help="only the rows with these dependencies")
    options = parser.parse_args()
    found = [describe(path) for path in options.python] if options.python else interpreters()
    if not found:
        sys.exit(f"no CPython {'.'.join(map(str, oldest_supported()))} or newer was found")
    rows = [(one, LATEST) for one in found] + [(min(found, key=lambda one: one.version), LOWEST)]
    tests = [] if options.all else [*(options.tests or TESTS), "-m", "not slow"]
    outcomes = [check(*row, tests) for row in rows if options.resolution in (None, row[1])]
    print(table(outcomes))
    sys.exit(not all(outcome.passed for outcome in outcomes))


def interpreters() -> list[Interpreter]:
    """The newest CPython of each supported minor version, oldest first."""
    command = [uv(), "python", "list", "--only-installed", "--no-python-downloads", "--output-format", "json"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    newest: dict[tuple[int, ...], Interpreter] = {}
    for one in listed:
        version = tuple(int(one["version_parts"][part]) for part in ("major", "minor", "patch"))
        usual = one["implementation"] == "cpython" and one["variant"] == "default"
        if usual and version >= oldest_supported():
            known = newest.setdefault(version[:2], Interpreter(version, one["path"]))
            newest[version[:2]] = max(known, Interpreter(version, one["path"]), key=lambda one: one.version)
    return [newest[minor] for minor in sorted(newest)]


def describe(path: str) -> Interpreter:
    """The interpreter at a path. Raises `CalledProcessError` where it does not run."""
    code = "import sys; print(*sys.version_info[:3])"
    done = subprocess.run([path, "-c", code], check=True, capture_output=True, text=True)
    return Interpreter(tuple(map(int, done.stdout.split())), path)


def oldest_supported() -> tuple[int, ...]:
    """The bound of `requires-python`."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    return tuple(map(int, re.findall(r"\d+", declared)[:2]))


def uv() -> str:
    """The uv of this environment, or that of the search path."""
    own = Path(sys.executable).parent / "uv"
    found = str(own) if own.is_file() else shutil.which("uv")
    return found or sys.exit("uv is not installed; run: make venv")


def check(interpreter: Interpreter, resolution: str, tests: Sequence[str]) -> Outcome:
    """Make the environment of one row anew, install the package with `[dev]`, run the tests."""
    name = ".".join(map(str, interpreter.version))
    folder = ENVIRONMENTS / f"{name}-{resolution}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    print(f"Python {name}, {resolution} dependencies", file=sys.stderr, flush=True)
    constraint = os.environ.get("UV_CONSTRAINT", str(ROOT / "constraints.txt"))
    make = [uv(), "venv", "--quiet", "--clear", "--no-python-downloads", "--python", interpreter.path, str(folder)]
    install = [uv(), "pip", "install", "--quiet", "--python", str(python)]
    # Torch first: of equal numbers, the lowest is the build for CUDA.
    for command in (make, [*install, "torch"], [*install, "--resolution", resolution, "-e", ".[dev]"]):
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"UV_CONSTRAINT": constraint}, stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return Outcome(name, resolution, ("",) * len(SHOWN), False, "not installed")
    # Old versions of dependencies call deprecated functions of other packages, which are the latest.
    ignored = ("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning") if resolution == LOWEST else ()
    warnings = [word for rule in ignored for word in ("-W", rule)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", *warnings, *tests],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    summary = done.stdout.strip().splitlines()[-1].strip("= ") if done.stdout.strip() else "no output"
    return Outcome(name, resolution, installed(python), done.returncode == 0, summary)


def installed(python: Path) -> tuple[str, ...]:
    """The versions of the packages `SHOWN` in an environment."""
    code = f"from importlib.metadata import version; print(*map(version, {SHOWN}))"
    return tuple(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def table(outcomes: Sequence[Outcome]) -> str:
    """The rows as a Markdown table."""
    columns = ("Python", "dependencies", *SHOWN, "tests")
    cells = [
        (one.python, one.resolution, *one.versions, f"{'passed' if one.passed else 'FAILED'}: {one.summary}")
        for one in outcomes
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ("---",) * len(columns), *cells])


if __name__ == "__main__":
    main()
