"""The constant-Q front end: sines in frequency and time, and an oracle of long windows at the full rate."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from antiphon.models.batch import Batch
from antiphon.models.towers import constant_q
from antiphon.models.towers.constant_q import ConstantQFrames, band_filters
from antiphon.signal.spectra import power_spectrum
from antiphon.types import AS_RECORDED, Overlap, Playback
from builders import RATE_HZ, WINDOW, random_batch, silent_batch

HOP, N_FFT, SETTLED = 480, 1024, 25
LIMITS_HZ = (788.3, 394.2, 197.1)  # lowest frequencies of windows of 1024, 2048 and 4096 samples: two bins per semitone


def front(bands_per_octave: int = 24, **more: Any) -> ConstantQFrames:
    options = {"octaves": 8, "f_min_hz": 27.5, "n_fft": N_FFT, "halvings": 3, "hop": HOP, "sample_rate_hz": RATE_HZ}
    return ConstantQFrames(bands_per_octave, **(options | more))


def centres_hz(bands_per_octave: int = 24) -> Tensor:
    return 27.5 * 2 ** (torch.arange(8 * bands_per_octave, dtype=torch.float64) / bands_per_octave)


def halved(centre_hz: float) -> int:
    return sum(centre_hz < limit for limit in LIMITS_HZ)


def sines(frequency_hz: Tensor, seconds: float = 1.0) -> Tensor:
    time_s = torch.arange(round(seconds * RATE_HZ), dtype=torch.float64) / RATE_HZ
    return torch.sin(2 * math.pi * frequency_hz.double()[:, None] * time_s + 0.3).float()


@pytest.fixture
def band_power(monkeypatch: pytest.MonkeyPatch):
    """Power in the bands, before compression: [B, frames, bands]."""
    monkeypatch.setattr(constant_q, "level_normalised", lambda power: power)
    return lambda audio, frames=None: (frames or front())(Batch(audio, random_batch().notes))


@pytest.mark.parametrize("bands_per_octave", [12, 24, 36])
class TestSines:
    def test_on_a_centre_are_strongest_there_with_equal_power_in_all_bands(self, band_power, bands_per_octave: int):
        power = band_power(sines(centres_hz(bands_per_octave)), front(bands_per_octave))[:, SETTLED]
        assert power.argmax(dim=1).tolist() == list(range(8 * bands_per_octave))
        torch.testing.assert_close(power.diagonal(), torch.ones(8 * bands_per_octave), atol=1e-3, rtol=0)

    def test_a_semitone_away_are_resolved_from_110_hz_on(self, band_power, bands_per_octave: int):
        """There a semitone is at least two bins, and a Hann window is zero after two. A band has a half width of up to
        1.25 bins and attenuates the tone by 12 dB, or by 7 dB if its half width is a semitone."""
        step = bands_per_octave // 12
        power = band_power(sines(centres_hz(bands_per_octave)), front(bands_per_octave))[:, SETTLED]
        high = int((centres_hz(bands_per_octave) < 109.9).sum())
        above, below = (power.diagonal(way)[high:] for way in (step, -step))
        down_db = -10 * torch.log10(torch.stack([above, below]).amax())
        assert down_db > (7 if step == 1 else 12)


def test_halving_the_rate_equals_long_windows(band_power):
    """The same filters over STFTs of 2048, 4096 and 8192 samples at the full rate."""
    audio = random_batch().audio
    power, centre_hz = band_power(audio), centres_hz()
    levels = torch.tensor([halved(float(centre)) for centre in centre_hz])
    assert levels.unique().tolist() == [0, 1, 2, 3]
    for level in range(4):
        window = torch.hann_window(N_FFT * 2**level)
        spectrum = power_spectrum(audio, window, HOP)[..., : N_FFT // 2 + 1] / 4**level
        slow = spectrum @ band_filters(centre_hz[levels == level], 24, N_FFT, RATE_HZ // 2**level, halved=0)
        torch.testing.assert_close(power[..., levels == level], slow, rtol=0.02, atol=1e-6)


def test_audio_near_nyquist_does_not_alias_onto_halved_bands(band_power):
    high = band_power(sines(torch.arange(11_200.0, 12_000.0, 25.0)))[:, SETTLED]
    assert high[:, centres_hz() < LIMITS_HZ[0]].max() < 1e-7


@pytest.mark.parametrize("band", [10, 69, 72, 96, 120, 190])
def test_power_rises_within_half_a_window_of_an_onset(band_power, band: int):
    """The frame of the onset has half of the amplitude (a quarter of the power) in a band as narrow as the spectrum's
    bins, and half of the power in a wide one."""
    centre_hz, begin = centres_hz()[band : band + 1], 2 * RATE_HZ
    sound = sines(centre_hz, 4.0)
    sound[:, :begin] = 0
    rise = band_power(sound)[0, :, band]
    reach = N_FFT * 2 ** halved(float(centre_hz)) // 2
    frame = torch.arange(len(rise)) * HOP
    assert rise[frame < begin - reach - 8].max() < 1e-9
    assert 0.25 <= rise[begin // HOP] <= 0.5
    settled = rise[(frame > begin + reach) & (frame < len(sound[0]) - reach)]
    torch.testing.assert_close(settled, torch.ones_like(settled), atol=0.01, rtol=0)


def test_silence_gives_zeros():
    assert not front()(silent_batch()).any()


@pytest.mark.parametrize(("samples", "frames"), [(WINDOW, 200), (WINDOW + 479, 200), (WINDOW - 1, 199)])
def test_there_is_a_frame_for_every_whole_hop(samples: int, frames: int):
    batch = Batch(torch.randn(2, samples), random_batch().notes)
    assert front()(batch).shape == (2, frames, 192)


class TestOverlappingWindows:
    """Shared frames are computed once and equal those of each window alone, at its ends too."""

    @staticmethod
    def batch(hop_s: float, count: int, playback: Playback = AS_RECORDED, origin: int = 0) -> Batch:
        length = round(WINDOW * playback.tempo)
        begin = origin + torch.arange(count) * round(hop_s * RATE_HZ)
        generator = torch.Generator().manual_seed(1)
        sound = torch.randn(int(begin[-1]) + length, generator=generator)
        sound *= torch.linspace(0.01, 1.0, len(sound))
        windows = torch.stack([sound[first : first + length] for first in begin.tolist()])
        return Batch(windows, random_batch().notes, playback=playback, overlap=Overlap(sound[origin:], begin - origin))

    @pytest.mark.parametrize(
        ("hop_s", "playback"),
        [
            (1.0, AS_RECORDED),
            (0.44, AS_RECORDED),
            (0.02, AS_RECORDED),
            (0.44, Playback(semitones=-3)),
            (0.44 * 1.3, Playback(1.3)),
            (0.44 * 0.75, Playback(0.75, 2)),
        ],
    )
    @pytest.mark.parametrize("origin", [0, 777])
    def test_give_the_frames_of_each_alone(self, hop_s: float, playback: Playback, origin: int):
        batch = self.batch(hop_s, 6, playback, origin)
        torch.testing.assert_close(front()(batch), front()(replace(batch, overlap=None)), atol=1e-5, rtol=1e-5)

    def test_share_most_transforms(self, monkeypatch: pytest.MonkeyPatch):
        samples: list[int] = []

        def counted(audio: Tensor, *how):
            samples.append(audio.numel())
            return power_spectrum(audio, *how)

        monkeypatch.setattr(constant_q, "power_spectrum", counted)
        batch = self.batch(0.44, 16)
        front()(replace(batch, overlap=None))
        alone = sum(samples)
        samples.clear()
        front()(batch)
        assert sum(samples) < 0.4 * alone

    @pytest.mark.parametrize(("hop_s", "count"), [(0.45, 6), (6.0, 3), (1.0, 1)])
    def test_without_shared_frames_are_computed_singly(self, monkeypatch: pytest.MonkeyPatch, hop_s: float, count: int):
        batch = self.batch(hop_s, count)
        expected = front()(replace(batch, overlap=None))
        monkeypatch.delattr(ConstantQFrames, "_shared_power")
        assert torch.equal(front()(batch), expected)


def test_frames_are_invariant_under_gain():
    batch = random_batch()
    loud, soft = (front()(Batch(gain * batch.audio, batch.notes)) for gain in (1.0, 0.01))
    torch.testing.assert_close(loud, soft, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"octaves": 9}, "Nyquist"),
        ({"n_fft": 256}, "n_fft 256"),
        ({"hop": 500}, "500"),
        ({"octaves": 4}, "halvings"),
        ({"halvings": 4, "f_min_hz": 100.0, "octaves": 6}, "halvings"),
    ],
)
def test_impossible_bands_are_an_error(wrong: dict[str, int], says: str):
    with pytest.raises(ValueError, match=says):
        front(**wrong)
