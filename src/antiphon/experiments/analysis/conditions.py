"""A corpus embedded unchanged and under each of several conditions, for ablation, perturbation and robustness.

A condition changes the windows of a modality, the descriptors computed from a modality, or both. All conditions share
one pass over the recordings and, where they leave the windows unchanged, one computation of the descriptors. A tower
that a change does not reach is not run again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from antiphon.corpora.segment_table import PAPER_GRID, SegmentTable, WindowGrid
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.evaluation.bootstrap import draw_clusters, percentile_interval
from antiphon.evaluation.pools import sample_pools
from antiphon.evaluation.ranks import pool_ranks
from antiphon.evaluation.scores import chance, per_query
from antiphon.experiments.analysis import ModelUnderTest
from antiphon.io.audio import SILENCE_PEAK, is_silent
from antiphon.models.batch import Batch, NoteBatch, Tokens, collate_notes
from antiphon.models.corpus_embedding import EmbeddedSegments, OpenedRecording, open_recording
from antiphon.models.descriptors import DESCRIPTORS, describe
from antiphon.models.network import DualEncoder
from antiphon.progress import track
from antiphon.signal.varispeed import scale_times
from antiphon.types import MODALITIES, Modality

_BATCH = 32
_TOGETHER = 32
"""Number of recordings in memory, about 10 MB each, whose windows are mixed."""

Rows = NDArray[np.float32]
BatchChange = Callable[[Batch, torch.Generator], Batch]
DescriptorChange = Callable[[Mapping[str, Tokens], torch.Generator], Mapping[str, Tokens]]


@dataclass(frozen=True)
class Condition:
    """A change of one modality or both: first of the windows, then of the descriptors computed from them.

    The parts of the other modality must be returned as the same objects. A descriptor belongs to the modality that it
    is computed from, whichever tower takes it: a change of the notes reaches an audio tower that takes D4. `tempo` is
    the factor on the speed of the whole file's notes; windows begin at the same musical moments as before. Then `batch`
    changes the windows, on the model's device, and `descriptors` changes the descriptors of the changed batch, by name.
    Both get a generator of the condition's own, on that device.
    """

    name: str
    side: Literal["audio", "notes", "both"]
    batch: BatchChange | None = None
    descriptors: DescriptorChange | None = None
    tempo: float = 1.0

    @property
    def sides(self) -> tuple[Modality, ...]:
        """The modalities that the condition changes."""
        return MODALITIES if self.side == "both" else (self.side,)

    @property
    def changes_windows(self) -> bool:
        """Whether the condition changes windows, and not only descriptors."""
        return self.batch is not None or self.tempo != 1.0

    def towers(self, model: DualEncoder) -> tuple[Modality, ...]:
        """The towers that the change reaches."""
        reached = set(self.sides) if self.changes_windows else set()
        if self.changes_windows or self.descriptors is not None:
            reached |= {into for name, into in model.config.arm.taken if DESCRIPTORS[name].side in self.sides}
        return tuple(side for side in MODALITIES if side in reached)

    def apply(
        self,
        batch: Batch,
        notes_at: Callable[[float], NoteBatch],
        found: Mapping[str, Tokens],
        sample_rate_hz: int,
        generator: torch.Generator,
    ) -> tuple[Batch, Mapping[str, Tokens]]:
        """The changed batch and its descriptors. `notes_at` returns the notes of the batch's windows at a tempo.

        Raises `ValueError` when the condition changes a modality other than `side`.
        """
        if self.changes_windows:
            changed = batch if self.tempo == 1.0 else replace(batch, notes=notes_at(self.tempo))
            if self.batch is not None:
                changed = self.batch(changed, generator)
            kept = [getattr(changed, side) is getattr(batch, side) for side in MODALITIES if side not in self.sides]
            if not all(kept):
                raise ValueError(f"condition {self.name}: declared to change {self.side}, but changes the other one")
            reached = [name for name in found if DESCRIPTORS[name].side in self.sides]
            batch, found = changed, {**found, **describe(changed, reached, sample_rate_hz)}
        if self.descriptors is not None:
            altered = self.descriptors(found, generator)
            for name, tokens in found.items():
                if DESCRIPTORS[name].side not in self.sides and altered[name] is not tokens:
                    raise ValueError(f"condition {self.name}: declared to change {self.side}, but changes {name}")
            found = altered
        return batch, found


@dataclass(frozen=True)
class ConditionedSegments:
    """The unchanged segments, and those under each condition by its name; all have the same table."""

    intact: EmbeddedSegments
    under: dict[str, EmbeddedSegments]

    def facts(self) -> dict[str, Any]:
        """JSON-ready facts: numbers of windows and recordings, and the errors of skipped recordings."""
        table = self.intact.table
        return {
            "windows": len(table),
            "recordings": len(table.recordings),
            "skipped": [str(error) for error in self.intact.skipped],
        }


@torch.inference_mode()
def embed_conditions(
    tested: ModelUnderTest, conditions: Sequence[Condition], grid: WindowGrid = PAPER_GRID
) -> ConditionedSegments:
    """Embed both modalities of every window, unchanged and under each condition. Each recording is decoded once.

    Rows are as in `antiphon.models.corpus_embedding.embed_corpus`: unit vectors float32 [n, D] in the order of the
    table; zeros for a window that is silent or without notes, before or after the change. Batches of 32 are drawn at
    random from 32 recordings, so that the other windows of a batch are of other recordings (of the same one with a
    probability of about 1 in 32, or 1 in the number of recordings if there are fewer). Random draws depend only on the
    seed and the name of the condition: equal calls on one device give equal rows. Recordings that cannot be read are
    skipped. Windows have the model's window length, whatever that of `grid`. Raises `AntiphonError` when no recording
    can be read.
    """
    if len({condition.name for condition in conditions}) < len(conditions):
        raise ValueError("two conditions have the same name")
    model, corpus = tested.model, tested.corpus.with_sound()
    generators = [seeded(tested, condition.name) for condition in conditions]
    rng = np.random.default_rng(tested.seed)
    skipped: dict[int, UnreadableInput] = {}
    made: list[dict[Modality, dict[int, Rows]]] = [
        {side: {} for side in condition.towers(model)} for condition in conditions
    ]
    intact: dict[Modality, dict[int, Rows]] = {side: {} for side in MODALITIES}
    waiting: dict[int, OpenedRecording] = {}
    sizes = model.config.sizes
    grid = grid.of_windows(sizes.window_s)

    def embed_waiting() -> None:
        for number, opened in waiting.items():
            for rows in (intact, *made):
                for by_number in rows.values():
                    by_number[number] = np.zeros((len(opened.starts_s), model.dimensions), np.float32)
        for chosen in _mixed(waiting, sizes.window_s, rng):
            starts = [(waiting[number], float(waiting[number].starts_s[window])) for number, window in chosen]
            windows = _Windows(starts, sizes.window_s, _device(model))
            for rows, embedded in zip((intact, *made), _embed(model, windows, conditions, generators), strict=True):
                for side, vectors in embedded.items():
                    for (number, window), vector in zip(chosen, vectors, strict=True):
                        rows[side][number][window] = vector
        waiting.clear()

    for number in track(rng.permutation(len(corpus)).tolist(), "embedding"):
        try:
            waiting[number] = open_recording(corpus.recordings[number], sizes.sample_rate_hz, grid)
        except UnreadableInput as error:
            skipped[number] = error
        if len(waiting) == _TOGETHER:
            embed_waiting()
    embed_waiting()
    errors = (*tested.corpus.skipped, *(error for _, error in sorted(skipped.items())))
    kept = sorted(intact["audio"])
    if not kept:
        raise AntiphonError(f"{corpus.name}: none of its {len(corpus)} recordings can be read; first: {errors[0]}")
    table = SegmentTable.over([corpus.recordings[number] for number in kept], grid)
    whole = {side: _joined(rows, kept) for side, rows in intact.items()}
    under = {}
    for condition, rows in zip(conditions, made, strict=True):
        changed = whole | {side: _joined(found, kept) for side, found in rows.items()}
        under[condition.name] = EmbeddedSegments(table, changed["audio"], changed["notes"], errors)
    return ConditionedSegments(EmbeddedSegments(table, whole["audio"], whole["notes"], errors), under)


def seeded(tested: ModelUnderTest, name: str) -> torch.Generator:
    """A generator on the model's device for one purpose, seeded by the seed and a name."""
    seed = np.random.SeedSequence([tested.seed, zlib.crc32(name.encode())]).generate_state(1, np.uint64)
    return torch.Generator(_device(tested.model)).manual_seed(int(seed[0] >> np.uint64(1)))


