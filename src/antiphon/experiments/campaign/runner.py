"""Runs of a campaign: several at a time, each in its own process, with a report after each."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from antiphon.errors import AntiphonError
from antiphon.experiments.campaign.grid import INIT_FROM, PlannedRun
from antiphon.experiments.campaign.layout import (
    Campaign,
    find_record,
    load_records,
    log_path,
    open_campaign,
    run_folder,
)
from antiphon.experiments.campaign.report import CampaignFacts, write_report
from antiphon.experiments.campaign.results import Record
from antiphon.models.saving import RUN_MODEL, is_model_folder, weights_hash
from antiphon.training.initialisation import check_buildable
from antiphon.training.run_log import Progress, read_progress
from antiphon.training.variants import varied_preset

LOCK = "campaign.lock"
_POLL_S = 0.5
_log = logging.getLogger(__name__)


@dataclass
class _Running:
    run: PlannedRun
    process: subprocess.Popen[bytes]
    began: float


@dataclass(frozen=True)
class CampaignStatus:
    """The state of a campaign while it runs.

    Attributes
    ----------
    records : sequence of dict
        The records of the finished runs.
    planned : int
        The number of all runs.
    running : dict of str to Progress
        The training progress of each run at work, by name; its `share`, from 0 to 1, is 1 during the evaluation.
    left_s : float or None
        Estimated seconds until the end, None before 5 % of the work is done.

    Examples
    --------
    >>> import antiphon
    >>> from antiphon.training.run_log import Progress
    >>> running = {"D0": Progress(step=50, steps=200, segments_per_second=80.0)}
    >>> status = antiphon.CampaignStatus(records=[], planned=30, running=running, left_s=7200.0)
    >>> for name, progress in status.running.items():
    ...     print(f"{len(status.records)} of {status.planned} done; {name} at {100 * progress.share:.0f} %")
    0 of 30 done; D0 at 25 %
    """

    records: Sequence[Record]
    planned: int
    running: dict[str, Progress]
    left_s: float | None


StatusListener = Callable[[CampaignStatus], None]


def execute_campaign(folder: Path, campaign: Campaign, jobs: int, on_status: StatusListener | None = None) -> None:
    """Execute the unfinished runs of a campaign and write its report; a stopped campaign resumes when called again.

    Up to `jobs` runs train at the same time and share the cores. `on_status` is called twice a second. Raises
    `AntiphonError` when a run fails, after the others have ended, when another process works in the folder, and for a
    variant that does not suit the preset.
    """
    for run in campaign.runs:
        # Raises now the errors that would end the run after hours of others.
        check_buildable(campaign.arm(run), varied_preset(campaign.sizes, run.variant).sizes)
    campaign = open_campaign(folder, campaign)
    with _locked(folder):
        records = load_records(folder, campaign)
        waiting = _to_do(folder, campaign)
        running: list[_Running] = []
        failed: list[str] = []
        began, to_do = time.monotonic(), len(waiting)
        try:
            while waiting or running:
                while waiting and len(running) < jobs and _may_start(waiting[0], running, failed):
                    running.append(_start(folder, waiting.pop(0), jobs))
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    if one.process.returncode == 0:
                        records = write_campaign_report(folder, campaign)
                        _log_finished(one, campaign, records)
                        _check_init_model(folder, one.run, records)
                    else:
                        failed.append(_failure(folder, one))
                if failed:
                    waiting.clear()
                if on_status is not None:
                    left_s = _left_s(folder, began, to_do, waiting, running)
                    progress = {one.run.name: _progress(folder, one.run) for one in running}
                    on_status(CampaignStatus(records, len(campaign.runs), progress, left_s))
                time.sleep(_POLL_S)
        finally:
            for one in running:
                one.process.terminate()
            for one in running:
                one.process.wait()
    write_campaign_report(folder, campaign)
    if failed:
        raise AntiphonError(f"{len(failed)} of {len(campaign.runs)} runs failed; the first: {failed[0]}")


def _to_do(folder: Path, campaign: Campaign) -> list[PlannedRun]:
    """The runs without a record, in order.

    Where they start from the initial model and only its record is left, as in a folder whose models were deleted, the
    initial model is trained again first. It has the same weights on the same kind of machine.
    """
    waiting = [run for run in campaign.runs if find_record(folder, campaign, run) is None]
    has_model = is_model_folder(run_folder(folder, INIT_FROM) / RUN_MODEL)
    if not has_model and any(run.from_init for run in waiting) and waiting[0].name != INIT_FROM:
        waiting = [run for run in campaign.runs if run.name == INIT_FROM] + waiting
    return waiting


def write_campaign_report(folder: Path, campaign: Campaign) -> list[Record]:
    """Write the report of the runs that have finished so far and return their records."""
    records = load_records(folder, campaign)
    facts = CampaignFacts(
        name=campaign.name,
        title=campaign.title,
        question=" ".join(campaign.question.split()),
        preset=campaign.preset,
        corpora=tuple(Path(spec).name for spec in campaign.corpora),
        evaluated_on=tuple(Path(spec).name for spec in campaign.evaluate_on),
        finished=len(records),
        planned=len(campaign.runs),
    )
    write_report(folder, facts, records)
    return records


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second process out of the folder. The lock is released when its process ends, however it ends."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AntiphonError(f"{folder}: another process is working on this campaign") from None
    try:
        yield
    finally:
        lock.release()


def _may_start(run: PlannedRun, running: list[_Running], failed: list[str]) -> bool:
    """Whether no run has failed and the initial model, if the run needs it, has been trained."""
    return not failed and not (run.from_init and any(one.run.name == INIT_FROM for one in running))


def _start(folder: Path, run: PlannedRun, jobs: int) -> _Running:
    """Start a worker process with its share of the cores: more threads than cores would slow all runs down."""
    log_path(folder, run.name).parent.mkdir(parents=True, exist_ok=True)
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // jobs))
    with log_path(folder, run.name).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "antiphon.experiments.campaign.worker", str(folder), run.name],
            env=os.environ | {"OMP_NUM_THREADS": threads},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    return _Running(run, process, time.monotonic())


def _failure(folder: Path, one: _Running) -> str:
    """The last line of a failed run's log, and the path of the log."""
    log = log_path(folder, one.run.name)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{one.run.name}: {lines[-1] if lines else f'exit status {one.process.returncode}'} (see {log})"


