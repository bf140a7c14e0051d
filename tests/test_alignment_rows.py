"""The rows of the alignment benchmark, with methods that know the answer, and its command."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.alignment import __main__ as command
from benchmarks.alignment import row_asap, row_lost, row_maps, row_repeats, row_speed
from benchmarks.alignment.aligners import Aligned, Peer, Remembered, make_aligner
from benchmarks.alignment.cases import Case, tuning_cases
from benchmarks.alignment.registry import ROWS
from benchmarks.alignment.repeats import (
    KINDS,
    Expected,
)
from benchmarks.alignment.report import as_markdown
from benchmarks.alignment.rows import Row

from alignment_benchmark_data import BEATS, Oracle, chord_notes, ideal, performed_beats, setting_of, write_data
from antiphon.corpora import Corpus, open_corpus
from antiphon.errors import AntiphonError, UnknownName, UnreadableInput
from antiphon.io.audio import audio_info, write_flac
from antiphon.io.note_files import read_notes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def maestro(data: Path) -> Corpus:
    return open_corpus(str(data / "maestro"))


def test_the_row_of_asap_measures_an_oracle(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    oracle = Oracle(data)
    row = row_asap.ROW
    result = row.judged(row.run(setting_of(data, maestro, tmp_path, aligners=(oracle,))))
    found = result["methods"]["antiphon"]
    assert result["pieces"] == ["A/one", "B/three", "B/three_no_repeat"]
    assert len(result["dropped"]) == 2
    assert found["beats"] == result["beats"] > 120
    assert found["constants_ms"] == pytest.approx({"additive clean": 7.0}, abs=0.01)
    assert found["median_ms"] < 0.01
    assert result["bars"]["median_ms"] == {"bar": "<= 3", "ours": found["median_ms"], "met": True}
    assert result["bars"]["lost_flagged"]["met"] is None  # nothing is lost
    text = as_markdown({"asap": result | {"code": "", "seed": 0}})
    assert "| antiphon" in text
    assert "not measured: lost flagged" in text
    assert json.loads(json.dumps(result)) == result
    assert all(case.performed is not None and case.performed.exists() for case in oracle.asked)


def test_tuning_cases_are_of_the_training_split(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    cases = list(tuning_cases(data / "asap", maestro, ["additive"], ["clean", "room"], tmp_path))
    assert [(case.name, case.kind) for case in cases] == [("A/two", "additive clean"), ("A/two", "additive room")]
    assert cases[0].recording != cases[1].recording


def test_the_row_of_real_recordings_counts_notes(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    notes = chord_notes(performed_beats(2) + 0.5, 2)
    lines = [
        f"{a},{b},{c},{d}"
        for a, b, c, d in zip(notes.onset_s, notes.offset_s, notes.pitch, notes.velocity, strict=True)
    ]
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.tsv").write_text("# onset,offset,note,velocity\n" + "\n".join(lines), encoding="utf-8")
    write_flac(tmp_path / "real/x.flac", np.zeros(16_000 * 30, np.float32), 16_000)
    oracle = Oracle(data, 0.02)
    setting = setting_of(data, maestro, tmp_path, aligners=(oracle,), maps=tmp_path / "real")
    row = row_maps.ROW
    result = row.judged(row.run(setting))
    assert result["notes"] == len(notes)
    assert result["methods"]["antiphon"]["notes_lost"] == 0
    assert result["methods"]["antiphon"]["constants_ms"]["real"] == pytest.approx(20.0, abs=0.2)
    assert result["bars"]["median_ms"]["met"]
    written = read_notes(oracle.asked[0].notes)
    assert written.end_s != pytest.approx(notes.end_s, abs=0.3)
    with pytest.raises(UnreadableInput, match="no FLAC"):
        row.run(replace(setting, maps=tmp_path))


class Unfolding(Oracle):
    """Knows what a case of the repeats row expects."""

    def __init__(self, data: Path, expected: dict[str, list[Expected]]) -> None:
        super().__init__(data)
        self.expected = expected

    def __call__(self, case: Case) -> Aligned:
        onset_s, times = ideal(self.expected[case.name])
        return Aligned(onset_s, np.zeros(len(onset_s), np.uint8), times, 0.1)


def test_the_row_of_repeats_tells_right_from_wrong(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    setting = setting_of(data, maestro, tmp_path)
    cases = list(row_repeats.made_cases(setting))
    assert [one.case.kind for one in cases] == list(KINDS[:3])
    recordings = [audio_info(one.case.recording).duration_s for one in cases]
    assert recordings[0] == pytest.approx(32.0, abs=0.01)
    assert recordings[1] > 40.0  # the section is played twice
    assert read_notes(cases[2].case.notes).end_s > BEATS * 0.5 + 5.0  # and here it is written twice
    aligner = Unfolding(data, {one.case.name: one.expected for one in cases})
    row = row_repeats.ROW
    result = row.judged(row.run(replace(setting, aligners=(aligner,))))
    assert result["methods"]["antiphon"]["right_unfolding"] == 100.0
    assert result["bars"]["right_unfolding"]["met"]
    aligner.expected[cases[1].case.name] = cases[0].expected
    result = row.judged(row.run(replace(setting, aligners=(aligner,))))
    assert result["wrong"] == [cases[1].case.name]
    assert not result["bars"]["right_unfolding"]["met"]


class Doubtful(Oracle):
    """Calls the stretches lost that it was told, by the name of the case."""

    def __init__(self, data: Path, lost: dict[str, tuple[float, float]]) -> None:
        super().__init__(data)
        self.lost = lost

    def __call__(self, case: Case) -> Aligned:
        nothing = np.zeros(0)
        lost = (self.lost[case.name],) if case.name in self.lost else ()
        return Aligned(nothing, np.zeros(0, np.uint8), nothing, 0.1, nothing, (), lost)


def test_the_row_of_lost_stretches_tells_flagged_from_missed(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    setting = setting_of(data, maestro, tmp_path)
    cases = row_lost.lost_cases(setting)
    assert [one.case.kind for one in cases] == ["other notes", "other sound", "other notes"]
    begin_s, end_s = cases[0].lost_s
    assert audio_info(cases[0].case.recording).duration_s == pytest.approx(32.0, abs=0.01)
    score = read_notes(data / "asap" / "A/one" / "midi_score.mid")
    assert len(read_notes(cases[0].case.notes)) == len(score)
    assert (
        read_notes(cases[1].case.notes).pitch.tolist()
        == read_notes(data / "asap" / "B/three" / "midi_score.mid").pitch.tolist()
    )
    aligner = Doubtful(data, {one.case.name: one.lost_s for one in cases})
    row = row_lost.ROW
    result = row.judged(row.run(replace(setting, aligners=(aligner,))))
    assert result["bars"]["lost_flagged"] == {"bar": ">= 95", "ours": 100.0, "met": True}
    assert result["bars"]["falsely_lost"]["ours"] == 0.0
    aligner.lost = {cases[0].case.name: (0.0, end_s), cases[1].case.name: (0.0, 1.0)}
    result = row.judged(row.run(replace(setting, aligners=(aligner,))))
    assert result["methods"]["antiphon"]["lost_flagged"] == pytest.approx(100 / 3)
    assert result["not_flagged"] == [one.case.name for one in cases[1:]]
    outside_s = sum(one.case.duration_s - (one.lost_s[1] - one.lost_s[0]) for one in cases)
    falsely_s = begin_s - 2.0 + 1.0
    assert result["methods"]["antiphon"]["falsely_lost"] == pytest.approx(100 * falsely_s / outside_s, abs=0.01)


def test_speed_is_sound_per_cpu_second(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    slow = Oracle(data)
    peer = Oracle(data)
    peer.name = "synctoolbox"
    result = row_speed.ROW.run(setting_of(data, maestro, tmp_path, aligners=(slow, peer)))
    assert result["methods"]["synctoolbox"]["times_real_time"] == pytest.approx(64.0, rel=0.01)  # 32 s in 0.5 s
    assert result["methods"]["antiphon"]["times_fastest_peer"] == pytest.approx(1.0)


def test_a_peer_without_its_package_is_an_error_of_one_line(tmp_path: Path) -> None:
    chord_notes(np.arange(4.0), 1).save(tmp_path / "notes.mid")
    (tmp_path / "sound.flac").touch()
    case = Case("x", "k", tmp_path / "notes.mid", tmp_path / "sound.flac", 4.0, np.zeros(0), np.zeros(0))
    peer = Peer("synctoolbox", sys.executable)
    with pytest.raises(AntiphonError, match="synctoolbox: x: "):
        peer(case)
    peer.close()
    unknown = Peer("nobody", sys.executable)
    with pytest.raises(AntiphonError, match="ended with code"):
        unknown(case)
    with pytest.raises(UnknownName, match="parangonar"):
        make_aligner("parangona", sys.executable, tmp_path)
    with pytest.raises(AntiphonError, match="needs --peers"):
        make_aligner("parangonar", None, tmp_path)


def test_times_of_peers_are_kept_until_a_file_changes(data: Path, tmp_path: Path) -> None:
    chord_notes(np.arange(4.0), 1).save(tmp_path / "notes.mid")
    (tmp_path / "sound.flac").write_bytes(b"1")
    case = Case("x", "k", tmp_path / "notes.mid", tmp_path / "sound.flac", 4.0, np.arange(4.0), np.arange(4.0) + 1)
    oracle = Oracle(data)
    kept = Remembered(oracle, tmp_path)
    first, again = kept(case), kept(case)
    assert len(oracle.asked) == 1
    assert again.recording_s.tolist() == first.recording_s.tolist()
    (tmp_path / "sound.flac").write_bytes(b"2")
    kept(case)
    assert len(oracle.asked) == 2


def test_the_command_writes_its_rows(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "make_aligner", lambda name, python, cache: Oracle(data))
    out = tmp_path / "alignment.json"
    words = ["--asap", data / "asap", "--maestro", data / "maestro", "--soundfonts", "additive", "--quick"]
    words += ["--cache", tmp_path, "--out", out, "--rows", "asap", "maps", "speed"]
    monkeypatch.setattr(sys, "argv", ["benchmarks.alignment", *map(str, words)])
    command.main()
    printed = capsys.readouterr().out
    assert "maps is skipped: needs --maps" in printed
    assert "**asap**" in printed
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert list(rows) == ["asap", "speed"]
    assert rows["asap"]["quick"] is True
    assert len(rows["asap"]["pieces"]) == 2
    monkeypatch.setattr(sys, "argv", ["benchmarks.alignment", "--rows", "asp"])
    with pytest.raises(SystemExit):
        command.main()
    assert "did you mean" in capsys.readouterr().err.lower()


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 4
    assert all(isinstance(row, Row) and row.bars for row in ROWS)
