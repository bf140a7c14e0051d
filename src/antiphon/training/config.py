"""The config of a training run: resolved from names, saved in the run folder, and reopened, also after moves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from antiphon.corpora import Corpus, absolute_spec, open_corpus
from antiphon.errors import AntiphonError
from antiphon.io.files import utf8_name
from antiphon.io.formats import Document, Format, renamed
from antiphon.models.arms import Arm, find_arm
from antiphon.models.loading import lasting_name, trained_folder
from antiphon.models.saving import RUN_CONFIG, weights_hash, with_late_fusion
from antiphon.models.sizes import Sizes
from antiphon.training.presets import Preset, TrainingSettings
from antiphon.training.schedules import SCHEDULES
from antiphon.training.variants import varied_preset

RESULT = "result.json"
_RENAMED = {"foundation": "init_from", "foundation_hash": "init_from_hash"}
_RENAMED_SETTINGS = {
    "memory": "queue_size",
    "memory_from": "queue_from_step",
    "beside_s": "adjacent_s",
    "discriminant_batches": "late_fusion_batches",
}


def _from_1(document: Document) -> Document:
    """Rename keys. Some configs of format 1 have the new names already; these stay unchanged."""
    arm = with_late_fusion(document["arm"])
    return renamed(document, _RENAMED) | {"arm": arm, "training": renamed(document["training"], _RENAMED_SETTINGS)}


RUN_FORMAT = Format("run", 2, {0: lambda document: document, 1: _from_1})  # 0: without a number


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RunConfig:
    """Everything a run depends on; saved in its folder as `run.json`.

    `corpora`, `audio` and `init_from` are absolute paths, except for a corpus or a model that has a name. `init_from`
    is the MODEL whose weights the run starts from. `data_hash` and `init_from_hash` are hashes of the data's and the
    model's content.
    """

    corpora: tuple[str, ...]
    audio: str | None
    split: str | None
    data_hash: str
    arm: Arm
    preset: str
    variant: str | None
    sizes: Sizes
    training: TrainingSettings
    seed: int
    init_from: str | None
    init_from_hash: str | None

    @property
    def steps(self) -> int:
        return self.training.epochs * self.training.batches_per_epoch


def prepare_run(
    corpora: Sequence[Corpus | str | Path],
    arm: str | Arm,
    preset: str | Preset,
    *,
    audio: Path | None = None,
    split: str | None = None,
    epochs: int | None = None,
    schedule: str | None = None,
    variant: str | None = None,
    init_from: str | Path | None = None,
    seed: int = 42,
) -> tuple[tuple[Corpus, ...], RunConfig]:
    """Resolve names into the data and the config of a run.

    `corpora` are corpora or specs. An arm and a preset are given themselves, by name, or as `FILE.toml:NAME`.
    `split` defaults to `train` for each corpus that has it. `epochs` and `schedule` replace the preset's; `variant`
    changes the preset (`antiphon list variants`). With `epochs=0` the towers of `init_from` stay unchanged and only
    late fusion is fitted. Raises `AntiphonError` for 0 epochs without `init_from` or without late fusion, for data that
    cannot be opened, and for unknown names.
    """
    if epochs == 0 and init_from is None:
        raise AntiphonError(
            "0 epochs only fit late fusion on trained towers: name their model with init_from, or train epochs"
        )
    chosen = arm if isinstance(arm, Arm) else find_arm(arm)
    size = varied_preset(preset, variant)
    if epochs == 0 and chosen.late_fusion is None:
        raise AntiphonError(f"0 epochs: arm {chosen.name} has nothing to train, since it has no late fusion")
    training = size.training
    if epochs is not None:
        training = replace(training, epochs=epochs)
    if schedule is not None:
        training = replace(training, schedule=SCHEDULES[schedule].name)
    opened = _open(corpora, audio, split)
    if split is None:
        split = _split_of(corpora)
    return opened, RunConfig(
        corpora=_specs(corpora),
        audio=absolute_path(audio),
        split=split,
        data_hash=_data_hash(opened),
        arm=chosen,
        preset=size.name,
        variant=variant,
        sizes=size.sizes,
        training=training,
        seed=seed,
        init_from=None if init_from is None else lasting_name(init_from),
        init_from_hash=None if init_from is None else _weights_hash(init_from),
    )


def reopen_run(
    folder: Path,
    *,
    corpora: Sequence[Corpus | str | Path] = (),
    audio: Path | None = None,
    init_from: str | Path | None = None,
) -> tuple[tuple[Corpus, ...], RunConfig]:
    """The data and the config of a run that has begun. New locations of moved data are saved in `folder`.

    Raises `AntiphonError` where the data or the weights of `init_from` differ from those that the run began with.
    """
    stored = read_config(folder)
    config = replace(
        stored,
        corpora=_specs(corpora or stored.corpora),
        audio=absolute_path(audio or stored.audio),
        init_from=stored.init_from if init_from is None else lasting_name(init_from),
    )
    try:
        opened = _open(corpora or config.corpora, Path(config.audio) if config.audio else None, config.split)
    except AntiphonError as error:
        hint = f"if the data have been moved, name them: antiphon train CORPUS… --resume {folder}"
        raise AntiphonError(f"{error}; {hint}") from None
    if _data_hash(opened) != config.data_hash:
        names = ", ".join(config.corpora)
        raise AntiphonError(
            f"{names}: the data have changed since {folder} began, or are different data; start a new run"
        )
    if init_from is not None and _weights_hash(init_from) != config.init_from_hash:
        raise AntiphonError(f"{init_from}: its weights are not those that {folder} began with")
    if config != stored:
        write_config(folder, config)
    return opened, config


def read_config(folder: Path) -> RunConfig:
    """The config of a run folder. Raises `AntiphonError` where it is missing or cannot be read."""
    if not (folder / RUN_CONFIG).is_file():
        raise AntiphonError(f"{folder}: not a run folder (it has no {RUN_CONFIG})")
    return RUN_FORMAT.read(folder / RUN_CONFIG, RunConfig)


def write_config(folder: Path, config: RunConfig) -> None:
    """Save a config in its run folder."""
    RUN_FORMAT.write(folder / RUN_CONFIG, config)


def absolute_path(path: str | Path | None) -> str | None:
    """A path as absolute text. Raises `UnreadableInput` where it is not UTF-8."""
    return None if path is None else utf8_name(Path(path).absolute())


def _specs(corpora: Sequence[Corpus | str | Path]) -> tuple[str, ...]:
    return tuple(one.spec or one.name if isinstance(one, Corpus) else absolute_spec(one) for one in corpora)


def _split_of(corpora: Sequence[Corpus | str | Path]) -> str | None:
    """The split that all given corpora consist of, so that the run can open the same recordings again by it."""
    splits = {name for one in corpora for name in (one.splits if isinstance(one, Corpus) else (None,))}
    return splits.pop() if len(splits) == 1 else None


def _open(corpora: Sequence[Corpus | str | Path], audio: Path | None, split: str | None) -> tuple[Corpus, ...]:
    """The recordings with sound to train on. Raises `AntiphonError` when there are none."""
    if audio is not None and len(corpora) != 1:
        raise AntiphonError("--audio is the audio folder of one corpus; for several, use rendered corpora")
    opened = []
    for one in corpora:
        corpus = one if isinstance(one, Corpus) else open_corpus(one, audio=audio)
        wanted = "train" if split is None and "train" in corpus.splits else split
        opened.append((corpus if wanted is None else corpus.split(wanted)).with_sound())
    return tuple(opened)


def _weights_hash(init_from: str | Path) -> str:
    return weights_hash(trained_folder(init_from, "init_from"))


def _data_hash(corpora: Sequence[Corpus]) -> str:
    return hashlib.sha256("".join(corpus.manifest_hash for corpus in corpora).encode()).hexdigest()
