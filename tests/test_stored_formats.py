"""Folders that the package writes: their format numbers, older formats, newer ones, and the page that lists them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from antiphon.errors import UnreadableInput
from antiphon.experiments.campaign.grid import INIT_FROM, load_grid, plan
from antiphon.experiments.campaign.layout import CAMPAIGN_FORMAT, Campaign, load_campaign
from antiphon.index.database import Database
from antiphon.index.formats import CREATE
from antiphon.index.formats import FORMAT as INDEX_FORMAT
from antiphon.index.formats import OLDER as OLDER_INDEX_FORMAT
from antiphon.index.store import Store
from antiphon.io.formats import Document, Format, renamed, to_plain
from antiphon.models.arms import find_arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import MODEL_FORMAT, load_dual_encoder, save_model
from antiphon.training.checkpoint import load_checkpoint, save_checkpoint
from antiphon.training.config import RUN_FORMAT, prepare_run, read_config, write_config
from antiphon.training.presets import find_preset
from builders import assert_same_state

ROOT = Path(__file__).resolve().parents[1]
TRAINING_BEFORE = {
    "queue_size": "memory",
    "queue_from_step": "memory_from",
    "adjacent_s": "beside_s",
    "late_fusion_batches": "discriminant_batches",
}
ARM_BEFORE = {"late_fusion": "beside"}
RUN_BEFORE = {"init_from": "foundation", "init_from_hash": "foundation_hash"}
PLANNED_BEFORE = {"from_init": "from_foundation"}


def write_run(folder: Path) -> None:
    _, config = prepare_run(["demo"], "onsets", "tiny", split="test", epochs=1)
    write_config(folder, config)


def run_before(document: Document) -> Document:
    """With the names of formats 0 and 1."""
    arm, training = renamed(document["arm"], ARM_BEFORE), renamed(document["training"], TRAINING_BEFORE)
    found = renamed(document, RUN_BEFORE) | {"arm": arm, "training": training}
    assert found.keys() ^ document.keys() == {*RUN_BEFORE, *RUN_BEFORE.values()}
    assert training.keys() ^ document["training"].keys() == {*TRAINING_BEFORE, *TRAINING_BEFORE.values()}
    assert arm.keys() ^ document["arm"].keys() == {*ARM_BEFORE, *ARM_BEFORE.values()}
    return found


def write_model(folder: Path) -> None:
    save_model(DualEncoder(ModelConfig(find_arm("onsets"), find_preset("tiny").sizes)), folder, "A tiny model.")


def model_before(document: Document) -> Document:
    return document | {"arm": renamed(document["arm"], ARM_BEFORE)}


def read_model(folder: Path) -> ModelConfig:
    return load_dual_encoder(folder).config


def write_campaign(folder: Path) -> None:
    runs = tuple(plan(load_grid("screening")))
    assert runs[0].name == INIT_FROM
    campaign = Campaign("screening", "Title", "Question?", "small", ("demo",), None, ("demo",), None, runs)
    CAMPAIGN_FORMAT.write(folder / "campaign.json", campaign)


def campaign_before(document: Document) -> Document:
    """With the names of formats 0 and 1."""
    runs = [renamed(run, PLANNED_BEFORE) for run in document["runs"]]
    return document | {"runs": [runs[0] | {"name": "foundation"}, *runs[1:]]}


def first_campaign(document: Document) -> Document:
    return {key: value for key, value in campaign_before(document).items() if key != "data_hash"}


@dataclass(frozen=True)
class Kind:
    """A kind of config file: how to write and read its folder, and how documents of earlier formats differ."""

    format: Format
    file: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]
    before: dict[int, Callable[[Document], Document]]


KINDS = (
    Kind(RUN_FORMAT, "run.json", write_run, read_config, {0: run_before, 1: run_before}),
    Kind(MODEL_FORMAT, "config.json", write_model, read_model, {1: model_before, 2: lambda document: document}),
    Kind(CAMPAIGN_FORMAT, "campaign.json", write_campaign, load_campaign, {0: first_campaign, 1: campaign_before}),
)


def edited(folder: Path, kind: Kind, change: Callable[[Document], Document]) -> Path:
    path = folder / kind.file
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.format.kind)
class TestConfigFiles:
    def test_have_the_current_number(self, kind: Kind, tmp_path: Path):
        kind.write(tmp_path)
        assert json.loads((tmp_path / kind.file).read_text(encoding="utf-8"))["format"] == kind.format.current

    def test_of_each_earlier_format_are_read(self, kind: Kind, tmp_path: Path):
        kind.write(tmp_path)
        expected = to_plain(kind.read(tmp_path))
        document = json.loads((tmp_path / kind.file).read_text(encoding="utf-8"))
        assert set(kind.before) == set(kind.format.steps) >= {kind.format.current - 1}
        for number, before in kind.before.items():
            old = before(document) | {"format": number}
            if number == 0:
                del old["format"]
            edited(tmp_path, kind, lambda _, old=old: old)
            assert to_plain(kind.read(tmp_path)) == expected, number

    def test_of_a_newer_format_are_refused_with_one_line(self, kind: Kind, tmp_path: Path):
        kind.write(tmp_path)
        newer = kind.format.current + 1
        edited(tmp_path, kind, lambda document: document | {"format": newer, "new": 1})
        with pytest.raises(UnreadableInput, match=rf"its format is {newer}, .*: upgrade Antiphon$") as caught:
            kind.read(tmp_path)
        assert len(str(caught.value).splitlines()) == 1


def test_a_run_of_format_1_with_the_names_of_today_is_read(tmp_path: Path):
    """Both sets of names were written with this number."""
    write_run(tmp_path)
    expected = read_config(tmp_path)
    edited(tmp_path, KINDS[0], lambda document: document | {"format": 1})
    assert to_plain(read_config(tmp_path)) == to_plain(expected)


def test_a_checkpoint_with_the_earlier_name_of_late_fusion_is_restored(tmp_path: Path):
    model, other = (DualEncoder(ModelConfig(find_arm("onsets"), find_preset("tiny").sizes)) for _ in range(2))
    save_checkpoint(tmp_path, model, torch.optim.AdamW(model.parameters()), None, 7, 1.0)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    state["model"]["discriminant.map"] = state["model"].pop("late_fusion.map")
    torch.save(state, tmp_path / "checkpoint.pt")
    optimiser = torch.optim.AdamW(other.parameters())
    assert load_checkpoint(tmp_path, other, optimiser, None, torch.device("cpu")) == (7, 1.0)
    assert_same_state(other.state_dict(), model.state_dict())


@pytest.fixture
def index(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an index without files whose format has another number."""

    def make(number: str) -> Path:
        with sqlite3.connect(tmp_path / "index.sqlite") as db:
            for statement in CREATE:
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('format', ?)", (number,))
        db.close()
        return tmp_path

    return make


