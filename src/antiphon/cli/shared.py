"""Shared by the commands: the application, options, checks of their values, and printing."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from antiphon.checks import COUNT, SEED, Range
from antiphon.cli.settings import origin
from antiphon.cli.terminal import console as errors
from antiphon.errors import InputWarning, UnreadableInput
from antiphon.types import MODALITIES, Modality
from antiphon.wording import counted, seconds_of, shown_path

if TYPE_CHECKING:
    from antiphon import CheckReport, FileList, LeftOut, Pairing

_MOST_ALIKE = 3


class OneLineErrors(TyperGroup):
    """A group of commands that reports a wrong option in one line, with exit code 2, instead of usage and a box.

    The help of its commands names arguments without the Python types that Typer adds.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        commands = [*self.commands.values()]
        for command in commands:
            commands += getattr(command, "commands", {}).values()
            for argument in command.params:
                if argument.param_type_name == "argument":
                    argument.display_type_rich = lambda ctx: None  # type: ignore[attr-defined]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            errors.print(f"antiphon: {error.format_message()}{_origin(error)}", markup=False)
            raise typer.Exit(2) from None


def _origin(error: Any) -> str:
    """The file of settings that a wrong value is from."""
    context, option = error.ctx, error.param
    if context is None or option is None or option.name is None:
        return ""
    source = context.get_parameter_source(option.name)
    if source is None or source.name != "DEFAULT_MAP":
        return ""
    return f" (set in {origin(context, option.opts[0].removeprefix('--'))})"


def within(limits: Range) -> Callable[[Any], Any]:
    """A check of an option's value.

    Typer's own limits are not used, because their message does not repeat the value and they accept NaN.
    """

    def check(value: float | None) -> float | None:
        if value is not None and value not in limits:
            given = value if isinstance(value, int) else f"{value:g}"
            raise typer.BadParameter(f"{given} is out of range; it takes {limits}.")
        return value

    return check


def _seconds(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


def time_option(name: str, limits: Range, help: str) -> Any:
    """An option that takes a time, in seconds or as m:ss or h:mm:ss."""
    return typer.Option(name, parser=_seconds, callback=within(limits), metavar="TIME", help=help)


def output_folder(path: Path | None) -> Path | None:
    """Check before any work that a folder can be made or written to."""
    if path is not None:
        _check_parent(path, path)
    return path


def output_file(path: Path | None) -> Path | None:
    """Check before any work that a file can be written."""
    if path is not None:
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; a file is expected.")
        _check_parent(path, path.parent)
    return path


def _check_parent(path: Path, folder: Path) -> None:
    existing = next((one for one in (folder, *folder.parents) if one.exists()), Path())
    if not existing.is_dir():
        raise typer.BadParameter(f"{path} cannot be made: {existing} is not a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{path} cannot be made: writing to {existing} is not permitted.")


app = typer.Typer(
    cls=OneLineErrors,
    name="antiphon",
    help="Find the MIDI for a recording and the recording for a MIDI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
index_app = typer.Typer(help="Build and update an index of a library.", no_args_is_help=True)
app.add_typer(index_app, name="index")

LIKELY = 0.5
"""Equal to `antiphon.alignment.confidence.LIKELY`, whose module is slow to import."""


def _modality(value: str) -> Modality:
    try:
        return next(known for known in MODALITIES if known == value)
    except StopIteration:
        raise typer.BadParameter(f"{value!r} is neither audio nor notes.") from None


CorpusArgument = Annotated[
    str,
    typer.Argument(metavar="CORPUS", help="a MAESTRO folder, a rendered corpus, a folder of pairs, or the word demo"),
]
AudioOption = Annotated[
    Path | None, typer.Option("--audio", metavar="DIR", help="parallel folder of sound, any format")
]
SplitOption = Annotated[str | None, typer.Option("--split", help="train, validation, test, …")]
TRAINED_MODEL_HELP = "default, a model folder or a run folder"
MODEL_HELP = f"{TRAINED_MODEL_HELP}, or template (a baseline without training)"
ModelOption = Annotated[str, typer.Option("--model", metavar="MODEL", help=MODEL_HELP)]
RecordingsOption = Annotated[
    int | None,
    typer.Option(help="use this number of recordings, evenly spread (all)", callback=within(COUNT), metavar="N"),
]
ComposerOption = Annotated[str, typer.Option(help="only works of this composer; a part of the name is enough")]
OneSplitOption = Annotated[str, typer.Option(help="only recordings of this split")]
FolderOption = Annotated[Path | None, typer.Option(metavar="DIR", help="only files below this folder")]
TableOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="write the table there, as CSV or JSON", callback=output_file),
]
CsvOption = Annotated[bool, typer.Option("--csv", help="print CSV")]
INDEX_OPTION: Any = typer.Option(
    "--index", metavar="DIR", envvar="ANTIPHON_INDEX", show_envvar=True, help="an index that was built before"
)
IndexOption = Annotated[Path, INDEX_OPTION]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going/--strict", help="exit code 0 or 2 when some files were skipped")
]
OnlyOption = Annotated[
    Modality | None, typer.Option(parser=_modality, metavar="audio|notes", help="index one modality only")
]
AgainstOption = Annotated[
    Modality | None,
    typer.Option(parser=_modality, metavar="audio|notes", help="modality to search; by default the other one"),
]
SeedOption = Annotated[int, typer.Option("--seed", help="seed of everything drawn at random", callback=within(SEED))]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
FollowLinksOption = Annotated[bool, typer.Option("--follow-links", help="follow links to folders, each folder once")]