def _device(model: DualEncoder) -> torch.device:
    return next(model.parameters()).device


@dataclass(frozen=True)
class _Windows:
    """Windows of several recordings, to be cut and collated on a device: recording and start in seconds of each."""

    starts: Sequence[tuple[OpenedRecording, float]]
    window_s: float
    device: torch.device

    def batch(self) -> Batch:
        """Both modalities, unchanged."""
        sound = np.stack([opened.sound(start_s, self.window_s) for opened, start_s in self.starts])
        return Batch(torch.from_numpy(sound).to(self.device), self.notes())

    def notes(self, tempo: float = 1.0) -> NoteBatch:
        """The windows' notes, played `tempo` times as fast: those of [start, start + window_s · tempo) of the file."""
        cut = (opened.notes.window(start_s, self.window_s * tempo) for opened, start_s in self.starts)
        return collate_notes([scale_times(notes, tempo) for notes in cut]).to(self.device)


def _mixed(
    waiting: Mapping[int, OpenedRecording], window_s: float, rng: np.random.Generator
) -> Iterator[list[tuple[int, int]]]:
    """(recording, window) of those with audio or notes, in random order, in batches of nearly equal size."""
    kept = [
        (number, index)
        for number, opened in waiting.items()
        for index, start_s in enumerate(opened.starts_s.tolist())
        if len(opened.notes.window(start_s, window_s)) or not is_silent(opened.sound(start_s, window_s))
    ]
    if kept:
        order = rng.permutation(len(kept))
        for part in np.array_split(order, math.ceil(len(kept) / _BATCH)):
            yield [kept[i] for i in part]


