"""Resample a descriptor in time to the length of the tokens that it is combined with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.models.batch import Tokens


def aligned(descriptor: Tokens, length: int, padding: Tensor | None = None) -> Tensor:
    """Interpolate each row's unpadded part [B, T, K] linearly in time over the target's unpadded part: [B, length, K].

    `padding` bool [B, length] is the target's. A descriptor of equal length and padding is returned unchanged. A row
    without unpadded positions gives zeros. Padded positions of the target repeat the last value. Interpolation is that
    of `torch.nn.functional.interpolate(…, mode="linear", align_corners=False)`.

    >>> aligned(Tokens(torch.tensor([[[0.0], [4.0]]])), 4)[0, :, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    values = descriptor.values
    if values.shape[1] == length and (descriptor.padding is padding or _equal(descriptor.padding, padding)):
        return values
    if descriptor.padding is None and padding is None:
        return F.interpolate(values.transpose(1, 2), size=length, mode="linear", align_corners=False).transpose(1, 2)
    source, target = _lengths(descriptor), _lengths(Tokens(values.new_empty(len(values), length, 0), padding))
    position = torch.arange(length, device=values.device)[None] + 0.5
    position = position * (source / target.clamp_min(1))[:, None] - 0.5
    last = (source - 1).clamp_min(0)[:, None]
    position = torch.minimum(position.clamp_min(0), last)
    before = position.floor()
    after = torch.minimum(before + 1, last)
    share = (position - before).unsqueeze(-1).to(values.dtype)
    return (_take(values, before) * (1 - share) + _take(values, after) * share) * (source > 0)[:, None, None]


def _equal(left: Tensor | None, right: Tensor | None) -> bool:
    return left is not None and right is not None and torch.equal(left, right)


def _lengths(tokens: Tokens) -> Tensor:
    """The number of unpadded positions of each row, float [B]."""
    rows, length = tokens.values.shape[:2]
    if tokens.padding is None:
        return torch.full((rows,), float(length), device=tokens.values.device)
    return (~tokens.padding).sum(dim=1).float()


def _take(values: Tensor, position: Tensor) -> Tensor:
    return values.gather(1, position.long().unsqueeze(-1).expand(-1, -1, values.shape[-1]))
