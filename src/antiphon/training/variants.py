"""Variants of a preset for ablations, each with one change; the data of `antiphon list variants`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from antiphon.augmentation import Augmentation
from antiphon.errors import AntiphonError, look_up
from antiphon.training.presets import Preset, RateRule, TrainingSettings, find_preset

CONDITION_VARIANTS: Mapping[str, int] = MappingProxyType({f"conditions-{count}": count for count in (1, 4, 16, 64)})
"""The variants with a number of recording conditions, and that number."""
_FRONT = "towers.audio.front.*"
_Settings = TypeVar("_Settings", TrainingSettings, Augmentation)


def _unsuited(preset: Preset, why: str) -> AntiphonError:
    return AntiphonError(f"preset {preset.name!r} {why}, so there is nothing to change")


def _need_tower(preset: Preset, name: str) -> None:
    if name not in (preset.sizes.audio_tower, preset.sizes.notes_tower):
        raise _unsuited(preset, f"has no {name} tower")


def _changed(preset: Preset, settings: _Settings, **values: Any) -> _Settings:
    """Settings of the preset with other values. Raises `AntiphonError` where they equal the preset's own."""
    changed = replace(settings, **values)
    if changed == settings:
        raise _unsuited(preset, f"already has {', '.join(f'{name} {value}' for name, value in values.items())}")
    return changed


def _train(preset: Preset, **values: Any) -> Preset:
    return replace(preset, training=_changed(preset, preset.training, **values))


def _augment(preset: Preset, **values: Any) -> Preset:
    return _train(preset, augmentation=_changed(preset, preset.training.augmentation, **values))


def _trained_front(preset: Preset) -> Preset:
    """The audio tower's front end trains too, at the notes tower's rate."""
    rules = {rule.pattern: rule.learning_rate for rule in preset.training.rates}
    if rules.get(_FRONT, 1.0) is not None:
        raise _unsuited(preset, "freezes no front end")
    return _train(preset, rates=(RateRule(_FRONT, rules["towers.notes.*"]), *preset.training.rates))


def _log_mel(preset: Preset) -> Preset:
    """The audio tower has a log-mel front end with an equal number of frames; its Linear and LayerNorm train."""
    _need_tower(preset, "waveform")
    sizes, options = preset.sizes, dict(preset.sizes.audio_options)
    convolutions = {name: options.pop(name) for name in ("channels", "kernels", "strides", "paddings")}
    mel = {
        "width": convolutions["channels"][-1],
        "bands": 64,
        "n_fft": 1024,
        "hop": math.prod(convolutions["strides"]),
        "sample_rate_hz": sizes.sample_rate_hz,
        "f_min_hz": 30.0,
    }
    return _trained_front(replace(preset, sizes=replace(sizes, audio_tower="logmel", audio_options=mel | options)))


def _onset_times(preset: Preset) -> Preset:
    """The notes tower's sinusoids encode onset times instead of the notes' order."""
    _need_tower(preset, "note_sequence")
    options = preset.sizes.notes_options | {"positions": "onset"}
    return replace(preset, sizes=replace(preset.sizes, notes_options=options))


def _mean_over_time(preset: Preset) -> Preset:
    """Both towers end with one mean over the window instead of means over steps of time."""

    def averaged(options: dict[str, Any]) -> dict[str, Any]:
        if options.get("steps", 1) == 1:
            raise _unsuited(preset, "has no steps of time")
        # The pooled width stays equal, and so do the heads: only time is lost.
        return options | {"steps": 1, "narrow": options["steps"] * options["narrow"]}

    sizes = preset.sizes
    audio, notes = averaged(sizes.audio_options), averaged(sizes.notes_options)
    return replace(preset, sizes=replace(sizes, audio_options=audio, notes_options=notes))


def _mel(preset: Preset) -> Preset:
    """The audio tower has 128 mel bands instead of constant-Q bands."""
    _need_tower(preset, "constant_q")
    constant_q = {"bands_per_octave", "octaves", "f_min_hz", "n_fft", "halvings"}
    bands = {"bands": 128, "n_fft": 2048, "f_min_hz": 30.0}
    options = bands | {name: value for name, value in preset.sizes.audio_options.items() if name not in constant_q}
    return replace(preset, sizes=replace(preset.sizes, audio_tower="spectrogram", audio_options=options))


