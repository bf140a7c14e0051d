"""Match file of the Vienna format 1.0.0: each note of the score with its performed note, a deletion, or an insertion.

Foscarin, Karystinaios, Peter, Cancino-Chacón, Grachten and Widmer, "The match file format: Encoding alignments between
scores and performances" (MEC 2022). Bars and beats are those of the notes; a performance without them gets bars of
four beats at 120 a minute. Positions are rounded to a tick. Pitches are spelled with sharps. Bars that the recording
repeats stand there again under numbers of their own, since the format wants an unfolded score. A tick of the performed
notes is 0.1 ms.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np

from antiphon.alignment.alignment_table import Alignment, AlignmentFormat
from antiphon.alignment.unfolding import Unfolded, unfold
from antiphon.errors import AntiphonError
from antiphon.io.metre import Bar, read_metre, time_signature

_UNITS, _RATE = 5000, 500_000  # ticks and microseconds a quarter
_PER_SECOND = 10_000
_NAMES = ("[C,n]", "[C,#]", "[D,n]", "[D,#]", "[E,n]", "[F,n]", "[F,#]", "[G,n]", "[G,#]", "[A,n]", "[A,#]", "[B,n]")
_UNSAFE = re.compile(r"[^\w.\-]+")


def _write(alignment: Alignment) -> bytes:
    in_score = np.isfinite(alignment.onset_s) & (alignment.state != "extra")
    if not in_score.any():
        raise AntiphonError(f"{alignment.recording}: the alignment has no notes for a match file")
    end_s = float(alignment.offset_s[np.isfinite(alignment.offset_s)].max(initial=0.0))
    metre = read_metre(Path(alignment.notes), end_s)
    unfolded = unfold(alignment, metre, on_clock=False)
    places = _Places(unfolded, metre.ticks_per_quarter)
    lines = [
        "info(matchFileVersion,1.0.0).",
        f"info(piece,{_value(Path(alignment.notes).stem)}).",
        f"info(scoreFileName,{_value(Path(alignment.notes).name)}).",
        f"info(midiFileName,{_value(Path(alignment.recording).name)}).",
        "info(composer,-).",
        "info(performer,-).",
        f"info(midiClockUnits,{_UNITS}).",
        f"info(midiClockRate,{_RATE}).",
        *places.signatures(),
    ]
    anchors = _anchors(alignment, in_score)
    pitch = alignment.pitch.astype(np.int64) + int(alignment.semitones)
    sounds = alignment.is_sounding & (pitch >= 0) & (pitch <= 127)
    for row in range(len(alignment)):
        if in_score[row]:
            onset, end = float(unfolded.onset[row]), float(unfolded.end[row])
            note = places.score_note(anchors[row], int(alignment.pitch[row]), onset, end)
            lines.append(f"{note}-{_played(alignment, row, int(pitch[row]))}" if sounds[row] else f"{note}-deletion.")
        elif np.isfinite(alignment.recording_s[row]):
            lines.append(f"insertion-{_played(alignment, row, int(alignment.pitch[row]))}")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _value(text: str) -> str:
    return " ".join(text.split()) or "-"


def _anchors(alignment: Alignment, in_score: np.ndarray) -> list[str]:
    """A name for each row, different for all: `n7`, or `n7-1` and `n7-2` where the recording repeats the note."""
    names = [_UNSAFE.sub("_", name) for name in alignment.note.tolist()]
    names = [f"n{name}" if name[:1].isdigit() or not name else name for name in names]
    counts = Counter(name for name, kept in zip(names, in_score.tolist(), strict=True) if kept)
    used: Counter[str] = Counter()
    for row in np.flatnonzero(in_score).tolist():
        name = names[row]
        if counts[name] > 1:
            used[name] += 1
            names[row] = f"{name}-{used[name]}"
    return names


def _played(alignment: Alignment, row: int, pitch: int) -> str:
    begin_s, end_s = float(alignment.recording_s[row]), float(alignment.recording_offset_s[row])
    begin = max(round(begin_s * _PER_SECOND), 0)
    end = max(round(end_s * _PER_SECOND), begin + 1) if np.isfinite(end_s) else begin + 1
    velocity = min(max(int(alignment.velocity[row]), 1), 127)
    return f"note(p{row},{pitch},{begin},{end},{velocity},0,0)."


class _Places:
    """Quarters of the unfolded score → bar, beat, and beats from the first full bar."""

    def __init__(self, unfolded: Unfolded, ticks_per_quarter: int) -> None:
        self._bars = unfolded.bars
        self._starts = [bar.at for bar in unfolded.bars]
        self._per_quarter = ticks_per_quarter
        first = unfolded.bars[0]
        lengths = [bar.length / bar.beat for bar in unfolded.bars]
        begin = -lengths[0] if first.phase > 0 else 0.0
        self._start_beats = (begin + np.concatenate([[0.0], np.cumsum(lengths[:-1])])).tolist()
        self._numbers = _rising_numbers(unfolded.bars)

    def signatures(self) -> list[str]:
        lines, before = [], None
        for position, bar in enumerate(self._bars):
            own = max(round(4 / bar.beat), 1)
            signature = time_signature(bar.phase + bar.length, bar.beat) or (max(round(bar.length * own / 4), 1), own)
            if signature != before:
                place = f"{self._numbers[position]}:{int(bar.phase / bar.beat) + 1},0"
                time = f"{self._start_beats[position]:.4f}"
                lines.append(f"scoreprop(timeSignature,{signature[0]}/{signature[1]},{place},{time}).")
            before = signature
        return lines

    def score_note(self, anchor: str, pitch: int, onset: float, end: float) -> str:
        onset, end = (round(at * self._per_quarter) / self._per_quarter for at in (onset, end))
        position = max(bisect_right(self._starts, onset + 1e-6) - 1, 0)
        bar = self._bars[position]
        inside = onset - bar.at
        beat = int((bar.phase + inside) / bar.beat + 1e-6)
        offset = self._whole(bar.phase + inside - beat * bar.beat)
        length = self._whole(max(end - onset, 1 / self._per_quarter))
        onset_beats = self._start_beats[position] + inside / bar.beat
        end_beats = onset_beats + max(end - onset, 1 / self._per_quarter) / bar.beat
        place = f"{self._numbers[position]}:{beat + 1},{offset},{length},{onset_beats:.4f},{end_beats:.4f}"
        return f"snote({anchor},{_NAMES[pitch % 12]},{pitch // 12 - 1},{place},[])"

    def _whole(self, quarters: float) -> Fraction:
        """A duration as a fraction of a whole note."""
        return Fraction(max(round(quarters * self._per_quarter), 0), 4 * self._per_quarter)


def _rising_numbers(bars: tuple[Bar, ...]) -> list[int]:
    """Numbers of bars, higher by what is needed to rise; the parts of a divided bar share a number.

    >>> _rising_numbers((Bar(0, 4, 1), Bar(4, 4, 2), Bar(8, 4, 1), Bar(12, 4, 2), Bar(16, 4, 5)))
    [1, 2, 3, 4, 7]
    """
    numbers: list[int] = []
    shift = 0
    for position, bar in enumerate(bars):
        before = bars[position - 1] if position else None
        is_rest = before is not None and bar.number == before.number and bar.phase > before.phase
        least = numbers[-1] + (not is_rest) if numbers else bar.number
        shift = max(shift, least - bar.number)
        numbers.append(bar.number + shift)
    return numbers


FORMAT = AlignmentFormat("match", (".match",), _write)
