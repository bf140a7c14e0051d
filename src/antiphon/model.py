"""The dual encoder: two towers, the injections of an arm, two heads; saving, loading, embedding.

A model folder is `config.json` + `model.safetensors` + `README.md`; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.arms import Arm
from antiphon.audio import is_silent
from antiphon.batch import Batch, Tokens, collate
from antiphon.descriptors import DESCRIPTORS, Side, describe
from antiphon.errors import UnreadableInput
from antiphon.heads import ProjectionHead
from antiphon.injection import MECHANISMS
from antiphon.notes import Notes
from antiphon.presets import Sizes
from antiphon.segments import cut_windows
from antiphon.towers import TOWERS, Tower

_FORMAT = 1
_CONFIG, _WEIGHTS, _CARD = "config.json", "model.safetensors", "README.md"
_EMBED_BATCH = 32
SIDES: tuple[Side, Side] = ("audio", "notes")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ModelConfig:
    """Everything needed to build the model again."""

    arm: Arm
    sizes: Sizes


class DualEncoder(nn.Module):
    """An arm at a size. Parameters are named `towers.SIDE.…`, `injections.N.…`, `heads.SIDE.…`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.sizes
        self.towers = nn.ModuleDict(
            {
                "audio": TOWERS[sizes.audio_tower].build(**sizes.audio_options),
                "notes": TOWERS[sizes.notes_tower].build(**sizes.notes_options),
            }
        )
        self.injections = nn.ModuleList(
            MECHANISMS[injected.by].build(
                self.tower(injected.into).width,
                len(DESCRIPTORS[injected.descriptor].dimensions),
                **injected.options,
            )
            for injected in config.arm.injected
        )
        self.heads = nn.ModuleDict(
            {side: ProjectionHead(self.tower(side).width, sizes.head_hidden, sizes.dimensions) for side in SIDES}
        )

    def tower(self, side: Side) -> Tower:
        """The tower of one side."""
        return cast(Tower, self.towers[side])

    def describe(self, batch: Batch) -> dict[str, Tokens]:
        """The descriptors this arm uses, each computed once."""
        names = [injected.descriptor for injected in self.config.arm.injected]
        return describe(batch, names, self.config.sizes.sample_rate_hz)

    def forward(self, batch: Batch, descriptors: Mapping[str, Tokens] | None = None) -> dict[Side, Tensor]:
        """Both sides' embeddings [B, dimensions], not normalised.

        `descriptors` replaces what `describe` would compute: the hook for ablations.
        """
        found = self.describe(batch) if descriptors is None else descriptors
        return {side: self.encode(side, batch, found) for side in SIDES}

    def encode(self, side: Side, batch: Batch, descriptors: Mapping[str, Tokens]) -> Tensor:
        """One side's embeddings [B, dimensions], not normalised."""
        tower = self.tower(side)
        tokens = self._inject("features", side, tower.features(batch), descriptors)
        tokens = self._inject("tokens", side, tower.add_positions(tokens), descriptors)
        for layer in tower.layers:
            tokens = layer(tokens)
        return self.heads[side](tower.pool(tokens))

    def _inject(self, place: str, side: Side, tokens: Tokens, descriptors: Mapping[str, Tokens]) -> Tokens:
        for injected, mechanism in zip(self.config.arm.injected, self.injections, strict=True):
            if injected.into == side and MECHANISMS[injected.by].place == place:
                tokens = mechanism(tokens, descriptors[injected.descriptor])
        return tokens


def save_model(model: DualEncoder, folder: Path, card: str) -> None:
    """Write a model folder; `card` is its README."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"format": _FORMAT, **to_plain(model.config)}
    (folder / _CONFIG).write_text(json.dumps(config, indent=1) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / _WEIGHTS)
    (folder / _CARD).write_text(card)


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
    except (json.JSONDecodeError, ValidationError) as error:
        raise UnreadableInput(folder / _CONFIG, f"not a model's config ({error})") from None
    except SafetensorError as error:
        raise UnreadableInput(folder / _WEIGHTS, f"not readable weights ({error})") from None
    except RuntimeError as error:
        raise UnreadableInput(folder / _WEIGHTS, f"weights do not fit the config ({error})") from None
    return model.eval()


def load_model(folder: str | Path) -> ModelEmbedder:
    """A model folder, ready to embed on the GPU where there is one; it is named after its arm."""
    model = load_dual_encoder(folder)
    return ModelEmbedder(model, model.config.arm.name)


def to_plain(config: Any) -> dict[str, Any]:
    """A config as JSON-ready data."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def pick_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class ModelEmbedder:
    """A trained dual encoder as an `antiphon.embedding.Embedder`."""

    def __init__(self, model: DualEncoder, name: str, device: torch.device | None = None) -> None:
        self._device = device or pick_device()
        self._model = model.eval().to(self._device)
        self.name = name
        self.sample_rate_hz = model.config.sizes.sample_rate_hz
        self.window_s = model.config.sizes.window_s
        self.dimensions = model.config.sizes.dimensions
        digest = hashlib.sha256(json.dumps(to_plain(model.config), sort_keys=True).encode())
        for key, tensor in sorted(model.state_dict().items()):
            digest.update(key.encode() + tensor.cpu().contiguous().numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    def embed_audio(self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows of one recording's sound: unit vectors [n, dimensions], zeros for silent windows."""
        windows = cut_windows(samples, self.sample_rate_hz, starts_s, self.window_s)
        usable = np.array([not is_silent(window) for window in windows], bool)
        return self._embed("audio", windows, [Notes.of([], [], [], [])] * len(windows), usable)

    def embed_notes(self, notes: Notes, starts_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows of one recording's notes: unit vectors [n, dimensions], zeros for windows without notes."""
        windows = [notes.window(float(start), self.window_s) for start in starts_s]
        usable = np.array([len(window) > 0 for window in windows], bool)
        return self._embed("notes", np.zeros((len(windows), 0), np.float32), windows, usable)

    @torch.inference_mode()
    def _embed(
        self, side: Side, audio: NDArray[np.float32], notes: list[Notes], usable: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        rows = np.zeros((len(audio), self.dimensions), np.float32)
        wanted = [injected.descriptor for injected in self._model.config.arm.injected if injected.into == side]
        kept = np.flatnonzero(usable)
        for begin in range(0, len(kept), _EMBED_BATCH):
            index = kept[begin : begin + _EMBED_BATCH]
            batch = collate(audio[index], [notes[i] for i in index]).to(self._device)
            found = describe(batch, wanted, self.sample_rate_hz)
            rows[index] = F.normalize(self._model.encode(side, batch, found), dim=-1).float().cpu().numpy()
        return rows
