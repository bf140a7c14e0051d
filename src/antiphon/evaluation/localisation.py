"""A stretch of one side that begins anywhere: is its place found in a library of the other side?

Conventions. The library is the windows of a grid over every recording. A query begins at a random time, not on the
grid, and is asked as W windows, one hop of the grid apart. A place is W windows of a recording that follow each other
in the library; its score is the mean over w of the cosine of the query's window w and the place's window w. Since it
is not known how the query lies to the grid, it is asked V times, with its first window a little earlier each time,
and one window more than fit into it, so that first and last reach out of it by a hop together. The query is cut out
first: there is nothing in them beyond it, and they count the less in the mean the farther they reach. Time v at place
p says that the query begins as much after p as the first window is early; all V · places are ranked together. The best
is right when it is in the query's own recording and says a begin within a tolerance of the true one. Other performances
of the query's work are no candidates, being neither right nor wrong. Ties count against us: of several places with the
highest score all have to be right. A query or place with nothing in it is never right. `a2m` asks with sound for notes,
`m2a` the other way round.
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
from antiphon.evaluation.ranks import TIE
from antiphon.evaluation.repeats import is_repeat
from antiphon.evaluation.scores import interval_95, resampled_means
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import OpenedRecording, open_recordings
from antiphon.models.protocol import Embedder
from antiphon.types import Modality

Rows = NDArray[np.float32]

_SIDES: tuple[Modality, Modality] = ("audio", "notes")
_WAYS: Mapping[str, tuple[Modality, Modality]] = {"a2m": ("audio", "notes"), "m2a": ("notes", "audio")}
_AT_ONCE = 1 << 24  # cosines held at a time: 64 MB
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Queries:
    """Queries of `length_s` that begin anywhere, `per_recording` in each recording, sought in the windows of `grid`.

    A place counts when it says a begin within `tolerance_s` of the query's. Each query is asked as it is or, with more
    than one of `times`, as many times, its windows early by an equal part of a hop more each time; a window that
    reaches out of the query by a hop loses `reaching_loses` of its weight. Raises `ValueError` when the length is not
    that of whole windows, one hop apart, when it is asked no time, and when a window would lose all its weight.
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
                f"a query of {self.length_s:g} s is not made of windows of {self.grid.window_s:g} s, "
                f"one every {self.grid.hop_s:g} s"
            )
        if self.times < 1:
            raise ValueError(f"a query is asked once or more often, not {self.times} times")
        if not 0 <= self.reaching_loses < 1:
            raise ValueError(f"a window loses a part of its weight, from 0 up to 1, not {self.reaching_loses:g}")

    @property
    def _hops(self) -> float:
        """From the first window within a query to the last."""
        return (self.length_s - self.grid.window_s) / self.grid.hop_s

    @property
    def reach_s(self) -> float:
        """How far windows may reach out of a query at either end."""
        return self.grid.hop_s if self.times > 1 else 0.0

    @property
    def windows(self) -> int:
        """W, the windows that a query is asked as.

        >>> Queries(10.0, 1.0).windows, Queries(10.0, 1.0, times=8).windows
        (7, 8)
        """
        return round(self._hops) + 1 + (self.times > 1)

    @property
    def early_s(self) -> NDArray[np.float64]:
        """How much before the query its first window begins [V].

        >>> Queries(4.0, 0.5, times=4).early_s.tolist()
        [0.0, 0.25, 0.5, 0.75]
        """
        return np.arange(self.times, dtype=np.float64) * (self.grid.hop_s / self.times)

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each window of each time counts [V, W].

        >>> Queries(5.0, 0.5, times=2).weights.round(2).tolist()
        [[0.44, 0.44, 0.11], [0.28, 0.44, 0.28]]
        """
        weights = np.ones((self.times, self.windows))
        weights[:, 0] -= self.reaching_loses * self.early_s / self.grid.hop_s
        weights[:, -1] -= self.reaching_loses * (self.reach_s - self.early_s) / self.grid.hop_s
        return weights / weights.sum(axis=1, keepdims=True)

    def starts_s(self, recording: Recording, seed: int) -> NDArray[np.float64]:
        """Uniformly random starts [k] such that the queries lie within what the grid covers of the recording.

        None when there is no room to begin off the grid. Seed and recording alone decide, whatever corpus it is in.
        """
        room = len(self.grid.starts_s(recording.duration_s)) - (round(self._hops) + 1)
        if room <= 0:
            return np.zeros(0)
        rng = np.random.default_rng([seed, zlib.crc32(os.fsencode(recording.id))])
        return rng.uniform(0.0, room * self.grid.hop_s, self.per_recording)


@dataclass(frozen=True, eq=False)
class EmbeddedRecording:
    """A recording's windows on the grid, and its stretches that ask.

    `library` holds each side's n windows, float32 [n, D], in order of time; `queries` each side's k queries of W
    windows each of V times, float32 [k, V, W, D], which begin at `start_s` float64 [k]. `notes` are the whole
    recording's; `work` is equal for performances of one composition.
    """

    work: str
    notes: Notes
    library: Mapping[Modality, Rows]
    queries: Mapping[Modality, Rows]
    start_s: NDArray[np.float64]


def localise(embedder: Embedder, corpus: Corpus, queries: Queries, seed: int = 42) -> dict[str, Any]:
    """Ask with stretches of every recording for their place, both ways: `score_localisation`, with what was asked of
    what.

    Each recording is decoded once; those that cannot be read are named in `skipped`, those too short to ask are in the
    library. Memory is that of the library and some 200 MB. Windows have the length of the embedder's, whatever the
    grid of `queries` says; the result has the queries as they were asked. Raises `AntiphonError` when a query is not
    made of such windows, when no recording can be read or none is long enough.
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
    """Both sides of the library's windows and of the queries'."""
    library = embedder.embed_pairs(opened.samples, opened.notes, opened.starts_s)
    asked = [_ask(embedder, opened, float(begin_s), queries) for begin_s in start_s]
    none = np.zeros((0, queries.times, queries.windows, library[0].shape[1]), np.float32)
    return EmbeddedRecording(
        work,
        opened.notes,
        dict(zip(_SIDES, library, strict=True)),
        {side: np.stack([rows[side] for rows in asked]) if asked else none for side in _SIDES},
        start_s,
    )


