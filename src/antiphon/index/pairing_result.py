"""The result of pairing: the pairs, the files without a partner with the reason, tables of both, and aligned MIDI."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.alignment.alignment_table import Alignment
from antiphon.checks import check_not_input
from antiphon.errors import AntiphonError, InputWarning, UnreadableInput
from antiphon.index.match import MATCH_FIELDS, Match
from antiphon.index.partners import Unpaired
from antiphon.io.csv_tables import csv_text
from antiphon.io.folders import LeftOut, Listing, list_folders
from antiphon.io.kinds import modality_of_input, modality_of_name, without_suffix
from antiphon.wording import counted, printable


@dataclass(frozen=True, kw_only=True)
class Pair(Match):
    """The match of a recording, which is the query, with a note file.

    Attributes
    ----------
    recording : str
        Path of the recording.
    alignment : Alignment
        The times of the file's notes in the recording, and the path between both.
    confidence : float
        The probability that the recording is this music: the mean over the excerpts. `path_confidence` tells how sure
        the times are.
    score : float
        As in `Match`, the mean over the excerpts.

    The other attributes are those of `Match`; the times are the span of the alignment.

    Examples
    --------
    >>> import antiphon
    >>> one = antiphon.open_corpus("demo").recordings[0]
    >>> (pair,) = antiphon.pair(one.audio_path, one.notes_path, model="template", index="index")
    >>> pair.recording == str(one.audio_path), pair.file == str(one.notes_path), pair.confidence > 0.9
    (True, True, True)
    >>> bool(abs(pair.alignment.path[0].at(20.0) - 20.0) < 0.02), pair.path_confidence > 0.9
    (True, True)
    """

    recording: str
    alignment: Alignment

    @property
    def path_confidence(self) -> float:
        """The share of the common time, 0 to 1, where the path is expected to be right: `Alignment.path_confidence`."""
        return round(self.alignment.path_confidence, 4)

    def as_dict(self) -> dict[str, Any]:
        """The pair as JSON: the recording, the match and the path's confidence, without the notes."""
        known = super().as_dict() | {"recording": self.recording, "path_confidence": self.path_confidence}
        return {name: known[name] for name in PAIR_FIELDS if name in known}


_AFTER_CONFIDENCE = MATCH_FIELDS.index("confidence") + 1
PAIR_FIELDS = ("recording", *MATCH_FIELDS[:_AFTER_CONFIDENCE], "path_confidence", *MATCH_FIELDS[_AFTER_CONFIDENCE:])
"""Names of the fields of a pair in the order of tables."""
TABLE_FIELDS = (*PAIR_FIELDS, "nearest", "state", "reason")
"""Columns of the CSV, which has rows of other files too."""


