"""The short-time Fourier transform that descriptors, towers, onset features and tuning share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_ALL = slice(None)


def stft(samples: Tensor, window: Tensor, hop: int, *, centred: bool = True) -> Tensor:
    """Short-time Fourier transform of samples [S] or [B, S] through a window [n_fft]: complex [..., n_fft // 2 + 1, T].

    Frame t is centred on sample t · hop, with zeros beyond the ends, and T = S // hop + 1. With `centred=False` frame t
    begins at sample t · hop, only whole frames count, and T = (S − n_fft) // hop + 1. Differentiable.

    >>> stft(torch.zeros(1, 96_000), torch.hann_window(2048), hop=512).shape
    torch.Size([1, 1025, 188])
    """
    return torch.stft(
        samples, len(window), hop, window=window, center=centred, pad_mode="constant", return_complex=True
    )


def power(spectrum: Tensor) -> Tensor:
    """|z|² of a complex spectrum, of any shape. On a CPU far faster than abs(), which avoids overflow."""
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)


def power_spectrum(audio: Tensor, window: Tensor, hop: int, bins: slice = _ALL) -> Tensor:
    """|STFT|² of samples [B, S] through a window [n_fft]: [B, S // hop, n_fft // 2 + 1], or only some `bins`.

    Frame t is centred on sample t · hop, with zeros beyond the ends.
    """
    return power(stft(audio, window, hop)[:, bins, : audio.shape[1] // hop]).transpose(1, 2)


def in_bands(spectra: Tensor, filters: Tensor) -> Tensor:
    """Apply filters [bins, bands] to spectra [B, T, bins]: [B, T, bands], in float32 even under autocast."""
    with torch.autocast(spectra.device.type, enabled=False):
        return spectra @ filters


def fill_up(audio: Tensor, hop: int, frames: int) -> Tensor:
    """Samples [B, S], padded with zeros at the end to at least `frames` hops."""
    missing = frames * hop - audio.shape[1]
    return F.pad(audio, (0, missing)) if missing > 0 else audio


def in_parts(compute: Callable[[Tensor], Tensor], audio: Tensor, rows: int) -> Tensor:
    """Apply `compute` to windows [B, S]: on a CPU `rows` at a time, which reuses buffers instead of fresh pages."""
    parts = torch.split(audio, rows if audio.device.type == "cpu" else max(1, len(audio)))
    return torch.cat([compute(part.float()) for part in parts])
