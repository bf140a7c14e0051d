"""Limits and security of a server: load, paths, foreign pages, tokens, damaged files."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.serving import searches
from antiphon.serving.decoder_pool import Decoders
from antiphon.serving.errors import Busy
from antiphon.serving.limits import Gate
from antiphon.serving.middleware import COOKIE, is_loopback
from antiphon.serving.run import settings_for
from helpers import END_OF_TRACK, midi, sine, write_scale
from serving import PATIENT, as_wav, finished, recordings, refusal, search, served, service_of, start_search
from waiting import LIMIT_S, until

TONE = as_wav(sine(4.0), 24_000)
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def client(served_index: Path) -> Iterator[TestClient]:
    with served(served_index) as client:
        yield client


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_scale(tmp_path_factory.mktemp("score") / "scale.mid", 24).read_bytes()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/recordings", {"limit": "0"}),
        ("/api/recordings", {"limit": "1e3"}),
        ("/api/recordings", {"offset": "-1"}),
        ("/api/recordings", {"offset": "9" * 5000}),
        ("/api/recordings", {"kind": "video"}),
        ("/api/recordings", {"text": "x" * 300}),
        ("/api/recordings/1/sound", {"start_s": "nan"}),
        ("/api/recordings/1/sound", {"start_s": "inf"}),
        ("/api/recordings/1/sound", {"start_s": "-1"}),
        ("/api/recordings/1/sound", {"length_s": "0"}),
        ("/api/recordings/1/sound", {"length_s": "1e999"}),
        ("/api/recordings/1/sound", {"tempo": "0"}),
        ("/api/recordings/1/notes", {"start_s": "\0"}),
        ("/api/recordings/x", {}),
        ("/api/recordings/" + "9" * 400, {}),
        ("/api/searches/a%00b", {}),
    ],
)
def test_errors_name_values_out_of_range(client: TestClient, path: str, params: dict[str, str]):
    text = refusal(client.get(path, params=params), 422, "invalid")
    assert all(name in text for name in params) or not params


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"start_s": "nan"}, "start_s"),
        ({"length_s": "1"}, "length_s"),
        ({"top": "1000"}, "top"),
        ({"against": "video"}, "against"),
        ({"by_work": "perhaps"}, "by_work"),
        ({"composer": "x" * 201}, "composer"),
        ({"lenght_s": "5"}, "lenght_s"),
        ({"start_s": ["1", "2"]}, "start_s"),
    ],
)
def test_options_of_a_search_are_checked(client: TestClient, options: dict, names: str):
    answer = client.post("/api/searches", files={"file": ("a.wav", TONE)}, data=options)
    assert names in refusal(answer, 422, "invalid")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '{"recording": NaN}', '{"recording": 1, "x": 2}', '{"recording": "\\ud800"}', "[" * 9000],
)
def test_json_without_a_query_is_refused(client: TestClient, body: str):
    refusal(client.post("/api/searches", content=body, headers={"content-type": "application/json"}), 422, "invalid")


def test_a_lone_surrogate_is_a_client_error(client: TestClient):
    body = json.dumps({"recording": recordings(client, "notes")[0]["id"], "composer": "\ud800"})
    answer = client.post("/api/searches", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=", ""],
)
def test_a_body_other_than_a_form_is_refused(client: TestClient, kind: str):
    for path in ("/api/searches", "/api/files"):
        assert client.post(path, content=b"--x\r\n\r\n", headers={"content-type": kind}).status_code in (400, 422)


def test_a_form_without_a_file_is_refused(client: TestClient):
    refusal(client.post("/api/searches", data={"file": "text"}, files={"x": ("a.wav", TONE)}), 422, "no_file")
    refusal(client.post("/api/files", files={"other": ("a.wav", TONE)}), 422, "no_file")


BROKEN: dict[str, Callable[[], bytes]] = {
    "empty.wav": lambda: b"",
    "noise.wav": lambda: np.random.default_rng(0).bytes(3000),
    "noise.flac": lambda: np.random.default_rng(1).bytes(3000),
    "noise.mp3": lambda: np.random.default_rng(2).bytes(3000),
    "noise.m4a": lambda: np.random.default_rng(3).bytes(3000),
    "noise.mid": lambda: b"MThd" + np.random.default_rng(4).bytes(3000),
    "noise.tsv": lambda: np.random.default_rng(5).bytes(3000),
    "cut.wav": lambda: TONE[:1000],
    "sound.mid": lambda: TONE,
    "silent.wav": lambda: as_wav(sine(4.0, level=0.0), 24_000),
    "short.wav": lambda: as_wav(sine(1.0), 24_000),
    "nan.tsv": lambda: b"onset,offset,note,velocity\nnan,1,60,80\n",
    "no notes.mid": lambda: midi(END_OF_TRACK),
    "late.tsv": lambda: b"onset,offset,note,velocity\n1e300,1e301,60,80\n",
    "rate.wav": lambda: TONE[:24] + (1).to_bytes(4, "little") + TONE[28:],
    "hours.wav": lambda: as_wav(np.zeros(1000 * 3600, np.float32) + np.float32(0.1), 1000),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_an_unusable_file_is_refused_with_the_reason(client: TestClient, name: str):
    text = refusal(client.post("/api/searches", files={"file": (name, BROKEN[name]())}), 422, "unusable")
    assert "/" not in text.replace(" / ", ""), "the message discloses a path of the server"


@pytest.mark.parametrize("name", ["x.exe", "x", ".wav", "", "a.wav\0.exe"])
def test_an_unknown_suffix_is_refused(client: TestClient, name: str):
    assert client.post("/api/searches", files={"file": (name, TONE)}).status_code in (400, 422)


def test_a_decoder_that_hangs_or_crashes_is_replaced(tmp_path: Path):
    (tmp_path / "tone.wav").write_bytes(TONE)
    decoders = Decoders(PATIENT, 1)
    request = {"kind": "audio", "start_s": 0.0, "length_s": None, "rate_hz": 24_000, "out": tmp_path / "out.wav"}
    try:
        assert decoders.query(tmp_path / "tone.wav", **request) == (4.0, 4.0)
        os.kill(decoders._all[0].start().pid, signal.SIGSTOP)
        decoders._limits = replace(PATIENT, decode_s=0.1)
        with pytest.raises(UnreadableInput, match="takes too long"):
            decoders.query(tmp_path / "tone.wav", **request)
        decoders._limits = PATIENT
        assert decoders.query(tmp_path / "tone.wav", **request) == (4.0, 4.0)
        process = decoders._all[0]._process
        assert process is not None
        process.kill()
        process.wait()
        with pytest.raises(UnreadableInput, match="cannot be read"):
            decoders.query(tmp_path / "tone.wav", **request)
        assert decoders.query(tmp_path / "tone.wav", **request) == (4.0, 4.0)
    finally:
        decoders.stop()


def test_the_start_of_a_decoder_does_not_count_as_reading_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tone.wav").write_bytes(TONE)
    limits: list[float | None] = []
    get = queue.Queue.get

    def noted(lines: queue.Queue, block: bool = True, timeout: float | None = None) -> object:
        limits.append(timeout)
        return get(lines, block, timeout)

    idle, started, read = LIMIT_S + 1, LIMIT_S + 2, LIMIT_S + 3
    decoders = Decoders(replace(PATIENT, decoder_wait_s=idle, decoder_start_s=started, decode_s=read), 1)
    monkeypatch.setattr(queue.Queue, "get", noted)
    try:
        for _ in range(2):
            found = decoders.query(tmp_path / "tone.wav", "audio", 0.0, None, 24_000, tmp_path / "out.wav")
            assert found == (4.0, 4.0)
    finally:
        decoders.stop()
    assert limits == [idle, started, read, idle, read]


def test_a_decoder_that_does_not_start_gives_busy(tmp_path: Path):
    (tmp_path / "tone.wav").write_bytes(TONE)
    decoders = Decoders(replace(PATIENT, decoder_start_s=0.1), 1)
    os.kill(decoders._all[0].start().pid, signal.SIGSTOP)
    try:
        with pytest.raises(Busy, match="decoder process does not start"):
            decoders.query(tmp_path / "tone.wav", "audio", 0.0, None, 24_000, tmp_path / "out.wav")
    finally:
        decoders.stop()


def test_a_file_above_the_memory_limit_is_refused(tmp_path: Path):
    path = tmp_path / "long.wav"
    path.write_bytes(as_wav(np.ones(40_000_000, np.float32), 24_000))  # 160 MB as float samples
    decoders = Decoders(replace(PATIENT, decode_bytes=640 << 20, query_s=1e6), 1)
    try:
        with pytest.raises(UnreadableInput, match=r"memory|crashed"):
            decoders.query(path, "audio", 0.0, None, 48_000, tmp_path / "out.wav")
    finally:
        decoders.stop()


def test_a_file_with_too_many_notes_is_refused(served_index: Path, score: bytes):
    with served(served_index, limits=replace(PATIENT, notes=20)) as client:
        text = refusal(client.post("/api/searches", files={"file": ("a.mid", score)}), 422, "unusable")
        assert "24 notes; 20" in text


def test_the_error_of_a_long_query_names_the_options_of_a_stretch(served_index: Path):
    with served(served_index, limits=replace(PATIENT, query_s=5.0)) as client:
        tone = as_wav(sine(8.0), 24_000)
        assert "start_s" in refusal(client.post("/api/searches", files={"file": ("a.wav", tone)}), 422, "unusable")
        assert start_search(client, tone, "a.wav", length_s="4")["query"]["duration_s"] == 8.0


def test_an_upload_beyond_the_limit_is_refused_with_and_without_content_length(served_index: Path):
    with served(served_index, limits=replace(PATIENT, upload_bytes=100_000)) as client:
        refusal(client.post("/api/searches", files={"file": ("a.wav", TONE)}), 413, "too_large")

        def parts() -> Iterator[bytes]:
            yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            for _ in range(40):
                yield b"\0" * 10_000

        headers = {"content-type": "multipart/form-data; boundary=b"}
        refusal(client.post("/api/searches", content=parts(), headers=headers), 413, "too_large")


def test_a_clip_beyond_the_limit_is_refused(client: TestClient):
    one = recordings(client, "notes")[0]["id"]
    for what in ("sound", "notes"):
        refusal(client.get(f"/api/recordings/{one}/{what}", params={"length_s": 61}), 422, "too_long")
        refusal(client.get(f"/api/recordings/{one}/{what}", params={"start_s": 5000}), 422, "outside")
    audio = recordings(client, "audio")[0]["id"]
    refusal(client.get(f"/api/recordings/{audio}/sound", params={"tempo": 1.5}), 422, "tempo_of_sound")
    refusal(client.get(f"/api/recordings/{audio}/notes"), 409, "no_notes")


def test_a_clip_with_too_many_notes_is_refused(served_index: Path):
    with served(served_index, limits=replace(PATIENT, clip_notes=5)) as client:
        one = recordings(client, "notes")[0]["id"]
        refusal(client.get(f"/api/recordings/{one}/sound"), 422, "too_dense")


def test_unknown_things_are_404(client: TestClient):
    refusal(client.get("/api/recordings/99999"), 404, "no_recording")
    refusal(client.post("/api/searches", json={"recording": 99999}), 404, "no_recording")
    refusal(client.get("/api/searches/unknown"), 404, "gone")
    refusal(client.get("/api/jobs/unknown"), 404, "gone")
    refusal(client.get("/api/nothing"), 404, "not_found")
    for response in (client.put("/api/recordings"), client.get("/api/files"), client.get("/api/searches")):
        refusal(response, 405, "wrong_method")


def test_an_absent_composer_or_modality_is_reported(client: TestClient, tmp_path: Path):
    answer = client.post("/api/searches", files={"file": ("a.wav", TONE)}, data={"composer": "Nobody"})
    assert "Nobody" in refusal(answer, 422, "unusable")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event that holds all searches until it is set."""
    go = threading.Event()
    answer = searches.answer

    def later(*args):
        assert go.wait(LIMIT_S)
        return answer(*args)

    monkeypatch.setattr(searches, "answer", later)
    yield go
    go.set()


