"""A training run: its folder, its checkpoints, and the loop."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.utils.data import DataLoader

from antiphon.arms import Arm, find_arm
from antiphon.batch import Batch
from antiphon.corpora import Corpus, open_corpus
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.files import write_json, written_aside
from antiphon.losses import LOSSES
from antiphon.memory import keep_freed_memory
from antiphon.model import DualEncoder, ModelConfig, pick_device
from antiphon.model_loading import lasting_name, trained_folder
from antiphon.model_saving import RUN_CONFIG, RUN_MODEL, load_dual_encoder, save_model, to_plain, weights_hash
from antiphon.presets import Sizes, TrainingSettings
from antiphon.progress import track
from antiphon.provenance import code_version
from antiphon.schedules import SCHEDULES
from antiphon.training.data import TrainingBatches, open_sample_caches
from antiphon.training.discriminant import fit_discriminant
from antiphon.training.memory import Memory
from antiphon.training.rates import apply_rates, count_parameters
from antiphon.training.step import training_step
from antiphon.variants import varied_preset

LOG_EVERY = 50
_CHECKPOINT, _LOG, RESULT = "checkpoint.pt", "log.csv", "result.json"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RunConfig:
    """Everything a run depends on; kept in its folder as `run.json`.

    `foundation` is the MODEL whose weights the run starts from (see `antiphon.model_loading`), and `foundation_hash`
    the hash of its weights when the run was prepared.
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
    foundation: str | None
    foundation_hash: str | None


def prepare_run(
    corpora: Sequence[str],
    arm: str,
    preset: str,
    *,
    audio: Path | None = None,
    split: str | None = None,
    epochs: int | None = None,
    schedule: str | None = None,
    variant: str | None = None,
    foundation: str | Path | None = None,
    seed: int = 42,
) -> tuple[tuple[Corpus, ...], RunConfig]:
    """Resolve names into the data and the config of a run.

    Without `split`, the split `train` of each corpus that has one. `epochs` and `schedule` replace the preset's;
    `variant` changes the preset (`antiphon list variants`). No epochs at all leave a foundation's towers as they are
    and find the map of an arm with descriptors beside them; without either they raise `AntiphonError`.
    """
    if epochs == 0 and foundation is None:
        raise AntiphonError("without epochs there is nothing to train but on a foundation: name one, or epochs")
    found, size = find_arm(arm), varied_preset(preset, variant)
    if epochs == 0 and found.beside is None:
        raise AntiphonError(f"without epochs arm {arm} has nothing to train: it has no descriptors beside its towers")
    training = size.training
    if epochs is not None:
        training = replace(training, epochs=epochs)
    if schedule is not None:
        training = replace(training, schedule=SCHEDULES[schedule].name)
    opened = _open(corpora, audio, split)
    return opened, RunConfig(
        corpora=tuple(str(corpus) for corpus in corpora),
        audio=None if audio is None else str(audio),
        split=split,
        data_hash=_data_hash(opened),
        arm=found,
        preset=size.name,
        variant=variant,
        sizes=size.sizes,
        training=training,
        seed=seed,
        foundation=None if foundation is None else lasting_name(foundation),
        foundation_hash=None if foundation is None else weights_hash(trained_folder(foundation, "a foundation")),
    )


def _open(corpora: Sequence[str], audio: Path | None, split: str | None) -> tuple[Corpus, ...]:
    """The recordings with sound to train on. Raises `AntiphonError` when there are none."""
    if audio is not None and len(corpora) != 1:
        raise AntiphonError("--audio is the sound of one corpus; name rendered corpora instead of several with --audio")
    opened = []
    for spec in corpora:
        corpus = open_corpus(spec, audio)
        wanted = "train" if split is None and "train" in corpus.splits else split
        opened.append((corpus if wanted is None else corpus.split(wanted)).with_sound())
    return tuple(opened)


def _data_hash(corpora: Sequence[Corpus]) -> str:
    return hashlib.sha256("".join(corpus.manifest_hash for corpus in corpora).encode()).hexdigest()


