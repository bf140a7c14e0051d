"""Build hook: bundles the page of `antiphon serve` into wheels and source distributions, where Node and npm are there.

A build without them, or without a network, goes on and warns: everything except the page works, and `antiphon serve`
says how to get it. Editable installs bundle nothing, so that they stay fast and need no network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_AT_LEAST = 18  # as esbuild asks
NPM_LIMIT_S = 600


class PageBuildHook(BuildHookInterface[Any]):
    """Makes `src/antiphon/serving/page` before the files of a build are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        page, source = root / "src" / "antiphon" / "serving" / "page", root / "web"
        if is_current(page, source):
            return
        state = "is out of date" if (page / "index.html").is_file() else "is missing"
        if version == "editable":
            self._warn(f"the page {state} and an editable install does not bundle it; run: make web")
        elif fault := bundle(source, page):
            self._warn(f"the page {state} and could not be bundled: {fault}")

    def _warn(self, text: str) -> None:
        self.app.display_warning(f"antiphon serve: {text}. Everything except the page works without it.")


def is_current(page: Path, source: Path) -> bool:
    """Whether the page is there and no source is newer; a distribution without sources has the page as it is."""
    if not (page / "index.html").is_file():
        return False
    made = (page / "index.html").stat().st_mtime
    sources = [path for path in source.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    return all(path.stat().st_mtime <= made for path in sources)


def bundle(source: Path, page: Path) -> str:
    """Bundle the page in a temporary copy of its source and put it in its place; why that failed, empty where not."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return f"that needs Node {NODE_AT_LEAST} or newer with npm, which are not installed"
    with tempfile.TemporaryDirectory() as folder:
        work, made = Path(folder) / "web", Path(folder) / "page"
        try:
            version = _run([node, "--version"], source)
            if (major := re.match(r"v(\d+)\.", version)) is None or int(major[1]) < NODE_AT_LEAST:
                return f"that needs Node {NODE_AT_LEAST} or newer, this is {version.strip()}"
            shutil.copytree(source, work, ignore=shutil.ignore_patterns("node_modules"))
            _run([npm, "ci", "--omit=dev", "--no-audit", "--no-fund"], work)
            _run([npm, "run", "build", "--", str(made)], work)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "").strip().splitlines()
            return f"{Path(error.cmd[0]).stem} {error.cmd[1]} failed ({said[0] if said else error.returncode})"
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if not (made / "index.html").is_file():
            return "npm run build left no index.html"
        shutil.rmtree(page, ignore_errors=True)
        shutil.copytree(made, page)
    return ""


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, encoding="utf-8", errors="replace", timeout=NPM_LIMIT_S
    )
    return done.stdout
