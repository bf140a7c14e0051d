"""Augmented audio has the properties of its drawn recording chain, measured on the samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from torch import Tensor

from antiphon.augmentation import (
    RecordingChain,
    SoundAugmentation,
    augment_sound,
    draw_chain,
    draw_detune,
)
from antiphon.augmentation.rooms import RoomPool, rooms
from antiphon.augmentation.spectrum import EQUALISER_HZ
from antiphon.signal.varispeed import samples_needed, scale_times, varispeed
from builders import RATE_HZ, random_notes

SECOND = RATE_HZ
UNCHANGED_SOUND = SoundAugmentation(
    clean=0, equaliser=0, high_pass=0, low_pass=0, room=0, noise=0, hum=0, saturation=0, clipping=0, quantisation=0,
    level=0, rooms=6,
)  # fmt: skip
EVERYTHING = replace(
    UNCHANGED_SOUND, equaliser=1, high_pass=1, low_pass=1, room=1, noise=1, hum=0.5, saturation=1, clipping=0.5,
    quantisation=0.5, level=1,
)  # fmt: skip


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def music(rows: int = 4, length: int = SECOND, peak: float = 0.25) -> Tensor:
    """Decaying noise, so that no two stretches are equal."""
    sound = rng(9).normal(size=(rows, length)) * np.exp(-np.arange(length) / length)
    return torch.from_numpy((peak * sound / np.abs(sound).max()).astype(np.float32))


def tone(frequency_hz: float, length: int = SECOND) -> Tensor:
    """A tone under a Hann window, so that its ends do not affect measurements."""
    time_s = np.arange(length) / RATE_HZ
    return torch.from_numpy((0.2 * np.hanning(length) * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32))


def decibels(power: Any) -> Any:
    return 10 * np.log10(np.asarray(power))


def gain_db(settings: SoundAugmentation, frequency_hz: float, seed: int = 0) -> float:
    """Gain of an augmentation for a tone."""
    before = tone(frequency_hz)
    after = augment_sound(before[None], settings, rng(seed))[0]
    return float(decibels(after.double().square().sum() / before.double().square().sum()))


# --- the whole chain


def test_audio_depends_only_on_the_generator() -> None:
    audio, before = music(), music()
    once, again = (augment_sound(audio, EVERYTHING, rng(3)) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(audio, before), "the input was changed"
    assert not torch.equal(once, augment_sound(audio, EVERYTHING, rng(4)))
    assert all(not torch.equal(new, old) for new, old in zip(once, audio, strict=True))


def test_clean_windows_pass_bit_by_bit() -> None:
    audio = music(12, 2400)
    assert torch.equal(augment_sound(audio, replace(EVERYTHING, clean=1), rng()), audio)
    assert torch.equal(augment_sound(audio, UNCHANGED_SOUND, rng()), audio)
    settings = replace(EVERYTHING, clean=0.5)
    generator = rng(1)
    clean = [draw_chain(settings, generator) == RecordingChain() for _ in audio]
    found = augment_sound(audio, settings, rng(1))
    assert 0 < sum(clean) < len(clean)
    assert [torch.equal(new, old) for new, old in zip(found, audio, strict=True)] == clean


def test_a_quarter_of_all_windows_is_clean() -> None:
    generator = rng()
    clean = np.mean([draw_chain(SoundAugmentation(), generator) == RecordingChain() for _ in range(2000)])
    assert clean == pytest.approx(0.25, abs=0.04)


def test_a_silent_window_stays_unchanged_and_does_not_affect_the_others() -> None:
    audio = music(4)
    with_silence = audio.clone()
    with_silence[1] = 0.0
    with_silence[2] *= 9e-5 / with_silence[2].abs().max()
    expected = augment_sound(audio, EVERYTHING, rng())
    found = augment_sound(with_silence, EVERYTHING, rng())
    assert not found[1].any()
    assert torch.equal(found[2], with_silence[2])
    assert torch.equal(found[[0, 3]], expected[[0, 3]])
    assert augment_sound(audio[:0], EVERYTHING, rng()).shape == (0, SECOND)


@pytest.mark.parametrize("peak", [1.0, 0.3, 2e-3])
def test_all_effects_together_stay_finite_and_within_full_scale(peak: float) -> None:
    audio = music(24, 6000, peak)
    audio[0] = peak  # a constant, which a high-pass removes almost completely
    found = augment_sound(audio, EVERYTHING, rng(5))
    assert torch.isfinite(found).all()
    assert found.abs().max() <= 1.0
    assert found[1:].abs().amax(dim=1).min() >= 1e-3 * (1 - 1e-5)


# --- one effect at a time


@pytest.mark.parametrize("hum", [0.0, 1.0])
@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("snr_db", [6.0, 40.0])
def test_noise_has_the_signal_to_noise_ratio_that_was_set(snr_db: float, slope: float, hum: float) -> None:
    settings = replace(UNCHANGED_SOUND, noise=1, snr_db=(snr_db, snr_db), noise_slope=(slope, slope), hum=hum)
    audio = music(6, 4 * SECOND, 0.2)
    noise = (augment_sound(audio, settings, rng()) - audio).double()
    found = decibels(audio.double().square().mean(dim=1) / noise.square().mean(dim=1))
    np.testing.assert_allclose(found, snr_db, atol=1.0)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_noise_spectrum_has_the_slope_that_was_set(slope: float) -> None:
    settings = replace(UNCHANGED_SOUND, noise=1, snr_db=(0.0, 0.0), noise_slope=(slope, slope))
    audio = music(16, 4 * SECOND, 0.05)
    noise = (augment_sound(audio, settings, rng()) - audio).double()
    power = torch.fft.rfft(noise * torch.hann_window(noise.shape[1])).abs().square().mean(dim=0).numpy()
    low, high = (power[(4 * f * 3) // 4 : (4 * f * 5) // 4].mean() for f in (200, 3200))  # 4 bins a hertz
    assert decibels(low / high) == pytest.approx(slope * decibels(16), abs=1.0)


def test_hum_peaks_at_harmonics_of_the_mains_frequency() -> None:
    settings = replace(UNCHANGED_SOUND, noise=1, snr_db=(0.0, 0.0), noise_slope=(0.0, 0.0), hum=1, hum_db=(10.0, 10.0))
    audio = music(8, 4 * SECOND, 0.05)
    noise = (augment_sound(audio, settings, rng()) - audio).double()
    power = torch.fft.rfft(noise * torch.hann_window(noise.shape[1])).abs().square()
    loudest_hz = power.argmax(dim=1) / 4
    harmonic = torch.stack([loudest_hz / mains for mains in (50.0, 60.0)])
    assert ((harmonic - harmonic.round()).abs().amin(dim=0) < 0.02).all(), loudest_hz
    assert {int(f) for f in loudest_hz.round()} <= {mains * n for mains in (50, 60) for n in range(1, 9)}


def test_an_equaliser_has_the_gains_that_were_drawn() -> None:
    settings = replace(UNCHANGED_SOUND, equaliser=1)
    gains = draw_chain(settings, rng(2)).equaliser_db
    assert gains is not None
    assert len(gains) == len(EQUALISER_HZ) == 8
    assert max(np.abs(gains)) <= 9.0
    assert np.ptp(gains) > 5.0
    place = np.log(np.array(EQUALISER_HZ))
    for frequency_hz in (60.0, 440.0, EQUALISER_HZ[4], 2500.0, 7000.0):
        right = int(np.searchsorted(place, np.log(frequency_hz) - 1e-9))
        share = (np.log(frequency_hz) - place[right - 1]) / (place[right] - place[right - 1])
        expected = gains[right - 1] + (gains[right] - gains[right - 1]) * (0.5 - 0.5 * np.cos(np.pi * share))
        assert gain_db(settings, frequency_hz, seed=2) == pytest.approx(expected, abs=0.05), frequency_hz


@pytest.mark.parametrize(
    ("changes", "frequency_hz", "expected_db"),
    [
        ({"high_pass": 1, "high_pass_hz": (100.0, 100.0)}, 50.0, -12.30),
        ({"high_pass": 1, "high_pass_hz": (100.0, 100.0)}, 100.0, -3.01),
        ({"high_pass": 1, "high_pass_hz": (100.0, 100.0)}, 1000.0, 0.0),
        ({"low_pass": 1, "low_pass_hz": (4000.0, 4000.0)}, 8000.0, -24.10),
        ({"low_pass": 1, "low_pass_hz": (4000.0, 4000.0)}, 4000.0, -3.01),
        ({"low_pass": 1, "low_pass_hz": (4000.0, 4000.0)}, 1000.0, 0.0),
    ],
)
def test_band_limits_attenuate_as_butterworth_filters(
    changes: dict[str, Any], frequency_hz: float, expected_db: float
) -> None:
    assert gain_db(replace(UNCHANGED_SOUND, **changes), frequency_hz) == pytest.approx(expected_db, abs=0.1)


def test_filters_do_not_move_an_onset() -> None:
    click = torch.zeros(1, SECOND)
    click[0, 5000] = 0.5
    settings = replace(UNCHANGED_SOUND, equaliser=1, high_pass=1, low_pass=1)
    assert [int(augment_sound(click, settings, rng(seed)).abs().argmax()) for seed in range(5)] == [5000] * 5


def reverberation_time_s(response: NDArray[np.float64]) -> float:
    """RT60 around 1 kHz from Schroeder's integral (1965), −5 to −25 dB as in ISO 3382."""
    spectrum = np.fft.rfft(response)
    hertz = np.fft.rfftfreq(len(response), 1 / RATE_HZ)
    octaves = np.log2(np.maximum(hertz, 1) / 1000)
    band = np.fft.irfft(spectrum * np.cos(np.pi / 2 * np.clip(octaves, -1, 1)), len(response))
    left = decibels(np.cumsum(band[::-1] ** 2)[::-1] / np.sum(band**2))
    begin, end = int(np.argmax(left < -5)), int(np.argmax(left < -25))
    slope, _ = np.polyfit(np.arange(begin, end) / RATE_HZ, left[begin:end], 1)
    return float(-60 / slope)