def report_skipped(skipped: Sequence[Exception | str], counts: bool = True) -> None:
    """Print every skipped file, and with `counts` their number, to stderr."""
    for error in skipped:
        errors.print(f"skipped: {_of_file(error)}", markup=False)
    if skipped and counts:
        errors.print(f"{counted(len(skipped), 'file')} skipped")


def _of_file(message: Exception | str) -> str:
    """A message about a file, whose path is shortened where it is known."""
    if isinstance(message, InputWarning | UnreadableInput):
        return f"{shown_path(message.path)}: {message.reason}"
    return str(message)


def report_unused(skipped: Sequence[UnreadableInput], warnings: Sequence[InputWarning], left_out: LeftOut) -> None:
    """Print to stderr the files used with a warning and their number, the skipped ones, and the numbers left out."""
    by_reason: dict[str, list[InputWarning]] = defaultdict(list)
    for warning in warnings:
        by_reason[warning.reason].append(warning)
    for alike in by_reason.values():
        for warning in alike if len(alike) <= _MOST_ALIKE else alike[:1]:
            errors.print(f"warning: {_of_file(warning)}", markup=False)
        if len(alike) > _MOST_ALIKE:
            errors.print(f"warning: the same of {len(alike) - 1} other files")
    if warnings:
        errors.print(f"{counted(len({warning.path for warning in warnings}), 'file')} used with a warning")
    report_skipped(skipped)
    if left_out:
        errors.print(str(left_out), markup=False)


def write_output(path: Path, text: str) -> None:
    """Write the file of an --out option atomically, in a folder that is made where it is missing."""
    from antiphon.io.files import write_text_atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, text)


def check_one_form(as_csv: bool, as_json: bool) -> None:
    """Raise `BadParameter` where both forms of a table are wanted."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv are two forms of one table; choose one")


def check_table_name(out: Path | None, as_csv: bool, as_json: bool) -> None:
    """Raise `BadParameter` where neither --csv, --json nor the suffix of --out tells the form of a table."""
    if out is not None and not (as_csv or as_json) and out.suffix.lower() not in (".csv", ".json"):
        raise typer.BadParameter(
            f"--out {out}: a table is written as .csv or .json; another name needs --csv or --json to say which"
        )


def give_table(
    table: Pairing | CheckReport | FileList,
    summary: str,
    text: Callable[[], str],
    out: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Write a table to the file of --out, as CSV or JSON, and print its summary; without one print the table."""
    if out is not None:
        is_json = as_json or (out.suffix.lower() == ".json" and not as_csv)
        write_output(out, table.to_json() if is_json else table.to_csv())
        typer.echo(f"{summary}; table in {shown_path(out)}", err=as_csv or as_json)
    elif as_csv or as_json:
        typer.echo(table.to_csv() if as_csv else table.to_json(), nl=False)
    else:
        typer.echo(text())


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def print_rows(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo("  ".join(f"{key} {_plain(value)}" for key, value in row.items() if value not in ([], {}, "")))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
