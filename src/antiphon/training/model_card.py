"""The model card of a trained model: its README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antiphon.training.config import RunConfig


def model_card(config: RunConfig, result: dict[str, Any]) -> str:
    """A description of a model, its training data and its code version, as Markdown."""
    return f"""# {config.arm.name}, preset {config.preset}

An Antiphon dual encoder: it embeds windows of {config.sizes.window_s:g} s of audio or notes as unit
vectors of {result["dimensions"]} dimensions, compared by their dot product.

* trained on {result["recordings"]} recordings of {", ".join(Path(spec).name for spec in config.corpora)}
  ({_drawn(config, result)}, seed {config.seed}, data {config.data_hash[:12]})
* parameters: {result["parameters"]["total"]:,}, trained: {result["parameters"]["trainable"]:,}
* code: {result["code"]["version"]}, commit {result["code"]["commit"]}
"""


def _drawn(config: RunConfig, result: dict[str, Any]) -> str:
    """The initial weights and the number of windows drawn, as text."""
    fusion = config.training.late_fusion_batches * config.training.batch_size
    parts = [f"{result['segments']} windows drawn"]
    if config.init_from is not None and config.init_from_hash is not None:
        parts.insert(0, f"from {'/'.join(Path(config.init_from).parts[-2:])}, {config.init_from_hash[:12]}")
    if config.arm.late_fusion:
        parts.append(f"{fusion} for late fusion")
    return ", ".join(parts)
