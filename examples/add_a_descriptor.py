"""Add a descriptor from outside the package, train an arm with it on the demo corpus, and score the model.

Takes less than a minute on two cores: python examples/add_a_descriptor.py
"""

import tempfile
from pathlib import Path

import torch

import antiphon
from antiphon.corpora import open_corpus
from antiphon.evaluation.runner import evaluate_model
from antiphon.models.arms import Arm, Injected
from antiphon.models.descriptors import View
from antiphon.models.loading import load_model
from antiphon.training.config import prepare_run
from antiphon.training.loop import start_run


def loudness(view: View) -> torch.Tensor:
    """Mean log-magnitude of each frame, [B, T, 1]; zeros for silence."""
    return torch.log1p(view.magnitude).mean(dim=1).unsqueeze(-1)


antiphon.register_descriptor(name="loudness", modality="audio", dimensions=["level"], compute=loudness)
antiphon.register_arm(Arm("loudness", (Injected("loudness", into="audio", by="film"),)))

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        start_run(Path(folder, "run"), *prepare_run(["demo"], "loudness", "tiny", epochs=1))
        scores = evaluate_model(load_model(Path(folder, "run")), open_corpus("demo"), "paper", recordings=4)
    print(f"S = {scores['S']:.1f} %, chance {scores['chance']['R@10']:.1f} %")
