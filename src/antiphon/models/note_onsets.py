"""Onsets of a recording by key: how probable it is that a key is struck at a moment, 100 times a second.

A small convolutional network, the same for all keys, reads the log magnitudes at the harmonics of a key, which lie in
channels as in Bittner et al., "A lightweight instrument-agnostic model for polyphonic note transcription and multipitch
estimation" (ICASSP 2022), through a long window for the pitch and a short one for the moment. Its target is a triangle
of ± 30 ms around an onset, so that times between frames can be read from its peaks, as in Kong et al., "High-resolution
piano transcription with pedals by regressing onset and offset times" (TASLP 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.io.notes import Notes
from antiphon.signal.spectra import power, stft

FRAME_HZ = 100
LOWEST_KEY, KEYS = 21, 88
SAMPLE_RATE_HZ = 24_000
TARGET_FRAMES = 3
"""Half the width of the triangle around an onset."""
_HOP = SAMPLE_RATE_HZ // FRAME_HZ
_WINDOWS = (4096, 1024)
_SUB = 3  # bands in a semitone
_HARMONICS = (0.5, 1, 2, 3, 4, 5, 6, 8)
_OCTAVES_BELOW, _OCTAVES_ABOVE = 1, 3
_BANDS = (12 * (_OCTAVES_BELOW + _OCTAVES_ABOVE) + KEYS) * _SUB
_OFFSETS = tuple(round(12 * (_OCTAVES_BELOW + math.log2(harmonic)) * _SUB) for harmonic in _HARMONICS)
_LEVEL_FRAMES = 401
_QUIETEST = 1e-2  # of the loudest frame: the least level that magnitudes are divided by
_FLOOR, _SCALE = 0.01, 0.4
_BLOCK_S, _CONTEXT_S = 30.0, 1.0

OnsetMap = NDArray[np.float32]
"""Probability [88, frames] that a key is struck; frame t is second t / 100, row 0 is A0."""


class OnsetNetwork(nn.Module):
    """Magnitudes [B, 2, bands, T] from `log_frequency_magnitudes` → log odds [B, 2, 88, T]: onset, and sounding."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.harmonics = nn.Conv2d(
            len(_HARMONICS) * len(_WINDOWS), channels, (_SUB + 2, 5), stride=(_SUB, 1), padding=(1, 2)
        )
        self.near = nn.Conv2d(channels, channels, 3, padding=1)
        self.octaves = nn.Conv2d(channels, channels, (25, 1), padding=(12, 0), groups=channels)
        self.mixed = nn.Conv2d(channels, channels, 1)
        self.time = nn.Conv2d(channels, channels, (1, 7), padding=(0, 3))
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        self.head = nn.Conv2d(channels, 2, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(5))

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Log odds [B, 2, 88, T] of onset and sounding."""
        levels = _relative_levels(magnitudes)
        stacked = torch.cat([levels[:, :, offset : offset + KEYS * _SUB] for offset in _OFFSETS], dim=1)
        first, second, third, fourth, fifth = self.norms
        x = F.relu(first(self.harmonics(stacked)))
        x = F.relu(second(self.near(x)))
        x = x + F.relu(third(self.mixed(self.octaves(x))))
        x = F.relu(fourth(self.time(x)))
        x = F.relu(fifth(self.last(x)))
        return self.head(x)


def _relative_levels(magnitudes: Tensor) -> Tensor:
    """Log magnitudes relative to the mean level of the four seconds around: about −1.8 in silence, 0 at that level."""
    level = magnitudes[:, 0].mean(dim=1)
    around = F.avg_pool1d(level[:, None], _LEVEL_FRAMES, stride=1, padding=_LEVEL_FRAMES // 2, count_include_pad=False)[
        :, 0
    ]
    around = torch.maximum(around, level.amax(dim=1, keepdim=True) * _QUIETEST).clamp_min(1e-7)
    return torch.log(magnitudes / around[:, None, None] + _FLOOR) * _SCALE


def log_frequency_magnitudes(samples: Tensor, cents: float = 0.0) -> Tensor:
    """Magnitudes in bands of a third of a semitone, through both windows: [B, S] at 24 kHz → [B, 2, bands, T].

    T is S // 240 + 1. The bands begin an octave and a third of a semitone below A0. `cents` is how much sharper than
    440 Hz the A is.
    """
    parts = []
    for length in _WINDOWS:
        spectrum = stft(samples, _hann(length), _HOP)
        parts.append(_filters(length, round(cents)) @ power(spectrum).sqrt_() * (4 / length))
    return torch.stack(parts, dim=1)


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def _hann(length: int) -> Tensor:
    return torch.hann_window(length)


@lru_cache(maxsize=8)
@torch.inference_mode(mode=False)
def _filters(length: int, cents: int) -> Tensor:
    """Triangular filters [bands, bins], a quarter-tone to either side and at least a bin, each of sum one."""
    pitch = LOWEST_KEY - 12 * _OCTAVES_BELOW - 1 / _SUB + np.arange(_BANDS) / _SUB
    centre_hz = 440 * 2 ** ((pitch - 69) / 12 + cents / 1200)
    bin_hz = np.arange(length // 2 + 1) * SAMPLE_RATE_HZ / length
    half_width_hz = np.maximum(centre_hz * (2 ** (1 / 24) - 1), SAMPLE_RATE_HZ / length)
    filters = np.clip(1 - np.abs(bin_hz[None] - centre_hz[:, None]) / half_width_hz[:, None], 0, None)
    filters[centre_hz > 0.98 * SAMPLE_RATE_HZ / 2] = 0
    filters /= np.maximum(filters.sum(axis=1, keepdims=True), 1e-9)
    return torch.from_numpy(filters.astype(np.float32))


@lru_cache(maxsize=1)
def load_onset_network() -> OnsetNetwork:
    """The network that comes with the package, ready to use."""
    network = OnsetNetwork()
    weights = files("antiphon.models.zoo").joinpath("note_onsets.safetensors").read_bytes()
    network.load_state_dict(safetensors.torch.load(weights))
    return network.eval()


@torch.inference_mode()
def detected_onsets(
    blocks: Iterable[NDArray[np.float32]], network: OnsetNetwork | None = None, cents: float = 0.0
) -> OnsetMap:
    """The onset map of mono sound at 24 kHz that comes in blocks of any length: float32 [88, frames].

    Blocks of 30 s pass through the network, with a second of their neighbours, so the time is linear and memory holds
    one block and the map. Without a network, the one of the package.
    """
    network = load_onset_network() if network is None else network
    parts = []
    for samples, before, count in _with_context(blocks):
        odds = network(log_frequency_magnitudes(torch.from_numpy(samples)[None], cents))[0, 0]
        parts.append(torch.sigmoid(odds[:, before : before + count]).numpy())
    return np.concatenate([np.zeros((KEYS, 0), np.float32), *parts], axis=1)


def _with_context(blocks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[NDArray[np.float32], int, int]]:
    """Samples of 30 s with a second to either side, the frames of context before, and the frames that count."""
    block, context = round(_BLOCK_S * SAMPLE_RATE_HZ), round(_CONTEXT_S * SAMPLE_RATE_HZ)
    held, before = np.zeros(0, np.float32), 0
    for part in blocks:
        held = np.concatenate([held, part])
        while len(held) >= before + block + context:
            yield held[: before + block + context], before // _HOP, block // _HOP
            held = held[before + block - context :]
            before = context
    if len(held) > before:
        yield held, before // _HOP, (len(held) - before) // _HOP + 1


def predicted_onsets_of(notes: Notes) -> OnsetMap:
    """The onset map of notes, with a triangle of ± 30 ms around each: float32 [88, frames], up to the last onset."""
    last = float(notes.onset_s[-1]) if len(notes) else 0.0
    onsets = np.zeros((KEYS, math.ceil(last * FRAME_HZ) + TARGET_FRAMES + 1), np.float32)
    key = notes.pitch.astype(np.int64) - LOWEST_KEY
    played = (key >= 0) & (key < KEYS)
    position = notes.onset_s[played] * FRAME_HZ
    for offset in range(-TARGET_FRAMES, TARGET_FRAMES + 1):
        frame = np.floor(position).astype(np.int64) + offset
        inside = (frame >= 0) & (frame < onsets.shape[1])
        height = 1 - np.abs(frame - position) / TARGET_FRAMES
        np.maximum.at(onsets, (key[played][inside], frame[inside]), height[inside].astype(np.float32))
    return onsets