def test_a_full_queue_gives_503_and_empties_again(served_index: Path, score: bytes, waiting: threading.Event):
    with served(served_index, workers=1, limits=replace(PATIENT, queue=2)) as client:
        first = start_search(client, score, "0.mid", against="notes")["id"]
        until(lambda: client.get(f"/api/searches/{first}").json()["status"] == "running", "the first search begins")
        others = [start_search(client, score, f"{n}.mid", against="notes") for n in (1, 2)]
        assert [one["ahead"] for one in others] == [1, 2]
        answer = client.post("/api/searches", files={"file": ("3.mid", score)})
        refusal(answer, 503, "busy")
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/api/health").status_code == 200
        client.delete(f"/api/searches/{others[0]['id']}")
        assert client.get(f"/api/searches/{others[1]['id']}").json()["ahead"] == 1
        last = start_search(client, score, "4.mid", against="notes")
        waiting.set()
        assert finished(client, f"/api/searches/{last['id']}")["status"] == "done"
        assert 'outcome="refused"} 1.0' in client.get("/metrics").text


def test_beginnings_are_searched_before_whole_queries(
    served_index: Path, demo: Corpus, score: bytes, waiting: threading.Event, monkeypatch: pytest.MonkeyPatch
):
    order: list[tuple[str, str]] = []
    answer = searches.answer

    def noted(search_request, stage, *others):
        hits = answer(search_request, stage, *others)
        order.append((search_request.name, stage))
        return hits

    monkeypatch.setattr(searches, "answer", noted)
    long = demo.recordings[0].notes_path.read_bytes()
    with served(served_index, workers=1) as client:
        started = [start_search(client, long, name, against="notes") for name in ("a.mid", "b.mid")]
        started.append(start_search(client, score, "c.mid", against="notes"))
        waiting.set()
        assert {finished(client, f"/api/searches/{one['id']}")["status"] for one in started} == {"done"}
    assert order == [
        ("a.mid", "beginning"),
        ("b.mid", "beginning"),
        ("c.mid", "whole"),
        ("a.mid", "whole"),
        ("b.mid", "whole"),
    ]


