"""Campaigns: grids become runs, runs write records, and a killed campaign resumes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from antiphon.errors import AntiphonError, UnknownName, UnreadableInput
from antiphon.experiments.campaign.grid import INIT_FROM, builtin_grids, load_grid, plan
from antiphon.experiments.campaign.layout import (
    Campaign,
    load_campaign,
    load_records,
    open_campaign,
    record_identity,
    record_store,
    run_folder,
)
from antiphon.experiments.campaign.runner import LOCK, execute_campaign
from antiphon.experiments.campaign.worker import carry_out
from antiphon.models.arms import ARMS
from waiting import LIMIT_S, until

RESULTS = Path(__file__).resolve().parents[1] / "results"
GRID = """
title = "Two arms"
question = "Does it run?"
init_from = { arm = "D0", epochs = 1 }
[[runs]]
arms = ["D0", "A4"]
epochs = 1
"""


def write_grid(folder: Path, text: str) -> str:
    path = folder / "two.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def campaign_of(folder: Path, music: Path, text: str = GRID) -> Campaign:
    grid = load_grid(write_grid(folder, text))
    return Campaign(
        "two", grid.title, grid.question, "tiny", (str(music),), None, (str(music),), None, tuple(plan(grid))
    )


class TestGrids:
    @pytest.mark.parametrize("name", builtin_grids())
    def test_each_has_runs_of_known_arms_with_unique_names(self, name: str):
        runs = plan(load_grid(name))
        assert len({run.name for run in runs}) == len(runs) > 1
        assert all(run.arm in ARMS for run in runs)
        assert any(run.arm == "D0" for run in runs)

    def test_the_screening_is_the_papers(self):
        runs = plan(load_grid("screening"))
        assert [run.name for run in runs][:2] == [INIT_FROM, "D0"]
        assert len(runs) == 14
        assert all(run.from_init and run.epochs == 5 for run in runs[1:])

    def test_seeds_come_outermost_and_name_the_runs(self):
        runs = plan(load_grid("seeds"))
        assert [run.name for run in runs[:5]] == ["D0.s42", "d4a4.s42", "a4r.s42", "d4-a4r.s42", "D0.s123"]
        assert len(runs) == 20
        assert {run.epochs for run in runs} == {30}
        assert {run.epochs for run in plan(load_grid("seeds"), epochs_scale=0.01)} == {1}

    def test_only_runs_from_the_initial_model_wait_for_it(self):
        runs = {run.name: run for run in plan(load_grid("families"))}
        assert runs["t3-wt.e5"].from_init
        assert not runs["t3-wt.e30"].from_init

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            (("A4", "A5"), UnknownName, "did you mean"),
            (("epochs = 1\n", "epochs = 1\nschedule = 'cosin'\n"), UnknownName, "cosine"),
            (("epochs = 1\n", "epochs = 1\nvariant = 'logmel'\n"), UnknownName, "log-mel"),
            (("epochs = 1\n", "epoch = 1\n"), UnreadableInput, r"runs\.0: unknown key 'epoch'; did you mean 'epochs'"),
            (('{ arm = "D0"', '{ arm = "D00"'), UnknownName, "D0"),
            ((GRID[GRID.index("[[runs]]") :], "runs = []"), UnreadableInput, "no runs"),
            (("title", "= title"), UnreadableInput, "not TOML"),
        ],
    )
    def test_an_error_in_a_grid_is_named(self, tmp_path: Path, change: tuple[str, str], error, says: str):
        with pytest.raises(error, match=says):
            load_grid(write_grid(tmp_path, GRID.replace(*change)))

    def test_an_unknown_campaign_offers_the_nearest(self):
        with pytest.raises(UnknownName, match="screening"):
            load_grid("screning")

    def test_the_same_run_twice_is_refused(self, tmp_path: Path):
        with pytest.raises(AntiphonError, match="'A4' twice"):
            plan(load_grid(write_grid(tmp_path, GRID.replace('"D0", "A4"', '"A4", "A4"'))))


def test_a_variant_that_does_not_suit_the_preset_is_refused_before_anything_is_done(folder: Path, tmp_path: Path):
    campaign = campaign_of(tmp_path, folder, GRID + "variant = 'mean-over-time'\n")
    with pytest.raises(AntiphonError, match=r"variant mean-over-time: preset 'tiny'"):
        execute_campaign(tmp_path / "campaign", campaign, jobs=1)
    assert not (tmp_path / "campaign").exists()


class TestFolder:
    def test_of_another_campaign_is_refused(self, folder: Path, tmp_path: Path):
        campaign = campaign_of(tmp_path, folder)
        opened = open_campaign(tmp_path / "c", campaign)
        assert replace(opened, data_hash=None) == campaign
        assert open_campaign(tmp_path / "c", campaign) == opened
        assert load_campaign(tmp_path / "c") == opened
        with pytest.raises(AntiphonError, match="another campaign"):
            open_campaign(tmp_path / "c", campaign_of(tmp_path, folder, GRID.replace("A4", "A7")))
        with pytest.raises(AntiphonError, match="neither empty nor a campaign"):
            open_campaign(tmp_path, campaign)

    def test_remembers_its_data_for_every_working_folder(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(folder.parent)
        campaign = campaign_of(tmp_path, Path(folder.name))
        opened = open_campaign(tmp_path / "c", campaign)
        assert opened.corpora == opened.evaluate_on == (str(folder),)
        monkeypatch.chdir(tmp_path)
        assert load_campaign(tmp_path / "c") == open_campaign(tmp_path / "c", campaign_of(tmp_path, folder)) == opened

    def test_takes_its_data_from_where_they_have_been_moved(self, folder: Path, tmp_path: Path):
        opened = open_campaign(tmp_path / "c", campaign_of(tmp_path, folder))
        moved = folder.rename(tmp_path / "moved")
        found = open_campaign(tmp_path / "c", campaign_of(tmp_path, moved))
        expected = replace(opened, corpora=(str(moved),), evaluate_on=(str(moved),))
        assert found == load_campaign(tmp_path / "c") == expected
        next(moved.rglob("*.mid")).unlink()
        with pytest.raises(AntiphonError, match="the data have changed"):
            open_campaign(tmp_path / "c", campaign_of(tmp_path, moved))

    def test_needs_no_data_when_all_is_finished(self, folder: Path, tmp_path: Path):
        campaign = campaign_of(tmp_path, folder)
        opened = open_campaign(tmp_path / "c", campaign)
        for run in campaign.runs:
            identity = record_identity(campaign, run)
            record_store(tmp_path / "c").put(run.name, identity, identity)
        folder.rename(tmp_path / "gone")
        assert open_campaign(tmp_path / "c", campaign) == opened

    def test_without_a_format_number_still_opens(self, folder: Path, tmp_path: Path):
        """As it was written before there were numbers and hashes."""
        from_scratch = "\n".join(line for line in GRID.splitlines() if not line.startswith("init_from"))
        campaign, out = campaign_of(tmp_path, folder, from_scratch), tmp_path / "c"
        opened = open_campaign(out, campaign)
        plain = json.loads((out / "campaign.json").read_text(encoding="utf-8"))
        assert plain["format"] == 2
        del plain["format"], plain["data_hash"]
        for run in plain["runs"]:
            run["from_foundation"] = run.pop("from_init")
        (out / "campaign.json").write_text(json.dumps(plain), encoding="utf-8")
        assert load_campaign(out) == campaign
        with pytest.raises(AntiphonError, match="another campaign"):
            open_campaign(out, replace(campaign, corpora=("demo",)))
        assert open_campaign(out, campaign) == opened
        assert load_campaign(out) == opened

    @pytest.mark.parametrize("name", ["screening", "seeds"])
    def test_of_an_earlier_format_has_all_its_records(self, tmp_path: Path, name: str):
        """In the format of the committed campaigns the initial run and the fields about it have other names."""
        out = tmp_path / name
        shutil.copytree(RESULTS / "campaigns" / name, out)
        earlier = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (out / "results").iterdir()}
        (out / "runs" / "foundation").mkdir(parents=True)
        (out / "runs" / "foundation.log").touch()
        campaign = load_campaign(out)
        planned = [(run.name, run.arm, run.seed, run.from_init) for run in plan(load_grid(name))]
        assert [(run.name, run.arm, run.seed, run.from_init) for run in campaign.runs] == planned  # epochs were scaled
        campaign = replace(campaign, question="The same question in other words?")
        for _ in range(2):
            assert open_campaign(out, campaign) == campaign
            records = load_records(out, campaign)
            assert [record["run"] for record in records] == [run.name for run in campaign.runs]
        assert len(records) == len(earlier) == len(list((out / "results").iterdir())) > 1
        assert {record["init_from"] for record in records[1:]} == {INIT_FROM if name == "screening" else None}
        scores = {record["run"]: record["evaluations"] for record in earlier.values()}
        for record in records:
            assert record["evaluations"] == scores["foundation" if record["run"] == INIT_FROM else record["run"]]
        assert sorted(path.name for path in (out / "runs").iterdir()) == ["init_from", "init_from.log"]

    @pytest.mark.parametrize("damage", ["{ cut off", "[]", "{}"])
    def test_runs_whose_record_is_damaged_are_not_finished(self, folder: Path, tmp_path: Path, damage: str):
        campaign = open_campaign(tmp_path / "c", campaign_of(tmp_path, folder))
        store, (first, *_) = record_store(tmp_path / "c"), campaign.runs
        store.put(first.name, {}, record_identity(campaign, first))
        assert [record["run"] for record in load_records(tmp_path / "c", campaign)] == [first.name]
        store.path(first.name).write_text(damage, encoding="utf-8")
        assert load_records(tmp_path / "c", campaign) == []

    def test_in_which_another_process_works_is_refused(self, folder: Path, tmp_path: Path):
        campaign = campaign_of(tmp_path, folder)
        open_campaign(tmp_path / "c", campaign)
        with FileLock(tmp_path / "c" / LOCK), pytest.raises(AntiphonError, match="another process"):
            execute_campaign(tmp_path / "c", campaign, jobs=1)


def test_killed_and_called_again_it_goes_on_to_its_report(folder: Path, tmp_path: Path):
    out = tmp_path / "campaign"
    command = [sys.executable, "-m", "antiphon", "campaign", write_grid(tmp_path, GRID), str(folder)]
    command += ["--preset", "tiny", "--out", str(out), "--jobs", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    until(lambda: record_store(out).path(INIT_FROM).exists() or process.poll() is not None, "the first record")
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the campaign ended before it could be killed"
    paths = [record_store(out).path(name) for name in (INIT_FROM, "D0", "A4")]
    before = {path: path.stat().st_mtime_ns for path in paths if path.exists()}
    assert paths[0] in before
    subprocess.run(command, env=environment, check=True, timeout=LIMIT_S)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    records = {
        name: json.loads(record_store(out).path(name).read_text(encoding="utf-8")) for name in (INIT_FROM, "D0", "A4")
    }
    hashes = {record["evaluations"][0]["model_hash"] for record in records.values()}
    assert len(hashes) == 3
    assert records["A4"]["training"]["init_from_hash"] == records["D0"]["training"]["init_from_hash"] is not None
    assert records["A4"]["training"]["steps"] == 10
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "3 of 3 runs are finished" in report
    assert f"{records['A4']['evaluations'][0]['S']:.1f}" in report
    assert (out / "report.html").exists()


def test_the_initial_model_is_trained_again_where_only_records_are_left(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    campaign, out = campaign_of(tmp_path, folder), tmp_path / "campaign"
    open_campaign(out, campaign)
    before = {run.name: carry_out(out, run.name) for run in campaign.runs}
    store = record_store(out)
    shutil.rmtree(out / "runs")
    execute_campaign(out, campaign, jobs=1)
    assert not any(path.is_dir() for path in out.glob("runs/*")), "nothing is left to train"
    store.path("A4").unlink()
    caplog.clear()
    execute_campaign(out, campaign, jobs=1)
    assert sorted(path.name for path in (out / "runs").iterdir() if path.is_dir()) == ["A4", INIT_FROM]
    assert "other weights" not in caplog.text
    for name, record in before.items():
        found = store.read(name)
        assert found["evaluations"] == record["evaluations"], name
        assert found["training"]["init_from_hash"] == record["training"]["init_from_hash"]
    store.path(INIT_FROM).unlink()
    store.put("D0", {}, before["D0"] | {"training": before["D0"]["training"] | {"init_from_hash": "0" * 64}})
    execute_campaign(out, campaign, jobs=1)
    assert "the initial model has other weights" in caplog.text


def test_a_run_that_fails_is_named_with_its_log(folder: Path, tmp_path: Path):
    campaign = campaign_of(tmp_path, folder)
    out = tmp_path / "campaign"
    open_campaign(out, campaign)
    run_folder(out, INIT_FROM).mkdir(parents=True)
    (run_folder(out, INIT_FROM) / "in the way").write_text("", encoding="utf-8")
    with pytest.raises(AntiphonError, match=r"1 of 3 runs failed; the first: init_from: .*not empty.*init_from\.log"):
        execute_campaign(out, campaign, jobs=2)
    assert not record_store(out).path("D0").exists()
