"""Schedules at hand-computed steps, their shapes, and their plot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from antiphon.training.schedules import SCHEDULES
from antiphon.training.schedules.cosine import cosine
from antiphon.training.schedules.cosine_tail import cosine_tail
from antiphon.training.schedules.picture import draw_schedules
from antiphon.training.schedules.trapezoid import trapezoid


def curve(schedule, steps: int, warmup: int) -> np.ndarray:
    return np.array([schedule(step, steps, warmup) for step in range(steps)])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1 / 200),
        (99, 100 / 200),
        (199, 1.0),
        (200, 1.0),
        (450, 0.5 * (1 + math.sqrt(0.5))),  # a quarter of the descent: cos 45°
        (700, 0.5),
        (1200, 0.0),
    ],
)
def test_cosine_at_hand_computed_steps(step: int, expected: float):
    assert cosine(step, 1200, 200) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1 / 100),
        (49, 0.5),
        (99, 1.0),
        (100, 1.0),
        (499, 1.0),
        (500, 1.0),
        (625, 0.5 * (1 + math.sqrt(0.5))),
        (750, 0.5),
        (875, 0.5 * (1 - math.sqrt(0.5))),
        (1000, 0.0),
    ],
)
def test_trapezoid_at_hand_computed_steps(step: int, expected: float):
    assert trapezoid(step, 1000, 100) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1 / 100),
        (99, 1.0),
        (100, 1.0),
        (225, 0.5 * (1 + math.sqrt(0.5))),  # a quarter of the way from 100 to 600
        (350, 0.5),
        # cos πp = −0.8 at p = 0.7951672, so the tail starts at step 100 + 500 p = 497.5836; the rest is linear.
        (497, 0.5 * (1 + math.cos(math.pi * 397 / 500))),
        (498, 0.1 - 0.08 * (498 - 497.5836) / (1199 - 497.5836)),
        (1000, 0.1 - 0.08 * (1000 - 497.5836) / (1199 - 497.5836)),
        (1199, 0.02),
    ],
)
def test_cosine_tail_at_hand_computed_steps(step: int, expected: float):
    assert cosine_tail(step, 1200, 100) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("schedule", [cosine, trapezoid, cosine_tail])
def test_after_the_peak_values_fall_without_jumps(schedule):
    values = curve(schedule, 2000, 100)
    assert values[0] == pytest.approx(0.01)
    assert values[99] == values.max() == 1.0
    assert (np.diff(values[99:]) <= 0).all()
    assert np.abs(np.diff(values[99:])).max() < 0.002


def test_cosine_is_half_after_half_of_the_steps():
    values = curve(cosine, 1000, 0)
    np.testing.assert_allclose(values[1:] + values[:0:-1], 1.0, atol=1e-12)


def test_trapezoid_holds_its_peak_for_half_of_the_run():
    values = curve(trapezoid, 1000, 100)
    assert (values[99:501] == 1.0).all()
    assert values[501] < 1.0
    assert values[-1] < 1e-4


def test_cosine_tail_follows_the_cosine_of_half_the_run_then_a_line():
    values, short = curve(cosine_tail, 2000, 100), curve(cosine, 1000, 100)
    left = 100 + int((short[100:] > 0.1).sum())
    np.testing.assert_array_equal(values[:left], short[:left])
    np.testing.assert_allclose(np.diff(values[left:], n=2), 0.0, atol=1e-12)
    assert values[left] == pytest.approx(0.1, abs=1e-3)
    assert values[-1] == pytest.approx(0.02)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("warmup", [0, 1, 200])
def test_the_shortest_runs_and_too_long_a_warmup_stay_in_range(schedule, steps: int, warmup: int):
    values = curve(schedule.multiplier, steps, warmup)
    assert ((values >= 0) & (values <= 1)).all()
    assert values.max() == 1.0


def test_the_plot_is_written(tmp_path):
    draw_schedules(tmp_path / "deeper" / "schedules.png")
    assert (tmp_path / "deeper" / "schedules.png").read_bytes().startswith(b"\x89PNG")
