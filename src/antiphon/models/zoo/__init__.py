"""Trained models that come with the package: each folder is a model folder and gives the model its name."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def shipped_models() -> dict[str, Path]:
    """Name → folder of each model."""
    return {path.parent.name: path.parent for path in sorted(_HERE.glob("*/model.safetensors"))}