def test_a_room_has_the_reverberation_time_that_was_drawn() -> None:
    settings = replace(UNCHANGED_SOUND, room=1, direct_db=(-20.0, -20.0), rooms=12)
    click = torch.zeros(1, 40_000)
    click[0, 4000] = 0.9  # room for the octave filter's pre-ringing, which would wrap around
    drawn = rooms(RoomPool(12, settings.rt60_s, RATE_HZ))
    assert min(room.rt60_s for room in drawn) < 0.3 < 1.0 < max(room.rt60_s for room in drawn)
    found = {}
    for seed in range(40):
        number = draw_chain(settings, rng(seed)).room
        assert number is not None
        if number not in found:
            response = augment_sound(click, settings, rng(seed))[0].double().numpy()
            found[number] = reverberation_time_s(response) / drawn[number].rt60_s
    assert len(found) >= 8
    assert all(0.75 < ratio < 1.25 for ratio in found.values()), found


def test_a_room_is_a_convolution_with_undelayed_direct_sound() -> None:
    settings = replace(UNCHANGED_SOUND, room=1, direct_db=(3.0, 3.0))
    audio = music(3)
    generator = rng(1)
    pool = rooms(RoomPool(settings.rooms, settings.rt60_s, RATE_HZ))
    assert all(np.sum(room.response.astype(np.float64) ** 2) == pytest.approx(1.0, abs=1e-5) for room in pool)
    for found, dry in zip(augment_sound(audio, settings, rng(1)), audio.double().numpy(), strict=True):
        number = draw_chain(settings, generator).room
        assert number is not None
        reverberation = 10 ** (-3 / 20) * fftconvolve(dry, pool[number].response)[:SECOND]
        expected = (dry + reverberation) / np.sqrt(1 + 10 ** (-3 / 10))
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"clipping": 1, "clipping_at": (0.5, 0.5)}, lambda x, peak: np.clip(x, -0.5 * peak, 0.5 * peak)),
        ({"saturation": 1, "drive": (2.0, 2.0)}, lambda x, peak: peak * np.tanh(2 * x / peak) / np.tanh(2)),
        ({"quantisation": 1, "bits": (8, 8)}, lambda x, peak: np.round(x * 128 / peak) * peak / 128),
        ({"level": 1, "level_db": (-20.0, -20.0)}, lambda x, peak: x / 10),
        ({"level": 1, "level_db": (40.0, 40.0)}, lambda x, peak: x / peak),
        ({"level": 1, "level_db": (-100.0, -100.0)}, lambda x, peak: x * 1e-3 / peak),
    ],
    ids=["clipping", "saturation", "quantisation", "level", "level limited to full scale", "level limited to −60 dBFS"],
)
def test_each_converter_effect_equals_its_formula(
    changes: dict[str, Any], expected: Callable[[Any, float], Any]
) -> None:
    audio = music(1)
    found = augment_sound(audio, replace(UNCHANGED_SOUND, **changes), rng())[0].numpy()
    x = audio[0].double().numpy()
    off = np.abs(found - expected(x, np.abs(x).max()))
    # A sample half-way between two steps may be rounded to either.
    assert np.mean(off > 1e-6) < 1e-3
    assert off.max() < 0.003


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"room": 1.5}, "room is a probability within 0–1, got 1.5"),
        ({"snr_db": (50.0, 5.0)}, "snr_db is .low, high."),
        ({"rt60_s": (0.1, 20.0)}, "rt60_s"),
        ({"rooms": 0}, "at least 1"),
    ],
)
def test_audio_settings_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoundAugmentation(**changes)


