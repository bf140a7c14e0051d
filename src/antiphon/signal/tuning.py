"""How far a recording is tuned off A = 440 Hz: what its spectral peaks say of their distance from the nearest semitone.

The idea is that of `librosa.estimate_tuning` (McFee et al. 2015, "librosa: Audio and music signal analysis in Python",
SciPy): peaks of the spectrum, interpolated, and a histogram of their deviations. Unlike there, peaks count by strength,
those that do not stand out of their octave are left out, the histogram wraps around, and its highest place is refined
by a mean. Deviations d are angles 2π d / 100 cents, so that −50 and +50 cents are the same.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from antiphon.signal.spectra import power

_FFT = 8192
_FRAMES = 1000  # at most, spread over the recording
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 2000.0
_STANDING_OUT = 10**1.5  # 15 dB of power above an octave's median, where the strongest bin of noise is 10 dB above
_QUIETEST = 1e-6  # power of a peak, of the strongest in the recording
_SHARPNESS = 20.0  # of the histogram's kernel: falls to a half within 4 cents
_NEAR_CENTS = 10.0
_SIGNIFICANT = 9.0  # Rayleigh's statistic; deviations without a centre exceed it once in e⁹ = 8000 times


def estimate_detuning_cents(samples: NDArray[np.float32], sample_rate_hz: int) -> float:
    """How many cents the pitches of mono samples [n] lie above those of equal temperament at A = 440 Hz: −50 to 50.

    Found from peaks between 80 Hz and 2 kHz in windows of 8192 samples. Partials of strings lie above their harmonics,
    and fifth and seventh harmonics below their keys; the strongest peaks, which are low partials, decide. Gives 0.0 for
    silence, and where peaks are few or agree on no tuning, as in noise. Raises `ValueError` for a sample rate below
    4000 Hz, whose sound ends before 2 kHz. A lone sine is measured within 0.2 cents at A4, within 1 at A2.

    >>> a4_at_445_hz = np.sin(2 * np.pi * 445 * np.arange(48_000) / 24_000).astype(np.float32)
    >>> round(estimate_detuning_cents(a4_at_445_hz, 24_000), 1)
    19.5
    """
    if sample_rate_hz < 2 * _HIGHEST_HZ:
        raise ValueError(f"sample_rate_hz is {sample_rate_hz}; peaks up to {_HIGHEST_HZ:g} Hz need twice as much")
    deviation, weight = _peaks(_power(samples), sample_rate_hz / _FFT)
    if not _agree(deviation, weight):
        return 0.0
    candidates = torch.arange(-50.0, 50.0, dtype=torch.float64)
    histogram, _ = torch.histogram(deviation, 100, range=(-50.0, 50.0), weight=weight)
    kernel = torch.exp(_SHARPNESS * ((candidates[:, None] - candidates - 0.5).mul(2 * math.pi / 100).cos() - 1))
    mode = candidates[(kernel @ histogram).argmax()]
    from_mode = _wrapped(deviation - mode)
    near = from_mode.abs() <= _NEAR_CENTS
    mean = (from_mode[near] * weight[near]).sum() / weight[near].sum()
    return float(_wrapped(mode + mean))


def _power(samples: NDArray[np.float32]) -> Tensor:
    """|STFT|² of at most 1000 Hann windows, half a window apart or more: [frames, bins]."""
    sound = torch.from_numpy(np.pad(samples, (0, max(0, _FFT - len(samples)))))
    hop = max(_FFT // 2, math.ceil(len(sound) / _FRAMES))
    return power(torch.fft.rfft(sound.unfold(0, _FFT, hop) * torch.hann_window(_FFT)))


def _peaks(power: Tensor, bin_hz: float) -> tuple[Tensor, Tensor]:
    """Deviations in cents from the nearest semitone and weights of the peaks in [frames, bins]: float64 [n] each.

    A parabola through the logarithms of three bins has its top within 0.02 bins of a sine under a Hann window. A
    weight is the root of the peak's amplitude, so that loud passages do not decide alone.
    """
    before, middle, after = power[:, :-2], power[:, 1:-1], power[:, 2:]
    tops = (middle > before) & (middle >= after) & (middle > _threshold(power, bin_hz)[:, 1:-1])
    left, top, right = (part[tops].double().clamp_min(1e-30).log() for part in (before, middle, after))
    place = tops.nonzero()[:, 1] + 1 + (right - left) / (2 * (2 * top - left - right))
    return _wrapped(1200 * (place * bin_hz / 440).log2()), (top / 4).exp()


def _threshold(power: Tensor, bin_hz: float) -> Tensor:
    """What a peak has to exceed [frames, bins]; infinite beyond the octaves that are looked at."""
    least = torch.full_like(power, torch.inf)
    low_hz = _LOWEST_HZ
    while low_hz < _HIGHEST_HZ:
        octave = slice(math.ceil(low_hz / bin_hz), math.ceil(min(2 * low_hz, _HIGHEST_HZ) / bin_hz))
        least[:, octave] = _STANDING_OUT * power[:, octave].median(dim=1, keepdim=True).values
        low_hz *= 2
    return least.clamp_min(max(_QUIETEST * float(power.max()), 1e-12))


def _agree(deviation: Tensor, weight: Tensor) -> bool:
    """Rayleigh's test of whether angles have a centre, for as many of equal weight as would scatter alike."""
    if len(deviation) == 0:
        return False
    mean = (weight * torch.exp(2j * math.pi / 100 * deviation)).sum().abs()
    return bool(mean.square() / weight.square().sum() > _SIGNIFICANT)


def _wrapped(cents: Tensor) -> Tensor:
    """Cents from −50 up to 50: the distance from the nearest semitone."""
    return torch.remainder(cents + 50, 100) - 50
