"""Every command is thin: it parses its options, calls one public name of `antiphon` and prints the result."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import antiphon
from antiphon.alignment import confidence
from antiphon.cli import app, shared

CLI = Path(__file__).resolve().parents[1] / "src" / "antiphon" / "cli"
PUBLIC_NAMES = {
    "demo": {"demo"},
    "search": {"Index"},
    "index build": {"Index"},
    "index add": {"Index"},
    "index list": {"Index"},
    "index move": {"Index"},
    "index prune": {"Index"},
    "setlist": {"setlist"},
    "pair": {"pair", "Pairing"},
    "align": {"align", "Alignment"},
    "check": {"check"},
    "serve": {"serve"},
    "train": {"train", "resume"},
    "evaluate": {"evaluate", "compare"},
    "campaign": {"run_campaign"},
    "analyze": {"analyze"},
    "render": {"render"},
    "info": {"describe"},
    "list": {"catalogue"},
    "cache": {"sample_cache", "clear_cache"},
}
"""Command → the public names that do its work; where there are two, an option chooses between them."""
HELPERS = {"open_corpus", "UnreadableInput", "AntiphonError"}
"""Public names that any command may use in addition to its own."""
PLAIN_HELPERS = {"antiphon", "antiphon.checks", "antiphon.wording"}
"""The front door, ranges of options, and numbers, times and paths in words, which every module of commands may use."""
OPTION_HELPERS = PLAIN_HELPERS | {
    "antiphon.errors",
    "antiphon.progress",
    "antiphon.types",
    "antiphon.version",
    "antiphon.io.files",
}
"""Modules without heavy imports, which `shared`, `terminal` and `__init__` use for options and output."""
MODULES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(CLI.glob("*.py"))}


def commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command of the application by the words that call it."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands())


def imported(tree: ast.AST) -> set[str]:
    """The modules of the package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.split(".")[0] == "antiphon"}


def test_the_table_is_complete() -> None:
    assert set(PUBLIC_NAMES) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(PUBLIC_NAMES))
def test_a_command_calls_its_public_names_and_no_others(command: str) -> None:
    callback = COMMANDS[command].callback.__wrapped__
    tree = MODULES[callback.__module__.rsplit(".", 1)[-1]]
    function = next(
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == callback.__name__
    )
    used = {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "antiphon"
    }
    assert used - HELPERS == PUBLIC_NAMES[command]
    assert used <= set(antiphon.__all__)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_of_commands_imports_the_front_door_and_plain_helpers_only(module: str) -> None:
    helpers = OPTION_HELPERS if module in ("__init__", "shared", "terminal") else PLAIN_HELPERS
    others = {name for name in imported(MODULES[module]) if not name.startswith("antiphon.cli")}
    assert others <= helpers


def test_the_likely_confidence_is_that_of_the_search() -> None:
    assert shared.LIKELY == confidence.LIKELY


def test_rich_is_needed_by_the_command_line_alone() -> None:
    package = CLI.parent
    users = [
        str(path.relative_to(package))
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        if name.split(".")[0] == "rich"
    ]
    assert users
    assert {Path(user).parts[0] for user in users} == {"cli"}
