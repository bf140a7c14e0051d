"""The alignment benchmark: truth from ASAP's annotations, measures on known errors, known warps, repeats, the rows."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.alignment import __main__ as command
from benchmarks.alignment import row_asap, row_maps, row_repeats, row_speed
from benchmarks.alignment.aligners import Aligned, Peer, Remembered, make_aligner
from benchmarks.alignment.asap_pieces import read_beats, read_pieces
from benchmarks.alignment.cases import Case, tuning_cases
from benchmarks.alignment.measures import (
    Timed,
    accuracy,
    calibration,
    corpus_constant,
    covered_s,
    lost_stretches,
    monotonic,
)
from benchmarks.alignment.registry import ROWS
from benchmarks.alignment.repeats import (
    KINDS,
    Expected,
    choose_section,
    doubled,
    expected_of,
    expected_of_variants,
    is_right,
)
from benchmarks.alignment.report import as_markdown
from benchmarks.alignment.rows import Row, Setting, measured
from benchmarks.alignment.sounds import RATE_HZ, sound_of
from benchmarks.alignment.truth import clock_constant, median_onsets
from benchmarks.alignment.warps import draw_warp, warped

from antiphon.alignment.dtw import Warp
from antiphon.corpora import Corpus, open_corpus
from antiphon.errors import AntiphonError, UnknownName, UnreadableInput
from antiphon.io.audio import audio_info, read_samples, write_flac
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes

BEATS = 48
START_S = 20.0  # where the pieces begin in their MAESTRO files
PIECES = ("A/one", "A/two", "B/three", "B/three_no_repeat", "C/wrong", "C/short")


def chord_notes(beat_s: np.ndarray, seed: int, spread_s: float = 0.0) -> Notes:
    """Three notes at each beat, and one between beats; chords are spread by up to `spread_s`, differently each time."""
    rng, spread = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    onset_s, pitch = [], []
    for begin_s, end_s in zip(beat_s, np.append(beat_s[1:], beat_s[-1] + 0.5), strict=True):
        onset_s += [*(begin_s + spread.uniform(-spread_s, spread_s, 3)), (begin_s + end_s) / 2]
        pitch += [*rng.choice(np.arange(40, 90), 3, replace=False), rng.integers(40, 90)]
    return Notes.of(onset_s, [0.2] * len(onset_s), pitch, [80] * len(pitch))


def performed_beats(seed: int) -> np.ndarray:
    """Beats of a player whose tempo changes: seconds from the first one."""
    return np.concatenate([[0.0], np.cumsum(np.random.default_rng(seed).uniform(0.35, 0.65, BEATS - 1))])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ASAP beside a small MAESTRO; the annotations of C/wrong are of other music, those of C/short too few."""
    root = tmp_path_factory.mktemp("data")
    asap, maestro = root / "asap", root / "maestro"
    rows, table = [], []
    for number, folder in enumerate(PIECES):
        (asap / folder).mkdir(parents=True)
        (maestro / "2011").mkdir(parents=True, exist_ok=True)
        score_s = np.arange(BEATS) * 0.5
        chord_notes(score_s, number).save(asap / folder / "midi_score.mid")
        beat_s = performed_beats(number)
        played = chord_notes(START_S + beat_s, number, spread_s=0.012)
        played.save(maestro / "2011" / f"{number}.midi")
        kept = read_notes(maestro / "2011" / f"{number}.midi")
        chords = [np.sort(kept.onset_s[np.abs(kept.onset_s - START_S - at) < 0.05])[1] for at in beat_s]
        annotated = np.array(chords) - (START_S - 0.5)
        if folder == "C/wrong":
            annotated = performed_beats(99) + 0.5
        if folder == "C/short":
            annotated = annotated[:-1]
        for name, times in (("midi_score_annotations.txt", score_s), ("p_annotations.txt", annotated)):
            (asap / folder / name).write_text("".join(f"{at}\t{at}\tb\n" for at in times), encoding="utf-8")
        split = "train" if folder == "A/two" else "validation" if number % 2 else "test"
        table.append(["X", folder, split, "2011", f"2011/{number}.midi", f"2011/{number}.wav", str(START_S + 40.0)])
        rows.append(
            [
                folder,
                f"{folder}/midi_score.mid",
                f"{folder}/p_annotations.txt",
                f"{folder}/midi_score_annotations.txt",
                f"{{maestro}}/2011/{number}.midi",
                str(START_S),
                str(START_S + 30.0),
            ]
        )
    columns = "folder midi_score performance_annotations midi_score_annotations maestro_midi_performance start end"
    _write_csv(asap / "metadata.csv", columns.split(), rows)
    columns = "canonical_composer canonical_title split year midi_filename audio_filename duration"
    _write_csv(maestro / "maestro-v3.0.0.csv", columns.split(), table)
    return root


