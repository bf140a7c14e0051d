"""Replace descriptors by values without information about the window, for causal ablation and control trainings."""

from __future__ import annotations

from typing import Literal

import torch

from antiphon.models.batch import Tokens

Values = Literal["real", "zero", "noise", "shuffle"]


def alter(tokens: Tokens, values: Values, generator: torch.Generator | None = None) -> Tokens:
    """Descriptor tokens with other values (paper §7).

    `zero`: zeros. `noise`: Gaussian, with the mean and standard deviation of each dimension over the unpadded positions
    of the batch. `shuffle`: the descriptor of another row, by a random circular shift; a batch of one is unchanged.
    `real`: unchanged. Random numbers come from `generator`, by default torch's global one.
    """
    if values == "real":
        return tokens
    if values == "zero":
        return Tokens(torch.zeros_like(tokens.values), tokens.padding)
    rows, device = len(tokens.values), tokens.values.device
    if values == "shuffle":
        shift = int(torch.randint(1, rows, (), generator=generator, device=device)) if rows > 1 else 0
        moved = None if tokens.padding is None else tokens.padding.roll(shift, 0)
        return Tokens(tokens.values.roll(shift, 0), moved)
    kept = tokens.values.flatten(0, 1) if tokens.padding is None else tokens.values[~tokens.padding]
    if len(kept) == 0:
        return tokens
    noise = torch.randn(tokens.values.shape, generator=generator, device=device, dtype=tokens.values.dtype)
    return Tokens(kept.mean(dim=0) + noise * kept.std(dim=0, correction=0), tokens.padding)
