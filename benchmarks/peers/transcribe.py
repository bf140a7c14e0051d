"""Transcribe, then search: Transkun transcribes the query, and the package searches the library with these notes.

python -m benchmarks.peers.transcribe QUERIES OUT [--model default] [--index DIR] [--queries N] [--library N]

Source: Yan and Duan, "Scoring time intervals using non-hierarchical transformer for automatic piano transcription"
(ISMIR 2024); `transkun` 2.0.1 contains the weights. One second of audio takes some seconds of one core: use a sample.
The notes are searched in the package's index of notes.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from importlib import import_module
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from antiphon.alignment.confidence import LIKELY
from antiphon.errors import UnreadableInput
from antiphon.io.audio import read_samples
from antiphon.io.note_files import NOTE_SUFFIXES
from antiphon.io.notes import Notes, write_midi
from benchmarks.peers import mel
from benchmarks.peers.common import parser_for, run_peer
from benchmarks.peers.library import open_search
from benchmarks.search.queries import BestMatch, Library, Query
from benchmarks.search.querying import SearchFunction


class Transcriber:
    """Transkun with its own weights, on the CPU."""

    def __init__(self) -> None:
        mel.install()
        module: Any = import_module("transkun.ModelTransformer")
        with as_file(files("transkun") / "pretrained") as folder:
            config = module.TransKun.Config()
            for name, value in json.loads((folder / "2.0.conf").read_text(encoding="utf-8"))["Model"]["config"].items():
                setattr(config, name, value)
            checkpoint = torch.load(folder / "2.0.pt", map_location="cpu", weights_only=True)
        self._model: Any = module.TransKun(conf=config)
        # As its own command does: prefer the newer name, ignore weights that the model does not have.
        self._model.load_state_dict(checkpoint.get("best_state_dict", checkpoint.get("state_dict")), strict=False)
        self._model.eval()

    def notes_of(self, path: Path, start_s: float, length_s: float) -> Notes:
        """Transcribe a stretch of audio. Times are seconds from its start."""
        samples = read_samples(path, self._model.fs, start_s, length_s)
        # By default it uses overlapping segments and pads both ends: four segments for a stretch that fits into one.
        segment_s = self._model.segmentSizeInSecond
        step_s = segment_s if length_s <= segment_s else self._model.segmentHopSizeInSecond
        with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
            found = self._model.transcribe(torch.from_numpy(samples)[:, None], step_s, segment_s)
        found = [one for one in found if one.pitch >= 0]  # pedals have negative pitches
        onset_s = np.array([one.start for one in found], np.float64)
        duration_s = np.maximum(np.array([one.end for one in found], np.float64) - onset_s, 0.0)
        pitch = np.array([one.pitch for one in found], np.int64)
        velocity = np.array([one.velocity for one in found], np.int64).clip(1, 127)
        return Notes.of(onset_s, duration_s, pitch, velocity)


def prepare(library: Library, model: str, index: Path | None) -> SearchFunction:
    """Index the library's notes, load the transcriber, and return a function that transcribes and searches."""
    find = open_search(library, model, index)
    transcriber = Transcriber()

    def transcribe_and_find(query: Query) -> BestMatch | None:
        if query.path.suffix.lower() in NOTE_SUFFIXES:
            return find(query)
        notes = transcriber.notes_of(query.path, query.start_s, query.length_s)
        if len(notes) == 0:
            raise UnreadableInput(query.path, "its transcription has no notes")
        with TemporaryDirectory() as folder:
            path = Path(folder) / "transcribed.mid"
            write_midi(notes, path)
            found = find(replace(query, path=path, start_s=0.0))
        return None if found is None else replace(found, query_start_s=found.query_start_s + query.start_s)

    return transcribe_and_find


def main() -> None:
    """Parse the command line, index the library, run the queries."""
    parser = parser_for("transcribe", "Transkun, then the package's index of notes.")
    parser.add_argument("--model", default="default", help="the model that embeds the notes")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the index there (a temporary folder)")
    options = parser.parse_args()
    name = f"Transkun 2.0.1 + antiphon's notes, {Path(options.model).name}"
    run_peer(options, name, lambda library: prepare(library, options.model, options.index), LIKELY)


if __name__ == "__main__":
    main()
