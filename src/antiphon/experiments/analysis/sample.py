"""Windows to look at a model with: drawn once from a seed, spread over the recordings, each with sound and notes."""

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
"""As many as the paper looked at (§7)."""
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Sample:
    """n windows, those of one recording side by side and in order of time.

    `batches` hold them on the CPU, in the same order; `recording` int [n] points into `recordings`; `start_s` float
    [n] is where each begins in its recording.
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


def sample_windows(subject: ModelUnderTest, count: int = WINDOWS) -> Sample:
    """Up to `count` windows on the grid of every second, at most 100 a recording, as the paper cuts them (§1).

    Every recording gives its equal share; what a short one cannot give, the longer ones do. With more recordings than
    windows, recordings are drawn too. Windows that are silent or have no notes are passed over; recordings that cannot
    be read are `skipped`. Each needed recording is decoded once. The same subject gives the same windows. Raises
    `AntiphonError` when there are none.
    """
    sizes = subject.model.config.sizes
    grid = WindowGrid(window_s=sizes.window_s)
    rng = np.random.default_rng(subject.seed)
    corpus = subject.corpus.with_sound()
    starts = [rng.permutation(grid.starts_s(recording.duration_s)) for recording in corpus.recordings]
    drawn = rng.permutation([number for number, found in enumerate(starts) if len(found)])[:count]
    visits = sorted(drawn.tolist(), key=lambda number: len(starts[number]))  # the shortest first, to pass on their rest
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
        raise AntiphonError(f"{corpus.name}: no window of its {len(corpus)} recordings has sound and notes{reason}")
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
    """The first `count` of these windows that have sound and notes, in order of time."""
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
    """Both sides of every window: unit vectors [n, D] of sound and of notes, on the model's device, in float64.

    `observe` is called with each layer's tokens, batch by batch, in the order of the sample.
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
