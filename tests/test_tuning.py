"""Tuning estimates of tones and pianos of known detuning, and of noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.io.notes import Notes
from antiphon.rendering.additive import AdditivePiano
from antiphon.signal.tuning import estimate_detuning_cents
from antiphon.signal.varispeed import samples_needed, varispeed
from builders import RATE_HZ, random_notes

CENTS = (-40, -25, -10, 0, 10, 25, 40)


def tone(pitch: int, cents: float, seconds: float = 3.0) -> NDArray[np.float32]:
    """Eight harmonics; harmonic n has 1 / n of the first one's amplitude."""
    radians = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12 + cents / 1200) * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return sum((0.1 * np.sin(n * radians + n) / n for n in range(1, 9)), np.zeros_like(radians)).astype(np.float32)


def around_the_circle(cents: float) -> float:
    return (cents + 50) % 100 - 50


@pytest.fixture(scope="module")
def pianos() -> dict[str, NDArray[np.float32]]:
    """Audio of a chord and of many notes."""
    chord = Notes.of([0.1] * 4, [4.0] * 4, [48, 60, 64, 67], [80] * 4)
    many = random_notes(np.random.default_rng(2), 60, 8.0)
    return {"chord": AdditivePiano().render(chord, 4.5), "many notes": AdditivePiano().render(many, 8.5)}


@pytest.mark.parametrize("cents", CENTS)
@pytest.mark.parametrize("pitch", [45, 60, 70, 81])
def test_estimate_for_a_tone_of_known_detuning(pitch: int, cents: int):
    assert estimate_detuning_cents(tone(pitch, cents), RATE_HZ) == pytest.approx(cents, abs=1)


@pytest.mark.parametrize("cents", CENTS)
@pytest.mark.parametrize("music", ["chord", "many notes"])
def test_estimate_for_a_piano_within_the_inharmonicity_of_its_strings(pianos: dict, music: str, cents: int):
    ratio = 2 ** (cents / 1200)
    length = round(0.95 * len(pianos[music]))
    assert samples_needed(length, ratio) <= len(pianos[music])
    found = estimate_detuning_cents(varispeed(pianos[music], ratio, length), RATE_HZ)
    assert found == pytest.approx(cents, abs=3)


def test_a_quarter_tone_gives_plus_or_minus_50_cents():
    found = estimate_detuning_cents(tone(69, 50), RATE_HZ)
    assert -50 <= found <= 50
    assert abs(found) > 49


@pytest.mark.parametrize("signal_to_noise_db", [10, 0])
def test_noise_changes_the_estimate_by_less_than_a_cent(pianos: dict, signal_to_noise_db: int):
    music = pianos["many notes"]
    noise = np.random.default_rng(0).normal(0, music.std() * 10 ** (-signal_to_noise_db / 20), len(music))
    clean, noisy = (estimate_detuning_cents(one, RATE_HZ) for one in (music, (music + noise).astype(np.float32)))
    assert noisy == pytest.approx(clean, abs=1)


def test_estimate_is_independent_of_level_and_sample_rate(pianos: dict):
    loud = tone(64, 17)
    assert estimate_detuning_cents(loud / 100, RATE_HZ) == pytest.approx(
        estimate_detuning_cents(loud, RATE_HZ), abs=0.05
    )
    assert around_the_circle(estimate_detuning_cents(loud, 2 * RATE_HZ) - 17) == pytest.approx(0, abs=3)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 4.0])
def test_silence_and_a_constant_give_zero(seconds: float):
    silence = np.zeros(round(seconds * RATE_HZ), np.float32)
    assert estimate_detuning_cents(silence, RATE_HZ) == 0.0
    assert estimate_detuning_cents(silence + np.float32(0.1), RATE_HZ) == 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("brown", [False, True])
def test_noise_gives_zero(seed: int, brown: bool):
    noise = np.random.default_rng(seed).normal(0, 0.01, 10 * RATE_HZ)
    sound = np.cumsum(noise) if brown else noise
    assert estimate_detuning_cents(sound.astype(np.float32), RATE_HZ) == 0.0


def test_a_sample_rate_below_4_khz_is_refused():
    with pytest.raises(ValueError, match="3999"):
        estimate_detuning_cents(tone(60, 0), 3999)
