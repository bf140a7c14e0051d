"""Augmentation of audio by a random recording chain: room, noise, microphone, then level and converter.

Linear effects are multiplications in the frequency domain. A window costs one DFT and one inverse DFT, and none when
only its level or amplitudes change. Each window draws its own `RecordingChain`, which does not depend on the audio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from antiphon.augmentation.ranges import check_probability, check_range
from antiphon.augmentation.rooms import RoomPool, room_spectra, tail_samples
from antiphon.augmentation.spectrum import (
    EQUALISER_HZ,
    HUM_HARMONICS,
    Noise,
    dft_bins,
    energy,
    fast_length,
    gain_curve,
    noise_spectrum,
    to_samples,
    to_spectrum,
)
from antiphon.io.audio import SILENCE_PEAK

Range = tuple[float, float]

RINGING_S = 0.1
"""Seconds after which the response of equaliser and band limits has decayed."""
_QUARTER_TONE_CENTS = 50.0
_QUIETEST_PEAK = 10 * SILENCE_PEAK
_NOTHING = 1e-12  # avoids division by 0 where filters remove all audio


@dataclass(frozen=True)
class SoundAugmentation:
    """The probability (0–1) of each effect per window, and the range (low, high) of its strength, drawn uniformly.

    `clean` is the probability that a window stays bit-identical; all other probabilities apply to the rest.
    `equaliser`, `equaliser_db`: gains at 8 frequencies from 40 Hz to 11 kHz (microphone, loudspeaker, piano voicing).
    `high_pass_hz`, `low_pass_hz`: −3 dB frequencies of the band limits, uniform on a logarithmic scale.
    `room`, `rt60_s`, `direct_db`: decay time at 1 kHz, uniform on a logarithmic scale, of a pool of `rooms` rooms; and
    the energy of the direct sound relative to the reverberation.
    `noise`, `snr_db`, `noise_slope`: mean power of the window relative to the noise, and the α of the noise spectrum
    1/f^α. `hum` is the probability that noise includes mains hum of 50 or 60 Hz; `hum_db` is the power of the hum
    relative to the coloured noise.
    `saturation`, `drive`: tanh(drive · x), with x relative to the window's peak; the peak stays. `clipping`,
    `clipping_at`: hard limit as a share of the peak. `quantisation`, `bits`: word length for the range ± peak.
    `level`, `level_db`: gain, limited so that the peak of every changed window is from −60 to 0 dBFS.
    """

    clean: float = 0.25
    equaliser: float = 0.6
    equaliser_db: Range = (-9.0, 9.0)
    high_pass: float = 0.4
    high_pass_hz: Range = (20.0, 120.0)
    low_pass: float = 0.4
    low_pass_hz: Range = (3000.0, 11_000.0)
    room: float = 0.5
    rt60_s: Range = (0.1, 2.0)
    direct_db: Range = (-6.0, 15.0)
    rooms: int = 64
    noise: float = 0.5
    snr_db: Range = (5.0, 50.0)
    noise_slope: Range = (0.0, 2.0)
    hum: float = 0.2
    hum_db: Range = (-10.0, 10.0)
    saturation: float = 0.2
    drive: Range = (0.5, 3.0)
    clipping: float = 0.1
    clipping_at: Range = (0.3, 0.9)
    quantisation: float = 0.15
    bits: tuple[int, int] = (8, 12)
    level: float = 0.8
    level_db: Range = (-25.0, 6.0)

    def __post_init__(self) -> None:
        check_probability(self, "clean", "equaliser", "high_pass", "low_pass", "room", "noise", "hum")
        check_probability(self, "saturation", "clipping", "quantisation", "level")
        for name in ("equaliser_db", "direct_db", "snr_db", "hum_db", "level_db"):
            check_range(self, name, -120.0, 120.0)
        for name in ("high_pass_hz", "low_pass_hz", "drive"):
            check_range(self, name, least=1e-3)
        check_range(self, "rt60_s", 0.05, 2.0)
        check_range(self, "noise_slope", 0.0, 4.0)
        check_range(self, "clipping_at", 0.01, 1.0)
        check_range(self, "bits", 2, 24)
        if self.rooms < 1:
            raise ValueError(f"rooms is a number of rooms, at least 1, got {self.rooms}")


@dataclass(frozen=True)
class RecordingChain:
    """The effects on one window, in this order. None disables an effect; units are those of `SoundAugmentation`.

    `room` is the number of a room in the pool.
    """

    room: int | None = None
    direct_db: float = 0.0
    noise: Noise | None = None
    equaliser_db: tuple[float, ...] | None = None
    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    drive: float | None = None
    clipping_at: float | None = None
    bits: int | None = None
    level_db: float | None = None

    @property
    def filters(self) -> bool:
        """Whether the chain needs a DFT."""
        return any(
            effect is not None
            for effect in (self.room, self.noise, self.equaliser_db, self.high_pass_hz, self.low_pass_hz)
        )


def draw_chain(settings: SoundAugmentation, rng: np.random.Generator) -> RecordingChain:
    """Draw the chain of one window. A clean window gets `RecordingChain()`."""
    if rng.uniform() < settings.clean:
        return RecordingChain()

    def maybe(probability: float, bounds: Range, logarithmic: bool = False) -> float | None:
        if rng.uniform() >= probability:
            return None
        if logarithmic:
            return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
        return rng.uniform(*bounds)

    return RecordingChain(
        room=int(rng.integers(settings.rooms)) if rng.uniform() < settings.room else None,
        direct_db=rng.uniform(*settings.direct_db),
        noise=_draw_noise(settings, rng) if rng.uniform() < settings.noise else None,
        equaliser_db=tuple(rng.uniform(*settings.equaliser_db, len(EQUALISER_HZ)).tolist())
        if rng.uniform() < settings.equaliser
        else None,
        high_pass_hz=maybe(settings.high_pass, settings.high_pass_hz, logarithmic=True),
        low_pass_hz=maybe(settings.low_pass, settings.low_pass_hz, logarithmic=True),
        drive=maybe(settings.saturation, settings.drive),
        clipping_at=maybe(settings.clipping, settings.clipping_at),
        bits=int(rng.integers(*settings.bits, endpoint=True)) if rng.uniform() < settings.quantisation else None,
        level_db=maybe(settings.level, settings.level_db),
    )


def _draw_noise(settings: SoundAugmentation, rng: np.random.Generator) -> Noise:
    snr_db, slope, place = rng.uniform(*settings.snr_db), rng.uniform(*settings.noise_slope), rng.uniform()
    if rng.uniform() >= settings.hum:
        return Noise(snr_db, slope, place)
    number = np.arange(1, HUM_HARMONICS + 1)
    strength = rng.uniform(0.2, 1.0, HUM_HARMONICS) / number ** rng.uniform(0.5, 2.0)
    strength *= 10.0 ** (rng.uniform(*settings.hum_db) / 20.0) / np.linalg.norm(strength)
    hum = strength * np.exp(2j * math.pi * rng.uniform(size=HUM_HARMONICS))
    return Noise(snr_db, slope, place, float(rng.choice((50.0, 60.0))), tuple(hum.tolist()))


def augment_sound(
    audio: Tensor, settings: SoundAugmentation, rng: np.random.Generator, sample_rate_hz: int = 24_000
) -> Tensor:
    """Apply a random recording chain to each mono window: float32 [B, S] → float32 [B, S] on the same device.

    The input does not change. Silent windows (all samples below −80 dBFS) and clean windows are returned bit by bit;
    all others are within ±1. A chain depends only on `rng` and the window's position in the batch. Raises `ValueError`
    when the low-pass may exceed half the sample rate.
    """
    if settings.low_pass_hz[1] > sample_rate_hz / 2:
        raise ValueError(
            f"low_pass_hz reaches {settings.low_pass_hz[1]:g} Hz, but audio at {sample_rate_hz} Hz ends at "
            f"{sample_rate_hz / 2:g} Hz"
        )
    chains = [draw_chain(settings, rng) for _ in range(len(audio))]
    pool = RoomPool(settings.rooms, settings.rt60_s, sample_rate_hz)
    recorded = audio.clone()
    if audio.numel() == 0:
        return recorded
    sounding = (torch.maximum(-audio.amin(dim=1), audio.amax(dim=1)) >= SILENCE_PEAK).tolist()
    for row, (chain, sounds) in enumerate(zip(chains, sounding, strict=True)):
        if sounds and chain != RecordingChain():
            recorded[row] = record(audio[row], chain, pool)
    return recorded


def record(samples: Tensor, chain: RecordingChain, pool: RoomPool) -> Tensor:
    """Apply a chain to a window [S] that is not silent; within ±1. Reverberation after S samples is cut."""
    if chain.filters:
        samples = _filter(samples, chain, pool)
    return convert(samples, chain)


def _filter(samples: Tensor, chain: RecordingChain, pool: RoomPool) -> Tensor:
    rate = pool.sample_rate_hz
    ringing = round(RINGING_S * rate) if chain.room is None else tail_samples(rate)
    length = fast_length(len(samples) + ringing)
    bins = dft_bins(length, rate, samples.device)
    if chain.room is None:
        spectrum = to_spectrum(samples, length)
    else:
        strength = 10.0 ** (-chain.direct_db / 20.0)
        spectrum = to_spectrum(samples / math.sqrt(1.0 + strength**2), length)
        spectrum = spectrum.add(spectrum * room_spectra(pool, length, samples.device)[chain.room], alpha=strength)
    gain = gain_curve(bins, chain.equaliser_db, chain.high_pass_hz, chain.low_pass_hz)
    if gain is not None:
        spectrum = spectrum * gain
    if chain.noise is not None:
        noise = noise_spectrum(chain.noise, bins)
        if gain is not None:
            noise = noise * gain
        # The audio fills S samples of the transform, the noise all of them.
        sound_power = energy(spectrum, length) / len(samples)
        noise_power = energy(noise, length) / length
        scale = float((sound_power / noise_power.clamp_min(_NOTHING)).sqrt())
        spectrum = spectrum.add(noise, alpha=scale * 10.0 ** (-chain.noise.snr_db / 20.0))
    return to_samples(spectrum, length)[: len(samples)]


def convert(samples: Tensor, chain: RecordingChain) -> Tensor:
    """Amplifier and converter. Thresholds are relative to the window's peak, so that a quiet window is not lost."""
    peak = samples.abs().amax().clamp_min(_NOTHING)
    if chain.drive is not None:
        samples = torch.tanh(samples * (chain.drive / peak)) * (peak / math.tanh(chain.drive))
    if chain.clipping_at is not None:
        peak = peak * chain.clipping_at
        samples = torch.clamp(samples, -peak, peak)
    if chain.bits is not None:
        step = peak / 2 ** (chain.bits - 1)
        samples = torch.round(samples / step) * step
    gain = torch.full_like(peak, 10.0 ** ((chain.level_db or 0.0) / 20.0))
    gain = torch.minimum(torch.maximum(gain, _QUIETEST_PEAK / peak), 1.0 / peak)
    return (samples * gain).clamp_(-1.0, 1.0)


def draw_detune(rng: np.random.Generator, cents: float = 40.0) -> float:
    """Draw a playback speed uniformly between −cents and +cents; ±40 cents are speeds of 0.977–1.023.

    Raises `ValueError` beyond 50 cents, where another key would be nearest.
    """
    if not 0.0 <= cents <= _QUARTER_TONE_CENTS:
        raise ValueError(f"detuning is within 0–{_QUARTER_TONE_CENTS:g} cents, got {cents}; beyond, keys change")
    return float(2.0 ** (rng.uniform(-cents, cents) / 1200.0))
