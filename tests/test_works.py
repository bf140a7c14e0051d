"""What an index knows of its files, where it learns it, and what a search does with it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from antiphon.cli import app
from antiphon.corpora import Corpus, Recording
from antiphon.errors import AntiphonError, UnknownName, UnreadableInput
from antiphon.experiments.listing import describe
from antiphon.index.build import build_index
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.search import SearchOptions, search
from antiphon.index.store import Store
from antiphon.index.view import Filters, IndexView
from antiphon.models.template import TemplateEmbedder
from helpers import write_scale
from library import bring_up_to_date

HEADER = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
BACH = FileMetadata("Johann Sebastian Bach", "Fugue", "train", "johann sebastian bach | fugue")
SUK = FileMetadata("Suk", "Jaro", "test", "suk | jaro")


def known(out: Path) -> dict[str, FileMetadata]:
    """File name → what the index knows of it."""
    with Store(out) as store:
        return {Path(path).name: about for path, about in store.about().items()}


def write_maestro(folder: Path) -> Path:
    """A table that names a and c, by suffixes that the files do not have."""
    table = folder / "maestro-v3.0.0.csv"
    table.write_text(
        f"{HEADER}Johann Sebastian Bach,Fugue,train,2004,a.midi,a.wav,6.0\n"
        "Suk,Jaro,test,2004,deeper/c.midi,deeper/c.wav,6.0\nSuk,Gone,test,2004,gone.midi,gone.wav,6.0\n",
        encoding="utf-8",
    )
    return table


def write_table(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


class TestSources:
    def test_the_table_of_a_maestro_folder_tells_of_sound_and_notes(self, folder: Path, out: Path):
        write_maestro(folder)
        report, _ = bring_up_to_date(folder, out)
        assert (report.embedded, report.failed) == (6, [])
        assert known(out) == {"a.mid": BACH, "a.flac": BACH, "c.mid": SUK, "c.flac": SUK}

    @pytest.mark.parametrize("given", ["deeper", "deeper/c.mid", ".."])
    def test_the_table_is_found_above_and_below_the_folder_that_is_given(self, folder: Path, out: Path, given: str):
        write_maestro(folder)
        bring_up_to_date(folder / given, out, only="notes")
        assert known(out)["c.mid"] == SUK

    def test_without_any_nothing_is_known_and_sound_shares_its_work_with_its_notes(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        assert known(out) == {}
        assert describe(str(out))["works"] == 3
        with Store(out) as store:
            works = [[store.library(kind).work_of(r) for r in range(3)] for kind in ("audio", "notes")]  # type: ignore[arg-type]
        assert works[0] == works[1] == [str(folder.resolve() / name) for name in ("a", "b", "deeper/c")]

    def test_a_table_of_works_names_files_by_path_or_by_bare_name(self, folder: Path, out: Path):
        works = write_table(
            folder / "lists" / "works.csv", "split,file,work,composer\ntest,../a.mid,first,Suk\n,c.mid,first,\n,,,\n"
        )
        report, _ = bring_up_to_date(folder, out, only="notes", works=works)
        assert [str(error) for error in report.failed] == [f"{works}: 1 of its 3 rows name no file, first ''"]
        assert known(out) == {"a.mid": FileMetadata("Suk", "", "test", "first"), "c.mid": FileMetadata(work="first")}
        assert describe(str(out))["works"] == 2

    def test_a_path_is_not_a_bare_name(self, folder: Path, out: Path):
        works = write_table(folder / "works.csv", "file,work\ndeeper/a.mid,wrong\nc.mid,right\n")
        bring_up_to_date(folder, out, only="notes", works=works)
        assert known(out) == {"c.mid": FileMetadata(work="right")}

    def test_files_of_a_folder_can_be_one_work(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, works="folders")
        works = {name: about.work for name, about in known(out).items()}
        assert works["a.mid"] == works["b.flac"] == str(folder.resolve())
        assert works["c.mid"] == works["c.flac"] == str(folder.resolve() / "deeper")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("file,opus\na.mid,1\n", "no column work; a table of works has file, work"),
            ("file,work\n", "none of its 0 rows names a file"),
            ("file,work\nx.mid,1\ny.mid,1\n", "none of its 2 rows names a file"),
            ("file;work\na.mid;1\n", "no column file, work"),
            ("", "no column file, work"),
            (None, "it cannot be opened"),
        ],
    )
    def test_a_table_of_works_that_cannot_be_used_is_refused_before_anything_is_made(
        self, folder: Path, out: Path, text: str | None, says: str
    ):
        works = folder / "works.csv"
        if text is not None:
            works.write_text(text, encoding="utf-8")
        with pytest.raises(UnreadableInput, match=says):
            bring_up_to_date(folder, out, works=works)
        assert not out.exists()

    def test_a_broken_maestro_table_is_named_and_the_rest_goes_on(self, folder: Path, out: Path):
        write_table(folder / "maestro-v3.0.0.csv", "composer,title\n")
        report, _ = bring_up_to_date(folder, out, only="notes")
        assert report.embedded == 3
        assert [error.path.name for error in report.failed] == ["maestro-v3.0.0.csv"]


class TestUpdates:
    def test_are_written_down_without_embedding_or_deriving_anything(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes", exact_below=16)
        before = {path.name: path.stat().st_mtime_ns for path in out.glob("notes-*")}
        write_maestro(folder)
        report, embedded = bring_up_to_date(folder, out, only="notes", exact_below=16)
        assert (report.embedded, embedded, report.unchanged) == (0, 0, 3)
        assert known(out) == {"a.mid": BACH, "c.mid": SUK}
        assert {path.name: path.stat().st_mtime_ns for path in out.glob("notes-*")} == before
        with Store(out) as store:
            assert [store.library("notes").describe_recording(r) for r in range(3)] == [BACH, FileMetadata(), SUK]

    def test_keep_what_the_newer_source_does_not_know(self, folder: Path, out: Path):
        table = write_maestro(folder)
        bring_up_to_date(folder, out, only="notes")
        table.unlink()
        works = write_table(folder / "works.csv", "file,work,title\na.mid,mine,\nb.mid,mine,Etude\n")
        bring_up_to_date(folder, out, only="notes", works=works)
        bach = FileMetadata(BACH.composer, BACH.title, BACH.split, "mine")
        assert known(out) == {"a.mid": bach, "b.mid": FileMetadata(title="Etude", work="mine"), "c.mid": SUK}
        bring_up_to_date(folder, out, only="notes")
        assert known(out)["a.mid"] == bach

    def test_a_table_of_works_goes_before_maestros(self, folder: Path, out: Path):
        write_maestro(folder)
        works = write_table(folder / "works.csv", "file,work\na.mid,mine\n")
        bring_up_to_date(folder, out, only="notes", works=works)
        assert known(out)["a.mid"] == FileMetadata(BACH.composer, BACH.title, BACH.split, "mine")

    def test_survive_a_change_of_the_file_and_end_with_it(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes", works=write_table(folder / "w.csv", "file,work\na.mid,mine\n"))
        write_scale(folder / "a.mid")
        assert bring_up_to_date(folder, out, only="notes")[1] == 1
        assert known(out) == {"a.mid": FileMetadata(work="mine")}
        (folder / "a.mid").unlink()
        bring_up_to_date(folder, out, only="notes")
        assert known(out) == {}


class TestFilters:
    LIBRARY = IndexView(
        np.zeros((6, 2), np.float16),
        np.zeros(6),
        np.array([0, 1, 3, 4, 6]),
        ("/music/a.mid", "/music/b.mid", "/music-2/c.mid", "/music/deeper/d.mid"),
        np.full(4, 9.0),
        {"/music/a.mid": BACH, "/music/b.mid": SUK, "/music-2/c.mid": SUK},
    )

    @pytest.mark.parametrize(
        ("filters", "fits"),
        [
            (Filters(), "abcd"),
            (Filters(composer="bach"), "a"),
            (Filters(composer="SUK"), "bc"),
            (Filters(split="test"), "bc"),
            (Filters(folder=Path("/music")), "abd"),
            (Filters(folder=Path("/music/")), "abd"),
            (Filters(folder=Path("/music/deeper/../b.mid")), "b"),
            (Filters(composer="suk", split="test", folder=Path("/music")), "b"),
        ],
    )
    def test_let_those_pass_that_fit_all(self, filters: Filters, fits: str):
        assert "".join(np.array(list("abcd"))[self.LIBRARY.among(filters)]) == fits

    @pytest.mark.parametrize(
        ("filters", "error", "says"),
        [
            (Filters(composer="bahc"), UnknownName, r"unknown composer 'bahc'.*known: Johann Sebastian Bach, Suk"),
            (Filters(split="tes"), UnknownName, "unknown split 'tes'; did you mean 'test'"),
            (
                Filters(composer="bach", split="test"),
                AntiphonError,
                "fits composer bach, split test",
            ),
            (Filters(folder=Path("/mus")), AntiphonError, "none of 4 recordings fits folder /mus"),
        ],
    )
    def test_that_leave_nothing_are_refused(self, filters: Filters, error: type[AntiphonError], says: str):
        with pytest.raises(error, match=says):
            self.LIBRARY.among(filters)

    def test_say_how_to_tell_what_is_not_known(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        with Store(out) as store, pytest.raises(AntiphonError, match=r"no recording has a composer; .* --works FILE"):
            search(folder / "a.mid", store, TemplateEmbedder(), options=SearchOptions(filters=Filters(composer="bach")))


@pytest.fixture(scope="module")
def some(demo: Corpus) -> Corpus:
    """Twelve performances of ten works."""
    return replace(demo, recordings=demo.recordings[:12])


@pytest.fixture(scope="module")
def works(some: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the corpus knows, as a table of works."""
    lines = [f'{one.notes_path.name},"{one.work}","{one.composer}",{one.split}' for one in some.recordings]
    return write_table(tmp_path_factory.mktemp("works") / "works.csv", "\n".join(["file,work,composer,split", *lines]))


