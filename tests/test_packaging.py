"""A built wheel is complete and typed, and the metadata and the documentation name the Pythons that are tested."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """\
import antiphon
model = antiphon.load_model()
index = antiphon.Index.build(["scores"], model, out="library")
matches = index.search("take.flac", start_s=5.0, top=3)
reveal_type((model, matches, matches[0].confidence))
index.search("take.flac", top="three")
antiphon.load_modle()
"""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, built where there is no Node, so without a network."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    code = f"import hatchling.build as b; print(b.build_wheel({str(folder)!r}))"
    environment = os.environ | {"PATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.mark.slow
def test_a_wheel_has_all_modules_data_and_the_marker_of_types(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    source = ROOT / "src"
    committed = subprocess.run(
        ["git", "ls-files", "src/antiphon"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    expected = {Path(name).relative_to("src").as_posix() for name in committed} or {
        path.relative_to(source).as_posix() for path in (source / "antiphon").rglob("*.py")
    }
    assert len(expected) > 100
    assert {"antiphon/py.typed", "antiphon/__init__.py"} <= names
    assert not expected - names
    assert "antiphon = antiphon.cli:main" in entry_points
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"antiphon"}


@pytest.mark.slow
def test_type_checkers_see_the_public_names_of_a_wheel(wheel: Path, tmp_path: Path):
    """The wheel is unpacked into an environment that has the dependencies of this one."""
    pytest.importorskip("mypy")
    venv.create(tmp_path / "env", with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(tmp_path / "env")}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    python = Path(sysconfig.get_path("scripts", "venv", {"base": str(tmp_path / "env")})) / "python"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--no-color-output"]
    command += ["--cache-dir", str(tmp_path / "cache"), "--python-executable", str(python), "script.py"]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if line.startswith("script.py:")]
    assert len(said) == 3, done.stdout + done.stderr
    assert said[0].startswith('script.py:5: note: Revealed type is "tuple[antiphon.models.protocol.Embedder, ')
    assert "list[antiphon.index.match.Match], " in said[0]
    assert re.match(r'script.py:6: error: Argument "top" to "search" of "Index" has incompatible type "str"', said[1])
    assert re.match(r'script.py:7: error: Module has no attribute "load_modle"', said[2])


def test_the_metadata_name_the_tested_pythons(project: dict[str, Any]):
    page = (ROOT / "docs" / "reference" / "supported-systems.md").read_text(encoding="utf-8")
    tested = re.findall(r"^\| (Linux.*?) \| tested", page, re.M)
    documented = sorted({python for row in tested for python in re.findall(r"3\.\d+", row)})
    declared = [line.rsplit(" ", 1)[1] for line in project["classifiers"] if ":: Python :: 3." in line]
    assert documented == declared
    assert project["requires-python"] == f">={documented[0]}"
    assert "Operating System :: POSIX :: Linux" in project["classifiers"]
