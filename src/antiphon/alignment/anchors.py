"""Anchors: labels that were corrected in Audacity → known points of the path."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path

from antiphon.alignment.labels import beat_text, plain_text
from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.notes import Notes
from antiphon.io.table_text import decode

_MOST_BYTES = 20 << 20
_BEAT = re.compile(r"(\d{1,9})\s*[:.]\s*(\d{1,4}(?:[.,]\d+)?)")
_TIME = re.compile(r"(\d+(?:[.,]\d+)?)\s*s")
_WHICH = re.compile(r"(.*\S)\s*/\s*([1-9]\d{0,5})")
_SHOWN = 3


def read_anchors(path: str | Path, notes: Notes) -> list[tuple[float, float]]:
    """Read the labels of `Alignment.save(…, format="audacity")` after a correction, as points (notes_s, recording_s).

    A label's text names the moment of the notes and its begin is the time in the recording. Labels may have been
    deleted, moved or added, in any order. Labels that end with `?` and those whose text names no moment of the notes
    are left out with an `InputWarning`. Where the notes play a bar several times and the text does not say which, it is
    the first time that does not go back from the label before, or else the first.

    Parameters
    ----------
    path
        A label file of Audacity: begin, end and text with tabs between them.
    notes
        The notes that were aligned, as `read_notes` gives them.

    Returns
    -------
    list of (float, float)
        Seconds in the notes and in the recording, in the order of the recording, each pair once.

    Raises
    ------
    UnreadableInput
        It is not a label file, or none of its labels can be used.
    """
    path = Path(path)
    labels = _labels(path)
    moments = _moments(notes)
    found: list[tuple[float, float]] = []
    unknown: list[str] = []
    unsure = 0
    reached = -math.inf
    for begin_s, text in sorted(labels):
        if text.endswith("?"):
            unsure += 1
            continue
        onset_s = _onset(text, moments, reached)
        if onset_s is None:
            unknown.append(text)
            continue
        reached = onset_s
        if (onset_s, begin_s) not in found[-1:]:
            found.append((onset_s, begin_s))
    if not found:
        raise UnreadableInput(path, f"none of its {len(labels)} labels names a bar and beat or a note of the notes")
    if unsure:
        warn_input(path, f"{unsure} labels end with ? and are not used; remove the ? from those that are right")
    if unknown:
        some = ", ".join(repr(text[:40]) for text in unknown[:_SHOWN])
        warn_input(path, f"{len(unknown)} labels name nothing of the notes and are not used: {some}")
    return found


def _labels(path: Path) -> list[tuple[float, str]]:
    """Begin and text of each label."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableInput(path, f"larger than {_MOST_BYTES >> 20} MB; a label file was expected")
        text = decode(path.read_bytes())
    except OSError as error:
        raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None
    except ValueError as error:
        raise UnreadableInput(path, f"not a label file ({error})") from None
    labels = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("\\"):  # the second line of a label with a range of frequencies
            continue
        fields = line.split("\t")
        try:
            begin_s, end_s = (float(field.strip().replace(",", ".")) for field in fields[:2])
        except ValueError:
            raise UnreadableInput(path, f"line {number} is no label: begin, end and text with tabs expected") from None
        if not (math.isfinite(begin_s) and math.isfinite(end_s)):
            raise UnreadableInput(path, f"line {number}: its time is not a finite number")
        labels.append((begin_s, plain_text(" ".join(fields[2:]))))
    if not labels:
        raise UnreadableInput(path, "it holds no labels")
    return labels


def _moments(notes: Notes) -> dict[str, list[float]]:
    """Text → the onsets in the notes that it names, in order."""
    onsets: defaultdict[str, set[float]] = defaultdict(set)
    onset_s = notes.onset_s.tolist()
    if notes.bar is not None and notes.beat is not None:
        for bar, beat, onset in zip(notes.bar.tolist(), notes.beat.tolist(), onset_s, strict=True):
            onsets[beat_text(bar, beat)].add(onset)
    ids = [str(number) for number in range(len(notes))] if notes.id is None else notes.id.tolist()
    for name, onset in zip(ids, onset_s, strict=True):
        onsets[plain_text(name)].add(onset)
    return {text: sorted(found) for text, found in onsets.items()}


def _onset(text: str, moments: dict[str, list[float]], reached: float) -> float | None:
    """The moment that a text names, None for other texts."""
    which = None
    if text not in moments and (match := _WHICH.fullmatch(text)):
        text, which = match[1], int(match[2]) - 1
    if text not in moments and (match := _BEAT.fullmatch(text)):
        text = beat_text(int(match[1]), float(match[2].replace(",", ".")))
    if text not in moments:
        match = _TIME.fullmatch(text)
        return float(match[1].replace(",", ".")) if match else None
    onsets = moments[text]
    if which is not None:
        return onsets[which] if which < len(onsets) else None
    following = bisect_left(onsets, reached)
    return onsets[following] if following < len(onsets) else onsets[0]
