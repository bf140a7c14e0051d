"""A server process and browser scripts for the tests of the page."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from antiphon.corpora import Corpus, Recording
from antiphon.index.build import build_index
from antiphon.serving.page import is_bundled
from helpers import write_sine
from waiting import LIMIT_S

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<img src=x onerror=alert(1)>"
QUERY_FROM_S, QUERY_S = 8.0, 20.0


def missing() -> str:
    """The missing requirement of the page's tests, or an empty string."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "Playwright is not installed (pip install playwright)"
    if CHROMIUM is None:
        return "Chromium is not installed (apt-get install chromium)"
    return "" if is_bundled() else "the page has not been built (make web)"


def cut(recording: Recording, path: Path, start_s: float = QUERY_FROM_S, length_s: float = QUERY_S) -> Path:
    """A passage of a recording as a WAV file."""
    assert recording.audio_path is not None
    samples, rate = soundfile.read(recording.audio_path, dtype="float32")
    soundfile.write(path, samples[round(start_s * rate) : round((start_s + length_s) * rate)], rate)
    return path


def join(recordings: list[Recording], path: Path) -> Path:
    """Concatenate several recordings."""
    pieces = [soundfile.read(one.audio_path, dtype="float32") for one in recordings]
    soundfile.write(path, np.concatenate([samples for samples, _ in pieces]), pieces[0][1])
    return path


def make_library(demo: Corpus, place: Path) -> Path:
    """An index of five pieces as audio and notes, a tone with HTML in its file name, and an unreadable file."""
    from antiphon.models.loading import load_model

    music = place / "music"
    music.mkdir(parents=True)
    with (place / "works.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "work", "composer", "title", "split"])
        for one in demo.recordings[::10]:
            for own in (one.notes_path, one.audio_path):
                assert own is not None
                shutil.copy(own, music)
                table.writerow([own.name, one.work, one.composer, one.title, one.split])
    write_sine(music / f"{HOSTILE}.wav", 12.0)
    (music / "damaged.flac").write_bytes(b"no sound at all" * 50)
    build_index([music], load_model("default"), "default", place / "index", works=place / "works.csv")
    return place / "index"


class Server:
    """`antiphon serve` in a separate process."""

    def __init__(self, index: Path, *options: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "antiphon", "serve", "--index", str(index), "--port", str(port), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+?:(\d+)/", line)
        assert found, line
        self.url, self.port = found.group(0), int(found.group(1))
        with urllib.request.urlopen(f"{self.url}api/health", timeout=LIMIT_S):
            pass  # the port accepts connections already; the response comes after the start

    def kill(self) -> None:
        """Kill the process without a shutdown."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(LIMIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def serving(index: Path, *options: str, port: int = 0) -> Iterator[Server]:
    server = Server(index, *options, port=port)
    try:
        yield server
    finally:
        server.stop()


MEASURE_LOUDNESS = """
(() => {
  // Measures the output: an analyser for each of the two channels, in parallel to the destination.
  const connect = AudioNode.prototype.connect;
  const taps = new Map();
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && this.context instanceof AudioContext) {
      if (!taps.has(this.context)) {
        const splitter = this.context.createChannelSplitter(2);
        const analysers = [0, 1].map((channel) => {
          const analyser = this.context.createAnalyser();
          analyser.fftSize = 16384;
          connect.call(splitter, analyser, channel);
          return analyser;
        });
        taps.set(this.context, { splitter, analysers });
      }
      connect.call(this, taps.get(this.context).splitter);
    }
    return connect.call(this, to, ...rest);
  };
  window.loudness = () => [0, 1].map((channel) => {
    let power = 0;
    for (const { analysers } of taps.values()) {
      const frame = new Float32Array(analysers[channel].fftSize);
      analysers[channel].getFloatTimeDomainData(frame);
      power += frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length;
    }
    return Math.sqrt(power);
  });
})();
"""
"""Page script: `loudness()` returns the root mean square of the left and the right channel."""

CONTRASTS = """
() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const c = canvas.getContext('2d', { willReadFrequently: true });
  const over = (colours) => {
    c.clearRect(0, 0, 1, 1);
    for (const colour of colours) { c.fillStyle = colour; c.fillRect(0, 0, 1, 1); }
    return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join('');
    if (!text || element.closest('.visually-hidden, .skip, :disabled, noscript, option')) continue;
    if (!element.checkVisibility()) continue;
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(element);
    const [a, b] = [over([...behind, style.color]), over(behind)].map(luminance).sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    found.push({ text: text.slice(0, 40), ratio: (a + 0.05) / (b + 0.05), least: large ? 3 : 4.5 });
  }
  return found;
}
"""
"""Page function: per element the text, its contrast with the background, and the minimum of WCAG level AA."""


def watch(page: Any, url: str) -> list[str]:
    """Collect the errors of a page from now on: script errors, console messages, requests to other hosts."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "console",
        lambda message: (
            wrong.append(message.text) if message.type in ("error", "warning") and not _expected(message.text) else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((url, "blob:", "data:")) else wrong.append(f"foreign request: {request.url}")
        ),
    )
    return wrong


def _expected(text: str) -> bool:
    """The browser logs each refused request; the tests check the page's own message instead."""
    return text.startswith("Failed to load resource")
