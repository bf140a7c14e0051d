"""The short-time power spectrum that audio towers start from."""

from __future__ import annotations

import torch
from torch import Tensor

_ALL = slice(None)


def power_spectrum(audio: Tensor, window: Tensor, hop: int, bins: slice = _ALL) -> Tensor:
    """|STFT|² of samples [B, S] through a window [n_fft]: [B, S // hop, n_fft // 2 + 1], or those `bins` of it.

    Frame t is centred on sample t · hop; zeros beyond the ends.
    """
    spectrum = torch.stft(audio, len(window), hop, window=window, pad_mode="constant", return_complex=True)
    spectrum = spectrum[:, bins, : audio.shape[1] // hop]
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).transpose(1, 2)
