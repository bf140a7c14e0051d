"""MusicXML against music21: how many files are read, and how many have music21's onsets.

Files are drawn from the corpus in music21's wheel. music21 reads each as this library does: at sounding pitch, repeats
unfolded by `expandRepeats`. A file agrees when each pitch has the same onsets within 0.001 quarters. Left out on both
sides are:

* grace notes, unpitched strokes and chord symbols;
* notes that carry the end of a tie in the file. This library joins them to the notes before and music21's `stripTies`
  does so, except in chords tied in part, where another voice comes between, or where a tie has no beginning;
* notes reached by a tie that the file states at its beginning only. This library joins such ties; `stripTies` joins
  some, by the printed natural, by the order of the voices and by whether they stand in chords.

Two inconsistencies of music21 are removed before it unfolds: it does not know "D.C. al Fine" with a line break in it,
and it unfolds each part by the signs and words in that part, although MusicXML states them in the uppermost part for
all.

Files that music21 gives no valid answer for count as read or not, but are not compared:

* it fails, takes more than two minutes, or refuses to unfold the repeats;
* its parts get out of step: bars of one place in the score begin at different times in them;
* the end of a repeat follows the end of another without a start between them. By convention the second section begins
  after the first; music21 takes them as nested and plays A A B A A B;
* a repeat has a bracket over its first ending and none over its second; music21 leaves out the whole repeat.

Its answers are slow, about an hour for 300 files, and are kept in a folder of the system's temporary folder.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import UnreadableInput
from antiphon.io.files import write_json
from antiphon.io.scores import read_sheet
from antiphon.io.sheet import Sheet, TempoMark, performed
from benchmarks.timing import Benchmark, Effort, Row, TooSlow, time_limit

SEED = 7
FILES = 300
_TOLERANCE = 1e-3  # quarters
_LIMIT_S = 120
_TIED = "end of a tie"
_ANSWERS = 2  # how music21's answers are made; kept ones of another kind are not used
_SUFFIXES = (".mxl", ".xml", ".musicxml")


def draw(folder: Path, seed: int, count: int) -> list[Path]:
    """Files of a corpus folder, drawn by a seed."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    return sorted(random.Random(seed).sample(files, count))


def _measure(effort: Effort) -> list[Row]:
    found = find_spec("music21")
    if found is None or found.origin is None:
        return [Row("read MusicXML", "%", None, "music21", remark="not installed: music21")]
    corpus = Path(found.origin).parent / "corpus"
    files = draw(corpus, SEED, effort.pick(FILES, 4))
    outcomes: Counter[str] = Counter()
    failed, notes, read_s = 0, 0, 0.0
    for path in files:
        began = time.perf_counter()
        try:
            sheet = read_sheet(path, path.read_bytes())
            notes += len(performed(sheet, path))
        except UnreadableInput as error:
            failed += 1
            print(error)
            continue
        finally:
            read_s += time.perf_counter() - began
        outcome = _outcome(sheet, path, _kept_answer(corpus, path))
        outcomes[outcome] += 1
        if outcome != "agrees":
            print(f"{path.relative_to(corpus)}: {outcome}")
    compared = outcomes["agrees"] + outcomes["differs"]
    aside = ", ".join(f"{count} {why}" for why, count in outcomes.items() if why not in ("agrees", "differs"))
    share = 100 * outcomes["agrees"] / compared if compared else None
    return [
        Row(f"MusicXML read ({len(files)} files, seed {SEED})", "%", 100 * (1 - failed / len(files)), remark="bar: 98"),
        Row(
            f"onsets equal music21's ({compared} files)", "%", share, remark=f"bar: 99; not compared: {aside or 'none'}"
        ),
        Row("MusicXML read", "notes/s", notes / read_s),
    ]


def _outcome(sheet: Sheet, path: Path, answer: dict[str, Any]) -> str:
    if answer["aside"]:
        return str(answer["aside"])
    bars = [
        replace(bar, notes=[note._replace(id=_TIED if note.tie_from else "-") for note in bar.notes if not note.grace])
        for bar in sheet.bars
    ]
    ours = performed(Sheet(bars, [TempoMark(Fraction(0), 60.0)], sheet.order), path)  # a second is a quarter
    kept = np.flatnonzero([] if ours.id is None else ours.id != _TIED)
    tied = {(onset, pitch) for onset, pitch in answer["tied"]}
    attacks = zip(ours.onset_s[kept].tolist(), ours.pitch[kept].tolist(), strict=True)
    same = _same([note for note in attacks if not _is_near(note, tied)], answer["notes"])
    return "agrees" if same else "differs"


def _same(ours: Sequence[tuple[float, int]], theirs: Sequence[tuple[float, int]]) -> bool:
    def by_pitch(notes: Sequence[tuple[float, int]]) -> dict[int, list[float]]:
        onsets: defaultdict[int, list[float]] = defaultdict(list)
        for onset, pitch in notes:
            onsets[pitch].append(onset)
        return {pitch: sorted(found) for pitch, found in onsets.items()}

    left, right = by_pitch(ours), by_pitch(theirs)
    return left.keys() == right.keys() and all(
        len(left[pitch]) == len(right[pitch]) and np.allclose(left[pitch], right[pitch], rtol=0, atol=_TOLERANCE)
        for pitch in left
    )


