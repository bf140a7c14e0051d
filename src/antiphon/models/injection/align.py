"""Bringing a descriptor to the length of the tokens it is to meet."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.models.batch import Tokens


def aligned(descriptor: Tokens, length: int, padding: Tensor | None = None) -> Tensor:
    """Linear interpolation in time of each row's unpadded stretch [B, T, K] over the target's: [B, length, K].

    `padding` bool [B, length] is the target's. A descriptor that already fits is returned as it is; a row without
    unpadded positions gives zeros. Padded positions of the target repeat the last value. Interpolation as
    `torch.nn.functional.interpolate(…, mode="linear", align_corners=False)`.
    """
    values = descriptor.values
    if values.shape[1] == length and (descriptor.padding is padding or _equal(descriptor.padding, padding)):
        return values
    if descriptor.padding is None and padding is None:
        return F.interpolate(values.transpose(1, 2), size=length, mode="linear", align_corners=False).transpose(1, 2)
    have, want = _lengths(descriptor), _lengths(Tokens(values.new_empty(len(values), length, 0), padding))
    place = torch.arange(length, device=values.device)[None] + 0.5
    place = place * (have / want.clamp_min(1))[:, None] - 0.5
    last = (have - 1).clamp_min(0)[:, None]
    place = torch.minimum(place.clamp_min(0), last)
    before = place.floor()
    after = torch.minimum(before + 1, last)
    share = (place - before).unsqueeze(-1).to(values.dtype)
    return (_take(values, before) * (1 - share) + _take(values, after) * share) * (have > 0)[:, None, None]


def _equal(left: Tensor | None, right: Tensor | None) -> bool:
    return left is not None and right is not None and torch.equal(left, right)


def _lengths(tokens: Tokens) -> Tensor:
    """Unpadded positions of each row, as floats [B]."""
    rows, length = tokens.values.shape[:2]
    if tokens.padding is None:
        return torch.full((rows,), float(length), device=tokens.values.device)
    return (~tokens.padding).sum(dim=1).float()


def _take(values: Tensor, position: Tensor) -> Tensor:
    return values.gather(1, position.long().unsqueeze(-1).expand(-1, -1, values.shape[-1]))
