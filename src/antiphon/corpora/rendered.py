"""A corpus made by `antiphon render`: FLAC files, copies of their note files, and `rendered.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from antiphon.corpora import Corpus, CorpusKind, Recording
from antiphon.errors import UnreadableInput
from antiphon.io.files import write_json
from antiphon.io.kinds import suffix_of

MANIFEST = "rendered.json"


def open_rendered(spec: str) -> Corpus:
    """Open a rendered corpus. Entries with missing files are skipped and reported.

    Raises `UnreadableInput` when the manifest is damaged.
    """
    root = Path(spec)
    path = root / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        entries = [_entry_to_recording(root, entry) for entry in manifest["recordings"]]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableInput(path, f"not a manifest of rendered sound ({type(error).__name__}: {error})") from None
    kept, skipped = [], []
    for recording in entries:
        missing = [file for file in (recording.audio_path, recording.notes_path) if file is None or not file.exists()]
        if missing:
            skipped.append(UnreadableInput(missing[0] or root, f"named in {MANIFEST} but missing"))
        else:
            kept.append(recording)
    return Corpus(root.name, tuple(kept), tuple(skipped))


def write_manifest(folder: Path, recordings: Iterable[Recording], settings: dict[str, Any]) -> None:
    """Write the manifest atomically. It stores paths relative to the folder, so the folder can be moved."""
    entries = [
        asdict(recording)
        | {"notes_path": recording.id + suffix_of(recording.notes_path), "audio_path": recording.id + ".flac"}
        for recording in recordings
    ]
    write_json(folder / MANIFEST, {"settings": settings, "recordings": entries})


def _entry_to_recording(root: Path, entry: dict[str, Any]) -> Recording:
    paths = {"notes_path": root / entry["notes_path"], "audio_path": root / entry["audio_path"]}
    return Recording(**(entry | paths))


CORPUS_KIND = CorpusKind("rendered", 20, lambda spec: (Path(spec) / MANIFEST).is_file(), open_rendered)
