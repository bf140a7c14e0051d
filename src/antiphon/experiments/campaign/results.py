"""The records of a campaign, grouped by arm and setting, each group with the paper's figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from antiphon.experiments.campaign.statistics import Group, Setting, group_runs, number_at, sample_sd
from antiphon.experiments.published import INITIAL_MODEL_S, REFERENCE, Published, published, published_gain

Record = dict[str, Any]
EvaluationKey = tuple[str, str, str]
"""Corpus, split and protocol."""

S = ("evaluations", 0, "S")
"""The path of a record's headline figure."""
UNCHANGED = "unchanged"
SETTINGS = {
    "variant": "variant",
    "schedule": "schedule",
    "epochs": "epochs",
    "preset": "preset",
    "from_init": "start",
}
"""The fields of a setting, with their names in a report."""


class Results:
    """The records of one campaign, sorted so that their given order does not matter.

    `everything` holds all groups, the highest S first; `groups` holds them without that of the initial model.
    """

    def __init__(self, campaign: str, records: Sequence[Record]) -> None:
        self.campaign = campaign
        self.records = sorted(records, key=lambda r: [str(r.get(key)) for key in ("arm", "variant", "seed", "run")])
        self.everything = group_runs(self.records)
        self.everything.sort(key=lambda group: (group.mean(*S) is None, -(group.mean(*S) or 0.0)))
        self.groups = [group for group in self.everything if not group.is_init_run]
        self.evaluations = [evaluation for record in self.records for evaluation in evaluations_of(record)]

    @cached_property
    def varying(self) -> list[str]:
        """The settings in which groups differ. A report has a column for each, and one sentence for the others."""
        settings = {group.setting for group in self.groups if group.setting.epochs is not None}
        return [name for name in SETTINGS if len({getattr(setting, name) for setting in settings}) > 1]

    @cached_property
    def further(self) -> list[EvaluationKey]:
        """Corpus, split and protocol of every evaluation after a record's first."""
        return list(dict.fromkeys(evaluation_key(e) for record in self.records for e in evaluations_of(record)[1:]))

    @cached_property
    def repeated(self) -> list[Group]:
        """The groups that have scores of several seeds."""
        return [group for group in self.groups if len(group.values(*S)) > 1]

    def key_text(self, key: EvaluationKey) -> str:
        """A corpus with its split, and with the protocol where there are several."""
        protocols = {evaluation_key(e)[2] for e in self.evaluations}
        corpus, split, protocol = key
        return ", ".join(part for part in (corpus, split, protocol if len(protocols) > 1 else "") if part)

    def reference(self, group: Group) -> Group | None:
        """D0 in the same setting."""
        return next((g for g in self.groups if g.arm == REFERENCE and g.setting == group.setting), None)

    def gain(self, group: Group) -> float | None:
        """Our gain of an arm over D0; None for D0 itself and for the initial model."""
        reference = self.reference(group)
        return None if group.is_init_run or group is reference else difference(group, reference, *S)

    def unchanged(self, group: Group) -> Group | None:
        """The same arm without the group's variant; None for a group that has no variant."""
        without = replace(group.setting, variant=None)
        found = (one for one in self.groups if one.arm == group.arm and one.setting == without)
        return None if group.setting.variant is None else next(found, None)

    def paper(self, group: Group) -> Published | None:
        """The paper's figure for a group; None for a variant, which the paper does not have."""
        one = group.setting
        if group.is_init_run:
            return Published(INITIAL_MODEL_S, "screening", None, None) if self.campaign == "screening" else None
        if one.variant is not None:
            return None
        return published(self.campaign, group.arm, one.schedule, one.epochs, one.from_init)

    def paper_gain(self, group: Group) -> float | None:
        """The paper's gain of the arm over D0, whatever the variant."""
        one = group.setting
        if group.is_init_run or group.arm == REFERENCE:
            return None
        return published_gain(self.campaign, group.arm, one.schedule, one.epochs, one.from_init)

    def label(self, group: Group, without: str = "") -> str:
        """An arm with the settings in which groups differ."""
        words = (setting_word(group.setting, name) for name in self.varying if name != without)
        return " · ".join([arm_name(group), *words])


def difference(one: Group, other: Group | None, *path: str | int) -> float | None:
    """Mean of a group's numbers at a path minus that of another group; None where either has none."""
    ours, theirs = one.mean(*path), None if other is None else other.mean(*path)
    return None if ours is None or theirs is None else ours - theirs


def evaluations_of(record: Record) -> list[Record]:
    """The evaluations of a record, the headline one first; empty where it has none yet."""
    found = record.get("evaluations")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def evaluation_key(evaluation: Record) -> EvaluationKey:
    """Corpus, split and protocol, which identify an evaluation within its record; "?" for an unknown corpus."""
    corpus, split, protocol = (str(evaluation.get(name) or "") for name in ("corpus", "split", "protocol"))
    return corpus or "?", split, protocol


def s_on(record: Record, key: EvaluationKey) -> float | None:
    """S of a record's further evaluation, or None."""
    return next((number_at(e, "S") for e in evaluations_of(record)[1:] if evaluation_key(e) == key), None)


def interval_of(group: Group) -> tuple[float, float] | None:
    """Mean ± standard deviation over several seeds; the 95 % interval over pieces of one run."""
    values = group.values(*S)
    if len(values) > 1:
        mean, sd = float(np.mean(values)), sample_sd(values)
        return mean - sd, mean + sd
    low, high = (group.values("evaluations", 0, "intervals_95", "pieces", "S", end) for end in (0, 1))
    return (low[0], high[0]) if values and low and high else None


def setting_text(setting: Setting, name: str) -> str:
    """The text of one of `SETTINGS` in a table; "–" where it is unknown."""
    value = getattr(setting, name)
    if name == "from_init":
        return "initial model" if value else "scratch"
    return (UNCHANGED if name == "variant" else "–") if value is None else str(value)


def setting_word(setting: Setting, name: str) -> str:
    """The text of a setting outside its column."""
    text = setting_text(setting, name)
    return f"{text} epochs" if name == "epochs" and setting.epochs is not None else text


def arm_name(group: Group) -> str:
    """The arm, marked if it is the initial model of other runs."""
    return f"{group.arm} (initial model)" if group.is_init_run else group.arm


def in_order(value: Any) -> tuple[bool, float, str]:
    """A sort key: numbers by size, then other values by name."""
    number = isinstance(value, int | float)
    return not number, value if number else 0.0, str(value)