def build(corpus: Corpus, works: Path, out: Path) -> Path:
    build_index([one.notes_path for one in corpus.recordings], TemplateEmbedder(), "template", out, "notes", works)
    return out


@pytest.fixture(scope="module")
def whole(some: Corpus, works: Path) -> Path:
    return build(some, works, works.parent / "index")


def hits(index: Path, query: Recording, exact_below: int = 10**6, top: int = 50, **how: Any) -> list[Match]:
    assert query.audio_path is not None
    with Store(index, exact_below=exact_below) as store:
        return search(query.audio_path, store, TemplateEmbedder(), 7.3, 10.0, SearchOptions(top, **how))


class TestSearch:
    def test_with_filters_is_search_in_an_index_of_those_alone(
        self, some: Corpus, works: Path, whole: Path, tmp_path: Path
    ):
        part, query = some.split("train"), some.recordings[1]
        alone = hits(build(part, works, tmp_path / "index"), query)
        assert {Path(hit.file) for hit in alone} <= {one.notes_path.resolve() for one in part.recordings}
        assert len({hit.file for hit in alone}) > 1
        assert hits(whole, query) != alone
        for exact_below in (10**6, 16):
            assert hits(whole, query, exact_below, filters=Filters(split="train")) == alone

    def test_by_work_keeps_the_best_hit_of_each(self, some: Corpus, whole: Path):
        every, by_work = (hits(whole, some.recordings[0], by_work=by_work) for by_work in (False, True))
        assert len(by_work) < len(every)
        works = list(dict.fromkeys(hit.work for hit in every))
        assert by_work == [next(hit for hit in every if hit.work == work) for work in works]

    def test_gives_the_best_hit_of_every_file_and_of_every_work_before_others(self, some: Corpus, whole: Path):
        for query in some.recordings[::4]:
            best = hits(whole, query, top=1)
            by_work = hits(whole, query, top=10, by_work=True)
            assert len({hit.work for hit in by_work}) == len(by_work) == len({one.work for one in some.recordings})
            assert hits(whole, query, top=11, by_work=True) == by_work
            by_file = hits(whole, query, top=12)
            assert len({hit.file for hit in by_file}) == 12
            assert by_work[:1] == by_file[:1] == best
            assert all(one.confidence >= two.confidence for one, two in pairwise(by_file))

    def test_gives_repeats_in_one_file_first_where_asked_to(self, some: Corpus, whole: Path):
        plain, repeats = (hits(whole, some.recordings[0], top=12, repeats=repeats) for repeats in (False, True))
        assert repeats[0] == plain[0]
        assert len({hit.file for hit in repeats}) < len(repeats) == 12
        assert sum(hit.confidence for hit in repeats) > sum(hit.confidence for hit in plain)

    def test_over_a_quantised_library_finds_the_same(self, some: Corpus, whole: Path):
        for query in some.recordings[::4]:
            first = hits(whole, query)[0]
            assert hits(whole, query, 16)[0] == first
            assert Path(first.file) == query.notes_path.resolve()


