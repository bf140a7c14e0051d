"""The command that says which recording is which MIDI file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from antiphon.cli.shared import JsonOption, ModelOption, app, output_file, output_folder, report_skipped, within

if TYPE_CHECKING:
    from antiphon.index.pairing import Pair, Pairing
    from antiphon.models.protocol import Embedder


@app.command("pair")
def pair_command(
    audio_dir: Annotated[Path, typer.Argument(metavar="AUDIO_DIR", help="recordings, at any depth")],
    midi_dir: Annotated[Path, typer.Argument(metavar="MIDI_DIR", help="note files, at any depth")],
    model: ModelOption = "default",
    index: Annotated[
        Path | None,
        typer.Option(
            "--index", metavar="DIR", help="keep the index of the notes here (the cache)", callback=output_folder
        ),
    ] = None,
    many: Annotated[bool, typer.Option("--many", help="several recordings may be of one note file")] = False,
    min_confidence: Annotated[
        float | None, typer.Option(help="below, a recording has no partner (0.5)", callback=within(0.0, 1.0))
    ] = None,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="recordings may be up to 6 semitones off, and out of tune")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="DIR", help="write each pair's notes at the recording's times", callback=output_folder
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="the table goes there, as CSV or JSON", callback=output_file),
    ] = None,
    csv_: Annotated[bool, typer.Option("--csv", help="print CSV")] = False,
    json_: JsonOption = False,
) -> None:
    """Tell which recording is which MIDI file, from where to where, at what tempo, how sure; and what has no partner.

    A note file goes to one recording unless --many is given. With --write each pair's notes are written as MIDI that
    runs along with the recording, named after it.

    Example: antiphon pair recordings/ scores/ --csv --out pairs.csv --write aligned
    """
    from antiphon.alignment.confidence import LIKELY
    from antiphon.corpora import files_below
    from antiphon.errors import AntiphonError
    from antiphon.index.build import build_index
    from antiphon.index.pairing import pair
    from antiphon.index.query import SUFFIXES
    from antiphon.index.store import Store
    from antiphon.index.view import Filters
    from antiphon.io.files import write_text_atomic
    from antiphon.models.loading import lasting_name, load_model

    if json_ and csv_:
        raise typer.BadParameter("--json and --csv are two forms of one table; choose one")
    if not audio_dir.exists():
        raise AntiphonError(f"{audio_dir}: no such folder")
    recordings = sorted(files_below(audio_dir, SUFFIXES["audio"]))
    if not recordings:
        raise AntiphonError(f"{audio_dir}: no audio files below it")
    embedder = load_model(model)
    place = _cached_index(midi_dir, embedder) if index is None else index
    report = build_index([midi_dir], embedder, lasting_name(model), place, only="notes")
    report_skipped(report.failed)
    with Store(place) as store:
        least = LIKELY if min_confidence is None else min_confidence
        pairing = pair(recordings, store, embedder, Filters(folder=midi_dir), many, least, transpose)
    report_skipped(pairing.skipped)
    failed = [str(error) for error in (*report.failed, *pairing.skipped)]
    text = _as_csv(pairing) if csv_ else _as_json(pairing, failed) if json_ else _as_text(pairing)
    if out is None:
        typer.echo(text)
    else:
        form = text if csv_ or json_ else _as_json(pairing, failed) if out.suffix == ".json" else _as_csv(pairing)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomic(out, form + "\n")
        typer.echo(f"{_summary(pairing)}; table in {out}", err=csv_ or json_)
    if write is not None:
        _write_aligned(pairing.pairs, audio_dir, write)
    if len(pairing.skipped) == len(recordings):
        raise typer.Exit(2)


def _cached_index(midi_dir: Path, embedder: Embedder) -> Path:
    """Where the index of a folder's notes is kept between runs, one for each model."""
    from antiphon.io.cache import cache_folder

    key = hashlib.sha256(f"{midi_dir.resolve()}\0{embedder.fingerprint}".encode(errors="surrogateescape"))
    return cache_folder("pairing") / key.hexdigest()[:16]


def _write_aligned(pairs: Sequence[Pair], audio_dir: Path, out: Path) -> None:
    """Write MIDI named after the recordings, in the same folders below `out`."""
    from antiphon.index.pairing import notes_of_pair
    from antiphon.io.files import atomic_file
    from antiphon.io.notes import write_midi

    root = audio_dir if audio_dir.is_dir() else audio_dir.parent
    names = [Path(one.recording).relative_to(root) for one in pairs]
    alike = Counter(name.with_suffix("") for name in names)
    for one, name in zip(pairs, names, strict=True):
        # Two formats of one name would become one file.
        path = out / (name.with_suffix(".mid") if alike[name.with_suffix("")] == 1 else f"{name}.mid")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as aside:
            write_midi(notes_of_pair(one), aside)


def _as_csv(pairing: Pairing) -> str:
    """A row a pair, then the recordings that have no partner, then the note files; what is not known is empty."""
    from antiphon.index.match import MATCH_FIELDS

    text = io.StringIO()
    table = csv.DictWriter(text, ("recording", *MATCH_FIELDS), lineterminator="\n")
    table.writeheader()
    rows: list[dict[str, Any]] = [one.as_dict() for one in pairing.pairs]
    rows += [{"recording": one.recording} for one in pairing.recordings]
    rows += [{"file": file} for file in pairing.files]
    table.writerows(rows)
    return text.getvalue().rstrip("\n")


def _as_json(pairing: Pairing, failed: list[str]) -> str:
    import json

    return json.dumps(pairing.as_dict() | {"failed": failed}, indent=1, ensure_ascii=False)


def _as_text(pairing: Pairing) -> str:
    lines = [f"{'from s':>9}{'to s':>9}{'is from s':>11}{'to s':>9}{'tempo':>7}{'confidence':>12}  recording = notes"]
    for one in pairing.pairs:
        heard = f"{one.query_start_s:9.2f}{one.query_end_s:9.2f}"
        written = f"{one.start_s:11.2f}{one.end_s:9.2f}{one.tempo:7.2f}{one.confidence:12.2f}"
        lines.append(f"{heard}{written}  {one.recording} = {one.file}")
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
