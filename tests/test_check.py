"""`antiphon check`: planted faults are found with their numbers, and clean pairs are clean."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import antiphon
from antiphon.alignment.aligning import read_side
from antiphon.cli.shared import app
from antiphon.corpora import Corpus
from antiphon.experiments.check.deviation import fit_clocks
from antiphon.experiments.check.lag import LEAD, lag_of
from antiphon.experiments.check.report import COLUMNS, CheckedPair, CheckReport
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes

RATE_HZ = 24_000
CUT_AT_S, CUT_S, MOVED_S = 20.0, 2.0, 0.05


def changed(notes: Notes, onset_s: Any, kept: Any = slice(None)) -> Notes:
    return Notes.of(np.asarray(onset_s)[kept], notes.duration_s[kept], notes.pitch[kept], notes.velocity[kept])


def plant(demo: Corpus, folder: Path) -> None:
    """Ten pairs: three clean, and one of each fault."""
    names = ("clean1", "clean2", "clean3", "moved", "cut-notes", "cut-sound", "hand-notes", "hand-sound", "one", "two")
    for name, recording in zip(names, demo.recordings, strict=False):
        notes = read_notes(recording.notes_path)
        low = notes.pitch < np.median(notes.pitch)
        assert recording.audio_path is not None
        sound = folder / f"{name}.flac"
        shutil.copy(recording.audio_path, sound)
        if name == "moved":
            notes = changed(notes, notes.onset_s + MOVED_S)
        elif name == "cut-notes":
            inside = (notes.onset_s >= CUT_AT_S) & (notes.onset_s < CUT_AT_S + CUT_S)
            notes = changed(notes, notes.onset_s - CUT_S * (notes.onset_s >= CUT_AT_S + CUT_S), ~inside)
        elif name == "cut-sound":
            samples = read_samples(sound, RATE_HZ)
            first, last = round(CUT_AT_S * RATE_HZ), round((CUT_AT_S + CUT_S) * RATE_HZ)
            write_flac(sound, np.concatenate([samples[:first], samples[last:]]), RATE_HZ)
        elif name == "hand-notes":
            notes = changed(notes, notes.onset_s, ~low)
        elif name == "hand-sound":
            from antiphon.rendering.additive import AdditivePiano

            write_flac(sound, AdditivePiano(RATE_HZ).render(changed(notes, notes.onset_s, low), notes.end_s), RATE_HZ)
        notes.save(folder / f"{name}.mid")
    (folder / "one.mid").rename(folder / "other.mid")
    (folder / "two.mid").rename(folder / "one.mid")
    (folder / "other.mid").rename(folder / "two.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    shutil.copy(folder / "clean1.flac", folder / "broken.flac")


@pytest.fixture(scope="module")
def folder(demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    plant(demo, folder)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> CheckReport:
    return antiphon.check(folder)


@pytest.fixture(scope="module")
def pairs(report: CheckReport) -> dict[str, CheckedPair]:
    return {pair.id: pair for pair in report}


class TestPlantedFaults:
    @pytest.mark.parametrize(
        ("name", "kinds"),
        [
            ("clean1", []),
            ("clean2", []),
            ("clean3", []),
            ("moved", ["offset"]),
            ("cut-notes", ["cut"]),
            ("cut-sound", ["cut"]),
            ("hand-notes", ["unwritten notes"]),
            ("hand-sound", ["unplayed notes"]),
            ("one", ["other music"]),
            ("two", ["other music"]),
        ],
    )
    def test_each_is_told_and_nothing_else(self, pairs: dict[str, CheckedPair], name: str, kinds: list[str]) -> None:
        assert [finding.kind for finding in pairs[name].findings] == kinds

    def test_the_offset_is_measured(self, pairs: dict[str, CheckedPair], report: CheckReport) -> None:
        row = pairs["moved"].as_dict(report.norms)
        assert row["offset_from_corpus_ms"] == pytest.approx(-1e3 * MOVED_S, abs=5)
        assert 0 < row["offset_error_ms"] < 3

    @pytest.mark.parametrize(("name", "by_s"), [("cut-notes", CUT_S), ("cut-sound", -CUT_S)])
    def test_a_cut_has_its_length_and_place(self, pairs: dict[str, CheckedPair], name: str, by_s: float) -> None:
        (jump,) = pairs[name].evidence.clocks.jumps
        assert jump.by_s == pytest.approx(by_s, abs=0.02)
        (finding,) = pairs[name].findings
        assert finding.from_s is not None
        assert finding.to_s is not None
        assert finding.from_s - 1 <= CUT_AT_S <= finding.to_s + 1

    @pytest.mark.parametrize(("name", "partner"), [("one", "two.mid"), ("two", "one.mid")])
    def test_the_partner_of_a_swapped_file(self, pairs: dict[str, CheckedPair], name: str, partner: str) -> None:
        found = pairs[name].partner
        assert found is not None
        assert found.file.name == partner

    def test_a_hand_that_is_missing_has_its_pitch(self, pairs: dict[str, CheckedPair]) -> None:
        (finding,) = pairs["hand-notes"].findings
        assert "below" in finding.text
        (finding,) = pairs["hand-sound"].findings
        assert " up " in finding.text

    def test_an_unreadable_file_is_listed(self, report: CheckReport) -> None:
        assert [error.path.name for error in report.skipped] == ["broken.mid"]
        assert len(report) == 10


class TestOutput:
    def test_csv_has_a_row_for_each_pair(self, report: CheckReport) -> None:
        lines = report.to_csv().splitlines()
        assert lines[0].split(",") == list(COLUMNS)
        assert len(lines) == 1 + len(report)

    def test_json_is_what_the_columns_say(self, report: CheckReport) -> None:
        found = json.loads(report.to_json())
        assert (found["clean"], found["suspect"]) == (3, 7)
        assert [set(row) for row in found["pairs"]] == [set(COLUMNS)] * len(report)

    def test_a_picture_for_each_suspect(self, report: CheckReport, tmp_path: Path) -> None:
        paths = report.write_pictures(tmp_path)
        assert sorted(path.stem for path in paths) == sorted(pair.id for pair in report.suspects)
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)

    def test_the_command(self, folder: Path, tmp_path: Path) -> None:
        few = tmp_path / "few"
        few.mkdir()
        for name in ("clean1.flac", "clean1.mid", "moved.flac", "moved.mid"):
            shutil.copy(folder / name, few)
        done = CliRunner().invoke(app, ["check", str(few), "--fail", "--pictures", str(tmp_path / "pictures")])
        assert done.exit_code == 1
        assert "moved: suspect" in done.stdout
        assert "clean1: clean" in done.stdout
        assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["moved.png"]

    def test_a_table_never_overwrites_an_input(self, folder: Path) -> None:
        done = CliRunner().invoke(app, ["check", str(folder), "--out", str(folder / "one.mid")])
        assert isinstance(done.exception, antiphon.AntiphonError)
        assert "would overwrite" in str(done.exception)


class TestCorporaThatCannotBeChecked:
    def test_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(antiphon.AntiphonError, match="no recordings found"):
            antiphon.check(tmp_path)

    def test_notes_without_sound(self, demo: Corpus, tmp_path: Path) -> None:
        shutil.copy(demo.recordings[0].notes_path, tmp_path / "a.mid")
        with pytest.raises(antiphon.AntiphonError, match="none of its 1 recordings has sound"):
            antiphon.check(tmp_path)

    def test_no_pair_is_readable(self, demo: Corpus, tmp_path: Path) -> None:
        write_flac(tmp_path / "a.flac", np.zeros(RATE_HZ, np.float32), RATE_HZ)
        Notes.of([], [], [], []).save(tmp_path / "a.mid")
        with pytest.raises(antiphon.AntiphonError) as raised:
            antiphon.check(tmp_path)
        assert "\n" not in str(raised.value)

    def test_limits_are_checked(self, demo: Corpus) -> None:
        with pytest.raises(antiphon.AntiphonError, match="max_drift_ppm is -1"):
            antiphon.check(demo, max_drift_ppm=-1)


class TestClocks:
    rng = np.random.default_rng(1)
    time_s = np.sort(rng.uniform(0, 100, 800))
    pitch, velocity = rng.uniform(40, 90, 800), rng.uniform(30, 100, 800)
    noise_s = rng.normal(0, 0.004, 800)

    def test_offset_and_drift_are_fitted_within_their_errors(self) -> None:
        deviation_s = 0.03 + 1e-4 * self.time_s + self.noise_s + 2e-4 * (self.pitch - 60)
        found = fit_clocks(self.time_s, deviation_s, self.pitch, self.velocity)
        assert found.drift_ppm == pytest.approx(100, abs=4 * found.drift_error_ppm)
        assert 2 < found.drift_error_ppm < 12
        assert found.offset_s == pytest.approx(0.03 + 2e-4 * (self.pitch.mean() - 60), abs=4 * found.offset_error_s)
        assert found.jumps == ()

    def test_outliers_do_not_move_the_line(self) -> None:
        deviation_s = self.noise_s.copy()
        deviation_s[::10] += 0.5
        found = fit_clocks(self.time_s, deviation_s, self.pitch, self.velocity)
        assert abs(found.offset_s) < 0.001
        assert found.same == pytest.approx(0.9, abs=0.02)
        assert found.jumps == ()

    def test_two_jumps(self) -> None:
        deviation_s = self.noise_s + 1.5 * (self.time_s > 30) - 0.4 * (self.time_s > 70)
        found = fit_clocks(self.time_s, deviation_s, self.pitch, self.velocity)
        assert [round(jump.by_s, 2) for jump in found.jumps] == [1.5, -0.4]
        assert [round(sum(jump.notes_s) / 2) for jump in found.jumps] == [30, 70]

    def test_a_great_drift_is_no_row_of_jumps(self) -> None:
        found = fit_clocks(self.time_s, self.noise_s - 0.005 * self.time_s, self.pitch, self.velocity)
        assert found.jumps == ()
        assert found.drift_ppm == pytest.approx(-5000, abs=40)

    def test_another_clock_has_few_notes_on_a_line(self) -> None:
        tempo_s = np.cumsum(np.random.default_rng(2).normal(0, 0.03, 800))
        found = fit_clocks(self.time_s, tempo_s, self.pitch, self.velocity)
        assert found.same < 0.75 or len(found.jumps) > 8

    def test_too_few_notes_give_no_line(self) -> None:
        found = fit_clocks(self.time_s[:5], self.noise_s[:5], self.pitch[:5], self.velocity[:5])
        assert np.isnan(found.offset_s)
        assert np.isnan(found.expected_s(np.array([1.0]))).all()


def test_the_lag_holds_with_half_of_the_notes(demo: Corpus) -> None:
    one, other = demo.recordings[:2]
    assert one.audio_path is not None
    side, notes = read_side(one.audio_path), read_notes(one.notes_path)
    half = changed(notes, notes.onset_s + 3, notes.pitch < np.median(notes.pitch))
    found = lag_of(side.onsets, half)
    assert found.lead >= LEAD
    assert found.lag_s == pytest.approx(-3, abs=0.03)
    assert lag_of(side.onsets, read_notes(other.notes_path)).lead < LEAD


def test_a_score_is_another_clock(demo: Corpus, tmp_path: Path) -> None:
    for number, one in enumerate(demo.recordings[:2]):
        notes = read_notes(one.notes_path)
        assert one.audio_path is not None
        shutil.copy(one.audio_path, tmp_path / f"{number}.flac")
        stretched_s = notes.onset_s * 1.1 + 1.5 * np.sin(notes.onset_s / 5)
        changed(notes, stretched_s - stretched_s.min()).save(tmp_path / f"{number}.mid")
    for pair in antiphon.check(tmp_path):
        assert pair.clock == "other"
        assert pair.findings == ()
