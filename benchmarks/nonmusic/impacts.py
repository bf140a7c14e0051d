"""Impacts and clicks in rooms: doors, knocks, steps, metronomes, clocks, typing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import fftconvolve

from antiphon.augmentation.rooms import draw_room
from benchmarks.nonmusic.kinds import RATE_HZ, Generator, Samples, sound_kind
from benchmarks.nonmusic.noises import band, coloured


def in_room(rng: Generator, samples: Samples, rt60_s: tuple[float, float] = (0.2, 1.5)) -> Samples:
    """The samples in a simulated room with a noise floor of −80 to −40 dB."""
    response = draw_room(rng, rt60_s, RATE_HZ).response
    wet = fftconvolve(samples, response)[: len(samples)]
    floor = coloured(rng, len(samples), 1.0)
    level = 10 ** (rng.uniform(-80.0, -40.0) / 20) * max(float(np.abs(wet).max()), 1e-9)
    noisy: Samples = wet + floor / floor.std() * level
    return noisy


def hits(count: int, at_s: Sequence[float] | Samples, hit: Samples, levels: Sequence[float] | Samples) -> Samples:
    """Copies of `hit` [n] at these times, in `count` samples."""
    samples = np.zeros(count + len(hit))
    for second, level in zip(at_s, levels, strict=True):
        begin = round(float(second) * RATE_HZ)
        if 0 <= begin < count:
            samples[begin : begin + len(hit)] += level * hit
    return samples[:count]


def thud(rng: Generator, low_hz: float, high_hz: float, decay_s: float) -> Samples:
    """A burst of noise and a few resonances that decays."""
    time_s = np.arange(round(6 * decay_s * RATE_HZ)) / RATE_HZ
    noise = band(rng.normal(size=len(time_s)), low_hz, high_hz)
    resonances_hz = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), 3))
    ringing = np.sum([np.sin(2 * np.pi * one * time_s) for one in resonances_hz], axis=0)
    return (noise / max(noise.std(), 1e-9) + rng.uniform(0.0, 1.0) * ringing) * np.exp(-time_s / decay_s)


@sound_kind
def door_slam(rng: Generator, count: int) -> Samples:
    """A door: one slam, or a slam and its latch, once or twice."""
    slam = thud(rng, 40.0, rng.uniform(300.0, 2500.0), rng.uniform(0.03, 0.15))
    latch = thud(rng, 800.0, 5000.0, 0.01)
    duration_s = count / RATE_HZ
    at_s = np.sort(rng.uniform(0.1, duration_s - 0.3, int(rng.integers(1, 3))))
    samples = hits(count, at_s, slam, np.ones(len(at_s)))
    if rng.uniform() < 0.5:
        samples += hits(count, at_s - rng.uniform(0.05, 0.2), latch, np.full(len(at_s), 0.3))
    return in_room(rng, samples)


@sound_kind
def knocks(rng: Generator, count: int) -> Samples:
    """Irregular knocks and objects that fall."""
    times = int(rng.integers(2, 30))
    knock = thud(rng, 80.0, rng.uniform(600.0, 5000.0), rng.uniform(0.01, 0.06))
    return in_room(rng, hits(count, rng.uniform(0.0, count / RATE_HZ, times), knock, rng.uniform(0.3, 1.0, times)))


@sound_kind
def steps(rng: Generator, count: int) -> Samples:
    """Footsteps: nearly regular thuds of two feet."""
    at_s = np.arange(0.2, count / RATE_HZ, rng.uniform(0.35, 0.8))
    at_s = at_s + rng.normal(0.0, 0.02, len(at_s))
    left, right = (thud(rng, 60.0, rng.uniform(400.0, 3000.0), rng.uniform(0.01, 0.04)) for _ in range(2))
    levels = rng.uniform(0.6, 1.0, len(at_s))
    both = hits(count, at_s[::2], left, levels[::2]) + hits(count, at_s[1::2], right, levels[1::2])
    return in_room(rng, both)


@sound_kind
def metronome(rng: Generator, count: int) -> Samples:
    """Clicks of a constant tempo, every second, third or fourth one higher."""
    time_s = np.arange(round(0.04 * RATE_HZ)) / RATE_HZ
    base_hz, ratio = rng.uniform(500.0, 3000.0), rng.uniform(1.0, 2.0)
    low, high = (np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s / 0.006) for hz in (base_hz, base_hz * ratio))
    at_s = np.arange(rng.uniform(0.0, 0.5), count / RATE_HZ, 60 / rng.uniform(40.0, 208.0))
    accent = np.arange(len(at_s)) % rng.integers(1, 5) == 0
    clicks = hits(count, at_s, low, ~accent * 1.0) + hits(count, at_s, high, accent * 1.0)
    return in_room(rng, clicks) if rng.uniform() < 0.5 else clicks


@sound_kind
def click(rng: Generator, count: int) -> Samples:
    """One to five clicks of one sample."""
    samples = np.zeros(count)
    samples[rng.integers(0, count, rng.integers(1, 6))] = 1.0
    return samples


@sound_kind
def clock_ticks(rng: Generator, count: int) -> Samples:
    """A clock: two alternating ticks, one to five a second."""
    at_s = np.arange(0.05, count / RATE_HZ, 1 / rng.uniform(1.0, 5.0))
    tick, tock = (thud(rng, 1500.0, 8000.0, 0.004) for _ in range(2))
    samples = hits(count, at_s[::2], tick, np.ones(len(at_s[::2]))) + hits(
        count, at_s[1::2], tock, np.ones(len(at_s[1::2]))
    )
    return in_room(rng, samples)


@sound_kind
def typing(rng: Generator, count: int) -> Samples:
    """Keys of a keyboard at irregular times, in bursts."""
    gaps_s = rng.exponential(0.15, 400) + 0.05 + (rng.uniform(size=400) < 0.05) * rng.uniform(0.5, 2.0, 400)
    at_s = np.cumsum(gaps_s)
    key = thud(rng, 500.0, 8000.0, 0.008)
    return in_room(rng, hits(count, at_s, key, rng.uniform(0.3, 1.0, len(at_s))), (0.2, 0.6))