def _ask(embedder: Embedder, opened: OpenedRecording, begin_s: float, queries: Queries) -> dict[Modality, Rows]:
    """Both sides of a query's windows each time [V, W, D], with nothing outside of the query.

    Notes that began before the query sound in it, but in windows that begin before it too they are left out: where they
    began is not known.
    """
    rate, reach_s, length_s = embedder.sample_rate_hz, queries.reach_s, queries.length_s
    first, reach = round(begin_s * rate), round(reach_s * rate)
    samples = np.pad(opened.samples[first : first + round(length_s * rate)], reach)
    sounding = opened.notes.window(begin_s, length_s).within(-np.inf, length_s)
    windows_s = (np.arange(queries.windows) * queries.grid.hop_s - queries.early_s[:, None]).ravel()
    early = windows_s < 0
    found = {side: np.zeros((len(windows_s), embedder.dimensions), np.float32) for side in _SIDES}
    for part, notes in ((early, sounding.within(0.0, length_s)), (~early, sounding)):
        if part.any():
            later = notes.window(-reach_s, length_s + 2 * reach_s)
            for side, rows in zip(_SIDES, embedder.embed_pairs(samples, later, windows_s[part] + reach_s), strict=True):
                found[side][part] = rows
    shape = (queries.times, queries.windows, embedder.dimensions)
    return {side: rows.reshape(shape) for side, rows in found.items()}


def score_localisation(recordings: Sequence[EmbeddedRecording], queries: Queries, seed: int = 42) -> dict[str, Any]:
    """How often the best place is right, each way, in percent of the queries.

    `place`: it is right. `piece`: it is in the query's own recording. `repeats_forgiven`: it is right, or the
    recording plays the same notes again there (see `is_repeat`). With the `chance` of a random order and 95 % bootstrap
    intervals over pieces; `library` counts windows.
    """
    search = _Search(recordings, queries)
    hits = {(way, score): found for way in _WAYS for score, found in search.hits(*_WAYS[way]).items()}
    means = resampled_means(hits, search.work[search.owner], seed)
    result: dict[str, Any] = {
        "library": sum(len(one.library["audio"]) for one in recordings),
        "queries": len(search.owner),
        **{way: {"queries": len(search.owner)} for way in _WAYS},
        "chance": search.chance(),
        "intervals_95": {"pieces": {way: {} for way in _WAYS}},
    }
    for way, score in hits:
        result[way][score] = float(hits[way, score].mean())
        result["intervals_95"]["pieces"][way][score] = interval_95(means[way, score])
    return result


