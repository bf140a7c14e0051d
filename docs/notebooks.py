"""`python -m docs.notebooks`: the notebooks in examples/, made of the scripts there.

`# %%` begins a cell in a script; the text behind it stands above the cell. The notebooks hold no outputs.
"""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOKS = {
    "find_music": (
        "Find music",
        ("embed_and_compare", "build_and_search", "pair_two_folders", "align_and_write_midi"),
    ),
    "train_models": ("Train models", ("train_a_small_arm", "add_a_descriptor")),
}
"""Name → title and the scripts that the notebook consists of."""
_CELL = "# %%"


def make_notebook(name: str) -> NotebookNode:
    """A notebook with a section for each of its scripts. Cell ids are numbers, so that it is reproducible."""
    title, scripts = NOTEBOOKS[name]
    cells = [new_markdown_cell(f"# {title}")]
    for script in scripts:
        source = (EXAMPLES / f"{script}.py").read_text(encoding="utf-8")
        heading = ast.get_docstring(ast.parse(source))
        imports, *parts = source.split(f"\n{_CELL} ")
        cells += [new_markdown_cell(f"## {heading}"), new_code_cell(imports.split('"""\n', 1)[1].strip())]
        for part in parts:
            text, _, code = part.partition("\n")
            cells += [new_markdown_cell(text.strip()), new_code_cell(code.strip())]
    for number, cell in enumerate(cells):
        cell["id"] = str(number)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def notebook_text(name: str) -> str:
    """The notebook as the text of its file."""
    return nbformat.writes(make_notebook(name)) + "\n"


def main() -> None:
    """Write all notebooks."""
    for name in NOTEBOOKS:
        (EXAMPLES / f"{name}.ipynb").write_text(notebook_text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
