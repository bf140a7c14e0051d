"""What a build of the package does about the page: with Node, without, without a network, and in editable installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from antiphon.cli import app
from antiphon.serving import run

pytest.importorskip("hatchling")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for node and npm are shell scripts")

ROOT = Path(__file__).parents[1]
IN_WHEEL = "antiphon/serving/page/index.html"
NODE = '#!/bin/sh\necho "v18.19.0"\n'
NPM = """#!/bin/sh
echo "$1" >>"$NPM_LOG"
if [ "$1" = run ]; then
    mkdir -p "$4" && echo "<title>bundled</title>" >"$4/index.html"
fi
"""
NPM_WITHOUT_NETWORK = '#!/bin/sh\necho "npm error code ENOTFOUND" >&2\nexit 1\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone without a page, and with little of the package."""
    place = tmp_path / "clone"
    serving = place / "src" / "antiphon" / "serving"
    serving.mkdir(parents=True)
    for name in ("__init__.py", "serving/__init__.py"):
        shutil.copy(ROOT / "src" / "antiphon" / name, place / "src" / "antiphon" / name)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, place)
    shutil.copytree(ROOT / "web", place / "web", ignore=shutil.ignore_patterns("node_modules"))
    return place


def build(clone: Path, *, kind: str = "wheel", **programs: str) -> tuple[list[str], str, list[str]]:
    """Names in the wheel, what the build said, and the words that npm was called with, where only `programs` exist."""
    programs_at, log = clone.parent / "bin", clone.parent / "npm.log"
    shutil.rmtree(programs_at, ignore_errors=True)
    programs_at.mkdir()
    log.write_text("", encoding="utf-8")
    for name, text in programs.items():
        (programs_at / name).write_text(text, encoding="utf-8")
        (programs_at / name).chmod(0o755)
    code = f"import hatchling.build as b; print(b.build_{kind}({str(clone.parent / 'dist')!r}))"
    path = os.pathsep.join([str(programs_at), "/usr/bin", "/bin"]) if programs else str(programs_at)
    environment = {**os.environ, "PATH": path, "NPM_LOG": str(log)}
    (clone.parent / "dist").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=clone, env=environment, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(clone.parent / "dist" / done.stdout.split()[-1]) as wheel:
        return wheel.namelist(), done.stdout + done.stderr, log.read_text(encoding="utf-8").split()


def test_a_wheel_of_a_clone_has_the_page(clone: Path):
    names, said, called = build(clone, node=NODE, npm=NPM)
    assert IN_WHEEL in names, said
    assert called == ["ci", "run"]
    assert not (clone / "web" / "node_modules").exists()
    assert build(clone, node=NODE, npm=NPM)[2] == [], "a page that is current is not bundled again"
    os.utime(clone / "web" / "src" / "main.tsx", (4e9, 4e9))
    assert build(clone, node=NODE, npm=NPM)[2] == ["ci", "run"]


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ({}, "needs Node 18 or newer with npm, which are not installed"),
        ({"node": NODE.replace("18", "16"), "npm": NPM}, "needs Node 18 or newer, this is v16.19.0"),
        ({"node": NODE, "npm": NPM_WITHOUT_NETWORK}, "npm ci failed (npm error code ENOTFOUND)"),
    ],
    ids=["no Node", "an old Node", "no network"],
)
def test_without_the_means_the_build_goes_on_and_says_why(clone: Path, programs: dict[str, str], why: str):
    names, said, _ = build(clone, **programs)
    assert "antiphon/serving/__init__.py" in names
    assert IN_WHEEL not in names
    assert "the page is missing and could not be bundled" in said
    assert why in said


def test_an_editable_install_bundles_nothing_and_says_so(clone: Path):
    _, said, called = build(clone, kind="editable", node=NODE, npm=NPM)
    assert called == []
    assert "run: make web" in said
    assert not (clone / "src" / "antiphon" / "serving" / "page").exists()


def test_a_page_that_was_bundled_before_is_packed_without_node(clone: Path):
    built = clone / "src" / "antiphon" / "serving" / "page"
    built.mkdir()
    (built / "index.html").write_text("<title>as it was</title>", encoding="utf-8")
    os.utime(built / "index.html", (4e9, 4e9))
    names, said, _ = build(clone)
    assert IN_WHEEL in names
    assert "antiphon serve:" not in said


@pytest.mark.parametrize("there", [True, False])
def test_serve_says_how_to_get_a_page_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, there: bool
):
    monkeypatch.setattr(run, "is_bundled", lambda: there)
    monkeypatch.setattr(run, "_serve", lambda *_: None)
    result = CliRunner().invoke(app, ["serve", "--index", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert ("make web" in caplog.text) is not there
    assert ("pip install" in caplog.text) is not there
