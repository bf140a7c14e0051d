"""Localisation: finding the place of a query that starts at an arbitrary time in a library of the other modality.

Conventions. The library is the windows of a grid over every recording. A query begins at a random time, off the grid.
It is embedded as W windows, one hop of the grid apart. A candidate is W consecutive windows of one recording of the
library; its score is the mean over w of the cosine of the query's window w and the candidate's window w.

The offset of the query from the grid is unknown, so the query is embedded V times (`times`), with the first window
shifted to an earlier start each time. With V > 1 there is one window more than fit into the query: the first and the
last extend beyond it, by one hop in total. The query is cut out first, so they contain nothing beyond it, and their
weight in the mean falls with the part that is outside. A match of version v with the candidate at time p means that the
query begins at p plus the shift of v. All V · candidates are ranked together.

The best candidate is right when it is in the query's own recording and its begin is within a tolerance of the true one.
Other performances of the query's work are no candidates, since they are neither right nor wrong. Ties count as errors:
of several candidates with the highest score all must be right. An empty query or candidate is never right. In direction
`a2m` the queries are audio, in `m2a` notes.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora import Corpus, Recording
from antiphon.corpora.segment_table import PAPER_GRID, WindowGrid, work_numbers
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.evaluation.bootstrap import interval_95, resampled_means
from antiphon.evaluation.ranks import TIE
from antiphon.evaluation.repeats import is_repeat
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import OpenedRecording, open_recordings
from antiphon.models.protocol import Embedder
from antiphon.types import MODALITIES, Modality

Rows = NDArray[np.float32]

_DIRECTIONS: Mapping[str, tuple[Modality, Modality]] = {"a2m": ("audio", "notes"), "m2a": ("notes", "audio")}
_CHUNK = 1 << 24  # cosines in memory at a time: 64 MB
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Queries:
    """`per_recording` queries of `length_s` from each recording, at arbitrary start times, against windows of `grid`.

    A candidate is right when its begin is within `tolerance_s` of the query's. Each query is embedded `times` times,
    with shifts that divide a hop evenly. A window that is outside of the query by a whole hop loses `reaching_loses` of
    its weight. Raises `ValueError` when the length is not that of whole windows one hop apart, for fewer than 1 of
    `times`, and when a window would lose all its weight.
    """

    length_s: float
    tolerance_s: float
    grid: WindowGrid = PAPER_GRID
    per_recording: int = 10
    times: int = 1
    reaching_loses: float = 0.75

    def __post_init__(self) -> None:
        hops = self._hops
        if hops < 0 or abs(hops - round(hops)) > 1e-9:
            raise ValueError(
                f"a query of {self.length_s:g} s does not divide into windows of {self.grid.window_s:g} s, "
                f"one every {self.grid.hop_s:g} s"
            )
        if self.times < 1:
            raise ValueError(f"times: a query is embedded at least once, not {self.times} times")
        if not 0 <= self.reaching_loses < 1:
            raise ValueError(f"reaching_loses: expected a share in [0, 1), found {self.reaching_loses:g}")

    @property
    def _hops(self) -> float:
        """Hops from the first window inside a query to the last."""
        return (self.length_s - self.grid.window_s) / self.grid.hop_s

    @property
    def reach_s(self) -> float:
        """The largest extent of a window beyond either end of a query, in seconds."""
        return self.grid.hop_s if self.times > 1 else 0.0

    @property
    def windows(self) -> int:
        """W, the number of windows of a query.

        >>> Queries(10.0, 1.0).windows, Queries(10.0, 1.0, times=8).windows
        (7, 8)
        """
        return round(self._hops) + 1 + (self.times > 1)

    @property
    def shifts_s(self) -> NDArray[np.float64]:
        """The time from the first window's start to the query's begin, in seconds [V].

        >>> Queries(4.0, 0.5, times=4).shifts_s.tolist()
        [0.0, 0.25, 0.5, 0.75]
        """
        return np.arange(self.times, dtype=np.float64) * (self.grid.hop_s / self.times)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weight of each window in the mean [V, W]; each row sums to 1.

        >>> Queries(5.0, 0.5, times=2).weights.round(2).tolist()
        [[0.44, 0.44, 0.11], [0.28, 0.44, 0.28]]
        """
        weights = np.ones((self.times, self.windows))
        weights[:, 0] -= self.reaching_loses * self.shifts_s / self.grid.hop_s
        weights[:, -1] -= self.reaching_loses * (self.reach_s - self.shifts_s) / self.grid.hop_s
        return weights / weights.sum(axis=1, keepdims=True)

    def starts_s(self, recording: Recording, seed: int) -> NDArray[np.float64]:
        """Uniformly random starts [k] in seconds, such that the grid's windows cover the queries.

        Empty when the recording is too short for a query off the grid. They depend on `seed` and the recording's id
        only, not on the corpus.
        """
        room = len(self.grid.starts_s(recording.duration_s)) - (round(self._hops) + 1)
        if room <= 0:
            return np.zeros(0)
        rng = np.random.default_rng([seed, zlib.crc32(os.fsencode(recording.id))])
        return rng.uniform(0.0, room * self.grid.hop_s, self.per_recording)