def _write_csv(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def maestro(data: Path) -> Corpus:
    return open_corpus(str(data / "maestro"))


def setting_of(data: Path, maestro: Corpus, cache: Path, **how: object) -> Setting:
    return Setting(
        how.pop("aligners", ()),  # type: ignore[arg-type]
        cache,
        data / "asap",
        maestro,
        soundfonts=("additive",),
        **how,  # type: ignore[arg-type]
    )


class Oracle:
    """Gives the notes of a case the times that a map from seconds of the notes gives, plus a delay."""

    name = "antiphon"

    def __init__(self, data: Path, delay_s: float = 0.007) -> None:
        self.data, self.delay_s = data, delay_s
        self.asked: list[Case] = []

    def __call__(self, case: Case) -> Aligned:
        self.asked.append(case)
        notes = read_notes(case.notes)
        times = np.interp(notes.onset_s, case.notes_s, case.recording_s) + self.delay_s
        return Aligned(notes.onset_s, notes.pitch, times, 0.5, np.full(len(notes), 0.95))

    def close(self) -> None:
        pass


def test_annotations_are_put_on_the_clock_of_the_performance(data: Path, maestro: Corpus) -> None:
    found = read_pieces(data / "asap", maestro, ("validation", "test"))
    assert [one.folder for one in found.pieces] == ["A/one", "B/three", "B/three_no_repeat"]
    assert [one.partition(":")[0] for one in found.dropped] == ["C/wrong", "C/short"]
    assert "constant" in found.dropped[0]
    assert "48 beats of the score, 47" in found.dropped[1]
    for one, number in zip(found.pieces, (0, 2, 3), strict=True):
        assert one.constant_s == pytest.approx(-0.5, abs=2e-4)
        assert one.begin_s == START_S - 1.0
        assert one.end_s == START_S + 31.0
        assert len(one.score_s) > 0.9 * BEATS
        true_s = np.interp(one.score_s, np.arange(BEATS) * 0.5, performed_beats(number)) + 1.0
        assert np.abs(one.performance_s - true_s).max() < 0.013
        assert np.abs(one.performance_s - one.median_s).max() < 5e-4


def test_works_of_reported_splits_are_not_tuned_on(data: Path, maestro: Corpus) -> None:
    train = read_pieces(data / "asap", maestro, ("train",), ("validation", "test"))
    assert [one.folder for one in train.pieces] == ["A/two"]
    with pytest.raises(UnreadableInput, match="no performance"):
        read_pieces(data / "asap", maestro, ("validation",), ("validation",))
    both = read_pieces(data / "asap", maestro, ("test",), ("validation",))
    # Both editions of B/three are one work, which the validation split plays.
    assert [one.folder for one in both.pieces] == ["A/one"]


def test_a_sample_of_pieces_is_seeded(data: Path, maestro: Corpus) -> None:
    def sample(seed: int) -> list[str]:
        return [one.folder for one in read_pieces(data / "asap", maestro, ("validation", "test"), (), 2, seed).pieces]

    assert sample(1) == sample(1)
    assert len(sample(1)) == 2
    assert len({tuple(sample(seed)) for seed in range(8)}) > 1


def test_only_beats_that_are_written_and_played_count(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    asap = tmp_path / "asap"
    (asap / "A/one").mkdir(parents=True)
    for name in ("A/one/midi_score_annotations.txt", "A/one/p_annotations.txt", "metadata.csv"):
        (asap / name).write_bytes((data / "asap" / name).read_bytes())
    lines = (asap / "metadata.csv").read_text(encoding="utf-8").splitlines()
    (asap / "metadata.csv").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    score = read_notes(data / "asap/A/one/midi_score.mid")
    moved = np.where(np.abs(score.onset_s - 5.0) < 0.01, 5.003, score.onset_s)  # beat 10 is not on a note
    other = np.where(np.abs(score.onset_s - 6.0) < 0.01, 30, score.pitch)  # beat 12 is other notes
    Notes.of(moved, score.duration_s, other, score.velocity).save(asap / "A/one/midi_score.mid")
    (piece,) = read_pieces(asap, maestro, ("test",)).pieces
    assert 5.0 not in piece.score_s.round(3)
    assert 6.0 not in piece.score_s.round(3)
    assert 5.5 in piece.score_s.round(3)


def test_a_constant_is_found_among_many_notes_or_not_at_all() -> None:
    played = chord_notes(performed_beats(5) + 7.25, 5, spread_s=0.01)
    at_s = np.array(
        [np.sort(played.onset_s[np.abs(played.onset_s - 7.25 - one) < 0.05])[1] for one in performed_beats(5)]
    )
    pitches = [np.unique(played.pitch[np.abs(played.onset_s - one) < 0.05]) for one in at_s]
    assert clock_constant(played, at_s - 6.0, pitches, 5.5) == pytest.approx(6.0, abs=1e-4)
    assert clock_constant(played, at_s - 6.0, pitches, 1.0) is None  # further away than 2 s
    late_s = median_onsets(played, at_s, pitches) - at_s
    assert np.abs(late_s).max() < 1e-6
    assert np.isnan(median_onsets(played, np.array([1000.0]), pitches[:1])).all()


def test_broken_annotations_are_named(tmp_path: Path) -> None:
    path = tmp_path / "annotations.txt"
    path.write_text("0.5\t0.5\tb\n\nbeat\n", encoding="utf-8")
    with pytest.raises(UnreadableInput, match="does not begin with a time"):
        read_beats(path)


def test_renders_begin_with_the_cut_and_rooms_keep_the_times(data: Path, maestro: Corpus, tmp_path: Path) -> None:
    piece = read_pieces(data / "asap", maestro, ("validation", "test")).pieces[0]
    clean = sound_of(piece, "additive", "clean", tmp_path)
    assert audio_info(clean).duration_s == pytest.approx(32.0, abs=0.01)
    samples = read_samples(clean, RATE_HZ)
    first = float(np.argmax(np.abs(samples) > 0.01 * np.abs(samples).max())) / RATE_HZ
    assert first == pytest.approx(float(piece.performed().onset_s[0]), abs=0.004)
    room = read_samples(sound_of(piece, "additive", "room", tmp_path), RATE_HZ)
    assert len(room) == len(samples)
    spectrum = np.fft.rfft(samples, 2 * len(samples)).conj() * np.fft.rfft(room, 2 * len(samples))
    assert abs(int(np.argmax(np.abs(np.fft.irfft(spectrum)[:2000])))) < 0.001 * RATE_HZ
    written = clean.stat().st_mtime_ns
    assert sound_of(piece, "additive", "clean", tmp_path).stat().st_mtime_ns == written


def test_measures_of_known_errors() -> None:
    true_s = np.arange(1.0, 101.0)
    error_s = np.zeros(100)
    error_s[:10], error_s[10:15], error_s[15:18], error_s[18] = 0.02, 0.1, 0.3, np.nan
    case = Timed("x", true_s, true_s + error_s + 0.008)
    assert corpus_constant([case]) == pytest.approx(0.008)
    found = accuracy([case], 0.008)
    assert found["beats"] == 100
    assert found["median_ms"] == pytest.approx(0.0, abs=1e-6)
    assert found["within_10_ms"] == pytest.approx(81.0)
    assert found["within_50_ms"] == pytest.approx(91.0)
    assert found["off_by_more_than_250_ms"] == pytest.approx(4.0)
    assert found["without_a_time"] == pytest.approx(1.0)
    assert found["p90_ms"] == pytest.approx(20.0)
    nothing = Timed("y", true_s, np.full(100, np.nan))
    assert accuracy([nothing], 0.0)["median_ms"] is None
    assert corpus_constant([nothing]) == 0.0


def test_a_corpus_has_one_constant() -> None:
    true_s = np.arange(1.0, 11.0)
    cases = [Case(name, "k", Path(), Path(), 10.0, true_s, true_s) for name in "abc"]
    timed = [Timed(name, true_s, true_s + late_s) for name, late_s in (("a", 0.010), ("b", 0.014), ("c", 0.018))]
    found = measured([(one, None) for one in timed], cases)
    assert found["constants_ms"]["k"] == pytest.approx(14.0)
    assert found["median_ms"] == pytest.approx(4.0)
    assert found["failed"] == 3
    own = measured([(one, None) for one in timed], [replace(case, kind=case.name) for case in cases])
    assert own["median_ms"] == pytest.approx(0.0, abs=1e-6)


def test_lost_stretches_must_be_flagged_by_half() -> None:
    true_s = np.arange(0.0, 60.0, 0.5)
    error_s = np.zeros(len(true_s))
    for begin_s, end_s in ((10.0, 14.0), (30.0, 33.0), (50.0, 50.5)):
        error_s[(true_s >= begin_s) & (true_s <= end_s)] = 1.0
    sureness = np.where(error_s > 0, 0.2, 0.97)
    sureness[0], sureness[20] = 0.5, 0.95  # beat 20 is at 10 s: lost, and yet sure
    case = Timed("x", true_s, true_s + error_s, sureness, ((11.0, 20.0), (31.6, 33.0), (40.0, 45.0)))
    assert lost_stretches(case, 0.0) == [(10.0, 14.0), (30.0, 33.0)]
    found = calibration([case], 0.0)
    assert found["lost_stretches"] == 2
    assert found["lost_flagged"] == pytest.approx(50.0)  # 3 of 4 s, 1.4 of 3 s
    assert found["called_lost"] == 3
    assert found["lost_falsely"] == pytest.approx(100.0 * 5.0 / 15.4)
    sure = np.count_nonzero(sureness >= 0.9)
    assert found["sure_within_50_ms"] == pytest.approx(100.0 * (sure - 1) / sure)
    assert calibration([replace(case, confidence=None)], 0.0) == {}
    assert covered_s((0.0, 1.0), [(2.0, 3.0)]) == 0.0


def test_times_for_mir_eval_increase() -> None:
    case = Timed("x", np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.1, np.nan, 2.0, 1.5]))
    true_s, estimated_s = monotonic(case, 0.1)
    assert true_s.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert estimated_s == pytest.approx([1.0, 1.45, 1.9, 1.9])
    assert len(monotonic(replace(case, estimated_s=np.full(4, np.nan)), 0.0)[0]) == 0


