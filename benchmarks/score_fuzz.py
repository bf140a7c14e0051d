"""Damaged scores: mutations of small files of every kind, of which each must be read or refused in one line."""

from __future__ import annotations

import random
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.notes import Notes
from antiphon.io.scores import read_score
from benchmarks.timing import Benchmark, Effort, Row, TooSlow, time_limit

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases" / "scores"
MOST_S = 10.0
_NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"3",
    b"7",
    b"999999999",
    b"99999999999999999999",
    b"1e999",
    b"nan",
    b"0.3333",
    b"x",
    b"",
)
_TAG = re.compile(rb"<[^<>]{1,200}>")
_NUMBER = re.compile(rb"\d+")

Mutation = Callable[[bytes, random.Random], bytes]


@dataclass
class Outcome:
    """Counts of a run, and its failures with the number of the mutated file."""

    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def seeds() -> list[Path]:
    """The files that are mutated."""
    return sorted(CASES.iterdir())


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data) + 1)]


def _swap(data: bytes, rng: random.Random) -> bytes:
    one, other, end = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return data[:one] + data[other:end] + data[one:other] + data[end:]


def _remove_tag(data: bytes, rng: random.Random) -> bytes:
    return _replaced(_TAG, data, rng, b"")


def _alter_number(data: bytes, rng: random.Random) -> bytes:
    return _replaced(_NUMBER, data, rng, rng.choice(_NUMBERS))


def _remove_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines) or data


def _repeat_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    begin = rng.randrange(len(lines))
    end = min(begin + rng.randint(1, 20), len(lines))
    return b"".join(lines[:end] + lines[begin:end] * rng.choice([1, 1, 30]) + lines[end:])


def _exchange_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _cut, _swap, _remove_tag, _alter_number, _alter_number, _remove_line, _repeat_lines, _exchange_lines,
)  # fmt: skip


def _replaced(pattern: re.Pattern[bytes], data: bytes, rng: random.Random, content: bytes) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + content + data[match.end() :]


def mutated(files: Sequence[Path], count: int, seed: int) -> Iterator[tuple[Path, bytes]]:
    """Files in turn with one to eight mutations each; the same for the same seed."""
    rng = random.Random(seed)
    for number in range(count):
        path = files[number % len(files)]
        data = path.read_bytes()
        for _ in range(rng.choice([1, 1, 2, 3, 8])):
            data = rng.choice(MUTATIONS)(data, rng) or data
        yield path, data


def fuzz(files: Sequence[Path], count: int, seed: int) -> Outcome:
    """Read mutated files."""
    outcome = Outcome()
    for number, (path, data) in enumerate(mutated(files, count, seed)):
        began = time.perf_counter()
        try:
            with time_limit(MOST_S), warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", InputWarning)
                notes = read_score(path, data)
            outcome.read += 1
            outcome.failures += [f"{number} ({path.name}): {fault}" for fault in faults_of(notes)]
        except UnreadableInput as error:
            outcome.refused[re.sub(r"\d+", "N", error.reason)[:60]] += 1
            if "\n" in str(error):
                outcome.failures.append(f"{number} ({path.name}): a reason of several lines")
        except (Exception, TooSlow) as error:
            outcome.failures.append(f"{number} ({path.name}): {error!r}")
        outcome.longest_s = max(outcome.longest_s, time.perf_counter() - began)
    return outcome


def faults_of(notes: Notes) -> list[str]:
    """Values that no reader may give: impossible times, pitches or velocities, and beats before 1."""
    found = []
    for part in (notes, notes.drums):
        if part is None or len(part) == 0:
            continue
        if not (np.isfinite(part.onset_s).all() and np.isfinite(part.duration_s).all()):
            found.append("a time that is not finite")
        if part.onset_s.min() < 0 or part.duration_s.min() < 0:
            found.append("a negative time")
        if part.pitch.max() > 127 or part.velocity.max() > 127 or part.velocity.min() < 1:
            found.append("a pitch or velocity out of range")
        if part.beat is not None and (not np.isfinite(part.beat).all() or part.beat.min() < 1):
            found.append("a beat before 1")
    return found


def _measure(effort: Effort) -> list[Row]:
    count = effort.pick(1000, 50)
    outcome = fuzz(seeds(), count, seed=2)
    print("\n".join(outcome.failures))
    remark = f"{outcome.read} read, {outcome.refused.total()} refused, longest {outcome.longest_s:.1f} s"
    return [Row(f"failures of {count} damaged scores", "files", float(len(outcome.failures)), remark=remark)]


BENCHMARKS = (Benchmark("read-fuzz-scores", _measure),)
