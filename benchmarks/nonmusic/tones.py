"""Steady and moving tones: hum, a constant, sines, sweeps, sirens, ringing, bells."""

from __future__ import annotations

import numpy as np

from benchmarks.nonmusic.kinds import RATE_HZ, Generator, Samples, sound_kind


def seconds(count: int) -> Samples:
    """The time of each sample."""
    return np.arange(count) / RATE_HZ


def phase_of(frequency_hz: Samples) -> Samples:
    """The phase in radians of a tone of this instantaneous frequency."""
    return 2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ


def any_frequency_hz(rng: Generator, low_hz: float = 40.0, high_hz: float = 8000.0) -> float:
    """A frequency, uniform in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low_hz), np.log(high_hz))))


@sound_kind
def constant(rng: Generator, count: int) -> Samples:
    """A constant offset, in every third case switched on late."""
    samples = np.ones(count)
    if rng.uniform() < 1 / 3:
        samples[: round(rng.uniform(0.0, 0.5) * count)] = 0.0
    return samples


@sound_kind
def mains_hum(rng: Generator, count: int) -> Samples:
    base_hz = rng.choice([50.0, 60.0]) * (1 + rng.normal(0.0, 1e-3))
    weights = rng.exponential(1.0, 8) / np.arange(1, 9)
    phases = rng.uniform(0.0, 2 * np.pi, 8)
    hum = sum(
        weight * np.sin(2 * np.pi * k * base_hz * seconds(count) + phase)
        for k, (weight, phase) in enumerate(zip(weights, phases, strict=True), 1)
    )
    return np.asarray(hum) + 0.01 * rng.normal(size=count)


@sound_kind
def sine(rng: Generator, count: int) -> Samples:
    return np.sin(2 * np.pi * any_frequency_hz(rng) * seconds(count))


@sound_kind
def several_tones(rng: Generator, count: int) -> Samples:
    """Two to five steady tones, as in a dial tone."""
    frequencies_hz = [any_frequency_hz(rng, 100.0, 4000.0) for _ in range(int(rng.integers(2, 6)))]
    return np.sum([np.sin(2 * np.pi * one * seconds(count)) for one in frequencies_hz], axis=0)


@sound_kind
def beeps(rng: Generator, count: int) -> Samples:
    """One tone, switched on and off: regularly, or as in Morse code."""
    unit = round(rng.uniform(0.06, 0.6) * RATE_HZ)
    units = count // unit + 1
    on = np.arange(units) % 2 == 0 if rng.uniform() < 0.5 else rng.uniform(size=units) < 0.5
    gate = np.repeat(on.astype(float), unit)[:count]
    gate = np.convolve(gate, np.hanning(241) / np.hanning(241).sum(), "same")
    return np.sin(2 * np.pi * any_frequency_hz(rng, 300.0, 3000.0) * seconds(count)) * gate + 1e-4 * rng.normal(
        size=count
    )


@sound_kind
def sweep(rng: Generator, count: int) -> Samples:
    """A logarithmic sweep between two frequencies, once or several times."""
    begin, end = np.log(any_frequency_hz(rng)), np.log(any_frequency_hz(rng))
    position = np.linspace(0.0, float(rng.integers(1, 6)), count, endpoint=False) % 1.0
    return np.sin(phase_of(np.exp(begin + (end - begin) * position)))


@sound_kind
def siren(rng: Generator, count: int) -> Samples:
    """A tone that glides up and down, or changes between two pitches."""
    base_hz, ratio, rate_hz = rng.uniform(300.0, 900.0), rng.uniform(1.2, 2.2), rng.uniform(0.2, 4.0)
    swing = np.sin(2 * np.pi * rate_hz * seconds(count))
    swing = np.sign(swing) if rng.uniform() < 0.4 else swing
    tone = phase_of(base_hz * ratio ** (0.5 + 0.5 * swing))
    return np.sin(tone) + 0.3 * np.sin(2 * tone) + 0.15 * np.sin(3 * tone) + 0.01 * rng.normal(size=count)


@sound_kind
def telephone(rng: Generator, count: int) -> Samples:
    """Ringing: bursts of two tones that alternate quickly."""
    fast = np.sign(np.sin(2 * np.pi * rng.uniform(8.0, 25.0) * seconds(count))) > 0
    first, second = rng.uniform(700.0, 2000.0, 2)
    period_s = rng.uniform(1.5, 6.0)
    ringing = (seconds(count) % period_s) < 0.35 * period_s
    return np.sin(phase_of(np.where(fast, first, second))) * ringing + 1e-4 * rng.normal(size=count)


@sound_kind
def bell(rng: Generator, count: int) -> Samples:
    """A bell of inharmonic partials, struck once, regularly or irregularly."""
    partials = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.7, 3.0, 4.1, 5.4]) * rng.uniform(0.98, 1.02, 9)
    base_hz, decay_s = any_frequency_hz(rng, 150.0, 1500.0), rng.uniform(0.3, 4.0)
    strikes_s = np.cumsum(np.full(20, rng.uniform(0.8, 4.0)) * (1 + rng.normal(0.0, 0.02, 20))) - 0.7
    samples, time_s = np.zeros(count), seconds(count)
    for strike_s in strikes_s[: rng.integers(1, 21)]:
        since_s = time_s - strike_s
        on = since_s >= 0
        for number, partial in enumerate(partials):
            if partial * base_hz < 0.45 * RATE_HZ:
                envelope = np.exp(-since_s[on] * (1 + 0.5 * number) / decay_s)
                samples[on] += envelope * np.sin(2 * np.pi * partial * base_hz * since_s[on]) / (1 + number)
    return samples + 1e-4 * rng.normal(size=count)
