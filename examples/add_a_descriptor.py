"""Add a descriptor from outside the package, train an arm with it, and score the model."""

import tempfile
from pathlib import Path

import torch

import antiphon
from antiphon.models.descriptors import View

# %% A descriptor is a function of a batch, without learned parameters


def loudness(view: View) -> torch.Tensor:
    """Mean log-magnitude of each frame, [B, T, 1]; zeros for silence."""
    return torch.log1p(view.magnitude).mean(dim=1).unsqueeze(-1)


antiphon.register_descriptor(name="loudness", modality="audio", dimensions=["level"], compute=loudness, replace=True)

# %% An arm says where it is injected, and by which mechanism
arm = antiphon.Arm("loudness", (antiphon.Injected("loudness", into="audio", by="film"),))
antiphon.register_arm(arm, replace=True)

# %% Train the arm for one epoch of the smallest preset, and score it
with tempfile.TemporaryDirectory() as folder:
    run = antiphon.train("demo", arm="loudness", preset="tiny", epochs=1, out=Path(folder, "run"))
    scores = antiphon.evaluate(run.load_model(), "demo", recordings=4)
print(f"S = {scores['S']:.1f} %, chance {scores['chance']['R@10']:.1f} %")
