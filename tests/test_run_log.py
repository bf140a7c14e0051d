"""The log of a run is readable while it is written and after its writer was killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from antiphon.training import run_log
from antiphon.training.config import prepare_run, write_config
from antiphon.training.run_log import RunLog, read_progress

TERMS = {"loss": torch.tensor(0.5)}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run of 10 steps that has logged steps 2 and 4."""
    _, config = prepare_run(["demo"], "D0", "tiny", split="test", epochs=1)
    write_config(tmp_path, config)
    with RunLog(tmp_path, 0) as log:
        for step in (2, 4):
            log.write(step, TERMS, 50.0, 1.0, 1.0, step / 10)
    return tmp_path


def steps(run: Path) -> list[int]:
    return [int(row["step"]) for row in run_log._rows(run / "log.csv")]


def test_a_row_counts_once_it_is_complete(run: Path):
    """A log cut at any byte gives the complete rows before it, and the progress of the last of them."""
    path = run / "log.csv"
    whole = path.read_bytes()
    assert whole.count(b"\n") == 3
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        expected = [2, 4][: max(0, whole[:size].count(b"\n") - 1)]
        assert steps(run) == expected
        assert read_progress(run).step == (expected[-1] if expected else 0)


@pytest.mark.parametrize("row", ["6,0.5\n", "\0\0\0\0\n", "6,0.5,50,1,1,0.6,7\n", "6,0.5,50,1,1,\n"])
def test_a_line_that_is_no_row_is_ignored(run: Path, row: str):
    with (run / "log.csv").open("a", encoding="utf-8") as file:
        file.write(row)
    assert read_progress(run).step == 4


def test_resuming_removes_later_rows_and_incomplete_ones(run: Path):
    with (run / "log.csv").open("a", encoding="utf-8") as file:
        file.write("6,0.5,5")
    with RunLog(run, 2) as log:
        assert steps(run) == [2]
        log.write(4, TERMS, 60.0, 1.0, 1.0, 0.4)
    lines = (run / "log.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4"]
    assert ",60," in lines[-1]


def test_resuming_never_shortens_an_open_log(run: Path):
    """A reader of the old log keeps it: the new one replaces its name only."""
    with (run / "log.csv").open(encoding="utf-8") as reader, RunLog(run, 2):
        assert len(reader.read().splitlines()) == 3
    assert steps(run) == [2]
