"""Mixture of experts: bottleneck experts after each layer, gated by a router that takes the descriptor (paper §4)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Penalties, Shape

_LOAD_WEIGHT = 0.01


class MixtureOfExperts(nn.Module):
    """h ← h + Σ_e g_e(h, mean descriptor) · expert_e(h), after every layer.

    An expert is Linear(D → D/4), GELU, Linear(D/4 → D). The router is Linear([h ‖ mean descriptor] → 64), GELU, Linear,
    softmax over the n experts, at each position. Penalty `load_balance`: 0.01 · n · variance of the mean loads.

    Options for the paper's variants: `expert_std`, the initial standard deviation of the experts' weights (v2: 0.02);
    `noise`, the standard deviation of Gaussian noise on the router's scores in training, falling linearly from the
    first to the second number (v2: 0.5 → 0.05); `entropy_weight`, the weight of the penalty on the router's entropy
    (v3: 0.01); `top_1`, the best expert only, with the gradient of the soft gates (v4, straight-through).
    """

    def __init__(
        self,
        shape: Shape,
        dimensions: int,
        experts: int = 2,
        expert_std: float | None = None,
        noise: tuple[float, float] | None = None,
        entropy_weight: float = 0.0,
        top_1: bool = False,
    ) -> None:
        super().__init__()
        self.progress = 0.0
        self.noise = noise
        self.entropy_weight = entropy_weight
        self.top_1 = top_1
        width = shape.width
        self.experts = nn.ModuleList(
            nn.ModuleList(
                nn.Sequential(nn.Linear(width, width // 4), nn.GELU(), nn.Linear(width // 4, width))
                for _ in range(experts)
            )
            for _ in range(shape.layers)
        )
        self.routers = nn.ModuleList(
            nn.Sequential(nn.Linear(width + dimensions, 64), nn.GELU(), nn.Linear(64, experts))
            for _ in range(shape.layers)
        )
        if expert_std is not None:
            for name, parameter in self.experts.named_parameters():
                if name.endswith("weight"):
                    nn.init.normal_(parameter, std=expert_std)
                else:
                    nn.init.zeros_(parameter)

    def forward(self, tokens: Tokens, descriptor: Tokens, layer: int) -> tuple[Tokens, Penalties]:
        h = tokens.values
        summary = descriptor.mean().to(h.dtype).unsqueeze(1).expand(-1, h.shape[1], -1)
        scores = self.routers[layer](torch.cat([h, summary], dim=-1))
        if self.noise is not None and self.training:
            first, last = self.noise
            scores = scores + torch.randn_like(scores) * (first + (last - first) * self.progress)
        soft = scores.softmax(dim=-1)
        gates = soft
        if self.top_1:
            best = F.one_hot(soft.argmax(dim=-1), soft.shape[-1]).to(soft.dtype)
            gates = best + soft - soft.detach()
        experts = self.experts[layer]
        assert isinstance(experts, nn.ModuleList)
        mixed = h
        for number, expert in enumerate(experts):
            mixed = mixed + gates[..., number : number + 1] * expert(h)
        return Tokens(mixed, tokens.padding), self._penalties(Tokens(soft, tokens.padding))

    def _penalties(self, soft: Tokens) -> Penalties:
        kept = soft.values.flatten(0, 1) if soft.padding is None else soft.values[~soft.padding]
        if len(kept) == 0:
            return {}
        load = kept.mean(dim=0)
        penalties = {"load_balance": _LOAD_WEIGHT * len(load) * load.var(correction=0)}
        if self.entropy_weight:
            entropy = -(kept * kept.clamp_min(1e-9).log()).sum(dim=-1).mean()
            penalties["router_entropy"] = self.entropy_weight * entropy
        return penalties


MECHANISM = Mechanism("moe", "layers", MixtureOfExperts)
