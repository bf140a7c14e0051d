"""What lies in a campaign's folder.

campaign.json       what was planned, written once
runs/RUN/           a run folder each, as `antiphon train` makes it, with its worker's log beside
results/RUN.json    a record for each finished run
report.md, report.html, report.csv, plots/
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from antiphon.corpora import absolute_spec, open_corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.campaign.grid import PlannedRun
from antiphon.io.formats import Document, Format, renamed, to_plain
from antiphon.models.arms import Arm, find_arm
from antiphon.training.config import absolute_path
from antiphon.training.presets import Preset, find_preset

_PLAN = "campaign.json"


def _from_0(document: Document) -> Document:
    """Names of before formats were numbered, when the run that others start from was `foundation`."""
    if any(run["from_foundation"] for run in document["runs"]):
        raise AntiphonError("this campaign of an older version starts from a shared model; begin a new one")
    runs = [renamed(run, {"from_foundation": "from_init"}) for run in document["runs"]]
    return document | {"runs": runs, "data_hash": None}


_FORMAT = Format("campaign", 2, {0: _from_0, 1: lambda document: document})


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Campaign:
    """A grid resolved: what is trained on what, and scored on what.

    `recordings` limits each evaluation to that many, evenly spread over the split. In a folder `corpora`, `audio` and
    `evaluate_on` are absolute paths, except for a corpus that is a word, and `data_hash` is of what lies there. `arms`
    and `own_preset` are those that do not come with the package; `preset` is the preset's name in any case.
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


def record_path(folder: Path, name: str) -> Path:
    return folder / "results" / f"{name}.json"


def open_campaign(folder: Path, campaign: Campaign) -> Campaign:
    """Begin the campaign in a new or empty folder, or find it there; returns it with absolute paths and its data hash.

    Data that have been moved are taken from where `campaign` says they are now. Raises `AntiphonError` when something
    else lies in the folder, or when the data are not those that the campaign began with.
    """
    as_stored = TypeAdapter(Campaign).validate_python(to_plain(campaign))  # options hold lists once they were JSON
    campaign = replace(_at_absolute_paths(as_stored), data_hash=None)
    if not (folder / _PLAN).is_file():
        if folder.exists() and any(folder.iterdir()):
            raise AntiphonError(f"{folder} is not empty and no campaign; choose another folder")
        campaign = replace(campaign, data_hash=_data_hash(campaign))
        folder.mkdir(parents=True, exist_ok=True)
        _FORMAT.write(folder / _PLAN, campaign)
        return campaign
    stored = load_campaign(folder)
    found = _at_absolute_paths(stored)
    finished = all(record_path(folder, run.name).exists() for run in stored.runs)
    if finished and replace(found, data_hash=None) == campaign:
        return found  # the data are not needed any more
    if stored.data_hash is not None:  # else nothing could tell whether the data at other locations are the same
        found = replace(found, corpora=campaign.corpora, audio=campaign.audio, evaluate_on=campaign.evaluate_on)
    if replace(found, data_hash=None) != campaign:
        raise AntiphonError(f"{folder}: another campaign lies there, with other runs or data; choose another folder")
    data_hash = _data_hash(found)
    if stored.data_hash not in (None, data_hash):
        names = ", ".join(dict.fromkeys((*found.corpora, *found.evaluate_on)))
        raise AntiphonError(f"{names}: the data have changed since {folder} began, or are others; begin a new campaign")
    found = replace(found, data_hash=data_hash)
    if found != stored:
        _FORMAT.write(folder / _PLAN, found)
    return found


def load_campaign(folder: Path) -> Campaign:
    """The campaign of a folder. Raises `UnreadableInput`."""
    return _FORMAT.read(folder / _PLAN, Campaign)


def _at_absolute_paths(campaign: Campaign) -> Campaign:
    return replace(
        campaign,
        corpora=tuple(map(absolute_spec, campaign.corpora)),
        audio=absolute_path(campaign.audio),
        evaluate_on=tuple(map(absolute_spec, campaign.evaluate_on)),
    )


def _data_hash(campaign: Campaign) -> str:
    """Of everything that is trained on or scored on. Raises `AntiphonError` for a corpus that is not there."""
    trained = [open_corpus(spec, audio=trained_audio(campaign)).manifest_hash for spec in campaign.corpora]
    scored = [open_corpus(spec, audio=scored_audio(campaign)).manifest_hash for spec in campaign.evaluate_on]
    return hashlib.sha256(json.dumps([trained, scored]).encode()).hexdigest()


def trained_audio(campaign: Campaign) -> Path | None:
    """The folder of sound that belongs to the corpora trained on."""
    return None if campaign.audio is None else Path(campaign.audio)


def scored_audio(campaign: Campaign) -> Path | None:
    """The folder of sound that belongs to the corpora scored on: the same, if these are the same corpora."""
    return trained_audio(campaign) if campaign.evaluate_on == campaign.corpora else None


def load_records(folder: Path, campaign: Campaign) -> list[dict[str, Any]]:
    """The records of the runs that have finished, in the order of the plan."""
    paths = (record_path(folder, run.name) for run in campaign.runs)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