def _kept_answer(corpus: Path, path: Path) -> dict[str, Any]:
    folder = Path(tempfile.gettempdir()) / f"antiphon-music21-{version('music21')}-{_ANSWERS}"
    folder.mkdir(exist_ok=True)
    kept = folder / ("__".join(path.relative_to(corpus).parts) + ".json")
    if not kept.exists():
        try:
            with time_limit(_LIMIT_S):
                answer = _answer(path)
        except (Exception, TooSlow) as error:  # music21 raises exceptions of any kind
            answer = {"aside": "too slow in music21" if isinstance(error, TooSlow) else "fails in music21"}
        write_json(kept, answer)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _answer(path: Path) -> dict[str, Any]:
    """music21's notes as (onset in quarters, pitch), or why they are set aside."""
    from music21 import converter, harmony, note, percussion, repeat

    score: Any = converter.parseFile(path, forceSource=True, storePickle=False).toSoundingPitch()
    if _is_nested(score.parts[0]):
        return {"aside": "with repeats that music21 takes as nested"}
    if _has_lone_ending(score.parts[0]):
        return {"aside": "with a repeat that music21 leaves out"}
    _mend(score)
    try:
        score = score.expandRepeats()
    except repeat.ExpanderException:
        return {"aside": "with repeats that music21 refuses"}
    starts = [[float(bar.offset) for bar in part.getElementsByClass("Measure")] for part in score.parts]
    is_even = len({len(one) for one in starts}) == 1
    if not is_even or any(
        not np.allclose(one, other) for one, *others in zip(*starts, strict=True) for other in others
    ):
        return {"aside": "with parts out of step in music21"}
    attacks: list[tuple[float, int]] = []
    open_ties: set[tuple[float, int]] = set()
    for part in score.parts:
        reached: set[tuple[float, int]] = set()
        ends: set[tuple[float, int]] = set()
        for element in part.flatten().notes:
            if isinstance(element, (harmony.Harmony, note.Unpitched, percussion.PercussionChord)):
                continue
            if element.duration.isGrace:
                continue
            start, length = float(element.offset), float(element.quarterLength)
            for one in getattr(element, "notes", [element]):
                pitch = round(one.pitch.ps)
                tie = "" if one.tie is None else one.tie.type
                if tie in ("stop", "continue"):
                    ends.add((start, pitch))
                else:
                    attacks.append((start, pitch))
                if tie in ("start", "continue"):
                    reached.add((start + length, pitch))
        open_ties |= {place for place in reached if not _is_near(place, ends)}
    tied = [note for note in attacks if _is_near(note, open_ties)]
    return {"aside": "", "notes": [note for note in attacks if note not in tied], "tied": tied}


def _is_near(note: tuple[float, int], places: set[tuple[float, int]]) -> bool:
    return any(pitch == note[1] and abs(onset - note[0]) <= _TOLERANCE for onset, pitch in places)


def _is_nested(part: Any) -> bool:
    """Whether the end of a repeat follows the end of another without a start between them."""
    after_end = False
    for bar in part.getElementsByClass("Measure"):
        for line in (bar.leftBarline, bar.rightBarline):
            direction = getattr(line, "direction", None)
            if direction == "end" and after_end:
                return True
            after_end = direction == "end" or (after_end and direction != "start")
    return False


def _has_lone_ending(part: Any) -> bool:
    """Whether a repeat has a bracket over its first ending, and none over its second."""
    brackets = list(part.recurse().getElementsByClass("RepeatBracket"))
    covered = {id(bar): bracket for bracket in brackets for bar in bracket.getSpannedElements()}
    return any(
        id(bar) in covered
        and 1 in covered[id(bar)].numberRange
        and id(after) not in covered
        and getattr(bar.rightBarline, "direction", None) == "end"
        for bar, after in pairwise(part.getElementsByClass("Measure"))
    )


def _mend(score: Any) -> None:
    """Read jumps with a line break in their words; give jumps to all parts."""
    for text in list(score.recurse().getElementsByClass("TextExpression")):
        text.content = " ".join(text.content.split())
        jump = text.getRepeatExpression()
        if jump is not None:
            text.activeSite.insert(text.offset, jump)
            text.activeSite.remove(text)
    for column in zip(*(part.getElementsByClass("Measure") for part in score.parts), strict=False):
        jumps = {type(jump): jump for bar in column for jump in bar.getElementsByClass("RepeatExpression")}
        for bar in column:
            own = {type(jump) for jump in bar.getElementsByClass("RepeatExpression")}
            for kind in jumps.keys() - own:
                bar.insert(jumps[kind].offset, copy.deepcopy(jumps[kind]))


BENCHMARKS = (Benchmark("read-musicxml", _measure),)
