"""The benchmark of set lists: concerts are what they say, and the scores count what was found, invented and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.nonmusic.kinds import RATE_HZ
from benchmarks.setlist.concerts import Concert, Part, Repertoire, write_concert
from benchmarks.setlist.scoring import outcome_of, summary

from antiphon import Between, SetList, SetListPiece
from antiphon.corpora import Corpus
from antiphon.io.audio import read_samples


@pytest.fixture(scope="module")
def pieces(demo: Corpus) -> Repertoire:
    known = demo.recordings[:12]
    return Repertoire(
        tuple((one,) for one in known), demo.recordings[12:14], tuple(sorted(one.notes_path for one in known))
    )


def test_a_concert_is_the_same_by_its_seed_and_its_parts_follow_each_other(pieces: Repertoire, tmp_path: Path) -> None:
    one, again = (write_concert(pieces, 1, 0, tmp_path / name) for name in "ab")
    assert one.parts == again.parts
    assert one.path.read_bytes() == again.path.read_bytes()
    assert 3 <= len(one.pieces) <= 8
    ends = [0.0, *(part.end_s for part in one.parts)]
    assert all(-1e-9 <= part.start_s - end <= 0.021 for part, end in zip(one.parts, ends, strict=False))
    samples = read_samples(one.path, RATE_HZ)
    assert len(samples) / RATE_HZ == pytest.approx(ends[-1], abs=0.01)
    for part in one.parts:
        level = float(np.abs(samples[round(part.start_s * RATE_HZ) : round(part.end_s * RATE_HZ)]).max())
        assert (level < 0.02) == (part.kind == "silence") or part.kind not in ("silence", "piece")
    assert all(pieces.work_of(part.file) == part.work for part in one.pieces)


def piece(file: str, start_s: float, end_s: float) -> SetListPiece:
    how: dict[str, Any] = {"tempo": 1.0, "semitones": 0, "score": 0.5, "confidence": 1.0, "path_confidence": 1.0}
    return SetListPiece(file=file, start_s=0.0, end_s=1.0, query_start_s=start_s, query_end_s=end_s, **how)


def test_scores_count_what_is_found_invented_and_named() -> None:
    concert = Concert(
        Path("x.flac"),
        (
            Part("silence", 0.0, 10.0),
            Part("piece", 10.0, 50.0, "a.mid", "a"),
            Part("applause", 50.0, 60.0),
            Part("piece", 60.0, 100.0, "b.mid", "b"),
            Part("foreign", 100.0, 120.0),
        ),
    )
    gaps = Between("silence", 0.0, 10.0), Between("other music", 52.0, 60.0)
    found = SetList("x.flac", 120.0, (piece("copy.mid", 10.5, 52.0), piece("c.mid", 60.0, 110.0)), gaps)
    outcome = outcome_of(concert, found, lambda file: "a" if file == "copy.mid" else file)
    assert [one["found"] for one in outcome["pieces"]] == [True, False]
    assert outcome["pieces"][0]["errors_s"] == [0.5, 2.0]
    assert [one["file"] for one in outcome["invented"]] == ["c.mid"]
    rows = summary([outcome | {"seconds": 12.0}])
    assert rows["pieces found, %"] == 50.0
    assert rows["of them the very file, %"] == 0.0
    assert rows["ends within 1 s, %"] == 50.0
    assert rows["invented"] == 1
    assert rows["between: seconds named right, %"] == 25.0
    assert rows["between, seconds"]["noise"] == {"other music": 8.0, "piece": 2.0}
    assert rows["between, seconds"]["other music"] == {"piece": 10.0, "nothing": 10.0}
    assert rows["seconds of computing a minute of sound"] == 6.0
