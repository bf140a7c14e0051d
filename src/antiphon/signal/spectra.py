"""Short-time spectra of windows of sound, as descriptors, towers and onsets start from them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_ALL = slice(None)


def power(spectrum: Tensor) -> Tensor:
    """|z|² of a complex spectrum, of any shape. Far faster on a CPU than abs(), which guards against overflow."""
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)


def power_spectrum(audio: Tensor, window: Tensor, hop: int, bins: slice = _ALL) -> Tensor:
    """|STFT|² of samples [B, S] through a window [n_fft]: [B, S // hop, n_fft // 2 + 1], or those `bins` of it.

    Frame t is centred on sample t · hop; zeros beyond the ends.
    """
    spectrum = torch.stft(audio, len(window), hop, window=window, pad_mode="constant", return_complex=True)
    return power(spectrum[:, bins, : audio.shape[1] // hop]).transpose(1, 2)


def in_bands(spectra: Tensor, filters: Tensor) -> Tensor:
    """Spectra [B, T, bins] through filters [bins, bands]: [B, T, bands], in float32 under autocast too."""
    with torch.autocast(spectra.device.type, enabled=False):
        return spectra @ filters


def fill_up(audio: Tensor, hop: int, frames: int) -> Tensor:
    """Samples [B, S], with zeros after them where they are fewer than `frames` hops."""
    missing = frames * hop - audio.shape[1]
    return F.pad(audio, (0, missing)) if missing > 0 else audio


def in_parts(compute: Callable[[Tensor], Tensor], audio: Tensor, rows: int) -> Tensor:
    """`compute` of windows [B, S]: on a CPU so many rows at a time, which reuses buffers instead of fresh pages."""
    parts = torch.split(audio, rows if audio.device.type == "cpu" else max(1, len(audio)))
    return torch.cat([compute(part.float()) for part in parts])
