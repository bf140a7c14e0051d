"""Statistics of campaigns against values computed by hand and against slow oracles; grouping of runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from antiphon.evaluation.scores import rank_correlation
from antiphon.experiments.campaign.statistics import (
    RESAMPLES,
    compare,
    group_runs,
    holm,
    number_at,
    sample_sd,
    value_at,
)

VALUES = st.lists(st.integers(0, 1000).map(lambda n: n / 10), min_size=2, max_size=8)


def slow_welch(a: list[float], b: list[float]) -> tuple[float, float, float]:
    """t, degrees of freedom and two-sided p, the last by adding up the density of Student's distribution."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    var_a = sum((x - mean_a) ** 2 for x in a) / (len(a) - 1) / len(a)
    var_b = sum((x - mean_b) ** 2 for x in b) / (len(b) - 1) / len(b)
    t = (mean_a - mean_b) / math.sqrt(var_a + var_b)
    df = (var_a + var_b) ** 2 / (var_a**2 / (len(a) - 1) + var_b**2 / (len(b) - 1))
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    pieces = 20_000
    width = abs(t) / pieces
    inside = sum(scale * (1 + ((piece + 0.5) * width) ** 2 / df) ** (-(df + 1) / 2) * width for piece in range(pieces))
    return t, df, 1 - 2 * inside


def slow_holm(p_values: list[float]) -> list[float]:
    """Step down: the smallest of m is multiplied by m, the next by m − 1 …, and none ends below one before it."""
    left, adjusted = list(enumerate(p_values)), dict.fromkeys(range(len(p_values)), 0.0)
    so_far = 0.0
    while left:
        index, p = min(left, key=lambda pair: pair[1])
        so_far = max(so_far, min(1.0, p * len(left)))
        adjusted[index] = so_far
        left.remove((index, p))
    return [adjusted[index] for index in range(len(p_values))]


def slow_spearman(a: list[float], b: list[float]) -> float:
    def ranks(values: list[float]) -> list[float]:
        return [
            sum(other < one for other in values) + (sum(other == one for other in values) + 1) / 2 for one in values
        ]

    x, y = ranks(a), ranks(b)
    mean = (len(x) + 1) / 2
    both = sum((i - mean) * (j - mean) for i, j in zip(x, y, strict=True))
    return both / math.sqrt(sum((i - mean) ** 2 for i in x) * sum((j - mean) ** 2 for j in y))


def test_a_comparison_computed_by_hand():
    c = compare([84, 86, 88], [75, 76, 80])
    assert (c.n_a, c.n_b, c.mean_a, c.mean_b, c.difference) == (3, 3, 86.0, 77.0, 9.0)
    assert c.sd_a == pytest.approx(2.0)
    assert c.sd_b == pytest.approx(math.sqrt(7))
    assert c.t == pytest.approx(9 / math.sqrt(11 / 3))  # 4/3 + 7/3 under the root
    assert c.df == pytest.approx((11 / 3) ** 2 / ((4 / 3) ** 2 / 2 + (7 / 3) ** 2 / 2))
    assert c.cohens_d == pytest.approx(9 / math.sqrt(5.5))  # (2·4 + 2·7) / 4 under the root


def test_pooled_deviation_weights_the_groups_by_size():
    c = compare([0, 2], [10, 10, 13, 13])  # variances 2 and 3, n − 1 = 1 and 3
    assert c.cohens_d == pytest.approx((1 - 11.5) / math.sqrt((1 * 2 + 3 * 3) / 4))