def test_the_time_of_a_beat_is_the_median_of_its_notes_or_on_the_path() -> None:
    aligned = Aligned(
        np.array([1.0, 1.0005, 1.0, 2.0, 2.0, 3.0]),
        np.array([60, 64, 67, 60, 60, 60], np.uint8),
        np.array([5.00, 5.02, 5.10, 9.0, 6.0, np.nan]),
        0.1,
        np.array([0.9, 0.5, 0.8, 0.2, 0.7, 0.9]),
        (Warp(np.array([0.0, 4.0]), np.array([4.0, 8.0])),),
    )
    times, sureness = aligned.at(np.array([1.0, 2.0, 3.0, 4.5]))
    assert times[:3] == pytest.approx([5.02, 6.0, 7.0])
    assert np.isnan(times[3])
    assert sureness == pytest.approx([0.8, 0.7, 0.0, 0.0])
    times, _ = aligned.at(np.array([1.0, 1.0, 3.0]), np.array([67, 61, 60], np.uint8))
    assert times[0] == pytest.approx(5.1)
    assert np.isnan(times[1:]).all()


def test_warped_notes_are_where_the_warp_says() -> None:
    notes = chord_notes(performed_beats(3), 3)
    warp = draw_warp(60.0, np.random.default_rng(4))
    moved = warped(notes, warp)
    assert np.sort(warp.inverse(moved.onset_s)) == pytest.approx(np.sort(notes.onset_s), abs=1e-9)
    beats_s = np.diff(draw_warp(60.0, np.random.default_rng(4)).library_s)
    assert beats_s == pytest.approx(np.diff(warp.library_s))
    # Alternate beats are longer and shorter by the swing, around a slow curve.
    middle = (beats_s[:-2] + beats_s[2:]) / 2
    swing = (beats_s[1:-1] / middle - 1)[::2] / 2
    assert swing.std() < 0.02
    assert abs(swing.mean()) < 0.18
    tempi = [draw_warp(600.0, np.random.default_rng(seed)).library_s[-1] / 600.0 for seed in range(40)]
    assert min(tempi) < 0.9
    assert max(tempi) > 1.1


