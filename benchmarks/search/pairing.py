"""The row of `antiphon pair`: recordings and note files without common names, some without a partner.

The note files lack those of 20 recordings, and the recordings lack those of 20 note files; performances from the
library's folders fill up the note files. MAESTRO spells one work in many ways. Therefore performances that may be of an
absent work are left out: those with the same composer and a common word or number in the title. Other performances of
works that are present stay: pairing a recording with one of them is an error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.alignment.confidence import LIKELY
from antiphon.corpora import Corpus, Recording, open_corpus
from antiphon.errors import AntiphonError
from antiphon.index.pairing import pair_recordings
from antiphon.index.pairing_result import Pair, Pairing
from antiphon.io.files import content_hash
from antiphon.provenance import code_version
from benchmarks.search.queries import BestMatch, Library, Outcome, Query
from benchmarks.search.rows import Row, Setting
from benchmarks.search.scoring import TOLERANCE_S, Measure, ScoredQuery, short_path, summarise

RECORDINGS, FILES, WITHOUT = 60, 300, 20
MEASURES = (
    Measure("right pairs", lambda one: one.performance, lambda one: one.query.file != "", 97.0),
    Measure("wrong pairs", lambda one: one.sure and not one.performance, bar=0.0, wrong=True),
    Measure("right pairs, both ends within 0.5 s", lambda one: one.place, lambda one: one.query.file != ""),
)


@dataclass(frozen=True)
class Task:
    """The recordings to pair, the ids of those whose notes are among the files, and the note files."""

    recordings: tuple[Recording, ...]
    present: frozenset[str]
    files: tuple[Path, ...]


def draw_task(
    corpus: Corpus,
    folders: Sequence[Path],
    seed: int,
    recordings: int = RECORDINGS,
    files: int = FILES,
    without: int = WITHOUT,
) -> Task:
    """Sample a task with the seed. Raises `AntiphonError` where the data are too few."""
    rng = np.random.default_rng(seed)
    sounding = corpus.with_sound().recordings
    shuffled = [sounding[number] for number in rng.permutation(len(sounding))]
    absent: list[Recording] = []
    left = shuffled
    for one in shuffled:
        kept = [other for other in left if not may_be_one_work(one, other)]
        if len(absent) < without and len(kept) >= recordings and one.work not in {other.work for other in absent}:
            absent, left = [*absent, one], kept
    present, unpaired = left[: recordings - without], left[recordings - without : recordings]
    inside = {one.notes_path.resolve() for one in (*present, *unpaired)}
    own = {content_hash(one.notes_path) for one in corpus.recordings}
    more = [one for folder in folders for one in open_corpus(folder).recordings if one.composer]
    more = [one for one in more if not any(may_be_one_work(one, other) for other in absent)]
    fill = sorted({one.notes_path.resolve() for one in more if content_hash(one.notes_path) not in own})
    missing = files - len(inside)
    if len(absent) < without or len(left) < recordings or len(fill) < missing:
        have = f"{len(left)} recordings of works that are not absent, and {len(fill)} further files"
        raise AntiphonError(f"{corpus.name}: not enough for {recordings} recordings × {files} files: {have}")
    filled = [fill[number] for number in rng.permutation(len(fill))[: max(0, missing)]]
    drawn = [*present, *absent]
    drawn = [drawn[number] for number in rng.permutation(len(drawn))]
    return Task(tuple(drawn), frozenset(one.id for one in present), tuple(sorted({*inside, *filled})))


def may_be_one_work(one: Recording, other: Recording) -> bool:
    """Whether two performances share the work, or the composer and a word or number of the title."""
    same = one.composer.casefold() == other.composer.casefold() and _title_words(one) & _title_words(other)
    return one.work == other.work or bool(same)


def _title_words(one: Recording) -> set[str]:
    return set(re.findall(r"[^\W\d_]{5,}|\d{2,}", one.title.casefold())) - {"major", "minor", "sharp"}


def score_pairing(task: Task, pairing: Pairing, seconds: float) -> list[ScoredQuery]:
    """Score the pair of every recording; `seconds` is the mean time per recording."""
    by_recording = {one.recording: one for one in pairing.pairs}
    refused = {str(error.path): error.reason for error in pairing.skipped}
    rows = []
    for one in task.recordings:
        path = str(one.audio_path)
        right = str(one.notes_path.resolve()) if one.id in task.present else ""
        query = Query(one.id, Path(path), 0.0, one.duration_s, right, 0.0, kind="present" if right else "absent")
        found = by_recording.get(path)
        outcome = Outcome(None if found is None else _as_found(found), seconds, refused.get(path, ""))
        same = found is not None and found.file == right
        place = found is not None and same and _is_localised(found, one.duration_s)
        rows.append(ScoredQuery(query, outcome, same, place, place, same, found is not None))
    return rows


def _as_found(found: Pair) -> BestMatch:
    return BestMatch(
        found.file,
        found.start_s,
        found.end_s,
        found.query_start_s,
        found.tempo,
        found.score,
        found.confidence,
        found.semitones,
    )


def _is_localised(found: Pair, duration_s: float) -> bool:
    """Whether the pair covers the whole recording at equal times, except for silence at the end."""
    begins = abs(found.start_s - found.query_start_s) <= TOLERANCE_S and found.query_start_s <= TOLERANCE_S
    ends = abs(found.end_s - found.query_end_s) <= TOLERANCE_S
    return begins and ends and found.query_end_s <= duration_s + TOLERANCE_S


def run(row: Row, setting: Setting) -> dict[str, Any]:
    """Run the pairing and return the figures."""
    assert setting.data.corpus is not None
    task = draw_task(setting.data.corpus, setting.data.library, setting.seed)
    library = Library(task.files)
    embedder = setting.indexes.embedder
    with setting.indexes.open(library) as store:
        began = time.perf_counter()
        pairing = pair_recordings([one.audio_path for one in task.recordings if one.audio_path], store, embedder)
        seconds = (time.perf_counter() - began) / len(task.recordings)
        files, windows, hours = store.counts()["notes"]
    return {
        "model": embedder.name,
        "model_hash": embedder.fingerprint,
        "code": code_version(),
        "seed": setting.seed,
        "likely": LIKELY,
        "library": {"recordings": files, "windows": windows, "hours": round(hours, 2)},
        "data_hash": setting.data.corpus.manifest_hash,
        "library_hash": library.manifest_hash,
        "without_recording": len(pairing.files),
        "failed": sorted({f"{short_path(error.path)}: {error.reason}" for error in setting.indexes.failed}),
    } | summarise(score_pairing(task, pairing, seconds), MEASURES)
