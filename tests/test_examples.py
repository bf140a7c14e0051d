"""The example scripts run from anywhere, and the notebooks are made of them."""

from __future__ import annotations

import runpy
from pathlib import Path

import nbformat
import pytest
from docs.notebooks import EXAMPLES, NOTEBOOKS, notebook_text

from doc_blocks import pages

SCRIPTS = list(pages(EXAMPLES, "*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_runs_and_is_short(
    script: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40
    assert not list(tmp_path.iterdir())  # an example writes to a temporary folder of its own


def test_every_example_is_in_a_notebook():
    assert sorted(name for _, names in NOTEBOOKS.values() for name in names) == [script.stem for script in SCRIPTS]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_the_one_that_its_scripts_make(name: str):
    text = (EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8")
    assert text == notebook_text(name), "run: make notebooks"
    nbformat.validate(nbformat.reads(text, as_version=4))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_cells_of_a_notebook_are_the_code_of_its_scripts(name: str):
    """So the scripts that run above are what a notebook runs; here each cell compiles, and no line is lost."""
    cells = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4).cells
    code = [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines() if line]
    for cell in cells:
        if cell.cell_type == "code":
            compile(cell.source, name, "exec")
    expected = []
    for script in NOTEBOOKS[name][1]:
        body = (EXAMPLES / f"{script}.py").read_text(encoding="utf-8").split('"""\n', 1)[1]
        expected += [line for line in body.splitlines() if line and not line.startswith("# %%")]
    assert code == expected
