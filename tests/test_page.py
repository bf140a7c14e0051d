"""The page in a real browser with a real server: search, display, playback, downloads, and error handling."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from filelock import FileLock

import page_browser
import waiting
from antiphon.corpora import Corpus, Recording
from antiphon.io.note_files import read_notes
from antiphon.serving.page import BUNDLE
from page_browser import (
    CHROMIUM,
    CONTRASTS,
    HOSTILE,
    MEASURE_LOUDNESS,
    QUERY_FROM_S,
    QUERY_S,
    Server,
    cut,
    join,
    make_library,
    serving,
    watch,
)
from waiting import LIMIT_S

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(page_browser.missing()), reason=page_browser.missing())]

LIMIT_MS = 1000 * LIMIT_S
QUERY = 'input[aria-label="Query file"]'
CARD = ".card"


@pytest.fixture(scope="session")
def library(demo: Corpus, cache: Path) -> Path:
    """One index, shared by all test workers."""
    place = cache.parent / "page"
    place.mkdir(exist_ok=True)
    with FileLock(place / "lock"):
        if not (place / "library" / "index").is_dir():
            make_library(demo, place / "library")
    return place / "library" / "index"


@pytest.fixture(scope="module")
def server(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this worker, on a copy of the index, because a test adds files to it."""
    own = tmp_path_factory.mktemp("served") / "index"
    shutil.copytree(library, own)
    with serving(own) as one:
        yield one


@pytest.fixture(scope="module")
def take(demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of the first recording."""
    return cut(demo.recordings[0], tmp_path_factory.mktemp("query") / "take.wav")


@pytest.fixture(scope="module")
def browser(take: Path) -> Iterator[Any]:
    """Chromium with the take as microphone input."""
    from playwright.sync_api import sync_playwright

    arguments = [
        "--mute-audio",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={take}",
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=LIMIT_MS)
        yield chromium
        chromium.close()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, server: Server) -> Iterator[Open]:
    """A function that opens a page. At the end the page must be free of script errors and foreign requests."""
    opened: list[tuple[Any, list[str]]] = []

    def open_(path: str = "", url: str = "", width: int = 1280, theme: str = "light", **how: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme, **how)
        context.set_default_timeout(LIMIT_MS)
        page = context.new_page()
        page.add_init_script(MEASURE_LOUDNESS)
        opened.append((context, watch(page, url or server.url)))
        page.goto((url or server.url) + path)
        page.wait_for_selector("h1")
        return page

    yield open_
    for context, _ in opened:
        context.close()
    assert [wrong for _, wrongs in opened for wrong in wrongs] == []


def found(page: Any, query: Path) -> Any:
    """Search with a file and wait for its first match."""
    page.set_input_files(QUERY, str(query))
    loaded(page)
    return page


def loaded(page: Any) -> None:
    """Wait for the end of a search and for the display of its final match."""
    page.wait_for_selector(".status >> text=/ in [0-9.]+ s/")
    page.wait_for_selector(".stage .playhead")
    page.wait_for_selector(".lane.query")


def position(page: Any) -> float:
    return float(page.input_value(".position"))


def until(page: Any, condition: str) -> None:
    """Wait for a condition in JavaScript. Playwright's own wait needs eval, which the page forbids."""
    waiting.until(lambda: page.evaluate(condition), condition, lambda: page.wait_for_timeout(20))


def frames(page: Any, count: int) -> None:
    """Wait for a number of animation frames."""
    page.evaluate(
        """(count) => new Promise((resolve) => {
      const next = () => (count-- ? requestAnimationFrame(next) : resolve());
      next();
    })""",
        count,
    )


def first(demo: Corpus) -> Recording:
    return demo.recordings[0]


def test_a_dropped_recording_finds_its_notes(open_page: Open, demo: Corpus, take: Path) -> None:
    page = open_page()
    page.evaluate(
        """([base64, name]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
          const drop = (kind) => document.body.dispatchEvent(
            new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
          drop('dragenter'); drop('dragover'); drop('drop');
        }""",
        [base64.b64encode(take.read_bytes()).decode(), take.name],
    )
    loaded(page)
    assert page.inner_text(".match h2") == first(demo).title
    assert page.inner_text(".match .composer") == first(demo).composer
    assert page.inner_text(".match-name .path") == first(demo).notes_path.name
    assert re.search(r"almost certainly\s*> 99 %", page.inner_text(".match-head .confidence"))
    shown = page.inner_text(".facts >> text=in the match >> xpath=../dd")
    minutes, seconds = shown.split(" – ")[0].split(":")
    assert 60 * int(minutes) + float(seconds) == pytest.approx(QUERY_FROM_S, abs=0.5)
    assert page.locator(".lane.query .sound-picture").count() == 1
    assert page.locator(".lane.hit canvas[aria-label^='Piano roll']").count() == 1
    assert take.name in page.title()


def test_matches_arrive_by_events_without_polling(open_page: Open, take: Path) -> None:
    """One request sends the query and one streams the matches."""
    page = open_page()
    page.wait_for_selector(".library-line")
    root, requests = page.url, []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url.removeprefix(root)}"))
    page.set_input_files(QUERY, str(take))
    page.wait_for_selector(CARD)
    page.wait_for_selector(".status >> text=/ in [0-9.]+ s/")
    searches = [one for one in requests if re.search(r" api/searches(/[^/]+(/events)?)?$", one)]
    assert [re.sub(r"/[^/]+/events", "/ID/events", one) for one in searches] == [
        "POST api/searches",
        "GET api/searches/ID/events",
    ]


