"""Training segments per second on the CPU: drawing a batch, forward, loss, backward, clipping, optimiser step."""

from __future__ import annotations

from functools import partial
from itertools import count

import torch

from antiphon.arms import ARMS, find_arm
from antiphon.corpora import open_corpus
from antiphon.losses import LOSSES
from antiphon.model import DualEncoder, ModelConfig
from antiphon.presets import find_preset
from antiphon.training.data import TrainingBatches, open_sample_cache
from antiphon.training.rates import apply_rates
from antiphon.training.step import training_step
from benchmarks.timing import Benchmark, Effort, Row, in_fresh_process, race

_STEPS = 10_000


def _train(arm: str, effort: Effort) -> list[Row]:
    rows, peak_mib = in_fresh_process(_train_here, arm, effort)
    return [*rows, Row(f"train small {arm}: peak memory of the process", "MiB", peak_mib)]


def _train_here(arm: str, effort: Effort) -> list[Row]:
    """The steps of `antiphon.training.run`, on the demo corpus's training split."""
    preset = find_preset("small")
    settings, sizes = preset.training, preset.sizes
    torch.manual_seed(0)
    model = DualEncoder(ModelConfig(find_arm(arm), sizes)).train()
    optimiser = torch.optim.AdamW(apply_rates(model, settings.rates), weight_decay=settings.weight_decay)
    cache = open_sample_cache(open_corpus("demo").split("train"), sizes.sample_rate_hz, sizes.window_s)
    batches = TrainingBatches(cache, sizes.sample_rate_hz, sizes.window_s, settings.batch_size, _STEPS, seed=0)
    steps = count()

    def step() -> None:
        training_step(model, optimiser, batches[next(steps)], LOSSES[settings.loss], settings.clip_norm)

    what = f"train small {arm}, batch {settings.batch_size}"
    return race(what, "segments/s", settings.batch_size, step, effort)


BENCHMARKS = tuple(Benchmark(f"train-{arm}", partial(_train, arm)) for arm in ARMS)
