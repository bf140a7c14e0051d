"""The commands about the files of an index: list, move, prune; and an index as text."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import antiphon
from antiphon.cli.shared import (
    ComposerOption,
    CsvOption,
    FolderOption,
    IndexOption,
    JsonOption,
    OnlyOption,
    TableOption,
    check_one_form,
    check_table_name,
    give_table,
    index_app,
    print_json,
)
from antiphon.cli.terminal import console
from antiphon.wording import clock, counted, shown_path

if TYPE_CHECKING:
    from antiphon import FileList, MoveReport, PruneReport

IndexArgument = Annotated[
    Path, typer.Argument(metavar="INDEX", envvar="ANTIPHON_INDEX", help="an index that was built before")
]
_MOST_SHOWN = 20


@index_app.command("list")
def index_list(
    index: IndexArgument,
    only: OnlyOption = None,
    state: Annotated[
        str | None, typer.Option(metavar="present|gone|unreachable", help="list only files in this state")
    ] = None,
    composer: ComposerOption = "",
    folder: FolderOption = None,
    out: TableOption = None,
    csv_: CsvOption = False,
    json_: JsonOption = False,
) -> None:
    """List the files of an index with their kind, length and state: present, gone or unreachable.

    Example: antiphon index list library --state gone
    """
    check_one_form(csv_, json_)
    check_table_name(out, csv_, json_)
    with antiphon.Index.open(index) as opened:
        how: dict[str, Any] = {"only": only, "state": state, "composer": composer, "folder": folder}
        found = opened.files(**how)
    give_table(found, found.summary, lambda: _list_as_text(found), out, csv_, json_)


def _list_as_text(found: FileList) -> str:
    return f"{files_as_text([one.as_dict() for one in found])}\n{found.summary}"


@index_app.command("move")
def index_move(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="a folder or file of the library, before it was moved")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="where it is now")],
    index: IndexOption,
    json_: JsonOption = False,
) -> None:
    """Record that a folder of the library was moved or renamed. Nothing is embedded again.

    Every file is looked for at its new path, and compared where its time has changed.

    Example: antiphon index move /mnt/old/scores /media/new/scores --index library
    """
    with antiphon.Index.open(index) as opened:
        report = opened.move(old, new)
    print_json(report.as_dict()) if json_ else typer.echo(_move_as_text(report, new, index))


def _move_as_text(report: MoveReport, new: Path, index: Path) -> str:
    library = shlex.quote(str(index))
    lines = [f"{counted(report.moved, 'file')} moved, now {'below ' if new.is_dir() else ''}{shown_path(new)}"]
    for paths, says in (
        (report.missing, f"not there; remove with: antiphon index prune {library}"),
        (
            report.changed,
            f"with other content; embed with: antiphon index add {shlex.quote(str(new))} --index {library}",
        ),
        (report.stayed, "still at the old path, kept there"),
    ):
        if paths:
            lines += [f"{counted(len(paths), 'file')} {says}", *_first(paths)]
    return "\n".join(lines)


@index_app.command("prune")
def index_prune(
    index: IndexArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be removed")] = False,
    whole_folders: Annotated[
        bool,
        typer.Option("--whole-folders", help="also files whose root folder does not exist or is empty"),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Remove files that are gone from an index. No file of the library is touched.

    Files of a root folder that does not exist or is empty are kept: it may have moved, or its drive is not mounted.

    Example: antiphon index prune library --dry-run
    """
    with antiphon.Index.open(index) as opened:
        report = opened.prune(dry_run=dry_run, whole_folders=whole_folders)
        hints = opened.missing_hints() if report.kept else []
    for folder, count in report.kept.items():
        console.print(
            f"{counted(count, 'file')} kept: {folder} does not exist or is empty. Is its drive mounted? "
            "With --whole-folders they are removed",
            markup=False,
        )
    for hint in hints:
        console.print(f"hint: {hint}", markup=False)
    print_json(report.as_dict()) if json_ else typer.echo(_prune_as_text(report))


def _prune_as_text(report: PruneReport) -> str:
    does = "would be removed" if report.dry_run else "removed"
    return "\n".join(
        [*(f"{does}: {shown_path(path)}" for path in report.removed), f"{counted(len(report.removed), 'file')} {does}"]
    )


def index_as_text(facts: dict[str, Any]) -> str:
    """The facts of an index, one a line, and its files where they are among the facts."""
    kinds = [kind for kind in ("audio", "notes") if f"{kind}_recordings" in facts]

    def by_kind(name: str, form: str) -> str:
        parts = [f"{facts[f'{kind}_{name}']:{form}} of {kind}" for kind in kinds]
        return f"{facts[name]:{form}}" + (f": {', '.join(parts)}" if parts else "")

    rows = [
        ("index", f"{shown_path(facts['folder'])}, {_size(facts['bytes'])}"),
        ("model", facts["model"]),
        ("files", by_kind("recordings", ",")),
        ("hours", by_kind("hours", ",.2f")),
        ("windows", f"{facts['segments']:,}"),
        ("works", f"{facts['works']:,}"),
        *((f"search in {kind}", _method(facts[f"{kind}_neighbours"])) for kind in kinds),
        *(("folder", shown_path(folder)) for folder in facts["folders"]),
        ("gone", _counted(facts["gone"])),
        *([("unreachable", _counted(facts["unreachable"]))] if facts["unreachable"] else []),
        ("skipped", _counted([f"{shown_path(path)}: {reason}" for path, reason in facts["failed"].items()])),
    ]
    lines = [*(f"{name:<17}{value}" for name, value in rows), *(f"hint: {hint}" for hint in facts["hints"])]
    files = [files_as_text(facts["files"])] if "files" in facts else []
    return "\n".join([*lines, *files])


def _counted(items: Sequence[str]) -> str:
    """The number of items, and the first of them in lines below."""
    return "\n".join([f"{len(items):,}", *_first(items)])


def _first(paths: Sequence[str]) -> list[str]:
    rest = [f"  and {len(paths) - _MOST_SHOWN:,} more"] if len(paths) > _MOST_SHOWN else []
    return [*(f"  {shown_path(path)}" for path in paths[:_MOST_SHOWN]), *rest]


def files_as_text(files: Sequence[dict[str, Any]]) -> str:
    """Files as a table."""
    rows = [
        f"{clock(one['duration_s']):>9}  {one['kind']:<5}  {one['state']:<11}  {shown_path(one['file'])}"
        for one in files
    ]
    return "\n".join([f"{'length':>9}  kind   state        file", *rows])


def _size(count: int) -> str:
    """A number of bytes in a unit of which there are a few to hundreds.

    >>> _size(900), _size(2_500_000)
    ('900 B', '2.5 MB')
    """
    size, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= 1000 and (larger := next(units, None)):
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _method(facts: dict[str, Any]) -> str:
    recall = f", recall {facts['recall']:.3f}" if facts.get("recall") is not None else ""
    return f"{facts['method']}{recall}"
