"""What the documents show is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from antiphon.cli import app
from antiphon.models.descriptors import View
from builders import random_batch

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
SHELL = [
    (path.name, line.split("#")[0].strip())
    for path in DOCUMENTS
    for block in re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.S)
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]


def lines_beginning(word: str) -> list[tuple[str, str]]:
    found = [(name, line) for name, line in SHELL if line.split()[0] == word]
    assert found, f"no document shows a {word} command"
    return found


@pytest.mark.parametrize(("document", "line"), lines_beginning("antiphon"))
def test_every_command_shown_is_one_that_exists(document: str, line: str):
    command, words = typer.main.get_command(app), shlex.split(line)[1:]
    context = command.make_context("antiphon", list(words))
    while hasattr(command, "get_command"):
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"{document}: no command {name}"
        context = command.make_context(name, list(words), parent=context)  # raises for an unknown option


@pytest.mark.parametrize(("document", "line"), lines_beginning("make"))
def test_every_make_target_shown_exists(document: str, line: str):
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M), (
        f"{document}: no target {target}"
    )


def test_the_example_of_a_new_descriptor_works():
    block = re.search(
        r"```python\n# (src/antiphon/models/descriptors/\w+\.py)\n(.*?)```",
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        re.S,
    )
    assert block
    module: dict[str, object] = {}
    exec(block[2], module)
    tokens = module["DESCRIPTOR"].compute(View(random_batch(), 24_000))  # type: ignore[attr-defined]
    assert tokens.values.shape == (3, 188, 1)


def test_links_and_pictures_lead_somewhere():
    links = [
        (path, target)
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    ]
    assert links
    assert not [(path.name, target) for path, target in links if not (path.parent / target).exists()]
