"""A folder of pairs: audio files, in any format, and note files with the same names.

`a/take1.flac` is paired with `a/take1.mid`. Otherwise, if exactly one audio file and one note file have this name below
the folder, these two are paired (`audio/take1.flac` with `midi/take1.mid`). Each performance counts as its own work,
because file names do not identify works.
"""

from __future__ import annotations

from pathlib import Path

from antiphon.corpora import Corpus, CorpusKind, Recording, files_by_stem, match_by_name, with_sound_file
from antiphon.errors import UnreadableInput
from antiphon.io.folders import list_folders
from antiphon.io.kinds import without_suffix
from antiphon.io.note_files import read_notes


def open_folder(spec: str) -> Corpus:
    """Open a folder of pairs. Notes without audio are kept; audio without notes is skipped and reported.

    Links to folders are followed, each folder at most once.
    """
    root = Path(spec)
    listing = list_folders([root], follow_links=True)
    notes, other_notes = files_by_stem(listing.only(["notes"]).files, root, "note")
    sound, other_sound = files_by_stem(listing.only(["audio"]).files, root, "sound")
    recordings: list[Recording] = []
    skipped = listing.faults
    partner = match_by_name(notes, sound)
    for id_, path in notes.items():
        audio = partner.get(id_)
        title = without_suffix(path).name
        recording = Recording(id_, path, None, float("inf"), "", title, "", id_)
        try:
            recording = with_sound_file(recording, audio)
            if audio is None:
                recording = Recording(id_, path, None, read_notes(path).end_s, "", title, "", id_)
        except UnreadableInput as error:
            skipped.append(error)
            continue
        recordings.append(recording)
    unpaired = {*sound.values()} - {*partner.values()}
    skipped += [UnreadableInput(path, "no notes of the same name") for path in sorted(unpaired)]
    skipped += [*other_notes, *other_sound]
    return Corpus(root.name, tuple(recordings), tuple(skipped), left_out=listing.left_out)


CORPUS_KIND = CorpusKind("folder", 90, lambda spec: Path(spec).is_dir(), open_folder)
