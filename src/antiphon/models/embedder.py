"""A trained dual encoder behind the `Embedder` interface of evaluation, index and search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn import functional as F

from antiphon.corpora.segment_table import SoundWindows, at_playback
from antiphon.errors import AntiphonError
from antiphon.io.audio import is_silent
from antiphon.io.formats import to_plain
from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, collate
from antiphon.models.descriptors import DESCRIPTORS, describe
from antiphon.models.inputs import as_samples, as_starts
from antiphon.models.network import DualEncoder, pick_device
from antiphon.models.protocol import Embedder
from antiphon.models.towers import Elasticity, elasticity_of
from antiphon.types import AS_RECORDED, Modality, Playback

_BATCH = 32
# Not half a second: with a library hop of one second, all windows of a query would have one or two offsets from the
# library's. Half of this hop is a whole number of frames, so that overlapping windows can share them.
_QUERY_HOP_S = 0.44

Rows = NDArray[np.float32]


class ModelEmbedder(Embedder):
    """A trained dual encoder as an `antiphon.models.protocol.Embedder`.

    An arm that injects descriptors of one modality into the tower of the other (d4a4cm) can embed pairs only:
    `embed_audio_windows` and `embed_notes_windows` then raise `AntiphonError`.

    Audio can be embedded at another playback when the audio tower and its descriptors are elastic. The tempo is rounded
    to the tower's steps, 1 / 60 for `default`.
    """

    def __init__(self, model: DualEncoder, name: str, device: torch.device | None = None) -> None:
        self._device = device or pick_device()
        self.model = model.eval().to(self._device)
        self.name = name
        self.sample_rate_hz = model.config.sizes.sample_rate_hz
        self.window_s = model.config.sizes.window_s
        self.dimensions = model.dimensions
        self.parameters = sum(one.numel() for one in model.parameters())
        self.query_hop_s = _QUERY_HOP_S
        self._elasticity = _elasticity(model)
        self.elastic = self._elasticity is not None
        digest = hashlib.sha256(json.dumps(to_plain(model.config), sort_keys=True).encode())
        for key, tensor in sorted(model.state_dict().items()):
            digest.update(key.encode() + tensor.cpu().contiguous().numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    def embed_audio_windows(self, samples: ArrayLike, starts_s: ArrayLike, playback: Playback = AS_RECORDED) -> Rows:
        """Windows of one recording's audio: unit vectors float32 [w, dimensions], zeros for silent windows.

        Raises `AntiphonError` for a playback that the model does not support, and for an arm whose audio tower needs
        notes.
        """
        self._check_available("notes", into="audio")
        playback = self._nearest(playback)
        windows = SoundWindows.at(
            as_samples(samples), self.sample_rate_hz, as_starts(starts_s), self.window_s * playback.tempo
        )
        no_notes = [Notes.of([], [], [], [])] * len(windows)
        return self._embed(windows, no_notes, {"audio": _sounding(windows)}, playback)["audio"]

    def embed_notes_windows(self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED) -> Rows:
        """Windows of one recording's notes: unit vectors float32 [w, dimensions], zeros for windows without notes.

        Raises `AntiphonError` for an arm whose notes tower needs audio.
        """
        self._check_available("audio", into="notes")
        length_s = self.window_s * playback.tempo
        windows = [at_playback(notes.window(float(start), length_s), playback) for start in as_starts(starts_s)]
        return self._embed(None, windows, {"notes": _filled(windows)})["notes"]

    def embed_pairs(self, samples: ArrayLike, notes: Notes, starts_s: ArrayLike) -> tuple[Rows, Rows]:
        """Both modalities of the same windows, equal to `embed_audio_windows` and `embed_notes_windows`."""
        starts_s = as_starts(starts_s)
        audio = SoundWindows.at(as_samples(samples), self.sample_rate_hz, starts_s, self.window_s)
        windows = [notes.window(float(start), self.window_s) for start in starts_s]
        rows = self._embed(audio, windows, {"audio": _sounding(audio), "notes": _filled(windows)})
        return rows["audio"], rows["notes"]

    @torch.inference_mode()
    def _embed(
        self,
        audio: SoundWindows | None,
        notes: list[Notes],
        usable: Mapping[Modality, NDArray[np.bool_]],
        playback: Playback = AS_RECORDED,
    ) -> dict[Modality, Rows]:
        """Embeddings of the modalities in `usable`; rows where it is False stay zero."""
        rows: dict[Modality, Rows] = {side: np.zeros((len(notes), self.dimensions), np.float32) for side in usable}
        kept = np.flatnonzero(np.logical_or.reduce(list(usable.values())))
        for begin in range(0, len(kept), _BATCH):
            index = kept[begin : begin + _BATCH]
            batch = _collate(audio, notes, index, playback).to(self._device)
            descriptors = describe(batch, self.model.descriptor_names(*usable), self.sample_rate_hz)
            for side, present in usable.items():
                embedded, _ = self.model.encode(side, batch, descriptors)
                rows[side][index] = F.normalize(embedded, dim=-1).float().cpu().numpy() * present[index, None]
        return rows

    def _nearest(self, playback: Playback) -> Playback:
        """The supported playback nearest to `playback`. Raises `AntiphonError` where there is none."""
        if playback == AS_RECORDED:
            return playback
        if self._elasticity is None:
            inelastic = [name for name in self.model.descriptor_names("audio") if not DESCRIPTORS[name].elastic]
            parts = [self.model.config.sizes.audio_tower, *inelastic]
            raise AntiphonError(
                f"model {self.name} embeds audio as recorded only, not at {playback}: its audio tower "
                f"({' with '.join(parts)}) supports no other playback; the models default and template do"
            )
        try:
            return self._elasticity.nearest(playback)
        except ValueError as error:
            raise AntiphonError(f"model {self.name} {error}") from None

    def _check_available(self, missing: Modality, into: Modality) -> None:
        for name in self.model.descriptor_names(into):
            if DESCRIPTORS[name].side == missing:
                raise AntiphonError(
                    f"model {self.name}: its {into} tower takes the descriptor {name} of the {missing}, so it can be "
                    "evaluated on pairs but cannot embed one modality alone, as an index or a search requires"
                )


def _elasticity(model: DualEncoder) -> Elasticity | None:
    descriptors = (DESCRIPTORS[name] for name in model.descriptor_names("audio"))
    return elasticity_of(model.tower("audio")) if all(one.elastic for one in descriptors) else None


def _collate(audio: SoundWindows | None, notes: list[Notes], index: NDArray[np.int64], playback: Playback) -> Batch:
    """The windows at `index` as a batch; without `audio` its samples are empty."""
    own_notes = [notes[i] for i in index]
    if audio is None:
        return collate(np.zeros((len(index), 0), np.float32), own_notes, playback)
    return replace(collate(audio[index], own_notes, playback), overlap=audio.overlap(index))


def _sounding(windows: SoundWindows) -> NDArray[np.bool_]:
    cuts = (windows.samples[first : first + windows.length] for first in windows.begin.tolist())
    return np.array([not is_silent(cut) for cut in cuts], bool)


def _filled(windows: list[Notes]) -> NDArray[np.bool_]:
    return np.array([len(window) > 0 for window in windows], bool)
