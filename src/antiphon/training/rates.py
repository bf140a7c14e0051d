"""Freeze policy and graded learning rates of parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from antiphon.errors import AntiphonError
from antiphon.training.presets import RateRule


def apply_rates(model: nn.Module, rules: Sequence[RateRule]) -> list[dict[str, Any]]:
    """Freeze parameters by the rules and return one optimiser group per learning rate.

    The first rule with a pattern that matches a parameter's name applies. Each group has `base_lr`, which the schedule
    scales. Raises `AntiphonError` for a parameter without a matching rule.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rule = next((rule for rule in rules if fnmatchcase(name, rule.pattern)), None)
        if rule is None:
            raise AntiphonError(f"no learning-rate rule matches the parameter {name!r}")
        parameter.requires_grad_(rule.learning_rate is not None)
        if rule.learning_rate is not None:
            groups.setdefault(rule.learning_rate, []).append(parameter)
    return [{"params": parameters, "lr": rate, "base_lr": rate} for rate, parameters in groups.items()]


def count_parameters(model: nn.Module) -> Counter[str]:
    """The current numbers of `total` and `trainable` parameters."""
    count: Counter[str] = Counter()
    for parameter in model.parameters():
        count["total"] += parameter.numel()
        count["trainable"] += parameter.numel() * parameter.requires_grad
    return count