def _embed(
    model: DualEncoder, windows: _Windows, conditions: Sequence[Condition], generators: Sequence[torch.Generator]
) -> Iterator[dict[Modality, Rows]]:
    """The rows of the unchanged windows, then for each condition the rows of the towers that its change reaches."""
    batch, rate = windows.batch(), model.config.sizes.sample_rate_hz
    found = describe(batch, model.descriptor_names(*MODALITIES), rate)
    usable = _usable(batch)
    yield {side: _rows(model, side, batch, found, usable) for side in MODALITIES}
    for condition, generator in zip(conditions, generators, strict=True):
        changed, altered = condition.apply(batch, windows.notes, found, rate, generator)
        still = usable if changed is batch else {side: usable[side] & good for side, good in _usable(changed).items()}
        yield {side: _rows(model, side, changed, altered, still) for side in condition.towers(model)}


def _usable(batch: Batch) -> dict[Modality, Tensor]:
    """The windows [B] whose audio is not silent, and those that have notes."""
    return {"audio": ~(batch.audio.abs().amax(dim=1) < SILENCE_PEAK), "notes": (~batch.notes.padding).any(dim=1)}


def _rows(
    model: DualEncoder, side: Modality, batch: Batch, found: Mapping[str, Tokens], usable: Mapping[Modality, Tensor]
) -> Rows:
    embedded, _ = model.encode(side, batch, found)
    rows: Rows = (F.normalize(embedded, dim=-1).float() * usable[side][:, None]).cpu().numpy()
    return rows


def _joined(rows: Mapping[int, Rows], kept: Sequence[int]) -> Rows:
    return np.concatenate([rows[number] for number in kept])


@dataclass(frozen=True)
class Score:
    """S and R@10 of both directions in percent, and the difference of S from the intact S, both with intervals.

    Intervals are 95 % bootstrap intervals [low, high] over pieces. That of the difference resamples the same pieces in
    both.
    """

    S: float
    a2m_R10: float
    m2a_R10: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float

    def row(self) -> dict[str, float]:
        """The numbers by name, rounded to 2 decimals."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class ConditionedScores:
    """Scores of `ConditionedSegments`; `chance` is the R@10 of a random order, in percent."""

    intact: Score
    under: dict[str, Score]
    chance: float


def score_conditions(segments: ConditionedSegments, seed: int) -> ConditionedScores:
    """Protocol `paper` on the same pools for all: S and its interval equal those of `score_embeddings`."""
    table = segments.intact.table
    pools = sample_pools(table, strict=False, seed=seed)
    drawn, member = draw_clusters(table.work[pools.query], seed)
    weight = drawn[:, member].astype(np.float64)
    weight /= weight.sum(axis=1, keepdims=True)
    _, sizes = pool_ranks(segments.intact.audio[pools.query], segments.intact.notes, pools.candidate)

    def hits(found: EmbeddedSegments) -> NDArray[np.float64]:
        """R@10 of each query in percent, in both directions [q, 2]."""
        directions = (found.audio, found.notes), (found.notes, found.audio)
        ranks = (pool_ranks(queries[pools.query], rows, pools.candidate)[0] for queries, rows in directions)
        return np.stack([per_query(rank)["R@10"] for rank in ranks], axis=1)

    def score(found: EmbeddedSegments) -> Score:
        mine = hits(found)
        means, resampled = mine.mean(axis=0), (weight @ mine).min(axis=1)
        s = float(means.min())
        (low, high), (worse, better) = map(percentile_interval, (resampled, resampled - base))
        return Score(s, *map(float, (*means, low, high, s - base_s, worse, better)))

    intact = hits(segments.intact)
    base, base_s = (weight @ intact).min(axis=1), float(intact.mean(axis=0).min())
    scores = {name: score(found) for name, found in segments.under.items()}
    return ConditionedScores(score(segments.intact), scores, chance(sizes)["R@10"])
