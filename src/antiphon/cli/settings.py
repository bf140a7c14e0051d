"""Defaults of options from files of settings: the user's, and one in the working folder, which goes first.

A table for each command has its options as on the command line, without the dashes in front: `[search]`, `top = 5`.
Words of the command line and environment variables go before these files (Typer's `default_map`).
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

import antiphon

IN_WORKING_FOLDER = "antiphon.toml"


def settings_files() -> list[Path]:
    """The files of settings that may exist; a later one goes before an earlier one."""
    return [Path(typer.get_app_dir("antiphon")) / "config.toml", Path(IN_WORKING_FOLDER)]


def read_settings(group: Any) -> dict[str, Any]:
    """The defaults of all commands of a group, for Typer's `default_map`.

    Raises `UnreadableInput` for a file that is not TOML, or has a command or an option that does not exist.
    """
    merged: dict[str, Any] = {}
    for path in settings_files():
        if path.is_file():
            _merge(merged, _defaults(path, group, _read(path), ()))
    return merged


def origin(context: Any, option: str) -> str:
    """The file of settings that gives an option of a command, by its Typer context; empty where none does."""
    words: list[str] = []
    while context.parent is not None:
        words.insert(0, context.info_name)
        context = context.parent
    for path in reversed(settings_files()):
        table: Any = _read(path) if path.is_file() else {}
        for word in words:
            table = table.get(word, {})
        if option in table:
            return str(path)
    return ""


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise antiphon.UnreadableInput(path, f"not TOML ({error})") from None


def _defaults(path: Path, group: Any, tables: dict[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, table in tables.items():
        title = ".".join((*words, name))
        command = _known(path, f"command in [{title}]", name, group.commands)
        if not isinstance(table, dict):
            raise antiphon.UnreadableInput(path, f"{title} is not a table; the options of a command follow [{title}]")
        if hasattr(command, "commands"):
            found[name] = _defaults(path, command, table, (*words, name))
        else:
            found[name] = dict(_values(path, title, table, command))
    return found


def _values(path: Path, title: str, table: dict[str, Any], command: Any) -> Iterator[tuple[str, Any]]:
    options = dict(_options(command))
    hints = get_type_hints(inspect.unwrap(command.callback))
    for key, value in table.items():
        option = _known(path, f"option in [{title}]", key, options)
        if isinstance(value, dict):
            raise antiphon.UnreadableInput(path, f"{key} in [{title}] is a table; a value is expected")
        if Path in (hints[option.name], *get_args(hints[option.name])):
            value = str(path.parent / Path(str(value)).expanduser())
        yield option.name, value


def _options(command: Any) -> Iterator[tuple[str, Any]]:
    """The options of a command by their names without dashes in front."""
    for one in command.params:
        names = [name for name in one.opts if name.startswith("--")]
        if names and names[0] != "--help":
            yield names[0].removeprefix("--"), one


def _known(path: Path, kind: str, name: str, table: Any) -> Any:
    if name not in table:
        raise antiphon.UnreadableInput(path, str(antiphon.UnknownName(kind, name, table)))
    return table[name]


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value