def _clean_sound(preset: Preset) -> Preset:
    """No augmentation of audio: no rooms, microphones, noise or levels."""
    return _augment(preset, sound=None)


def _clean_notes(preset: Preset) -> Preset:
    """No augmentation of notes: none dropped, added or changed."""
    return _augment(preset, notes=None)


def _exact_fit(preset: Preset) -> Preset:
    """Notes and audio of every training window have equal starts and tempi."""
    return _augment(preset, loose=0.0)


def _in_tune(preset: Preset) -> Preset:
    """No detuning in training."""
    return _augment(preset, detune_cents=0.0)


def _no_groups(preset: Preset) -> Preset:
    """Windows of a batch are drawn independently, without a false-negative mask."""
    return _train(preset, group=1, near_s=None, adjacent_s=None)


def _overlaps_masked(preset: Preset) -> Preset:
    """All windows of a recording that overlap are false negatives."""
    return _train(preset, near_s=None)


def _no_queue(preset: Preset) -> Preset:
    """Negatives come from the batch only, without an embedding queue."""
    return _train(preset, queue_size=0)


def _no_neighbours(preset: Preset) -> Preset:
    """No neighbouring windows are drawn, and windows that begin less than a second apart are false negatives."""
    return _train(preset, adjacent_s=None, near_s=1.0)


def _whole_windows(preset: Preset) -> Preset:
    """No training window has a modality that is partly empty."""
    return _augment(preset, partial=0.0)


def _vicreg(preset: Preset) -> Preset:
    """The paper's loss instead of the preset's."""
    return _train(preset, loss="vicreg", queue_size=0)


def _sigmoid(preset: Preset) -> Preset:
    """The pairwise sigmoid loss instead of the preset's."""
    return _train(preset, loss="sigmoid", queue_size=0)


def _conditions(count: int) -> Callable[[Preset], Preset]:
    def under_conditions(preset: Preset) -> Preset:
        return _train(preset, conditions=count)

    which = "the same condition" if count == 1 else f"one of {count} conditions"
    under_conditions.__doc__ = f"Every recording has {which}: instrument, room, microphone and noise."
    return under_conditions


VARIANTS: Mapping[str, Callable[[Preset], Preset]] = MappingProxyType(
    {
        # For the paper's design.
        "trained-front": _trained_front,
        "log-mel": _log_mel,
        "onset-times": _onset_times,
        # For the question what many recording conditions in training are worth.
        **{name: _conditions(count) for name, count in CONDITION_VARIANTS.items()},
        # For towers that keep time, and their training.
        "mean-over-time": _mean_over_time,
        "mel": _mel,
        "clean-sound": _clean_sound,
        "clean-notes": _clean_notes,
        "exact-fit": _exact_fit,
        "in-tune": _in_tune,
        "whole-windows": _whole_windows,
        "no-queue": _no_queue,
        "no-neighbours": _no_neighbours,
        "no-groups": _no_groups,
        "overlaps-masked": _overlaps_masked,
        "vicreg": _vicreg,
        "sigmoid": _sigmoid,
    }
)
"""Name → function from a preset to its variant; it raises `AntiphonError` for a preset without anything to change."""


def find_variant(name: str) -> Callable[[Preset], Preset]:
    """A variant by name. Raises `UnknownName`."""
    return look_up("variant", name, VARIANTS)


def varied_preset(preset: str | Preset, variant: str | None) -> Preset:
    """A preset, given itself or by name, in a variant where one is named.

    Raises `UnknownName`, and `AntiphonError` for a variant that changes nothing in the preset.
    """
    preset = preset if isinstance(preset, Preset) else find_preset(preset)
    if variant is None:
        return preset
    change = find_variant(variant)
    try:
        return change(preset)
    except AntiphonError as error:
        raise AntiphonError(f"variant {variant}: {error}") from None
