"""The walk-through of CONTRIBUTING.md and the example of a descriptor, carried out outside the package."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.corpora import Corpus
from waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = {
    name: text
    for name, text in re.findall(r"```\w+\n# (\S+)\n(.*?)```", DOCUMENT, flags=re.S)
    if not name.startswith("src/")
}
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, flags=re.S) for line in block.splitlines()]


def run(*words: str, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A Python process, with the packages of `site` installed."""
    path = os.pathsep.join(str(folder) for folder in (site, ROOT / "src") if folder is not None)
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the document, its package installed in `site`."""
    folder = tmp_path_factory.mktemp("project")
    assert sorted(FILES) == ["antiphon_loudness.py", "loudness.toml", "pyproject.toml", "test_loudness.py"]
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    install = ("install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", "site", ".")
    done = run("-m", "pip", "--disable-pip-version-check", *install, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "antiphon_loudness.py").unlink()  # or it would be found without being installed
    return folder


def antiphon(project: Path, command: str, *more: str, installed: bool = True) -> subprocess.CompletedProcess[str]:
    program, *words = shlex.split(command)
    assert program == "antiphon"
    return run("-m", "antiphon", *words, *more, cwd=project, site=project / "site" if installed else None)


@pytest.mark.slow
def test_the_project_works_from_list_to_campaign(project: Path, demo: Corpus):
    listing, train, evaluate, campaign = COMMANDS
    done = antiphon(project, listing, "--json")
    assert done.returncode == 0, done.stderr
    assert {"name": "loudness", "dimensions": 1}.items() <= json.loads(done.stdout)[-1].items()
    assert "loudness" not in antiphon(project, listing, installed=False).stdout

    for command in (train, evaluate, campaign):
        done = antiphon(project, command)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    (project / "loudness.toml").unlink()  # run, model and campaign contain all that they need
    done = antiphon(project, evaluate, "--json")
    assert json.loads(done.stdout)["model"] == "loudness", done.stderr
    records = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (project / "campaign/results").iterdir()
    }
    assert sorted(records) == ["D0", "loudness"]
    assert all(record["training"]["steps"] == 4 for record in records.values())
    assert all(record["preset"] == "quick" for record in records.values())

    done = antiphon(project, evaluate, installed=False)
    assert done.returncode == 2
    assert re.search(
        r"needs descriptor 'loudness', which is not available: install antiphon-loudness 0\.1$", done.stderr
    )


def test_the_laws_can_be_tested_from_outside(project: Path):
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_loudness.py", cwd=project, site=project / "site")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_the_example_trains_and_scores(tmp_path: Path, demo: Corpus):
    path = ROOT / "examples" / "add_a_descriptor.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40
    done = run(str(path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^S = \d+\.\d %", done.stdout, flags=re.M)
