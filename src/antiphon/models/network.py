"""The dual encoder: two towers, the injections of an arm, two heads, optionally late fusion."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, cast, get_args

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from antiphon.corpora.segment_table import PAPER_GRID
from antiphon.errors import AntiphonError
from antiphon.models.arms import Arm, Injected, LateFusion
from antiphon.models.batch import Batch, Tokens
from antiphon.models.descriptors import DESCRIPTORS, describe
from antiphon.models.descriptors.alter import alter
from antiphon.models.heads import NORMS, LinearHead, ProjectionHead
from antiphon.models.injection import MECHANISMS, Annealed, InjectionPoint, Penalties, Shape
from antiphon.models.late_fusion import LateFusionProjection
from antiphon.models.sizes import Sizes
from antiphon.models.towers import TOWERS, Tower
from antiphon.types import MODALITIES, Modality

_INJECTION_POINTS: tuple[InjectionPoint, ...] = get_args(InjectionPoint)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ModelConfig:
    """Arm and sizes: everything needed to build the network again."""

    arm: Arm
    sizes: Sizes
    origins: Annotated[dict[str, str], Field(exclude_if=lambda origins: not origins)] = dataclasses.field(
        default_factory=dict
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """The result of a forward pass: embeddings [B, dimensions], not normalised, and penalties for the loss by name.

    In training mode, embeddings exclude late fusion: [B, sizes.dimensions] (see `DualEncoder.encode`). `branch` is None
    in arms without one.
    """

    audio: Tensor
    notes: Tensor
    branch: Tensor | None
    penalties: dict[str, Tensor]


Observer = Callable[[Modality, int, Tokens], None]
"""Called with side, layer number and the layer's output tokens, after its injections."""


