"""Jobs of a server: adding files, and pairing audio with notes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from antiphon.corpora import Corpus
from antiphon.index.build import build_index
from antiphon.index.store import Store
from antiphon.models.loading import load_model
from antiphon.progress import report_progress, track
from antiphon.serving.errors import Busy
from antiphon.serving.jobs import Jobs
from antiphon.serving.limits import Limits
from antiphon.serving.models import Job, JobResult
from antiphon.serving.uploads import display_name, free_name, kind_of_upload, safe_name
from conftest import index_of_three
from helpers import sine, write_scale
from serving import as_wav, finished, recordings, refusal, search, served, service_of
from waiting import LIMIT_S, until


@pytest.fixture
def index(short_demo: Corpus, tmp_path: Path) -> Path:
    """A separate index, because the tests change it."""
    return index_of_three(short_demo, tmp_path)


@pytest.fixture
def client(index: Path) -> Iterator[TestClient]:
    with served(index) as client:
        yield client


def add(client: TestClient, *files: tuple[str, bytes]) -> dict[str, Any]:
    """Add files and return the finished job."""
    answer = client.post("/api/files", files=[("files", file) for file in files])
    assert answer.status_code == 202, answer.text
    assert answer.json()["kind"] == "add"
    return finished(client, f"/api/jobs/{answer.json()['id']}")


def test_added_files_can_be_found(client: TestClient, index: Path, short_demo: Corpus):
    one = short_demo.recordings[8]
    assert one.audio_path is not None
    ids = {it["file"].rsplit("/", 1)[-1]: it["id"] for it in recordings(client, "notes")}
    before = search(client, one.audio_path.read_bytes(), "q.flac", length_s="12")
    assert all(hit["recording"]["file"] != "new piece.mid" for hit in before["hits"])

    job = add(client, ("new piece.mid", one.notes_path.read_bytes()))
    assert (job["status"], job["message"], job["error"]) == ("done", "done", None)
    [added] = job["result"]["added"]
    assert added["file"].endswith("uploads/new piece.mid")
    assert client.get("/api/health").json()["index"] == {"audio": 3, "notes": 4}
    assert client.get(f"/api/recordings/{added['id']}").json() == added
    assert len(client.get(f"/api/recordings/{added['id']}/notes", params={"length_s": 5}).json()["notes"]) > 5
    after = search(client, one.audio_path.read_bytes(), "q.flac", length_s="12")
    assert after["hits"][0]["recording"] == added
    assert len(client.get("/api/map").json()["points"]) == 7

    stay = {it["file"].rsplit("/", 1)[-1]: it["id"] for it in recordings(client, "notes")}
    assert {name: stay[name] for name in ids} == ids
    with Store(index) as store:
        assert str(index / "uploads" / "new piece.mid") in store.known()


def test_unusable_files_are_reported_and_not_stored(client: TestClient, index: Path, tmp_path: Path):
    good = write_scale(tmp_path / "scale.mid", 30).read_bytes()
    files = [
        ("../../../evil.mid", good),
        ("again.mid", good),
        ("broken.mid", b"MThd nothing"),
        ("silent.wav", as_wav(sine(5.0, level=0.0), 24_000)),
        ("short.wav", as_wav(sine(1.0), 24_000)),
    ]
    result = add(client, *files)["result"]
    assert [one["file"].rsplit("/", 1)[-1] for one in result["added"]] == ["evil.mid"]
    assert result["unchanged"] == ["again.mid"]
    assert {one["file"] for one in result["failed"]} == {"broken.mid", "silent.wav", "short.wav"}
    assert all(one["reason"] for one in result["failed"])
    assert [path.name for path in (index / "uploads").iterdir()] == ["evil.mid"]
    assert not [path for path in service_of(client).temporary.iterdir() if path.is_dir()]
    assert add(client, ("other name.mid", good))["result"]["unchanged"] == ["other name.mid"]


def test_a_used_name_gets_a_number(client: TestClient, index: Path, tmp_path: Path):
    for count in (30, 31):
        add(client, ("scale.mid", write_scale(tmp_path / "scale.mid", count).read_bytes()))
    assert {path.name for path in (index / "uploads").iterdir()} == {"scale.mid", "scale 2.mid"}


def test_failures_of_the_library_are_listed(client: TestClient, index: Path, tmp_path: Path):
    assert client.get("/api/failures").json() == []
    (tmp_path / "music" / "broken.mid").write_bytes(b"MThd nothing")
    build_index([tmp_path / "music"], load_model("template"), "template", index)
    add(client, ("scale.mid", write_scale(tmp_path / "scale.mid", 30).read_bytes()))
    [failure] = client.get("/api/failures").json()
    assert failure["file"].endswith("broken.mid")
    assert not failure["file"].startswith("/")
    assert "MIDI" in failure["reason"]


def test_uploads_can_be_disabled(served_index: Path):
    with served(served_index, uploads=False) as client:
        assert client.get("/api/health").json()["uploads"] is False
        refusal(client.post("/api/files", files={"files": ("a.mid", b"MThd")}), 403, "read_only")


def test_audio_is_paired_with_its_notes(client: TestClient):
    assert client.get("/api/pairs").json() == {"pairs": [], "job": None}
    answer = client.post("/api/pairs")
    assert answer.status_code == 202
    id_ = answer.json()["id"]
    job = finished(client, f"/api/jobs/{id_}")
    assert (job["kind"], job["status"], job["done"], job["total"]) == ("pair", "done", 3, 3)
    assert job["result"]["pairs"] == 3
    found = client.get("/api/pairs").json()
    assert found["job"] is None
    assert len(found["pairs"]) == 3
    for pair in found["pairs"]:
        assert (pair["audio"]["kind"], pair["notes"]["kind"]) == ("audio", "notes")
        assert pair["audio"]["file"].removesuffix(".flac") == pair["notes"]["file"].removesuffix(".mid")
        assert pair["query_start_s"] == pytest.approx(pair["start_s"], abs=0.1)
        assert pair["query_end_s"] > 20
        assert pair["tempo"] == pytest.approx(1.0, abs=0.01)


def test_pairing_needs_both_modalities(tmp_path: Path):
    write_scale(tmp_path / "music" / "scale.mid", 30)
    build_index([tmp_path / "music"], load_model("template"), "template", tmp_path / "index")
    with served(tmp_path / "index") as client:
        assert "recordings" in refusal(client.post("/api/pairs"), 409, "nothing_to_pair")
        tone = {"file": ("a.mid", (tmp_path / "music" / "scale.mid").read_bytes())}
        refusal(client.post("/api/searches", files=tone, data={"against": "audio"}), 422, "nothing_to_search")
        assert client.post("/api/searches", files=tone).json()["against"] == "notes"


def test_progress_is_reported_step_by_step():
    steps: list[tuple[str, int, int | None]] = []
    with report_progress(lambda *step: steps.append(step)):
        assert list(track("ab", "spelling")) == ["a", "b"]
        assert list(track(iter("c"), "counting")) == ["c"]
    assert list(track("d", "unreported")) == ["d"]
    assert steps == [
        ("spelling", 0, 2),
        ("spelling", 1, 2),
        ("spelling", 2, 2),
        ("counting", 0, None),
        ("counting", 1, 1),
    ]


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    jobs = Jobs(Limits(jobs=2))
    jobs.start()
    yield jobs
    jobs.stop()


def over(jobs: Jobs, job: Job) -> None:
    """Wait until a job is done."""
    until(lambda: jobs.get(job.id).status == "done", "the end of the job")


def test_jobs_report_progress_and_run_in_order(jobs: Jobs):
    begun, go_on = threading.Event(), threading.Event()

    def work() -> JobResult:
        for number in track(range(3), "counting"):
            if number == 1:
                begun.set()
                assert go_on.wait(LIMIT_S)
        return JobResult(pairs=3)

    first = jobs.add("pair", work)
    assert begun.wait(LIMIT_S)
    second, third = jobs.add("add", JobResult), jobs.add("add", JobResult)
    now = jobs.get(first.id)
    assert (now.status, now.message, now.done, now.total) == ("running", "counting", 1, 3)
    assert (jobs.get(second.id).status, jobs.unfinished("pair")) == ("queued", now)
    with pytest.raises(Busy, match="2 jobs are waiting"):
        jobs.add("add", JobResult)
    go_on.set()
    over(jobs, third)
    ended = jobs.get(first.id)
    assert (ended.status, ended.done, ended.result) == ("done", 3, JobResult(pairs=3))
    assert jobs.unfinished("pair") is None


def test_a_failed_job_has_a_reason_and_the_next_one_runs(jobs: Jobs, caplog: pytest.LogCaptureFixture):
    def failing() -> JobResult:
        raise ValueError("out of ideas")

    first, second = jobs.add("add", failing), jobs.add("add", JobResult)
    over(jobs, second)
    failed = jobs.get(first.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "internal")
    assert "out of ideas" in caplog.text


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("take 1.flac", "take 1.flac"),
        ("../../etc/passwd.wav", "passwd.wav"),
        ("C:\\music\\Für Elise.MID", "Für Elise.mid"),
        ("...wav", "unnamed.wav"),
        ("a\0b\n.wav", "ab.wav"),
        ("$(rm -rf x);`ls`|.wav", "(rm -rf x)__ls.wav"),
        ("é" * 200 + ".wav", "é" * 40 + ".wav"),
        ("\udce9.wav", "udce9.wav"),
    ],
)
def test_names_for_storage_are_safe(given: str, stored: str):
    assert safe_name(given, kind_of_upload(given)[1] if given != "...wav" else ".wav") == stored
    assert "/" not in display_name(given)
    assert display_name(given).isprintable()


def test_a_free_name_is_unused(tmp_path: Path):
    for expected in ("a.mid", "a 2.mid", "a 3.mid"):
        path = free_name(tmp_path, "a.mid")
        assert path.name == expected
        path.touch()
