"""Synthetic rooms: an impulse response of a few early reflections and a decaying tail of noise.

Gaussian noise with an exponential decay is Moorer's model of late reverberation ("About this reverberation business",
Computer Music Journal 3(2), 1979). The decay time depends on frequency: it is shorter at high frequencies, which walls
and air absorb, and slightly longer at low ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from antiphon.augmentation.spectrum import to_spectrum

TAIL_S = 1.4
"""Length of an impulse response in seconds. At the longest RT60, 2 s, the tail is cut at −42 dB."""
MID_HZ = 1000.0
"""The frequency in Hz at which a room's RT60 is defined."""
_SEED = 20_000
_LOWEST_BAND_HZ = 62.5
_DECAY_60_DB = math.log(1e6) / 2.0  # exp(−6.91) is an amplitude of −60 dB


@dataclass(frozen=True)
class RoomPool:
    """A set of `count` rooms whose RT60 in seconds is drawn uniformly on a logarithmic scale within `rt60_s`."""

    count: int
    rt60_s: tuple[float, float]
    sample_rate_hz: int


@dataclass(frozen=True, eq=False)
class Room:
    """A room. `rt60_s` is the time in which 1 kHz decays by 60 dB.

    `response` float32 [1.4 s] is the response to an impulse at sample 0, without the direct sound, with unit energy.
    """

    rt60_s: float
    response: NDArray[np.float32]


@lru_cache(maxsize=2)
def rooms(pool: RoomPool) -> tuple[Room, ...]:
    """The rooms of a pool; every process draws the same ones.

    >>> first, second = rooms(RoomPool(2, (0.5, 0.5), 24_000))
    >>> first.rt60_s, first.response.shape, bool((first.response == second.response).all())
    (0.5, (33600,), False)
    """
    return tuple(
        draw_room(np.random.default_rng([_SEED, number]), pool.rt60_s, pool.sample_rate_hz)
        for number in range(pool.count)
    )


@lru_cache(maxsize=2)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def room_spectra(pool: RoomPool, length: int, device: torch.device) -> Tensor:
    """Spectra of the responses padded to `length` samples: complex64 [count, length // 2 + 1], 33 MB for 64 rooms."""
    spectra = torch.empty((pool.count, length // 2 + 1), dtype=torch.complex64)
    for spectrum, room in zip(spectra, rooms(pool), strict=True):
        spectrum.copy_(to_spectrum(torch.from_numpy(room.response), length))
    return spectra.to(device)


def tail_samples(sample_rate_hz: int) -> int:
    """Length of a response in samples."""
    return round(TAIL_S * sample_rate_hz)


def draw_room(rng: np.random.Generator, within_s: tuple[float, float], sample_rate_hz: int) -> Room:
    """Draw a room, its RT60 in seconds uniformly on a logarithmic scale within these limits."""
    shortest, longest = within_s
    rt60_s = shortest * (longest / shortest) ** rng.uniform()
    tail = _tail(rng, rt60_s, sample_rate_hz)
    early = _reflections(rng, rt60_s, sample_rate_hz)
    share = rng.uniform(0.05, 0.3)
    response = math.sqrt(1.0 - share) * tail + math.sqrt(share) * early
    return Room(rt60_s, (response / np.linalg.norm(response)).astype(np.float32))


def _tail(rng: np.random.Generator, rt60_s: float, rate: int) -> NDArray[np.float64]:
    """White noise in octave bands, each with its own decay time; unit energy."""
    count = tail_samples(rate)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1.0 / rate)
    highs, lows = rng.uniform(0.1, 0.4), rng.uniform(0.0, 0.1)
    octave = np.log2(np.maximum(frequency, 1.0) / _LOWEST_BAND_HZ)
    bands = math.floor(math.log2(rate / 2 / _LOWEST_BAND_HZ)) + 1
    time_s = np.arange(count) / rate
    tail = np.zeros(count)
    for band in range(bands):
        # Neighbouring raised cosines add up to 1; the outermost bands extend to the ends of the spectrum.
        position = np.clip(octave, 0, bands - 1)
        weight = 0.5 + 0.5 * np.cos(math.pi * np.clip(np.abs(position - band), 0.0, 1.0))
        above_mid = math.log2(_LOWEST_BAND_HZ * 2**band / MID_HZ)
        band_rt60_s = rt60_s * 2.0 ** (-highs * max(above_mid, 0.0) + lows * max(-above_mid, 0.0))
        tail += np.fft.irfft(spectrum * weight, count) * np.exp(-_DECAY_60_DB * time_s / band_rt60_s)
    tail[0] = 0.0
    return tail / np.linalg.norm(tail)


def _reflections(rng: np.random.Generator, rt60_s: float, rate: int) -> NDArray[np.float64]:
    """3 to 8 reflections within 60 ms, or within the tail's decay by 9 dB if that is shorter; unit energy."""
    number = int(rng.integers(3, 9))
    delay_s = rng.uniform(0.002, min(0.06, 0.15 * rt60_s), number)
    early = np.zeros(tail_samples(rate))
    loudness = rng.uniform(0.5, 1.5, number) * rng.choice((-1.0, 1.0), number)
    np.add.at(early, np.rint(delay_s * rate).astype(np.int64), loudness * np.exp(-_DECAY_60_DB * delay_s / rt60_s))
    return early / np.linalg.norm(early)
