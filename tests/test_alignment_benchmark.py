"""The alignment benchmark: truth from ASAP's annotations, measures on known errors, known warps, repeats, the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.alignment.aligners import Aligned
from benchmarks.alignment.asap_pieces import read_beats, read_pieces
from benchmarks.alignment.cases import Case
from benchmarks.alignment.measures import (
    Timed,
    accuracy,
    calibration,
    corpus_constant,
    covered_s,
    lost_stretches,
    monotonic,
)
from benchmarks.alignment.repeats import (
    KINDS,
    Expected,
    choose_section,
    doubled,
    expected_of,
    expected_of_variants,
    is_right,
)
from benchmarks.alignment.rows import measured
from benchmarks.alignment.sounds import RATE_HZ, sound_of
from benchmarks.alignment.truth import clock_constant, median_onsets
from benchmarks.alignment.warps import draw_warp, warped

from alignment_benchmark_data import BEATS, START_S, chord_notes, ideal, performed_beats, write_data
from antiphon.alignment.dtw import Warp
from antiphon.corpora import Corpus, open_corpus
from antiphon.errors import UnreadableInput
from antiphon.io.audio import audio_info, read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def maestro(data: Path) -> Corpus:
    return open_corpus(str(data / "maestro"))


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