def test_each_side_plays_on_its_channel(open_page: Open, take: Path) -> None:
    page = found(open_page(), take)
    start = position(page)
    page.keyboard.press("Space")
    until(page, "loudness()[0] > 0.005 && loudness()[1] > 0.005")
    until(page, f"Number(document.querySelector('.position').value) > {start + 0.5}")
    page.keyboard.press("1")
    until(page, "(([left, right]) => left > 0.003 && Math.abs(left - right) < 0.05 * left)(loudness())")
    alone = page.evaluate("loudness()")[0]
    page.click(".segmented >> text=Notes")
    until(page, f"((now) => now > 0.003 && Math.abs(now - {alone}) > 1e-5)(loudness()[0])")  # a different sound
    page.keyboard.press("Space")
    page.wait_for_selector("button[aria-label=Play]")
    stopped, last = position(page), page.evaluate("loudness()")
    frames(page, 30)
    assert position(page) == stopped
    assert page.evaluate("loudness()") in ([0, 0], last)  # an analyser without input may keep its last values


def test_the_match_loops(open_page: Open, take: Path) -> None:
    page = found(open_page(), take)
    page.keyboard.press("l")
    assert page.get_attribute("button[aria-label='Loop the match']", "aria-pressed") == "true"
    begin = position(page)
    page.evaluate(f"""() => {{
      const slider = document.querySelector('.position');
      slider.value = String({begin + QUERY_S - 1.0});
      slider.dispatchEvent(new Event('input', {{ bubbles: true }}));
    }}""")
    page.keyboard.press("Space")
    until(page, f"Number(document.querySelector('.position').value) < {begin + 5}")
    assert position(page) >= begin - 0.05


def test_keyboard_shortcuts(open_page: Open, take: Path) -> None:
    page = found(open_page(), take)
    count = page.locator(CARD).count()
    assert count > 1
    page.keyboard.press("j")
    assert page.get_attribute(f"{CARD} >> nth=1", "aria-current") == "true"
    page.keyboard.press("k")
    assert page.get_attribute(f"{CARD} >> nth=0", "aria-current") == "true"
    page.wait_for_selector(".stage .playhead")
    width = "document.querySelector('.stage-inner').offsetWidth / document.querySelector('.stage').clientWidth"
    assert page.evaluate(width) == pytest.approx(1.0)
    page.keyboard.press("+")
    page.keyboard.press("+")
    until(page, f"{width} > 2")
    page.keyboard.press("0")
    until(page, f"{width} === 1")
    before = position(page)
    page.keyboard.press("ArrowRight")
    assert position(page) == pytest.approx(before + 2, abs=0.02)
    page.keyboard.press("s")
    page.wait_for_selector("text=Spectrogram")
    page.keyboard.press("t")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] >> text=loop the match")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("/")
    page.wait_for_selector(".files li")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("no such file")
    page.wait_for_selector("text=No matching files")
    page.keyboard.press("Escape")
    page.keyboard.press("q")
    page.wait_for_selector(f".found {CARD}")


def test_downloads(open_page: Open, demo: Corpus, take: Path, tmp_path: Path) -> None:
    page = found(open_page(), take)

    def fetched(act: Callable[[], None]) -> Path:
        with page.expect_download() as download:
            act()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    moved = read_notes(fetched(lambda: page.keyboard.press("d")))
    truth = read_notes(first(demo).notes_path)
    inside = truth.onset_s[(truth.onset_s >= QUERY_FROM_S + 1) & (truth.onset_s < QUERY_FROM_S + QUERY_S - 1)]
    nearest = np.abs(moved.onset_s[None, :] - (inside - QUERY_FROM_S)[:, None]).min(axis=1)
    assert np.median(nearest) < 0.05
    table = fetched(lambda: page.click("text=all matches, CSV")).read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    assert rows[0]["file"] == first(demo).notes_path.name
    hits = json.loads(fetched(lambda: page.click("text=all matches, JSON")).read_text(encoding="utf-8"))
    assert len(hits if isinstance(hits, list) else hits["hits"]) == len(rows) == page.locator(CARD).count()


