"""What lies in a campaign's folder.

campaign.json       what was planned, written once
runs/RUN/           a run folder each, as `antiphon train` makes it, with its worker's log beside
results/RUN.json    a record for each finished run
report.md, report.html, report.csv, plots/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from antiphon.campaign.grid import PlannedRun
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.files import write_json

_PLAN = "campaign.json"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Campaign:
    """A grid resolved: what is trained on what, and scored on what.

    `recordings` limits each evaluation to that many, evenly spread over the split.
    """

    name: str
    title: str
    question: str
    preset: str
    corpora: tuple[str, ...]
    audio: str | None
    evaluate_on: tuple[str, ...]
    recordings: int | None
    runs: tuple[PlannedRun, ...]


def run_folder(folder: Path, name: str) -> Path:
    return folder / "runs" / name


def log_path(folder: Path, name: str) -> Path:
    return folder / "runs" / f"{name}.log"


def record_path(folder: Path, name: str) -> Path:
    return folder / "results" / f"{name}.json"


def open_campaign(folder: Path, campaign: Campaign) -> None:
    """Begin the campaign in a new or empty folder, or find it there.

    Raises `AntiphonError` when something else lies there.
    """
    if (folder / _PLAN).is_file():
        if load_campaign(folder) != campaign:
            raise AntiphonError(
                f"{folder}: another campaign lies there, with other runs or data; choose another folder"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise AntiphonError(f"{folder} is not empty and no campaign; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / _PLAN, TypeAdapter(Campaign).dump_python(campaign, mode="json"))


def load_campaign(folder: Path) -> Campaign:
    """The campaign of a folder. Raises `UnreadableInput`."""
    try:
        return TypeAdapter(Campaign).validate_json((folder / _PLAN).read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise UnreadableInput(folder / _PLAN, f"not a campaign's plan ({error})") from None


def load_records(folder: Path, campaign: Campaign) -> list[dict[str, Any]]:
    """The records of the runs that have finished, in the order of the plan."""
    paths = (record_path(folder, run.name) for run in campaign.runs)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
