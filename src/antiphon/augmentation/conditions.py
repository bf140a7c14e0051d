"""Recording conditions: the instrument, room, noise, microphone and level that a whole recording has.

Augmentation draws a recording chain for every window. A corpus of real recordings has a limited number of conditions,
and each recording has one of them from its start to its end. `Conditions` draws such a set by a seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.signal
import torch
from numpy.typing import NDArray

from antiphon.augmentation.rooms import draw_room, tail_samples
from antiphon.augmentation.sound import RINGING_S, RecordingChain, SoundAugmentation, convert, draw_chain
from antiphon.augmentation.spectrum import (
    Noise,
    dft_bins,
    fast_length,
    gain_curve,
    noise_spectrum,
    to_samples,
    to_spectrum,
)
from antiphon.checks import COUNT, SEED
from antiphon.io.audio import is_silent

CONDITION_RANGES = SoundAugmentation(
    clean=0.0,
    equaliser=1.0,
    equaliser_db=(-6.0, 6.0),
    high_pass=0.5,
    low_pass=0.3,
    low_pass_hz=(6000.0, 11_000.0),
    room=1.0,
    rt60_s=(0.2, 2.0),
    direct_db=(-3.0, 15.0),
    rooms=1,
    noise=1.0,
    snr_db=(20.0, 60.0),
    saturation=0.0,
    clipping=0.0,
    quantisation=0.0,
    level=1.0,
    level_db=(-20.0, 0.0),
)
"""The ranges of a condition: a room with a microphone at some distance, and noise as in published recordings."""
_STREAM = 40_000
_CONDITION, _ROOM, _INSTRUMENTS = 0, 1, 2
_NOISE_SAMPLES = 1 << 20  # period of the noise, 44 s at 24 kHz
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Condition:
    """One condition. `instrument` is the number of an instrument; `room_key` seeds the room of the chain."""

    instrument: int
    chain: RecordingChain
    room_key: tuple[int, ...]


@dataclass(frozen=True)
class Conditions:
    """A set of `count` conditions that `seed` determines. A larger set of a seed begins with its smaller sets.

    Sets of different seeds have no condition in common. Raises `AntiphonError` unless `count` is at least 1 and `seed`
    at least 0.

    >>> few, many = Conditions(4, seed=42), Conditions(64, seed=42)
    >>> [few.condition(number, 2) == many.condition(number, 2) for number in range(4)]
    [True, True, True, True]
    >>> few.number_of("a recording") == few.number_of("a recording") < 4
    True
    """

    count: int
    seed: int

    def __post_init__(self) -> None:
        COUNT.check("conditions", self.count)
        SEED.check("seed", self.seed)

    def number_of(self, recording_id: str) -> int:
        """The number of the condition of a recording; it does not depend on the other recordings of a corpus."""
        digest = hashlib.sha256(f"{self.seed}/{recording_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count

    def condition(self, number: int, instruments: int) -> Condition:
        """A condition by its number. The instruments take turns, in an order that the seed determines."""
        order = np.random.default_rng([_STREAM, self.seed, _INSTRUMENTS]).permutation(instruments)
        chain = draw_chain(CONDITION_RANGES, np.random.default_rng([_STREAM, self.seed, _CONDITION, number]))
        return Condition(int(order[number % instruments]), chain, (_STREAM, self.seed, _ROOM, number))

    def condition_of(self, recording_id: str, instruments: int) -> Condition:
        """The condition of a recording."""
        return self.condition(self.number_of(recording_id), instruments)


def record_whole(
    samples: NDArray[np.float32], condition: Condition, recording_id: str, sample_rate_hz: int
) -> NDArray[np.float32]:
    """A whole recording under a condition: float32 [n] within ±1, of any length; silence stays as it is.

    Room and microphone are one filter, and the noise is stationary, at a level relative to the recording's mean power.
    `recording_id` determines at which place the noise begins.
    """
    if is_silent(samples):
        return samples
    response, early = _response(condition, sample_rate_hz)
    sound = scipy.signal.oaconvolve(samples, response)[early : early + len(samples)].astype(np.float32)
    noise = condition.chain.noise
    if noise is not None:
        period = _noise(condition.chain, sample_rate_hz)
        first = int.from_bytes(hashlib.sha256(recording_id.encode()).digest()[:4], "big") % len(period)
        scale = float(np.sqrt(np.mean(sound**2))) * 10.0 ** (-noise.snr_db / 20.0)
        sound += scale * np.resize(np.roll(period, -first), len(sound))
    return np.asarray(convert(torch.from_numpy(sound), condition.chain).numpy(), np.float32)


@lru_cache(maxsize=64)
def _response(condition: Condition, rate: int) -> tuple[NDArray[np.float32], int]:
    """The impulse response of room and microphone, and the number of its samples before the direct sound."""
    chain, early = condition.chain, round(RINGING_S * rate)
    length = fast_length(tail_samples(rate) + 2 * early)
    impulse = torch.zeros(length)
    impulse[0] = 1.0
    if chain.room is not None:
        room = draw_room(np.random.default_rng(condition.room_key), CONDITION_RANGES.rt60_s, rate)
        strength = 10.0 ** (-chain.direct_db / 20.0)
        impulse[: len(room.response)] += strength * torch.from_numpy(room.response)
        impulse /= (1.0 + strength**2) ** 0.5
    spectrum = to_spectrum(impulse, length)
    gain = gain_curve(dft_bins(length, rate, _CPU), chain.equaliser_db, chain.high_pass_hz, chain.low_pass_hz)
    if gain is not None:
        spectrum = spectrum * gain
    # The filters have zero phase, so half of their ringing is at negative times, which the transform puts at its end.
    return np.roll(to_samples(spectrum, length).numpy(), early), early


@lru_cache(maxsize=16)
def _noise(chain: RecordingChain, rate: int) -> NDArray[np.float32]:
    """One period of the chain's noise at unit power, filtered by the microphone."""
    assert isinstance(chain.noise, Noise)
    bins = dft_bins(_NOISE_SAMPLES, rate, _CPU)
    spectrum = noise_spectrum(chain.noise, bins)
    gain = gain_curve(bins, chain.equaliser_db, chain.high_pass_hz, chain.low_pass_hz)
    samples = to_samples(spectrum if gain is None else spectrum * gain, _NOISE_SAMPLES).numpy()
    return np.asarray(samples / np.sqrt(np.mean(samples**2)), np.float32)