def test_a_low_pass_beyond_half_the_sample_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="low_pass_hz reaches 11000 Hz, but audio at 16000 Hz ends at 8000 Hz"):
        augment_sound(music(), SoundAugmentation(), rng(), 16_000)


# --- speed


@pytest.mark.parametrize("ratio", [0.977, 1.0, 1.0233, 1.5])
def test_varispeed_multiplies_a_frequency_by_its_ratio(ratio: float) -> None:
    length = 4 * SECOND
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(samples_needed(length, ratio)) / RATE_HZ)
    for samples in (wave.astype(np.float32), np.rint(wave * 32767).astype(np.int16)):
        found = varispeed(samples, ratio, length)
        assert found.dtype == np.float32
        assert found.shape == (length,)
        assert np.abs(found).max() == pytest.approx(0.5, abs=1e-3)
        peak = np.argmax(np.abs(np.fft.rfft(found * np.hanning(length), 8 * length)))
        assert peak * RATE_HZ / (8 * length) == pytest.approx(440 * ratio, abs=0.05)
        expected = 0.5 * np.sin(2 * np.pi * 440 * ratio * np.arange(length) / RATE_HZ)
        np.testing.assert_allclose(found[2:-2], expected[2:-2], atol=2e-4)


def test_varispeed_at_full_speed_is_identity() -> None:
    samples = rng().integers(-32767, 32768, 5000).astype(np.int16)
    np.testing.assert_array_equal(varispeed(samples, 1.0, 5000), samples.astype(np.float32) / np.float32(32767))
    floats = rng().normal(size=5000).astype(np.float32)
    np.testing.assert_array_equal(varispeed(floats, 1.0, 4000), floats[:4000])