def start_run(folder: Path, corpora: Sequence[Corpus], config: RunConfig) -> dict[str, Any]:
    """Begin a run in a new or empty folder and carry it to its end; returns its result."""
    if folder.exists() and any(folder.iterdir()):
        raise AntiphonError(f"{folder} is not empty; go on with it by --resume {folder}, or choose another folder")
    model = _build(config)  # what cannot work is refused before there is a folder
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RUN_CONFIG, to_plain(config))
    return _carry_on(folder, corpora, config, model)


def resume_run(folder: Path) -> dict[str, Any]:
    """Go on from the last checkpoint, or from the start if there is none; a finished run's result is returned.

    Raises `AntiphonError` when the data are not those that the run began with.
    """
    if not (folder / RUN_CONFIG).is_file():
        raise AntiphonError(f"{folder}: not a run folder (it has no {RUN_CONFIG})")
    try:
        config = TypeAdapter(RunConfig).validate_json((folder / RUN_CONFIG).read_text())
    except ValidationError as error:
        raise UnreadableInput(folder / RUN_CONFIG, f"not a run's config ({error})") from None
    if (folder / RESULT).exists():
        return json.loads((folder / RESULT).read_text())
    corpora = _open(config.corpora, Path(config.audio) if config.audio else None, config.split)
    if _data_hash(corpora) != config.data_hash:
        raise AntiphonError(f"{', '.join(config.corpora)}: the data have changed since {folder} began; start a new run")
    return _carry_on(folder, corpora, config, _build(config))


def _build(config: RunConfig) -> DualEncoder:
    """The model as it begins. Raises `AntiphonError` for settings that do not go together."""
    settings, loss = config.training, LOSSES[config.training.loss]
    if settings.memory and not loss.remembers:
        raise AntiphonError(f"loss {loss.name} has no use for a memory of {settings.memory} windows; set it to 0")
    torch.manual_seed(config.seed)
    model = DualEncoder(ModelConfig(config.arm, config.sizes))
    if model.discriminant is not None and settings.discriminant_batches < 1:
        raise AntiphonError(f"arm {config.arm.name} needs discriminant_batches for what stands beside its embeddings")
    return model


def _carry_on(folder: Path, corpora: Sequence[Corpus], config: RunConfig, model: DualEncoder) -> dict[str, Any]:
    """The loop, from whatever the folder holds to the end of the run; `model` is as it begins."""
    settings, sizes, device = config.training, config.sizes, pick_device()
    steps = settings.epochs * settings.batches_per_epoch
    keep_freed_memory()
    code = code_version()  # now: the checkout may move on while the run goes on
    model = model.to(device)
    optimiser = torch.optim.AdamW(apply_rates(model, settings.rates), weight_decay=settings.weight_decay)
    multiplier, loss = SCHEDULES[settings.schedule].multiplier, LOSSES[settings.loss]
    memory = Memory(settings.memory) if settings.memory else None
    cache = open_sample_caches(corpora, sizes.sample_rate_hz, sizes.window_s)
    batches = TrainingBatches(
        cache,
        sizes.sample_rate_hz,
        sizes.window_s,
        settings.batch_size,
        steps,
        config.seed,
        settings.group,
        settings.near_s,
        settings.beside_s,
        settings.augmentation,
    )
    first, spent_s = _load_checkpoint(folder, model, optimiser, memory, device)
    if first == 0 and config.foundation is not None:
        _start_from(model, trained_folder(config.foundation, "a foundation"), config.foundation_hash)
    began = time.monotonic()

    model.train()
    with _Log(folder, first) as log:
        loader = _prefetched(batches, first, steps, device)
        for step, batch in zip(range(first, steps), track(loader, "training", steps - first), strict=True):
            scale = multiplier(step, steps, settings.warmup_steps)
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * scale
            model.set_progress(step / steps)
            remembered = memory if step >= settings.memory_from else None
            encoded, terms, norm = training_step(
                model, optimiser, batch.to(device), loss, settings.clip_norm, remembered
            )

            done = step + 1
            if done % LOG_EVERY == 0 or done == steps:
                if not all(torch.isfinite(term) for term in terms.values()):
                    raise AntiphonError(f"the loss is not finite at step {done}; lower the learning rates")
                elapsed_s = spent_s + time.monotonic() - began
                recall = _in_batch_recall(encoded.audio.float(), encoded.notes.float())
                log.write(done, terms, recall, float(norm), scale, elapsed_s)
            at_end = done == steps and model.discriminant is not None  # whose map takes minutes yet
            if at_end or (done % settings.checkpoint_every == 0 and done < steps):
                _save_checkpoint(folder, model, optimiser, memory, done, spent_s + time.monotonic() - began)

    trained_s = spent_s + time.monotonic() - began
    if model.discriminant is not None:
        model.set_progress(1.0)
        count = settings.discriminant_batches
        fitting = track(_prefetched(batches.fitting(count), 0, count, device), "discriminant", count)
        fit_discriminant(model, (batch.to(device) for batch in fitting))
    elapsed_s = spent_s + time.monotonic() - began
    result = {
        "arm": config.arm.name,
        "preset": config.preset,
        "variant": config.variant,
        "schedule": settings.schedule,
        "epochs": settings.epochs,
        "seed": config.seed,
        "foundation_hash": config.foundation_hash,
        "steps": steps,
        "segments": steps * settings.batch_size,
        "seconds": round(elapsed_s, 1),
        "segments_per_second": round(steps * settings.batch_size / trained_s, 2),
        "loss": {name: term.item() for name, term in terms.items()} if first < steps else None,
        "dimensions": model.dimensions,
        "parameters": dict(count_parameters(model)),
        "recordings": len(cache.recordings),
        "skipped": [str(error) for error in batches.skipped],
        "data_hash": config.data_hash,
        "code": code,
        "device": str(device),
    }
    save_model(model, folder / RUN_MODEL, _card(config, result))
    write_json(folder / RESULT, result)
    (folder / _CHECKPOINT).unlink(missing_ok=True)
    return result


