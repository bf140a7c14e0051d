"""Alignment of one recording with its notes: times, and what lies outside the match."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.corpora import Corpus
from antiphon.errors import UnreadableInput
from antiphon.index.aligning import Alignment, align
from antiphon.io.audio import write_flac
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.rendering.additive import AdditivePiano
from helpers import write_scale, write_sine

RATE_HZ = 24_000


@pytest.fixture(scope="module")
def written(demo: Corpus) -> Notes:
    return read_notes(demo.recordings[0].notes_path, sustain=True)


@pytest.fixture(scope="module")
def files(written: Notes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recording of seconds 5 to 25, played 2 semitones higher and 3 s later, and the whole note file."""
    folder = tmp_path_factory.mktemp("aligning")
    part = written.within(5.0, 25.0)
    played = Notes.of(part.onset_s - 2.0, part.duration_s, part.pitch.astype(int) + 2, part.velocity)
    write_flac(folder / "take.flac", AdditivePiano(RATE_HZ).render(played, 23.5), RATE_HZ)
    write_midi(written, folder / "piece.mid")
    return folder / "take.flac", folder / "piece.mid"


@pytest.fixture(scope="module")
def alignment(files: tuple[Path, Path]) -> Alignment:
    return align(*files, model="template", transpose=True)


def test_notes_have_the_times_of_the_recording(alignment: Alignment, written: Notes) -> None:
    assert alignment.confidence > 0.9
    assert alignment.match is not None
    assert alignment.match.semitones == 2
    assert len(alignment) == len(written)
    assert np.allclose(alignment.onset_s, written.onset_s, atol=2e-4)
    inside = (alignment.onset_s >= 5.5) & (alignment.onset_s < 24.5)
    assert np.median(np.abs(alignment.recording_s[inside] - (alignment.onset_s[inside] - 2.0))) < 0.03
    assert np.isfinite(alignment.recording_s[inside]).all()
    assert (alignment.recording_offset_s[inside] > alignment.recording_s[inside]).all()


def test_notes_outside_the_recording_have_no_time(alignment: Alignment) -> None:
    # Silence around the part may be matched with notes, so a margin is left on either side.
    outside = alignment.onset_s > 35.0
    assert outside.any()
    assert np.isnan(alignment.recording_s[outside]).all()
    assert np.isnan(alignment.recording_offset_s[outside]).all()


def test_other_music_has_a_low_confidence_and_is_no_error(files: tuple[Path, Path], tmp_path: Path) -> None:
    scale = write_scale(tmp_path / "scale.mid", count=40)
    found = align(files[0], scale, model="template")
    assert found.confidence < 0.5


def test_files_of_the_wrong_kind_are_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    sound, notes = files
    with pytest.raises(UnreadableInput, match=r"piece\.mid: a sound file is expected"):
        align(notes, sound)
    with pytest.raises(UnreadableInput, match=r"take\.flac: a note file is expected"):
        align(sound, sound)
    with pytest.raises(UnreadableInput, match="short"):
        align(write_sine(tmp_path / "short.wav", 1.0), notes, model="template")
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(UnreadableInput, match=r"broken\.mid"):
        align(sound, tmp_path / "broken.mid", model="template")
