"""The embedding queue: embeddings of earlier batches as additional negatives, at the cost of a matrix product.

A batch contains few hard negatives, a library many. Embeddings of the last batches are close to those that the model
would compute now (Wang et al. 2020, "Cross-Batch Memory for Embedding Learning", CVPR).
"""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.training.losses import QueuedEmbeddings


class EmbeddingQueue:
    """The last `size` windows, first in, first out: their embeddings and the numbers of their works."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._audio = self._notes = self._work = torch.zeros(0)

    def queued(self, work: Tensor) -> QueuedEmbeddings | None:
        """The queue's M windows as negatives for windows of works `work` int64 [B]; equal works are masked.

        None while the queue is empty.
        """
        if not len(self._work):
            return None
        return QueuedEmbeddings(self._audio, self._notes, work[:, None] == self._work[None])

    def add(self, audio: Tensor, notes: Tensor, work: Tensor) -> None:
        """Add a batch's embeddings [B, D] and works int64 [B], and drop the oldest beyond `size`."""
        if not len(self._work):
            self._audio, self._notes, self._work = audio[:0].detach().float(), notes[:0].detach().float(), work[:0]
        self._audio = torch.cat([self._audio, audio.detach().float()])[-self._size :]
        self._notes = torch.cat([self._notes, notes.detach().float()])[-self._size :]
        self._work = torch.cat([self._work, work])[-self._size :]

    def state_dict(self) -> dict[str, Tensor]:
        """The state for a checkpoint."""
        return {"audio": self._audio, "notes": self._notes, "work": self._work}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the result of `state_dict`."""
        self._audio, self._notes, self._work = state["audio"], state["notes"], state["work"]
