"""Runs of a campaign: several at a time, each in its own process, with a report after each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Group
from rich.live import Live
from rich.table import Table

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
from antiphon.progress import console
from antiphon.training.run_log import Progress, read_progress
from antiphon.training.variants import varied_preset

LOCK = "campaign.lock"
_POLL_S = 0.5


@dataclass
class _Running:
    run: PlannedRun
    process: subprocess.Popen[bytes]
    began: float


def run_campaign(folder: Path, campaign: Campaign, jobs: int) -> None:
    """Execute the unfinished runs of a campaign and write its report; a stopped campaign resumes when called again.

    Up to `jobs` runs train at the same time and share the cores. Raises `AntiphonError` when a run fails, after the
    others have ended, when another process works in the folder, and for a variant that does not suit the preset.
    """
    for run in campaign.runs:
        varied_preset(campaign.preset, run.variant)  # raises now, instead of hours later when this run starts
    campaign = open_campaign(folder, campaign)
    with _locked(folder):
        records = load_records(folder, campaign)
        waiting = [run for run in campaign.runs if find_record(folder, campaign, run) is None]
        running: list[_Running] = []
        failed: list[str] = []
        began, to_do = time.monotonic(), len(waiting)
        try:
            with Live(console=console, transient=True, refresh_per_second=2, auto_refresh=False) as live:
                while waiting or running:
                    while waiting and len(running) < jobs and _may_start(waiting[0], running, failed):
                        running.append(_start(folder, waiting.pop(0), jobs))
                    for one in [one for one in running if one.process.poll() is not None]:
                        running.remove(one)
                        if one.process.returncode == 0:
                            records = write_campaign_report(folder, campaign)
                            _announce(one, campaign, records)
                        else:
                            failed.append(_failure(folder, one))
                    if failed:
                        waiting.clear()
                    if console.is_terminal:
                        left_s = _left_s(folder, began, to_do, waiting, running)
                        live.update(_table(folder, campaign, records, running, left_s), refresh=True)
                    time.sleep(_POLL_S)
        finally:
            for one in running:
                one.process.terminate()
            for one in running:
                one.process.wait()
    write_campaign_report(folder, campaign)
    if failed:
        raise AntiphonError(f"{len(failed)} of {len(campaign.runs)} runs failed; the first: {failed[0]}")


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


def _announce(one: _Running, campaign: Campaign, records: list[Record]) -> None:
    """Print the score of the run that has just ended."""
    record = next(record for record in records if record["run"] == one.run.name)
    score = record["evaluations"][0]["S"]
    minutes = (time.monotonic() - one.began) / 60
    console.print(f"{len(records)}/{len(campaign.runs)}  {one.run.name}: S {score:.1f} % ({minutes:.1f} min)")


def _progress(folder: Path, run: PlannedRun) -> Progress:
    return read_progress(run_folder(folder, run.name))


def _left_s(folder: Path, began: float, to_do: int, waiting: list[PlannedRun], running: list[_Running]) -> float | None:
    """Estimated seconds until the end, at the speed until now; None before 5 % of one run is done."""
    done = to_do - len(waiting) - len(running) + sum(_progress(folder, one.run).share for one in running)
    elapsed_s = time.monotonic() - began
    return elapsed_s * (to_do - done) / done if done > 0.05 else None


def _table(
    folder: Path, campaign: Campaign, records: list[Record], running: list[_Running], left_s: float | None
) -> Group:
    table = Table(box=None)
    for column in ("run", "step", "of", "windows/s", "S %"):
        table.add_column(column, justify="left" if column == "run" else "right")
    for record in records:
        training = record["training"]
        speed, score = training["segments_per_second"], record["evaluations"][0]["S"]
        table.add_row(record["run"], str(training["steps"]), str(training["steps"]), f"{speed:.0f}", f"{score:.1f}")
    for one in running:
        now = _progress(folder, one.run)
        state = "evaluating" if now.share == 1 else str(now.step)
        table.add_row(f"[bold]{one.run.name}", state, str(now.steps or "–"), f"{now.segments_per_second:.0f}", "")
    left = "" if left_s is None else f", about {left_s / 60:.0f} min left"
    return Group(table, f"{len(records)} of {len(campaign.runs)} runs finished{left}")
