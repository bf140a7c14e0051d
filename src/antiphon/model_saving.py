"""Saving and loading a dual encoder.

A model folder is `config.json` + `model.safetensors` + `README.md`; nothing is ever unpickled. A run folder is
`run.json` and, once the run has finished, a model folder in `model/`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from antiphon.errors import UnreadableInput
from antiphon.model import DualEncoder, ModelConfig

_FORMAT = 1
_CONFIG, _WEIGHTS, _CARD = "config.json", "model.safetensors", "README.md"
RUN_CONFIG, RUN_MODEL = "run.json", "model"


def save_model(model: DualEncoder, folder: Path, card: str) -> None:
    """Write a model folder; `card` is its README."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"format": _FORMAT, **to_plain(model.config)}
    (folder / _CONFIG).write_text(json.dumps(config, indent=1) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / _WEIGHTS)
    (folder / _CARD).write_text(card)


def is_model_folder(folder: Path) -> bool:
    """Whether a folder has a model's config and weights; neither is read."""
    return all((folder / name).is_file() for name in (_CONFIG, _WEIGHTS))


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is that of a training run, finished or not."""
    return (folder / RUN_CONFIG).is_file()


def load_dual_encoder(folder: str | Path) -> DualEncoder:
    """The network of a model folder, in evaluation mode. Raises `UnreadableInput` that names the fault."""
    folder = Path(folder)
    for name in (_CONFIG, _WEIGHTS):
        if not (folder / name).is_file():
            raise UnreadableInput(folder, f"not a model folder: it has no {name}")
    try:
        plain = json.loads((folder / _CONFIG).read_text())
        if plain.pop("format", None) != _FORMAT:
            raise UnreadableInput(folder / _CONFIG, f"its format is not {_FORMAT}, the one this version reads")
        model = DualEncoder(TypeAdapter(ModelConfig).validate_python(plain))
        model.load_state_dict(load_file(folder / _WEIGHTS))
    except (ValueError, TypeError, AttributeError) as error:  # JSON's, pydantic's, and of towers that reject options
        raise UnreadableInput(folder / _CONFIG, f"not a model's config ({error})") from None
    except SafetensorError as error:
        raise UnreadableInput(folder / _WEIGHTS, f"not readable weights ({error})") from None
    except RuntimeError as error:
        raise UnreadableInput(folder / _WEIGHTS, f"weights do not fit the config ({error})") from None
    return model.eval()


def weights_hash(folder: str | Path) -> str:
    """SHA-256 of a model folder's weights. Raises `UnreadableInput` when there are none."""
    path = Path(folder) / _WEIGHTS
    if not path.is_file():
        raise UnreadableInput(Path(folder), f"not a model folder: it has no {_WEIGHTS}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def to_plain(config: Any) -> dict[str, Any]:
    """A config as JSON-ready data."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")
