"""The folder of a campaign.

campaign.json       the plan, written once
runs/RUN/           the run folders, as `antiphon train` writes them
runs/RUN.log        the logs of the worker processes
results/RUN.json    the records of the finished runs
report.md, report.html, report.csv, plots/
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import field, replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from antiphon.corpora import absolute_spec, open_corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.campaign.earlier_formats import plan_from_0, plan_from_1, rename_files
from antiphon.experiments.campaign.grid import INIT_FROM, PlannedRun
from antiphon.experiments.results import Result, ResultStore
from antiphon.io.formats import Format, to_plain
from antiphon.models.arms import Arm, find_arm
from antiphon.training.config import absolute_path
from antiphon.training.presets import Preset, find_preset

_PLAN = "campaign.json"
CAMPAIGN_FORMAT = Format("campaign", 2, {0: plan_from_0, 1: plan_from_1})


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Campaign:
    """The plan of a campaign: its runs, the corpora to train on and the corpora to evaluate on.

    `recordings` limits each evaluation to that many recordings, evenly spread over the split. In a plan that is stored
    in a folder, `corpora`, `audio` and `evaluate_on` are absolute paths, except for a corpus that has a name, and
    `data_hash` is the hash of their content. `arms` and `own_preset` are those that do not come with the package;
    `preset` is the name of the preset in any case.
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
    data_hash: str | None = None
    arms: dict[str, Arm] = field(default_factory=dict)
    own_preset: Preset | None = None

    def arm(self, run: PlannedRun) -> Arm:
        """The arm of a run. Raises `UnknownName`."""
        return self.arms[run.arm] if run.arm in self.arms else find_arm(run.arm)

    @property
    def sizes(self) -> Preset:
        """The whole preset. Raises `UnknownName`."""
        return self.own_preset or find_preset(self.preset)


def run_folder(folder: Path, name: str) -> Path:
    return folder / "runs" / name


def log_path(folder: Path, name: str) -> Path:
    return folder / "runs" / f"{name}.log"


def record_store(folder: Path) -> ResultStore:
    """The records of the finished runs, by the names of the runs."""
    return ResultStore(folder / "results")


def record_identity(campaign: Campaign, run: PlannedRun) -> Result:
    """The fields of a run's record that the plan determines. The data's identity is that of the whole campaign."""
    return {
        "campaign": campaign.name,
        "run": run.name,
        "arm": run.arm,
        "seed": run.seed,
        "variant": run.variant,
        "schedule": run.schedule,
        "epochs": run.epochs,
        "preset": campaign.preset,
        "init_from": INIT_FROM if run.from_init else None,
    }


def find_record(folder: Path, campaign: Campaign, run: PlannedRun) -> Result | None:
    """The record of a run, or None if the run has not finished."""
    return record_store(folder).find(run.name, record_identity(campaign, run))


def open_campaign(folder: Path, campaign: Campaign) -> Campaign:
    """Start a campaign in a new or empty folder, or reopen it. Returns its plan with absolute paths and the data hash.

    If data have been moved, `campaign` names their new locations. Raises `AntiphonError` when the folder holds
    something else, or when the data differ from those that the campaign began with.
    """
    as_stored = TypeAdapter(Campaign).validate_python(to_plain(campaign))  # options hold lists once they were JSON
    campaign = replace(_at_absolute_paths(as_stored), data_hash=None)
    if not (folder / _PLAN).is_file():
        if folder.exists() and any(folder.iterdir()):
            raise AntiphonError(f"{folder} is neither empty nor a campaign; choose another folder")
        campaign = replace(campaign, data_hash=_data_hash(campaign))
        folder.mkdir(parents=True, exist_ok=True)
        CAMPAIGN_FORMAT.write(folder / _PLAN, campaign)
        return campaign
    stored = load_campaign(folder)
    rename_files(folder / "runs", record_store(folder))
    found = replace(_at_absolute_paths(stored), title=campaign.title, question=campaign.question)  # texts may change
    finished = all(find_record(folder, stored, run) is not None for run in stored.runs)
    if finished and replace(found, data_hash=None) == campaign:
        return found  # the data are no longer needed
    if stored.data_hash is not None:  # else there is no hash to compare the data at the new locations with
        found = replace(found, corpora=campaign.corpora, audio=campaign.audio, evaluate_on=campaign.evaluate_on)
    if replace(found, data_hash=None) != campaign:
        raise AntiphonError(f"{folder} holds another campaign, with other runs or data; choose another folder")
    data_hash = _data_hash(found)
    if stored.data_hash not in (None, data_hash):
        names = ", ".join(dict.fromkeys((*found.corpora, *found.evaluate_on)))
        raise AntiphonError(f"{names}: the data have changed since {folder} began, or are others; begin a new campaign")
    found = replace(found, data_hash=data_hash)
    if found != stored:
        CAMPAIGN_FORMAT.write(folder / _PLAN, found)
    return found


def load_campaign(folder: Path) -> Campaign:
    """The plan of a campaign folder. Raises `UnreadableInput`."""
    return CAMPAIGN_FORMAT.read(folder / _PLAN, Campaign)


def _at_absolute_paths(campaign: Campaign) -> Campaign:
    return replace(
        campaign,
        corpora=tuple(map(absolute_spec, campaign.corpora)),
        audio=absolute_path(campaign.audio),
        evaluate_on=tuple(map(absolute_spec, campaign.evaluate_on)),
    )


def _data_hash(campaign: Campaign) -> str:
    """The hash of all data for training and evaluation. Raises `AntiphonError` for a corpus that does not exist."""
    trained = [open_corpus(spec, audio=trained_audio(campaign)).manifest_hash for spec in campaign.corpora]
    scored = [open_corpus(spec, audio=scored_audio(campaign)).manifest_hash for spec in campaign.evaluate_on]
    return hashlib.sha256(json.dumps([trained, scored]).encode()).hexdigest()


def trained_audio(campaign: Campaign) -> Path | None:
    """The folder of audio that belongs to the training corpora."""
    return None if campaign.audio is None else Path(campaign.audio)


def scored_audio(campaign: Campaign) -> Path | None:
    """The folder of audio that belongs to the evaluation corpora: that of training if the corpora are the same."""
    return trained_audio(campaign) if campaign.evaluate_on == campaign.corpora else None


def load_records(folder: Path, campaign: Campaign) -> list[Result]:
    """The records of the finished runs, in the order of the plan."""
    found = (find_record(folder, campaign, run) for run in campaign.runs)
    return [record for record in found if record is not None]
