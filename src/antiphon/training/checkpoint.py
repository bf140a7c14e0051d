"""Checkpoints: the state of a run from which it continues as if it had not been interrupted."""

from __future__ import annotations

from pathlib import Path

import torch

from antiphon.io.files import atomic_file
from antiphon.models.network import DualEncoder
from antiphon.models.saving import with_late_fusion_map
from antiphon.training.embedding_queue import EmbeddingQueue

_CHECKPOINT = "checkpoint.pt"


def save_checkpoint(
    folder: Path,
    model: DualEncoder,
    optimiser: torch.optim.Optimizer,
    queue: EmbeddingQueue | None,
    done: int,
    elapsed_s: float,
) -> None:
    """Save model, optimiser, embedding queue, random state, and the step, which gives schedule and data position."""
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "memory": None if queue is None else queue.state_dict(),
        "random": torch.get_rng_state(),
        "random_gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "step": done,
        "elapsed_s": elapsed_s,
    }
    with atomic_file(folder / _CHECKPOINT) as temporary:
        torch.save(state, temporary)


def load_checkpoint(
    folder: Path,
    model: DualEncoder,
    optimiser: torch.optim.Optimizer,
    queue: EmbeddingQueue | None,
    device: torch.device,
) -> tuple[int, float]:
    """Restore the last checkpoint, if there is one. Returns the steps done and the seconds spent, else 0 and 0."""
    path = folder / _CHECKPOINT
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(with_late_fusion_map(state["model"]))
    optimiser.load_state_dict(state["optimiser"])
    if queue is not None:
        queue.load_state_dict(state["memory"])
    torch.set_rng_state(state["random"].cpu())
    if state["random_gpu"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["random_gpu"].cpu())
    return int(state["step"]), float(state["elapsed_s"])


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a finished run."""
    (folder / _CHECKPOINT).unlink(missing_ok=True)
