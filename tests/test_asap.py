"""Reading of ASAP's table, and sampling of its performances as queries for their scores."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.search import sampling
from benchmarks.search.asap import Performance, read_asap
from benchmarks.search.sampling import Data

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError, UnreadableInput
from helpers import write_scale


class TestAsap:
    HEADER = "composer,folder,midi_score,maestro_midi_performance,start,end"
    ROWS = (
        "Bach,Bach/f846,Bach/f846/midi_score.mid,{maestro}/2006/first.midi,30.5,",
        "Bach,Bach/f846,Bach/f846/midi_score.mid,,,",
        "Bach,Bach/p846,Bach/p846/midi_score.mid,{maestro}/2006/first.midi,,30.5",
        "Ravel,Ravel/ondine,Ravel/ondine/midi_score.mid,,,",
    )

    def write(self, root: Path, *rows: str) -> Path:
        for folder in ("Bach/f846", "Bach/f846_no_repeat", "Bach/p846", "Ravel/ondine"):
            write_scale(root / folder / "midi_score.mid", lowest=40 + len(folder))
        (root / "metadata.csv").write_text("\n".join((self.HEADER, *rows)) + "\n", encoding="utf-8")
        return root

    def test_reads_scores_and_the_stretches_of_their_performances(self, tmp_path: Path):
        asap = read_asap(self.write(tmp_path, *self.ROWS))
        assert set(asap.scores) == {"Bach/f846", "Bach/p846", "Ravel/ondine"}
        assert asap.scores["Bach/p846"] == tmp_path / "Bach/p846/midi_score.mid"
        assert asap.performances == (
            Performance("2006/first", "Bach/f846", 30.5, math.inf),
            Performance("2006/first", "Bach/p846", 0.0, 30.5),
        )

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("Bach,Bach/f846,Bach/f846/other.mid,,,", "other.mid: named in metadata.csv but missing"),
            ("Bach,,Bach/f846/midi_score.mid,,,", "row 2 has no value in column folder"),
            ("B,Bach/f846,Bach/f846/midi_score.mid,{maestro}/a.midi,soon,", "row 2 has 'soon' where a time"),
            ("B,Bach/f846,Bach/f846/midi_score.mid,{maestro}/a.midi,9,3", "row 2 plays from second 9 to 3"),
        ],
    )
    def test_errors_name_the_row_and_the_value(self, tmp_path: Path, row: str, says: str):
        with pytest.raises(UnreadableInput, match=says):
            read_asap(self.write(tmp_path, row))

    def test_refuses_two_scores_of_a_work_another_table_and_an_empty_one(self, tmp_path: Path):
        second = "Bach,Bach/f846,Bach/p846/midi_score.mid,,,"
        with pytest.raises(UnreadableInput, match="row 3 gives Bach/f846 a second score"):
            read_asap(self.write(tmp_path, self.ROWS[0], second))
        with pytest.raises(UnreadableInput, match="it names no score"):
            read_asap(self.write(tmp_path))
        (tmp_path / "metadata.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        with pytest.raises(UnreadableInput, match="a table of ASAP has folder, midi_score"):
            read_asap(tmp_path)

    def test_editions_with_other_repeats_share_a_work(self, tmp_path: Path, maestro: Corpus):
        scores = self.write(tmp_path, *self.ROWS, "Bach,Bach/f846_no_repeat,Bach/f846_no_repeat/midi_score.mid,,,")
        library = sampling.score_queries(Data(asap=scores, maestro=maestro), 5.0, 1, seed=3).library
        assert Counter(library.works.values()) == {"Bach/f846": 2, "Bach/p846": 1, "Ravel/ondine": 1}

    @pytest.fixture
    def maestro(self, demo: Corpus) -> Corpus:
        """A demo recording without audio, under the id of a recording in MAESTRO's test split."""
        one = replace(demo.recordings[0], id="2006/first", audio_path=None, split="test")
        return Corpus("maestro", (one,))

    def test_performances_are_queries_as_notes_or_as_sound(self, tmp_path: Path, maestro: Corpus, demo: Corpus):
        scores = self.write(tmp_path, *(one.replace("30.5", "25") for one in self.ROWS))
        data = Data(asap=scores, maestro=maestro)
        # The rest of the recording after second 25 is too short for the first of the two performances.
        length_s = min(10.0, maestro.recordings[0].duration_s - 26.0)
        query_set = sampling.score_queries(data, length_s, 8, seed=3)
        assert {one.kind for one in query_set.queries} == {"notes"}
        assert {one.path for one in query_set.queries} == {maestro.recordings[0].notes_path}
        for one in query_set.queries:
            folder = query_set.library.work_of(one.file)
            inside = one.start_s >= 25 if folder == "Bach/f846" else one.start_s + length_s <= 25
            assert inside
            assert (one.file_s, one.by_work, one.against) == (None, True, "notes")
        assert Counter(query_set.library.work_of(one.file) for one in query_set.queries) == {
            "Bach/f846": 4,
            "Bach/p846": 4,
        }
        assert len(query_set.library.files) == 3
        sounding = Corpus("rendered", (replace(demo.recordings[0], id="2006/first", duration_s=30.0),))
        query_set = sampling.score_queries(replace(data, asap_sound=(sounding,)), length_s, 8, seed=3)
        kinds = {query_set.library.work_of(one.file): one.kind for one in query_set.queries}
        assert kinds == {"Bach/f846": "notes" if length_s > 5 else "sound", "Bach/p846": "sound"}
        with pytest.raises(AntiphonError, match="none of its 2 performances is in maestro"):
            sampling.score_queries(replace(data, splits=("validation",)), length_s, 8, seed=3)

    @pytest.mark.shared_data
    def test_reads_the_complete_data_set(self, shared_data: Path):
        asap = read_asap(shared_data / "asap")
        assert len(asap.scores) == 242
        assert len(asap.performances) == 519
        assert all((shared_data / "maestro-v3.0.0" / f"{one.id}.midi").is_file() for one in asap.performances)
        assert sum(math.isfinite(one.end_s) for one in asap.performances) == 131
        assert sum(one.start_s > 0 for one in asap.performances) == 114
