"""Quarters, bars and beats of note files, against symusic's own ticks, `Notes.bar`, and values by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import symusic

from alignment_cases import TICKS, write_score
from antiphon.io.metre import read_metre, time_signature
from antiphon.io.note_files import read_notes
from conftest import SHARED_DATA
from helpers import write_sine


def test_ticks_of_a_file_with_changes_of_tempo_and_metre(tmp_path: Path) -> None:
    score = symusic.Score(TICKS)
    for tick, per_minute in ((0, 60), (3 * TICKS, 120), (3 * TICKS + 100, 47), (20 * TICKS, 200)):
        score.tempos.append(symusic.Tempo(tick, per_minute))
    for tick, numerator, denominator in ((0, 3, 4), (6 * TICKS, 6, 8), (11 * TICKS, 2, 2)):
        score.time_signatures.append(symusic.TimeSignature(tick, numerator, denominator))
    track = symusic.Track("piano")
    ticks = np.arange(0, 30 * TICKS, 137)
    for tick in ticks.tolist():
        track.notes.append(symusic.Note(tick, 60, 30 + tick % 80, 80))
    score.tracks.append(track)
    path = tmp_path / "changes.mid"
    path.write_bytes(score.dumps_midi())
    notes = read_notes(path)
    metre = read_metre(path, notes.end_s)
    assert metre.ticks_per_quarter == TICKS
    assert np.rint(metre.quarters(notes.onset_s) * TICKS).tolist() == ticks.tolist()
    assert metre.quarters(notes.onset_s) * TICKS == pytest.approx(ticks, abs=1e-3)
    assert metre.seconds(metre.quarters(notes.onset_s)) == pytest.approx(notes.onset_s)
    starts = [bar.at for bar in metre.bars]
    assert starts[:8] == [0, 3, 6, 9, 11, 15, 19, 23]  # 6/8 is cut after its second bar of 2 quarters
    assert [bar.length for bar in metre.bars][:5] == [3, 3, 3, 2, 4]
    assert [bar.number for bar in metre.bars][:5] == [1, 2, 3, 4, 5]
    assert starts[-1] + metre.bars[-1].length >= 30
    assert [metre.bar_at(one) for one in (0, 2.99, 3, 1000)] == [0, 0, 1, len(metre.bars) - 1]


def test_a_score_has_the_bars_of_its_notes(tmp_path: Path) -> None:
    path = tmp_path / "tune.krn"
    path.write_text(
        "**kern\n*M6/8\n*MM90\n8c\n=1\n4.d\n4.e\n=2\n*MM45\n4.f\n4.g\n=:|!\n2.a\n==\n*-\n", encoding="utf-8"
    )
    notes = read_notes(path)
    metre = read_metre(path, notes.end_s)
    quarters = metre.quarters(notes.onset_s)
    assert quarters == pytest.approx([0, 0.5, 2, 3.5, 5, 6.5, 7, 8.5, 10, 11.5, 13])
    assert notes.bar is not None
    assert notes.beat is not None
    for quarter, number, beat in zip(quarters.tolist(), notes.bar.tolist(), notes.beat.tolist(), strict=True):
        bar = metre.bars[metre.bar_at(quarter)]
        assert bar.number == number
        assert (quarter - bar.at + bar.phase) / bar.beat + 1 == pytest.approx(beat)


@pytest.mark.shared_data
def test_scores_of_an_archive_have_the_bars_of_their_notes() -> None:
    paths = sorted((SHARED_DATA / "openscore" / "mxl-sample").rglob("*.mxl"))[:4]
    assert paths
    for path in paths:
        notes = read_notes(path)
        metre = read_metre(path, notes.end_s)
        assert notes.bar is not None
        is_right = [
            np.array([metre.bars[metre.bar_at(quarter)].number for quarter in metre.quarters(second).tolist()])
            == notes.bar
            for second in (notes.onset_s, notes.onset_s + 0.2, notes.onset_s + 0.51)
        ]
        assert np.any(is_right, axis=0).all()  # grace notes begin up to 0.5 s before their bar
        assert np.mean(is_right[0]) > 0.9


@pytest.mark.parametrize("name", ["tone.wav", "notes.csv", "two.mid"])
def test_files_without_bars_have_regular_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "tone.wav":
        write_sine(path)
    elif name == "notes.csv":
        path.write_text("onset,offset,pitch,velocity\n0,1,60,80\n", encoding="utf-8")
    else:  # format 2: two sequences, one after the other
        tracks = write_score(path).read_bytes()[14:]
        path.write_bytes(b"MThd\0\0\0\6\0\2" + (2 * tracks.count(b"MTrk")).to_bytes(2, "big") + b"\1\xe0" + 2 * tracks)
    metre = read_metre(path, 4.2)
    assert metre.quarters(np.array([0.0, 1.0, np.nan])).tolist()[:2] == [0.0, 2.0]
    assert [bar.at for bar in metre.bars] == [0.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("length", "beat", "expected"),
    [(4, 1, (4, 4)), (4, 2, (2, 2)), (1.5, 0.5, (3, 8)), (2.25, 1, (9, 16)), (0.0625, 1, (1, 64)), (1.2, 1, None)],
)
def test_time_signatures(length: float, beat: float, expected: tuple[int, int] | None) -> None:
    assert time_signature(length, beat) == expected
