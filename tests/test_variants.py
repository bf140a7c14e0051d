"""Variants: each changes its own settings only, or raises an error with the reason."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Any

import pytest
import torch

from antiphon.errors import AntiphonError
from antiphon.experiments.campaign.grid import load_grid, plan
from antiphon.models.arms import find_arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.training.losses import LOSSES
from antiphon.training.presets import PRESETS, Preset, find_preset
from antiphon.training.step import objective
from antiphon.training.variants import VARIANTS, find_variant, varied_preset
from builders import random_batch

FRONT = {"sizes.audio_tower", "sizes.audio_options"}
CHANGES = {
    ("small", "trained-front"): {"training.rates"},
    ("small", "log-mel"): {*FRONT, "training.rates"},
    ("small", "onset-times"): {"sizes.notes_options"},
    ("small", "sigmoid"): {"training.loss"},
    ("small", "conditions-16"): {"training.conditions"},
    ("default", "mean-over-time"): {"sizes.audio_options", "sizes.notes_options"},
    ("default", "mel"): FRONT,
    ("default", "clean-sound"): {"training.augmentation.sound"},
    ("default", "clean-notes"): {"training.augmentation.notes"},
    ("default", "exact-fit"): {"training.augmentation.loose"},
    ("default", "in-tune"): {"training.augmentation.detune_cents"},
    ("default", "no-groups"): {"training.group", "training.near_s", "training.adjacent_s"},
    ("default", "overlaps-masked"): {"training.near_s"},
    ("default", "whole-windows"): {"training.augmentation.partial"},
    ("default", "no-queue"): {"training.queue_size"},
    ("default", "no-neighbours"): {"training.near_s", "training.adjacent_s"},
    ("default", "vicreg"): {"training.loss", "training.queue_size"},
    ("default", "sigmoid"): {"training.loss", "training.queue_size"},
}
SUITED = pytest.mark.parametrize(("preset", "variant"), CHANGES)


def differences(one: dict[str, Any], other: dict[str, Any], within: str = "") -> set[str]:
    """Dotted names of the settings in which two presets differ; options of a tower count as one."""
    found: set[str] = set()
    for name in one.keys() | other.keys():
        left, right = one.get(name), other.get(name)
        if isinstance(left, dict) and isinstance(right, dict) and not name.endswith("options"):
            found |= differences(left, right, f"{within}{name}.")
        elif left != right:
            found.add(within + name)
    return found


@SUITED
def test_a_variant_changes_its_settings_only(preset: str, variant: str):
    assert differences(asdict(find_preset(preset)), asdict(varied_preset(preset, variant))) == CHANGES[preset, variant]


@SUITED
def test_a_variant_can_be_trained(preset: str, variant: str):
    varied = varied_preset("tiny" if preset == "small" else preset, variant)
    model = DualEncoder(ModelConfig(find_arm("D0"), varied.sizes))
    loss = sum(objective(model(random_batch()), model.config.arm.pairs, LOSSES[varied.training.loss]).values())
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_changes_a_preset_or_raises_an_error(preset: Preset, variant: str):
    """No variant returns an equal preset, and none fails in another way."""
    with contextlib.suppress(AntiphonError):
        assert find_variant(variant)(preset) != preset


@pytest.mark.parametrize(
    ("preset", "variant", "why"),
    [
        ("paper", "mean-over-time", "has no steps of time"),
        ("paper", "mel", "no constant_q tower"),
        ("paper", "clean-sound", "already has sound None"),
        ("paper", "overlaps-masked", "already has near_s None"),
        ("medium", "vicreg", "already has loss vicreg"),
        ("default", "trained-front", "freezes no front end"),
        ("default", "log-mel", "no waveform tower"),
        ("default", "onset-times", "no note_sequence tower"),
    ],
)
def test_a_variant_that_does_not_suit_a_preset_is_an_error(preset: str, variant: str, why: str):
    with pytest.raises(AntiphonError, match=rf"variant {variant}: preset '{preset}'.*{why}"):
        varied_preset(preset, variant)


def test_a_mean_over_time_is_as_wide_as_the_steps_were():
    sizes = [varied_preset("default", variant).sizes for variant in (None, "mean-over-time")]
    steps, mean = (DualEncoder(ModelConfig(find_arm("D0"), one)) for one in sizes)
    assert mean.tower("audio").pooled_width == steps.tower("audio").pooled_width
    assert mean.tower("notes").pooled_width == steps.tower("notes").pooled_width


def test_the_default_campaign_has_all_variants_of_the_default_preset():
    runs = plan(load_grid("default"))
    assert {run.variant for run in runs} - {None} == {name for preset, name in CHANGES if preset == "default"}
    assert {run.arm for run in runs if run.variant is None} == {"D0", "A4", "A4r", "d4a4"}
    assert {(run.arm, run.seed, run.epochs) for run in runs if run.variant is not None} == {("D0", 42, 3)}
