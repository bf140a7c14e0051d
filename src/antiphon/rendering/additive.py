"""An additive piano: a sum of damped partials in NumPy, without any system package or SoundFont.

Each key has two cached tones, one at the lowest and one at the highest velocity. A note is a mixture of the two, cut at
its duration and faded like a damped string. Every partial is a damped complex exponential. The sum of partials at
sample i·K + j is Σ_n a_n z_n^(i·K + j) = Σ_n (a_n z_n^(i·K)) · z_n^j, so a tone is the product of two small matrices.

Model: partials f_n = n f_0 √((1 + B n²) / (1 + B)) with B after Rigaud, David and Daudet, "A parametric model of piano
tuning" (DAFx 2011), normalised so that the first partial, by which pianos are tuned, is exactly f_0; hammer at 1/8 of
the string; two-stage decay after Weinreich, "Coupled piano strings" (JASA 62, 1977).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes

A4_HZ = 440.0
A4_PITCH = 69
MIN_SAMPLE_RATE_HZ = 8_000

_GAIN = 0.12  # level of one note at velocity 127; ten such notes stay near full scale
_LIMITER_KNEE = 0.8  # the output is linear up to this level and approaches 1 above it
_MAX_PARTIALS = 80
_HAMMER_POSITION = 1 / 8
_NYQUIST_MARGIN = 0.97
_CUTOFF_SOFT_HZ, _CUTOFF_HARD_HZ = 450.0, 2200.0  # spectral envelope exp(−f / cutoff) at velocity 0 and 127
_AUDIBLE = 1e-4  # relative amplitude: weaker partials, below −80 dB, are left out
_PROMPT_SHARE = 0.8  # of the amplitude; the rest is the aftersound
_PROMPT_RATE, _AFTERSOUND_RATE = 1.6, 0.5  # decay rates relative to the mean
_AFTERSOUND_DETUNING_HZ = 0.15
_MAX_TONE_S = 8.0  # bass strings last longer, at a level that other notes mask
_TONE_FLOOR = 1e-3  # a tone ends after a decay of 60 dB
_TONE_FADE_S = 0.2
_ATTACK_S = 0.0015
_THUMP_S = 0.03
_THUMP_LEVEL = 0.12
_DAMPER_S = 0.08  # time constant
_DAMPER_SPAN = 6.0  # time constants until the damped string is silent
_BLOCK = 512


class AdditivePiano:
    """A synthetic piano, mono; renders over a thousand times faster than real time once its tones are cached.

    The tones of a key are computed at its first use; at 24 kHz this takes about 10 ms and 1 MB of memory. Raises
    `ValueError` for a sample rate below 8000 Hz, which cannot represent the top octave.
    """

    name = "additive"
    fingerprint = "additive-1"  # change the number whenever the same notes give other samples

    def __init__(self, sample_rate_hz: int = 24_000) -> None:
        if sample_rate_hz < MIN_SAMPLE_RATE_HZ:
            raise ValueError(f"sample_rate_hz is {sample_rate_hz}; the top octave needs at least {MIN_SAMPLE_RATE_HZ}")
        self.sample_rate_hz = sample_rate_hz
        self._tones: dict[int, NDArray[np.float32]] = {}
        time = np.arange(round(_DAMPER_S * _DAMPER_SPAN * sample_rate_hz)) / (_DAMPER_S * sample_rate_hz)
        # Shifted so that the fade ends exactly at zero, without a step.
        fade = (np.exp(-time) - math.exp(-_DAMPER_SPAN)) / (1 - math.exp(-_DAMPER_SPAN))
        self._fade = fade.astype(np.float32)

    def render(self, notes: Notes, duration_s: float) -> NDArray[np.float32]:
        """Render `notes` from second 0 to `duration_s`.

        Returns float32 [round(duration_s · sample_rate_hz)] within ±1. Levels are absolute: up to a soft limiter above
        0.8, other notes do not change a note's level. A note's duration is the time until its damper falls, so the
        sustain pedal must be applied before; the note fades within 0.5 s after that. Audio before 0 or after
        `duration_s` is cut. No notes give silence. Equal notes give bit-identical samples. Raises `ValueError` when
        `duration_s` is negative or not finite.
        """
        if not (math.isfinite(duration_s) and duration_s >= 0):
            raise ValueError(f"duration_s must be finite and not negative, got {duration_s}")
        sound = np.zeros(round(duration_s * self.sample_rate_hz), np.float32)
        onset = np.rint(notes.onset_s * self.sample_rate_hz).astype(np.int64)
        held = np.rint(notes.duration_s * self.sample_rate_hz).astype(np.int64)
        columns = (onset, held, notes.pitch, notes.velocity)
        for start, length, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
            self._add(sound, start, length, pitch, velocity)
        return _limited(sound)

    def _add(self, sound: NDArray[np.float32], start: int, held: int, pitch: int, velocity: int) -> None:
        """Add one note in place; `start` and `held` in samples, `start` may be negative."""
        tone = self._tone(pitch)
        first = max(0, -start)  # the part before second 0 is cut
        last = min(tone.shape[1], held + len(self._fade), len(sound) - start)
        if first >= last:
            return
        soft, hard = _strike(velocity)
        note = tone[0, first:last] * soft
        note += tone[1, first:last] * hard
        if last > held:
            begin = max(held, first)
            note[begin - first :] *= self._fade[begin - held : last - held]
        sound[start + first : start + last] += note

    def _tone(self, pitch: int) -> NDArray[np.float32]:
        if pitch not in self._tones:
            self._tones[pitch] = _tone(pitch, self.sample_rate_hz)
        return self._tones[pitch]


def inharmonicity(pitch: int) -> float:
    """Inharmonicity coefficient B of a key: the sum of a bass and a treble asymptote, exponential in the MIDI pitch.

    Constants of Rigaud, David and Daudet (2011).

    >>> f"{inharmonicity(69):.2e}"
    '7.18e-04'
    """
    return math.exp(-8.47e-2 * pitch - 5.82) + math.exp(9.26e-2 * pitch - 13.64)


def _strike(velocity: int) -> tuple[np.float32, np.float32]:
    """Weights of the soft and the hard tone.

    The amplitude is proportional to the square of the velocity, as General MIDI 2 recommends (40 log10(v / 127) dB).
    So is the share of the hard tone, which dominates the upper partials long before the two are equally loud.
    """
    force = (velocity / 127) ** 2
    return np.float32(_GAIN * force * (1 - force)), np.float32(_GAIN * force * force)


def _limited(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soft limiter, in place: identity up to the knee, then a hyperbolic tangent with slope 1 there and limit 1."""
    over = np.flatnonzero(np.abs(sound) > _LIMITER_KNEE)
    room = 1 - _LIMITER_KNEE
    excess = (np.abs(sound[over]) - _LIMITER_KNEE) / room
    sound[over] = np.copysign(_LIMITER_KNEE + room * np.tanh(excess), sound[over])
    return sound


