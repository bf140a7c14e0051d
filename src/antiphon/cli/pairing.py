"""The commands that relate recordings to note files: pair, align."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import antiphon
from antiphon.checks import PROBABILITY, check_not_input
from antiphon.cli.shared import (
    LIKELY,
    CsvOption,
    FollowLinksOption,
    JsonOption,
    ModelOption,
    TableOption,
    app,
    check_one_form,
    check_table_name,
    give_table,
    output_file,
    output_folder,
    print_json,
    report_unused,
    within,
)
from antiphon.cli.terminal import console
from antiphon.wording import clock, counted, shown_path

if TYPE_CHECKING:
    from antiphon import Alignment, Pairing, Unpaired

TransposeOption = Annotated[
    bool, typer.Option("--transpose", help="recordings may be up to 6 semitones off, and out of tune")
]


@app.command()
def pair(
    audio_dir: Annotated[Path, typer.Argument(metavar="AUDIO_DIR", help="recordings, at any depth")],
    midi_dir: Annotated[Path, typer.Argument(metavar="MIDI_DIR", help="note files, at any depth")],
    model: ModelOption = "default",
    index: Annotated[
        Path | None,
        typer.Option(
            "--index", metavar="DIR", help="folder for the index of the notes (the cache)", callback=output_folder
        ),
    ] = None,
    many: Annotated[bool, typer.Option("--many", help="several recordings may have the same note file")] = False,
    min_confidence: Annotated[
        float, typer.Option(help="leave out pairs of lower confidence", callback=within(PROBABILITY))
    ] = LIKELY,
    transpose: TransposeOption = False,
    follow_links: FollowLinksOption = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="DIR", help="write each pair's notes at the recording's times", callback=output_folder
        ),
    ] = None,
    out: TableOption = None,
    csv_: CsvOption = False,
    json_: JsonOption = False,
) -> None:
    """Find the MIDI file of each recording, with start, end and tempo, and say why the others have none.

    The confidence of a pair says how sure it is that both are the same music, that of its path how sure the times are.
    A note file is paired with one recording unless --many is given. With --write each pair's notes are written as MIDI
    in time with the recording and named after it.

    Example: antiphon pair recordings/ scores/ --csv --out pairs.csv --write aligned
    """
    check_one_form(csv_, json_)
    if write is not None or out is not None:
        antiphon.Pairing.check_outputs(audio_dir, midi_dir, out, write, follow_links)
    check_table_name(out, csv_, json_)
    pairing = antiphon.pair(
        audio_dir,
        midi_dir,
        model=model,
        index=index,
        many=many,
        min_confidence=min_confidence,
        transpose=transpose,
        follow_links=follow_links,
    )
    report_unused(pairing.skipped, pairing.warnings, pairing.left_out)
    give_table(pairing, pairing.summary, lambda: _pairs_as_text(pairing), out, csv_, json_)
    in_parts = [one.path for one in pairing.recordings if one.state == "partial"]
    if in_parts:
        console.print(
            f"hint: {counted(len(in_parts), 'recording')} may hold several pieces; list them with: antiphon setlist "
            f"{shlex.quote(shown_path(in_parts[0]))} --index {shlex.quote(shown_path(pairing.index or ''))}",
            markup=False,
        )
    if write is not None:
        pairing.write_aligned(write)
    if not pairing.pairs and not pairing.recordings:  # no recording could be used
        raise typer.Exit(2)


def _pairs_as_text(pairing: Pairing) -> str:
    lines = [f"{'from':>8}{'to':>8}{'is from':>9}{'to':>8}{'tempo':>7}{'confidence':>12}{'path':>6}  recording = notes"]
    for one in pairing:
        recording = f"{clock(one.query_start_s):>8}{clock(one.query_end_s):>8}"
        notes = f"{clock(one.start_s):>9}{clock(one.end_s):>8}"
        sure = f"{one.tempo:7.2f}{one.confidence:12.2f}{one.path_confidence:6.2f}"
        lines.append(f"{recording}{notes}{sure}  {shown_path(one.recording)} = {shown_path(one.file)}")
    lines += [f"no notes for {_alone(one)}" for one in pairing.recordings]
    lines += [f"no recording for {_alone(one)}" for one in pairing.files]
    return "\n".join([*lines, pairing.summary])


def _alone(one: Unpaired) -> str:
    """A file without a partner, the reason, and the nearest file."""
    nearest = f"; nearest {shown_path(one.nearest)} ({one.confidence:.2f})" if one.nearest else ""
    return f"{shown_path(one.path)}: {one.reason}{nearest}"


@app.command()
def align(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="a sound file; a note file is possible")],
    notes: Annotated[Path, typer.Argument(metavar="NOTES", help="a note file of the same music; sound is possible")],
    transpose: TransposeOption = False,
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", metavar="FILE", help="Audacity labels of the right times, which the path obeys"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="write it there: .csv, .json, .mid, .match, .TextGrid, .txt (Audacity), .sv.csv or .png",
            callback=output_file,
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="format of --out whatever its suffix is, such as tempo-map"),
    ] = None,
    csv_: CsvOption = False,
    json_: JsonOption = False,
) -> None:
    """Find the time of each note of a file in a recording, and write them in a format that other programs read.

    A .mid file has the notes at the recording's times; with --format tempo-map they keep their bars and a tempo map
    follows the recording.

    Example: antiphon align take1.flac sonata.mid --out aligned.mid
    """
    check_one_form(csv_, json_)
    if format_ is not None and out is None:
        raise typer.BadParameter(f"--format {format_}: it is the format of --out, which is missing")
    if out is not None:
        antiphon.Alignment.check_output(out, format_)
        check_not_input(out, (recording, notes, *([] if anchors is None else [anchors])))
    alignment = antiphon.align(recording, notes, transpose=transpose, anchors=() if anchors is None else anchors)
    if out is not None:
        alignment.save(out, format=format_)
    if json_:
        print_json(alignment.as_dict())
    elif csv_:
        typer.echo(alignment.to_csv(), nl=False)
    else:
        typer.echo(_alignment_as_text(alignment))


def _alignment_as_text(alignment: Alignment) -> str:
    if not alignment.path:
        return f"no part of {shown_path(alignment.notes)} was found in {shown_path(alignment.recording)}"
    first, last = alignment.path[0], alignment.path[-1]
    states = alignment.state.tolist()
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("played", "missing", "unsure", "extra"))
    lost = ", ".join(f"{clock(begin_s)}–{clock(end_s)}" for begin_s, end_s in alignment.lost)
    return (
        f"confidence {alignment.confidence:.2f}{'' if alignment.confidence >= LIKELY else ': probably other music'}, "
        f"of the path {alignment.path_confidence:.2f}\n"
        f"{clock(first.library_s[0])}–{clock(last.library_s[-1])} of {shown_path(alignment.recording)} begins at "
        f"{clock(first.query_s[0])} and ends at {clock(last.query_s[-1])} of {shown_path(alignment.notes)}\n"
        f"notes: {counts}\n"
        f"path lost: {lost or 'nowhere'}"
    )
