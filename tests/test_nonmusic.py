"""Queries that are not music, or too little of it, find nothing; a scale that the library holds is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks.nonmusic.every_kind import KINDS
from benchmarks.nonmusic.kinds import LONGEST_S, RATE_HZ, SHORTEST_S, draw_query, sound_kind
from benchmarks.nonmusic.report import reliability
from benchmarks.nonmusic.running import run_kinds
from benchmarks.search.queries import Library
from numpy.typing import NDArray
from typer.testing import CliRunner

from antiphon.alignment.confidence import LIKELY
from antiphon.cli import app
from antiphon.corpora import Corpus
from antiphon.errors import UnreadableInput
from antiphon.index.library import Index
from antiphon.io.audio import Sound
from antiphon.io.notes import Notes

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "nonmusic"
SEED = 2
WITH_FLUIDSYNTH = ("played", "drum")
"""How the names of kinds begin that need FluidSynth and its SoundFonts."""


@pytest.fixture(scope="module")
def library(short_demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Eight note files of the demo corpus, and a slow scale."""
    folder = tmp_path_factory.mktemp("nonmusic")
    for one in short_demo.recordings[:8]:
        shutil.copy(one.notes_path, folder / f"{one.id}.mid")
    scale_of(15).save(folder / "slow-scale.mid")
    with Index.build(folder, "template", out=folder / "index") as index:
        yield index


def scale_of(count: int) -> Notes:
    """C major up two octaves, a note every 0.7 s."""
    steps = [12 * (n // 7) + (0, 2, 4, 5, 7, 9, 11)[n % 7] for n in range(count)]
    return Notes.of(np.arange(count) * 0.7, np.full(count, 0.6), 60 + np.array(steps), np.full(count, 80))


def confidence_of(index: Index, query: Path | Sound | Notes) -> float:
    """The confidence of the best match, 0 without one or where the query is refused."""
    try:
        matches = index.search(query, top=1)
    except UnreadableInput:
        return 0.0
    return matches[0].confidence if matches else 0.0


def kinds(*, played: bool) -> list[str]:
    return [name for name in KINDS if name.startswith(WITH_FLUIDSYNTH) == played and not KINDS[name].may_occur]


@pytest.mark.parametrize("kind", kinds(played=False))
def test_find_nothing(library: Index, kind: str):
    for number in range(4 if kind.startswith("few-notes") else 1):
        assert confidence_of(library, draw_query(kind, SEED, number)) < LIKELY, number


@pytest.mark.fluidsynth
@pytest.mark.parametrize("kind", kinds(played=True))
def test_played_ones_find_nothing(library: Index, kind: str):
    assert confidence_of(library, draw_query(kind, SEED, 0)) < LIKELY


@pytest.mark.skipif(not CASES.is_dir(), reason=f"no {CASES}")
def test_cases_from_reports(library: Index):
    files = sorted(path for path in CASES.iterdir() if not path.name.startswith("must-stay"))
    assert len(files) >= 7
    assert {path.name: confidence_of(library, path) for path in files if confidence_of(library, path) >= LIKELY} == {}


def test_a_scale_that_the_library_holds_is_found(library: Index):
    (match,) = library.search(scale_of(15), top=1)
    assert Path(match.file).stem == "slow-scale"
    assert match.confidence > 0.9


@pytest.mark.skipif(not CASES.is_dir(), reason=f"no {CASES}")
def test_the_slow_scale_of_the_cases_stays_found(tmp_path: Path, short_demo: Corpus):
    case = CASES / "must-stay-c-scale-slow.mid"
    shutil.copy(case, tmp_path)
    shutil.copy(short_demo.recordings[0].notes_path, tmp_path / "other.mid")
    with Index.build(tmp_path, "template", out=tmp_path / "index") as index:
        (match,) = index.search(case, top=1)
    assert Path(match.file).name == case.name
    assert match.confidence > 0.9


def test_a_query_with_too_little_has_no_match_and_says_so(library: Index, tmp_path: Path):
    two = Notes.of([0.0, 2.0], [1.0, 1.0], [60, 67], [80, 80])
    assert max(match.confidence for match in library.search(two)) < 0.1
    one = Notes.of([0.0], [1.0], [60], [80])
    assert library.search(one) == []
    assert "too few to tell music apart" in str(library.hints(two)[0])
    beat = Notes.of(np.arange(16) * 0.5, np.full(16, 0.2), np.full(16, 60), np.full(16, 80))
    assert library.search(beat) == []
    assert str(library.hints(beat)[0]) == (
        "16 onsets in 7.7 s of the query are too much alike to tell music apart: they count as 1.0 different ones"
    )
    beat.save(tmp_path / "beat.mid")
    done = CliRunner().invoke(app, ["search", str(tmp_path / "beat.mid"), "--index", str(library.folder), "--json"])
    assert (done.exit_code, done.stdout.strip()) == (0, "[]")
    assert "too much alike" in done.stderr


@pytest.mark.parametrize("kind", kinds(played=False))
def test_a_kind_draws_different_queries_that_repeat(kind: str):
    first, again, second = (draw_query(kind, seed, 0) for seed in (7, 7, 8))
    if isinstance(first, Sound):
        assert isinstance(again, Sound)
        assert isinstance(second, Sound)
        np.testing.assert_array_equal(first.samples, again.samples)
        assert first.sample_rate_hz == RATE_HZ
        assert SHORTEST_S - 0.01 <= len(first.samples) / RATE_HZ <= LONGEST_S + 0.01
        assert np.isfinite(first.samples).all()
        assert 0.02 < np.abs(first.samples).max() <= 1.0
        assert not np.array_equal(first.samples, second.samples)
    else:
        assert isinstance(again, Notes)
        assert isinstance(second, Notes)
        np.testing.assert_array_equal(first.onset_s, again.onset_s)
        np.testing.assert_array_equal(first.pitch, again.pitch)
        assert len(first) >= 1
        assert not np.array_equal(first.onset_s, second.onset_s)


def test_kinds_of_few_notes_have_at_most_eight():
    few = [name for name in KINDS if name.startswith("few-notes")]
    assert len(few) == 4
    for name in few:
        counts = {len(draw_query(name, 3, number)) for number in range(40)}  # type: ignore[arg-type]
        assert counts == set(range(1, 9))


def test_a_stopped_run_goes_on(library: Index, tmp_path: Path):
    files = Library(tuple(sorted(map(Path, library.view("notes").paths))))
    out = tmp_path / "answers.json"

    def run(count: int, seed: int = 3) -> list[float]:
        answers = run_kinds(["sine", "single-note"], count, seed, files, library.store, library.model, out)
        assert [len(one) for one in answers.values()] == [count, count]
        return [one.seconds for given in answers.values() for one in given]

    first, more = run(1), run(2)
    assert first == [more[0], more[2]]  # the same seconds, hence not run again
    assert run(2) == more
    assert run(2, seed=4) != more


def test_reliability_counts_every_match_once():
    stated = [0.0, 0.1, 0.5, 0.95, 1.0, 1.0]
    bins = reliability(stated, [False, False, True, True, True, False])
    assert sum(one["count"] for one in bins) == len(stated)
    assert (bins[-1]["count"], bins[-1]["right"], bins[-1]["stated"]) == (2, 0.5, 1.0)
    assert bins[2] == {"from": 0.3, "to": 0.5, "count": 0, "stated": None, "right": None}


def test_kinds_are_registered_once():
    def sine(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        return rng.normal(size=count)

    with pytest.raises(ValueError, match="'sine' is registered twice"):
        sound_kind(sine)
