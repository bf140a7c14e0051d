"""A folder of pairs matched by file name: sound (any format) beside MIDI or MAPS-style TSV, in one folder or two.

`a/take1.flac` pairs with `a/take1.mid`; failing that, with the only file of that name anywhere below the folder
(`audio/take1.flac` with `midi/take1.mid`). A performance counts as a work of its own, since names do not tell.
"""

from __future__ import annotations

from pathlib import Path

from antiphon.audio import AUDIO_SUFFIXES
from antiphon.corpora import Corpus, CorpusKind, Recording, files_below, files_by_stem, with_sound_file
from antiphon.errors import UnreadableInput
from antiphon.notes import NOTE_SUFFIXES, read_notes


def open_folder(spec: str) -> Corpus:
    """Open a folder of pairs; notes without sound are kept, sound without notes is skipped and named."""
    root = Path(spec)
    notes = files_by_stem(root, NOTE_SUFFIXES)
    sound = files_by_stem(root, AUDIO_SUFFIXES)
    recordings: list[Recording] = []
    skipped: list[UnreadableInput] = []
    used: set[Path] = set()
    for path in sorted(set(notes.values())):
        id_ = path.relative_to(root).with_suffix("").as_posix()
        audio = sound.get(id_) or sound.get(path.stem)
        used |= {audio} if audio else set()
        recording = Recording(id_, path, None, float("inf"), "", path.stem, "", id_)
        try:
            recording = with_sound_file(recording, audio)
            if audio is None:
                recording = Recording(id_, path, None, read_notes(path).end_s, "", path.stem, "", id_)
        except UnreadableInput as error:
            skipped.append(error)
            continue
        recordings.append(recording)
    skipped += [UnreadableInput(path, "no notes of the same name") for path in sorted({*sound.values()} - used)]
    doubles = files_below(root, NOTE_SUFFIXES) - {*notes.values()}
    skipped += [UnreadableInput(path, "another note file has the same name") for path in sorted(doubles)]
    return Corpus(root.name, tuple(recordings), tuple(skipped))


CORPUS_KIND = CorpusKind("folder", 90, lambda spec: Path(spec).is_dir(), open_folder)
