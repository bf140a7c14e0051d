"""What a campaign's records say once they are grouped by arm and setting, each group beside the paper's figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from antiphon.experiments.campaign.statistics import Group, Setting, group_runs, number_at, sample_sd
from antiphon.experiments.published import FOUNDATION_S, REFERENCE, Published, published, published_gain

Record = dict[str, Any]
EvaluationKey = tuple[str, str, str]
"""Corpus, split and protocol."""

S = ("evaluations", 0, "S")
"""Where a record holds its headline figure."""
UNCHANGED = "unchanged"
SETTINGS = {
    "variant": "variant",
    "schedule": "schedule",
    "epochs": "epochs",
    "preset": "preset",
    "from_init": "start",
}
"""What a setting consists of, as a report calls it."""


class Results:
    """The records of one campaign, in the same order however they come.

    `everything` holds all groups, the highest S first, and `groups` all but the foundation's.
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
        """The settings in which groups differ: they get a column, the others a sentence."""
        settings = {group.setting for group in self.groups if group.setting.epochs is not None}
        return [name for name in SETTINGS if len({getattr(setting, name) for setting in settings}) > 1]

    @cached_property
    def further(self) -> list[EvaluationKey]:
        """Corpus, split and protocol of every evaluation after a record's first."""
        return list(dict.fromkeys(evaluation_key(e) for record in self.records for e in evaluations_of(record)[1:]))

    @cached_property
    def repeated(self) -> list[Group]:
        """The groups with the scores of several seeds."""
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
        """What an arm gains over D0 here; none for D0 itself and for the foundation."""
        reference = self.reference(group)
        return None if group.is_init_run or group is reference else difference(group, reference, *S)

    def unchanged(self, group: Group) -> Group | None:
        """The same arm without the group's variant; none for a group that has no variant."""
        without = replace(group.setting, variant=None)
        found = (one for one in self.groups if one.arm == group.arm and one.setting == without)
        return None if group.setting.variant is None else next(found, None)

    def paper(self, group: Group) -> Published | None:
        """The paper's figure for a group; variants are not the paper's."""
        one = group.setting
        if group.is_init_run:
            return Published(FOUNDATION_S, "screening", None, None) if self.campaign == "screening" else None
        if one.variant is not None:
            return None
        return published(self.campaign, group.arm, one.schedule, one.epochs, one.from_init)

    def paper_gain(self, group: Group) -> float | None:
        """What the arm gains over D0 in the paper, whatever the variant."""
        one = group.setting
        if group.is_init_run or group.arm == REFERENCE:
            return None
        return published_gain(self.campaign, group.arm, one.schedule, one.epochs, one.from_init)

    def label(self, group: Group, without: str = "") -> str:
        """An arm with what sets its group apart."""
        apart = (setting_word(group.setting, name) for name in self.varying if name != without)
        return " · ".join([arm_name(group), *apart])


def difference(one: Group, other: Group | None, *path: str | int) -> float | None:
    """How far the mean of a group's numbers at a path lies above another's; None where either has none."""
    ours, theirs = one.mean(*path), None if other is None else other.mean(*path)
    return None if ours is None or theirs is None else ours - theirs


def evaluations_of(record: Record) -> list[Record]:
    """A record's evaluations, the headline one first; none where it has none yet."""
    found = record.get("evaluations")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def evaluation_key(evaluation: Record) -> EvaluationKey:
    """What tells an evaluation from the others of its record; "?" for a corpus that it does not name."""
    corpus, split, protocol = (str(evaluation.get(name) or "") for name in ("corpus", "split", "protocol"))
    return corpus or "?", split, protocol


def s_on(record: Record, key: EvaluationKey) -> float | None:
    """S of a record's further evaluation, or None."""
    return next((number_at(e, "S") for e in evaluations_of(record)[1:] if evaluation_key(e) == key), None)


def interval_of(group: Group) -> tuple[float, float] | None:
    """Mean ± standard deviation over seeds; of one run, its 95 % interval over pieces."""
    values = group.values(*S)
    if len(values) > 1:
        mean, sd = float(np.mean(values)), sample_sd(values)
        return mean - sd, mean + sd
    low, high = (group.values("evaluations", 0, "intervals_95", "pieces", "S", end) for end in (0, 1))
    return (low[0], high[0]) if values and low and high else None


def setting_text(setting: Setting, name: str) -> str:
    """One of `SETTINGS` as a table shows it; "–" where it is not known."""
    value = getattr(setting, name)
    if name == "from_init":
        return "init_from" if value else "scratch"
    return (UNCHANGED if name == "variant" else "–") if value is None else str(value)


def setting_word(setting: Setting, name: str) -> str:
    """A setting's value where no column says what it is."""
    text = setting_text(setting, name)
    return f"{text} epochs" if name == "epochs" and setting.epochs is not None else text


def arm_name(group: Group) -> str:
    """The arm, with a remark if others start from it."""
    return f"{group.arm} (foundation)" if group.is_init_run else group.arm


def in_order(value: Any) -> tuple[bool, float, str]:
    """A key to sort by: numbers by size, then the rest by name."""
    number = isinstance(value, int | float)
    return not number, value if number else 0.0, str(value)
