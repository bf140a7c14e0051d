"""The training loop: starts or resumes a run, and saves its model and result in the run folder."""

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

from antiphon.augmentation import Conditions
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
from antiphon.training.batches import TrainingBatches
from antiphon.training.checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint
from antiphon.training.config import RESULT, RunConfig, read_config, reopen_run, write_config
from antiphon.training.embedding_queue import EmbeddingQueue
from antiphon.training.initialisation import build_model, start_from
from antiphon.training.late_fusion import fit_late_fusion
from antiphon.training.losses import LOSSES
from antiphon.training.model_card import model_card
from antiphon.training.rates import apply_rates, count_parameters
from antiphon.training.run_log import LOG_EVERY, RunLog
from antiphon.training.sample_cache import open_sample_caches
from antiphon.training.schedules import SCHEDULES
from antiphon.training.step import training_step


def start_run(folder: Path, corpora: Sequence[Corpus], config: RunConfig) -> dict[str, Any]:
    """Train a run in a new or empty folder to its end. Returns its result.

    Raises `AntiphonError` for a folder with content, settings that contradict each other, and a loss that diverges.
    """
    if folder.exists() and any(folder.iterdir()):
        raise AntiphonError(f"{folder} is not empty; resume its run with --resume {folder}, or choose another folder")
    model = build_model(config)  # raises before the folder exists
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, config)
    return _run_to_end(folder, corpora, config, model)


def resume_run(
    folder: Path,
    *,
    corpora: Sequence[Corpus | str | Path] = (),
    audio: Path | None = None,
    init_from: str | Path | None = None,
) -> dict[str, Any]:
    """Continue from the last checkpoint, or from the start without one. Returns the result, also of a finished run.

    `corpora`, `audio` and `init_from` are the new locations, if they have been moved. Raises `AntiphonError` when they
    are not those that the run began with.
    """
    read_config(folder)  # raises for a folder that is no run of a known format
    if (folder / RESULT).exists():
        return json.loads((folder / RESULT).read_text(encoding="utf-8"))
    opened, config = reopen_run(folder, corpora=corpora, audio=audio, init_from=init_from)
    return _run_to_end(folder, opened, config, build_model(config))


def _run_to_end(folder: Path, corpora: Sequence[Corpus], config: RunConfig, model: DualEncoder) -> dict[str, Any]:
    """The loop, from the folder's checkpoint to the end of the run; `model` has the initial weights."""
    settings, sizes, device = config.training, config.sizes, pick_device()
    steps = config.steps
    keep_freed_memory()
    code = code_version()  # now: the checkout may change during the run
    model = model.to(device)
    optimiser = torch.optim.AdamW(apply_rates(model, settings.rates), weight_decay=settings.weight_decay)
    multiplier, loss = SCHEDULES[settings.schedule].multiplier, LOSSES[settings.loss]
    queue = EmbeddingQueue(settings.queue_size) if settings.queue_size else None
    conditions = None if settings.conditions is None else Conditions(settings.conditions, config.seed)
    cache = open_sample_caches(corpora, sizes.sample_rate_hz, sizes.window_s, conditions)
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
        start_from(model, trained_folder(config.init_from, "init_from"), config.init_from_hash)
    began = time.monotonic()

    model.train()
    with RunLog(folder, first) as log:
        loader = _prefetched(batches, first, steps, device)
        for step, batch in zip(range(first, steps), track(loader, "training", steps - first), strict=True):
            scale = multiplier(step, steps, settings.warmup_steps)
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * scale
            model.set_progress(step / steps)
            active_queue = queue if step >= settings.queue_from_step else None
            encoded, terms, norm = training_step(
                model, optimiser, batch.to(device), loss, settings.clip_norm, active_queue
            )

            done = step + 1
            if done % LOG_EVERY == 0 or done == steps:
                if not all(torch.isfinite(term) for term in terms.values()):
                    raise AntiphonError(f"the loss is not finite at step {done}; lower the learning rates")
                elapsed_s = spent_s + time.monotonic() - began
                recall = _in_batch_recall(encoded.audio.float(), encoded.notes.float())
                log.write(done, terms, recall, float(norm), scale, elapsed_s)
            at_end = done == steps and model.late_fusion is not None  # fitting late fusion takes minutes
            if at_end or (done % settings.checkpoint_every == 0 and done < steps):
                save_checkpoint(folder, model, optimiser, queue, done, spent_s + time.monotonic() - began)

    trained_s = spent_s + time.monotonic() - began
    if model.late_fusion is not None:
        model.set_progress(1.0)
        count = settings.late_fusion_batches
        loader = _prefetched(batches.for_late_fusion(count), 0, count, device)
        fit_late_fusion(model, (batch.to(device) for batch in track(loader, "fitting late fusion", count)))
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
    """Batches in step order, prefetched by worker processes; with a GPU, into page-locked memory.

    On a CPU there is one worker if PyTorch may use several threads, else none.
    """
    workers = min(8, os.cpu_count() or 1) if device.type == "cuda" else int(torch.get_num_threads() > 1)
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, steps),
        num_workers=workers,
        pin_memory=device.type == "cuda",
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # not the global one, which dropout uses and a checkpoint has restored
    )


@torch.no_grad()
def _in_batch_recall(audio: Tensor, notes: Tensor) -> float:
    """Percent of the batch's audio windows with their own notes as the nearest; a tie is an error."""
    cosine = torch.nn.functional.normalize(audio, dim=1) @ torch.nn.functional.normalize(notes, dim=1).T
    return float(100 * ((cosine >= cosine.diagonal()[:, None]).sum(dim=1) == 1).float().mean())
