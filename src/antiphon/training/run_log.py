"""The log of a run, `log.csv`: losses and speed every `LOG_EVERY` steps; the source of a run's progress."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass
from torch import Tensor

from antiphon.io.csv_tables import csv_text
from antiphon.io.files import write_text_atomic
from antiphon.models.saving import RUN_CONFIG
from antiphon.training.config import read_config

LOG_EVERY = 50
_LOG = "log.csv"


@dataclass(frozen=True)
class Progress:
    """The progress of a run by its log; zeros before the first row."""

    step: int
    steps: int
    segments_per_second: float

    @property
    def share(self) -> float:
        """The share of steps done, from 0 to 1."""
        return self.step / self.steps if self.steps else 0.0


def read_progress(folder: Path) -> Progress:
    """The progress of the run in a folder, in training or not; zeros for a folder that does not exist."""
    rows = _rows(folder / _LOG)
    if not (folder / RUN_CONFIG).exists() or not rows:
        return Progress(0, 0, 0.0)
    config = read_config(folder)
    step, seconds = int(rows[-1]["step"]), float(rows[-1]["seconds"])
    return Progress(step, config.steps, step * config.training.batch_size / max(seconds, 1e-9))


class RunLog(contextlib.AbstractContextManager["RunLog"]):
    """Writes `log.csv`, and TensorBoard events where TensorBoard is installed.

    A resumed run continues after step `done`: later rows are removed, since they will be written again.
    """

    def __init__(self, folder: Path, done: int) -> None:
        path = folder / _LOG
        kept = [row for row in _rows(path) if int(row["step"]) <= done]
        self._columns = list(kept[0]) if kept else None
        write_text_atomic(path, csv_text(self._columns, kept) if self._columns is not None else "")
        self._file = path.open("a", encoding="utf-8", newline="")
        self._board: Any = None
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(
        self, step: int, terms: dict[str, Tensor], recall: float, norm: float, scale: float, elapsed_s: float
    ) -> None:
        """Add the row of a step: loss terms, in-batch recall in percent, gradient norm, rate multiplier, seconds."""
        values = {
            **{name: term.item() for name, term in terms.items()},
            "in_batch_recall": recall,
            "gradient_norm": norm,
            "rate_multiplier": scale,
        }
        self._write_row({"step": step, **{k: f"{v:.6g}" for k, v in values.items()}, "seconds": f"{elapsed_s:.1f}"})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _write_row(self, row: dict[str, Any]) -> None:
        is_first, self._columns = self._columns is None, self._columns or list(row)
        table = csv.DictWriter(self._file, self._columns, lineterminator="\n")
        if is_first:
            table.writeheader()
        table.writerow(row)
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def _rows(path: Path) -> list[dict[str, str]]:
    """The complete rows of a log, without a row that is being written or was interrupted."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [row for row in csv.DictReader(lines) if _is_whole(row)]


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether each column has a value and each value a column; after a crash a line may contain anything."""
    if None in row or None in row.values():
        return False
    try:
        return int(row["step"]) > 0 and float(row["seconds"]) >= 0
    except (KeyError, ValueError):
        return False
