"""Readers beside writers, and builds that are killed: whole states only, nothing lost, nothing doubled."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.corpora import Corpus
from antiphon.errors import UnreadableInput
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.search import search
from antiphon.index.store import FileState, Store
from antiphon.io.notes import Notes
from antiphon.models.template import TemplateEmbedder
from builders import unit
from library import CountingEmbedder, bring_up_to_date, in_database, in_library
from waiting import LIMIT_S, until


def put_tiny(store: Store, number: int, windows: int) -> None:
    """A recording whose vectors and onsets tell who it is and how many windows it has."""
    rows = np.tile(unit(np.array([[1.0, number, windows, 0.0]])), (windows, 1))
    notes = Notes.of(np.arange(windows, dtype=float), np.ones(windows), np.full(windows, number), np.full(windows, 80))
    state = FileState(number, 0)
    store.put(f"/{number}.mid", "notes", state, "hash", 9.0, np.arange(windows, dtype=float), rows, notes)


@pytest.mark.parametrize(("exact_below", "derived_files"), [(EXACT_BELOW, 3), (16, 5)], ids=["exact", "quantised"])
def test_readers_see_whole_states_while_a_writer_adds(out: Path, exact_below: int, derived_files: int):
    """Three readers ask all the time; recordings grow from one window to two, and none is ever seen torn."""
    tiny = CountingEmbedder("tiny")
    tiny.dimensions = 4
    total, done, faults, states = 40, threading.Event(), [], []
    with Store(out, create=True) as store:
        store.claim(tiny, "tiny", 1.0)
        put_tiny(store, 0, 1)

    def read() -> None:
        try:
            with Store(out, exact_below=exact_below) as store:
                seen = 0
                while True:
                    last = done.is_set()
                    store.claim(tiny, "tiny", 1.0)
                    library = store.library("notes")
                    assert library.offset[-1] == len(library.vectors) == len(library.start_s)
                    rows = zip(library.paths, library.offset[:-1], library.offset[1:], strict=True)
                    for recording, (path, begin, end) in enumerate(rows):
                        assert library.onsets_in(recording).pitch.tolist() == [int(path[1:-4])] * (end - begin)
                        expected = unit(np.array([[1.0, int(path[1:-4]), end - begin, 0.0]]))[0]
                        np.testing.assert_allclose(
                            library.vectors[begin:end], np.tile(expected, (end - begin, 1)), atol=1e-3
                        )
                    cosine, row = library.neighbours.nearest(np.array(library.vectors[-2:], np.float32), 1)
                    np.testing.assert_allclose(cosine, 1.0, atol=1e-2)
                    assert np.all(row < len(library.vectors))
                    assert len(library.paths) >= seen, "a committed recording is gone"
                    seen = len(library.paths)
                    states.append(seen)
                    if last:
                        return
        except BaseException as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    with Store(out) as store:
        for number in range(1, total):
            put_tiny(store, number, 1)
            put_tiny(store, number - 1, 2)
            if number % 8 == 0:
                until(lambda least=number: faults or max(states, default=0) > least, "a reader that sees the state")
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert max(states) == total
    assert len(set(states)) > 3
    assert len(list(out.glob("notes-*"))) == derived_files, "files that nobody needs are left behind"


def test_a_derived_file_holds_the_state_that_it_is_named_after(out: Path, monkeypatch: pytest.MonkeyPatch):
    """A writer commits at the worst moment: when a reader has the generation but not yet the vectors."""
    tiny = CountingEmbedder("tiny")
    tiny.dimensions = 4
    with Store(out, create=True) as writer, Store(out, create=True) as reader:
        writer.claim(tiny, "tiny", 1.0)
        put_tiny(writer, 0, 1)
        counts = reader.counts

        def count_and_be_overtaken() -> Any:
            found = counts()
            put_tiny(writer, 1, 1)
            return found

        monkeypatch.setattr(reader, "counts", count_and_be_overtaken)
        assert reader.library("notes").paths == ("/0.mid",)
        monkeypatch.undo()
        assert reader.library("notes").paths == ("/0.mid", "/1.mid")


def test_a_reader_does_not_wait_for_a_writer(folder: Path, out: Path):
    bring_up_to_date(folder, out, only="notes")
    writer = sqlite3.connect(out / "index.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with Store(out) as store:
        store._db.execute("PRAGMA busy_timeout = 0")
        assert Path(search(folder / "a.flac", store, TemplateEmbedder())[0].file).name == "a.mid"
    writer.close()


def test_two_writers_lose_nothing(out: Path):
    tiny = CountingEmbedder("tiny")
    tiny.dimensions = 4
    faults: list[BaseException] = []

    def write(numbers: range) -> None:
        try:
            with Store(out, create=True) as store:
                store.claim(tiny, "tiny", 1.0)
                for number in numbers:
                    put_tiny(store, number, 1)
        except BaseException as error:
            faults.append(error)

    writers = [threading.Thread(target=write, args=(range(first, first + 15),)) for first in (0, 15)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert faults == []
    assert len(in_library(out, "notes")) == 30


def test_creating_waits_for_another_that_is_creating(out: Path):
    """While a new database's first journal is in use, SQLite tells others "locked" without waiting."""
    out.mkdir()
    other = sqlite3.connect(out / "index.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.close)
    done.start()
    with Store(out, create=True) as store:
        done.join()
        assert store.counts() == {}


BUILD_AND_KILL = """
import os, random, signal, sys, time
from pathlib import Path
from antiphon.models.template import TemplateEmbedder
from antiphon.index.build import build_index

folder, out = map(Path, sys.argv[1:])
chance = random.Random(5)


class InStep(TemplateEmbedder):
    # Tells the parent before each file and waits for its word, so that no build runs ahead of its death.

    def embed_notes_windows(self, notes, starts_s):
        os.write(told, b".")
        os.read(allowed, 1)
        return super().embed_notes_windows(notes, starts_s)


for round in range(20):
    (heard, told), (allowed, allow) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        build_index([folder], InStep(), "template", out, only="notes")
        os._exit(0)
    for _ in range(chance.randint(1, 2)):
        os.read(heard, 1)
        os.write(allow, b".")
    time.sleep(chance.uniform(0.0, 0.01))  # no wait for anything: dies at any moment of a file's embedding or commit
    os.kill(child, signal.SIGKILL)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]))
    for pipe in (heard, told, allowed, allow):
        os.close(pipe)
"""


@pytest.fixture(scope="module")
def undisturbed(demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The notes of the whole demo, indexed in one go."""
    place = tmp_path_factory.mktemp("undisturbed") / "index"
    bring_up_to_date(demo.recordings[0].notes_path.parent, place, only="notes")
    return place


def test_a_build_that_is_killed_goes_on_where_it_was(demo: Corpus, out: Path, undisturbed: Path):
    """Twenty builds die by kill -9 at random moments; another embeds what they have not committed, and nothing else."""
    folder = demo.recordings[0].notes_path.parent
    command = [sys.executable, "-c", BUILD_AND_KILL, str(folder), str(out)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    assert killed.stdout.split() == ["9"] * 20, killed.stderr
    committed = in_database(out)
    complete = in_database(undisturbed)
    assert 5 <= len(committed) < len(complete) == len(demo)
    assert {name: complete[name] for name in committed} == committed
    assert in_library(out, "notes") == committed  # what is there can be searched before the next build
    report, embedded = bring_up_to_date(folder, out, only="notes")
    assert (
        (report.embedded, report.unchanged)
        == (embedded, len(committed))
        == (len(demo) - len(committed), len(committed))
    )
    assert in_database(out) == complete == in_library(out, "notes")
    one = demo.recordings[9]
    with Store(out) as store:
        assert one.audio_path is not None
        hit = search(one.audio_path, store, TemplateEmbedder(), 7.3, 10.0)[0]
    assert (Path(hit.file), round(hit.start_s)) == (one.notes_path.resolve(), 7)


def test_an_index_that_died_before_its_first_file_says_so_and_can_be_built(folder: Path, out: Path):
    out.mkdir()
    (out / "index.sqlite").touch()
    with pytest.raises(UnreadableInput, match=r"stopped before .* antiphon index build"):
        Store(out)
    assert bring_up_to_date(folder, out, only="notes")[0].embedded == 3
