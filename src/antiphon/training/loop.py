"""The training loop: starts a run or goes on with one, and leaves its model and result in the run folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.io.files import write_json
from antiphon.models.batch import Batch
from antiphon.models.loading import trained_folder
from antiphon.models.network import DualEncoder, pick_device
from antiphon.models.saving import RUN_MODEL, save_model
from antiphon.process_memory import keep_freed_memory
from antiphon.progress import track
from antiphon.provenance import code_version
from antiphon.training.batches import TrainingBatches, open_sample_caches
from antiphon.training.checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint
from antiphon.training.config import RESULT, RunConfig, read_config, reopen_run, write_config
from antiphon.training.embedding_queue import EmbeddingQueue
from antiphon.training.initialisation import build_model, start_from
from antiphon.training.late_fusion import fit_late_fusion
from antiphon.training.losses import LOSSES
from antiphon.training.model_card import model_card
from antiphon.training.rates import apply_rates, count_parameters
from antiphon.training.run_log import LOG_EVERY, RunLog
from antiphon.training.schedules import SCHEDULES
from antiphon.training.step import training_step


def start_run(folder: Path, corpora: Sequence[Corpus], config: RunConfig) -> dict[str, Any]:
    """Begin a run in a new or empty folder and carry it to its end; returns its result."""
    if folder.exists() and any(folder.iterdir()):
        raise AntiphonError(f"{folder} is not empty; go on with it by --resume {folder}, or choose another folder")
    model = build_model(config)  # what cannot work is refused before there is a folder
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, config)
    return _carry_on(folder, corpora, config, model)


def resume_run(
    folder: Path,
    *,
    corpora: Sequence[Corpus | str | Path] = (),
    audio: Path | None = None,
    init_from: str | Path | None = None,
) -> dict[str, Any]:
    """Go on from the last checkpoint, or from the start if there is none; a finished run's result is returned.

    `corpora`, `audio` and `foundation` say where they are now, if they have been moved. Raises `AntiphonError` when
    they are not those that the run began with.
    """
    read_config(folder)  # a run folder, and one that this version can read
    if (folder / RESULT).exists():
        return json.loads((folder / RESULT).read_text(encoding="utf-8"))
    opened, config = reopen_run(folder, corpora=corpora, audio=audio, init_from=init_from)
    return _carry_on(folder, opened, config, build_model(config))


def _carry_on(folder: Path, corpora: Sequence[Corpus], config: RunConfig, model: DualEncoder) -> dict[str, Any]:
    """The loop, from whatever the folder holds to the end of the run; `model` is as it begins."""
    settings, sizes, device = config.training, config.sizes, pick_device()
    steps = config.steps
    keep_freed_memory()
    code = code_version()  # now: the checkout may move on while the run goes on
    model = model.to(device)
    optimiser = torch.optim.AdamW(apply_rates(model, settings.rates), weight_decay=settings.weight_decay)
    multiplier, loss = SCHEDULES[settings.schedule].multiplier, LOSSES[settings.loss]
    queue = EmbeddingQueue(settings.queue_size) if settings.queue_size else None
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
        settings.adjacent_s,
        settings.augmentation,
    )
    first, spent_s = load_checkpoint(folder, model, optimiser, queue, device)
    if first == 0 and config.init_from is not None:
        start_from(model, trained_folder(config.init_from, "a foundation"), config.init_from_hash)
    began = time.monotonic()

    model.train()
    with RunLog(folder, first) as log:
        loader = _prefetched(batches, first, steps, device)
        for step, batch in zip(range(first, steps), track(loader, "training", steps - first), strict=True):
            scale = multiplier(step, steps, settings.warmup_steps)
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * scale
            model.set_progress(step / steps)
            remembered = queue if step >= settings.queue_from_step else None
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
            at_end = done == steps and model.late_fusion is not None  # whose map takes minutes yet
            if at_end or (done % settings.checkpoint_every == 0 and done < steps):
                save_checkpoint(folder, model, optimiser, queue, done, spent_s + time.monotonic() - began)

    trained_s = spent_s + time.monotonic() - began
    if model.late_fusion is not None:
        model.set_progress(1.0)
        count = settings.late_fusion_batches
        fitting = track(_prefetched(batches.fitting(count), 0, count, device), "discriminant", count)
        fit_late_fusion(model, (batch.to(device) for batch in fitting))
    elapsed_s = spent_s + time.monotonic() - began
    result = {
        "arm": config.arm.name,
        "preset": config.preset,
        "variant": config.variant,
        "schedule": settings.schedule,
        "epochs": settings.epochs,
        "seed": config.seed,
        "init_from_hash": config.init_from_hash,
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
    save_model(model, folder / RUN_MODEL, model_card(config, result))
    write_json(folder / RESULT, result)
    remove_checkpoint(folder)
    return result


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
