"""Real recordings against a large library of notes: is the right piece first?

python -m benchmarks.real_recordings RECORDINGS NOTES… --index DIR --out results/real-recordings.json

Every sound file of RECORDINGS that has notes of the same name beside it asks with 20 s from its second 10; the library
is the notes of RECORDINGS and of all the NOTES folders.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from antiphon.corpora import open_corpus
from antiphon.embedding import load_embedder
from antiphon.files import write_json
from antiphon.index.build import build_index
from antiphon.index.search import search
from antiphon.index.store import Store
from antiphon.progress import track
from antiphon.provenance import code_version
from benchmarks.report import markdown_table

_START_S, _LENGTH_S, _NEAR_S = 10.0, 20.0, 1.0


def main() -> None:
    """Build the library, search it with each recording, print and write what came first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_recordings")
    parser.add_argument("recordings", type=Path)
    parser.add_argument("notes", type=Path, nargs="+")
    parser.add_argument("--model", default="template")
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    embedder = load_embedder(options.model)
    report = build_index([options.recordings, *options.notes], embedder, options.model, options.index, only="notes")
    queries = open_corpus(options.recordings).with_sound().recordings
    rows: list[dict[str, Any]] = []
    with Store(options.index) as store:
        facts = {
            "model": embedder.name,
            "model_hash": embedder.fingerprint,
            "code": code_version(),
            "library": dict(zip(("recordings", "windows", "hours"), store.counts()["notes"], strict=True)),
            "failed": [str(error) for error in report.failed],
            "query_s": [_START_S, _START_S + _LENGTH_S],
        }
        for recording in track(queries, "searching"):
            assert recording.audio_path is not None
            began = time.monotonic()
            hits = search(recording.audio_path, store, embedder, _START_S, _LENGTH_S, top=2)
            first = hits[0].as_dict()
            right = Path(hits[0].file) == recording.notes_path.resolve()
            rows.append(
                {
                    "recording": recording.id,
                    "right_piece": right,
                    "right_place": right and abs(hits[0].start_s - _START_S) <= _NEAR_S,
                    "seconds": round(time.monotonic() - began, 2),
                    "hit": first | {"file": Path(first["file"]).name},
                    "next_score": hits[1].score if len(hits) > 1 else None,
                }
            )
    right_piece, right_place = (sum(row[key] for row in rows) for key in ("right_piece", "right_place"))
    print(
        markdown_table(
            ("recording", "first hit", "from s", "tempo", "score", "next", "confidence"),
            [
                (
                    row["recording"],
                    "right" if row["right_piece"] else row["hit"]["file"],
                    f"{row['hit']['start_s']:.1f}",
                    f"{row['hit']['tempo']:.2f}",
                    f"{row['hit']['score']:.3f}",
                    f"{row['next_score'] or 0:.3f}",
                    f"{row['hit']['confidence']:.2f}",
                )
                for row in rows
            ],
        )
    )
    print(f"right piece first: {right_piece} of {len(rows)}; within {_NEAR_S:g} s of its place: {right_place}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        result = facts | {"right_piece": right_piece, "right_place": right_place, "queries": rows}
        write_json(options.out, result)


if __name__ == "__main__":
    main()
