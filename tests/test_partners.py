"""Which partners are chosen from what the excerpts of recordings say, and the reasons of files without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon.index.excerpts import ExcerptMatches
from antiphon.index.match import Match
from antiphon.index.partners import Partners, partners_of

Choose = Callable[..., dict[int, str]]


@pytest.fixture
def choose() -> Choose:
    def chosen(confidence: dict[str, dict[str, float]], **how: Any) -> dict[int, str]:
        files = sorted({file for known in confidence.values() for file in known})
        score = how.pop("score", {})
        known = list(confidence.values())
        scores = [{file: score.get((name, file), 0.4) for file in one} for name, one in confidence.items()]
        return partners_of(known, scores, files, **{"many": False, "least": 0.5} | how)

    return chosen


def test_one_to_one_gives_a_file_to_who_needs_it(choose: Choose) -> None:
    assert choose({"a": {"x": 0.99, "y": 0.9}, "b": {"x": 0.99}}) == {0: "y", 1: "x"}
    assert choose({"a": {"x": 0.99, "y": 0.9}, "b": {"x": 0.99}}, many=True) == {0: "x", 1: "x"}


def test_two_doubtful_pairs_do_not_break_a_sure_one(choose: Choose) -> None:
    assert choose({"a": {"x": 0.999, "y": 0.51}, "b": {"x": 0.51}})[0] == "x"


def test_nothing_below_the_least_confidence(choose: Choose) -> None:
    assert choose({"a": {"x": 0.49}}) == {}
    assert choose({"a": {"x": 0.49}}, least=0.4) == {0: "x"}
    assert choose({"a": {"x": 0.0, "y": 0.5}}, least=0.0) == {0: "y"}
    assert choose({"a": {}, "b": {"x": 0.9}}) == {1: "x"}
    assert choose({}) == {}


def test_of_two_that_are_equally_sure_the_one_that_agrees_better(choose: Choose) -> None:
    sure = {"a": {"x": 1.0, "y": 1.0}, "b": {"x": 1.0, "y": 1.0}}
    assert choose(sure, score={("a", "x"): 0.5, ("b", "y"): 0.5}) == {0: "x", 1: "y"}
    assert choose(sure, score={("a", "y"): 0.5, ("b", "x"): 0.5}) == {0: "y", 1: "x"}


def recording(name: str, *excerpts: dict[str, float]) -> ExcerptMatches:
    """A recording, and for each excerpt the confidence of each file, best first."""
    found = tuple(
        [Match(file, 0.0, 20.0, 0.0, 20.0, 1.0, 0, 0.4, confidence) for file, confidence in one.items()]
        for one in excerpts
    )
    return ExcerptMatches(Path("recordings", name), 20.0 * len(found), found)


def partners(*found: ExcerptMatches, files: str = "xyz", least: float = 0.5, many: bool = False) -> Partners:
    return Partners.choose(found, list(files), many, least)


def test_a_partner_that_is_taken() -> None:
    found = partners(recording("a.wav", {"x": 0.8}), recording("b.wav", {"x": 0.99}))
    assert found.of == {1: "x"}
    one = found.recording_alone(0)
    assert (one.path, one.state, one.nearest, one.confidence) == ("recordings/a.wav", "taken", "x", 0.8)
    assert one.reason == "the partner of its nearest is b.wav; --many allows several recordings of one file"
    assert partners(*found.found, many=True).of == {0: "x", 1: "x"}


def test_a_note_file_whose_nearest_has_another_partner() -> None:
    one = partners(recording("a.wav", {"x": 0.99, "y": 0.8})).file_alone("y")
    assert (one.state, one.reason) == ("taken", "the partner of its nearest is x")
    assert (one.nearest, one.confidence) == ("recordings/a.wav", 0.8)


def test_several_pieces_in_one_recording() -> None:
    found = partners(recording("tape.wav", {"x": 1.0, "z": 0.1}, {"y": 0.9, "x": 0.3}, {"z": 0.8}))
    assert found.of == {}
    one = found.recording_alone(0)
    assert (one.state, one.nearest, one.confidence) == ("partial", "x", 0.4333)
    assert one.reason == "its nearest is played in 1 of its 3 excerpts, and 2 other files in others: several pieces?"
    other = found.file_alone("z")
    assert (other.state, other.nearest, other.confidence) == ("partial", "recordings/tape.wav", 0.3)
    assert other.reason == "it is played in 1 of the 3 excerpts of its nearest"


def test_a_piece_and_nothing_else_that_is_known() -> None:
    one = partners(recording("tape.wav", {"x": 1.0}, {}, {"y": 0.2})).recording_alone(0)
    assert (one.state, one.reason) == ("partial", "its nearest is played in 1 of its 3 excerpts")


def test_a_likely_pair_below_the_least_confidence() -> None:
    found = partners(recording("a.wav", {"x": 0.7}), least=0.8)
    for one in (found.recording_alone(0), found.file_alone("x")):
        assert (one.state, one.confidence) == ("unsure", 0.7)
        assert one.reason == "the confidence is below the least, 0.8 (--min-confidence)"


def test_nothing_similar() -> None:
    found = partners(recording("a.wav", {"x": 0.1}), recording("b.wav", {}))
    assert found.recording_alone(0).as_dict("recording") == {
        "recording": "recordings/a.wav",
        "state": "unlike",
        "reason": "nothing similar among the note files",
        "nearest": "x",
        "confidence": 0.1,
    }
    assert (found.recording_alone(1).nearest, found.recording_alone(1).confidence) == ("", 0.0)
    assert (found.file_alone("x").nearest, found.file_alone("y").nearest) == ("recordings/a.wav", "")
    assert found.file_alone("y").reason == "nothing similar among the recordings"
    assert partners(files="x").file_alone("x").state == "unlike"


def test_a_pair_that_could_not_be_read_any_more() -> None:
    one, other = partners(recording("a.wav", {"x": 0.9})).unreadable(0)
    assert (one.state, one.path, one.nearest) == ("skipped", "recordings/a.wav", "x")
    assert (other.state, other.path, other.nearest) == ("skipped", "x", "recordings/a.wav")