@dataclass(frozen=True, eq=False)
class EmbeddedRecording:
    """A recording's windows on the grid, and its queries.

    `library` has the n windows of each modality, float32 [n, D], in order of time. `queries` has the k queries of each
    modality, V shifts of W windows, float32 [k, V, W, D]; they begin at `start_s` float64 [k]. `notes` are those of the
    whole recording. `work` is equal for performances of one composition.
    """

    work: str
    notes: Notes
    library: Mapping[Modality, Rows]
    queries: Mapping[Modality, Rows]
    start_s: NDArray[np.float64]


def localise(embedder: Embedder, corpus: Corpus, queries: Queries, seed: int = 42) -> dict[str, Any]:
    """Localise queries from every recording, in both directions: the scores of `score_localisation` and the settings.

    Each recording is decoded once. Recordings that cannot be read are named in `skipped`; those too short for a query
    are in the library only. Memory: the library's embeddings and about 200 MB. Windows have the embedder's length
    instead of that of the grid of `queries`; the result records the queries with that length. Raises `AntiphonError`
    when a query does not divide into such windows, when no recording can be read and when none is long enough.
    """
    try:
        queries = replace(queries, grid=queries.grid.of_windows(embedder.window_s))
    except ValueError as error:
        raise AntiphonError(f"model {embedder.name}: {error}") from None
    skipped: list[UnreadableInput] = []
    recordings = [
        _embed(embedder, opened, recording.work, queries, queries.starts_s(recording, seed))
        for recording, opened in open_recordings(corpus, embedder.sample_rate_hz, queries.grid, skipped)
    ]
    if not any(len(one.start_s) for one in recordings):
        raise AntiphonError(f"{corpus.name}: none of its recordings is longer than a query of {queries.length_s:g} s")
    return {
        **asdict(queries),
        "seed": seed,
        "recordings": len(recordings),
        **score_localisation(recordings, queries, seed),
        "skipped": [str(error) for error in skipped],
    }


def _embed(
    embedder: Embedder, opened: OpenedRecording, work: str, queries: Queries, start_s: NDArray[np.float64]
) -> EmbeddedRecording:
    """Embed both modalities of a recording's windows and queries."""
    library = embedder.embed_pairs(opened.samples, opened.notes, opened.starts_s)
    embedded = [_embed_query(embedder, opened, float(begin_s), queries) for begin_s in start_s]
    none = np.zeros((0, queries.times, queries.windows, library[0].shape[1]), np.float32)
    return EmbeddedRecording(
        work,
        opened.notes,
        dict(zip(MODALITIES, library, strict=True)),
        {side: np.stack([rows[side] for rows in embedded]) if embedded else none for side in MODALITIES},
        start_s,
    )


def _embed_query(embedder: Embedder, opened: OpenedRecording, begin_s: float, queries: Queries) -> dict[Modality, Rows]:
    """Both modalities of a query's windows [V, W, D], with nothing outside of the query.

    Notes that began before the query sound in it. Windows that begin before the query exclude them, since their onsets
    are unknown.
    """
    rate, reach_s, length_s = embedder.sample_rate_hz, queries.reach_s, queries.length_s
    first, reach = round(begin_s * rate), round(reach_s * rate)
    samples = np.pad(opened.samples[first : first + round(length_s * rate)], reach)
    sounding = opened.notes.window(begin_s, length_s).within(-np.inf, length_s)
    windows_s = (np.arange(queries.windows) * queries.grid.hop_s - queries.shifts_s[:, None]).ravel()
    early = windows_s < 0
    embedded = {side: np.zeros((len(windows_s), embedder.dimensions), np.float32) for side in MODALITIES}
    for part, notes in ((early, sounding.within(0.0, length_s)), (~early, sounding)):
        if part.any():
            moved = notes.window(-reach_s, length_s + 2 * reach_s)
            pair = embedder.embed_pairs(samples, moved, windows_s[part] + reach_s)
            for side, rows in zip(MODALITIES, pair, strict=True):
                embedded[side][part] = rows
    shape = (queries.times, queries.windows, embedder.dimensions)
    return {side: rows.reshape(shape) for side, rows in embedded.items()}


def score_localisation(recordings: Sequence[EmbeddedRecording], queries: Queries, seed: int = 42) -> dict[str, Any]:
    """The share of queries whose best candidate is right, per direction, in percent.

    `place`: it is right. `piece`: it is in the query's own recording. `repeats_forgiven`: it is right, or the recording
    repeats the query's notes there (see `is_repeat`). `chance`: the scores of a random order. `intervals_95`: bootstrap
    intervals over pieces. `library`: the number of windows.
    """
    search = _Search(recordings, queries)
    hits = {
        (direction, score): own
        for direction in _DIRECTIONS
        for score, own in search.hits(*_DIRECTIONS[direction]).items()
    }
    means = resampled_means(hits, search.work[search.owner], seed)
    result: dict[str, Any] = {
        "library": sum(len(one.library["audio"]) for one in recordings),
        "queries": len(search.owner),
        **{direction: {"queries": len(search.owner)} for direction in _DIRECTIONS},
        "chance": search.chance(),
        "intervals_95": {"pieces": {direction: {} for direction in _DIRECTIONS}},
    }
    for direction, score in hits:
        result[direction][score] = float(hits[direction, score].mean())
        result["intervals_95"]["pieces"][direction][score] = interval_95(means[direction, score])
    return result


