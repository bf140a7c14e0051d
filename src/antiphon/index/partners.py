"""Which recording has which note file, and why a file has none.

The confidence of a recording and a file is the mean over the recording's excerpts. One-to-one pairs maximise the
product of their odds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from antiphon.alignment.confidence import LIKELY
from antiphon.index.excerpts import ExcerptMatches
from antiphon.wording import counted

_ODDS_LIMIT = 1e-3
_PER_SCORE = 10.0  # log odds that a score of 1 adds to a pair

State = Literal["taken", "partial", "unsure", "unlike", "skipped"]
"""Why a file has no partner.

* `taken`: its nearest is the partner of another file.
* `partial`: some excerpts of the recording are likely to be this music, others are not.
* `unsure`: it is likely, but less so than the least confidence.
* `unlike`: nothing similar.
* `skipped`: its partner could not be read any more.
"""


@dataclass(frozen=True)
class Unpaired:
    """A recording without a note file, or a note file without a recording.

    Attributes
    ----------
    path : str
        The file.
    state : str
        Why: `taken`, `partial`, `unsure`, `unlike` or `skipped` (`State`).
    reason : str
        The same in words; other files are named without their folders.
    nearest : str
        The most likely file of the other side; empty where none is found.
    confidence : float
        The confidence that both are the same music, 0 to 1.

    Examples
    --------
    >>> import antiphon
    >>> one, other = antiphon.open_corpus("demo").recordings[:30:15]
    >>> pairing = antiphon.pair(one.audio_path, other.notes_path, model="template", index="index")
    >>> [(alone.state, alone.reason) for alone in pairing.recordings]
    [('unlike', 'nothing similar among the note files')]
    """

    path: str
    state: State
    reason: str
    nearest: str
    confidence: float

    def as_dict(self, name: str = "path") -> dict[str, Any]:
        """The file as JSON, its path under that name."""
        values = dict(vars(self))
        return {name: values.pop("path")} | values


@dataclass(frozen=True)
class Partners:
    """The partners of R recordings among F note files, with the evidence of their excerpts.

    Attributes
    ----------
    found : sequence of ExcerptMatches, R
        The matches of each recording's excerpts.
    files : sequence of str, F
        Paths of the note files.
    least : float
        The least confidence of a pair.
    of : mapping
        Number of each recording that has a partner → its file.
    confidence : sequence of mappings, R
        File → the confidence that the recording is its music, for the files that an excerpt matches.
    """

    found: Sequence[ExcerptMatches]
    files: Sequence[str]
    least: float
    of: Mapping[int, str]
    confidence: Sequence[Mapping[str, float]]

    @classmethod
    def choose(cls, found: Sequence[ExcerptMatches], files: Sequence[str], many: bool, least: float) -> Partners:
        """Choose the partners; with `many` several recordings may have the same file."""
        confidence = [one.mean("confidence") for one in found]
        score = [one.mean("score") for one in found]
        return cls(found, files, least, partners_of(confidence, score, files, many, least), confidence)

    def recording_alone(self, number: int) -> Unpaired:
        """Why a recording has no partner."""
        known, one = self.confidence[number], self.found[number]
        nearest = max(known, key=known.__getitem__, default="")
        confidence = known.get(nearest, 0.0)
        played = one.likely(nearest)
        state, reason = self._state(confidence, played, len(one.excerpts), "note files")
        if state == "taken":
            other = next((row for row, file in self.of.items() if file == nearest), number)
            reason = f"the partner of its nearest is {self._name(other)}; --many allows several recordings of one file"
        elif state == "partial":
            reason = f"its nearest is played in {played} of its {counted(len(one.excerpts), 'excerpt')}"
            if others := one.likely_elsewhere(nearest):
                reason += f", and {counted(len(others), 'other file')} in others: several pieces?"
        return Unpaired(str(one.recording), state, reason, nearest, round(confidence, 4))

    def file_alone(self, file: str) -> Unpaired:
        """Why a note file has no partner."""
        known = [one.get(file, 0.0) for one in self.confidence]
        number = int(np.argmax(known)) if known else 0
        if not known or known[number] <= 0:
            return Unpaired(file, "unlike", _nothing_among("recordings"), "", 0.0)
        one = self.found[number]
        played = one.likely(file)
        state, reason = self._state(known[number], played, len(one.excerpts), "recordings")
        if state == "taken":
            reason = f"the partner of its nearest is {Path(self.of.get(number, '')).name}"
        elif state == "partial":
            reason = f"it is played in {played} of the {counted(len(one.excerpts), 'excerpt')} of its nearest"
        return Unpaired(file, state, reason, str(one.recording), round(known[number], 4))

    def unreadable(self, number: int) -> tuple[Unpaired, Unpaired]:
        """The recording and the file of a pair of which one could not be read any more."""
        recording, file = str(self.found[number].recording), self.of[number]
        confidence = round(self.confidence[number][file], 4)
        gone = "one of the two could not be read any more"
        return (
            Unpaired(recording, "skipped", gone, file, confidence),
            Unpaired(file, "skipped", gone, recording, confidence),
        )

    def _state(self, confidence: float, played: int, excerpts: int, others: str) -> tuple[State, str]:
        if confidence >= self.least and confidence > 0:
            return "taken", ""
        if 0 < played < excerpts:
            return "partial", ""
        if confidence >= LIKELY:
            return "unsure", f"the confidence is below the least, {self.least:g} (--min-confidence)"
        return "unlike", _nothing_among(others)

    def _name(self, number: int) -> str:
        return self.found[number].recording.name


def _nothing_among(others: str) -> str:
    return f"nothing similar among the {others}"


def partners_of(
    confidence: Sequence[Mapping[str, float]],
    score: Sequence[Mapping[str, float]],
    files: Sequence[str],
    many: bool,
    least: float,
) -> dict[int, str]:
    """Number of each recording that has a partner → its file."""
    weight = np.zeros((len(confidence), len(files)))
    column = {file: number for number, file in enumerate(files)}
    for row, known in enumerate(confidence):
        for file, value in known.items():
            if value >= least and value > 0:
                above = _log_odds(value) - _log_odds(least)
                weight[row, column[file]] = 1.0 + above + _PER_SCORE * score[row][file]
    if many:
        rows, columns = np.arange(len(weight)), weight.argmax(axis=1)
    else:
        rows, columns = linear_sum_assignment(weight, maximize=True)
    return {int(row): files[at] for row, at in zip(rows, columns, strict=True) if weight[row, at] > 0}


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _ODDS_LIMIT), 1 - _ODDS_LIMIT)
    return math.log(kept / (1 - kept))
