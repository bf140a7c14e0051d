"""Descriptors against their formulas typed slowly, on ideal signals, and their invariances."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, NoteBatch, collate, collate_notes
from antiphon.models.descriptors import DESCRIPTORS, View
from antiphon.models.descriptors.a7 import NAMES as RATIO_NAMES
from antiphon.models.descriptors.a7 import a7, attractor_activation
from antiphon.models.descriptors.a8 import NAMES as PITCH_CLASSES
from antiphon.models.descriptors.a8 import a8, spectral_flux
from antiphon.models.descriptors.a9 import a9, inverse_frame_frequency
from antiphon.models.descriptors.d1 import bin_names, d1
from antiphon.models.descriptors.d2 import d2
from antiphon.models.descriptors.d3 import d3
from builders import RATE_HZ, WINDOW, random_notes
from helpers import sine

BIN_HZ = RATE_HZ / 2048
JUST = [1, 16 / 15, 9 / 8, 6 / 5, 5 / 4, 4 / 3, 7 / 5, 3 / 2, 8 / 5, 5 / 3, 7 / 4, 15 / 8]
AUDIO = {"a7": a7, "a8": a8, "a9": a9}


def random_magnitude(frames: int = 9, seed: int = 0, scale: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(1.0, scale, (1025, frames))


def as_batch(magnitude: np.ndarray) -> Tensor:
    return torch.tensor(magnitude, dtype=torch.float32)[None]


def spectrum_of(*sounds: np.ndarray) -> Tensor:
    return View(collate(np.stack(sounds), [Notes.of([], [], [], [])] * len(sounds)), RATE_HZ).magnitude


def notes_of(onset_s: list[float], duration_s: list[float], pitch: list[int], velocity: list[int]) -> NoteBatch:
    return collate_notes([Notes.of(onset_s, duration_s, pitch, velocity)])


def without_sound(*windows: Notes) -> Batch:
    return collate(np.zeros((len(windows), 512), np.float32), windows)


def shares(values: np.ndarray) -> np.ndarray:
    return values / values.sum() if values.sum() > 0 else values


# ---------------------------------------------------------------- oracles


def slow_activation(magnitude: np.ndarray) -> np.ndarray:
    frames = magnitude.shape[1]
    found = np.zeros((frames, 12))
    for t in range(frames):
        bins = [b for b in range(1025) if b * BIN_HZ >= 50.0]
        peaks = sorted(bins, key=lambda b: magnitude[b, t], reverse=True)[:8]
        for i in range(8):
            for j in range(i + 1, 8):
                low, high = sorted((peaks[i], peaks[j]))
                folded = math.log2(high * BIN_HZ / (low * BIN_HZ)) % 1.0
                for a, ratio in enumerate(JUST):
                    apart = abs(folded - math.log2(ratio))
                    apart = min(apart, 1.0 - apart)
                    score = math.exp(-(apart**2) / (2 * 0.02**2))
                    found[t, a] += score * math.sqrt(magnitude[peaks[i], t] * magnitude[peaks[j], t])
    return found


def slow_a7(magnitude: np.ndarray) -> np.ndarray:
    return np.array([shares(frame) for frame in slow_activation(magnitude)])


def slow_a8(magnitude: np.ndarray) -> np.ndarray:
    frames = magnitude.shape[1]
    chroma, flux = np.zeros((frames, 12)), [0.0] * frames
    for t in range(frames):
        for b in range(1025):
            if b * BIN_HZ >= 30.0:
                chroma[t, round(12 * math.log2(b * BIN_HZ / 32.7)) % 12] += magnitude[b, t] ** 2
            if t > 0:
                flux[t] += max(0.0, magnitude[b, t] - magnitude[b, t - 1])
    return np.array([shares(chroma[t]) * flux[t] / max(flux) for t in range(frames)])


def slow_a9(magnitude: np.ndarray) -> np.ndarray:
    activation = slow_activation(magnitude)
    for a in range(12):
        df = sum(value > 0.05 for value in activation[:, a]) / len(activation)
        activation[:, a] *= min(5.0, max(0.0, math.log(1 / (df + 1e-3))))
    return np.array([shares(frame) for frame in activation])


def slow_soft(ratios: list[float], weights: list[float], bins: int) -> np.ndarray:
    histogram = np.zeros(bins)
    for ratio, weight in zip(ratios, weights, strict=True):
        where = min(2.0, max(-2.0, math.log2(ratio)))
        for b in range(bins):
            centre = -2.0 + (b + 0.5) * 4.0 / bins
            histogram[b] += weight * math.exp(-(((where - centre) / (4.0 / bins)) ** 2) / 2)
    return shares(histogram)


def slow_d1(notes: Notes) -> np.ndarray:
    pitch = [int(p) for p in notes.pitch]
    ratios = [2 ** ((pitch[i + 1] - pitch[i]) / 12) for i in range(len(pitch) - 1)]
    return slow_soft(ratios, [1.0] * len(ratios), 128)


def slow_d2(notes: Notes) -> np.ndarray:
    pitch, velocity, duration = [int(p) for p in notes.pitch], notes.velocity.astype(float), notes.duration_s
    pairs = range(len(pitch) - 1)
    ratios = [2 ** ((pitch[i + 1] - pitch[i]) / 12) for i in pairs]
    channels = [
        [1.0 for i in pairs],
        [(velocity[i] + velocity[i + 1]) / 2 for i in pairs],
        [(duration[i] + duration[i + 1]) / 2 for i in pairs],
    ]
    return np.concatenate([slow_soft(ratios, weights, 128) for weights in channels])


def slow_d3(notes: Notes) -> np.ndarray:
    pitch, onset = [int(p) for p in notes.pitch], notes.onset_s
    interval = [max(onset[i + 1] - onset[i], 0.001) for i in range(len(notes) - 1)]
    duration = [max(d, 0.001) for d in notes.duration_s]
    between_onsets = [interval[i + 1] / interval[i] for i in range(len(interval) - 1)]
    between_durations = [duration[i + 1] / duration[i] for i in range(len(duration) - 1)]
    steps = np.zeros(25)
    for i in range(len(notes) - 1):
        steps[min(12, max(-12, pitch[i + 1] - pitch[i])) + 12] += 1
    return np.concatenate(
        [
            slow_soft(between_onsets, [1.0] * len(between_onsets), 64),
            slow_soft(between_durations, [1.0] * len(between_durations), 64),
            shares(steps),
        ]
    )


@pytest.mark.parametrize(
    ("name", "slow", "scale"),
    [("a7", slow_a7, 2.0), ("a8", slow_a8, 2.0), ("a9", slow_a9, 0.004), ("a9", slow_a9, 0.05)],
)
def test_an_audio_descriptor_equals_its_formula_typed_slowly(name: str, slow: Callable, scale: float):
    magnitude = random_magnitude(scale=scale)
    expected = slow(magnitude)
    assert expected.any()
    np.testing.assert_allclose(AUDIO[name](as_batch(magnitude), RATE_HZ)[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("name", "slow"), [("d1", slow_d1), ("d2", slow_d2), ("d3", slow_d3)])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 25])
def test_a_note_descriptor_equals_its_formula_typed_slowly(name: str, slow: Callable, count: int):
    rng = np.random.default_rng(count)
    played, longer = random_notes(rng, count), random_notes(rng, 30)
    onset_s, duration_s = played.onset_s.copy(), played.duration_s.copy()
    onset_s[10:13] = onset_s[10:11]  # a chord
    onset_s[13:14] = onset_s[10:11] + 0.002
    duration_s[5:7] = [0.0, 0.002][: len(duration_s[5:7])]
    notes = Notes.of(onset_s, duration_s, played.pitch, played.velocity)
    tokens = DESCRIPTORS[name].compute(View(without_sound(notes, longer), RATE_HZ))
    assert tokens.padding is None
    assert tokens.values.shape == (2, 1, len(DESCRIPTORS[name].dimensions))
    for found, expected in zip(tokens.values, (slow(notes), slow(longer)), strict=True):
        np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


# ---------------------------------------------------------------- ideal signals


def test_a7_of_two_sines_a_fifth_apart_is_largest_at_3_2():
    spectrum = spectrum_of(sine(4.0, 468.75) + sine(4.0, 703.125), sine(4.0, 468.75) + 0.3 * sine(4.0, 703.125))
    for found in a7(spectrum, RATE_HZ)[:, 94]:
        strongest = [RATIO_NAMES[number] for number in found.argsort(descending=True)]
        # Neighbouring bins of one peak form pairs too, at or near 1/1.
        assert strongest[0] == "3/2" or strongest[:2] == ["1/1", "3/2"]
        assert found[RATIO_NAMES.index("3/2")] > 0.3
        assert found[RATIO_NAMES.index("4/3")] < 0.1


@pytest.mark.parametrize(
    ("low", "high", "name"), [(100, 125, "5/4"), (125, 100, "5/4"), (80, 320, "1/1"), (96, 256, "4/3")]
)
def test_a7_folds_the_interval_of_two_bins_into_the_octave(low: int, high: int, name: str):
    magnitude = np.zeros((1025, 1))
    magnitude[low], magnitude[high] = 2.0, 0.5
    found = attractor_activation(as_batch(magnitude), RATE_HZ)[0, 0]
    assert RATIO_NAMES[int(found.argmax())] == name
    assert found.max() == pytest.approx(1.0)  # √(2 · ½)


def test_a7_has_a_circular_distance():
    magnitude = np.zeros((1025, 1))
    magnitude[500] = magnitude[995] = 1.0  # 0.993 of an octave
    found = a7(as_batch(magnitude), RATE_HZ)[0, 0]
    assert RATIO_NAMES[int(found.argmax())] == "1/1"
    assert found[0] > 0.9


def test_a7_and_a8_exclude_bins_below_their_lowest_frequency():
    rumble = np.zeros((1025, 3))
    rumble[:5, 1] = 10.0  # up to 46.9 Hz
    assert not a7(as_batch(rumble), RATE_HZ).any()
    rumble[[5, 10], 2] = 1.0  # from 58.6 Hz
    assert a7(as_batch(rumble), RATE_HZ)[0, :, 0].tolist() == pytest.approx([0.0, 0.0, 1.0], abs=1e-4)
    rumble[3:] = 0.0  # up to 23.4 Hz
    assert not a8(as_batch(rumble), RATE_HZ).any()


def test_a8_of_a_tone_is_its_pitch_class_at_the_onset_and_zero_later():
    second_s, fade = (
        np.arange(WINDOW) / RATE_HZ,
        0.05,
    )  # without fades there would be a click, which has all pitch classes
    burst = sine(4.0, 440.0) * np.interp(second_s, [2.0, 2.0 + fade, 3.5 - fade, 3.5], [0, 1, 1, 0]).astype(np.float32)
    found = a8(spectrum_of(burst), RATE_HZ)[0]
    onset = int(found.sum(dim=1).argmax())
    assert abs(onset - 94) <= 2
    assert found[onset].sum() == pytest.approx(1.0)
    assert PITCH_CLASSES[int(found[onset].argmax())] == "A"
    assert found[onset].max() > 0.85
    assert found[:91].abs().max() == 0.0
    assert found[100:155].sum(dim=1).max() < 0.01


def test_a8_weights_a_soft_onset_less_than_a_loud_one():
    magnitude = np.zeros((1025, 6))
    magnitude[75, 1:] += 2.0  # 878.9 Hz
    magnitude[100, 3:] += 0.5
    assert spectral_flux(as_batch(magnitude))[0].tolist() == [0.0, 2.0, 0.0, 0.5, 0.0, 0.0]
    np.testing.assert_allclose(a8(as_batch(magnitude), RATE_HZ)[0].sum(dim=1), [0, 1, 0, 0.25, 0, 0], atol=1e-6)


def test_a9_suppresses_attractors_of_every_frame():
    magnitude = np.zeros((1025, 20))
    magnitude[[100, 150]] = 1.0  # a fifth, throughout
    magnitude[500, 7] = 1.0  # in one frame, 5/4 and 5/3 above the two, octaves apart
    found, fifth = a9(as_batch(magnitude), RATE_HZ)[0], RATIO_NAMES.index("3/2")
    assert a7(as_batch(magnitude), RATE_HZ)[0, 0, fifth] > 0.99
    assert found[:, fifth].max() == 0.0
    assert {RATIO_NAMES[number] for number in found[7].topk(2).indices} == {"5/4", "5/3"}
    assert found[7].topk(2).values.sum() > 0.95


def test_a9_weights_an_attractor_by_the_share_of_frames_without_it():
    activation = torch.zeros(1, 8, 12)
    activation[0, :, 0] = activation[0, :4, 1] = 1.0
    activation[0, :, 2] = 0.05  # not above the limit
    found = inverse_frame_frequency(activation)[0, 0]
    assert found[:3].tolist() == pytest.approx([0.0, -math.log(0.501), 5.0])


def test_d1_of_a_rising_fifth_is_largest_at_its_ratio():
    notes = notes_of([0.0, 1.0], [0.5, 0.5], [60, 67], [80, 80])
    found = d1(notes.pitch, notes.padding)[0, 0]
    best = float(DESCRIPTORS["d1"].dimensions[int(found.argmax())].removeprefix("ratio_"))
    assert best == pytest.approx(1.5, rel=0.0117)  # half a bin: 1/64 octave
    assert found.sum() == pytest.approx(1.0)


def test_d2_weights_pairs_by_velocity_and_by_duration():
    # Up a fifth between loud short notes, then down an octave to a soft long one.
    notes = notes_of([0.0, 1.0, 2.0], [0.1, 0.1, 3.0], [60, 67, 55], [100, 100, 10])
    alike, loud, long = d2(notes)[0, 0].reshape(3, 128)
    torch.testing.assert_close(alike, d1(notes.pitch, notes.padding)[0, 0])
    rise = slice(64, 128)
    assert alike[rise].sum() == pytest.approx(0.5, abs=1e-3)
    assert loud[rise].sum() == pytest.approx(100 / 155, abs=1e-3)
    assert long[rise].sum() == pytest.approx(0.1 / 1.65, abs=1e-3)


def test_d3_of_an_even_rhythm_is_largest_at_ratio_1():
    notes = notes_of([0.0, 0.5, 1.0, 1.5], [0.4] * 4, [60, 62, 61, 80], [80] * 4)
    onset, duration, steps = d3(notes)[0, 0].split([64, 64, 25])
    for part in (onset, duration):
        assert sorted(part.argsort(descending=True)[:2].tolist()) == [31, 32]
        assert part[28:36].sum() > 0.99
    names = DESCRIPTORS["d3"].dimensions[128:]
    assert {name: share.item() for name, share in zip(names, steps, strict=True) if share} == pytest.approx(
        {"step_+2": 1 / 3, "step_-1": 1 / 3, "step_+12": 1 / 3}
    )


def test_d3_distinguishes_long_short_from_short_long():
    slowing = notes_of([0.0, 0.5, 1.5], [0.5, 1.0, 1.0], [60, 60, 60], [80] * 3)
    part = d3(slowing)[0, 0, :64]
    assert DESCRIPTORS["d3"].dimensions[int(part.argmax())] in ("onset_ratio_1.957", "onset_ratio_2.044")


def test_intervals_of_chords_count_as_1_ms():
    chord = notes_of([0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.5, 0.5], [60, 64, 67, 72], [80] * 4)
    found = d3(chord)[0, 0]
    assert torch.isfinite(found).all()
    assert found[31:33].sum() > 0.4  # inside the chord
    assert found[62:64].sum() > 0.2  # after it, clamped to 4


# ---------------------------------------------------------------- invariances


@pytest.mark.parametrize("name", ["a7", "a8"])
@pytest.mark.parametrize("gain", [1e-3, 30.0])
def test_a7_and_a8_are_invariant_under_gain(name: str, gain: float):
    magnitude = as_batch(random_magnitude())
    torch.testing.assert_close(
        AUDIO[name](gain * magnitude, RATE_HZ), AUDIO[name](magnitude, RATE_HZ), atol=1e-5, rtol=1e-4
    )


def test_a9_depends_on_the_level_and_a_loud_window_gives_zeros():
    magnitude = as_batch(random_magnitude())
    assert not a9(10_000 * magnitude, RATE_HZ).any()
    assert a9(0.002 * magnitude, RATE_HZ).any()


@pytest.mark.parametrize("name", AUDIO)
def test_a_shift_of_the_audio_shifts_the_descriptor(name: str):
    magnitude = as_batch(random_magnitude(12))
    magnitude[:, :, 0] = magnitude[:, :, -4:] = 0.0
    later = torch.roll(magnitude, 3, dims=2)
    found = AUDIO[name](magnitude, RATE_HZ)
    torch.testing.assert_close(AUDIO[name](later, RATE_HZ)[:, 4:], found[:, 1:-3])


@pytest.mark.parametrize("name", ["d1", "d2", "d3"])
def test_interval_descriptors_are_invariant_under_transposition(name: str):
    rng = np.random.default_rng(0)
    notes = random_notes(rng, 20)
    higher = Notes(notes.onset_s, notes.duration_s, notes.pitch + np.uint8(7), notes.velocity)
    low, high = DESCRIPTORS[name].compute(View(without_sound(notes, higher), RATE_HZ)).values
    torch.testing.assert_close(low, high)


@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_d3_is_invariant_under_tempo(factor: float):
    notes = random_notes(np.random.default_rng(1), 12)
    assert np.diff(notes.onset_s).min() > 0.002
    slower = Notes(factor * notes.onset_s, factor * notes.duration_s, notes.pitch, notes.velocity)
    found, stretched = d3(collate_notes([notes, slower]))
    torch.testing.assert_close(found, stretched, atol=1e-4, rtol=1e-3)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["a7", "a8", "a9", "d1", "d2", "d3"])
def test_dimensions_have_distinct_names(name: str):
    names = DESCRIPTORS[name].dimensions
    assert len(set(names)) == len(names) == {"d1": 128, "d2": 384, "d3": 153}.get(name, 12)


def test_names_are_available_on_the_meta_device():
    with torch.device("meta"):  # as `antiphon list arms` does
        assert bin_names("ratio", 2) == ("ratio_0.500", "ratio_2.000")
