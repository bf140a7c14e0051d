"""A replacement for the one function of torchaudio that Transkun calls, based on librosa's mel filters."""

from __future__ import annotations

import sys
from types import ModuleType

import librosa
import torch


def melscale_fbanks(n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int) -> torch.Tensor:
    """Triangular filters on the HTK mel scale with peaks of 1, torchaudio's defaults: float32 [n_freqs, n_mels]."""
    filters = librosa.filters.mel(
        sr=sample_rate, n_fft=2 * (n_freqs - 1), n_mels=n_mels, fmin=f_min, fmax=f_max, htk=True, norm=None
    )
    return torch.from_numpy(filters.T.copy())


def install() -> None:
    """Register this module as `torchaudio`, unless torchaudio is installed."""
    try:
        import torchaudio  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        package, functional = ModuleType("torchaudio"), ModuleType("torchaudio.functional")
        functional.melscale_fbanks = melscale_fbanks  # type: ignore[attr-defined]
        package.functional = functional  # type: ignore[attr-defined]
        sys.modules |= {"torchaudio": package, "torchaudio.functional": functional}