class DualEncoder(nn.Module):
    """The network of an arm at some sizes.

    Parameters are named `towers.SIDE.…`, `injections.N.…`, `heads.SIDE.…`, `branch.…`, `late_fusion.map`. Raises
    `AntiphonError` for an arm that does not suit the sizes.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        arm, sizes = config.arm, config.sizes
        self.towers = nn.ModuleDict(
            {
                "audio": TOWERS[sizes.audio_tower].build(**sizes.audio_options),
                "notes": TOWERS[sizes.notes_tower].build(**sizes.notes_options),
            }
        )
        self.injections = nn.ModuleList(
            MECHANISMS[injected.by].build(
                self._shape(injected.into, MECHANISMS[injected.by].place),
                len(DESCRIPTORS[injected.descriptor].dimensions),
                **injected.options,
            )
            for injected in arm.injected
        )
        self.heads = nn.ModuleDict({side: self._head(self.tower(side).pooled_width, sizes) for side in MODALITIES})
        self.branch: nn.Module | None = None
        if arm.branch is not None:
            dimensions = sum(len(DESCRIPTORS[name].dimensions) for name in arm.branch.descriptors)
            shape = self._shape("notes", "branch")
            self.branch = MECHANISMS[arm.branch.by].build(shape, dimensions, **arm.branch.options)
        self.late_fusion: LateFusionProjection | None = None
        if arm.late_fusion is not None:
            self.late_fusion = LateFusionProjection(
                sizes.dimensions, _late_fusion_size(arm.late_fusion, sizes.window_s), arm.late_fusion.dimensions
            )

    @property
    def dimensions(self) -> int:
        """The dimensions of an embedding, after late fusion where the arm has it."""
        late_fusion = self.config.arm.late_fusion
        return self.config.sizes.dimensions if late_fusion is None else late_fusion.dimensions

    @staticmethod
    def _head(width: int, sizes: Sizes) -> nn.Module:
        if sizes.head_hidden is None:
            return LinearHead(width, sizes.dimensions)
        return ProjectionHead(width, sizes.head_hidden, sizes.dimensions)

    def tower(self, side: Modality) -> Tower:
        """The tower of one modality."""
        return cast(Tower, self.towers[side])

    def _shape(self, side: Modality, point: InjectionPoint) -> Shape:
        tower, sizes = self.tower(side), self.config.sizes
        width, layers = tower.width, len(tower.layers)
        if point == "head":
            if sizes.head_hidden is None:
                raise AntiphonError("an injection into the head needs a hidden layer; this preset has a linear head")
            width, layers = sizes.head_hidden, NORMS
        return Shape(width, layers, tower.heads, tower.dropout, tower.attention_dropout, sizes.dimensions)

    def set_progress(self, progress: float) -> None:
        """Set the progress of training, from 0 to 1, on the mechanisms that depend on it."""
        for module in self.injections:
            if isinstance(module, Annealed):
                module.progress = progress

    def descriptor_names(self, *sides: Modality) -> list[str]:
        """The names of the descriptors that embedding these modalities needs."""
        return [name for name, into in self.config.arm.taken if into in sides]

    def describe(self, batch: Batch) -> dict[str, Tokens]:
        """The descriptors of this arm, each computed once; in training mode without those of late fusion."""
        arm = self.config.arm
        used = (
            [injected.descriptor for injected in arm.injected] if self.training else self.descriptor_names(*MODALITIES)
        )
        names = [*used, *(arm.branch.descriptors if arm.branch else ())]
        return describe(batch, names, self.config.sizes.sample_rate_hz)

    def forward(self, batch: Batch, descriptors: Mapping[str, Tokens] | None = None) -> Encoded:
        """Both modalities' embeddings, that of the branch, and the penalties.

        `descriptors` replaces the result of `describe`, for ablations.
        """
        values = self.describe(batch) if descriptors is None else descriptors
        audio, penalties = self.encode("audio", batch, values)
        notes, notes_penalties = self.encode("notes", batch, values)
        _add(penalties, notes_penalties)
        branch = None
        if self.branch is not None and self.config.arm.branch is not None:
            branch = self.branch([values[name] for name in self.config.arm.branch.descriptors])
        return Encoded(audio, notes, branch, penalties)

    def encode(
        self, side: Modality, batch: Batch, descriptors: Mapping[str, Tokens], observe: Observer | None = None
    ) -> tuple[Tensor, Penalties]:
        """One modality's embeddings [B, dimensions], not normalised, and its penalties.

        Late fusion is fitted after the towers are trained, so in training mode this equals `encode_without_fusion`.
        """
        embedded, penalties = self.encode_without_fusion(side, batch, descriptors, observe)
        if self.late_fusion is None or self.training:
            return embedded, penalties
        return self.late_fusion(embedded, self.descriptor_to_fuse(side, descriptors)), penalties

    def descriptor_to_fuse(self, side: Modality, descriptors: Mapping[str, Tokens]) -> Tokens:
        """The descriptor that late fusion adds to a modality's embeddings. Raises `ValueError` without late fusion."""
        late_fusion = self.config.arm.late_fusion
        if late_fusion is None:
            raise ValueError(f"arm {self.config.arm.name} has no late fusion")
        return descriptors[late_fusion.audio if side == "audio" else late_fusion.notes]

    def encode_without_fusion(
        self, side: Modality, batch: Batch, descriptors: Mapping[str, Tokens], observe: Observer | None = None
    ) -> tuple[Tensor, Penalties]:
        """One modality's embeddings before late fusion [B, sizes.dimensions], not normalised, and its penalties."""
        tower = self.tower(side)
        active = {point: self._injections_at(side, point, descriptors) for point in _INJECTION_POINTS}
        penalties: Penalties = {}
        tokens = tower.features(batch)
        for module, descriptor in active["features"]:
            tokens = module(tokens, descriptor)
        tokens = tower.add_positions(tokens, batch)
        for module, descriptor in active["tokens"]:
            tokens = module(tokens, descriptor)
        for number, layer in enumerate(tower.layers):
            biases = [module(tokens, descriptor, number) for module, descriptor in active["attention"]]
            tokens = layer(tokens, sum(biases[1:], start=biases[0]) if biases else None)
            for module, descriptor in active["layers"]:
                tokens, added = module(tokens, descriptor, number)
                _add(penalties, added)
            if observe is not None:
                observe(side, number, tokens)

        def modulate(hidden: Tensor, layer: int) -> Tensor:
            for module, descriptor in active["head"]:
                hidden = module(hidden, descriptor, layer)
            return hidden

        return self.heads[side](tower.pool(tokens), modulate), penalties

    def _injections_at(
        self, side: Modality, point: InjectionPoint, descriptors: Mapping[str, Tokens]
    ) -> list[tuple[nn.Module, Tokens]]:
        """The modules at an injection point of a tower, each with its descriptor."""
        active = []
        for injected, module in zip(self.config.arm.injected, self.injections, strict=True):
            if injected.into == side and MECHANISMS[injected.by].place == point:
                active.append((module, self._values(injected, descriptors[injected.descriptor])))
        return active

    def _values(self, injected: Injected, descriptor: Tokens) -> Tokens:
        if injected.values == "real":
            return descriptor
        # Training uses torch's global generator, whose state checkpoints keep. Inference is deterministic.
        generator = None if self.training else torch.Generator(descriptor.values.device).manual_seed(0)
        return alter(descriptor, injected.values, generator)


def _late_fusion_size(late_fusion: LateFusion, window_s: float) -> int:
    """The size of each flattened descriptor of late fusion. Raises `AntiphonError` where the two do not match."""
    audio, notes = DESCRIPTORS[late_fusion.audio], DESCRIPTORS[late_fusion.notes]
    if (audio.side, notes.side) != MODALITIES:
        raise AntiphonError(
            f"late fusion needs a descriptor of the audio and one of the notes, not {audio.name} and {notes.name}"
        )
    if audio.frames is None or (audio.frames, len(audio.dimensions)) != (notes.frames, len(notes.dimensions)):
        raise AntiphonError(
            f"late fusion needs two descriptors of one fixed shape; {audio.name} and {notes.name} differ"
        )
    if window_s != PAPER_GRID.window_s:
        raise AntiphonError(
            f"late fusion with {audio.name} and {notes.name} needs windows of {PAPER_GRID.window_s:g} s, "
            f"not of {window_s:g} s"
        )
    return audio.frames * len(audio.dimensions)


def _add(penalties: Penalties, added: Penalties) -> None:
    for name, penalty in added.items():
        penalties[name] = penalties[name] + penalty if name in penalties else penalty


def pick_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
