"""A trained dual encoder as what evaluation, index and search ask for."""

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
# Not a half: a query's windows would all be off those of a library, a second apart, by the same or one of two amounts.
# And a number of frames whose half is one, for windows to share them.
_QUERY_HOP_S = 0.44

Rows = NDArray[np.float32]


class ModelEmbedder(Embedder):
    """A trained dual encoder as an `antiphon.models.protocol.Embedder`.

    An arm that puts descriptors of one side into the tower of the other (d4a4cm) can embed pairs, but neither side
    alone: `embed_audio_windows` and `embed_notes_windows` then raise `AntiphonError`.

    Sound can be embedded at another playback when the audio tower can hear one and so can its descriptors. The tempo is
    rounded to the tower's steps, 1 / 60 for `default`.
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
        """Windows of one recording's sound: unit vectors [n, dimensions], zeros for silent windows.

        Raises `AntiphonError` for a playback that the model cannot hear.
        """
        self._refuse_without("notes", into="audio")
        heard = self._nearest(playback)
        windows = SoundWindows.at(
            as_samples(samples), self.sample_rate_hz, as_starts(starts_s), self.window_s * heard.tempo
        )
        no_notes = [Notes.of([], [], [], [])] * len(windows)
        return self._embed(windows, no_notes, {"audio": _sounding(windows)}, heard)["audio"]

    def embed_notes_windows(self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED) -> Rows:
        """Windows of one recording's notes: unit vectors [n, dimensions], zeros for windows without notes."""
        self._refuse_without("audio", into="notes")
        length_s = self.window_s * playback.tempo
        windows = [at_playback(notes.window(float(start), length_s), playback) for start in as_starts(starts_s)]
        return self._embed(None, windows, {"notes": _filled(windows)})["notes"]

    def embed_pairs(self, samples: ArrayLike, notes: Notes, starts_s: ArrayLike) -> tuple[Rows, Rows]:
        """Both sides of the same windows, as `embed_audio_windows` and `embed_notes_windows` give them."""
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
        """The sides that `usable` names, each row that it says True for."""
        rows: dict[Modality, Rows] = {side: np.zeros((len(notes), self.dimensions), np.float32) for side in usable}
        kept = np.flatnonzero(np.logical_or.reduce(list(usable.values())))
        for begin in range(0, len(kept), _BATCH):
            index = kept[begin : begin + _BATCH]
            batch = _collate(audio, notes, index, playback).to(self._device)
            found = describe(batch, self.model.descriptor_names(*usable), self.sample_rate_hz)
            for side, good in usable.items():
                embedded, _ = self.model.encode(side, batch, found)
                rows[side][index] = F.normalize(embedded, dim=-1).float().cpu().numpy() * good[index, None]
        return rows

    def _nearest(self, playback: Playback) -> Playback:
        """What the model hears when it is asked for `playback`."""
        if playback == AS_RECORDED:
            return playback
        if self._elasticity is None:
            stiff = [name for name in self.model.descriptor_names("audio") if not DESCRIPTORS[name].elastic]
            kept = [self.model.config.sizes.audio_tower, *stiff]
            raise AntiphonError(
                f"model {self.name} hears sound as it was recorded only, not at {playback}, because of its audio tower "
                f"({' with '.join(kept)}); the models default and template can"
            )
        try:
            return self._elasticity.nearest(playback)
        except ValueError as error:
            raise AntiphonError(f"model {self.name} {error}") from None

    def _refuse_without(self, missing: Modality, into: Modality) -> None:
        for name in self.model.descriptor_names(into):
            if DESCRIPTORS[name].side == missing:
                raise AntiphonError(
                    f"model {self.name}: its {into} tower takes the descriptor {name} of the {missing}, so it can be "
                    "evaluated on pairs but cannot embed one side alone, as an index or a search needs"
                )


def _elasticity(model: DualEncoder) -> Elasticity | None:
    taken = (DESCRIPTORS[name] for name in model.descriptor_names("audio"))
    return elasticity_of(model.tower("audio")) if all(one.elastic for one in taken) else None


def _collate(audio: SoundWindows | None, notes: list[Notes], index: NDArray[np.int64], playback: Playback) -> Batch:
    """Some windows as a batch; without sound they have none."""
    own_notes = [notes[i] for i in index]
    if audio is None:
        return collate(np.zeros((len(index), 0), np.float32), own_notes, playback)
    return replace(collate(audio[index], own_notes, playback), overlap=audio.overlap(index))


def _sounding(windows: SoundWindows) -> NDArray[np.bool_]:
    cuts = (windows.samples[first : first + windows.length] for first in windows.begin.tolist())
    return np.array([not is_silent(cut) for cut in cuts], bool)


def _filled(windows: list[Notes]) -> NDArray[np.bool_]:
    return np.array([len(window) > 0 for window in windows], bool)
