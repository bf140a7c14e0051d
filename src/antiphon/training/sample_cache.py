"""The samples of training corpora, decoded once into int16 files that are mapped from disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from antiphon.augmentation import Conditions, record_whole
from antiphon.augmentation.conditions import CONDITION_RANGES
from antiphon.corpora import Corpus, Recording
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.cache import cache_folder, cache_limit_bytes, evict, mark_used
from antiphon.io.files import atomic_file, write_json
from antiphon.models.corpus_embedding import read_sound
from antiphon.progress import track

_FULL_SCALE = np.float32(32767)
_SAMPLE_BYTES = np.dtype(np.int16).itemsize
_INDEX = "index.json"
_Recorded = Callable[[NDArray[np.float32], Recording], NDArray[np.float32]]


@dataclass(frozen=True)
class SampleFile:
    """A file of int16 samples; recording i has samples offset[i] to offset[i + 1]."""

    path: Path
    offset: tuple[int, ...]

    def map(self) -> tuple[NDArray[np.int16], ...]:
        """The samples of each recording, int16 [n], mapped from disk. Raises `AntiphonError` for a missing file."""
        try:
            samples = np.memmap(self.path, np.int16, mode="r")
        except FileNotFoundError:
            raise AntiphonError(f"{self.path}: the sample cache was removed while in use; start again") from None
        return tuple(samples[begin:end] for begin, end in pairwise(self.offset))


@dataclass(frozen=True)
class SampleCache:
    """Recordings with their samples: `samples[i]`, int16 [n], mapped from `files`, belongs to `recordings[i]`.

    `skipped` are the errors of recordings that could not be read. A pickled cache contains the paths of the files only
    and maps them again when it is unpickled, so that spawned loader processes get no copy of all samples.
    """

    recordings: tuple[Recording, ...]
    files: tuple[SampleFile, ...]
    skipped: tuple[UnreadableInput, ...]
    samples: tuple[NDArray[np.int16], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", tuple(part for file in self.files for part in file.map()))

    def __reduce__(self) -> tuple[type[SampleCache], tuple[object, ...]]:
        return SampleCache, (self.recordings, self.files, self.skipped)


def open_sample_caches(
    corpora: Sequence[Corpus], sample_rate_hz: int, window_s: float, conditions: Conditions | None = None
) -> SampleCache:
    """Decode each corpus once and map the results as one cache; later calls with equal data only map them.

    With `conditions` the corpora are the instruments, with the same recordings. Each recording is then taken from one
    of them, under its condition.

    Recordings with audio that cannot be read are skipped. Raises `AntiphonError` for a corpus without readable ones.
    Where the cache would exceed `cache_limit_bytes()`, samples of other corpora are removed, least recently used first.
    """
    corpora = [corpus.with_sound() for corpus in corpora]
    instruments = len(corpora)
    if conditions is not None:
        corpora = _by_instrument(corpora, conditions)
    keys = [_cache_key(corpus, sample_rate_hz, window_s, conditions, instruments) for corpus in corpora]
    folders = [cache_folder("samples") / key for key in keys]
    missing_s = sum(
        corpus.duration_s for corpus, folder in zip(corpora, folders, strict=True) if not (folder / _INDEX).exists()
    )
    evict("samples", cache_limit_bytes() - round(missing_s * sample_rate_hz) * _SAMPLE_BYTES, keep=folders)

    def recorded(samples: NDArray[np.float32], recording: Recording) -> NDArray[np.float32]:
        if conditions is None:
            return samples
        condition = conditions.condition_of(recording.id, instruments)
        return record_whole(samples, condition, recording.id, sample_rate_hz)

    caches = [
        _open_one(corpus, folder, sample_rate_hz, window_s, recorded)
        for corpus, folder in zip(corpora, folders, strict=True)
    ]
    return SampleCache(
        tuple(recording for cache in caches for recording in cache.recordings),
        tuple(file for cache in caches for file in cache.files),
        tuple(error for cache in caches for error in cache.skipped),
    )


def open_sample_cache(corpus: Corpus, sample_rate_hz: int, window_s: float) -> SampleCache:
    """The cache of one corpus, see `open_sample_caches`."""
    return open_sample_caches([corpus], sample_rate_hz, window_s)


def _by_instrument(corpora: Sequence[Corpus], conditions: Conditions) -> list[Corpus]:
    """Of each corpus the recordings whose condition has its instrument; corpora without any are left out.

    Raises `AntiphonError` for corpora with different recordings.
    """
    ids = {recording.id for recording in corpora[0].recordings}
    for corpus in corpora[1:]:
        if {recording.id for recording in corpus.recordings} != ids:
            raise AntiphonError(
                f"{corpus.name} and {corpora[0].name} have different recordings; corpora for recording conditions are "
                "renderings of the same ones with different instruments"
            )
    instrument = {id_: conditions.condition_of(id_, len(corpora)).instrument for id_ in ids}
    parts = [
        replace(corpus, recordings=tuple(one for one in corpus.recordings if instrument[one.id] == number))
        for number, corpus in enumerate(corpora)
    ]
    return [part for part in parts if len(part)]


def _open_one(corpus: Corpus, folder: Path, sample_rate_hz: int, window_s: float, recorded: _Recorded) -> SampleCache:
    if not (folder / _INDEX).exists():
        with FileLock(folder.with_suffix(".lock")):  # of several processes, one decodes and the others wait
            if not (folder / _INDEX).exists():
                _decode_all(corpus.recordings, sample_rate_hz, window_s, folder, recorded)
    mark_used(folder)
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    kept = tuple(corpus.recordings[number] for number in index["recordings"])
    if not kept:
        raise AntiphonError(f"{corpus.name}: no recording can be read; first: {': '.join(index['skipped'][0])}")
    skipped = tuple(UnreadableInput(path, reason) for path, reason in index["skipped"])
    file = SampleFile(folder / "samples.int16", tuple(index["offset"]))
    return SampleCache(kept, (file,), (*corpus.skipped, *skipped))


def _cache_key(
    corpus: Corpus, sample_rate_hz: int, window_s: float, conditions: Conditions | None, instruments: int
) -> str:
    """A hash of sources and settings of decoding, with modification times: files of equal size may differ."""
    written = [one.audio_path.stat().st_mtime_ns for one in corpus.recordings if one.audio_path is not None]
    under = [] if conditions is None else [asdict(conditions), asdict(CONDITION_RANGES), instruments]
    sources = json.dumps([corpus.manifest_hash, written, sample_rate_hz, window_s, *under])
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _decode_all(
    recordings: tuple[Recording, ...], sample_rate_hz: int, window_s: float, folder: Path, recorded: _Recorded
) -> None:
    def decode(recording: Recording) -> NDArray[np.int16] | UnreadableInput:
        assert recording.audio_path is not None
        try:
            samples = read_sound(recording.audio_path, sample_rate_hz, window_s, length_s=recording.duration_s)
        except UnreadableInput as error:
            return error
        samples = recorded(samples, recording)
        return np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)

    folder.mkdir(parents=True, exist_ok=True)
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    offset = [0]
    with (
        atomic_file(folder / "samples.int16") as temporary,
        temporary.open("wb") as file,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        # In slices: a pool maps eagerly, and decoded recordings that wait to be written would fill the memory.
        slices = [recordings[begin : begin + 16] for begin in range(0, len(recordings), 16)]
        decoded = (result for part in slices for result in pool.map(decode, part))
        for number, result in enumerate(track(decoded, "decoding", len(recordings))):
            if isinstance(result, UnreadableInput):
                skipped.append((str(result.path), result.reason))
                continue
            result.tofile(file)
            kept.append(number)
            offset.append(offset[-1] + len(result))
    write_json(folder / _INDEX, {"recordings": kept, "offset": offset, "skipped": skipped})
