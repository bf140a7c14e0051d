"""Aligned notes: pairs and the server's hits select and map the notes of a match by one rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from antiphon.alignment.aligned_notes import EDGE_S, SHORTEST_NOTE_S, aligned_notes
from antiphon.alignment.dtw import Warp
from antiphon.index.match import Match
from antiphon.index.pairing import Pair, notes_of_pair
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.serving import aligned_midi as aligned
from antiphon.serving.models import SearchOptions
from antiphon.serving.search_requests import SearchRequest

WARP = Warp(np.array([0.0, 10.0]), np.array([1.0, 21.0]))
"""Two seconds of notes per second of the query; second 0 of the query is second 1 of the notes."""


def at(*onset_s: float, lasts_s: float = 0.5, pitch: int = 60) -> Notes:
    count = len(onset_s)
    return Notes.of(list(onset_s), [lasts_s] * count, [pitch] * count, [80] * count)


def test_onsets_and_offsets_follow_the_clock():
    found = aligned_notes(at(3.0, 5.0, lasts_s=1.0), 2.0, 6.0, WARP.inverse, 0)
    np.testing.assert_allclose(found.onset_s, [1.0, 2.0])
    np.testing.assert_allclose(found.duration_s, [0.5, 0.5])


def test_notes_within_the_onset_tolerance_of_the_ends_belong_to_the_match():
    outside, inside = EDGE_S + 0.01, EDGE_S - 0.01
    found = aligned_notes(
        at(2 - outside, 2 - inside, 3.0, 6 + inside, 6 + outside), 2.0, 6.0, lambda seconds: seconds, 0
    )
    np.testing.assert_allclose(found.onset_s, [2 - inside, 3.0, 6 + inside])


def test_notes_that_begin_before_the_other_side_are_shortened_not_moved():
    found = aligned_notes(at(0.98, lasts_s=1.02), 1.0, 6.0, WARP.inverse, 0)
    assert found.onset_s.tolist() == [0.0]
    np.testing.assert_allclose(found.onset_s + found.duration_s, WARP.inverse(2.0))
    assert aligned_notes(at(0.96, lasts_s=0.01), 1.0, 6.0, WARP.inverse, 0).duration_s.tolist() == [SHORTEST_NOTE_S]


@pytest.mark.parametrize(("pitch", "semitones"), [(127, 1), (0, -1), (60, 68), (60, -61)])
def test_pitches_beyond_midi_are_left_out(pitch: int, semitones: int):
    assert len(aligned_notes(at(3.0, pitch=pitch), 2.0, 6.0, WARP.inverse, semitones)) == 0
    assert aligned_notes(at(3.0, pitch=pitch), 2.0, 6.0, WARP.inverse, 0).pitch.tolist() == [pitch]


def test_no_notes_give_no_notes():
    assert len(aligned_notes(at(), 0.0, 9.0, WARP.inverse, 0)) == 0


def test_a_pair_and_a_hit_of_the_same_stretch_have_the_same_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Notes at both edges, before second 0 of the recording, and out of MIDI's range."""
    path = tmp_path / "notes.mid"
    edges = at(0.97, 1.0, 2.0, 5.0, 6.03, 6.5)
    write_midi(replace(edges, pitch=np.array([60, 61, 62, 126, 64, 65], np.uint8)), path)
    match = Match(str(path), 1.0, 6.0, 0.0, 2.5, 2.0, 3, 0.5, 0.9)
    paired = Pair(**match.match_fields(), recording="take.wav", path=WARP)
    question = SearchRequest("q", tmp_path / "take.wav", "audio", 9.0, 0.0, 9.0, path, 0.0, "notes", SearchOptions())
    hit = SimpleNamespace(
        recording=SimpleNamespace(kind="notes"),
        start_s=1.0,
        end_s=6.0,
        query_start_s=0.0,
        query_end_s=2.5,
        tempo=2.0,
        semitones=3,
    )
    monkeypatch.setattr(aligned, "_warping_path", lambda *_: WARP)
    content = aligned.aligned_midi(question, hit, path, None, 24_000, tmp_path)  # type: ignore[arg-type]
    (tmp_path / "served.mid").write_bytes(content)
    write_midi(notes_of_pair(paired), tmp_path / "paired.mid")
    served, written = read_notes(tmp_path / "served.mid"), read_notes(tmp_path / "paired.mid")
    assert len(served) == 4
    for field in ("onset_s", "duration_s", "pitch", "velocity"):
        assert getattr(served, field).tolist() == getattr(written, field).tolist(), field