def _tone(pitch: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """The softest and the hardest tone of a key, float32 [2, samples], with similar level and equal phases."""
    frequency_hz, shape = _partials(pitch, sample_rate_hz)
    decay = _decay_per_s(pitch, frequency_hz)
    slowest = _AFTERSOUND_RATE * _decay_per_s(pitch, np.array([_fundamental_hz(pitch)]))[0]
    length = round(min(_MAX_TONE_S, math.log(1 / _TONE_FLOOR) / slowest) * sample_rate_hz)

    amplitude = np.stack([shape * np.exp(-frequency_hz / cut) for cut in (_CUTOFF_SOFT_HZ, _CUTOFF_HARD_HZ)])
    level = np.sqrt((amplitude**2).sum(axis=1, keepdims=True))
    amplitude = np.divide(amplitude, level, out=np.zeros_like(amplitude), where=level > 0)  # [2, N]
    audible = (np.abs(amplitude) > _AUDIBLE).any(axis=0)
    frequency_hz, decay, amplitude = frequency_hz[audible], decay[audible], amplitude[:, audible]

    # The soundboard radiates partials with unrelated phases; equal phases would add up to high peaks.
    phase = np.random.default_rng(pitch).uniform(0, 2 * np.pi, len(frequency_hz))
    tone = _damped_sines(
        np.concatenate([amplitude * _PROMPT_SHARE, amplitude * (1 - _PROMPT_SHARE)], axis=1),
        np.concatenate([frequency_hz, frequency_hz + _AFTERSOUND_DETUNING_HZ]),
        np.concatenate([decay * _PROMPT_RATE, decay * _AFTERSOUND_RATE]),
        np.tile(phase, 2),
        length,
        sample_rate_hz,
    )
    attack = round(_ATTACK_S * sample_rate_hz)
    tone[:, :attack] *= np.linspace(0, 1, attack, endpoint=False, dtype=np.float32)
    tone += _thump(pitch, length, sample_rate_hz)
    fade = min(length, round(_TONE_FADE_S * sample_rate_hz))
    tone[:, length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return tone


def _fundamental_hz(pitch: int) -> float:
    return float(A4_HZ * 2 ** ((pitch - A4_PITCH) / 12))


def _partials(pitch: int, sample_rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies [N] in Hz, below Nyquist, and signed amplitudes [N], which follow from the hammer position."""
    n = np.arange(1, _MAX_PARTIALS + 1)
    stiffness = inharmonicity(pitch)
    frequency_hz = n * _fundamental_hz(pitch) * np.sqrt((1 + stiffness * n**2) / (1 + stiffness))
    kept = frequency_hz < _NYQUIST_MARGIN * sample_rate_hz / 2
    shape = np.sin(np.pi * n * _HAMMER_POSITION) / np.sqrt(n)
    return frequency_hz[kept], shape[kept]


def _decay_per_s(pitch: int, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean decay rate [N] of partials in nepers per second; it increases with pitch and frequency.

    The first term interpolates the values of Bensa et al. (JASA 114, 2003) at C2 (0.25) and C7 (9.2).
    """
    string = max(0.25, 0.25 * math.exp(0.06 * (pitch - 36)))
    return string + 4e-7 * frequency_hz**2


def _damped_sines(
    amplitude: NDArray[np.float64],
    frequency_hz: NDArray[np.float64],
    decay_per_s: NDArray[np.float64],
    phase: NDArray[np.float64],
    length: int,
    sample_rate_hz: int,
) -> NDArray[np.float32]:
    """Σ_n a_n e^(−d_n t) sin(2π f_n t + φ_n), float32 [2, length], for amplitudes [2, N]."""
    rate = (2j * np.pi * frequency_hz - decay_per_s) / sample_rate_hz  # [N] per sample
    blocks = -(-length // _BLOCK)
    # Phases need float64: in float32 the error reaches milliradians after a few seconds.
    coarse = amplitude[:, None, :] * np.exp(_BLOCK * np.arange(blocks)[:, None] * rate)  # [2, blocks, N]
    fine = np.exp(np.arange(_BLOCK) * rate[:, None] + 1j * phase[:, None])  # [N, BLOCK]
    # Im(xy) = Re x Im y + Im x Re y, as one real product over 2N columns.
    left = np.concatenate([coarse.real, coarse.imag], axis=2).astype(np.float32)
    right = np.concatenate([fine.imag, fine.real], axis=0).astype(np.float32)
    return np.ascontiguousarray((left @ right).reshape(len(amplitude), -1)[:, :length])


def _thump(pitch: int, length: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Knock of key and hammer for the soft and the hard tone: a short burst of dull noise, float32 [2, length]."""
    span = min(length, round(_THUMP_S * sample_rate_hz))
    noise = np.random.default_rng(pitch).standard_normal(span + 8)
    dull = np.convolve(noise, np.hanning(9), mode="valid") / 2
    burst = _THUMP_LEVEL * dull * np.exp(-5 * np.arange(span) / span) * np.linspace(1, 0, span)
    thump = np.zeros((2, length), np.float32)
    thump[:, :span] = np.array([[0.3], [1.0]]) * burst
    return thump
