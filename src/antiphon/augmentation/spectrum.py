"""The frequency domain, and what multiplies or adds there: an equaliser, band limits, coloured noise and hum.

Shapes: F = length // 2 + 1 bins of a real DFT of `length` samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

EQUALISER_HZ: tuple[float, ...] = tuple(np.geomspace(40.0, 11_000.0, 8).tolist())
"""Where an equaliser's gains are given; between them the gain in dB is interpolated, beyond them it stays."""
HUM_HARMONICS = 8
_NOISE_CORNER_HZ = 20.0
_WHITE_SEED = 30_000
_LEAST_WHITE = 1 << 20
_PER_DB = math.log(10.0) / 20.0


def fast_length(samples: int) -> int:
    """A transform's length, at least `samples`: a multiple of 1024 without large prime factors.

    >>> fast_length(96_000), fast_length(129_600)
    (98304, 131072)
    """
    return 1024 * int(scipy.fft.next_fast_len(-(-samples // 1024), real=True))


def to_spectrum(samples: Tensor, length: int) -> Tensor:
    """DFT complex64 [F] of samples [S] padded to `length`. On a CPU SciPy takes half of PyTorch's time for one row."""
    if samples.device.type == "cpu":
        return torch.from_numpy(scipy.fft.rfft(samples.numpy(), length))
    return torch.fft.rfft(samples, length)


def to_samples(spectrum: Tensor, length: int) -> Tensor:
    """The `length` samples float32 behind a spectrum [F]."""
    if spectrum.device.type == "cpu":
        return torch.from_numpy(scipy.fft.irfft(spectrum.numpy(), length, overwrite_x=True))
    return torch.fft.irfft(spectrum, length)


@dataclass(frozen=True)
class Noise:
    """Background noise of one window.

    `snr_db` is the ratio of the window's mean power to the noise's, `slope` the α of a power spectrum 1/f^α (0 white,
    1 pink, 2 brown; flat below 20 Hz), `place` within 0–1 picks the noise out of an endless one. `hum` holds the
    complex amplitudes of mains hum's first harmonics, relative to the coloured noise at unit power; its fundamental
    is `hum_hz`.
    """

    snr_db: float
    slope: float
    place: float
    hum_hz: float = 50.0
    hum: tuple[complex, ...] = ()


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of a DFT: `squared_hz` and `log_hz` float32 [F], of bin 0 those of a hundredth of bin 1; `between`
    float32 [8, F] interpolates an equaliser's gains by raised cosines over log frequency."""

    length: int
    sample_rate_hz: int
    squared_hz: Tensor
    log_hz: Tensor
    between: Tensor


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def dft_bins(length: int, sample_rate_hz: int, device: torch.device) -> Bins:
    """What depends only on a transform's length and rate."""
    hertz = np.fft.rfftfreq(length, 1.0 / sample_rate_hz)
    hertz[0] = hertz[1] / 100.0
    low, high = math.log(EQUALISER_HZ[0]), math.log(EQUALISER_HZ[-1])
    place = np.clip((np.log(hertz) - low) / (high - low), 0.0, 1.0) * (len(EQUALISER_HZ) - 1)
    away = np.clip(np.abs(place[None] - np.arange(len(EQUALISER_HZ))[:, None]), 0.0, 1.0)

    def on_device(values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device)

    between = on_device(0.5 + 0.5 * np.cos(math.pi * away))
    return Bins(length, sample_rate_hz, on_device(hertz**2), on_device(np.log(hertz)), between)


def gain_curve(
    bins: Bins, equaliser_db: tuple[float, ...] | None, high_pass_hz: float | None, low_pass_hz: float | None
) -> Tensor | None:
    """Amplitude gain of every bin [F], or None when nothing is to be done.

    Band limits are Butterworth's magnitudes, −3 dB at their frequency: 12 dB an octave below the high-pass, 24 dB
    above the low-pass. Gains are real, so that no frequency is delayed and onsets stay where they are.
    """
    power: Tensor | None = None
    if high_pass_hz is not None:
        power = 1.0 + (high_pass_hz**2 / bins.squared_hz).square_()
    if low_pass_hz is not None:
        limit = (bins.squared_hz / low_pass_hz**2).square_().square_().add_(1.0)
        power = limit if power is None else power * limit
    gain = None if power is None else power.rsqrt_()
    if equaliser_db is None:
        return gain
    decibels = torch.tensor(equaliser_db, dtype=torch.float32, device=bins.between.device)
    curve = (decibels * _PER_DB @ bins.between).exp_()
    return curve if gain is None else curve * gain


def energy(spectrum: Tensor, length: int) -> Tensor:
    """Sum of squares of the `length` real samples behind a spectrum [F] (Parseval)."""
    parts = torch.view_as_real(spectrum).flatten()
    twice = 2.0 * torch.dot(parts, parts)
    alone = spectrum[0].abs().square()
    return (twice - alone - (spectrum[-1].abs().square() if length % 2 == 0 else 0.0)) / length


def noise_spectrum(noise: Noise, bins: Bins) -> Tensor:
    """Spectrum complex64 [F] of stationary noise, coloured and with its hum, at no power in particular.

    White noise is white in either domain, so that a spectrum is any stretch of a long row of random numbers.
    """
    width = len(bins.squared_hz)
    row = _white(max(_LEAST_WHITE, 2 * width), bins.squared_hz.device)
    first = int(noise.place * (len(row) - width))
    spectrum = row[first : first + width]
    if noise.slope:
        shape = (bins.squared_hz + _NOISE_CORNER_HZ**2).log_().mul_(-noise.slope / 4.0).exp_()
        spectrum = spectrum * shape
    else:
        spectrum = spectrum.clone()
    spectrum[0] = 0.0
    spectrum[-1] = 0.0
    if not noise.hum:
        return spectrum
    # A tone of unit power against this noise, as the two bins ±f of its spectrum have it.
    unit = (energy(spectrum, bins.length) * (bins.length / 2.0)).sqrt()
    for number, amplitude in enumerate(noise.hum, start=1):
        place = round(number * noise.hum_hz * bins.length / bins.sample_rate_hz)
        if place < width - 1:
            spectrum[place] += amplitude * unit
    return spectrum


@lru_cache(maxsize=2)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def _white(count: int, device: torch.device) -> Tensor:
    numbers = np.random.default_rng(_WHITE_SEED).standard_normal((count, 2), dtype=np.float32)
    return torch.view_as_complex(torch.from_numpy(numbers)).to(device)