def test_notes_find_their_recording(open_page: Open, demo: Corpus) -> None:
    page = found(open_page(), first(demo).notes_path)
    assert page.locator(".lane.query canvas[aria-label^='Piano roll']").count() == 1
    assert page.locator(".lane.hit .sound-picture").count() == 1
    assert page.inner_text(".match-name .path") == first(demo).audio_path.name  # type: ignore[union-attr]
    page.keyboard.press("Space")
    until(page, "loudness()[0] > 0.003 && loudness()[1] > 0.003")


def test_a_query_can_search_its_own_modality(open_page: Open, demo: Corpus, take: Path) -> None:
    page = found(open_page(), take)
    page.click("summary")
    page.select_option(".options select >> nth=0", "audio")
    page.click("text=Search again")
    page.wait_for_selector(".lane.hit .sound-picture")
    assert page.inner_text(".match-name .path") == first(demo).audio_path.name  # type: ignore[union-attr]
    assert page.locator(".segmented button").all_inner_texts() == ["Query", "Both", "Match"]


def test_a_microphone_recording_is_a_query(open_page: Open, demo: Corpus) -> None:
    page = open_page(permissions=["microphone"])
    page.keyboard.press("r")
    page.wait_for_selector(".recording-time")
    until(page, "document.querySelector('.recording-time .number').textContent >= '0:05'")
    page.keyboard.press("r")
    page.wait_for_selector(CARD)
    assert page.inner_text(".query-line h1").startswith("take ")
    page.wait_for_selector(".match h2, .nothing h2")
    assert page.inner_text(f"{CARD} >> nth=0 >> .title") == first(demo).title


def test_noise_finds_nothing_likely(open_page: Open, tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal(12 * 24_000)
    soundfile.write(tmp_path / "noise.wav", noise, 24_000)
    page = open_page()
    page.set_input_files(QUERY, str(tmp_path / "noise.wav"))
    page.wait_for_selector(".nothing >> text=found")
    assert page.locator(f"{CARD}.doubtful").count() == page.locator(CARD).count()
    if page.locator(CARD).count():
        page.click(f"{CARD} >> nth=0")
        page.wait_for_selector("text=More likely wrong than right")


@pytest.mark.parametrize("name", ["words.wav", "words.mid", "words.txt", "empty.wav", f"{HOSTILE}.wav"])
def test_an_unreadable_file_is_refused_with_a_message(open_page: Open, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if "empty" in name else b"these are words" * 40)
    page = open_page()
    page.set_input_files(QUERY, str(tmp_path / name))
    page.wait_for_selector(".nothing[role=alert]")
    assert len(page.inner_text(".nothing p")) > 15
    assert page.inner_text(".query-line h1") == name
    page.click("text=Another query")
    page.wait_for_selector(".home")


def test_a_file_above_the_limit_is_not_uploaded(open_page: Open, tmp_path: Path) -> None:
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate(3_000_000_000)
    page = open_page()
    page.wait_for_selector(".library-line")
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    page.set_input_files(QUERY, str(tmp_path / "huge.wav"))
    page.wait_for_selector("text=huge.wav has 3.0 GB; the server accepts")
    assert "POST" not in methods


def test_a_server_that_stops_during_a_search(open_page: Open, demo: Corpus, library: Path, tmp_path: Path) -> None:
    long = join(list(demo.recordings[:12]), tmp_path / "long.wav")
    short = cut(first(demo), tmp_path / "short.wav")
    with serving(library) as server:
        page = open_page(url=server.url)
        page.wait_for_selector(".library-line")
        page.set_input_files(QUERY, str(long))
        page.wait_for_selector("text=/searching/i")
        server.kill()
        page.wait_for_selector("text=Trying again")
        page.wait_for_selector(":is(.broken-off, .nothing) >> text=Is antiphon serve still running?")
        page.set_input_files(QUERY, str(short))
        page.wait_for_selector(".nothing >> text=The upload failed")
        with serving(library, port=server.port):
            page.click(".nothing >> text=Try again")
            page.wait_for_selector(".stage .playhead")


def test_the_library_lists_plays_and_filters_files(open_page: Open, demo: Corpus) -> None:
    page = open_page("#/library")
    page.wait_for_selector(".files li")
    counts = page.evaluate("fetch('/api/health').then((answer) => answer.json())")["index"]
    assert page.inner_text(".total") == f"{counts['audio'] + counts['notes']} files"
    page.fill(".find input", "onerror")
    page.wait_for_selector("text=1 file")
    assert page.inner_text(".files .title") == HOSTILE
    page.click(f"button[aria-label='Play {HOSTILE}']")
    until(page, "document.querySelector('.preview audio').currentTime > 0.3")
    assert page.inner_text(".preview b") == HOSTILE
    page.fill(".find input", "")
    page.select_option("select[aria-label=Kind]", "notes")
    page.wait_for_selector(f".total:has-text('{counts['notes']} files')")
    assert {path.rsplit(".", 1)[1] for path in page.locator(".files .by").all_inner_texts()} == {"mid"}
    page.click(".tabs >> text=Not read")
    page.wait_for_selector(".failures >> text=damaged.flac")
    assert len(page.inner_text(".failures span")) > 10


def test_a_library_file_is_a_query(open_page: Open, demo: Corpus) -> None:
    page = open_page("#/library")
    page.click(f"li:has-text({json.dumps(first(demo).audio_path.name)}) .use")  # type: ignore[union-attr]
    page.wait_for_selector(".stage .playhead")
    assert page.inner_text(".match h2") == first(demo).title
    page.reload()
    page.wait_for_selector(".stage .playhead")
    assert page.inner_text(".match h2") == first(demo).title


def test_a_point_of_the_map_plays(open_page: Open) -> None:
    page = open_page("#/library/map")
    page.wait_for_selector(".map-box canvas")
    page.focus(".map-box")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".map-label b")
    name = page.inner_text(".map-label b")
    box, label = page.locator(".map-box").bounding_box(), page.locator(".map-label").bounding_box()
    assert box["x"] <= label["x"] <= box["x"] + box["width"]
    page.keyboard.press("Enter")
    page.wait_for_selector(f".preview b:has-text({json.dumps(name)})")
    until(page, "document.querySelector('.preview audio').currentTime > 0.2")
    assert page.locator(".legend button").count() >= 2


