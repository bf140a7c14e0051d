"""The model card of a trained model: its README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antiphon.training.config import RunConfig


def model_card(config: RunConfig, result: dict[str, Any]) -> str:
    """What a model is, from what it was trained, and by which code, as Markdown."""
    return f"""# {config.arm.name}, preset {config.preset}

An Antiphon dual encoder: windows of {config.sizes.window_s:g} s of sound or of notes → unit vectors of
{result["dimensions"]} dimensions, compared by their dot product.

* trained on {result["recordings"]} recordings of {", ".join(Path(spec).name for spec in config.corpora)}
  ({_drawn(config, result)}, seed {config.seed}, data {config.data_hash[:12]})
* parameters: {result["parameters"]["total"]:,}, trained: {result["parameters"]["trainable"]:,}
* code: {result["code"]["version"]}, commit {result["code"]["commit"]}
"""


def _drawn(config: RunConfig, result: dict[str, Any]) -> str:
    """How many windows the weights were learned from, and which weights they began as."""
    mapped = config.training.late_fusion_batches * config.training.batch_size
    parts = [f"{result['segments']} windows drawn"]
    if config.init_from is not None and config.init_from_hash is not None:
        parts.insert(0, f"from {'/'.join(Path(config.init_from).parts[-2:])}, {config.init_from_hash[:12]}")
    if config.arm.late_fusion:
        parts.append(f"{mapped} for the map of towers and descriptors")
    return ", ".join(parts)