class _Search:
    """q queries and the places they may find: `owner` int [q] is each one's recording, `work` int [recordings]."""

    def __init__(self, recordings: Sequence[EmbeddedRecording], queries: Queries) -> None:
        self.recordings, self.queries = recordings, queries
        self.owner = np.repeat(np.arange(len(recordings)), [len(one.start_s) for one in recordings])
        self.start_s = np.concatenate([one.start_s for one in recordings])
        self.work = work_numbers(recordings)
        self.tolerance_s = queries.tolerance_s + _ROUNDING_S

    def hits(self, asking: Modality, answering: Modality) -> dict[str, NDArray[np.float64]]:
        """100 for each query [q] that is right and 0 for each that is not, by score."""
        own, rival = self._scores(asking, answering)
        found = {score: np.zeros(len(self.owner)) for score in ("place", "piece", "repeats_forgiven")}
        for query, (scores, start_s) in enumerate(zip(own, self.start_s.tolist(), strict=True)):
            best = scores.max()
            if best == 0 or not best > rival[query] + TIE:  # NaN is greater than nothing
                continue
            time, place = np.nonzero(scores >= best - TIE)
            begins_s = place * self.queries.grid.hop_s + self.queries.early_s[time]
            misplaced_s = begins_s[np.abs(begins_s - start_s) > self.tolerance_s].tolist()
            notes, length_s = self.recordings[self.owner[query]].notes, self.queries.length_s
            forgiven = all(is_repeat(notes, start_s, other_s, length_s, self.tolerance_s) for other_s in misplaced_s)
            found["piece"][query] = 100.0
            found["place"][query] = 0.0 if misplaced_s else 100.0
            found["repeats_forgiven"][query] = 100.0 * forgiven
        return found

    def _scores(self, asking: Modality, answering: Modality) -> tuple[list[Rows], Rows]:
        """Of each query the scores [V, places] in its own recording, and the highest score [q] among other works."""
        asked = np.concatenate([one.queries[asking] for one in self.recordings])
        weights = self.queries.weights.astype(np.float32)
        own = [np.zeros((1, 0), np.float32)] * len(asked)
        rival = np.full(len(asked), -np.inf, np.float32)
        for number, one in enumerate(self.recordings):
            for part, scores in _place_scores(asked, one.library[answering], weights):
                for query in np.flatnonzero(self.owner[part] == number):
                    own[part.start + query] = scores[query].copy()  # not a view, which would keep the block
                other = self.work[self.owner[part]] != self.work[number]
                rival[part] = np.where(other, np.maximum(rival[part], scores.max(axis=(1, 2))), rival[part])
        return own, rival

    def chance(self) -> dict[str, float]:
        """Expected `place` and `piece` of a random order, in percent."""
        hop_s, windows, early_s = self.queries.grid.hop_s, self.queries.windows, self.queries.early_s
        places = np.array([max(0, len(one.library["audio"]) - windows + 1) for one in self.recordings])
        own = places[self.owner]
        same_work = np.bincount(self.work, weights=places)[self.work[self.owner]]
        candidates = (places.sum() - same_work + own) * len(early_s)
        begins_s = self.start_s[:, None] - early_s  # of the place that is right each time
        first = np.maximum(np.ceil((begins_s - self.tolerance_s) / hop_s), 0)
        last = np.minimum(np.floor((begins_s + self.tolerance_s) / hop_s), own[:, None] - 1)
        right = np.maximum(last - first + 1, 0).sum(axis=1)
        piece = own * len(early_s) / candidates
        return {"place": float(100 * (right / candidates).mean()), "piece": float(100 * piece.mean())}


def _place_scores(asked: Rows, library: Rows, weights: Rows) -> Iterator[tuple[slice, Rows]]:
    """Scores [b, V, places] of all places of a recording [n, D] for slices of the queries [q, V, W, D].

    Nothing for a recording shorter than a query.
    """
    _, times, windows, dimensions = asked.shape
    places = len(library) - windows + 1
    if places < 1:
        return
    block = max(1, _AT_ONCE // (times * windows * len(library)))
    for begin in range(0, len(asked), block):
        part = slice(begin, begin + block)
        cosine = (asked[part].reshape(-1, dimensions) @ library.T).reshape(-1, times, windows, len(library))
        # A place that begins at window k of the library has the query's window w beside window k + w.
        yield part, np.sum([weights[:, w, None] * cosine[:, :, w, w : w + places] for w in range(windows)], axis=0)
