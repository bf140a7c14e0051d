"""A note that is days behind the others costs neither time nor memory, and the others are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

import antiphon
from antiphon.errors import InputWarning
from antiphon.index.embedding import embed_file
from antiphon.index.query import open_query
from antiphon.io.notes import Notes, write_midi
from antiphon.models.template import TemplateEmbedder
from antiphon.types import AS_RECORDED, Playback

STRAY_S = 199_999.85
STRAY = pytest.mark.filterwarnings("ignore:.*a stray note")


def piece(stray_s: float | None = None) -> Notes:
    """Notes of 20 s, and perhaps one more."""
    pitch = np.random.default_rng(1).integers(50, 80, 80)
    onset_s = np.arange(80) / 4
    if stray_s is not None:
        onset_s, pitch = np.append(onset_s, stray_s), np.append(pitch, 60)
    return Notes.of(onset_s, np.full(len(pitch), 0.2), pitch, np.full(len(pitch), 80))


class _Counting(TemplateEmbedder):
    embedded = 0

    def embed_notes_windows(
        self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        self.embedded += np.size(starts_s)
        assert np.ptp(np.asarray(starts_s, float)) < 1000
        return super().embed_notes_windows(notes, starts_s, playback)


@STRAY
def test_windows_far_from_any_note_are_not_embedded(tmp_path: Path) -> None:
    path, model = tmp_path / "a.mid", _Counting()
    write_midi(piece(STRAY_S), path)
    found = embed_file(path, "notes", model, 1.0)
    assert model.embedded < 60
    assert len(found.starts_s) + found.empty_windows > STRAY_S - model.window_s
    near = model.embed_notes_windows(piece(), found.starts_s[:12]).astype(np.float16)
    np.testing.assert_array_equal(found.vectors[:12], near)
    assert found.starts_s[-1] >= STRAY_S - model.window_s


@STRAY
def test_a_query_ends_before_the_stray_note_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    write_midi(piece(STRAY_S), path)
    with pytest.warns(InputWarning, match=r"a\.mid: searched to second 19\.9 only: no note begins in the hour after"):
        assert open_query(path, TemplateEmbedder()).duration_s == pytest.approx(19.95, abs=0.01)


@pytest.mark.filterwarnings("error::antiphon.errors.InputWarning")
@pytest.mark.parametrize(("start_s", "length_s", "seconds"), [(0.0, 10.0, 10.0), (STRAY_S - 5.0, None, 5.2)])
def test_other_stretches_are_as_they_were_asked_for(start_s: float, length_s: float | None, seconds: float) -> None:
    query = open_query(piece(STRAY_S), TemplateEmbedder(), start_s, length_s)
    assert query.duration_s == pytest.approx(seconds)


@STRAY
def test_is_found_in_a_library_and_as_a_query(tmp_path: Path) -> None:
    write_midi(piece(STRAY_S), tmp_path / "stray.mid")
    with antiphon.Index.build([tmp_path], "template", out=tmp_path / "index") as index:
        for query in (piece(), piece(STRAY_S)):
            with pytest.warns(InputWarning) if len(query) > 80 else np.errstate():
                best = index.search(query, against="notes")[0]
            assert best.confidence > 0.9
            assert best.end_s == pytest.approx(20.0, abs=0.6)
