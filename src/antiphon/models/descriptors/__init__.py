"""Hand-crafted descriptors: pure functions of a window, without learned parameters and without gradient (paper §3).

Each module of this package defines one descriptor, `DESCRIPTOR`. Its input is a `View` of a batch, which computes the
spectrogram once for all descriptors that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from antiphon.models.batch import Batch, NoteBatch, Tokens
from antiphon.registry import Registry
from antiphon.signal.spectra import in_parts, power
from antiphon.types import Modality

N_FFT = 2048
HOP = 512
_ROWS_AT_A_TIME = 4


class View:
    """The input of descriptors: audio, notes and playback of a batch, and its spectrogram, computed at first use."""

    def __init__(self, batch: Batch, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.audio = batch.audio
        self.notes: NoteBatch = batch.notes
        self.playback = batch.playback

    @cached_property
    def magnitude(self) -> Tensor:
        """|STFT| float32 [B, 1025, T]: n_fft 2048, hop 512, Hann, centred, zeros beyond the ends (T = 188 for 4 s)."""
        window = torch.hann_window(N_FFT, device=self.audio.device)
        return in_parts(lambda windows: _magnitude(windows, window), self.audio, _ROWS_AT_A_TIME)


def _magnitude(audio: Tensor, window: Tensor) -> Tensor:
    spectrum = torch.stft(audio, N_FFT, HOP, window=window, center=True, pad_mode="constant", return_complex=True)
    return power(spectrum).sqrt_()


@dataclass(frozen=True)
class Descriptor:
    """A named function View → Tokens [B, T, K], finite on silence and on windows without notes.

    `dimensions` names its K values. `frames` is T where it is equal for all windows. A descriptor of the audio is
    `elastic` when it applies the view's playback; the others describe the audio as recorded.
    """

    name: str
    side: Modality
    dimensions: tuple[str, ...]
    compute: Callable[[View], Tokens]
    frames: int | None = None
    elastic: bool = False


DESCRIPTORS: Registry[Descriptor] = Registry("descriptor", "antiphon.models.descriptors", "DESCRIPTOR")


@torch.no_grad()
def describe(batch: Batch, names: Iterable[str], sample_rate_hz: int) -> dict[str, Tokens]:
    """Each named descriptor of the batch, computed once: name → Tokens [B, T, K]. Raises `UnknownName`."""
    view = View(batch, sample_rate_hz)
    return {name: DESCRIPTORS[name].compute(view) for name in dict.fromkeys(names)}
