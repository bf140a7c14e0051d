"""The commands that relate recordings to note files: pair, align."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import antiphon
from antiphon.checks import PROBABILITY, check_not_input
from antiphon.cli.shared import (
    LIKELY,
    FollowLinksOption,
    JsonOption,
    ModelOption,
    app,
    output_file,
    output_folder,
    print_json,
    report_unused,
    within,
    write_output,
)

if TYPE_CHECKING:
    from antiphon import Alignment, Pairing

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
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="write the table there, as CSV or JSON", callback=output_file),
    ] = None,
    csv_: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    json_: JsonOption = False,
) -> None:
    """Find the MIDI file of each recording, with start, end and tempo, and list files without a partner.

    The confidence of a pair says how sure it is that both are the same music, that of its path how sure the times are.
    A note file is paired with one recording unless --many is given. With --write each pair's notes are written as MIDI
    in time with the recording and named after it.

    Example: antiphon pair recordings/ scores/ --csv --out pairs.csv --write aligned
    """
    if json_ and csv_:
        raise typer.BadParameter("--json and --csv are two forms of one table; choose one")
    if write is not None or out is not None:
        antiphon.Pairing.check_outputs(audio_dir, midi_dir, out, write, follow_links)
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
    if out is not None:
        as_json = json_ or (out.suffix == ".json" and not csv_)
        write_output(out, pairing.to_json() if as_json else pairing.to_csv())
        typer.echo(f"{_summary(pairing)}; table in {out}", err=csv_ or json_)
    elif csv_ or json_:
        typer.echo(pairing.to_csv() if csv_ else pairing.to_json(), nl=False)
    else:
        typer.echo(_pairs_as_text(pairing))
    if write is not None:
        pairing.write_aligned(write)
    if not pairing.pairs and not pairing.recordings:  # no recording could be used
        raise typer.Exit(2)


def _pairs_as_text(pairing: Pairing) -> str:
    times = f"{'from s':>9}{'to s':>9}{'is from s':>11}{'to s':>9}"
    lines = [f"{times}{'tempo':>7}{'confidence':>12}{'path':>6}  recording = notes"]
    for one in pairing:
        recording = f"{one.query_start_s:9.2f}{one.query_end_s:9.2f}"
        notes = f"{one.start_s:11.2f}{one.end_s:9.2f}{one.tempo:7.2f}{one.confidence:12.2f}{one.path_confidence:6.2f}"
        lines.append(f"{recording}{notes}  {one.recording} = {one.file}")
    for alone in pairing.recordings:
        nearest = f"; nearest {alone.nearest} ({alone.confidence:.2f})" if alone.nearest else ""
        lines.append(f"no notes for {alone.recording}{nearest}")
    lines += [f"no recording for {file}" for file in pairing.files]
    return "\n".join([*lines, _summary(pairing)])


def _summary(pairing: Pairing) -> str:
    return (
        f"{len(pairing.pairs)} pairs, {len(pairing.recordings)} recordings without notes, "
        f"{len(pairing.files)} note files without recording"
    )


@app.command()
def align(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="a sound file")],
    notes: Annotated[Path, typer.Argument(metavar="NOTES", help="a note file of the same music")],
    model: ModelOption = "default",
    transpose: TransposeOption = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="write the notes there: .csv, .json, or .mid", callback=output_file),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Find the time of each note of a file in a recording. A .mid file has the notes at the recording's times.

    Example: antiphon align take1.flac sonata.mid --out aligned.mid
    """
    suffix = None if out is None else out.suffix.lower()
    if suffix not in (None, ".csv", ".json", ".mid", ".midi"):
        raise typer.BadParameter(f"--out {out}: the suffix is .csv, .json, .mid or .midi")
    if out is not None:
        check_not_input(out, (recording, notes))
    alignment = antiphon.align(recording, notes, model=model, transpose=transpose)
    if out is not None:
        if suffix == ".csv":
            write_output(out, alignment.to_csv())
        elif suffix == ".json":
            write_output(out, json.dumps(alignment.as_dict(), indent=1, ensure_ascii=False) + "\n")
        else:
            midi = alignment.to_midi()
            out.parent.mkdir(parents=True, exist_ok=True)
            midi.save(out)
    print_json(alignment.as_dict()) if json_ else typer.echo(_alignment_as_text(alignment))


def _alignment_as_text(alignment: Alignment) -> str:
    match = alignment.match
    if match is None:
        return f"no part of {alignment.notes} was found in {alignment.recording}"
    aligned = int((alignment.recording_s == alignment.recording_s).sum())  # NaN differs from itself
    return (
        f"confidence {alignment.confidence:.2f}{'' if alignment.confidence >= LIKELY else ': probably other music'}\n"
        f"{match.query_start_s:.2f}–{match.query_end_s:.2f} s of {alignment.recording} are "
        f"{match.start_s:.2f}–{match.end_s:.2f} s of {alignment.notes}\n{aligned} of {len(alignment)} notes have a time"
    )