def test_welch_equals_the_formula_and_scipy():
    a, b = [84.2, 81.0, 86.6, 87.4, 80.8], [75.0, 73.2, 77.8, 76.0]
    c, theirs = compare(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert (c.t, c.df, c.p) == pytest.approx(slow_welch(a, b), rel=1e-6)
    assert (c.t, c.p) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_the_bootstrap_interval_equals_a_loop_over_resamples():
    a, b = [84.0, 86.0, 88.0], [75.0, 76.0, 80.0, 81.0]
    rng = np.random.default_rng(7)
    of_a, of_b = (rng.integers(len(side), size=(RESAMPLES, len(side))) for side in (a, b))
    differences = [
        sum(a[i] for i in one) / len(a) - sum(b[i] for i in other) / len(b)
        for one, other in zip(of_a, of_b, strict=True)
    ]
    differences.sort()
    low, high = compare(a, b, seed=7).interval
    assert low == pytest.approx(differences[int(0.025 * RESAMPLES)], abs=0.2)
    assert high == pytest.approx(differences[int(0.975 * RESAMPLES)], abs=0.2)
    assert compare(a, b, seed=7) == compare(a, b, seed=7)
    assert low < compare(a, b).difference < high


@settings(max_examples=30)
@given(VALUES, VALUES)
def test_exchanging_the_groups_changes_every_sign(a: list[float], b: list[float]):
    one, other = compare(a, b), compare(b, a)
    assert one.difference == -other.difference
    for name in ("t", "cohens_d"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine == pytest.approx(-theirs) or (math.isnan(mine) and math.isnan(theirs))
    assert one.p == pytest.approx(other.p, nan_ok=True)


def test_equal_values_have_no_deviation_and_no_test():
    c = compare([83.4] * 3, [75.2] * 3)
    assert (c.sd_a, c.sd_b) == (0.0, 0.0)
    assert c.interval == pytest.approx((8.2, 8.2))
    assert all(math.isnan(value) for value in (c.t, c.df, c.p, c.cohens_d))


def test_one_constant_group_still_has_a_test():
    c = compare([83.4, 83.4, 83.4], [75.0, 76.0, 77.0])
    assert c.t == pytest.approx(7.4 / math.sqrt(1 / 3))
    assert c.df == pytest.approx(2.0)


@pytest.mark.parametrize("values", [[], [84.0], [[84.0, 85.0]], [84.0, float("nan")]])
def test_too_few_values_are_refused_by_name(values: list[float]):
    with pytest.raises(ValueError, match="b: "):
        compare([1.0, 2.0], values)
    with pytest.raises(ValueError, match="values: "):
        sample_sd(values)


def test_holm_computed_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_equals_the_steps(p_values: list[float]):
    assert holm(p_values) == pytest.approx(slow_holm(p_values))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_holm_refuses_values_outside_0_to_1(p: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, p])


def test_rank_correlation_computed_by_hand():
    assert rank_correlation([1, 2, 3], [10, 20, 90]) == 1.0
    assert rank_correlation([1, 2, 3, 4], [9, 7, 5, 1]) == -1.0
    a, b = [69.8, 68.6, 63.6, 63.6, 60.2], [50.0, 52.0, 44.0, 44.0, 47.0]
    assert rank_correlation(a, b) == pytest.approx(slow_spearman(a, b))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_rank_correlation_equals_the_slow_one(pairs: list[tuple[int, int]]):
    a, b = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(rank_correlation(a, b))
    else:
        assert rank_correlation(a, b) == pytest.approx(slow_spearman(a, b))


def test_rank_correlation_of_two_values_is_undefined():
    assert math.isnan(rank_correlation([1, 2], [1, 2]))
    with pytest.raises(ValueError, match="one length"):
        rank_correlation([1, 2, 3], [1, 2])


def run(arm: str, seed: int, s: float | None, **more: object) -> dict[str, object]:
    evaluations = [] if s is None else [{"S": s}]
    record = {"run": f"{arm}-{seed}", "arm": arm, "seed": seed, "variant": None, "schedule": "cosine", "epochs": 30}
    return record | {"preset": "tiny", "init_from": None, "evaluations": evaluations} | more


def test_runs_of_a_group_differ_only_in_their_seed():
    records = [run("d4a4", 1, 80.0), run("D0", 1, 70.0), run("d4a4", 2, 84.0), run("d4a4", 3, None)]
    records += [run("d4a4", 1, 60.0, epochs=5), run("d4a4", 1, 61.0, variant="logmel")]
    groups = group_runs(records)
    assert [(group.arm, len(group.records)) for group in groups] == [("d4a4", 3), ("D0", 1), ("d4a4", 1), ("d4a4", 1)]
    assert groups[0].values("evaluations", 0, "S") == (80.0, 84.0)
    assert groups[0].mean("evaluations", 0, "S") == 82.0
    assert groups[0].mean("training", "segments_per_second") is None


def test_the_initial_model_is_no_arm():
    records = [run("D0", 42, 61.8, run="init_from"), run("D0", 42, 60.2, init_from="init_from")]
    assert [group.is_init_run for group in group_runs(records)] == [True, False]
    assert [group.is_init_run for group in group_runs(records[:1])] == [True]  # before any run has started from it


def test_initial_models_of_several_seeds_do_not_split_a_group():
    records = [run("A4", seed, 60.0, init_from=f"init_from-{seed}") for seed in (1, 2)]
    assert len(group_runs(records)) == 1


@pytest.mark.parametrize("value", [None, "83.8", True, float("nan"), float("inf"), [1], {}])
def test_only_finite_numbers_are_figures(value: object):
    assert number_at({"S": value}, "S") is None


def test_a_path_that_ends_early_gives_none():
    record = {"evaluations": [{"S": 1}], "training": None}
    assert value_at(record, "evaluations", 1, "S") is None
    assert value_at(record, "training", "parameters", "total") is None
    assert value_at(record, "evaluations", "S") is None
    assert value_at(None, "a") is None