def test_varispeed_refuses_too_few_samples_and_impossible_ratios() -> None:
    assert len(varispeed(np.ones(51, np.float32), 0.5, 101)) == 101
    with pytest.raises(ValueError, match="need 51 samples, got 50"):
        varispeed(np.ones(50, np.float32), 0.5, 101)
    with pytest.raises(ValueError, match="cents instead of a ratio"):
        varispeed(np.ones(50, np.float32), 40.0, 1)
    assert len(varispeed(np.ones(0, np.float32), 1.0, 0)) == 0


def test_scaled_notes_match_the_audio_of_varispeed() -> None:
    ratio, start_s, window_s = 1.02, 1.0, 4.0
    notes = random_notes(rng(), 60, 8.0)
    samples = np.zeros(8 * RATE_HZ, np.float32)
    samples[np.rint(notes.onset_s * RATE_HZ).astype(int)] = 1.0
    found = varispeed(samples[round(start_s * RATE_HZ) :], ratio, round(window_s * RATE_HZ))
    whole = notes.window(start_s, window_s * ratio)
    scaled = scale_times(whole, ratio)
    begun = scaled.onset_s[scaled.onset_s > 0.01]
    assert len(begun) > 10
    assert begun.max() < window_s
    clicks = np.flatnonzero(found > 0.4) / RATE_HZ
    assert all(np.abs(clicks - onset_s).min() < 1e-4 for onset_s in begun)
    np.testing.assert_allclose(scaled.duration_s * ratio, whole.duration_s)
    np.testing.assert_array_equal(scaled.pitch, whole.pitch)


def test_detuning_stays_within_its_cents() -> None:
    generator = rng()
    cents = 1200 * np.log2([draw_detune(generator) for _ in range(500)])
    assert -40 <= cents.min() < -38 < 38 < cents.max() <= 40
    assert draw_detune(generator, 0.0) == 1.0
    with pytest.raises(ValueError, match="within 0–50 cents, got 100"):
        draw_detune(generator, 100.0)
