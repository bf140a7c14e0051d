"""Pairing of recordings with note files: excerpts of every recording search an index of the note files.

The confidence of a pair is the mean over the excerpts (`antiphon.index.excerpts`) of the file's best match, 0 where it
has none. `antiphon.index.partners` chooses the pairs. Where two files are equally likely, as performances of one work
may be, the one whose onsets agree better is taken. Each pair is then aligned note by note
(`antiphon.index.whole_match`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from antiphon.alignment.confidence import LIKELY
from antiphon.checks import PROBABILITY, check_path
from antiphon.errors import AntiphonError, UnreadableInput, collect_input_warnings
from antiphon.index.excerpts import ExcerptMatches, search_excerpts
from antiphon.index.library import Index
from antiphon.index.metadata import FileMetadata
from antiphon.index.pairing_result import Pair, Pairing, listing_of
from antiphon.index.partners import Partners, Unpaired
from antiphon.index.store import Store
from antiphon.index.view import ALL, Filters
from antiphon.index.whole_match import match_whole
from antiphon.io.cache import cache_folder
from antiphon.io.folders import LeftOut, Listing
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.progress import track


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
        The pairs, the recordings and note files without a partner, each with the reason, and the skipped files.

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
    listing = listing_of(folder, follow_links)
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
        left_out=_left_out(listing, listing_of(Path(scores), follow_links)),
        index=kept,
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
    partners = Partners.choose(found, files, many, min_confidence)
    pairs: list[Pair] = []
    recordings_alone: list[Unpaired] = []
    files_alone: dict[str, Unpaired] = {}
    for number, one in enumerate(track(found, "aligning")):
        if number not in partners.of:
            recordings_alone.append(partners.recording_alone(number))
            continue
        file = partners.of[number]
        about = library.about.get(file, FileMetadata())
        try:
            whole = match_whole(one, file, about, partners.confidence[number][file])
        except UnreadableInput as error:  # changed meanwhile
            skipped.append(error)
            alone, files_alone[file] = partners.unreadable(number)
            recordings_alone.append(alone)
        else:
            pairs.append(Pair(**whole.match.match_fields(), recording=str(one.recording), alignment=whole.alignment))
    taken = {one.file for one in pairs}
    without = [files_alone.get(file) or partners.file_alone(file) for file in files if file not in taken]
    return Pairing(tuple(pairs), tuple(recordings_alone), tuple(without), tuple(skipped))
