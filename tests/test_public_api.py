"""The public API: lazy names, each documented with an example that runs, and the example of the documentation."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import antiphon

HEAVY = ("torch", "numpy", "faiss", "rich", "soundfile", "pydantic", "typer")


def _typed_imports() -> dict[str, str]:
    """Public name → module, from the imports that type checkers see."""
    tree = ast.parse(Path(antiphon.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or "": node.module.removeprefix("antiphon.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def test_type_checkers_see_the_same_names() -> None:
    assert _typed_imports() == antiphon._HOME


def test_dir_lists_the_public_names() -> None:
    assert dir(antiphon) == sorted(antiphon.__all__)
    assert len(antiphon.__all__) >= 17


@pytest.mark.parametrize("name", antiphon.__all__)
def test_every_name_is_importable(name: str) -> None:
    assert getattr(antiphon, name).__name__ == name


def test_an_unknown_name_suggests_the_nearest() -> None:
    script = "import antiphon; antiphon.load_modle"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "AttributeError: module 'antiphon' has no attribute 'load_modle'. Did you mean: 'load_model'?"
    )


def test_import_loads_nothing_heavy() -> None:
    script = "import sys, antiphon; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())
