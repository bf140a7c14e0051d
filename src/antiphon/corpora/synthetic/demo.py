"""The demo corpus: synthetic pieces, composed and rendered at first use and kept in the cache folder."""

from __future__ import annotations

from pathlib import Path

from antiphon.corpora import Corpus, CorpusKind, Recording
from antiphon.corpora.rendered import open_rendered, write_manifest
from antiphon.corpora.synthetic.composer import compose_demo
from antiphon.io.audio import write_flac
from antiphon.io.cache import cache_folder
from antiphon.io.files import atomic_folder
from antiphon.io.note_files import read_notes
from antiphon.io.notes import write_midi
from antiphon.progress import track
from antiphon.rendering.additive import AdditivePiano

VERSION = "1"
"""Name of the cache folder. Increase it when the output of the composer or the piano changes."""
_SAMPLE_RATE_HZ = 24_000
_TAIL_S = 0.5


def demo_folder() -> Path:
    """The folder of the demo corpus: MIDI files, FLAC files and a manifest. Made in a few seconds if missing."""
    folder = cache_folder("demo") / VERSION
    if not folder.exists():
        with atomic_folder(folder, replace=False) as temporary:  # keep the folder of a faster process, it may be in use
            _make(temporary)
    return folder


def _make(folder: Path) -> None:
    piano = AdditivePiano(_SAMPLE_RATE_HZ)
    recordings = []
    for piece in track(compose_demo(), "making the demo corpus"):
        id_ = f"{piece.composer} - {piece.title} ({piece.performer})"
        notes_path, audio_path = folder / f"{id_}.mid", folder / f"{id_}.flac"
        write_midi(piece.notes, notes_path, piece.pedal_s)
        notes = read_notes(notes_path, sustain=True)
        duration_s = notes.end_s + _TAIL_S
        write_flac(audio_path, piano.render(notes, duration_s), _SAMPLE_RATE_HZ)
        work = f"{piece.composer} | {piece.title}".casefold()
        recordings.append(
            Recording(id_, notes_path, audio_path, duration_s, piece.composer, piece.title, piece.split, work)
        )
    write_manifest(folder, recordings, {"soundfont": piano.name, "sample_rate_hz": _SAMPLE_RATE_HZ, "corpus": "demo"})


def open_demo(_: str = "demo") -> Corpus:
    """Open the demo corpus: 41 performances of 35 works in three splits."""
    found = open_rendered(str(demo_folder()))
    return Corpus("demo", found.recordings, found.skipped)


CORPUS_KIND = CorpusKind("demo", 0, lambda spec: spec == "demo", open_demo)
