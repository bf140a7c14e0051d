"""The additive piano renders pitch, onset, duration and loudness of notes correctly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.io.notes import Notes
from antiphon.rendering.additive import AdditivePiano, inharmonicity

RATE_HZ = 24_000


@pytest.fixture(scope="module")
def piano() -> AdditivePiano:
    return AdditivePiano(RATE_HZ)


def note(onset_s: float = 0.0, duration_s: float = 2.0, pitch: int = 69, velocity: int = 80) -> Notes:
    return Notes.of([onset_s], [duration_s], [pitch], [velocity])


def rms(sound: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def spectral_centroid_hz(sound: NDArray[np.float32]) -> float:
    magnitude = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(magnitude @ np.fft.rfftfreq(len(sound), 1 / RATE_HZ) / magnitude.sum())


@pytest.mark.parametrize(("pitch", "frequency_hz"), [(57, 220.0), (69, 440.0), (81, 880.0), (93, 1760.0)])
def test_spectral_peak_is_the_fundamental(piano: AdditivePiano, pitch: int, frequency_hz: float) -> None:
    sound = piano.render(note(pitch=pitch, duration_s=4.0), 4.0)
    magnitude = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    assert np.argmax(magnitude) * RATE_HZ / (1 << 19) == pytest.approx(frequency_hz, abs=1.0)


def test_partials_are_inharmonic(piano: AdditivePiano) -> None:
    sound = piano.render(note(pitch=69, duration_s=4.0, velocity=110), 4.0)
    magnitude = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    frequency_hz = np.fft.rfftfreq(1 << 19, 1 / RATE_HZ)
    around_fifth = (frequency_hz > 2100) & (frequency_hz < 2400)
    peak_hz = frequency_hz[around_fifth][np.argmax(magnitude[around_fifth])]
    stiffness = inharmonicity(69)
    assert peak_hz == pytest.approx(2200 * np.sqrt((1 + 25 * stiffness) / (1 + stiffness)), abs=1.0)
    assert peak_hz > 2210


def test_inharmonicity_grows_with_pitch_above_the_bass() -> None:
    values = [inharmonicity(pitch) for pitch in range(50, 109)]
    assert all(below < above for below, above in itertools.pairwise(values))


@pytest.mark.parametrize("pitch", [33, 60, 84, 100])
def test_velocity_raises_loudness_and_brightness(piano: AdditivePiano, pitch: int) -> None:
    sounds = [piano.render(note(pitch=pitch, velocity=velocity), 2.0) for velocity in (20, 50, 80, 110)]
    for measure in (rms, spectral_centroid_hz):
        values = [measure(sound) for sound in sounds]
        assert all(soft < loud for soft, loud in itertools.pairwise(values)), measure


def test_high_partials_decay_faster(piano: AdditivePiano) -> None:
    sound = piano.render(note(pitch=48, duration_s=5.0, velocity=110), 5.0)
    assert spectral_centroid_hz(sound[: RATE_HZ // 2]) > 1.5 * spectral_centroid_hz(sound[-RATE_HZ:])


@pytest.mark.parametrize("duration_s", [0.0, 0.00003, 1.0, 2.71828])
def test_silence_without_notes_and_exact_length(piano: AdditivePiano, duration_s: float) -> None:
    for notes in (Notes.of([], [], [], []), note(velocity=0)):
        sound = piano.render(notes, duration_s)
        assert sound.dtype == np.float32
        assert sound.shape == (round(duration_s * RATE_HZ),)
        assert not sound.any()


def test_the_same_notes_give_the_same_bits(piano: AdditivePiano) -> None:
    notes = Notes.of([0.1, 0.3, 0.3], [0.5, 1.0, 0.2], [40, 60, 90], [30, 90, 120])
    first = piano.render(notes, 2.0)
    np.testing.assert_array_equal(piano.render(notes, 2.0), first)
    np.testing.assert_array_equal(AdditivePiano(RATE_HZ).render(notes, 2.0), first)


@pytest.mark.parametrize("pitch", [21, 45, 69, 108])
def test_damper_silences_the_note(piano: AdditivePiano, pitch: int) -> None:
    sound = piano.render(note(0.2, 0.6, pitch), 2.0)
    sounding, after = sound[: round(0.8 * RATE_HZ)], sound[round(1.3 * RATE_HZ) :]
    assert rms(after) < 10 ** (-50 / 20) * rms(sounding)


def test_damper_fades_without_a_step(piano: AdditivePiano) -> None:
    sound = piano.render(note(0.0, 0.5, pitch=45), 2.0)
    end = np.flatnonzero(sound)[-1]
    assert np.abs(sound[end - 5 : end + 1]).max() < 1e-4 * np.abs(sound).max()


@pytest.mark.parametrize(("onset_s", "pitch", "velocity"), [(0.5, 69, 90), (0.12345, 33, 60), (1.0, 100, 30)])
def test_onset_is_at_the_onset_of_the_note(piano: AdditivePiano, onset_s: float, pitch: int, velocity: int) -> None:
    sound = np.abs(piano.render(note(onset_s, 1.0, pitch, velocity), 2.5))
    first = np.flatnonzero(sound > 0.05 * sound.max())[0] / RATE_HZ
    assert onset_s - 1 / RATE_HZ <= first <= onset_s + 0.002


def test_notes_are_cut_at_both_ends(piano: AdditivePiano) -> None:
    across = Notes.of([-0.5, 0.5, 3.0, -9.0], [1.0, 9.0, 1.0, 0.5], [60, 64, 67, 72], [90] * 4)
    whole = piano.render(Notes.of(across.onset_s + 10, across.duration_s, across.pitch, across.velocity), 14.0)
    np.testing.assert_allclose(piano.render(across, 1.0), whole[10 * RATE_HZ : 11 * RATE_HZ], atol=1e-7)


def test_a_window_of_notes_equals_that_window_of_the_whole_rendering(piano: AdditivePiano) -> None:
    notes = Notes.of([0.1, 0.6, 1.2, 1.9], [0.7, 0.9, 1.5, 0.1], [50, 62, 57, 69], [70, 90, 60, 80])
    whole = piano.render(notes, 3.0)[RATE_HZ : 2 * RATE_HZ]
    part = piano.render(notes.window(0.5, 1.5), 1.5)[RATE_HZ // 2 :]
    np.testing.assert_allclose(part, whole, atol=1e-7)


def test_a_chord_is_the_sum_of_its_notes(piano: AdditivePiano) -> None:
    one, other = note(0.1, 1.0, 60), note(0.1, 1.0, 67)
    both = Notes.of([0.1, 0.1], [1.0, 1.0], [60, 67], [80, 80])
    np.testing.assert_allclose(piano.render(both, 1.5), piano.render(one, 1.5) + piano.render(other, 1.5), atol=1e-6)


def test_a_dense_loud_chord_does_not_clip(piano: AdditivePiano) -> None:
    chord = [36, 43, 48, 52, 55, 60, 64, 67, 72, 76]
    sound = piano.render(Notes.of([0.0] * 10, [2.0] * 10, chord, [127] * 10), 2.0)
    assert np.abs(sound).max() < 1.0
    assert np.mean(np.abs(sound) > 0.8) < 0.002, "the limiter should hardly be needed"


def test_the_limiter_keeps_any_input_within_full_scale(piano: AdditivePiano) -> None:
    crash = Notes.of([0.0] * 88, [1.0] * 88, list(range(21, 109)), [127] * 88)
    sound = piano.render(crash, 1.0)
    assert np.abs(sound).max() <= 1.0
    assert np.isfinite(sound).all()


@pytest.mark.parametrize("sample_rate_hz", [8_000, 16_000, 44_100])
def test_every_midi_pitch_renders_at_every_rate(sample_rate_hz: int) -> None:
    every = Notes.of([0.0] * 16, [0.1] * 16, list(range(0, 128, 8)), [100] * 16)
    sound = AdditivePiano(sample_rate_hz).render(every, 0.25)
    assert np.isfinite(sound).all()
    assert len(sound) == sample_rate_hz // 4


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="sample_rate_hz is 4000"):
        AdditivePiano(4_000)
    for duration_s in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="duration_s must be finite"):
            AdditivePiano().render(note(), duration_s)
