"""A trained dual encoder as what evaluation, index and search ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from antiphon.audio import is_silent
from antiphon.batch import collate
from antiphon.descriptors import DESCRIPTORS, Side, describe
from antiphon.errors import AntiphonError
from antiphon.model import DualEncoder, load_dual_encoder, pick_device, to_plain
from antiphon.notes import Notes
from antiphon.segments import cut_windows

_BATCH = 32

Rows = NDArray[np.float32]


def load_model(folder: str | Path, name: str | None = None) -> ModelEmbedder:
    """A model folder, ready to embed on the GPU where there is one; without a name it is named after its arm."""
    model = load_dual_encoder(folder)
    return ModelEmbedder(model, name or model.config.arm.name)


class ModelEmbedder:
    """A trained dual encoder as an `antiphon.embedding.Embedder`.

    An arm that puts descriptors of one side into the tower of the other (d4a4cm) can embed pairs, but neither side
    alone: `embed_audio` and `embed_notes` then raise `AntiphonError`.
    """

    def __init__(self, model: DualEncoder, name: str, device: torch.device | None = None) -> None:
        self._device = device or pick_device()
        self.model = model.eval().to(self._device)
        self.name = name
        self.sample_rate_hz = model.config.sizes.sample_rate_hz
        self.window_s = model.config.sizes.window_s
        self.dimensions = model.config.sizes.dimensions
        digest = hashlib.sha256(json.dumps(to_plain(model.config), sort_keys=True).encode())
        for key, tensor in sorted(model.state_dict().items()):
            digest.update(key.encode() + tensor.cpu().contiguous().numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    def embed_audio(self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]) -> Rows:
        """Windows of one recording's sound: unit vectors [n, dimensions], zeros for silent windows."""
        self._refuse_without("notes", into="audio")
        windows = cut_windows(samples, self.sample_rate_hz, starts_s, self.window_s)
        return self._embed(windows, [Notes.of([], [], [], [])] * len(windows), {"audio": _sounding(windows)})["audio"]

    def embed_notes(self, notes: Notes, starts_s: NDArray[np.float64]) -> Rows:
        """Windows of one recording's notes: unit vectors [n, dimensions], zeros for windows without notes."""
        self._refuse_without("audio", into="notes")
        windows = [notes.window(float(start), self.window_s) for start in starts_s]
        return self._embed(np.zeros((len(windows), 0), np.float32), windows, {"notes": _filled(windows)})["notes"]

    def embed_pairs(
        self, samples: NDArray[np.float32], notes: Notes, starts_s: NDArray[np.float64]
    ) -> tuple[Rows, Rows]:
        """Both sides of the same windows, as `embed_audio` and `embed_notes` give them."""
        audio = cut_windows(samples, self.sample_rate_hz, starts_s, self.window_s)
        windows = [notes.window(float(start), self.window_s) for start in starts_s]
        rows = self._embed(audio, windows, {"audio": _sounding(audio), "notes": _filled(windows)})
        return rows["audio"], rows["notes"]

    @torch.inference_mode()
    def _embed(
        self, audio: NDArray[np.float32], notes: list[Notes], usable: Mapping[Side, NDArray[np.bool_]]
    ) -> dict[Side, Rows]:
        """The sides that `usable` names, each row that it says True for."""
        rows: dict[Side, Rows] = {side: np.zeros((len(notes), self.dimensions), np.float32) for side in usable}
        kept = np.flatnonzero(np.logical_or.reduce(list(usable.values())))
        for begin in range(0, len(kept), _BATCH):
            index = kept[begin : begin + _BATCH]
            batch = collate(audio[index], [notes[i] for i in index]).to(self._device)
            found = describe(batch, self.model.descriptor_names(*usable), self.sample_rate_hz)
            for side, good in usable.items():
                embedded, _ = self.model.encode(side, batch, found)
                rows[side][index] = F.normalize(embedded, dim=-1).float().cpu().numpy() * good[index, None]
        return rows

    def _refuse_without(self, missing: Side, into: Side) -> None:
        for name in self.model.descriptor_names(into):
            if DESCRIPTORS[name].side == missing:
                raise AntiphonError(
                    f"model {self.name}: its {into} tower takes the descriptor {name} of the {missing}, so it can be "
                    "evaluated on pairs but cannot embed one side alone, as an index or a search needs"
                )


def _sounding(windows: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.array([not is_silent(window) for window in windows], bool)


def _filled(windows: list[Notes]) -> NDArray[np.bool_]:
    return np.array([len(window) > 0 for window in windows], bool)
