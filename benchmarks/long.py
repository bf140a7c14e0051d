"""A recording of ten hours, compared with one of ten minutes: speed and memory of an index build, and of searches.

The recordings are the demo corpus end to end, at 44.1 kHz in mono, again and again, each time 3 % faster and higher:
exact copies would make a search try harder than in other recordings. Each figure comes from its own process. Speeds
are of processor time, which other load on the machine changes less than wall time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from antiphon.corpora import open_corpus
from antiphon.index.build import build_index
from antiphon.index.search import search
from antiphon.index.store import Store
from antiphon.io.audio import read_samples
from antiphon.models.loading import load_model
from antiphon.signal.varispeed import PlayedSound
from benchmarks.timing import Benchmark, Effort, Row, in_fresh_process

_RATE_HZ = 44_100
_BLOCK = 1 << 16
_HOUR_S = 3600
_FASTER = 0.03
_BARS = "bars: 1,536 MiB, ratio 0.8"
_QUERIES, _QUERY_S = 5, (10.0, 15.0)


def _lengths_s(effort: Effort) -> tuple[int, int]:
    """Seconds of the long recording and of the short one."""
    return effort.pick(10 * _HOUR_S, 120), effort.pick(600, 60)


def _write(path: Path, length_s: int) -> None:
    pieces = [read_samples(one.audio_path, _RATE_HZ) for one in open_corpus("demo").recordings if one.audio_path]
    sound, left, speed = np.concatenate(pieces), length_s * _RATE_HZ, 1.0
    with soundfile.SoundFile(str(path), "w", _RATE_HZ, channels=1) as file:
        while left:
            length = min(left, int((len(sound) - 1) / speed))
            played = PlayedSound(sound, speed, length)
            for begin in range(0, length, _BLOCK):
                file.write(played[begin : begin + _BLOCK])
            left, speed = left - length, speed + _FASTER


def _compared(what: str, work: Callable[[int], float], effort: Effort) -> list[Row]:
    """Rows of the speed and of the memory of work with both recordings; `work` takes the length and gives seconds."""
    (long_s, long_mib), (short_s, short_mib) = (in_fresh_process(work, length_s) for length_s in _lengths_s(effort))
    long, short = _lengths_s(effort)
    return [
        Row(f"{what}: speed", "× real time", long / long_s, f"{short} s", short / short_s, _BARS),
        Row(f"{what}: peak memory", "MiB", long_mib, f"{short} s", short_mib),
    ]


def _of_both(suffix: str, model: str, effort: Effort) -> list[Row]:
    """Build an index of each recording, search it, and search an index of notes with each recording."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for length_s in _lengths_s(effort):
            _write(folder / f"{length_s}.{suffix}", length_s)
        build, query = (
            partial(_build, folder, suffix, model),
            partial(_query_index, folder, model, effort.pick(_QUERIES, 1)),
        )
        rows = _compared(f"index build of one {suffix}, {model}", build, effort)
        (long_s, long_mib), (short_s, _) = (in_fresh_process(query, length_s) for length_s in _lengths_s(effort))
        searches = f"15 s of notes in an index of one {suffix}, {model}"
        rows += [
            Row(f"{searches}: speed", "queries/s", 1 / long_s, f"{_lengths_s(effort)[1]} s", 1 / short_s),
            Row(f"{searches}: peak memory", "MiB", long_mib),
        ]
        if model == "default" and suffix == "flac":
            _ = in_fresh_process(_build_notes, folder, model)
            rows += _compared(f"whole {suffix} as a query, {model}", partial(_search, folder, suffix, model), effort)
    return rows


def _build(folder: Path, suffix: str, model: str, length_s: int) -> float:
    embedder, began_s = load_model(model), time.process_time()
    report = build_index([folder / f"{length_s}.{suffix}"], embedder, model, folder / f"index-{length_s}")
    assert report.embedded == 1
    return time.process_time() - began_s


def _build_notes(folder: Path, model: str) -> None:
    files = [one.notes_path for one in open_corpus("demo").recordings]
    build_index(files, load_model(model), model, folder / "index-notes")


def _search(folder: Path, suffix: str, model: str, length_s: int) -> float:
    embedder, began_s = load_model(model), time.process_time()
    with Store(folder / "index-notes") as store:
        assert search(folder / f"{length_s}.{suffix}", store, embedder)[0].confidence > 0.9
    return time.process_time() - began_s


def _query_index(folder: Path, model: str, queries: int, length_s: int) -> float:
    embedder, began_s = load_model(model), time.process_time()
    with Store(folder / f"index-{length_s}") as store:
        for one in open_corpus("demo").recordings[:queries]:
            search(one.notes_path, store, embedder, *_QUERY_S)
    return (time.process_time() - began_s) / queries


BENCHMARKS = (
    *(Benchmark(f"read-long-{suffix}", partial(_of_both, suffix, "default")) for suffix in ("flac", "wav", "mp3")),
    Benchmark("read-long-template", partial(_of_both, "flac", "template")),
)
