"""Pairing of recordings with note files: excerpts of every recording search an index of the note files.

The confidence of a pair is the mean over the excerpts (`antiphon.index.excerpts`) of the file's best match, 0 where it
has none. One-to-one pairs maximise the product of their odds. Where two files are equally likely, as performances of
one work may be, the one whose onsets agree better is taken. Each pair is then aligned note by note
(`antiphon.index.whole_match`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.confidence import LIKELY
from antiphon.checks import PROBABILITY, check_not_input, check_path
from antiphon.errors import AntiphonError, InputWarning, UnreadableInput, collect_input_warnings
from antiphon.index.excerpts import ExcerptMatches, search_excerpts
from antiphon.index.library import Index
from antiphon.index.match import MATCH_FIELDS, Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.store import Store
from antiphon.index.view import ALL, Filters
from antiphon.index.whole_match import match_whole
from antiphon.io.cache import cache_folder
from antiphon.io.csv_tables import csv_text
from antiphon.io.folders import LeftOut, Listing, list_folders
from antiphon.io.kinds import modality_of_input, without_suffix
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.progress import track

_ODDS_LIMIT = 1e-3
_PER_SCORE = 10.0  # log odds that a score of 1 adds to a pair


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


@dataclass(frozen=True)
class Unpaired:
    """A recording without a note file; `nearest` is the most likely file, empty where none is found."""

    recording: str
    nearest: str
    confidence: float


@dataclass(frozen=True, repr=False)
class Pairing:
    """The pairs of recordings and note files, which iterating yields, and the files without a partner.

    Attributes
    ----------
    pairs : tuple of Pair
        In the order of the recordings.
    recordings : tuple of Unpaired
        The recordings without a note file, each with the most likely file and its confidence.
    files : tuple of str
        Paths of the note files without a recording.
    skipped : tuple of UnreadableInput
        The files that could not be used, each with the reason.
    root : Path or None
        The folder of the recordings, whose subfolders `write_aligned` repeats; None writes all files to one folder.
    warnings : tuple of InputWarning
        Files that were used, but in part or with an assumption.
    left_out : LeftOut
        Numbers of files of other kinds and of links that were not followed.

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
    files: tuple[str, ...]
    skipped: tuple[UnreadableInput, ...]
    root: Path | None = None
    warnings: tuple[InputWarning, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)

    def __repr__(self) -> str:
        counts = f"{len(self.pairs)} pairs, {len(self.recordings)} recordings without notes"
        return f"<Pairing: {counts}, {len(self.files)} note files without recording, {len(self.skipped)} skipped>"

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {
            "pairs": [pair.as_dict() for pair in self.pairs],
            "recordings_without_notes": [vars(one) for one in self.recordings],
            "notes_without_recording": list(self.files),
            "failed": [str(error) for error in self.skipped],
            "warnings": [str(warning) for warning in self.warnings],
            "left_out": self.left_out.as_dict(),
        }

    def to_json(self) -> str:
        """`as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """CSV text: a row for each pair, then the unpaired recordings, then the unpaired note files."""
        rows = [
            *(pair.as_dict() for pair in self.pairs),
            *({"recording": one.recording} for one in self.recordings),
            *({"file": file} for file in self.files),
        ]
        return csv_text(PAIR_FIELDS, rows)

    @staticmethod
    def check_outputs(
        recordings: Path, scores: Path, table: Path | None, folder: Path | None, follow_links: bool = False
    ) -> None:
        """Raise `AntiphonError` where a table or the files of `write_aligned` would overwrite an input."""
        sound = [*_listing(recordings, follow_links).only(["audio"]).files]
        inputs = [*sound, *_listing(scores, follow_links).only(["notes"]).files]
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
            *(one.recording for one in self.recordings),
            *self.files,
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


def _aligned_paths(recordings: Sequence[Path], root: Path | None, folder: Path) -> list[Path]:
    """The MIDI file of each recording below `folder`."""
    names = [Path(path.name) if root is None else path.relative_to(root) for path in recordings]
    count = Counter(map(without_suffix, names))
    # Recordings of one name in two formats would otherwise be written to one file.
    return [folder / f"{stem if count[stem := without_suffix(name)] == 1 else name}.mid" for name in names]


def _listing(folder: Path, follow_links: bool) -> Listing:
    """The files of a folder, or a file as itself. Raises `AntiphonError` where there is none."""
    if not folder.exists():
        raise AntiphonError(f"{folder}: no such folder")
    if folder.is_dir():
        return list_folders([folder], follow_links=follow_links)
    return Listing({folder: modality_of_input(folder)}, LeftOut(), [])


def pair(
    recordings: str | Path,
    scores: str | Path,
    *,
    model: str | Path | Embedder = "default",
    index: str | Path | None = None,
    many: bool = False,
    min_confidence: float = LIKELY,
    transpose: bool = False,
    follow_links: bool = False,
) -> Pairing:
    """Find the note file of each recording.

    Parameters
    ----------
    recordings
        Folder of recordings, at any depth, or one sound file.
    scores
        Folder of note files, at any depth, or one note file.
    model
        A name, a model folder, a run folder or an embedder.
    index
        Folder for the index of the note files; by default one in the cache folder for each model and `scores`.
    many
        Several recordings may have the same note file.
    min_confidence
        Pairs of lower confidence, 0 to 1, are left out.
    transpose
        Recordings may be up to 6 semitones higher or lower than the notes, and out of tune.
    follow_links
        Follow links to folders, each folder once; links to files are always read.

    Returns
    -------
    Pairing
        The pairs, the recordings and note files without a partner, and the files that could not be used.

    Raises
    ------
    AntiphonError
        For a folder that is missing or holds no such files or none that can be used, for an index of another model,
        and for a `min_confidence` out of range.

    Examples
    --------
    >>> import shutil
    >>> from pathlib import Path
    >>> import antiphon
    >>> one, other = antiphon.open_corpus("demo").recordings[:30:15]
    >>> Path("music").mkdir()
    >>> for path in (one.audio_path, one.notes_path, other.notes_path):
    ...     _ = shutil.copy(path, "music")
    >>> pairing = antiphon.pair("music", "music", model="template", index="index")
    >>> [Path(pair.file).stem == one.id for pair in pairing], len(pairing.files)
    ([True], 1)
    """
    check_path("recordings", "a folder of recordings or the path of a sound file", recordings)
    check_path("scores", "a folder of note files or the path of one", scores)
    PROBABILITY.check("min_confidence", min_confidence)
    folder = Path(recordings)
    listing = _listing(folder, follow_links)
    sound = [*listing.only(["audio"]).files]
    if not sound:
        raise AntiphonError(f"{folder}: no audio files below it{f'; {listing.left_out}' if listing.left_out else ''}")
    embedder = load_model(model)
    kept = _cached_index(Path(scores), embedder) if index is None else Path(index)
    with (
        collect_input_warnings() as warned,
        Index.build(scores, embedder, out=kept, only="notes", follow_links=follow_links) as built,
    ):
        report = built.report
        assert report is not None
        if not report.usable:
            reason = f"; the first: {report.failed[0]}" if report.failed else ""
            raise AntiphonError(f"{scores}: none of its note files can be used{reason}")
        filters = Filters(folder=Path(scores))
        found = pair_recordings(sound, built.store, embedder, filters, many, min_confidence, transpose)
    return replace(
        found,
        skipped=(*listing.faults, *report.failed, *found.skipped),
        root=folder if folder.is_dir() else folder.parent,
        warnings=tuple({str(one): one for one in (*report.warnings, *warned)}.values()),
        left_out=_left_out(listing, _listing(Path(scores), follow_links)),
    )


def _left_out(recordings: Listing, scores: Listing) -> LeftOut:
    """Count what neither side uses, of two folders that may be one, or one in the other."""
    mine, theirs = ({path.resolve(): path for path in one.files} for one in (recordings, scores))
    if mine.keys() == theirs.keys():
        return recordings.left_out
    common = mine.keys() & theirs.keys()
    of_recordings = recordings.only(["audio"], used={mine[path] for path in common}).left_out
    return of_recordings + scores.only(["notes"], used={theirs[path] for path in common}).left_out


def _cached_index(scores: Path, embedder: Embedder) -> Path:
    """The folder for the index of note files between runs, one for each model."""
    key = hashlib.sha256(f"{scores.resolve()}\0{embedder.fingerprint}".encode(errors="surrogateescape"))
    return cache_folder("pairing") / key.hexdigest()[:16]


def pair_recordings(
    recordings: Sequence[str | Path],
    store: Store,
    embedder: Embedder,
    filters: Filters = ALL,
    many: bool = False,
    min_confidence: float = LIKELY,
    transpose: bool = False,
) -> Pairing:
    """Find the note file of each recording in an index. Recordings that cannot be used are named in `skipped`.

    With `many` several recordings may have the same file. `filters` exclude note files, `transpose` also finds them up
    to 6 semitones off. Raises `AntiphonError` when the index holds no notes, and as `search` does.
    """
    store.check_model(embedder)
    library = store.library("notes")  # one view for all recordings, whatever is added meanwhile
    among = np.ones(len(library.paths), bool) if filters == ALL else library.among(filters)
    files = [path for path, kept in zip(library.paths, among, strict=True) if kept]
    filters = ALL if among.all() else filters
    found: list[ExcerptMatches] = []
    skipped: list[UnreadableInput] = []
    for recording in track([Path(one) for one in recordings], "searching"):
        try:
            found.append(search_excerpts(recording, library, embedder, filters, transpose))
        except UnreadableInput as error:
            skipped.append(error)
    confidence = [one.mean("confidence") for one in found]
    partner = _partners(confidence, [one.mean("score") for one in found], files, many, min_confidence)
    pairs, alone = [], []
    for number, one in enumerate(track(found, "aligning")):
        if number in partner:
            file = partner[number]
            about = library.about.get(file, FileMetadata())
            try:
                whole = match_whole(one, file, about, confidence[number][file])
            except UnreadableInput as error:  # changed meanwhile
                skipped.append(error)
            else:
                pairs.append(
                    Pair(**whole.match.match_fields(), recording=str(one.recording), alignment=whole.alignment)
                )
        else:
            nearest = max(confidence[number], key=confidence[number].__getitem__, default="")
            alone.append(Unpaired(str(one.recording), nearest, round(confidence[number].get(nearest, 0.0), 4)))
    taken = {one.file for one in pairs}
    without = tuple(file for file in files if file not in taken)
    return Pairing(tuple(pairs), tuple(alone), without, tuple(skipped))


def _partners(
    confidence: Sequence[dict[str, float]],
    score: Sequence[dict[str, float]],
    files: Sequence[str],
    many: bool,
    min_confidence: float,
) -> dict[int, str]:
    """Number of each recording that has a partner → its file."""
    weight = np.zeros((len(confidence), len(files)))
    column = {file: number for number, file in enumerate(files)}
    for row, known in enumerate(confidence):
        for file, value in known.items():
            if value >= min_confidence and value > 0:
                above = _log_odds(value) - _log_odds(min_confidence)
                weight[row, column[file]] = 1.0 + above + _PER_SCORE * score[row][file]
    if many:
        rows, columns = np.arange(len(weight)), weight.argmax(axis=1)
    else:
        rows, columns = linear_sum_assignment(weight, maximize=True)
    return {int(row): files[at] for row, at in zip(rows, columns, strict=True) if weight[row, at] > 0}


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _ODDS_LIMIT), 1 - _ODDS_LIMIT)
    return math.log(kept / (1 - kept))