def test_command_line(folder: Path, out: Path):
    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.output

    works = write_table(folder / "works.csv", "file,work,composer\na.mid,one,Suk\nb.mid,one,Suk\n")
    run("index", "build", folder, "--out", out, "--only", "notes", "--works", works)
    ask = ("search", folder / "a.mid", "--index", out, "--length", 9, "--json")
    hits = json.loads(run(*ask))
    assert [(hit.get("work"), hit.get("composer"), "title" in hit) for hit in hits[:1]] == [("one", "Suk", False)]
    known = {"a.mid": "one", "b.mid": "one", "c.mid": None}
    assert all(known[Path(hit["file"]).name] == hit.get("work") for hit in hits)
    by_work = [hit.get("work") for hit in json.loads(run(*ask, "--by-work"))]
    assert len(by_work) == len({*by_work})
    assert {Path(hit["file"]).name for hit in json.loads(run(*ask, "--composer", "suk"))} <= {"a.mid", "b.mid"}
    run("index", "add", folder, "--index", out, "--only", "notes", "--works", "folders")
    assert all(hit["work"] for hit in json.loads(run(*ask)))
    facts = json.loads(run("info", out, "--json"))
    assert (facts["works"], facts["notes_neighbours"]) == (2, {"method": "exact"})
    assert "search in notes  exact" in run("info", out)
