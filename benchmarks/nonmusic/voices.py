"""Speech-like sound: syllables of formants with pauses (source and filter), one voice or a crowd, and birds."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from benchmarks.nonmusic.impacts import in_room
from benchmarks.nonmusic.kinds import RATE_HZ, Generator, Samples, sound_kind
from benchmarks.nonmusic.noises import band
from benchmarks.nonmusic.tones import phase_of

_VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""Formants of /a i u e o/, Peterson and Barney (JASA 24, 1952)."""


def _resonance(samples: Samples, hz: float, width_hz: float) -> Samples:
    radius = np.exp(-np.pi * width_hz / RATE_HZ)
    filtered: Samples = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2], samples)
    return filtered


def voice(rng: Generator, count: int) -> Samples:
    """Babble of one speaker: syllables of 0.1 to 0.35 s, falling pitch in each phrase, fricatives, pauses."""
    samples, at = np.zeros(count), 0
    pitch_hz, formant_scale = rng.uniform(80.0, 260.0), rng.uniform(0.9, 1.25)
    while at < count:
        syllables = int(rng.integers(3, 14))
        for number in range(syllables):
            length = round(rng.uniform(0.1, 0.35) * RATE_HZ)
            glide = pitch_hz * (1.15 - 0.3 * number / syllables) * np.linspace(1.0, rng.uniform(0.85, 1.15), length)
            phase = phase_of(glide) / (2 * np.pi)
            source = np.diff(np.floor(phase), prepend=0.0) + 0.01 * rng.normal(size=length)
            vowel = _VOWELS_HZ[rng.integers(len(_VOWELS_HZ))]
            spoken = np.sum(
                [_resonance(source, hz * formant_scale, 80.0) / (1 + k) for k, hz in enumerate(vowel)], axis=0
            )
            spoken *= np.hanning(length) ** 0.5
            if rng.uniform() < 0.4:
                hiss = round(0.08 * RATE_HZ)
                spoken[:hiss] += 0.05 * band(rng.normal(size=hiss), 2500.0, 8000.0) * np.hanning(hiss)
            end = min(at + length, count)
            samples[at:end] += spoken[: end - at]
            at = end
            if at >= count:
                break
        at += round(rng.uniform(0.15, 1.0) * RATE_HZ)
    return samples


@sound_kind
def speech(rng: Generator, count: int) -> Samples:
    return in_room(rng, voice(rng, count))


@sound_kind
def crowd(rng: Generator, count: int) -> Samples:
    """Four to twelve voices at once."""
    voices = [voice(rng, count) * rng.uniform(0.3, 1.0) for _ in range(int(rng.integers(4, 13)))]
    return in_room(rng, np.sum(voices, axis=0), (0.5, 2.0))


@sound_kind
def birdsong(rng: Generator, count: int) -> Samples:
    """Chirps: short glides between 1.5 and 8 kHz in groups."""
    samples, at = np.zeros(count), round(rng.uniform(0.0, 1.0) * RATE_HZ)
    centre_hz = rng.uniform(2000.0, 5000.0)
    while at < count:
        for _ in range(int(rng.integers(1, 9))):
            length = round(rng.uniform(0.03, 0.25) * RATE_HZ)
            begin_hz, end_hz = centre_hz * 2 ** rng.uniform(-0.5, 0.6, 2)
            chirp = np.sin(phase_of(np.linspace(begin_hz, end_hz, length))) * np.hanning(length)
            end = min(at + length, count)
            samples[at:end] += chirp[: end - at]
            at = min(end + round(rng.uniform(0.02, 0.2) * RATE_HZ), count)
        at += round(rng.uniform(0.3, 2.0) * RATE_HZ)
    return samples + 1e-3 * rng.normal(size=count)
