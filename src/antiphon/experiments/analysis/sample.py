"""The sample of windows for an analysis: drawn from a seed, spread over the recordings, each with audio and notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from antiphon.corpora import Recording
from antiphon.corpora.segment_table import WindowGrid, work_numbers
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.experiments.analysis import ModelUnderTest
from antiphon.io.audio import is_silent
from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, collate
from antiphon.models.corpus_embedding import OpenedRecording, open_recording
from antiphon.models.descriptors import describe
from antiphon.models.network import DualEncoder, Observer
from antiphon.progress import track
from antiphon.types import MODALITIES

WINDOWS = 500
"""Size of the paper's sample (§7)."""
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Sample:
    """n windows; those of one recording are adjacent and in order of time.

    `batches` holds them on the CPU, in the same order. `recording` int [n] indexes `recordings`. `start_s` float [n] is
    the start of each window in its recording.
    """

    batches: tuple[Batch, ...]
    recordings: tuple[Recording, ...]
    recording: NDArray[np.int64]
    start_s: NDArray[np.float64]
    skipped: tuple[UnreadableInput, ...]

    def __len__(self) -> int:
        return len(self.recording)

    @property
    def work(self) -> NDArray[np.int64]:
        """Number of each window's work [n]: equal for performances of one composition."""
        return work_numbers(self.recordings)[self.recording]


def sample_windows(tested: ModelUnderTest, count: int = WINDOWS) -> Sample:
    """Up to `count` windows on the paper's grid (§1): one every second, at most 100 from a recording.

    Every recording contributes an equal share; longer recordings make up for those too short. With more recordings than
    windows, recordings are drawn too. Silent windows and windows without notes are left out; recordings that cannot be
    read are `skipped`. Each recording that is needed is decoded once. The same model, corpus and seed give the same
    windows. Raises `AntiphonError` when there are none.
    """
    sizes = tested.model.config.sizes
    grid = WindowGrid(window_s=sizes.window_s)
    rng = np.random.default_rng(tested.seed)
    corpus = tested.corpus.with_sound()
    starts = [rng.permutation(grid.starts_s(recording.duration_s)) for recording in corpus.recordings]
    drawn = rng.permutation([number for number, found in enumerate(starts) if len(found)])[:count]
    visits = sorted(
        drawn.tolist(), key=lambda number: len(starts[number])
    )  # shortest first, so that longer ones make up
    found: dict[int, list[tuple[float, NDArray[np.float32], Notes]]] = {}
    skipped, wanted = list(corpus.skipped), count
    for visited, number in enumerate(track(visits, "reading")):
        share = -(-wanted // (len(visits) - visited))
        if share == 0:
            break
        try:
            opened = open_recording(corpus.recordings[number], sizes.sample_rate_hz, grid)
        except UnreadableInput as error:
            skipped.append(error)
            continue
        found[number] = _usable(opened, starts[number], share, grid.window_s)
        wanted -= len(found[number])
    kept = sorted(number for number, windows in found.items() if windows)
    if not kept:
        reason = f"; first: {skipped[0]}" if skipped else f" (are they shorter than {sizes.window_s:g} s, or silent?)"
        raise AntiphonError(f"{corpus.name}: no window of its {len(corpus)} recordings has audio and notes{reason}")
    windows = [window for number in kept for window in found[number]]
    parts = [windows[begin : begin + _BATCH] for begin in range(0, len(windows), _BATCH)]
    return Sample(
        tuple(collate(np.stack([sound for _, sound, _ in part]), [notes for *_, notes in part]) for part in parts),
        tuple(corpus.recordings[number] for number in kept),
        np.repeat(np.arange(len(kept)), [len(found[number]) for number in kept]),
        np.array([start for start, *_ in windows]),
        tuple(skipped),
    )


def _usable(
    opened: OpenedRecording, starts_s: NDArray[np.float64], count: int, window_s: float
) -> list[tuple[float, NDArray[np.float32], Notes]]:
    """The first `count` of these windows that have audio and notes, in order of time."""
    usable: list[tuple[float, NDArray[np.float32], Notes]] = []
    for start in starts_s.tolist():
        sound, notes = opened.sound(start, window_s), opened.notes.window(start, window_s)
        if len(notes) and not is_silent(sound):
            usable.append((start, sound, notes))
        if len(usable) == count:
            break
    return sorted(usable, key=lambda window: window[0])


@torch.inference_mode()
def embed_sample(
    model: DualEncoder, sample: Sample, observe: Observer | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Embeddings of every window: unit vectors float64 [n, D] of audio and of notes, computed on the model's device.

    `observe` is called with the tokens of each layer, batch by batch, in the order of the sample.
    """
    device = next(model.parameters()).device
    names = model.descriptor_names(*MODALITIES)
    rows: dict[str, list[NDArray[np.float64]]] = {side: [] for side in MODALITIES}
    for batch in track(sample.batches, "embedding"):
        batch = batch.to(device)
        found = describe(batch, names, model.config.sizes.sample_rate_hz)
        for side in MODALITIES:
            embedded, _ = model.encode(side, batch, found, observe)
            rows[side].append(F.normalize(embedded.double(), dim=-1).cpu().numpy())
    return np.concatenate(rows["audio"]), np.concatenate(rows["notes"])