@dataclass(frozen=True)
class Progress:
    """How far a run is, by its log; zeros before the first line of it."""

    step: int
    steps: int
    segments_per_second: float

    @property
    def share(self) -> float:
        """Steps done, from 0 to 1."""
        return self.step / self.steps if self.steps else 0.0


def read_progress(folder: Path) -> Progress:
    """How far the run in a folder is, whether it is being trained or not; a folder that is not there is at zero."""
    rows = list(_rows(folder / _LOG))
    if not (folder / RUN_CONFIG).exists() or not rows:
        return Progress(0, 0, 0.0)
    settings = TypeAdapter(RunConfig).validate_json((folder / RUN_CONFIG).read_text()).training
    step, seconds = int(rows[-1]["step"]), float(rows[-1]["seconds"])
    return Progress(step, settings.epochs * settings.batches_per_epoch, step * settings.batch_size / max(seconds, 1e-9))


def _start_from(model: DualEncoder, foundation: Path, expected_hash: str | None) -> None:
    """Take the weights of another arm of the same sizes, without its map; what it lacks stays as initialised.

    Its injections go where this arm injects the same descriptor into the same tower by the same mechanism.
    """
    if weights_hash(foundation) != expected_hash:
        raise AntiphonError(f"{foundation}: its weights have changed since this run was prepared; start a new run")
    theirs = load_dual_encoder(foundation)
    found = {_name_in(model.config.arm, name, theirs.config.arm): kept for name, kept in theirs.state_dict().items()}
    found.pop("discriminant.map", None)  # of that arm's embeddings; found anew
    own = model.state_dict()
    foreign = [name for name in found if name not in own or own[name].shape != found[name].shape]
    if foreign:
        raise AntiphonError(
            f"{foundation}: not a foundation for {model.config.arm.name} at this size: {len(foreign)} of its tensors "
            f"do not fit, the first is {foreign[0]}"
        )
    model.load_state_dict(own | found)


def _name_in(arm: Arm, name: str, theirs: Arm) -> str:
    """What a tensor of `theirs` is called in an arm; one of an injection that the arm lacks, by its descriptor."""
    part, _, rest = name.partition(".")
    if part != "injections":
        return name
    number, _, rest = rest.partition(".")
    one = theirs.injected[int(number)]
    places = [(own.descriptor, own.into, own.by) for own in arm.injected]
    wanted = (one.descriptor, one.into, one.by)
    return f"injections.{places.index(wanted) if wanted in places else one.descriptor}.{rest}"