@pytest.mark.parametrize("open_index", [Store, lambda folder: Database(folder / "index.sqlite", create=True)])
@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (str(int(INDEX_FORMAT) + 1), "upgrade Antiphon"),
        ("10", "upgrade Antiphon"),
        (str(int(OLDER_INDEX_FORMAT) - 1), "build another with: antiphon index build"),
        ("x", "build another with: antiphon index build"),
    ],
)
def test_an_index_of_an_unknown_format_is_refused_with_one_line(
    index: Callable[[str], Path], open_index: Callable[[Path], object], number: str, remedy: str
):
    with pytest.raises(UnreadableInput, match=rf"its format is {number}, .*: {remedy}$") as caught:
        open_index(index(number))
    assert len(str(caught.value).splitlines()) == 1


NUMBERS = {kind.format.kind: str(kind.format.current) for kind in KINDS} | {"index": INDEX_FORMAT}


def numbers_of(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): number for name, number in lines}


def test_the_reference_lists_the_current_formats_and_the_changes():
    page = (ROOT / "docs" / "reference" / "file-formats.md").read_text(encoding="utf-8")
    assert numbers_of(re.findall(r"^## (\w+) folder, format (\d+)$", page, re.M)) == NUMBERS
    rows = re.findall(r"^\| (\w+) folder \| (\d+|none) \| (.+) \|$", page, re.M)
    oldest = {kind.format.kind: min(kind.format.steps) for kind in KINDS} | {"index": int(OLDER_INDEX_FORMAT)}
    for kind, current in NUMBERS.items():
        listed = [0 if number == "none" else int(number) for name, number, _ in rows if name.lower() == kind]
        assert listed == list(range(oldest[kind], int(current) + 1)), kind


def test_the_page_on_upgrading_lists_the_current_formats():
    page = (ROOT / "UPGRADING.md").read_text(encoding="utf-8")
    assert numbers_of(re.findall(r"^\| (\w+) folder \| (\d+) \|", page, re.M)) == NUMBERS