class _Search:
    """q queries and their candidates: `owner` int [q] is each query's recording; `work` int [recordings]."""

    def __init__(self, recordings: Sequence[EmbeddedRecording], queries: Queries) -> None:
        self.recordings, self.queries = recordings, queries
        self.owner = np.repeat(np.arange(len(recordings)), [len(one.start_s) for one in recordings])
        self.start_s = np.concatenate([one.start_s for one in recordings])
        self.work = work_numbers(recordings)
        self.tolerance_s = queries.tolerance_s + _ROUNDING_S

    def hits(self, query_side: Modality, library_side: Modality) -> dict[str, NDArray[np.float64]]:
        """For each score, 100 for a query [q] that is right and 0 for one that is not."""
        own, rival = self._scores(query_side, library_side)
        hits = {score: np.zeros(len(self.owner)) for score in ("place", "piece", "repeats_forgiven")}
        for query, (scores, start_s) in enumerate(zip(own, self.start_s.tolist(), strict=True)):
            best = scores.max()
            if best == 0 or not best > rival[query] + TIE:  # NaN compares false
                continue
            shift, candidate = np.nonzero(scores >= best - TIE)
            begins_s = candidate * self.queries.grid.hop_s + self.queries.shifts_s[shift]
            misplaced_s = begins_s[np.abs(begins_s - start_s) > self.tolerance_s].tolist()
            notes, length_s = self.recordings[self.owner[query]].notes, self.queries.length_s
            forgiven = all(is_repeat(notes, start_s, other_s, length_s, self.tolerance_s) for other_s in misplaced_s)
            hits["piece"][query] = 100.0
            hits["place"][query] = 0.0 if misplaced_s else 100.0
            hits["repeats_forgiven"][query] = 100.0 * forgiven
        return hits

    def _scores(self, query_side: Modality, library_side: Modality) -> tuple[list[Rows], Rows]:
        """Each query's scores [V, candidates] in its own recording, and its highest score [q] among other works."""
        rows = np.concatenate([one.queries[query_side] for one in self.recordings])
        weights = self.queries.weights.astype(np.float32)
        own = [np.zeros((1, 0), np.float32)] * len(rows)
        rival = np.full(len(rows), -np.inf, np.float32)
        for number, one in enumerate(self.recordings):
            for part, scores in _candidate_scores(rows, one.library[library_side], weights):
                for query in np.flatnonzero(self.owner[part] == number):
                    own[part.start + query] = scores[query].copy()  # not a view, which would keep the block
                other = self.work[self.owner[part]] != self.work[number]
                rival[part] = np.where(other, np.maximum(rival[part], scores.max(axis=(1, 2))), rival[part])
        return own, rival

    def chance(self) -> dict[str, float]:
        """Expected `place` and `piece` of a random order, in percent."""
        hop_s, windows, shifts_s = self.queries.grid.hop_s, self.queries.windows, self.queries.shifts_s
        counts = np.array([max(0, len(one.library["audio"]) - windows + 1) for one in self.recordings])
        own = counts[self.owner]
        same_work = np.bincount(self.work, weights=counts)[self.work[self.owner]]
        candidates = (counts.sum() - same_work + own) * len(shifts_s)
        begins_s = self.start_s[:, None] - shifts_s  # of the right candidate at each shift
        first = np.maximum(np.ceil((begins_s - self.tolerance_s) / hop_s), 0)
        last = np.minimum(np.floor((begins_s + self.tolerance_s) / hop_s), own[:, None] - 1)
        right = np.maximum(last - first + 1, 0).sum(axis=1)
        piece = own * len(shifts_s) / candidates
        return {"place": float(100 * (right / candidates).mean()), "piece": float(100 * piece.mean())}


def _candidate_scores(queries: Rows, library: Rows, weights: Rows) -> Iterator[tuple[slice, Rows]]:
    """Scores [b, V, candidates] of all candidates of a recording [n, D], for slices of the queries [q, V, W, D].

    Yields nothing for a recording shorter than a query.
    """
    _, times, windows, dimensions = queries.shape
    candidates = len(library) - windows + 1
    if candidates < 1:
        return
    block = max(1, _CHUNK // (times * windows * len(library)))
    for begin in range(0, len(queries), block):
        part = slice(begin, begin + block)
        cosine = (queries[part].reshape(-1, dimensions) @ library.T).reshape(-1, times, windows, len(library))
        # For the candidate at window k of the library, the query's window w is compared with window k + w.
        yield part, np.sum([weights[:, w, None] * cosine[:, :, w, w : w + candidates] for w in range(windows)], axis=0)
