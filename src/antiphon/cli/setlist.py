"""The command that lists what a recording plays: setlist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import antiphon
from antiphon.checks import check_not_input
from antiphon.cli.pairing import TransposeOption
from antiphon.cli.shared import (
    AgainstOption,
    ComposerOption,
    CsvOption,
    FolderOption,
    IndexOption,
    JsonOption,
    OneSplitOption,
    app,
    output_file,
    write_output,
)
from antiphon.wording import clock, counted, shown_path

if TYPE_CHECKING:
    from antiphon import Between, SetList, SetListPiece

_SUFFIXES = {".csv": "--csv", ".json": "--json", ".cue": "--cue", ".ffmeta": "--chapters"}


@app.command("setlist")
def set_list(
    recording: Annotated[
        Path, typer.Argument(metavar="RECORDING", help="a sound file, such as a concert; a note file is possible")
    ],
    index: IndexOption,
    against: AgainstOption = None,
    transpose: TransposeOption = False,
    composer: ComposerOption = "",
    split: OneSplitOption = "",
    folder: FolderOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="write it there: .csv, .json, .cue, .ffmeta (chapters), or the form of another option",
            callback=output_file,
        ),
    ] = None,
    csv_: CsvOption = False,
    json_: JsonOption = False,
    cue: Annotated[bool, typer.Option("--cue", help="print a CUE sheet, a track for each piece")] = False,
    chapters: Annotated[bool, typer.Option("--chapters", help="print chapter marks as FFmpeg metadata")] = False,
) -> None:
    """List the pieces of a library that a recording plays, from when to when, and what sounds between them.

    Music that is not in the library, noise such as applause and talk, and silence are named.

    Example: antiphon setlist concert.flac --index library --out concert.cue
    """
    chosen = {"--csv": csv_, "--json": json_, "--cue": cue, "--chapters": chapters}
    form = _form([name for name, is_chosen in chosen.items() if is_chosen], out)
    if out is not None:
        check_not_input(out, [recording])
    found = antiphon.setlist(
        recording, index, against=against, transpose=transpose, composer=composer, split=split, folder=folder
    )
    text = _as_text(found) if form is None else _writers(found)[form]()
    if out is None:
        typer.echo(text, nl=form is None)
    else:
        write_output(out, text)
        typer.echo(f"{_summary(found)}; set list in {shown_path(out)}")


def _form(chosen: list[str], out: Path | None) -> str | None:
    """The option that names the form, by the suffix of --out where none is given; None for the table."""
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} are forms of one set list; choose one")
    if chosen or out is None:
        return chosen[0] if chosen else None
    if out.suffix.lower() not in _SUFFIXES:
        known = ", ".join(f"{suffix} ({option})" for suffix, option in _SUFFIXES.items())
        raise typer.BadParameter(f"{out}: no form has this suffix; known are {known}, or give one of these options")
    return _SUFFIXES[out.suffix.lower()]


def _writers(found: SetList) -> dict[str, Callable[[], str]]:
    return {
        "--csv": found.to_csv,
        "--json": found.to_json,
        "--cue": found.to_cue,
        "--chapters": found.to_chapters,
    }


def _as_text(found: SetList) -> str:
    heading = f"{'from':>8}{'to':>8}{'is from':>9}{'to':>8}{'tempo':>7}{'key':>5}{'sure':>7}  piece"
    return "\n".join([heading, *map(_line, found.lines()), _summary(found)])


def _line(line: SetListPiece | Between) -> str:
    if isinstance(line, antiphon.Between):
        kind = "music that is not in the library" if line.kind == "other music" else line.kind
        return f"{clock(line.start_s):>8}{clock(line.end_s):>8}{'':36}  ({kind})"
    times = f"{clock(line.query_start_s):>8}{clock(line.query_end_s):>8}"
    there = f"{clock(line.start_s):>9}{clock(line.end_s):>8}"
    key = f"{line.semitones:+d}" if line.semitones else "="
    name = line.name if line.title else shown_path(line.file)
    return f"{times}{there}{line.tempo:7.2f}{key:>5}{100 * line.confidence:5.0f} %  {name}"


def _summary(found: SetList) -> str:
    played_s = sum(piece.query_end_s - piece.query_start_s for piece in found)
    return f"{counted(len(found.pieces), 'piece')} of the library, {clock(played_s)} of {clock(found.duration_s)}"
