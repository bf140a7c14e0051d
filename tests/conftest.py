"""Fixtures of all tests: the demo corpus, small libraries, and the tests to skip where something is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

from antiphon.corpora import Corpus, Recording, open_corpus
from antiphon.corpora.rendered import write_manifest
from antiphon.index.build import build_index
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.files import atomic_folder
from antiphon.io.note_files import read_notes
from antiphon.io.notes import write_midi
from antiphon.models.loading import load_model

# A busy machine is slow, which no example is to blame for.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _shared_data_missing() -> str:
    return "" if SHARED_DATA.is_dir() else f"no {SHARED_DATA}"


def _fluidsynth_missing() -> str:
    try:
        import fluidsynth  # noqa: F401
    except ImportError as error:
        return f"FluidSynth is not installed ({error})"
    return ""


# Each tells what is missing, or nothing.
REQUIREMENTS: dict[str, Callable[[], str]] = {"shared_data": _shared_data_missing, "fluidsynth": _fluidsynth_missing}


SLOW_FILES = {
    f"test_{name}.py"
    for name in (
        "aligning analysis_causal analysis_conditions analysis_cost analysis_report analysis_sample "
        "av_audio broken_input campaign campaign_report cli commands contributing definitions docs "
        "embedding_queue evaluation examples extension index_crash index_moving injection late_fusion "
        "localisation model model_names neighbours nonmusic openmp page pairing public_api rendering search "
        "search_benchmark set_list serving serving_command serving_jobs serving_limits shipped_models "
        "stored_formats suite template training training_api works"
    ).split()
}
"""Files that train, serve, start processes or build many indexes: not part of `make check`."""


@pytest.hookimpl(tryfirst=True)  # before `-m` deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
    for marker, missing in REQUIREMENTS.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and (reason := missing()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Commands set PyTorch's number of threads, on which other tests' last bits depend."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def demo(cache: Path) -> Corpus:
    return open_corpus("demo")


SHORT_S = 24.0
"""Duration of the recordings of `short_demo`."""


@pytest.fixture(scope="session")
def short_demo(demo: Corpus, cache: Path) -> Corpus:
    """The first 24 s of 22 recordings of the demo corpus, of all splits, made once for all test workers."""
    folder = cache.parent / "short"
    with FileLock(cache.parent / "short.lock"):
        if not folder.exists():
            with atomic_folder(folder) as temporary:
                _write_short(demo, temporary)
    return open_corpus(folder)


def _write_short(demo: Corpus, folder: Path) -> None:
    rate_hz = 24_000
    chosen = [one for number, one in enumerate(demo.recordings) if number % 3 == 0 or one.split == "test"]
    recordings = [replace(one, duration_s=SHORT_S) for one in chosen]
    for one in recordings:
        assert one.audio_path is not None
        write_midi(read_notes(one.notes_path).window(0.0, SHORT_S), folder / f"{one.id}.mid")
        write_flac(folder / f"{one.id}.flac", read_samples(one.audio_path, rate_hz, 0.0, SHORT_S), rate_hz)
    write_manifest(folder, recordings, {"sample_rate_hz": rate_hz, "corpus": "short"})


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return SHARED_DATA


def _three(short_demo: Corpus) -> list[Recording]:
    """Recordings of three works."""
    return [short_demo.recordings[number] for number in (0, 7, 16)]


@pytest.fixture
def folder(short_demo: Corpus, tmp_path: Path) -> Path:
    """Three recordings of the demo, MIDI and FLAC, one of them a folder deeper."""
    place = tmp_path / "music"
    for name, one in zip(("a", "b", "c"), _three(short_demo), strict=True):
        at = place / "deeper" if name == "c" else place
        at.mkdir(parents=True, exist_ok=True)
        assert one.audio_path is not None
        shutil.copy(one.notes_path, at / f"{name}.mid")
        shutil.copy(one.audio_path, at / f"{name}.flac")
    return place


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture(scope="session")
def served_index(short_demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three pieces of the demo, sound and notes, with their works, to be read only."""
    return index_of_three(short_demo, tmp_path_factory.mktemp("served"))


def index_of_three(short_demo: Corpus, place: Path) -> Path:
    """Three pieces of the demo in `place/music`, and in `place/index` their index by the template."""
    music = place / "music"
    music.mkdir()
    rows = ["file,work,composer,title"]
    for one in _three(short_demo):
        for path in (one.notes_path, one.audio_path):
            assert path is not None
            shutil.copy(path, music)
            rows.append(f'"{path.name}","{one.work}","{one.composer}","{one.title}"')
    works = place / "works.csv"
    works.write_text("\n".join(rows), encoding="utf-8")
    build_index([music], load_model("template"), "template", place / "index", works=works)
    return place / "index"
