"""Presets, sizes and training settings as data: `paper` as published, `medium` for a night on two CPU cores, `small`
for campaigns on them, `tiny` for tests, `default` for the model that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from antiphon.augmentation import Augmentation, NoteAugmentation, SoundAugmentation
from antiphon.errors import UnreadableInput, look_up
from antiphon.io.definitions import Definitions, Document, read_toml, validated
from antiphon.io.formats import to_plain
from antiphon.models.sizes import Sizes
from antiphon.models.towers import TOWERS
from antiphon.training.losses import LOSSES
from antiphon.training.schedules import SCHEDULES

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class RateRule:
    """Parameters with a name that matches the shell pattern train at `learning_rate`; None freezes them."""

    pattern: str
    learning_rate: float | None = None


@dataclass(frozen=True, config=_STRICT)
class TrainingSettings:
    """The settings of training. The first of the `rates` with a matching pattern applies to a parameter.

    Negatives: half of a batch is drawn in groups of `group` windows from one recording, every second of them within
    `adjacent_s` seconds of the one before (None: anywhere). Windows of one recording that begin less than `near_s`
    seconds apart (None: the window's length) are false negatives. The embedding queue adds the last `queue_size`
    windows of earlier batches, except those of the same work, as negatives from step `queue_from_step` on: embeddings
    of an untrained model would slow learning down, so Wang et al. (2020) warm up too.

    Late fusion is fitted after training on `late_fusion_batches` batches, at least one for an arm that has it.
    `checkpoint_every` and `warmup_steps` are in steps; `clip_norm` limits the norm of the gradient.

    With `conditions`, every recording has one of that many recording conditions, which the seed of the run
    determines; several training corpora are then the same recordings with different instruments.
    """

    batch_size: int
    batches_per_epoch: int
    epochs: int
    rates: tuple[RateRule, ...]
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    warmup_steps: int = 200
    checkpoint_every: int = 250
    schedule: str = "cosine"
    loss: str = "vicreg"
    group: int = 1
    near_s: float | None = None
    adjacent_s: float | None = None
    queue_size: int = 0
    queue_from_step: int = 0
    late_fusion_batches: int = 200
    augmentation: Augmentation = Augmentation()
    conditions: int | None = None


@dataclass(frozen=True, config=_STRICT)
class Preset:
    """A named combination of sizes and training settings."""

    name: str
    sizes: Sizes
    training: TrainingSettings


def run_d(scale: float = 1.0) -> tuple[RateRule, ...]:
    """The paper's freeze policy: convolutions and positions are frozen, the rest trains at graded rates (§2)."""
    return (
        RateRule("towers.audio.front.*", None),
        RateRule("towers.audio.positions", None),
        RateRule("towers.audio.layers.[01].*", 5e-6 * scale),
        RateRule("towers.audio.layers.[23].*", 1e-5 * scale),
        RateRule("towers.notes.*", 5e-5 * scale),
        RateRule("heads.*", 1e-4 * scale),
        RateRule("injections.*", 5e-4 * scale),
        RateRule("branch.*", 5e-4 * scale),
        RateRule("late_fusion.map", None),
    )


_PAPER = Preset(
    "paper",
    Sizes(
        audio_tower="waveform",
        audio_options={
            "channels": (512, 512, 512, 1024),
            "kernels": (10, 3, 3, 3),
            "strides": (5, 2, 2, 2),
            "paddings": (0, 1, 1, 1),
            "layers": 4,
            "heads": 8,
            "ffn": 4096,
            "max_positions": 6000,
            "dropout": 0.1,
            "attention_dropout": 0.1,
        },
        notes_tower="note_sequence",
        notes_options={
            "pitch_width": 256,
            "velocity_width": 128,
            "duration_width": 128,
            "width": 512,
            "layers": 4,
            "heads": 8,
            "ffn": 2048,
            "dropout": 0.1,
            "attention_dropout": 0.1,
        },
        head_hidden=512,
        dimensions=256,
    ),
    TrainingSettings(batch_size=16, batches_per_epoch=1000, epochs=30, rates=run_d()),
)


def _narrow(name: str, width: int, channels: int, training: TrainingSettings) -> Preset:
    """The paper's architecture at another width, with a total stride of 320 instead of 40 (300 frames for 4 s). Dropout
    is off: it would halve the speed on a CPU, and such a short training does not need it.
    """
    depth = {"layers": 4, "heads": width // 32, "ffn": 4 * width, "dropout": 0.0, "attention_dropout": 0.0}
    return Preset(
        name,
        Sizes(
            audio_tower="waveform",
            audio_options={
                "channels": (channels, channels, channels, width),
                "kernels": (20, 8, 8, 4),
                "strides": (10, 4, 4, 2),
                "paddings": (5, 2, 2, 1),
                "max_positions": 750,
                **depth,
            },
            notes_tower="note_sequence",
            notes_options={
                "pitch_width": width // 2,
                "velocity_width": width // 4,
                "duration_width": width // 4,
                "width": width,
                **depth,
            },
            head_hidden=2 * width,
            dimensions=width,
        ),
        training,
    )


# Narrower towers need higher rates: at the paper's, a tower of an eighth of the width hardly changes in 30 epochs.
_MEDIUM = _narrow(
    "medium",
    width=128,
    channels=64,
    training=TrainingSettings(batch_size=32, batches_per_epoch=500, epochs=10, rates=run_d(scale=20.0)),
)
_SMALL = _narrow(
    "small",
    width=64,
    channels=32,
    training=TrainingSettings(
        batch_size=32, batches_per_epoch=100, epochs=10, warmup_steps=100, rates=run_d(scale=40.0)
    ),
)
_TINY = _narrow(
    "tiny",
    width=32,
    channels=32,
    training=TrainingSettings(
        batch_size=8,
        batches_per_epoch=10,
        epochs=2,
        warmup_steps=5,
        checkpoint_every=5,
        rates=run_d(scale=20.0),
        late_fusion_batches=10,
    ),
)

_CONVOLUTIONS: dict[str, Any] = {
    "width": 192,
    "strides": (2, 2),
    "kernel": 3,
    "dilations": (1, 2, 4),
    "steps": 16,
    "narrow": 96,
}
_DEFAULT = Preset(
    "default",
    Sizes(
        audio_tower="constant_q",
        audio_options={
            "bands_per_octave": 24,
            "octaves": 8,
            "f_min_hz": 27.5,
            "n_fft": 1024,
            "halvings": 3,
            "hop": 480,
            "sample_rate_hz": 24_000,
        }
        | _CONVOLUTIONS,
        notes_tower="piano_roll",
        notes_options={"frames": 200, "frame_s": 0.02} | _CONVOLUTIONS,
        head_hidden=None,
        dimensions=256,
    ),
    TrainingSettings(
        batch_size=256,
        batches_per_epoch=100,
        epochs=25,
        rates=(RateRule("late_fusion.map", None), RateRule("*", 1e-3)),
        weight_decay=1e-2,
        checkpoint_every=100,
        loss="info_nce",
        group=8,
        near_s=0.3,
        adjacent_s=2.0,
        queue_size=16_384,
        queue_from_step=200,
        augmentation=Augmentation(
            detune_cents=40.0,
            loose=0.25,
            shift_s=0.1,
            tempo=1.15,
            partial=0.5,
            partial_s=1.0,
            sound=SoundAugmentation(),
            notes=NoteAugmentation(),
        ),
    ),
)


def _check(preset: Preset) -> None:
    """Raises `UnknownName` where a preset names a tower, loss or schedule that does not exist."""
    for tower in (preset.sizes.audio_tower, preset.sizes.notes_tower):
        TOWERS[tower]
    LOSSES[preset.training.loss]
    SCHEDULES[preset.training.schedule]


PRESETS = Definitions("a preset", (_PAPER, _MEDIUM, _SMALL, _TINY, _DEFAULT), _check)
"""All presets by name: those of the package and those that `register_preset` added."""


def register_preset(preset: Preset, *, replace: bool = False) -> Preset:
    """Add a preset for the running process, and return it.

    Saved models, run folders and campaigns contain the sizes and the training settings, not only the name.

    Parameters
    ----------
    preset
        The preset; its name must not be that of a preset of the package.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    Preset
        The preset that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    UnknownName
        For a tower, a loss or a schedule that does not exist.

    Examples
    --------
    >>> from pathlib import Path
    >>> import antiphon
    >>> text = 'presets.quick = {base = "tiny", training = {epochs = 1, batch_size = 4}}'
    >>> _ = Path("presets.toml").write_text(text, encoding="utf-8")
    >>> preset = antiphon.register_preset(antiphon.load_presets("presets.toml")["quick"])
    >>> {"name": "quick"} in antiphon.catalogue("presets")
    True
    >>> antiphon.register_preset(preset)
    Traceback (most recent call last):
    antiphon.errors.AntiphonError: a preset named 'quick' exists already; choose another name
    """
    return PRESETS.register(preset, replace)


def load_presets(path: str | Path) -> dict[str, Preset]:
    """The presets that a TOML file defines in its tables `[presets.NAME]`, by name.

    A table has a `base`, the name of a preset, and overrides of its `sizes` and `training`; tables within them are
    merged key by key. Another `audio_tower` or `notes_tower` begins with no options. Of `rates`, a rule without
    `learning_rate` freezes the parameters.

    Parameters
    ----------
    path
        The TOML file.

    Returns
    -------
    dict of str to Preset
        The presets by name; `register_preset` adds one to those that `train` knows.

    Raises
    ------
    UnreadableInput
        For an unknown key, base, tower, loss or schedule (with the nearest valid names), and for the name of a preset
        of the package. The message names file and key.

    Examples
    --------
    >>> from pathlib import Path
    >>> import antiphon
    >>> text = 'presets.quick = {base = "tiny", training = {epochs = 1, batch_size = 4}}'
    >>> _ = Path("presets.toml").write_text(text, encoding="utf-8")
    >>> quick = antiphon.load_presets("presets.toml")["quick"]
    >>> quick.name, quick.training.epochs, quick.training.batch_size, quick.sizes.dimensions
    ('quick', 1, 4, 32)
    """
    path = Path(path)
    return presets_of(read_toml(path), path)


def presets_of(document: Document, path: Path) -> dict[str, Preset]:
    """As `load_presets`, for a document that was read from `path`."""
    return PRESETS.read(document, path, _with_base)


def _with_base(table: Document, path: Path, at: str) -> Preset:
    """The preset of a table: its base with its overrides."""
    if "base" not in table:
        raise UnreadableInput(path, f"{at}.base: missing; name a preset: {', '.join(PRESETS)}")
    base = to_plain(look_up("preset", str(table["base"]), PRESETS))
    overrides = {key: value for key, value in table.items() if key != "base"}
    return validated(Preset, _merged(base, overrides), path, at)


def _merged(base: Document, overrides: Document) -> Document:
    merged = dict(base)
    for tower in ("audio", "notes"):
        if overrides.get(f"{tower}_tower", base.get(f"{tower}_tower")) != base.get(f"{tower}_tower"):
            merged[f"{tower}_options"] = {}
    for key, value in overrides.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def find_preset(name: str) -> Preset:
    """A preset by name, or by reference to a TOML file: `FILE.toml:NAME`, or `FILE.toml` where it defines one preset.

    Raises `UnknownName`, and `UnreadableInput` as `load_presets` does.
    """
    return PRESETS.find(name, load_presets)
