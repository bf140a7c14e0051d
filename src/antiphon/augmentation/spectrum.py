"""Effects in the frequency domain: equaliser, band limits, coloured noise and mains hum.

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
"""Frequencies of the equaliser's gains. The gain in dB is interpolated between them and constant beyond them."""
HUM_HARMONICS = 8
_NOISE_CORNER_HZ = 20.0
_WHITE_SEED = 30_000
_LEAST_WHITE = 1 << 20
_PER_DB = math.log(10.0) / 20.0


def fast_length(samples: int) -> int:
    """Length of an efficient DFT, at least `samples`: a multiple of 1024 without large prime factors.

    >>> fast_length(96_000), fast_length(129_600)
    (98304, 131072)
    """
    return 1024 * int(scipy.fft.next_fast_len(-(-samples // 1024), real=True))


def to_spectrum(samples: Tensor, length: int) -> Tensor:
    """DFT complex64 [F] of samples [S] padded to `length`. On a CPU, SciPy needs half of PyTorch's time for one row."""
    if samples.device.type == "cpu":
        return torch.from_numpy(scipy.fft.rfft(samples.numpy(), length))
    return torch.fft.rfft(samples, length)


def to_samples(spectrum: Tensor, length: int) -> Tensor:
    """Inverse DFT of a spectrum [F]: float32 [length]."""
    if spectrum.device.type == "cpu":
        return torch.from_numpy(scipy.fft.irfft(spectrum.numpy(), length, overwrite_x=True))
    return torch.fft.irfft(spectrum, length)


@dataclass(frozen=True)
class Noise:
    """Background noise of one window.

    `snr_db` is the ratio of the window's mean power to that of the noise. `slope` is the α of the power spectrum 1/f^α
    (0 white, 1 pink, 2 brown; flat below 20 Hz). `place` in 0–1 selects a stretch of a long row of random numbers.
    `hum` are the complex amplitudes of the first harmonics of mains hum, relative to the coloured noise at unit power;
    `hum_hz` is its fundamental.
    """

    snr_db: float
    slope: float
    place: float
    hum_hz: float = 50.0
    hum: tuple[complex, ...] = ()


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of a DFT. `squared_hz` and `log_hz` are float32 [F]; bin 0 has a hundredth of bin 1's frequency.

    `between` float32 [8, F] interpolates an equaliser's gains by raised cosines over log frequency.
    """

    length: int
    sample_rate_hz: int
    squared_hz: Tensor
    log_hz: Tensor
    between: Tensor


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def dft_bins(length: int, sample_rate_hz: int, device: torch.device) -> Bins:
    """The bins of a DFT of this length and sample rate."""
    hertz = np.fft.rfftfreq(length, 1.0 / sample_rate_hz)
    hertz[0] = hertz[1] / 100.0
    low, high = math.log(EQUALISER_HZ[0]), math.log(EQUALISER_HZ[-1])
    position = np.clip((np.log(hertz) - low) / (high - low), 0.0, 1.0) * (len(EQUALISER_HZ) - 1)
    distance = np.clip(np.abs(position[None] - np.arange(len(EQUALISER_HZ))[:, None]), 0.0, 1.0)

    def on_device(values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device)

    between = on_device(0.5 + 0.5 * np.cos(math.pi * distance))
    return Bins(length, sample_rate_hz, on_device(hertz**2), on_device(np.log(hertz)), between)


def gain_curve(
    bins: Bins, equaliser_db: tuple[float, ...] | None, high_pass_hz: float | None, low_pass_hz: float | None
) -> Tensor | None:
    """Amplitude gain of each bin [F], or None when no effect is set.

    Band limits have Butterworth magnitudes, −3 dB at their frequency: 12 dB per octave below the high-pass, 24 dB per
    octave above the low-pass. Gains are real (zero phase), so onsets do not move.
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
    """Sum of squares of the `length` real samples with this spectrum [F] (Parseval)."""
    parts = torch.view_as_real(spectrum).flatten()
    twice = 2.0 * torch.dot(parts, parts)
    alone = spectrum[0].abs().square()
    return (twice - alone - (spectrum[-1].abs().square() if length % 2 == 0 else 0.0)) / length


def noise_spectrum(noise: Noise, bins: Bins) -> Tensor:
    """Spectrum complex64 [F] of stationary noise with its colour and hum; its power is arbitrary.

    The spectrum of white noise is white noise too, so any stretch of a long row of random numbers serves as one.
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
    # The amplitude, in the bins ±f, of a tone with the power of this noise.
    unit = (energy(spectrum, bins.length) * (bins.length / 2.0)).sqrt()
    for number, amplitude in enumerate(noise.hum, start=1):
        bin_ = round(number * noise.hum_hz * bins.length / bins.sample_rate_hz)
        if bin_ < width - 1:
            spectrum[bin_] += amplitude * unit
    return spectrum


@lru_cache(maxsize=2)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def _white(count: int, device: torch.device) -> Tensor:
    numbers = np.random.default_rng(_WHITE_SEED).standard_normal((count, 2), dtype=np.float32)
    return torch.view_as_complex(torch.from_numpy(numbers)).to(device)
