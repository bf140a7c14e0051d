"""Models with random weights and a few seconds of the demo corpus, as input of analyses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch

from antiphon.corpora import Corpus
from antiphon.experiments.analysis import ModelUnderTest
from antiphon.models.arms import find_arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.training.presets import find_preset


@cache
def tiny_model(arm: str) -> DualEncoder:
    torch.manual_seed(3)
    return DualEncoder(ModelConfig(find_arm(arm), find_preset("tiny").sizes)).eval()


def small_subject(
    demo: Corpus, arm: str = "d4a4", recordings: int = 4, windows: int = 8, seed: int = 42
) -> ModelUnderTest:
    """A model and the first `windows` windows of `recordings` recordings of different works."""
    chosen = demo.recordings[:: len(demo) // recordings][:recordings]
    short = tuple(replace(one, duration_s=windows + 3.0) for one in chosen)
    return ModelUnderTest(tiny_model(arm), "a $strange$ name", replace(demo, recordings=short), seed)