def test_pairs_and_more_files(open_page: Open, demo: Corpus, tmp_path: Path) -> None:
    page = open_page("#/library/pairs")
    page.click("text=Find pairs")
    page.wait_for_selector(".pairs li")
    for pair in page.locator(".pairs li:not(.doubtful)").all():
        sound, notes = pair.locator(".by").all_inner_texts()
        assert sound.split(" · ")[0].removesuffix(".flac") == notes.split(" · ")[0].removesuffix(".mid")
    new = demo.recordings[3].notes_path
    (tmp_path / "broken.mid").write_bytes(b"MThd and no more")
    page.set_input_files('input[aria-label="Files to add"]', [str(new), str(tmp_path / "broken.mid")])
    page.wait_for_selector("text=/1 file added; broken.mid: /")
    page.click(".tabs >> text=Files")
    page.fill(".find input", new.stem)
    page.wait_for_selector("text=1 file")


def test_an_empty_library_shows_a_hint(open_page: Open) -> None:
    page = open_page("#/library")

    def emptied(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "index": {"audio": 0, "notes": 0}, "hours": 0})

    page.route("**/api/health", emptied)
    page.goto(page.url.split("#")[0])
    page.reload()
    page.wait_for_selector("text=The library is empty.")


VIEWS = ["", "#/library", "#/library/map", "#/library/pairs", "#/library/failed", "hit", "doubtful", "refused", "help"]


def _show(page: Any, view: str, take: Path, tmp_path: Path) -> None:
    page.wait_for_selector(".library-line, .library-head .lead")
    if view == "hit":
        found(page, take)
        page.click("summary")
    elif view == "doubtful":
        soundfile.write(tmp_path / "noise.wav", 0.1 * np.random.default_rng(5).standard_normal(240_000), 24_000)
        page.set_input_files(QUERY, str(tmp_path / "noise.wav"))
        page.wait_for_selector(".nothing >> text=found")
    elif view == "refused":
        (tmp_path / "no.wav").write_bytes(b"no sound" * 99)
        page.set_input_files(QUERY, str(tmp_path / "no.wav"))
        page.wait_for_selector(".nothing[role=alert]")
    elif view == "help":
        page.keyboard.press("?")
        page.wait_for_selector("dialog[open]")
    else:
        page.wait_for_selector(".spinner", state="detached")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accessible_and_fits_the_screen(open_page: Open, take: Path, tmp_path: Path, view: str) -> None:
    page = open_page(view if view.startswith("#") else "")
    _show(page, view, take, tmp_path)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.evaluate("new Promise(requestAnimationFrame)")  # the page is told of it with the next frame
        until(page, f"document.documentElement.dataset.theme === '{theme}'")
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 5
        assert [found for found in contrasts if found["ratio"] < found["least"]] == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, a, input, select')]
      .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)""")
    assert nameless == []


def test_the_bundle_is_small() -> None:
    files = [path for path in BUNDLE.rglob("*") if path.is_file()]
    assert files
    assert sum(path.stat().st_size for path in files) < 1_000_000
