"""Trained models that come with the package: one model folder each, named after the folder."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def shipped_models() -> dict[str, Path]:
    """The folder of each model by its name."""
    return {path.parent.name: path.parent for path in sorted(_HERE.glob("*/model.safetensors"))}
