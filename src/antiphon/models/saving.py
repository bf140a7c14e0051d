"""Save and load a dual encoder.

A model folder is `config.json` + `model.safetensors` + `README.md`; nothing is unpickled. A run folder is
`run.json` and, once the run has finished, a model folder in `model/`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.files import atomic_folder, write_text_atomic
from antiphon.io.formats import Document, Format, renamed
from antiphon.models.descriptors import DESCRIPTORS
from antiphon.models.injection import MECHANISMS
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.towers import TOWERS
from antiphon.registry import Registry

_LATE_FUSION_BEFORE = {"beside": "late_fusion"}


def with_late_fusion(arm: Document) -> Document:
    """The document of an arm from format 1, with the key of late fusion renamed."""
    return renamed(arm, _LATE_FUSION_BEFORE)


def with_late_fusion_map(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a model or a checkpoint from format 1, with the tensor of late fusion renamed."""
    return renamed(weights, {"discriminant.map": "late_fusion.map"})


MODEL_FORMAT = Format(
    "model",
    3,
    {
        1: lambda document: document | {"arm": with_late_fusion(document["arm"])},
        2: lambda document: document,  # without `origins`
    },
)
_CONFIG, _WEIGHTS, _CARD = "config.json", "model.safetensors", "README.md"
RUN_CONFIG, RUN_MODEL = "run.json", "model"


def save_model(model: DualEncoder, folder: Path, card: str) -> None:
    """Write a model folder atomically; `card` is its README.

    Raises `AntiphonError` where the folder contains other files, which replacing it would delete.
    """
    unknown = sorted({one.name for one in folder.iterdir()} - {_CONFIG, _WEIGHTS, _CARD}) if folder.exists() else []
    if unknown:
        raise AntiphonError(
            f"{folder}: contains more than a model ({unknown[0]}); save the model in a folder of its own"
        )
    with atomic_folder(folder) as temporary:
        MODEL_FORMAT.write(temporary / _CONFIG, replace(model.config, origins=_origins(model.config)))
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary / _WEIGHTS)
        write_text_atomic(temporary / _CARD, card)


def is_model_folder(folder: Path) -> bool:
    """Whether a folder has a model's config and weights; neither is read."""
    return all((folder / name).is_file() for name in (_CONFIG, _WEIGHTS))


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is a training run's, finished or not."""
    return (folder / RUN_CONFIG).is_file()


def load_dual_encoder(folder: str | Path) -> DualEncoder:
    """The network of a model folder, in evaluation mode.

    Raises `UnreadableInput` for a folder without a model, a config or weights that cannot be read, and weights that do
    not match the config.
    """
    folder = Path(folder)
    for name in (_CONFIG, _WEIGHTS):
        if not (folder / name).is_file():
            raise UnreadableInput(folder, f"not a model folder: it has no {name}")
    identity = folder.stat().st_ino
    try:
        config = MODEL_FORMAT.read(folder / _CONFIG, ModelConfig)
        _check_parts(config, folder / _CONFIG)
        weights = with_late_fusion_map(load_file(folder / _WEIGHTS))
        if folder.stat().st_ino != identity:  # replaced meanwhile: config and weights may differ
            return load_dual_encoder(folder)
        model = DualEncoder(config)
        model.load_state_dict(weights)
    except FileNotFoundError:  # replaced or removed meanwhile
        return load_dual_encoder(folder)
    except (ValueError, TypeError, AttributeError) as error:  # includes options that a tower rejects
        raise UnreadableInput(folder / _CONFIG, f"not a model's config ({error})") from None
    except SafetensorError as error:
        raise UnreadableInput(folder / _WEIGHTS, f"not readable weights ({error})") from None
    except RuntimeError as error:
        raise UnreadableInput(folder / _WEIGHTS, f"weights do not fit the config ({error})") from None
    return model.eval()


def _parts(config: ModelConfig) -> list[tuple[Registry[Any], str]]:
    """The registered parts of a model, each with its registry."""
    arm, branch = config.arm, config.arm.branch
    descriptors = [*(name for name, _ in arm.taken), *(branch.descriptors if branch else ())]
    mechanisms = [*(injected.by for injected in arm.injected), *([branch.by] if branch else [])]
    towers = [config.sizes.audio_tower, config.sizes.notes_tower]
    named: list[tuple[Registry[Any], list[str]]] = [
        (DESCRIPTORS, descriptors),
        (MECHANISMS, mechanisms),
        (TOWERS, towers),
    ]
    return [(registry, name) for registry, names in named for name in dict.fromkeys(names)]


def _origins(config: ModelConfig) -> dict[str, str]:
    sources = {f"{registry.kind} {name}": registry.source(name) for registry, name in _parts(config)}
    return {part: source.distribution for part, source in sources.items() if source.distribution is not None}


def _check_parts(config: ModelConfig, path: Path) -> None:
    """Raises `UnreadableInput` for a part that is not available here, and says how to get it."""
    for registry, name in _parts(config):
        if name not in registry:
            origin = config.origins.get(f"{registry.kind} {name}")
            remedy = f"install {origin}" if origin else "register it, or install the package that declares it"
            raise UnreadableInput(path, f"the model needs {registry.kind} {name!r}, which is not available: {remedy}")


def weights_hash(folder: str | Path) -> str:
    """SHA-256 of a model folder's weights, as hexadecimal. Raises `UnreadableInput` when there are none."""
    path = Path(folder) / _WEIGHTS
    if not path.is_file():
        raise UnreadableInput(Path(folder), f"not a model folder: it has no {_WEIGHTS}")
    return hashlib.sha256(path.read_bytes()).hexdigest()