def ideal(expected: list[Expected]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of an alignment that is right: of places that are written twice and played once, the first is missing."""
    rows = []
    for beat in expected:
        for number, at in enumerate(beat.written_s):
            missing = len(beat.written_s) > len(beat.played_s) and number == 0
            rows += [(at, np.nan)] if missing else [(at, time) for time in beat.played_s]
    onset_s, times = np.array(rows).T
    return onset_s, times


@pytest.mark.parametrize("kind", KINDS)
def test_an_unfolding_is_right_or_wrong(kind: str) -> None:
    performance_s = performed_beats(6)
    score_s = np.arange(BEATS) * 0.5
    expected = expected_of(kind, score_s, performance_s, (10, 34))  # type: ignore[arg-type]
    onset_s, times = ideal(expected)
    assert is_right(onset_s, times + 0.1, expected)
    assert not is_right(onset_s, times + 0.5, expected)
    assert not is_right(onset_s, np.full(len(times), np.nan), expected)
    wrong = expected_of("neither" if kind != "neither" else "recording twice", score_s, performance_s, (10, 34))
    assert not is_right(*ideal(wrong), expected)


def test_a_section_played_once_may_not_be_found_at_both_places() -> None:
    beats = [Expected("section", (float(at), float(at) + 50.0), (float(at),)) for at in range(10)]
    at_s = np.arange(10.0)
    assert is_right(at_s, at_s, beats)
    assert is_right(at_s + 50.0, at_s, beats)
    assert not is_right(np.concatenate([at_s, at_s + 50.0]), np.concatenate([at_s, at_s]), beats)


def test_editions_with_and_without_a_repeat_are_matched() -> None:
    once = chord_notes(np.arange(BEATS) * 0.5, 8)
    twice = doubled(once, 5.0 - 1e-3, 15.0 - 1e-3)
    assert len(twice) == len(once) + 80
    more_s = np.arange(BEATS + 20) * 0.5
    played_s = more_s * 1.2
    expected = expected_of_variants(twice, once, more_s, played_s)
    both = {beat.written_s[0]: beat.played_s for beat in expected if beat.segment == "repeated"}
    assert len(both) == 20
    for at, times in both.items():
        assert sorted(times) == pytest.approx([1.2 * at, 1.2 * (at + 10.0)], abs=2e-3)
    expected = expected_of_variants(once, twice, np.arange(BEATS) * 0.5, np.arange(BEATS) * 0.6)
    places = [beat for beat in expected if beat.segment == "repeated"]
    assert len(places) == 20
    for beat in places:
        first, second = sorted(beat.written_s)
        assert second - first == pytest.approx(10.0, abs=2e-3)
        assert beat.played_s[0] == pytest.approx(1.2 * first, abs=2e-3)
    assert choose_section(np.arange(10.0), np.random.default_rng(0)) is None


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
