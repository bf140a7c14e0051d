"""The dual encoder: two towers, the injections of an arm, two heads."""

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
from antiphon.models.towers import TOWERS, Tower
from antiphon.types import MODALITIES, Modality, Sizes

_INJECTION_POINTS: tuple[InjectionPoint, ...] = get_args(InjectionPoint)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ModelConfig:
    """Everything needed to build the model again.

    `origins` names the installed package of each part that does not come with this one: "descriptor loudness" →
    "antiphon-loudness 0.1".
    """

    arm: Arm
    sizes: Sizes
    origins: Annotated[dict[str, str], Field(exclude_if=lambda origins: not origins)] = dataclasses.field(
        default_factory=dict
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """What one forward pass gives: embeddings [B, dimensions], not normalised, and penalties for the loss by name.

    While training they are the towers' alone, [B, sizes.dimensions] (see `DualEncoder.encode`).
    `branch` is there in arms that have one.
    """

    audio: Tensor
    notes: Tensor
    branch: Tensor | None
    penalties: dict[str, Tensor]


Observer = Callable[[Modality, int, Tokens], None]
"""Called with the tokens that each transformer layer gives, injections after it included."""


class DualEncoder(nn.Module):
    """An arm at a size.

    Parameters are named `towers.SIDE.…`, `injections.N.…`, `heads.SIDE.…`, `branch.…`, `discriminant.map`.
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
        """Of the common space."""
        late_fusion = self.config.arm.late_fusion
        return self.config.sizes.dimensions if late_fusion is None else late_fusion.dimensions

    @staticmethod
    def _head(width: int, sizes: Sizes) -> nn.Module:
        if sizes.head_hidden is None:
            return LinearHead(width, sizes.dimensions)
        return ProjectionHead(width, sizes.head_hidden, sizes.dimensions)

    def tower(self, side: Modality) -> Tower:
        """The tower of one side."""
        return cast(Tower, self.towers[side])

    def _shape(self, side: Modality, place: InjectionPoint) -> Shape:
        tower, sizes = self.tower(side), self.config.sizes
        width, layers = tower.width, len(tower.layers)
        if place == "head":
            if sizes.head_hidden is None:
                raise AntiphonError("a linear head has no hidden layer for a descriptor to act on")
            width, layers = sizes.head_hidden, NORMS
        return Shape(width, layers, tower.heads, tower.dropout, tower.attention_dropout, sizes.dimensions)

    def set_progress(self, progress: float) -> None:
        """Tell the mechanisms that change as training goes on how far it is, from 0 to 1."""
        for module in self.injections:
            if isinstance(module, Annealed):
                module.progress = progress

    def descriptor_names(self, *sides: Modality) -> list[str]:
        """The descriptors that embedding these sides needs."""
        return [name for name, into in self.config.arm.taken if into in sides]

    def describe(self, batch: Batch) -> dict[str, Tokens]:
        """The descriptors this arm uses, each computed once; while training without those beside, which wait."""
        arm = self.config.arm
        taken = (
            [injected.descriptor for injected in arm.injected] if self.training else self.descriptor_names(*MODALITIES)
        )
        names = [*taken, *(arm.branch.descriptors if arm.branch else ())]
        return describe(batch, names, self.config.sizes.sample_rate_hz)

    def forward(self, batch: Batch, descriptors: Mapping[str, Tokens] | None = None) -> Encoded:
        """Everything that a loss may ask for.

        `descriptors` replaces what `describe` would compute: the hook for ablations.
        """
        found = self.describe(batch) if descriptors is None else descriptors
        audio, penalties = self.encode("audio", batch, found)
        notes, others = self.encode("notes", batch, found)
        _add(penalties, others)
        branch = None
        if self.branch is not None and self.config.arm.branch is not None:
            branch = self.branch([found[name] for name in self.config.arm.branch.descriptors])
        return Encoded(audio, notes, branch, penalties)

    def encode(
        self, side: Modality, batch: Batch, descriptors: Mapping[str, Tokens], observe: Observer | None = None
    ) -> tuple[Tensor, Penalties]:
        """One side's embeddings [B, dimensions], not normalised, and its penalties.

        What stands beside them comes in when the towers are trained: while training they are as `encode_alone` gives
        them.
        """
        embedded, penalties = self.encode_alone(side, batch, descriptors, observe)
        if self.late_fusion is None or self.training:
            return embedded, penalties
        return self.late_fusion(embedded, self.descriptor_to_fuse(side, descriptors)), penalties

    def descriptor_to_fuse(self, side: Modality, descriptors: Mapping[str, Tokens]) -> Tokens:
        """The descriptor that stands beside a side's embeddings. Raises `ValueError` where none does."""
        late_fusion = self.config.arm.late_fusion
        if late_fusion is None:
            raise ValueError(f"arm {self.config.arm.name} has nothing beside its embeddings")
        return descriptors[late_fusion.audio if side == "audio" else late_fusion.notes]

    def encode_alone(
        self, side: Modality, batch: Batch, descriptors: Mapping[str, Tokens], observe: Observer | None = None
    ) -> tuple[Tensor, Penalties]:
        """One side's embeddings with nothing beside them [B, sizes.dimensions], not normalised, and its penalties."""
        tower = self.tower(side)
        acting = {place: self._acting(side, place, descriptors) for place in _INJECTION_POINTS}
        penalties: Penalties = {}
        tokens = tower.features(batch)
        for module, descriptor in acting["features"]:
            tokens = module(tokens, descriptor)
        tokens = tower.add_positions(tokens, batch)
        for module, descriptor in acting["tokens"]:
            tokens = module(tokens, descriptor)
        for number, layer in enumerate(tower.layers):
            biases = [module(tokens, descriptor, number) for module, descriptor in acting["attention"]]
            tokens = layer(tokens, sum(biases[1:], start=biases[0]) if biases else None)
            for module, descriptor in acting["layers"]:
                tokens, found = module(tokens, descriptor, number)
                _add(penalties, found)
            if observe is not None:
                observe(side, number, tokens)

        def modulate(hidden: Tensor, layer: int) -> Tensor:
            for module, descriptor in acting["head"]:
                hidden = module(hidden, descriptor, layer)
            return hidden

        return self.heads[side](tower.pool(tokens), modulate), penalties

    def _acting(
        self, side: Modality, place: InjectionPoint, descriptors: Mapping[str, Tokens]
    ) -> list[tuple[nn.Module, Tokens]]:
        """The modules that act at a place of a tower, each with its descriptor."""
        acting = []
        for injected, module in zip(self.config.arm.injected, self.injections, strict=True):
            if injected.into == side and MECHANISMS[injected.by].place == place:
                acting.append((module, self._values(injected, descriptors[injected.descriptor])))
        return acting

    def _values(self, injected: Injected, descriptor: Tokens) -> Tokens:
        if injected.values == "real":
            return descriptor
        # Training draws from torch's own generator, whose state a checkpoint keeps; a trained model repeats itself.
        generator = None if self.training else torch.Generator(descriptor.values.device).manual_seed(0)
        return alter(descriptor, injected.values, generator)


def _late_fusion_size(late_fusion: LateFusion, window_s: float) -> int:
    """How many numbers either descriptor beside embeddings has. Raises `AntiphonError` where they do not fit."""
    audio, notes = DESCRIPTORS[late_fusion.audio], DESCRIPTORS[late_fusion.notes]
    if (audio.side, notes.side) != MODALITIES:
        raise AntiphonError(f"{audio.name} and {notes.name} are not one of the sound and one of the notes")
    if audio.frames is None or (audio.frames, len(audio.dimensions)) != (notes.frames, len(notes.dimensions)):
        raise AntiphonError(f"{audio.name} and {notes.name} cannot stand beside embeddings: not of one fixed shape")
    if window_s != PAPER_GRID.window_s:
        raise AntiphonError(
            f"{audio.name} and {notes.name} describe windows of {PAPER_GRID.window_s:g} s, not of {window_s:g}"
        )
    return audio.frames * len(audio.dimensions)


def _add(penalties: Penalties, found: Penalties) -> None:
    for name, penalty in found.items():
        penalties[name] = penalties[name] + penalty if name in penalties else penalty


def pick_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
