"""MIDI files read per second: from a path to onset and duration in seconds, pitch and velocity."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path

from antiphon.corpora import open_corpus
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from benchmarks.timing import Benchmark, Effort, Peer, Row, race

MAESTRO = Path(__file__).resolve().parents[2] / "shared" / "data" / "maestro-v3.0.0"
_UNIT = "files/s"


def _ours(files: list[Path]) -> list[Notes]:
    return [read_notes(path) for path in files]


def _by_pretty_midi(files: list[Path]) -> list[Notes]:
    import pretty_midi

    return [_columns(pretty_midi.PrettyMIDI(str(path)).instruments) for path in files]


def _columns(instruments: list[object]) -> Notes:
    found = [note for instrument in instruments for note in instrument.notes]  # type: ignore[attr-defined]
    return Notes.of(
        [note.start for note in found],
        [note.end - note.start for note in found],
        [note.pitch for note in found],
        [note.velocity for note in found],
    )


def _by_mido(files: list[Path]) -> list[Notes]:
    return [_paired(path) for path in files]


def _paired(path: Path) -> Notes:
    """Pair the messages of mido: a note-off ends the oldest open note of its channel and pitch."""
    import mido

    now_s = 0.0
    open_notes: defaultdict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
    found: list[tuple[float, float, int, int]] = []
    for message in mido.MidiFile(path):
        now_s += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity > 0:
            open_notes[key].append((now_s, message.velocity))
        elif open_notes[key]:
            onset_s, velocity = open_notes[key].pop(0)
            found.append((onset_s, now_s - onset_s, message.note, velocity))
    onset, duration, pitch, velocities = (list(column) for column in zip(*found, strict=True))
    return Notes.of(onset, duration, pitch, velocities)


def _same_counts(ours: list[Notes], theirs: list[Notes]) -> bool:
    return [len(notes) for notes in ours] == [len(notes) for notes in theirs]


def _race(source: str, files: list[Path], effort: Effort) -> list[Row]:
    notes = sum(len(read_notes(path)) for path in files)
    return race(
        f"read {source} ({len(files)} files, {notes // len(files):,} notes each)",
        _UNIT,
        len(files),
        partial(_ours, files),
        effort,
        (
            Peer("pretty_midi", partial(_by_pretty_midi, files), ("pretty_midi",)),
            Peer("mido", partial(_by_mido, files), ("mido",)),
        ),
        _same_counts,
    )


def _demo(effort: Effort) -> list[Row]:
    files = [recording.notes_path for recording in open_corpus("demo").recordings]
    return _race("demo MIDI", files[: effort.pick(12, 2)], effort)


def _maestro(effort: Effort) -> list[Row]:
    files = sorted(MAESTRO.rglob("*.mid*")) if MAESTRO.is_dir() else []
    if not files:
        return [Row("read MAESTRO MIDI", _UNIT, None, remark="skipped: MAESTRO is not next to the checkout")]
    wanted = effort.pick(8, 1)
    return _race("MAESTRO MIDI", files[:: len(files) // wanted][:wanted], effort)


BENCHMARKS = (Benchmark("read-midi", lambda effort: [*_demo(effort), *_maestro(effort)]),)
