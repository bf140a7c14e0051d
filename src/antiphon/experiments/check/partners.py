"""The right note file of a recording whose notes are other music.

Cross-correlation of pitch classes with every note file finds a file of the same performance. Where there is none, an
index of the note files is searched as by `antiphon.pair`, which finds other performances and scores too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.alignment.confidence import LIKELY
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.experiments.check.lag import LEAD, lag_between, pitch_classes
from antiphon.index.library import Index
from antiphon.index.pairing import pair_recordings
from antiphon.io.note_files import read_notes
from antiphon.models.loading import load_model
from antiphon.models.note_onsets import FRAME_HZ, OnsetMap, predicted_onsets_of
from antiphon.progress import track

_MOST_FILES = 5000
_MARGIN_S = 30.0


@dataclass(frozen=True)
class Partner:
    """The note file that fits a recording: `by` is "same clock" where it is of this very performance, else "search";
    `confidence` is the probability that the search is right, None where it was not needed."""

    file: Path
    by: str
    confidence: float | None = None


def find_partners(
    suspects: Mapping[Path, OnsetMap],
    files: Sequence[Path],
    unknown: Collection[Path],
    model: str | Path = "default",
) -> dict[Path, Partner]:
    """The note file that fits each recording, of those for which there is one.

    `suspects` are recordings with the pitch classes [12, frames] of their onset maps; with those that are `unknown` the
    index is searched where no file is of their performance. Of more than 5000 files none is tried. Files that cannot
    be read are left out.
    """
    if not suspects or len(files) > _MOST_FILES:
        return {}
    found = _of_one_clock(suspects, files)
    rest = [recording for recording in suspects if recording in unknown and recording not in found]
    return found | (_by_search(rest, files, model) if rest else {})


def _of_one_clock(suspects: Mapping[Path, OnsetMap], files: Sequence[Path]) -> dict[Path, Partner]:
    best: dict[Path, tuple[float, Path]] = {}
    longest_s = max(classes.shape[1] for classes in suspects.values()) / FRAME_HZ + _MARGIN_S
    for file in track(files, "looking for partners"):
        try:
            notes = read_notes(file).within(0.0, longest_s)
        except UnreadableInput:
            continue
        written = pitch_classes(predicted_onsets_of(notes))
        for recording, played in suspects.items():
            lead = lag_between(played, written).lead
            if lead >= LEAD and lead > best.get(recording, (0.0, file))[0]:
                best[recording] = lead, file
    return {recording: Partner(file, "same clock") for recording, (_, file) in best.items()}


def _by_search(recordings: Sequence[Path], files: Sequence[Path], model: str | Path) -> dict[Path, Partner]:
    embedder = load_model(model)
    with tempfile.TemporaryDirectory() as folder:
        try:
            index = Index.build(list(files), embedder, out=Path(folder) / "notes", only="notes")
        except AntiphonError:
            return {}
        with index:
            pairing = pair_recordings(recordings, index.store, embedder, many=True, min_confidence=LIKELY)
    given = {file.resolve(): file for file in files}
    return {
        Path(pair.recording): Partner(
            given.get(Path(pair.file).resolve(), Path(pair.file)), "search", round(pair.confidence, 4)
        )
        for pair in pairing
    }
