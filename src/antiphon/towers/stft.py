"""The short-time power spectrum that audio towers start from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_ALL = slice(None)


def power_spectrum(audio: Tensor, window: Tensor, hop: int, bins: slice = _ALL) -> Tensor:
    """|STFT|² of samples [B, S] through a window [n_fft]: [B, S // hop, n_fft // 2 + 1], or those `bins` of it.

    Frame t is centred on sample t · hop; zeros beyond the ends.
    """
    spectrum = torch.stft(audio, len(window), hop, window=window, pad_mode="constant", return_complex=True)
    spectrum = spectrum[:, bins, : audio.shape[1] // hop]
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).transpose(1, 2)


def fill_up(audio: Tensor, hop: int, frames: int) -> Tensor:
    """Samples [B, S], with zeros after them where they are fewer than `frames` hops."""
    missing = frames * hop - audio.shape[1]
    return F.pad(audio, (0, missing)) if missing > 0 else audio
