"""Training speed of every arm in segments per second: batch sampling, forward, loss, backward, clipping, optimiser.

Preset `small` runs on the CPU. Preset `paper` runs on the GPU where there is one, else D0 and A4r run on the CPU with
batches of two segments.
"""

from __future__ import annotations

from functools import partial
from itertools import count

import torch

from antiphon.corpora import open_corpus
from antiphon.models.arms import ARMS, find_arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.process_memory import keep_freed_memory
from antiphon.training.batches import TrainingBatches
from antiphon.training.losses import LOSSES
from antiphon.training.presets import find_preset
from antiphon.training.rates import apply_rates
from antiphon.training.sample_cache import open_sample_cache
from antiphon.training.step import training_step
from benchmarks.timing import Benchmark, Effort, Row, in_fresh_process, race

_STEPS = 10_000


def _train(arm: str, preset: str, device: str, batch_size: int | None, effort: Effort) -> list[Row]:
    rows, peak_mib = in_fresh_process(_train_here, arm, preset, device, batch_size, effort)
    if device == "cpu":
        rows.append(Row(f"train {preset} {arm}: peak memory of the process", "MiB", peak_mib))
    return rows


def _train_here(arm: str, preset: str, device: str, batch_size: int | None, effort: Effort) -> list[Row]:
    """Time the steps of `antiphon.training.loop` on the training split of the demo corpus."""
    keep_freed_memory()
    settings, sizes = find_preset(preset).training, find_preset(preset).sizes
    batch_size = batch_size or settings.batch_size
    torch.manual_seed(0)
    model = DualEncoder(ModelConfig(find_arm(arm), sizes)).train().to(device)
    optimiser = torch.optim.AdamW(apply_rates(model, settings.rates), weight_decay=settings.weight_decay)
    cache = open_sample_cache(open_corpus("demo").split("train"), sizes.sample_rate_hz, sizes.window_s)
    batches = TrainingBatches(cache, sizes.sample_rate_hz, sizes.window_s, batch_size, _STEPS, seed=0)
    steps = count()

    def step() -> None:
        batch = batches[next(steps)].to(torch.device(device))
        training_step(model, optimiser, batch, LOSSES[settings.loss], settings.clip_norm)
        if device == "cuda":
            torch.cuda.synchronize()

    what = f"train {preset} {arm}, batch {batch_size}" + (", GPU" if device == "cuda" else "")
    rows = race(what, "segments/s", batch_size, step, effort)
    if device == "cuda":
        rows.append(Row(f"{what}: peak memory", "MiB", torch.cuda.max_memory_allocated() / 2**20))
    return rows


# `a4r` is a second name of an arm in the paper's tables; it would run the same benchmark twice.
_ARMS = [name for name in ARMS if name != "a4r"]
_LARGE: tuple[str, int | None] = ("cuda", None) if torch.cuda.is_available() else ("cpu", 2)
_LARGE_ARMS = _ARMS if torch.cuda.is_available() else ["D0", "A4r"]
BENCHMARKS = (
    *(Benchmark(f"train-{arm}", partial(_train, arm, "small", "cpu", None)) for arm in _ARMS),
    *(Benchmark(f"train-paper-{arm}", partial(_train, arm, "paper", *_LARGE)) for arm in _LARGE_ARMS),
)
