"""An audio tower of constant-Q bands and convolutions: pitch resolution is equal in all octaves, time is kept.

A constant-Q transform has bands at a constant frequency ratio, each with a window of a constant number of periods
(Brown 1991, "Calculation of a constant Q spectral transform", J. Acoust. Soc. Am. 89). Schörkhuber and Klapuri (2010,
"Constant-Q transform toolbox for music processing", SMC) compute it octave by octave with the same short filters,
halving the sample rate from one octave to the next. This module halves the rate too, but the filters of each octave are
triangles over the power of one STFT, like mel filters. The window is constant within an octave, so Q varies by a factor
of two there.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.models.batch import Batch
from antiphon.models.towers import Elasticity, TowerKind
from antiphon.models.towers.convolutional import ConvolutionalTower, level_normalised
from antiphon.signal.spectra import fill_up, in_bands, power_spectrum
from antiphon.types import Overlap

_BINS_PER_SEMITONE = 2  # half the main lobe of a Hann window: the adjacent note is at its first zero
_SEMITONE = 2 ** (1 / 12) - 1
_NARROWEST_BINS = 1.25
_SHORTEST = 512
_FILTER_REACH = 4  # samples at the ends of a window that the low-pass mixes with samples beyond it


class ConstantQFrames(nn.Module):
    """Power in bands of constant ratio, compressed and level-normalised: [B, S // hop, bands_per_octave · octaves].

    Band k is centred on f_min_hz · 2^(k / bands_per_octave); a sine on a centre gives equal power in every band. A band
    is computed with the shortest Hann window that resolves semitones there: `n_fft` samples, 2 · n_fft, … up to
    2^halvings · n_fft. Lower bands overlap. Windows are doubled by halving the sample rate; aliasing onto a band is at
    least 50 dB down.

    With n_fft 1024 at 24 kHz and 3 halvings: 43 ms above 788 Hz, 85, 171, and 341 ms below 197 Hz. Semitones are
    resolved from 99 Hz on.

    Another tempo is another hop, also a multiple of 2^halvings, with an equal number of frames: with a hop of 480 and 3
    halvings, tempi have steps of 1 / 60. A transposition shifts bands; bands without a source have no power.

    Raises `ValueError` for bands beyond Nyquist, for `n_fft` below 512, for a `hop` that 2^halvings does not divide,
    and for halvings that no band needs; when called, for semitones that are not a whole number of bands.
    """

    def __init__(
        self,
        bands_per_octave: int,
        octaves: int,
        f_min_hz: float,
        n_fft: int,
        halvings: int,
        hop: int,
        sample_rate_hz: int,
    ) -> None:
        super().__init__()
        if f_min_hz * 2**octaves > sample_rate_hz / 2:
            raise ValueError(f"{octaves} octaves from {f_min_hz:g} Hz exceed Nyquist, {sample_rate_hz / 2:g} Hz")
        if n_fft < _SHORTEST:
            raise ValueError(f"n_fft {n_fft}: below {_SHORTEST}, halving the rate would alias onto the bands")
        if hop % 2**halvings:
            raise ValueError(f"a hop of {hop} samples cannot be halved {halvings} times")
        self.hop, self.bands_per_octave = hop, bands_per_octave
        self.elasticity = Elasticity(hop >> halvings, semitone_step=12 // math.gcd(12, bands_per_octave))
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        bands = torch.arange(bands_per_octave * octaves, dtype=torch.float64)
        centre_hz = f_min_hz * 2 ** (bands / bands_per_octave)
        needed = _BINS_PER_SEMITONE * sample_rate_hz / (_SEMITONE * centre_hz)  # samples of a window
        level = (needed / n_fft).log2().ceil().clamp(0, halvings)
        if len(set(level.tolist())) <= halvings:
            raise ValueError(f"n_fft {n_fft} and {halvings} halvings give a window that no band uses")
        self.bins: list[slice] = []
        for halved in range(halvings + 1):
            filters = band_filters(centre_hz[level == halved], bands_per_octave, n_fft, sample_rate_hz, halved)
            used = filters.any(dim=1).nonzero()
            self.bins.append(slice(int(used.min()), int(used.max()) + 1))
            self.register_buffer(f"filters_{halved}", filters[self.bins[halved]], persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Audio [B, S] of a batch → frames [B, T, bands]."""
        playback = self.elasticity.nearest(batch.playback)
        hop = round(self.hop * playback.tempo)
        frames = round(batch.audio.shape[1] / batch.playback.tempo) // self.hop
        audio = fill_up(batch.audio.float(), hop, frames)
        if batch.overlap is not None and self._sharing_pays_off(batch.overlap, audio, hop, frames):
            power = self._shared_power(batch.overlap, audio, hop, frames)
        else:
            power = self._power(audio, hop, frames)
        higher = playback.semitones * self.bands_per_octave // 12
        return level_normalised(F.pad(power, (higher, -higher)) if higher else power)

    def _power(self, audio: Tensor, hop: int, frames: int) -> Tensor:
        levels = []
        for halved in range(len(self.bins)):
            audio = half_rate(audio) if halved else audio
            levels.append(self._level(audio, hop, halved)[:, :frames])
        return torch.cat(levels[::-1], dim=2)

    def _level(self, audio: Tensor, hop: int, halved: int) -> Tensor:
        """The bands that use audio [B, S] at a rate halved `halved` times: [B, S // hop, these bands]."""
        power = power_spectrum(audio, self.get_buffer("window"), hop >> halved, self.bins[halved])
        return in_bands(power, self.get_buffer(f"filters_{halved}"))

    def _shared_power(self, overlap: Overlap, audio: Tensor, hop: int, frames: int) -> Tensor:
        """The result of `_power` for overlapping windows. Frames inside a window are computed once for all windows,
        those that reach beyond its ends for each window."""
        count, reach = len(audio), hop * self._frames_at_ends(hop)
        own = overlap.begin[:, None] // hop + torch.arange(frames, device=audio.device)
        whole, ends = overlap.samples[None].float(), torch.cat([audio[:, :reach], audio[:, -reach:]])
        levels = []
        for halved in range(len(self.bins)):
            if halved:
                whole, ends = half_rate(whole), half_rate(ends)
            beyond = self._beyond(hop, halved)
            needed = 2 * beyond * (hop >> halved)
            level = self._level(whole, hop, halved)[0][own]
            level[:, :beyond] = self._level(ends[:count, :needed], hop, halved)[:, :beyond]
            level[:, -beyond:] = self._level(ends[count:, -needed:], hop, halved)[:, -beyond:]
            levels.append(level)
        return torch.cat(levels[::-1], dim=2)

    def _beyond(self, hop: int, halved: int) -> int:
        """The number of frames at either end of a window that reach beyond it; they need the audio of twice as many."""
        return math.ceil((len(self.get_buffer("window")) // 2 + _FILTER_REACH) / (hop >> halved))

    def _frames_at_ends(self, hop: int) -> int:
        """The frames of audio at either end of a window that those need; the number of the lowest rate, the largest."""
        return 2 * self._beyond(hop, len(self.bins) - 1)

    def _sharing_pays_off(self, overlap: Overlap, audio: Tensor, hop: int, frames: int) -> bool:
        """Whether windows are whole frames apart and longer than both their ends, and sharing computes fewer frames."""
        count, length = audio.shape
        at_ends = 2 * self._frames_at_ends(hop)
        return (
            length == frames * hop
            and at_ends < frames
            and not bool((overlap.begin % hop).any())
            and len(overlap.samples) // hop + count * at_ends < count * frames
        )


def half_rate(audio: Tensor) -> Tensor:
    """Every second sample of [B, S] after a binomial low-pass of gain cos⁴(π f / rate): [B, ⌈S / 2⌉].

    The filter is crude, but bands are far below the new Nyquist, where it attenuates little and does not alias.
    """
    length = (audio.shape[1] + 1) // 2
    padded = F.pad(audio, (2, 2 + audio.shape[1] % 2))
    # (1, 4, 6, 4, 1) / 16. Not a convolution, which autocast would compute in bfloat16.
    even, odd = padded[:, ::2].contiguous(), padded[:, 1::2].contiguous()
    total = (odd[:, :length] + odd[:, 1 : length + 1]).mul_(4)
    return (
        total.add_(even[:, :length]).add_(even[:, 1 : length + 1], alpha=6).add_(even[:, 2 : length + 2]).mul_(1 / 16)
    )


def band_filters(centre_hz: Tensor, bands_per_octave: int, n_fft: int, sample_rate_hz: int, halved: int) -> Tensor:
    """Triangles on a logarithmic axis, for the power of a Hann STFT at a rate halved `halved` times: [bins, bands].

    There are n_fft // 2 + 1 bins. A triangle falls to zero at the neighbouring centre, or 1.25 bins away where that is
    farther: with narrower ones, a sine on a low band's centre would be stronger in the next band. A sine of amplitude 1
    on a centre gives 1.
    """
    rate_hz = sample_rate_hz / 2**halved
    bins_hz = torch.arange(n_fft // 2 + 1, dtype=torch.float64)[:, None] * rate_hz / n_fft
    reach_octaves = (1 + _NARROWEST_BINS * rate_hz / n_fft / centre_hz).log2().clamp_min(1 / bands_per_octave)
    triangles = (1 - (bins_hz / centre_hz).log2().abs() / reach_octaves).clamp_min(0)
    cycles = torch.arange(n_fft, dtype=torch.float64)[:, None] * centre_hz / rate_hz
    window = torch.hann_window(n_fft, dtype=torch.float64)[:, None]
    sine = torch.fft.fft(window * torch.exp(2j * math.pi * cycles) / 2, dim=0)[: n_fft // 2 + 1].abs().square()
    for number in range(halved):
        sine = sine * torch.cos(math.pi * centre_hz * 2**number / sample_rate_hz) ** 8
    return (triangles / (triangles * sine).sum(dim=0)).float()


def constant_q_tower(
    bands_per_octave: int,
    octaves: int,
    f_min_hz: float,
    n_fft: int,
    halvings: int,
    hop: int,
    sample_rate_hz: int,
    **convolutions: Any,
) -> ConvolutionalTower:
    """A `ConvolutionalTower` over `ConstantQFrames`; `convolutions` are its other options."""
    front = ConstantQFrames(bands_per_octave, octaves, f_min_hz, n_fft, halvings, hop, sample_rate_hz)
    return ConvolutionalTower(front, bands_per_octave * octaves, **convolutions)


TOWER = TowerKind("constant_q", "audio", constant_q_tower)