@dataclass(frozen=True, repr=False)
class Pairing:
    """The pairs of recordings and note files, which iterating yields, and the files without a partner.

    Attributes
    ----------
    pairs : tuple of Pair
        In the order of the recordings.
    recordings : tuple of Unpaired
        The recordings without a note file: `path`, the reason as `state` (`taken`, `partial`, `unsure`, `unlike` or
        `skipped`) and in words as `reason`, the most likely file as `nearest`, and its `confidence`.
    files : tuple of Unpaired
        The note files without a recording, in the same way.
    skipped : tuple of UnreadableInput
        The files that could not be used, each with the reason.
    root : Path or None
        The folder of the recordings, whose subfolders `write_aligned` repeats; None writes all files to one folder.
    warnings : tuple of InputWarning
        Files that were used, but in part or with an assumption.
    left_out : LeftOut
        Numbers of files of other kinds and of links that were not followed.
    index : Path or None
        The index of the note files that was searched.

    Examples
    --------
    >>> import antiphon
    >>> one = antiphon.open_corpus("demo").recordings[0]
    >>> pairing = antiphon.pair(one.audio_path, one.notes_path, model="template", index="index")
    >>> len(pairing), pairing.recordings, pairing.files
    (1, (), ())
    >>> (written,) = pairing.write_aligned("aligned")
    >>> written.stem == one.id, len(antiphon.read_notes(written))
    (True, 191)
    """

    pairs: tuple[Pair, ...]
    recordings: tuple[Unpaired, ...]
    files: tuple[Unpaired, ...]
    skipped: tuple[UnreadableInput, ...]
    root: Path | None = None
    warnings: tuple[InputWarning, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    index: Path | None = None

    def __repr__(self) -> str:
        return f"<Pairing: {self.summary}>"

    @property
    def summary(self) -> str:
        """The numbers of pairs, of files without a partner and of skipped files, in one line."""
        return (
            f"{counted(len(self.pairs), 'pair')}, {counted(len(self.recordings), 'recording')} without notes, "
            f"{counted(len(self.files), 'note file')} without recording, {len(self.skipped)} skipped"
        )

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {
            "pairs": [pair.as_dict() for pair in self.pairs],
            "recordings_without_notes": [one.as_dict("recording") for one in self.recordings],
            "notes_without_recording": [one.as_dict("file") for one in self.files],
            "skipped": [{"file": printable(error.path), "reason": error.reason} for error in self.skipped],
            "warnings": [str(warning) for warning in self.warnings],
            "left_out": self.left_out.as_dict(),
        }

    def to_json(self) -> str:
        """`as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """CSV text: a row for each pair, then the unpaired recordings, the unpaired note files, and the skipped files.

        Rows of files without a partner have it in the column `nearest`, with its confidence. `state` is `paired`,
        `skipped` or a state of `Unpaired`.
        """
        named = {printable(one.path) for one in (*self.recordings, *self.files)}
        rows = [
            *(pair.as_dict() | {"state": "paired"} for pair in self.pairs),
            *(one.as_dict("recording") for one in self.recordings),
            *(one.as_dict("file") for one in self.files),
            *(
                {_column(error.path): printable(error.path), "state": "skipped", "reason": error.reason}
                for error in self.skipped
                if printable(error.path) not in named
            ),
        ]
        return csv_text(TABLE_FIELDS, rows)

    @staticmethod
    def check_outputs(
        recordings: Path, scores: Path, table: Path | None, folder: Path | None, follow_links: bool = False
    ) -> None:
        """Raise `AntiphonError` where a table or the files of `write_aligned` would overwrite an input."""
        sound = [*listing_of(recordings, follow_links).only(["audio"]).files]
        inputs = [*sound, *listing_of(scores, follow_links).only(["notes"]).files]
        root = recordings if recordings.is_dir() else recordings.parent
        outputs = [] if folder is None else _aligned_paths(sound, root, folder)
        for path in outputs if table is None else (table, *outputs):
            check_not_input(path, inputs)

    def write_aligned(self, folder: str | Path) -> list[Path]:
        """Write the notes of each pair at the recording's times as MIDI, and return the paths.

        The files are named after the recordings and lie in the same subfolders below `folder`. A pair whose notes were
        not found in the recording gets no file. Raises `AntiphonError`, before anything is written, where one of the
        files would overwrite a recording or a note file.
        """
        paths = _aligned_paths([Path(pair.recording) for pair in self.pairs], self.root, Path(folder))
        inputs = {
            *(name for pair in self.pairs for name in (pair.recording, pair.file)),
            *(one.path for one in (*self.recordings, *self.files)),
            *(str(error.path) for error in self.skipped),
        }
        for path in paths:
            check_not_input(path, inputs)
        written = []
        for pair, path in zip(self.pairs, paths, strict=True):
            try:
                notes = pair.alignment.to_midi()
            except AntiphonError:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            notes.save(path)
            written.append(path)
        return written


def _column(path: Path) -> str:
    """The column of a file that could not be used."""
    return "recording" if modality_of_name(path) == "audio" else "file"


def _aligned_paths(recordings: Sequence[Path], root: Path | None, folder: Path) -> list[Path]:
    """The MIDI file of each recording below `folder`."""
    names = [Path(path.name) if root is None else path.relative_to(root) for path in recordings]
    count = Counter(map(without_suffix, names))
    # Recordings of one name in two formats would otherwise be written to one file.
    return [folder / f"{stem if count[stem := without_suffix(name)] == 1 else name}.mid" for name in names]


def listing_of(folder: Path, follow_links: bool) -> Listing:
    """The files of a folder, or a file as itself. Raises `AntiphonError` where there is none."""
    if not folder.exists():
        raise AntiphonError(f"{folder}: no such folder")
    if folder.is_dir():
        return list_folders([folder], follow_links=follow_links)
    return Listing({folder: modality_of_input(folder)}, LeftOut(), [])
