"""Time and memory of a model for embedding a batch, or for a training step. Weights and windows are random."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, collate
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.process_memory import resident_mib
from antiphon.types import MODALITIES

_SEED = 0


@dataclass(frozen=True)
class Load:
    """The input of a pass: `windows` of audio with `notes` notes each. `learning` adds the backward pass."""

    windows: int
    notes: int
    learning: bool


def random_windows(config: ModelConfig, load: Load) -> Batch:
    """Noise and random notes of the model's window length: time and memory depend only on shapes."""
    sizes, rng = config.sizes, np.random.default_rng(_SEED)
    audio = rng.normal(0.0, 0.1, (load.windows, round(sizes.window_s * sizes.sample_rate_hz))).astype(np.float32)
    notes = [
        Notes.of(
            rng.uniform(0.0, sizes.window_s, load.notes),
            rng.uniform(0.05, 1.0, load.notes),
            rng.integers(21, 109, load.notes),
            rng.integers(20, 110, load.notes),
        )
        for _ in range(load.windows)
    ]
    return collate(audio, notes)


def pass_through(model: DualEncoder, batch: Batch, learning: bool) -> None:
    """Embed both modalities, descriptors included. With `learning`, compute all inputs of a loss and all gradients."""
    if not learning:
        with torch.inference_mode():
            found = model.describe(batch)
            for side in MODALITIES:
                model.encode(side, batch, found)
        return
    encoded = model(batch)
    inputs = [encoded.audio, encoded.notes, *encoded.penalties.values()]
    loss = sum((tensor.square().mean() for tensor in inputs), start=torch.zeros((), device=batch.audio.device))
    if encoded.branch is not None:
        loss = loss + encoded.branch.square().mean()
    loss.backward()
    model.zero_grad(set_to_none=True)


def built(config: ModelConfig, load: Load, device: torch.device) -> tuple[DualEncoder, Batch]:
    """A model with random weights and a batch for it, on the device."""
    return DualEncoder(config).train(load.learning).to(device), random_windows(config, load).to(device)


def best_seconds(calls: Mapping[str, Callable[[], object]], repeats: int, limit_s: float) -> dict[str, float]:
    """Shortest wall time of each call in seconds. Calls alternate, so that other load on the machine affects all of
    them equally: `repeats` times after a warm-up, or as often as `limit_s` seconds in total allow, at least once."""
    best = dict.fromkeys(calls, float("inf"))
    began = time.perf_counter()
    for turn in range(1, repeats + 2):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - started)
        if (time.perf_counter() - began) * (turn + 1) / turn > limit_s:  # the next turn would exceed it
            break
    return best


def seconds_per_window(
    configs: Sequence[ModelConfig], load: Load, device: torch.device, repeats: int = 5, limit_s: float = 60.0
) -> list[float]:
    """Seconds per window for each model, the best of several passes of `load`."""

    def timed(config: ModelConfig) -> Callable[[], object]:
        model, batch = built(config, load, device)

        def call() -> None:
            pass_through(model, batch, load.learning)
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return call

    best = best_seconds({str(number): timed(config) for number, config in enumerate(configs)}, repeats, limit_s)
    return [seconds / load.windows for seconds in best.values()]


def peak_mib(config: ModelConfig, load: Load, device: torch.device) -> tuple[float, float]:
    """Peak memory of one pass in a new process, and the memory of that process before the pass, model included; in MiB.

    On a CPU this is the resident memory of the process, with Python and PyTorch; on a GPU, the memory of the tensors
    there. nan where the system does not report it.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, torch.set_num_threads, (torch.get_num_threads(),)) as pool:
        return pool.submit(_peak_of_pass, config, load, str(device)).result()


def _peak_of_pass(config: ModelConfig, load: Load, device_name: str) -> tuple[float, float]:
    device = torch.device(device_name)
    model, batch = built(config, load, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device) / 1024**2
        pass_through(model, batch, load.learning)
        return torch.cuda.max_memory_allocated(device) / 1024**2, before
    before = resident_mib("VmRSS")
    pass_through(model, batch, load.learning)
    return resident_mib("VmHWM"), before
