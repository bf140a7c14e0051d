"""Embedding speed: windows per second of the template baseline and of preset `small` with random weights, and files
and queries with the default model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from antiphon.corpora import open_corpus
from antiphon.corpora.segment_table import WindowGrid
from antiphon.index.embedding import embed_file
from antiphon.index.query import open_query
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.models.arms import find_arm
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.loading import load_model
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.protocol import Embedder
from antiphon.training.presets import find_preset
from antiphon.types import AS_RECORDED, Modality
from benchmarks.timing import Benchmark, Effort, Row, in_fresh_process, race

_UNIT = "windows/s"


def _embed(embedder: Embedder, modality: Modality, what: str, effort: Effort) -> list[Row]:
    """Embed the windows of one demo recording, 4 s long, one per second."""
    recording = max(open_corpus("demo").recordings, key=lambda recording: recording.duration_s)
    assert recording.audio_path is not None
    starts_s = WindowGrid(max_windows=effort.pick(100, 8)).starts_s(recording.duration_s)
    if modality == "audio":
        samples = read_samples(recording.audio_path, embedder.sample_rate_hz, 0.0, float(starts_s[-1]) + 4.0)
        return race(what, _UNIT, len(starts_s), partial(embedder.embed_audio_windows, samples, starts_s), effort)
    notes = read_notes(recording.notes_path)
    return race(what, _UNIT, len(starts_s), partial(embedder.embed_notes_windows, notes, starts_s), effort)


def _template(modality: Modality, effort: Effort) -> list[Row]:
    from antiphon.models.template import TemplateEmbedder

    return _embed(TemplateEmbedder(), modality, f"embed {modality}, template", effort)


def _small(modality: Modality, effort: Effort) -> list[Row]:
    rows, peak_mib = in_fresh_process(_embed_small, modality, effort)
    return [*rows, Row(f"embed {modality}, small d4a4: peak memory of the process", "MiB", peak_mib)]


def _embed_small(modality: Modality, effort: Effort) -> list[Row]:
    torch.manual_seed(0)
    model = DualEncoder(ModelConfig(find_arm("d4a4"), find_preset("small").sizes))
    return _embed(ModelEmbedder(model, "small", torch.device("cpu")), modality, f"embed {modality}, small d4a4", effort)


def _default(effort: Effort) -> list[Row]:
    rows, peak_mib = in_fresh_process(_embed_default, effort)
    return [*rows, Row("default: peak memory of the process", "MiB", peak_mib)]


def _embed_default(effort: Effort) -> list[Row]:
    """Embed the files of a recording and its notes, one window per second, and ten seconds of each as a query."""
    embedder = load_model("default")
    recording = max(open_corpus("demo").recordings, key=lambda recording: recording.duration_s)
    files: dict[Modality, Path | None] = {"audio": recording.audio_path, "notes": recording.notes_path}
    rows = []
    for modality, path in files.items():
        assert path is not None
        embed = partial(embed_file, path, modality, embedder, 1.0)
        rows += race(f"default, {modality} file to vectors", "× real time", recording.duration_s, embed, effort)
        embed_query = partial(_embed_query, path, embedder)
        rows += race(f"default, 10 s of {modality} as a query", "queries/s", 1, embed_query, effort)
    return rows


def _embed_query(path: Path, embedder: Embedder) -> NDArray[np.float32]:
    """Read ten seconds of a file and embed seven windows, one per second."""
    return open_query(path, embedder, 0.0, 10.0).embed(np.arange(7.0), AS_RECORDED)


_MODALITIES: tuple[Modality, ...] = ("audio", "notes")

BENCHMARKS = (
    *(Benchmark(f"template-{modality}", partial(_template, modality)) for modality in _MODALITIES),
    *(Benchmark(f"embed-{modality}", partial(_small, modality)) for modality in _MODALITIES),
    Benchmark("embed-default", _default),
)
