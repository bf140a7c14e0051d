"""Damaged MIDI files: thousands of mutations of small files, of which each must be read or refused in one line."""

from __future__ import annotations

import random
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from benchmarks.timing import Benchmark, Effort, Row, TooSlow, time_limit

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "cases" / "midi"
DATA = ROOT.parent / "shared" / "data"
MOST_S = 10.0
_REAL_FILES = 12
_MOST_BYTES = 20_000
_FARTHEST_S = 31 * 86_400.0
_TELLING = (
    b"\xff",
    b"\x00",
    b"\x80",
    b"\x7f",
    b"\xf7",
    b"\xf0",
    b"MTrk",
    b"MThd",
    b"\xff\x2f\x00",
    b"\xff\xff\xff\x7f",
)

Mutation = Callable[[bytearray, random.Random], None]


@dataclass
class Outcome:
    """Counts of a run, and its failures: what went wrong, with the number of the file."""

    read: int = 0
    warned: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def seeds() -> list[bytes]:
    """The files that are mutated: the problem files of the tests, and small real ones where the data sets are."""
    real = [path for path in DATA.rglob("*.mid") if path.stat().st_size <= _MOST_BYTES] if DATA.is_dir() else []
    real.sort()
    chosen = [*sorted(CASES.iterdir()), *real[:: max(1, len(real) // _REAL_FILES)][:_REAL_FILES]]
    return [path.read_bytes() for path in chosen]


def _flip(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    at, content = rng.randrange(len(data)), rng.choice(_TELLING)
    data[at : at + len(content)] = content


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.choice([rng.choice(_TELLING), rng.randbytes(rng.randint(1, 40))])


def _remove(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, rng.choice([2, 10, 200]))]


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _swap(data: bytearray, rng: random.Random) -> None:
    one, other = sorted(rng.sample(range(len(data) + 1), 2))
    size = min(rng.randint(1, 64), other - one, len(data) - other)
    data[one : one + size], data[other : other + size] = data[other : other + size], data[one : one + size]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randint(1, 400)]


def _alter_header(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(min(30, len(data)))] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xE8, 0xFF, rng.randrange(256)])


MUTATIONS: tuple[Mutation, ...] = (_flip, _overwrite, _insert, _remove, _cut, _swap, _repeat, _alter_header)


def mutated(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Files with one to eight mutations each; the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(files))
        for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
            if len(data) > 1:
                rng.choice(MUTATIONS)(data, rng)
        yield bytes(data)


def faults_of(notes: Notes) -> list[str]:
    """Faults of notes: times that are negative, not finite or absurd, and impossible pitches or velocities."""
    found = []
    for part in (notes, notes.drums):
        if part is None or len(part) == 0:
            continue
        times_s = np.concatenate([part.onset_s, part.duration_s, part.offset_s])
        if not np.isfinite(times_s).all() or times_s.min() < 0 or times_s.max() > _FARTHEST_S + 1:
            found.append(f"times from {times_s.min()} to {times_s.max()} s")
        if part.pitch.max() > 127 or part.velocity.max() > 127 or part.velocity.min() < 1:
            found.append("a pitch or velocity out of range")
        if (np.diff(part.onset_s) < 0).any():
            found.append("notes out of order")
    return found if len(notes) else [*found, "no notes"]


def fuzz(files: Sequence[bytes], count: int, seed: int, folder: Path) -> Outcome:
    """Read `count` mutated files, by turns with and without the pedal."""
    outcome = Outcome()
    path = folder / "mutated.mid"
    for number, data in enumerate(mutated(files, count, seed)):
        path.write_bytes(data)
        began = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught, time_limit(MOST_S):
                warnings.simplefilter("always")
                notes = read_notes(path, sustain=number % 2 == 1)
            outcome.read += 1
            outcome.warned += bool(caught)
            outcome.failures += [f"{number}: {fault}" for fault in faults_of(notes)]
            outcome.failures += [f"{number}: {one.message}" for one in caught if one.category is not InputWarning]
        except UnreadableInput as error:
            outcome.refused[error.reason] += 1
            if "\n" in str(error):
                outcome.failures.append(f"{number}: more than one line")
        except TooSlow:
            outcome.failures.append(f"{number}: over {MOST_S:.0f} s")
        except Exception as error:  # whatever it is, it is a failure to report
            outcome.failures.append(f"{number}: {error!r}")
        outcome.longest_s = max(outcome.longest_s, time.perf_counter() - began)
    return outcome


def _measure(effort: Effort) -> list[Row]:
    count = effort.pick(20_000, 500)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = fuzz(seeds(), count, 0, Path(folder))
    rate = count / (time.perf_counter() - began)
    remark = (
        f"{len(outcome.failures)} failures; {outcome.read} read ({outcome.warned} with a warning), "
        f"{outcome.refused.total()} refused; longest {outcome.longest_s:.2f} s"
    )
    return [Row(f"mutated MIDI ({count:,} files)", "files/s", rate, remark="; ".join([remark, *outcome.failures[:3]]))]


BENCHMARKS = (Benchmark("read-fuzz-midi", _measure),)
