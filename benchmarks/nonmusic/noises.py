"""Noise: white, pink and brown, rooms, weather, applause, engines."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from benchmarks.nonmusic.kinds import RATE_HZ, Generator, Samples, sound_kind


def coloured(rng: Generator, count: int, exponent: float) -> Samples:
    """Noise [count] whose power falls with frequency as f^−exponent, constant below 20 Hz."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    frequency_hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0)
    return np.fft.irfft(spectrum * frequency_hz ** (-exponent / 2), count)


def band(samples: Samples, low_hz: float, high_hz: float) -> Samples:
    """The samples between two frequencies, by a Butterworth filter of order 4."""
    edges_hz = (low_hz, min(high_hz, 0.45 * RATE_HZ))
    filtered: Samples = sosfilt(butter(2, edges_hz, "bandpass", fs=RATE_HZ, output="sos"), samples)
    return filtered


def slowly(rng: Generator, count: int, rate_hz: float, depth: float) -> Samples:
    """A positive level [count] that wanders at about `rate_hz`; `depth` is its standard deviation in log units."""
    points = max(4, round(count / RATE_HZ * rate_hz) + 2)
    at = np.linspace(0, points - 1, count)
    return np.exp(np.interp(at, np.arange(points), rng.normal(0.0, depth, points)))


@sound_kind
def white_noise(rng: Generator, count: int) -> Samples:
    return coloured(rng, count, 0.0)


@sound_kind
def pink_noise(rng: Generator, count: int) -> Samples:
    return coloured(rng, count, 1.0)


@sound_kind
def brown_noise(rng: Generator, count: int) -> Samples:
    return coloured(rng, count, 2.0)


@sound_kind
def room_tone(rng: Generator, count: int) -> Samples:
    """Ventilation and a trace of mains hum."""
    noise = coloured(rng, count, rng.uniform(1.0, 2.0))
    mains_hz = rng.choice([50.0, 60.0])
    hum = sum(np.sin(2 * np.pi * k * mains_hz * np.arange(count) / RATE_HZ) / k for k in (1, 2, 3))
    return noise / noise.std() + rng.uniform(0.0, 0.5) * hum


@sound_kind
def wind(rng: Generator, count: int) -> Samples:
    """Gusts of low noise with a whistling band."""
    low = coloured(rng, count, 2.0) * slowly(rng, count, 0.7, 0.8)
    whistle_hz = rng.uniform(300.0, 900.0)
    whistle = band(rng.normal(size=count), whistle_hz, 1.15 * whistle_hz) * slowly(rng, count, 1.0, 1.0)
    return low / low.std() + 0.3 * whistle / whistle.std()


@sound_kind
def rain(rng: Generator, count: int) -> Samples:
    """Hiss, and drops at random times."""
    drops = np.zeros(count)
    at = rng.integers(0, count, rng.integers(5, 80) * count // RATE_HZ)
    drops[at] = rng.exponential(1.0, len(at))
    decay = np.exp(-np.arange(round(0.02 * RATE_HZ)) / rng.uniform(20.0, 120.0))
    struck = np.convolve(drops, decay * rng.normal(size=len(decay)))[:count]
    return band(rng.normal(size=count), 800.0, 9000.0) * 0.05 + struck / max(struck.std(), 1e-9) * 0.1


@sound_kind
def applause(rng: Generator, count: int) -> Samples:
    """Many claps, each a burst of filtered noise, in a room."""
    claps = np.zeros(count)
    for _ in range(int(rng.integers(5, 60))):
        period = RATE_HZ / rng.uniform(2.5, 5.0)
        at = (np.arange(count // int(period) + 1) * period + rng.normal(0.0, 0.05 * period)).astype(np.int64)
        at = np.clip(at + rng.normal(0.0, 0.08 * period, len(at)).astype(np.int64), 0, count - 1)
        claps[at] += rng.uniform(0.3, 1.0)
    clap = band(rng.normal(size=round(0.03 * RATE_HZ)), 600.0, 3500.0) * np.exp(-np.arange(round(0.03 * RATE_HZ)) / 90)
    return np.convolve(claps, clap)[:count] + 1e-3 * rng.normal(size=count)


@sound_kind
def engine(rng: Generator, count: int) -> Samples:
    """A motor: pulses at a wandering rate, filtered."""
    rate_hz = rng.uniform(15.0, 90.0) * slowly(rng, count, 0.5, 0.1)
    phase = np.cumsum(rate_hz) / RATE_HZ
    pulses = np.diff(np.floor(phase), prepend=0.0)
    low, high = rng.uniform(40.0, 200.0), rng.uniform(600.0, 3000.0)
    return band(pulses, low, high) + 0.02 * band(rng.normal(size=count), low, high)