def _prefetched(batches: TrainingBatches, first: int, steps: int, device: torch.device) -> DataLoader[Batch]:
    """Batches in step order; worker processes read ahead, beside a GPU into page-locked memory.

    On a CPU one of them, where PyTorch may use several threads.
    """
    workers = min(8, os.cpu_count() or 1) if device.type == "cuda" else int(torch.get_num_threads() > 1)
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, steps),
        num_workers=workers,
        pin_memory=device.type == "cuda",
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # not the one that dropout draws from, which a checkpoint has restored
    )


@torch.no_grad()
def _in_batch_recall(audio: Tensor, notes: Tensor) -> float:
    """Percent of the batch's windows of sound whose nearest notes are their own (a tie is a miss)."""
    cosine = torch.nn.functional.normalize(audio, dim=1) @ torch.nn.functional.normalize(notes, dim=1).T
    return float(100 * ((cosine >= cosine.diagonal()[:, None]).sum(dim=1) == 1).float().mean())


def _save_checkpoint(
    folder: Path,
    model: DualEncoder,
    optimiser: torch.optim.Optimizer,
    memory: Memory | None,
    done: int,
    elapsed_s: float,
) -> None:
    """Model, optimiser, memory, random state, and the step, from which schedule and data position follow."""
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "memory": None if memory is None else memory.state_dict(),
        "random": torch.get_rng_state(),
        "random_gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "step": done,
        "elapsed_s": elapsed_s,
    }
    with written_aside(folder / _CHECKPOINT) as aside:
        torch.save(state, aside)


def _load_checkpoint(
    folder: Path, model: DualEncoder, optimiser: torch.optim.Optimizer, memory: Memory | None, device: torch.device
) -> tuple[int, float]:
    """Restore the last checkpoint if there is one: (steps done, seconds spent)."""
    path = folder / _CHECKPOINT
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    if memory is not None:
        memory.load_state_dict(state["memory"])
    torch.set_rng_state(state["random"].cpu())
    if state["random_gpu"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["random_gpu"].cpu())
    return int(state["step"]), float(state["elapsed_s"])


class _Log(contextlib.AbstractContextManager["_Log"]):
    """`log.csv`, and TensorBoard beside it where that is installed; rows after the checkpoint are written again."""

    def __init__(self, folder: Path, done: int) -> None:
        path = folder / _LOG
        kept = [row for row in _rows(path) if int(row["step"]) <= done]
        self._file = path.open("w", newline="")
        self._writer: csv.DictWriter[str] | None = None
        for row in kept:
            self._write_row(row)
        self._board: Any = None
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(
        self, step: int, terms: dict[str, Tensor], recall: float, norm: float, scale: float, elapsed_s: float
    ) -> None:
        values = {
            **{name: term.item() for name, term in terms.items()},
            "in_batch_recall": recall,
            "gradient_norm": norm,
            "rate_multiplier": scale,
        }
        self._write_row({"step": step, **{k: f"{v:.6g}" for k, v in values.items()}, "seconds": f"{elapsed_s:.1f}"})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _write_row(self, row: dict[str, Any]) -> None:
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row))
            self._writer.writeheader()
        self._writer.writerow(row)
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(newline="") as file:
            yield from csv.DictReader(file)


def _card(config: RunConfig, result: dict[str, Any]) -> str:
    return f"""# {config.arm.name}, preset {config.preset}

An Antiphon dual encoder: windows of {config.sizes.window_s:g} s of sound or of notes → unit vectors of
{result["dimensions"]} dimensions, compared by their dot product.

* trained on {result["recordings"]} recordings of {", ".join(Path(spec).name for spec in config.corpora)}
  ({_drawn(config, result)}, seed {config.seed}, data {config.data_hash[:12]})
* parameters: {result["parameters"]["total"]:,}, trained: {result["parameters"]["trainable"]:,}
* code: {result["code"]["version"]}, commit {result["code"]["commit"]}
"""


def _drawn(config: RunConfig, result: dict[str, Any]) -> str:
    """How many windows what was learned comes from."""
    mapped = config.training.discriminant_batches * config.training.batch_size
    ways = [
        *([f"from {config.foundation}, {config.foundation_hash[:12]}"] if config.foundation_hash else []),
        f"{result['segments']} windows drawn",
        *([f"{mapped} for the map of towers and descriptors"] if config.arm.beside else []),
    ]
    return ", ".join(ways)
