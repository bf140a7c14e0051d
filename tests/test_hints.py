"""Hints: each names its measured cause, and is absent where the cause is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner

import antiphon
from antiphon.cli import app
from antiphon.corpora import Corpus
from antiphon.index.library import Index
from antiphon.io.audio import Sound
from antiphon.io.notes import Notes
from antiphon.rendering.additive import AdditivePiano
from antiphon.signal.varispeed import varispeed
from builders import RATE_HZ, random_notes
from helpers import sine

LENGTH_S = 16.0


@pytest.fixture(scope="module")
def notes() -> Notes:
    return random_notes(np.random.default_rng(4), 80, LENGTH_S - 1.0)


@pytest.fixture(scope="module")
def samples(notes: Notes) -> NDArray[np.float32]:
    return AdditivePiano(RATE_HZ).render(notes, LENGTH_S)


@pytest.fixture(scope="module")
def both(served_index: Path) -> Iterator[Index]:
    """An index of three recordings and their note files."""
    with Index.open(served_index) as index:
        yield index


@pytest.fixture(scope="module")
def only_notes(short_demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("only-notes")
    files = [one.notes_path for one in short_demo.recordings[:2]]
    with Index.build(files, "template", out=folder / "index") as index:
        yield index


def said(index: Index, query: Any, about: str, **how: Any) -> list[str]:
    """The hints with these words."""
    return [text for hint in index.hints(query, **how) if about in (text := str(hint))]


def test_silence_at_the_start_is_measured(both: Index, samples: NDArray[np.float32], notes: Notes):
    late = Sound(np.concatenate([np.zeros(5 * RATE_HZ, np.float32), samples]), RATE_HZ)
    (hint,) = said(both, late, "silence")
    assert hint.startswith("the query begins with 5.")
    assert float(hint.partition("try --start ")[2]) == pytest.approx(5.0 + float(notes.onset_s[0]), abs=0.15)
    (hint,) = said(both, late, "silence", start_s=2.0)
    assert float(hint.partition("try --start ")[2]) == pytest.approx(5.0 + float(notes.onset_s[0]), abs=0.15)
    assert not said(both, Sound(samples, RATE_HZ), "silence")
    assert not said(both, late, "silence", start_s=6.0)
    shifted = Notes.of(notes.onset_s + 30.0, notes.duration_s, notes.pitch, notes.velocity)
    assert "begins with 30." in said(both, shifted, "silence")[0]
    assert not said(both, notes, "silence")


@pytest.mark.parametrize(("cents", "side"), [(43, "above"), (-37, "below")])
def test_a_recording_out_of_tune(both: Index, samples: NDArray[np.float32], cents: int, side: str):
    speed = 2 ** (cents / 1200)
    off = Sound(varispeed(samples, speed, int(len(samples) / speed) - 2), RATE_HZ)
    (hint,) = said(both, off, "--transpose")
    number = int(hint.removeprefix("the recording is tuned ").partition(" ")[0])
    assert number == pytest.approx(abs(cents), abs=4)
    assert hint == f"the recording is tuned {number} cents {side} A = 440 Hz: try --transpose"
    assert not said(both, off, "cents", transpose=True)
    assert not said(both, off, "--transpose", transpose=True)


def test_other_keys_that_were_not_searched(both: Index, samples: NDArray[np.float32], notes: Notes):
    for query in (Sound(samples, RATE_HZ), notes):
        assert said(both, query, "--transpose") == [
            "only the key of the query was searched, and 12 others can be: try --transpose"
        ]
        assert not said(both, query, "key", transpose=True)


def test_a_short_query(both: Index, samples: NDArray[np.float32], notes: Notes):
    whole = Sound(samples, RATE_HZ)
    for query in (whole, notes):
        (hint,) = said(both, query, "lasts", length_s=5.0)
        assert hint == "the query lasts 5.0 s, and 10 s or more are found more often: try --length 10"
        assert not said(both, query, "lasts")
    (hint,) = said(both, whole, "lasts", start_s=LENGTH_S - 6.0, length_s=6.0)
    assert hint == "the query lasts 6.0 s, and 10 s or more are found more often"
    assert said(both, Sound(samples[: 7 * RATE_HZ], RATE_HZ), "lasts")[0].startswith("the query lasts 7.0 s")


def test_too_few_onsets(both: Index, samples: NDArray[np.float32], notes: Notes):
    few = Notes.of([0.0, 2.0, 4.0], [1.0] * 3, [60, 64, 67], [80] * 3)
    assert said(both, few, "too few")[0].startswith("3 onsets in ")
    tone = Sound(sine(12.0), RATE_HZ)
    assert said(both, tone, "too few")[0].startswith("1 onset in 12.0 s of the query")
    for query in (notes, Sound(samples, RATE_HZ)):
        assert not said(both, query, "too few")


def test_the_files_of_the_other_modality(both: Index, only_notes: Index, samples: NDArray[np.float32], notes: Notes):
    sound = Sound(samples, RATE_HZ)
    assert said(both, sound, "compared") == [
        "the query was compared with 3 note files only, and the index also has 3 recordings: try --against audio"
    ]
    assert said(both, sound, "--against", against="audio")[0].endswith("3 note files: try --against notes")
    assert said(both, notes, "compared")[0].endswith("try --against notes")
    assert not said(only_notes, sound, "compared")
    (hint,) = said(only_notes, notes, "compared")
    assert "with note files only, because the index has no recordings; add some with: antiphon index add" in hint


def test_files_that_the_filters_leave_out(both: Index, notes: Notes):
    composer = next(about.composer for about in both.metadata().values())
    (hint,) = said(both, notes, "left out", composer=composer)
    assert hint.endswith(" of 3 files were left out: try without --composer")
    assert not said(both, notes, "left out")


def test_files_that_are_gone_or_could_not_be_indexed(short_demo: Corpus, notes: Notes, tmp_path: Path):
    (tmp_path / "music").mkdir()
    for number, one in enumerate(short_demo.recordings[:2]):
        shutil.copy(one.notes_path, tmp_path / "music" / f"{number}.mid")
    (tmp_path / "music" / "empty.mid").touch()
    with Index.build(tmp_path / "music", "template", out=tmp_path / "index") as index:
        assert not said(index, notes, "are gone")
        (hint,) = said(index, notes, "could not be indexed")
        assert hint.startswith("1 file could not be indexed, the first ")
        assert "empty.mid: " in hint
        (tmp_path / "music" / "0.mid").unlink()
        (hint,) = said(index, notes, "are gone")
        assert hint.startswith("1 of 2 files of the library are gone, the first ")


def test_hints_raise_as_the_search_does(only_notes: Index, notes: Notes):
    with pytest.raises(antiphon.AntiphonError, match="holds no audio to search"):
        only_notes.hints(notes, against="audio")
    with pytest.raises(antiphon.UnreadableInput, match="silent"):
        only_notes.hints(Sound(np.zeros(10 * RATE_HZ, np.float32), RATE_HZ))


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_the_command_prints_them_to_stderr_where_nothing_is_likely(
    short_demo: Corpus, only_notes: Index, tmp_path: Path, option: list[str]
):
    soundfile.write(tmp_path / "tone.wav", sine(6.0), RATE_HZ)
    where = ["--index", str(only_notes.folder), "--top", "1", *option]
    done = CliRunner().invoke(app, ["search", str(tmp_path / "tone.wav"), *where])
    assert done.exit_code == 0
    assert "hint: the query lasts 6.0 s" in done.stderr
    assert "hint" not in done.stdout
    found = CliRunner().invoke(app, ["search", str(short_demo.recordings[0].audio_path), *where])
    assert found.exit_code == 0
    assert found.stderr == ""
