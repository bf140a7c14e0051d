"""Query–key pairs and FLOPs of a window, counted at the modules of a model.

Conventions. Counts are of one window without padding. A multiply-add is 2 FLOPs. Matrix products and convolutions are
counted; operations linear in the number of tokens (norms, softmax, residuals) and the descriptors are not. Pairs are
queries × keys of one head. Counting adds hooks that read shapes, and removes them afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from antiphon.experiments.analysis.measuring import Load, random_windows
from antiphon.models.batch import Batch, NoteBatch, Tokens
from antiphon.models.descriptors import describe
from antiphon.models.injection.cross_attention import Attend
from antiphon.models.late_fusion import LateFusionProjection
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.towers.transformer import TransformerLayer
from antiphon.types import MODALITIES

PARTS = {
    "scores": "scores and values",
    "projections": "projections of attention",
    "feed_forward": "feed-forward",
    "elsewhere": "front end, injections, heads",
}
"""Fields of a `Site`, with their names in reports."""


@dataclass(frozen=True)
class Site:
    """The cost of one module for one window: FLOPs of attention's scores and values, of its projections, and of the
    feed-forward block. `elsewhere` holds those of any other Linear or convolution, which has no queries and keys."""

    module: str
    kind: str
    queries: int = 0
    keys: int = 0
    scores: int = 0
    projections: int = 0
    feed_forward: int = 0
    elsewhere: int = 0

    @property
    def pairs(self) -> int:
        """Query–key pairs."""
        return self.queries * self.keys

    @property
    def flops(self) -> int:
        return self.scores + self.projections + self.feed_forward + self.elsewhere


@dataclass(frozen=True)
class Count:
    """All modules that compute the two embeddings of a window, in the order of execution."""

    sites: tuple[Site, ...]

    def among(self, kind: str, within: str = "") -> list[Site]:
        """The sites of a kind, of modules whose name begins with `within`."""
        return [site for site in self.sites if site.kind == kind and site.module.startswith(within)]

    def tokens(self, side: str) -> int:
        """Number of input tokens of the first transformer layer of a tower; 0 for a tower without one."""
        attending = self.among("self-attention", f"towers.{side}.")
        return attending[0].queries if attending else 0

    def pairs(self, kind: str, within: str = "") -> int:
        return sum(site.pairs for site in self.among(kind, within))

    def flops(self, part: str | None = None) -> int:
        """FLOPs of one part, or of all."""
        return sum(site.flops if part is None else getattr(site, part) for site in self.sites)

    def totals(self) -> dict[str, int]:
        """Tokens, query–key pairs, FLOPs by part, and all FLOPs."""
        return {
            "audio tokens": self.tokens("audio"),
            "notes tokens": self.tokens("notes"),
            "audio self-attention pairs": self.pairs("self-attention", "towers.audio."),
            "notes self-attention pairs": self.pairs("self-attention", "towers.notes."),
            "cross-attention pairs": self.pairs("cross-attention"),
            **{f"FLOPs, {title}": self.flops(part) for part, title in PARTS.items()},
            "FLOPs": self.flops(),
        }


def count_cost(model: DualEncoder, batch: Batch, descriptors: Mapping[str, Tokens]) -> Count:
    """Embed both modalities of one window and count. Raises `ValueError` for a batch of several windows."""
    if len(batch.audio) != 1:
        raise ValueError(f"costs are those of one window, got a batch of {len(batch.audio)}")
    with _counting(model) as sites, torch.inference_mode():
        for side in MODALITIES:
            model.encode(side, batch, descriptors)
    return Count(tuple(sites))


@contextmanager
def _counting(model: nn.Module) -> Iterator[list[Site]]:
    sites: list[Site] = []
    hooks = []
    attention = "\n"  # the last module that counts its inner Linears itself
    for name, module in model.named_modules():
        if isinstance(module, TransformerLayer | Attend):
            attention = f"{name}."
        elif not isinstance(module, nn.Linear | nn.Conv1d | LateFusionProjection) or name.startswith(attention):
            continue

        def hook(module: nn.Module, given: tuple[Any, ...], result: Any, name: str = name) -> None:
            sites.append(_site(name, module, given, result))

        hooks.append(module.register_forward_hook(hook))
    try:
        yield sites
    finally:
        for one in hooks:
            one.remove()


def _site(name: str, module: nn.Module, given: tuple[Any, ...], result: Any) -> Site:
    if isinstance(module, TransformerLayer):
        tokens = given[0].values.shape[1]
        return Site(
            name,
            "self-attention",
            queries=tokens,
            keys=tokens,
            scores=4 * tokens * tokens * module.out.in_features,
            projections=_products(tokens, module.qkv, module.out),
            feed_forward=_products(tokens, module.expand, module.contract),
        )
    if isinstance(module, Attend):
        queries, keys = given[0].shape[1], given[1].values.shape[1]
        return Site(
            name,
            "cross-attention",
            queries=queries,
            keys=keys,
            scores=4 * queries * keys * module.out.in_features,
            projections=_products(queries, module.query, module.out) + _products(keys, module.key_value),
        )
    if isinstance(module, LateFusionProjection):
        return Site(name, "elsewhere", elsewhere=2 * module.map.numel())
    assert isinstance(module, nn.Linear | nn.Conv1d)
    return Site(name, "elsewhere", elsewhere=_products(result.numel() // len(module.weight), module))


def _products(positions: int, *modules: nn.Linear | nn.Conv1d) -> int:
    return sum(2 * module.weight.numel() * positions for module in modules)


def count_of_shapes(config: ModelConfig, notes: int) -> Count:
    """`count_cost` of a model without weights (on PyTorch's meta device), for a window with that many notes.

    Controls, whose descriptors are replaced, count like the arms that they control for. A model with modules that
    read values when they are built or run is built with real weights.
    """
    arm = config.arm
    config = replace(config, arm=replace(arm, injected=tuple(replace(one, values="real") for one in arm.injected)))
    batch = random_windows(config, Load(1, notes, learning=False))
    names = [name for name, _ in config.arm.taken]
    found = describe(batch, names, config.sizes.sample_rate_hz)
    try:
        with torch.device("meta"):
            model = DualEncoder(config).eval()
        return count_cost(model, *_on_meta(batch, found))
    except RuntimeError:
        return count_cost(DualEncoder(config).eval(), batch, found)


def _on_meta(batch: Batch, descriptors: Mapping[str, Tokens]) -> tuple[Batch, dict[str, Tokens]]:
    """The same shapes on the meta device. One tensor stays one object: mechanisms compare masks by identity."""
    made: dict[int, Tensor] = {}

    def shape(tensor: Tensor) -> Tensor:
        return made.setdefault(id(tensor), tensor.to("meta"))

    notes = NoteBatch(**{field.name: shape(getattr(batch.notes, field.name)) for field in fields(NoteBatch)})
    shapes = {
        name: Tokens(shape(tokens.values), None if tokens.padding is None else shape(tokens.padding))
        for name, tokens in descriptors.items()
    }
    return Batch(shape(batch.audio), notes), shapes