def test_a_failed_search_has_a_reason_and_the_next_one_works(
    served_index: Path, score: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    answer = searches.answer
    faults: list[Exception] = [RuntimeError("no more memory"), AntiphonError("cannot be")]

    def failing(*args):
        if faults:
            raise faults.pop()
        return answer(*args)

    monkeypatch.setattr(searches, "answer", failing)
    with served(served_index) as client:
        codes = []
        for _ in range(2):
            id_ = start_search(client, score, "a.mid", against="notes")["id"]
            found = finished(client, f"/api/searches/{id_}")
            codes.append((found["status"], found["error"]["code"]))
        assert codes == [("failed", "unusable"), ("failed", "internal")]
        assert search(client, score, "a.mid", against="notes")["status"] == "done"
    assert "no more memory" in caplog.text


def test_searches_expire_by_age_and_number(served_index: Path, score: bytes):
    with served(served_index, limits=replace(PATIENT, searches=2)) as client:
        ids = [search(client, score, "a.mid", against="notes")["id"] for _ in range(3)]
        assert [client.get(f"/api/searches/{id_}").status_code for id_ in ids] == [404, 200, 200]
        service = service_of(client)
        service.searches.tidy()
        assert client.get(f"/api/searches/{ids[2]}").status_code == 200
        service.searches._held[ids[2]].changed -= 30 * 60
        service.searches.tidy()
        refusal(client.get(f"/api/searches/{ids[2]}"), 404, "gone")
        assert len([path for path in service.temporary.iterdir() if path.is_dir()]) == 1


def test_stopping_deletes_all_uploads(served_index: Path, score: bytes):
    with served(served_index) as client:
        search(client, score, "a.mid", against="notes")
        temporary = service_of(client).temporary
        assert list(temporary.iterdir())
    assert not temporary.exists()


def test_a_gate_limits_concurrency():
    gate = Gate("clips", 1, 0, 0.05)
    with gate.slot(), pytest.raises(Busy, match="too many requests for clips"), gate.slot():
        pass
    patient = Gate("clips", 1, 1, 0.05)
    with patient.slot(), pytest.raises(Busy, match="too long"), patient.slot():
        pass
    with patient.slot():
        pass


@pytest.mark.parametrize(
    "name",
    ["../../canary.wav", "..\\..\\canary.wav", "/etc/canary.wav", "%2e%2e%2fcanary.wav", "a;touch x;.wav", "$(id).wav"],
)
def test_names_of_uploads_cannot_leave_the_folder(client: TestClient, name: str, tmp_path: Path):
    service = service_of(client)
    before = set(service.temporary.parent.glob("*canary*"))
    id_ = start_search(client, TONE, name)["id"]
    path = service.searches.search_request(id_).path
    assert path.name == "query.wav"
    assert path.parent.parent == service.temporary
    assert set(service.temporary.parent.glob("*canary*")) == before
    assert finished(client, f"/api/searches/{id_}")["query"]["name"] in name


@pytest.mark.parametrize(
    "path",
    [
        "/../canary.txt",
        "/%2e%2e/canary.txt",
        "/..%2fcanary.txt",
        "/%2e%2e%2f%2e%2e%2fetc/passwd",
        "//etc/passwd",
        "/app.js%00",
        "/app.js/../../canary.txt",
        "/..\\canary.txt",
        "/sub/%2e%2e/%2e%2e/canary.txt",
    ],
)
def test_files_outside_the_bundle_are_not_served(served_index: Path, tmp_path: Path, path: str):
    bundle = tmp_path / "page"
    (bundle / "sub").mkdir(parents=True)
    (bundle / "index.html").write_text("<title>the page</title>", encoding="utf-8")
    (bundle / "app.js").write_text("run()", encoding="utf-8")
    (bundle / "sub" / "font.woff2").write_bytes(b"font")
    (tmp_path / "canary.txt").write_text("canary", encoding="utf-8")
    with served(served_index, bundle) as client:
        answer = client.get(path)
        assert answer.status_code in (200, 400, 404)
        assert "canary" not in answer.text
        assert "root:" not in answer.text
        assert client.get("/app.js").text == "run()"
        assert client.get("/sub/font.woff2").content == b"font"
        page = client.get("/")
        assert "the page" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"


def test_without_a_bundle_the_page_explains_how_to_build_it(served_index: Path, tmp_path: Path):
    with served(served_index, tmp_path / "missing") as client:
        answer = client.get("/")
        assert answer.status_code == 503
        assert "make web" in answer.text
        assert client.get("/api/health").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2", ""])
def test_foreign_host_names_are_refused(client: TestClient, host: str):
    refusal(client.get("/api/health", headers={"host": host}), 400, "wrong_host")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:9", "LOCALHOST"])
def test_local_host_names_are_accepted(client: TestClient, host: str):
    assert client.get("/api/health", headers={"host": host}).status_code == 200


def test_foreign_origins_cannot_change_anything(client: TestClient):
    for origin in ("http://evil.example", "null", "http://localhost:9"):
        refusal(client.post("/api/pairs", headers={"origin": origin}), 403, "wrong_origin")
    answer = client.get("/api/health", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert client.delete("/api/searches/x", headers={"origin": "http://localhost"}).status_code == 404


def test_with_a_token_only_health_is_open(served_index: Path, tmp_path: Path):
    (tmp_path / "index.html").write_text("page", encoding="utf-8")
    with served(served_index, tmp_path, token=SECRET, hosts=()) as client:
        assert client.get("/api/health").status_code == 200
        for path in ("/", "/metrics", "/openapi.json", "/api/recordings", "/index.html"):
            refusal(client.get(path), 401, "no_token")
        refusal(client.post("/api/searches", files={"file": ("a.wav", TONE)}), 401, "no_token")
        for wrong in ("Bearer wrong", f"Basic {SECRET}", "Bearer", "Bearer é"):
            refusal(client.get("/api/recordings", headers={"authorization": wrong.encode()}), 401, "no_token")
        right = {"authorization": f"Bearer {SECRET}"}
        assert client.get("/api/recordings", headers=right).status_code == 200


def test_the_page_url_with_the_token_sets_a_cookie(served_index: Path, tmp_path: Path):
    (tmp_path / "index.html").write_text("page", encoding="utf-8")
    with served(served_index, tmp_path, token=SECRET, hosts=()) as client:
        refusal(client.get("/", params={"token": "wrong"}), 401, "no_token")
        answer = client.get("/", params={"token": SECRET}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/").text == "page"
        assert client.get("/api/recordings").status_code == 200
    with served(served_index, tmp_path, token=SECRET, hosts=()) as client:
        for others in ('theme={"a": 1}', "plain", "café=ü", "a b=c; d"):
            headers = {"cookie": f"{others}; {COOKIE}={SECRET}".encode()}
            assert client.get("/api/recordings", headers=headers).status_code == 200, others


def test_other_computers_need_a_token(tmp_path: Path):
    assert is_loopback("127.0.0.1")
    with pytest.raises(AntiphonError, match="--token"):
        settings_for(tmp_path, "0.0.0.0", None)
    for token in ("", "two words", "é", "a;b"):
        with pytest.raises(AntiphonError, match="--token"):
            settings_for(tmp_path, "0.0.0.0", token)
    assert settings_for(tmp_path, "0.0.0.0", SECRET).hosts == ()
    assert "localhost" in settings_for(tmp_path, "127.0.0.1", None).hosts