def _log_finished(one: _Running, campaign: Campaign, records: list[Record]) -> None:
    """Log the score of a run that has just ended."""
    record = next(record for record in records if record["run"] == one.run.name)
    score = record["evaluations"][0]["S"]
    minutes = (time.monotonic() - one.began) / 60
    _log.info("%d/%d  %s: S %.1f %% (%.1f min)", len(records), len(campaign.runs), one.run.name, score, minutes)


def _check_init_model(folder: Path, run: PlannedRun, records: list[Record]) -> None:
    """Warn where the initial model, trained again, is not the one that finished runs started from."""
    started = {record["training"]["init_from_hash"] for record in records if record.get("init_from")}
    if run.name == INIT_FROM and started and started != {weights_hash(run_folder(folder, INIT_FROM) / RUN_MODEL)}:
        _log.warning("%s: the initial model has other weights than the one that the finished runs started from", folder)


def _progress(folder: Path, run: PlannedRun) -> Progress:
    return read_progress(run_folder(folder, run.name))


def _left_s(folder: Path, began: float, to_do: int, waiting: list[PlannedRun], running: list[_Running]) -> float | None:
    """Estimated seconds until the end, at the speed until now; None before 5 % of one run is done."""
    done = to_do - len(waiting) - len(running) + sum(_progress(folder, one.run).share for one in running)
    elapsed_s = time.monotonic() - began
    return elapsed_s * (to_do - done) / done if done > 0.05 else None
