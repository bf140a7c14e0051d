"""Tuning of a recording relative to A = 440 Hz, estimated from the distances of spectral peaks to the semitones.

The method follows `librosa.estimate_tuning` (McFee et al. 2015, "librosa: Audio and music signal analysis in Python",
SciPy): it interpolates the peaks of the spectrum and takes a histogram of their deviations. Four things differ. Peaks
are weighted by strength; peaks close to the level of their octave are left out; the histogram is circular; and a mean
refines its mode. A deviation of d cents is the angle 2π d / 100, so −50 and +50 cents are equal.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from antiphon.signal.spectra import power, stft
from antiphon.types import SampleArray

_FFT = 8192
_MAX_FRAMES = 1000  # spread over the recording
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 2000.0
_PROMINENCE = 10**1.5  # 15 dB of power above an octave's median; the strongest bin of noise is 10 dB above it
_WEAKEST_PEAK = 1e-6  # power relative to the strongest bin of the recording
_SHARPNESS = 20.0  # concentration of the smoothing kernel, which falls to a half within 4 cents
_NEAR_CENTS = 10.0
_SIGNIFICANT = 9.0  # Rayleigh's statistic; uniform deviations exceed it once in e⁹ = 8000 times


def estimate_detuning_cents(samples: SampleArray, sample_rate_hz: int) -> float:
    """Estimate how many cents mono samples [n] are tuned above A = 440 Hz in equal temperament: −50 to 50.

    Uses peaks between 80 Hz and 2 kHz in windows of 8192 samples. Partials of strings are sharper than exact harmonics,
    and the fifth and seventh harmonics are flatter than the nearest key; the strongest peaks, which are low partials,
    dominate the estimate. Returns 0.0 for silence and where peaks are few or agree on no tuning, as in noise. The error
    for a single sine is below 0.2 cents at A4 and below 1 cent at A2. Raises `ValueError` for a sample rate below
    4000 Hz, whose Nyquist frequency is below 2 kHz.

    >>> a4_at_445_hz = np.sin(2 * np.pi * 445 * np.arange(48_000) / 24_000).astype(np.float32)
    >>> round(estimate_detuning_cents(a4_at_445_hz, 24_000), 1)
    19.5
    """
    if sample_rate_hz < 2 * _HIGHEST_HZ:
        raise ValueError(f"sample_rate_hz is {sample_rate_hz}; peaks up to {_HIGHEST_HZ:g} Hz need twice as much")
    deviation, weight = _peaks(_power(samples), sample_rate_hz / _FFT)
    if not _has_centre(deviation, weight):
        return 0.0
    candidates = torch.arange(-50.0, 50.0, dtype=torch.float64)
    histogram, _ = torch.histogram(deviation, 100, range=(-50.0, 50.0), weight=weight)
    kernel = torch.exp(_SHARPNESS * ((candidates[:, None] - candidates - 0.5).mul(2 * math.pi / 100).cos() - 1))
    mode = candidates[(kernel @ histogram).argmax()]
    from_mode = _wrapped(deviation - mode)
    near = from_mode.abs() <= _NEAR_CENTS
    mean = (from_mode[near] * weight[near]).sum() / weight[near].sum()
    return float(_wrapped(mode + mean))


def _power(samples: SampleArray) -> Tensor:
    """|STFT|² of at most 1000 Hann windows, half a window apart or more: [frames, bins]."""
    length = max(_FFT, len(samples))
    hop = max(_FFT // 2, math.ceil(length / _MAX_FRAMES))
    windows = np.zeros(((length - _FFT) // hop + 1, _FFT), np.float32)
    for number, window in enumerate(windows):
        part = samples[number * hop : number * hop + _FFT]
        window[: len(part)] = part
    return power(stft(torch.from_numpy(windows), torch.hann_window(_FFT), _FFT, centred=False))[..., 0]


def _peaks(power: Tensor, bin_hz: float) -> tuple[Tensor, Tensor]:
    """Deviations from the nearest semitone in cents, and weights, of the peaks in [frames, bins]: float64 [n] each.

    With a Hann window, the vertex of a parabola through the logarithms of three bins is within 0.02 bins of a sine. A
    weight is the square root of the peak's amplitude, so that loud passages do not dominate.
    """
    before, middle, after = power[:, :-2], power[:, 1:-1], power[:, 2:]
    tops = (middle > before) & (middle >= after) & (middle > _threshold(power, bin_hz)[:, 1:-1])
    left, top, right = (part[tops].double().clamp_min(1e-30).log() for part in (before, middle, after))
    position = tops.nonzero()[:, 1] + 1 + (right - left) / (2 * (2 * top - left - right))
    return _wrapped(1200 * (position * bin_hz / 440).log2()), (top / 4).exp()


def _threshold(power: Tensor, bin_hz: float) -> Tensor:
    """Smallest power of a peak [frames, bins]; infinite outside 80 Hz to 2 kHz."""
    least = torch.full_like(power, torch.inf)
    low_hz = _LOWEST_HZ
    while low_hz < _HIGHEST_HZ:
        octave = slice(math.ceil(low_hz / bin_hz), math.ceil(min(2 * low_hz, _HIGHEST_HZ) / bin_hz))
        least[:, octave] = _PROMINENCE * power[:, octave].median(dim=1, keepdim=True).values
        low_hz *= 2
    return least.clamp_min(max(_WEAKEST_PEAK * float(power.max()), 1e-12))


def _has_centre(deviation: Tensor, weight: Tensor) -> bool:
    """Rayleigh's test against uniform angles, with the effective number of equal weights."""
    if len(deviation) == 0:
        return False
    mean = (weight * torch.exp(2j * math.pi / 100 * deviation)).sum().abs()
    return bool(mean.square() / weight.square().sum() > _SIGNIFICANT)


def _wrapped(cents: Tensor) -> Tensor:
    """Cents reduced to −50 … 50: the distance from the nearest semitone."""
    return torch.remainder(cents + 50, 100) - 50
