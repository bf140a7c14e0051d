"""Labels of an alignment: beats by bar and beat, notes by their id, at their times in the recording.

A text names one moment of the notes: `12:3` is beat 3 of bar 12, `n7` or `7` a note. Where the notes play it several
times because a written repeat is unfolded, `/2` names the second time. The recording may play that moment several
times.
"""

from __future__ import annotations

import re
from collections import defaultdict
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.unfolding import stretches
from antiphon.errors import AntiphonError

_CLOSE_BEAT = 1e-3
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]+")
_LABEL_EVERY_S = 1.0


class Label(NamedTuple):
    """Begin and end in seconds of the recording, text, and whether the begin was found by a note that is played."""

    begin_s: float
    end_s: float
    text: str
    is_sure: bool


def beat_text(bar: int, beat: float) -> str:
    """The text of a beat.

    >>> beat_text(12, 3.0), beat_text(12, 1.5)
    ('12:3', '12:1.5')
    """
    return f"{bar}:{round(beat, 3):g}"


def plain_text(text: str) -> str:
    """A note's id in one line: controls and white space become one space."""
    return _CONTROL.sub(" ", text).strip()


def with_time(text: str, which: int) -> str:
    """The text of the `which`-th time, from 0, that the notes play a moment.

    >>> with_time("12:3", 0), with_time("12:3", 1)
    ('12:3', '12:3/2')
    """
    return f"{text}/{which + 1}" if which else text


def label_texts(alignment: Alignment) -> list[str]:
    """The text of each row: bar and beat where the notes have them, otherwise the note's id; "" for extra notes."""
    if alignment.bar is None or alignment.beat is None:
        return _numbered(_ids(alignment), alignment)
    pairs = zip(alignment.bar.tolist(), alignment.beat.tolist(), strict=True)
    return _numbered([beat_text(bar, beat) if np.isfinite(beat) else "" for bar, beat in pairs], alignment)


def _ids(alignment: Alignment) -> list[str]:
    return [plain_text(text) for text in alignment.note.tolist()]


def _numbered(texts: list[str], alignment: Alignment) -> list[str]:
    onsets: defaultdict[str, set[float]] = defaultdict(set)
    onset_s = alignment.onset_s.round(6).tolist()
    for text, onset in zip(texts, onset_s, strict=True):
        onsets[text].add(onset)
    order = {text: {onset: which for which, onset in enumerate(sorted(found))} for text, found in onsets.items()}
    return [
        with_time(text, order[text][onset]) if onset == onset and text else ""
        for text, onset in zip(texts, onset_s, strict=True)
    ]


def note_labels(alignment: Alignment) -> list[Label]:
    """A label for each played or unsure note, from its onset to its end, in order. Raises `AntiphonError` for none."""
    texts, is_sure = _numbered(_ids(alignment), alignment), _is_sure(alignment)
    rows = _rows(alignment)
    begin_s = alignment.recording_s.clip(0.0)
    end_s = np.fmax(alignment.recording_offset_s, begin_s)
    return [Label(float(begin_s[row]), float(end_s[row]), texts[row], bool(is_sure[row])) for row in rows.tolist()]


def beat_labels(alignment: Alignment) -> list[Label]:
    """A label without length for each time a beat is played, at the median of its notes, the played ones if any is.

    Beats on which no note begins have none; if that is so for all, each onset has one. Notes without bars and beats
    have one for each onset, with the ids of all its notes. Raises `AntiphonError` for no label.
    """
    rows, is_sure, number = _rows(alignment), _is_sure(alignment), stretches(alignment)
    texts = label_texts(alignment)
    keys = texts if alignment.bar is not None else alignment.onset_s.round(6).tolist()
    if alignment.bar is not None and alignment.beat is not None:
        on_beat = np.abs(alignment.beat[rows] - np.rint(alignment.beat[rows])) < _CLOSE_BEAT
        rows = rows[on_beat] if on_beat.any() else rows
    groups: defaultdict[tuple[int, str | float], list[int]] = defaultdict(list)
    for row in rows.tolist():
        groups[int(number[row]), keys[row]].append(row)
    labels = []
    times_s = alignment.recording_s.tolist()
    for members in groups.values():
        sure = [row for row in members if is_sure[row]]
        time_s = max(median(times_s[row] for row in sure or members), 0.0)
        text = " ".join(dict.fromkeys(texts[row] for row in members))
        labels.append(Label(time_s, time_s, text, bool(sure)))
    return sorted(labels)


def path_labels(alignment: Alignment) -> list[Label]:
    """A label for each second of the other side on the path, where that side has no notes: `12 s` and so on."""
    labels = []
    for warp in alignment.path:
        for second in np.arange(np.ceil(warp.query_s[0]), warp.query_s[-1] + 1e-9, _LABEL_EVERY_S).tolist():
            time_s = float(warp.at(second) if len(warp.query_s) > 1 else warp.library_s[0])
            if time_s >= 0:
                is_lost = any(begin_s <= time_s <= end_s for begin_s, end_s in alignment.lost)
                labels.append(Label(time_s, time_s, f"{second:g} s", not is_lost))
    if not labels:
        raise AntiphonError(f"{alignment.recording}: nothing of {alignment.notes} was found in it")
    return sorted(labels)


def _rows(alignment: Alignment) -> NDArray[np.int64]:
    rows = np.flatnonzero(alignment.is_sounding)
    if not len(rows):
        raise AntiphonError(f"{alignment.recording}: no note of {alignment.notes} was found in it")
    return rows[np.lexsort((alignment.pitch[rows], alignment.recording_s[rows]))]


def _is_sure(alignment: Alignment) -> NDArray[np.bool_]:
    """Rows [N] of played notes outside the lost stretches."""
    found = alignment.state == "played"
    for begin_s, end_s in alignment.lost:
        found = found & ~((alignment.recording_s >= begin_s) & (alignment.recording_s <= end_s))
    return found
