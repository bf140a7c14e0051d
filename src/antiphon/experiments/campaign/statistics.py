"""Statistics of runs that differ in their seed: means, differences, tests, intervals.

With few seeds these are uncertain. With five values in each group a bootstrap interval is too narrow, because it
resamples only those values; Welch's test is more conservative.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from antiphon.evaluation.bootstrap import percentile_interval, resampled_differences

RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """Two groups of values, a against b. Undefined statistics (both standard deviations are 0) are nan.

    `sd` with n − 1; `difference` mean a − mean b, `interval` its 95 % bootstrap interval; `t`, `df`, `p` of Welch's
    two-sided test; `cohens_d` the difference in pooled standard deviations.
    """

    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    sd_a: float
    sd_b: float
    difference: float
    interval: tuple[float, float]
    t: float
    df: float
    p: float
    cohens_d: float


def compare(a: ArrayLike, b: ArrayLike, seed: int = 42) -> Comparison:
    """Compare two groups of at least 2 finite values each, unpaired. Raises `ValueError` otherwise.

    Welch (Biometrika 34, 1947), v = sd²/n: t = (mean a − mean b) / √(v_a + v_b), with
    df = (v_a + v_b)² / (v_a²/(n_a − 1) + v_b²/(n_b − 1)). Cohen (Statistical Power Analysis, 1988, §2.5):
    d = (mean a − mean b) / √(((n_a − 1)·sd_a² + (n_b − 1)·sd_b²) / (n_a + n_b − 2)). Interval: percentiles 2.5 and
    97.5 of the difference over 10 000 resamples of each group (Efron and Tibshirani 1993, §13.3), the same for the
    same seed.

    >>> c = compare([84, 86, 88], [75, 76, 80])
    >>> c.difference, round(c.t, 3), round(c.df, 3), round(c.p, 4), round(c.cohens_d, 3)
    (9.0, 4.7, 3.723, 0.0111, 3.838)
    """
    left, right = _values("a", a), _values("b", b)
    sd_a, sd_b = sample_sd(left), sample_sd(right)
    difference = float(left.mean() - right.mean())
    t = df = p = cohens_d = float("nan")
    if sd_a or sd_b:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # one group may be constant, which t allows
            welch = stats.ttest_ind(left, right, equal_var=False)
        t, df, p = float(welch.statistic), float(welch.df), float(welch.pvalue)
        n_a, n_b = len(left), len(right)
        cohens_d = difference / float(np.sqrt(((n_a - 1) * sd_a**2 + (n_b - 1) * sd_b**2) / (n_a + n_b - 2)))
    return Comparison(
        n_a=len(left),
        n_b=len(right),
        mean_a=float(left.mean()),
        mean_b=float(right.mean()),
        sd_a=sd_a,
        sd_b=sd_b,
        difference=difference,
        interval=percentile_interval(resampled_differences(left, right, seed, RESAMPLES)),
        t=t,
        df=df,
        p=p,
        cohens_d=cohens_d,
    )


@dataclass(frozen=True)
class PairedDifference:
    """The mean of `n` differences, with the 95 % interval and p of a paired t-test.

    `interval` is None and p is nan for one difference; p is nan for equal ones too.
    """

    n: int
    mean: float
    interval: tuple[float, float] | None
    p: float


def paired_difference(differences: Sequence[float]) -> PairedDifference:
    """Test whether the mean of at least one difference is 0, two-sided, with n − 1 degrees of freedom.

    >>> found = paired_difference([8.0, 10.0, 12.0])
    >>> found.mean, [round(end, 2) for end in found.interval], round(found.p, 4)
    (10.0, [5.03, 14.97], 0.0131)
    """
    n, mean = len(differences), float(np.mean(differences))
    if n < 2:
        return PairedDifference(n, mean, None, float("nan"))
    if np.ptp(differences) == 0:
        return PairedDifference(n, mean, (mean, mean), float("nan"))
    test = stats.ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(0.95)
    return PairedDifference(n, mean, (float(interval.low), float(interval.high)), float(test.pvalue))


def sample_sd(values: ArrayLike) -> float:
    """Standard deviation with n − 1; exactly 0 for equal values. Raises `ValueError` for fewer than 2.

    >>> sample_sd([75, 76, 80])
    2.6457513110645907
    """
    found = _values("values", values)
    return float(found.std(ddof=1)) if np.ptp(found) > 0 else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple tests. Order and length stay the same.

    Holm (Scandinavian Journal of Statistics 6, 1979): with p₁ ≤ … ≤ p_m, adjusted pᵢ = max over j ≤ i of
    min(1, (m − j + 1)·p_j). Raises `ValueError` for a value outside 0–1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value lies between 0 and 1, got {p}; leave out undefined tests")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * float(p_values[index])))
        adjusted[index] = highest
    return adjusted


def _values(name: str, given: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(given, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"{name}: a standard deviation needs 2 or more values, one per seed; got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: values must be finite, got {values.tolist()}; leave out runs without a score")
    return values


@dataclass(frozen=True)
class Setting:
    """The settings within which arms are compared: those of a run except arm and seed."""

    variant: str | None
    schedule: str | None
    epochs: int | None
    preset: str | None
    from_init: bool


@dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed. `is_init_run` tells whether other runs start from them."""

    arm: str
    setting: Setting
    is_init_run: bool
    records: tuple[dict[str, Any], ...]

    def values(self, *path: str | int) -> tuple[float, ...]:
        """The numbers at a path of the records, such as `"evaluations", 0, "S"`; records without it are left out."""
        found = (number_at(record, *path) for record in self.records)
        return tuple(value for value in found if value is not None)

    def mean(self, *path: str | int) -> float | None:
        """The mean of these numbers, or None if there are none."""
        values = self.values(*path)
        return float(np.mean(values)) if values else None


def group_runs(records: Sequence[dict[str, Any]]) -> list[Group]:
    """Records by arm and setting, in order of first appearance. The name of the run replaces a missing arm."""
    init_runs = {"init_from"} | {record["init_from"] for record in records if record.get("init_from")}
    groups: dict[tuple[str, Setting, bool], list[dict[str, Any]]] = {}
    for record in records:
        setting = Setting(
            record.get("variant"),
            record.get("schedule"),
            record.get("epochs"),
            record.get("preset"),
            bool(record.get("init_from")),
        )
        arm = str(record.get("arm") or record.get("run") or "?")
        groups.setdefault((arm, setting, record.get("run") in init_runs), []).append(record)
    return [Group(*key, tuple(members)) for key, members in groups.items()]


def value_at(record: Any, *path: str | int) -> Any:
    """The value at a path of keys and positions in a nested record; None where the path ends early."""
    for step in path:
        if isinstance(step, int):
            record = record[step] if isinstance(record, list) and step < len(record) else None
        else:
            record = record.get(step) if isinstance(record, dict) else None
    return record


def number_at(record: Any, *path: str | int) -> float | None:
    """A finite number at a path, or None.

    >>> number_at({"evaluations": [{"S": 83.8}]}, "evaluations", 0, "S")
    83.8
    """
    value = value_at(record, *path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
