"""The rooms of the package and the direction of its imports: every arrow points to an earlier floor."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "antiphon"

FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "checks",
        "types",
        "registry",
        "progress",
        "provenance",
        "process_memory",
        "openmp",
        "version",
        "wording",
    ),
    ("io",),
    ("signal",),
    ("rendering", "augmentation"),
    ("corpora",),
    ("models",),
    ("alignment", "training", "evaluation", "testing"),
    ("index",),
    ("experiments", "serving"),
    ("cli", "__main__"),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FRONT_DOOR = "__init__"
"""The public API names what lies in every room; only commands may use it."""


def _modules(folder: Path, package: str) -> dict[str, Path]:
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    assert found
    return found


def _imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules that a file imports anywhere in it, functions included."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names if alias.name in modules}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                imported |= {whole if whole in modules else node.module or ""} & set(modules)
    return imported


MODULES = _modules(PACKAGE, "antiphon")
ARROWS = {name: _imports(path, MODULES) - {name} for name, path in MODULES.items()}


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else FRONT_DOOR


def _may_import(room: str, other: str) -> bool:
    if other == FRONT_DOOR:
        return room in FLOORS[-1]
    return other == room or FLOOR_OF[other] < FLOOR_OF[room] or FLOOR_OF[room] in (0, len(FLOORS) - 1)


def test_every_room_has_its_floor() -> None:
    assert {_room(module) for module in MODULES} - {FRONT_DOOR} == set(FLOOR_OF)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"antiphon"}))
def test_imports_point_to_earlier_floors(module: str) -> None:
    backward = {other for other in ARROWS[module] if not _may_import(_room(module), _room(other))}
    assert not backward, f"{module} imports from its own floor or a later one: {sorted(backward)}"


@pytest.mark.parametrize(("folder", "package"), [("src/antiphon", "antiphon"), ("benchmarks", "benchmarks")])
def test_no_cycles(folder: str, package: str) -> None:
    modules = _modules(ROOT / folder, package)
    graph = {name: _imports(path, modules) - {name, package} for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle of imports: {' → '.join(error.args[1])}")
