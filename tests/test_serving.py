"""The API from the client's side: library, clips, searches, exports of matches."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from antiphon.corpora import Corpus, Recording
from antiphon.index.search import SearchOptions as IndexOptions
from antiphon.index.search import search as search_index
from antiphon.index.store import Store
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.models.loading import load_model
from antiphon.serving import searches
from antiphon.serving.aligned_midi import aligned_midi
from antiphon.serving.app import openapi_document
from antiphon.serving.errors import ServingError
from antiphon.serving.library_map import draw_map
from antiphon.serving.models import Hit, Search, SearchOptions
from antiphon.serving.search_requests import SearchRequest
from antiphon.serving.snapshot import names_within, open_snapshot
from serving import as_wav, events_of, finished, read_wav, recordings, refusal, search, served, service_of, start_search
from waiting import LIMIT_S


@pytest.fixture(scope="module")
def client(served_index: Path) -> Iterator[TestClient]:
    with served(served_index) as client:
        yield client


@pytest.fixture(scope="module")
def sound(short_demo: Corpus) -> Path:
    path = short_demo.recordings[7].audio_path
    assert path is not None
    return path


@pytest.fixture(scope="module")
def done(client: TestClient, sound: Path) -> dict:
    return search(client, sound.read_bytes(), "take1.flac", start_s="4", length_s="10", top="5")


def test_health(client: TestClient):
    facts = client.get("/api/health").json()
    assert (facts["status"], facts["model"], facts["uploads"]) == ("ok", "template", True)
    assert facts["index"] == {"audio": 3, "notes": 3}
    assert facts["hours"] == pytest.approx(sum(one["duration_s"] for one in all_of(client)) / 3600, abs=1e-3)
    assert facts["limits"] == {"upload_bytes": 64 << 20, "query_s": 600.0, "clip_s": 60.0}


def all_of(client: TestClient) -> list[dict]:
    return recordings(client, "audio") + recordings(client, "notes")


def test_recordings_are_paged_in_one_order(client: TestClient):
    whole = client.get("/api/recordings").json()
    assert whole["total"] == 6
    pages = [client.get("/api/recordings", params={"offset": at, "limit": 4}).json()["items"] for at in (0, 4)]
    assert [len(page) for page in pages] == [4, 2]
    assert pages[0] + pages[1] == whole["items"]
    assert client.get("/api/recordings", params={"offset": 6}).json() == {"total": 6, "items": []}


def test_recordings_have_relative_paths_and_metadata(client: TestClient, short_demo: Corpus):
    known = {one.notes_path.name: one for one in short_demo.recordings}
    for one in recordings(client, "notes"):
        expected = known[one["file"]]
        assert (one["composer"], one["title"], one["work"]) == (expected.composer, expected.title, expected.work)
        assert one["duration_s"] == pytest.approx(expected.duration_s, abs=1.0)
        assert client.get(f"/api/recordings/{one['id']}").json() == one


def test_recordings_are_filtered_by_words_kind_and_composer(client: TestClient):
    one = recordings(client, "notes")[1]
    word = one["title"].split()[0].upper()
    found = client.get("/api/recordings", params={"text": word, "kind": "notes"}).json()["items"]
    assert one in found
    assert all(word.lower() in f"{it['file']} {it['title']} {it['composer']}".lower() for it in found)
    of_composer = client.get("/api/recordings", params={"composer": one["composer"][:5].lower()}).json()["items"]
    assert {it["composer"] for it in of_composer} == {one["composer"]}
    assert client.get("/api/recordings", params={"text": "nothing has this"}).json()["total"] == 0


def test_composers_are_counted(client: TestClient):
    counted = client.get("/api/composers").json()
    assert sum(one["recordings"] for one in counted) == 6
    assert [one["composer"] for one in counted] == sorted({one["composer"] for one in all_of(client)})


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/music/a/x.mid", "/music/b/y.mid"], ["a/x.mid", "b/y.mid"]),
        (["/music/x.mid"], ["x.mid"]),
        (["/x.mid", "/music/y.mid"], ["x.mid", "music/y.mid"]),
        ([], []),
    ],
)
def test_names_are_relative_to_the_common_folder(paths: list[str], names: list[str]):
    assert list(names_within([PurePosixPath(path) for path in paths]).values()) == names


def test_names_have_slashes_and_are_absolute_across_drives():
    within = [PureWindowsPath(path) for path in (r"C:\music\a\x.mid", r"C:\music\y.mid")]
    assert list(names_within(within).values()) == ["a/x.mid", "y.mid"]
    across = [*within, PureWindowsPath(r"D:\z.mid")]
    assert list(names_within(across).values()) == ["C:/music/a/x.mid", "C:/music/y.mid", "D:/z.mid"]


def test_the_map_has_a_point_per_recording_and_pairs_are_close(client: TestClient):
    drawn = client.get("/api/map").json()
    assert {point["id"] for point in drawn["points"]} == {one["id"] for one in all_of(client)}
    place = {point["id"]: np.array([point["x"], point["y"]]) for point in drawn["points"]}
    by_name = {one["file"]: place[one["id"]] for one in all_of(client)}
    names = [name.removesuffix(".mid") for name in by_name if name.endswith(".mid")]
    for name in names:
        own = np.linalg.norm(by_name[name + ".mid"] - by_name[name + ".flac"])
        assert all(
            own < np.linalg.norm(by_name[name + ".mid"] - by_name[other + ".flac"]) for other in {*names} - {name}
        )
    composers = {one["id"]: one["composer"] for one in all_of(client)}
    named = [drawn["composers"][number] for number in drawn["of"]]
    assert named == [composers[point["id"]] for point in drawn["points"]]


def test_the_map_omits_unlisted_recordings_and_centres_a_single_one(served_index: Path):
    snapshot = open_snapshot(served_index, load_model("template"))
    library = snapshot.libraries["notes"]
    for listed in (1, 3):
        paths = library.paths[:listed]
        known = tuple(one for one in snapshot.recordings if str(snapshot.paths[one.id]) in paths)
        drawn = draw_map(replace(snapshot, recordings=known, libraries={"notes": library}))
        assert [point.id for point in drawn.points] == [one.id for one in known]
        if listed == 1:
            assert (drawn.points[0].x, drawn.points[0].y) == (0.5, 0.5)


def test_a_clip_of_audio_equals_the_range_of_the_file(client: TestClient, short_demo: Corpus):
    one = recordings(client, "audio")[0]
    answer = client.get(f"/api/recordings/{one['id']}/sound", params={"start_s": 3.5, "length_s": 2})
    assert answer.headers["content-type"] == "audio/wav"
    samples, rate = read_wav(answer.content)
    assert len(samples) == 2 * rate
    path = next(it.audio_path for it in short_demo.recordings if it.audio_path and it.audio_path.name == one["file"])
    np.testing.assert_allclose(samples, read_samples(path, rate, 3.5, 2.0), atol=2**-15)


def test_a_clip_ends_with_its_file(client: TestClient):
    one = recordings(client, "audio")[0]
    clip = client.get(f"/api/recordings/{one['id']}/sound", params={"start_s": one["duration_s"] - 1, "length_s": 9})
    samples, rate = read_wav(clip.content)
    assert len(samples) / rate == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("tempo", [1.0, 1.25])
def test_rendered_notes_start_at_their_onsets(client: TestClient, tempo: float):
    one = recordings(client, "notes")[0]
    range_ = {"start_s": 2.0, "length_s": 5.0}
    notes = client.get(f"/api/recordings/{one['id']}/notes", params=range_).json()["notes"]
    clip = client.get(f"/api/recordings/{one['id']}/sound", params=range_ | {"tempo": tempo})
    samples, rate = read_wav(clip.content)
    assert len(samples) == round(5.0 / tempo * rate)
    onset = next(start for start, *_ in notes if start > 2.3 and not any(start - 0.3 < at < start for at, *_ in notes))
    at = round((onset - 2.0) / tempo * rate)
    before, after = samples[at - rate // 25 : at - rate // 100], samples[at + rate // 100 : at + rate // 25]
    assert np.abs(after).mean() > 1.3 * np.abs(before).mean()


def test_notes_of_a_range(client: TestClient, short_demo: Corpus):
    one = recordings(client, "notes")[0]
    found = client.get(f"/api/recordings/{one['id']}/notes", params={"start_s": 5, "length_s": 3}).json()
    path = next(it.notes_path for it in short_demo.recordings if it.notes_path.name == one["file"])
    expected = read_notes(path, sustain=True).window(5.0, 3.0)
    assert (found["start_s"], found["length_s"]) == (5.0, 3.0)
    assert len(found["notes"]) == len(expected) > 0
    np.testing.assert_allclose([note[0] for note in found["notes"]], expected.onset_s + 5.0, atol=1e-4)
    assert [note[2] for note in found["notes"]] == expected.pitch.tolist()


def test_a_search_by_upload_equals_the_search_of_the_package(
    client: TestClient, done: dict, sound: Path, served_index: Path
):
    with Store(served_index) as store:
        expected = search_index(sound, store, load_model("template"), 4.0, 10.0, IndexOptions(top=5))
    assert len(expected) == len(done["hits"]) > 0
    for hit, other in zip(done["hits"], expected, strict=True):
        assert hit["recording"]["file"] == os.path.basename(other.file)
        for name in ("start_s", "end_s", "query_start_s", "query_end_s", "tempo", "semitones", "score", "confidence"):
            assert hit[name] == pytest.approx(getattr(other, name), abs=1e-3), name
    assert done["hits"][0]["recording"]["file"] == sound.with_suffix(".mid").name
    assert done["hits"][0]["start_s"] == pytest.approx(4.0, abs=0.1)
    assert (done["hits"][0]["likely"], done["hits"][0]["words"]) == (True, "almost certainly")


def test_a_search_describes_its_query(done: dict, sound: Path):
    assert done["query"]["name"] == "take1.flac"
    assert (done["query"]["kind"], done["against"], done["query"]["start_s"]) == ("audio", "notes", 4.0)
    assert done["query"]["length_s"] == pytest.approx(10.0, abs=0.01)
    assert (done["stage"], done["provisional"], done["error"], done["ahead"]) == ("whole", False, None, 0)
    assert done["seconds"] > 0


def test_a_search_with_a_recording_of_the_library(client: TestClient):
    one = recordings(client, "notes")[2]
    response = client.post("/api/searches", json={"recording": one["id"], "start_s": 6, "length_s": 9, "top": 1})
    assert response.status_code == 202
    found = finished(client, f"/api/searches/{response.json()['id']}")
    assert found["query"]["recording"] == one["id"]
    [hit] = found["hits"]
    assert hit["recording"]["kind"] == "audio"
    assert hit["recording"]["file"].removesuffix(".flac") == one["file"].removesuffix(".mid")
    assert hit["start_s"] == pytest.approx(6.0, abs=0.1)


def test_options_against_composer_and_top(client: TestClient, sound: Path):
    other = next(one for one in recordings(client, "audio") if one["file"] != sound.name)
    options = {"length_s": "8", "against": "audio", "composer": other["composer"], "top": "2"}
    found = search(client, sound.read_bytes(), "x.flac", **options)
    assert found["against"] == "audio"
    assert 1 <= len(found["hits"]) <= 2
    assert {(hit["recording"]["kind"], hit["recording"]["composer"]) for hit in found["hits"]} == {
        ("audio", other["composer"])
    }


def test_a_long_query_has_provisional_matches_first(client: TestClient, sound: Path, monkeypatch: pytest.MonkeyPatch):
    """The search with the whole query is held until the stream has sent the matches of the beginning."""
    service, streamed = service_of(client).searches, threading.Event()
    get, answer = service.get, searches.answer

    def seen_by_stream(id_: str) -> Search:
        found = get(id_)
        if found.hits:
            streamed.set()
        return found

    def held(search_request: SearchRequest, stage: str, *others: Any) -> Any:
        assert stage == "beginning" or streamed.wait(LIMIT_S)
        return answer(search_request, stage, *others)

    monkeypatch.setattr(service, "get", seen_by_stream)
    monkeypatch.setattr(searches, "answer", held)
    id_ = start_search(client, sound.read_bytes(), "long.flac")["id"]
    answer = client.get(f"/api/searches/{id_}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    seen = events_of(answer.text)
    assert seen[-1]["status"] == "done"
    first = next(one for one in seen if one["hits"])
    assert (first["provisional"], first["status"]) == (True, "running")
    assert first["hits"][0]["query_end_s"] <= 20.1
    last = seen[-1]["hits"][0]
    assert seen[-1]["provisional"] is False
    assert last["recording"] == first["hits"][0]["recording"]
    assert last["query_end_s"] - last["query_start_s"] > 22


def test_the_events_of_a_finished_search_are_its_final_state(client: TestClient, done: dict):
    assert events_of(client.get(f"/api/searches/{done['id']}/events").text) == [done]


def test_hits_as_csv_and_json(client: TestClient, done: dict):
    table = client.get(f"/api/searches/{done['id']}/hits.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert 'filename="hits.csv"' in table.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["file"] for row in rows] == [hit["recording"]["file"] for hit in done["hits"]]
    assert [float(row["start_s"]) for row in rows] == [hit["start_s"] for hit in done["hits"]]
    assert client.get(f"/api/searches/{done['id']}/hits.json").json() == done["hits"]


def test_clips_and_notes_of_the_query(client: TestClient, done: dict, sound: Path):
    clip = client.get(f"/api/searches/{done['id']}/sound", params={"start_s": 2, "length_s": 1})
    samples, rate = read_wav(clip.content)
    np.testing.assert_allclose(samples, read_samples(sound, rate, 2.0, 1.0), atol=2**-15)
    refusal(client.get(f"/api/searches/{done['id']}/notes"), 409, "no_notes")
    of_notes = search(client, sound.with_suffix(".mid").read_bytes(), "x.mid", length_s="8")
    notes = client.get(f"/api/searches/{of_notes['id']}/notes", params={"length_s": 5}).json()["notes"]
    assert len(notes) == len(read_notes(sound.with_suffix(".mid")).window(0, 5))
    assert len(read_wav(client.get(f"/api/searches/{of_notes['id']}/sound", params={"length_s": 5}).content)[0])


def midi_from(content: bytes, folder: Path) -> Notes:
    path = folder / "aligned.mid"
    path.write_bytes(content)
    return read_notes(path)


def test_notes_of_a_match_are_aligned_with_the_recording(client: TestClient, short_demo: Corpus, tmp_path: Path):
    """The notes start 5 s later in the recording, at a slower tempo."""
    one = short_demo.recordings[0]
    notes = read_notes(one.notes_path, sustain=True).window(0.0, 25.0)
    slower = Notes(notes.onset_s * 1.1 + 5.0, notes.duration_s * 1.1, notes.pitch, notes.velocity)
    rendered = service_of(client).clips._renderer().render(slower, 32.0)
    found = search(client, as_wav(rendered, 44_100), "slow.wav", start_s="5")
    hit = found["hits"][0]
    assert hit["recording"]["file"] == one.notes_path.name
    answer = client.get(f"/api/searches/{found['id']}/hits/0/aligned.mid")
    assert answer.headers["content-type"] == "audio/midi"
    aligned = midi_from(answer.content, tmp_path)
    inside = slower.within(hit["query_start_s"] + 0.5, hit["query_end_s"] - 0.5)
    assert len(inside) > 20
    for onset_s, pitch in zip(inside.onset_s, inside.pitch, strict=True):
        assert np.abs(aligned.onset_s[aligned.pitch == pitch] - onset_s).min() < 0.06


def test_notes_of_the_query_are_aligned_with_the_match(client: TestClient, short_demo: Corpus, tmp_path: Path):
    """The query's notes start 4 s later than the library's recording of them."""
    notes = read_notes(short_demo.recordings[0].notes_path, sustain=True).window(0.0, 30.0)
    write_midi(Notes(notes.onset_s + 4.0, notes.duration_s, notes.pitch, notes.velocity), tmp_path / "q.mid")
    found = search(client, (tmp_path / "q.mid").read_bytes(), "q.mid", start_s="4", length_s="15")
    hit = found["hits"][0]
    assert hit["recording"]["file"] == short_demo.recordings[0].id + ".flac"
    aligned = midi_from(client.get(f"/api/searches/{found['id']}/hits/0/aligned.mid").content, tmp_path)
    inside = notes.within(hit["start_s"] + 0.5, hit["end_s"] - 0.5)
    assert len(inside) > 20
    for onset_s, pitch in zip(inside.onset_s, inside.pitch, strict=True):
        assert np.abs(aligned.onset_s[aligned.pitch == pitch] - onset_s).min() < 0.06


@pytest.mark.parametrize("query_kind", ["audio", "notes"])
def test_aligned_notes_have_the_key_of_the_side_whose_times_they_have(
    client: TestClient, short_demo: Corpus, tmp_path: Path, query_kind: str
):
    """The query is 3 semitones higher than the library and starts 2 s later."""
    service, one = service_of(client), short_demo.recordings[0]
    notes = read_notes(one.notes_path, sustain=True)
    higher = Notes(notes.onset_s + 2.0, notes.duration_s, notes.pitch + np.uint8(3), notes.velocity)
    path = tmp_path / ("query.wav" if query_kind == "audio" else "query.mid")
    if query_kind == "audio":
        path.write_bytes(as_wav(service.clips._renderer().render(higher, 22.0), 44_100))
        recording = next(it for it in recordings(client, "notes") if it["file"] == one.notes_path.name)
    else:
        write_midi(higher, path)
        recording = next(it for it in recordings(client, "audio") if it["file"] == one.id + ".flac")
    against = recording["kind"]
    search_request = SearchRequest("q", path, query_kind, 22.0, 0.0, 22.0, path, 0.0, against, SearchOptions())
    places = {"start_s": 0.0, "end_s": 18.0, "query_start_s": 2.0, "query_end_s": 20.0, "tempo": 1.0, "semitones": 3}
    hit = Hit(file=recording["file"], recording=recording, score=0.5, confidence=0.9, **places)
    library_path = service.snapshot.recording(recording["id"])[1]
    content = aligned_midi(search_request, hit, library_path, service.decoders, service.temporary)
    aligned = midi_from(content, tmp_path)
    expected = higher.within(3.0, 19.0) if query_kind == "audio" else notes.within(1.0, 17.0)
    assert len(expected) > 20
    for onset_s, pitch in zip(expected.onset_s, expected.pitch, strict=True):
        assert np.abs(aligned.onset_s[aligned.pitch == pitch] - onset_s).min() < 0.06


def notes_with_notes(client: TestClient, query: Path, one: Recording, start_s: float) -> bytes:
    """The aligned MIDI of 15 s of a query of notes and the note file of a recording, both from `start_s` on."""
    service = service_of(client)
    recording = next(it for it in recordings(client, "notes") if it["file"] == one.notes_path.name)
    request = SearchRequest("q", query, "notes", 30.0, 0.0, 30.0, query, 0.0, "notes", SearchOptions())
    ends = {"start_s": start_s, "end_s": start_s + 15.0}
    places = ends | {f"query_{name}": value for name, value in ends.items()} | {"tempo": 1.0, "semitones": 0}
    hit = Hit(file=recording["file"], recording=recording, score=0.5, confidence=0.9, **places)
    library_path = service.snapshot.recording(recording["id"])[1]
    return aligned_midi(request, hit, library_path, service.decoders, service.temporary)


def test_notes_are_aligned_with_notes(client: TestClient, short_demo: Corpus, tmp_path: Path):
    """The query plays the notes of the library 40 ms later; none within the match is lost."""
    notes = read_notes(short_demo.recordings[0].notes_path, sustain=True)
    write_midi(Notes(notes.onset_s + 0.04, notes.duration_s, notes.pitch, notes.velocity), tmp_path / "q.mid")
    content = notes_with_notes(client, tmp_path / "q.mid", short_demo.recordings[0], 2.0)
    aligned, inside = midi_from(content, tmp_path), notes.within(2.0, 17.0)
    assert len(inside) > 20
    for onset_s, pitch in zip(inside.onset_s, inside.pitch, strict=True):
        assert np.abs(aligned.onset_s[aligned.pitch == pitch] - onset_s - 0.04).min() < 0.01
    assert len(aligned) <= len(notes.within(1.9, 17.1))


def test_notes_that_are_not_found_give_no_midi(client: TestClient, short_demo: Corpus, tmp_path: Path):
    """The query has no key of a piano."""
    at_s = np.arange(60) / 2
    write_midi(Notes.of(at_s, np.full(60, 0.4), 110 + np.arange(60) % 12, np.full(60, 80)), tmp_path / "q.mid")
    with pytest.raises(ServingError) as caught:
        notes_with_notes(client, tmp_path / "q.mid", short_demo.recordings[0], 2.0)
    assert (caught.value.status, caught.value.code) == (409, "no_path")


def test_two_audio_files_have_no_notes_to_align(client: TestClient, sound: Path):
    found = search(client, sound.read_bytes(), "x.flac", length_s="8", against="audio")
    refusal(client.get(f"/api/searches/{found['id']}/hits/0/aligned.mid"), 409, "no_notes")


def test_deleting_a_search_deletes_its_upload(client: TestClient, sound: Path):
    id_ = search(client, sound.read_bytes(), "x.flac", length_s="8")["id"]
    held = service_of(client).searches.search_request(id_).path
    assert held.exists()
    assert client.delete(f"/api/searches/{id_}").status_code == 204
    assert not held.exists()
    for path in ("", "/events", "/sound", "/notes", "/hits.csv", "/hits.json", "/hits/0/aligned.mid"):
        refusal(client.get(f"/api/searches/{id_}{path}"), 404, "gone")
    refusal(client.delete(f"/api/searches/{id_}"), 404, "gone")


def test_metrics_count_requests_and_searches(client: TestClient, done: dict):
    text = client.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['antiphon_searches_total{outcome="done"}']) >= 1
    assert float(values["antiphon_search_seconds_count"]) >= 1
    assert float(values["antiphon_queue_length"]) == 0
    key = 'antiphon_requests_total{method="POST",route="/api/searches",status="202"}'
    assert float(values[key]) >= 1


def test_the_committed_openapi_document_is_up_to_date():
    committed = json.loads((Path(__file__).parents[1] / "web" / "openapi.json").read_text(encoding="utf-8"))
    assert committed == openapi_document(), "web/openapi.json is out of date; run make api"


def test_openapi_describes_every_route_and_its_errors(client: TestClient):
    described = json.loads(client.get("/openapi.json").text)
    paths = described["paths"]
    assert set(paths["/api/searches/{id}/hits/{n}/aligned.mid"]["get"]["responses"]) >= {"200", "404", "409", "503"}
    assert set(paths["/api/searches"]["post"]["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
    for path, methods in paths.items():
        for method, facts in methods.items():
            assert facts["summary"], (path, method)
            refusals = {status for status in facts["responses"] if status >= "400"}
            assert {"400", "401", "422"} <= refusals, (path, method)
            for status in refusals:
                content = facts["responses"][status]["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (path, status)
