"""Set lists: a concert that is put together here, a medley, and the parts of the search for them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import antiphon
from antiphon.alignment.chaining import Link
from antiphon.corpora import Corpus, Recording
from antiphon.errors import AntiphonError
from antiphon.index.between import name_gaps
from antiphon.index.programme import _best_sequence
from antiphon.index.retrieval import RankedChain
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes

RATE_HZ = 24_000
PLAYED_S = 16.0


def begin_s(one: Recording) -> float:
    return float(read_notes(one.notes_path).onset_s[0])


def excerpt(one: Recording) -> NDArray[np.float32]:
    """The first seconds of a recording, from its first onset on."""
    assert one.audio_path is not None
    return read_samples(one.audio_path, RATE_HZ, begin_s(one), PLAYED_S)


@pytest.fixture(scope="module")
def recordings(demo: Corpus) -> list[Recording]:
    """Two pieces of the library, and one that is not in it."""
    found = list(demo.recordings[:30:10])
    assert len({one.title for one in found}) == 3
    return found


@pytest.fixture(scope="module")
def library(recordings: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set-list") / "library"
    antiphon.Index.build([one.notes_path for one in recordings[:2]], "template", out=out).close()
    return out


@pytest.fixture(scope="module")
def concert(recordings: list[Recording], library: Path) -> antiphon.SetList:
    first, second, foreign = map(excerpt, recordings)
    rng = np.random.default_rng(0)
    claps = 0.05 * rng.standard_normal(6 * RATE_HZ) * (rng.random(6 * RATE_HZ) < 0.02)
    silence = np.zeros(4 * RATE_HZ, np.float32)
    parts = [silence, first, claps.astype(np.float32), second, silence, foreign, silence, first]
    path = library.parent / "concert.flac"
    write_flac(path, np.concatenate(parts), RATE_HZ)
    return antiphon.setlist(path, library)


def test_pieces_are_listed_in_order_of_time_one_played_twice_as_two(
    concert: antiphon.SetList, recordings: list[Recording]
) -> None:
    first, second = (str(one.notes_path) for one in recordings[:2])
    assert [piece.file for piece in concert] == [first, second, first]
    begins = [4.0, 4 + PLAYED_S + 6, 4 + PLAYED_S + 6 + PLAYED_S + 4 + PLAYED_S + 4]
    assert [piece.query_start_s for piece in concert] == pytest.approx(begins, abs=0.2)
    assert [piece.query_end_s for piece in concert] == pytest.approx([one + PLAYED_S for one in begins], abs=1.0)
    assert [piece.start_s for piece in concert] == pytest.approx(
        [begin_s(recordings[number]) for number in (0, 1, 0)], abs=0.2
    )
    assert all(piece.tempo == pytest.approx(1.0, abs=0.02) for piece in concert)
    assert all(piece.confidence > 0.9 for piece in concert)


def test_what_is_between_is_named(concert: antiphon.SetList) -> None:
    assert [gap.kind for gap in concert.between] == ["silence", "noise", "silence", "other music", "silence"]
    music = concert.between[3]
    begins_s = 4 + PLAYED_S + 6 + PLAYED_S + 4
    assert (music.start_s, music.end_s) == pytest.approx((begins_s, begins_s + PLAYED_S), abs=2.0)


def test_lines_do_not_overlap_and_have_an_order(concert: antiphon.SetList) -> None:
    rows = concert.to_csv().splitlines()
    times = [tuple(map(float, row.split(",")[4:6])) for row in rows[1:]]
    assert rows[0].split(",")[4:6] == ["query_start_s", "query_end_s"]
    assert len(times) == len(concert.lines()) == 8
    assert all(before[1] <= after[0] + 1e-6 for before, after in pairwise(times))


def test_an_index_without_the_music_gives_no_piece(recordings: list[Recording], library: Path, tmp_path: Path) -> None:
    path = tmp_path / "foreign.flac"
    write_flac(path, excerpt(recordings[2]), RATE_HZ)
    found = antiphon.setlist(path, library)
    assert found.pieces == ()
    assert [gap.kind for gap in found.between] == ["other music"]


def test_a_medley_of_notes_is_listed_by_its_recordings(recordings: list[Recording], tmp_path: Path) -> None:
    sounds = [one.audio_path for one in recordings[:2] if one.audio_path is not None]
    antiphon.Index.build(sounds, "template", out=tmp_path / "sounds").close()
    parts = [read_notes(one.notes_path).within(begin_s(one), begin_s(one) + PLAYED_S) for one in recordings[:2]]
    onset_s = [part.onset_s - part.onset_s[0] + 20.0 * number for number, part in enumerate(parts)]
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("duration_s", "pitch", "velocity")]
    Notes.of(np.concatenate(onset_s), *columns).save(tmp_path / "medley.mid")
    found = antiphon.setlist(tmp_path / "medley.mid", tmp_path / "sounds")
    assert [piece.file for piece in found] == [str(path) for path in sounds]
    assert [piece.query_start_s for piece in found] == pytest.approx([0.0, 20.0], abs=0.5)


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AntiphonError, match="nowhere"):
        antiphon.setlist(tmp_path / "tape.flac", tmp_path / "nowhere")


def ranked(recording: int, evidence: float) -> RankedChain:
    chain = RankedChain((Link(0, 0.0, 6.0, recording, 0, 0.0, 1.0, 0.5, 0.4),), 1, of_notes=False)
    chain.__dict__["evidence"] = evidence
    return chain


def sequence(*cells: dict[int, float]) -> list[int | None]:
    heard = [{(one, 0): ranked(one, evidence) for one, evidence in cell.items()} for cell in cells]
    return [None if state is None else state[0] for state in _best_sequence(heard)]


def test_the_sequence_changes_where_another_piece_is_clear() -> None:
    clear = 12.0
    assert sequence({}, {1: clear}, {1: clear}, {2: clear}, {2: clear}, {1: clear}, {1: clear}, {}) == [
        None, 1, 1, 2, 2, 1, 1, None,
    ]  # fmt: skip


def test_the_sequence_goes_on_over_a_passage_that_is_not_found_or_that_another_piece_has_too() -> None:
    assert sequence({1: 12.0}, {1: 12.0}, {}, {1: 7.0, 2: 9.0}, {1: 12.0}) == [1] * 5


def test_an_isolated_chain_that_is_not_very_likely_is_no_piece() -> None:
    assert sequence({}, {1: 2.0}, {}, {}) == [None] * 4
    assert sequence({1: 5.0}, {1: 12.0}, {}, {}) == [1, 1, None, None]


def test_short_parts_of_a_gap_belong_to_their_neighbours() -> None:
    onsets = np.zeros((88, 4000), np.float32)
    onsets[40, 1000:2000:20] = 0.9
    levels = np.full(2000, 0.5, np.float32)
    levels[:400], levels[1200:1230] = 0.0001, 0.0001
    found = list(name_gaps([(0.0, 40.0), (39.0, 40.0)], onsets, levels))
    assert [gap.kind for gap in found] == ["silence", "other music", "noise"]
    assert [gap.start_s for gap in found] == pytest.approx([0.0, 8.0, 20.0], abs=2.0)
    assert found[-1].end_s == 40.0


def test_without_levels_what_is_no_music_is_silence() -> None:
    (gap,) = name_gaps([(0.0, 10.0)], np.zeros((88, 1000), np.float32), None)
    assert (gap.kind, gap.start_s, gap.end_s) == ("silence", 0.0, 10.0)
