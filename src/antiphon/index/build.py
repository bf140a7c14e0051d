"""Fill an index from folders: each file embedded once, bad ones named and remembered, changes followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora import files_below
from antiphon.corpora.segment_table import WindowGrid
from antiphon.errors import AntiphonError, MissingDecoder, UnreadableInput
from antiphon.index.metadata import Works, describe
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.query import SUFFIXES, kind_of
from antiphon.index.store import FileState, Store, is_index
from antiphon.io.files import content_hash, utf8_name
from antiphon.io.notes import Notes, read_notes
from antiphon.models.corpus_embedding import read_sound
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from antiphon.types import Modality
from antiphon.version import __version__

HOP_S = 1.0


@dataclass
class BuildReport:
    """Counts of one build: files, and windows of the files embedded.

    `taken_over` are new names of content that the index held: renamed, moved or copied files. `removed` counts those
    that are gone and did not get another name. `empty_windows` were left out because nothing sounds in them.
    """

    embedded: int = 0
    unchanged: int = 0
    taken_over: int = 0
    removed: int = 0
    windows: int = 0
    empty_windows: int = 0
    failed: list[UnreadableInput] = field(default_factory=list)


def build_index(
    folders: Sequence[str | Path],
    embedder: Embedder,
    model: str,
    out: str | Path,
    only: Modality | None = None,
    works: Works | None = None,
    exact_below: int = EXACT_BELOW,
) -> BuildReport:
    """Bring an index up to date with every sound and note file below the folders; `only` takes one kind.

    Content already held is not embedded again, whatever its file is called now; files that changed are, files that are
    gone from these folders are dropped. Files that failed are tried again when they change, or when the version of the
    package does. A build that was stopped goes on where it was. `works` tells which files perform one work, see
    `antiphon.index.metadata`; what earlier builds knew of a file is kept where this one knows nothing. At the end all
    that a search reads is made. Raises `AntiphonError` when a folder is missing, holds no such file and never did,
    the index belongs to another model, or the table of works cannot be used.
    """
    kinds: tuple[Modality, ...] = ("audio", "notes") if only is None else (only,)
    found = {folder: _find(folder, kinds) for folder in map(Path, folders)}
    roots = [folder.resolve() for folder in found]
    indexed_before = _paths_in(out)
    for folder, files in found.items():
        if not files and not any(Path(path).is_relative_to(folder.resolve()) for path in indexed_before):
            raise AntiphonError(f"{folder}: no {' or '.join(kinds)} files below it")
    wanted = {path: kind for files in found.values() for path, kind in files}
    about, faults = describe(wanted, works)
    report = BuildReport(failed=faults)
    with Store(out, create=True, exact_below=exact_below) as store:
        store.claim(embedder, model, HOP_S)
        store.add_roots(root if root.is_dir() else root.parent for root in roots)
        known = _Known(store)
        for path, kind in track(sorted(wanted.items()), "indexing"):
            try:
                _bring_up_to_date(path, kind, embedder, store, known, report)
            except OSError as error:  # not permitted, or removed meanwhile
                report.failed.append(UnreadableInput(path, f"it cannot be opened ({error.strerror})"))
        gone = [
            path
            for path in {*store.known(), *store.failed()}
            if any(Path(path).is_relative_to(root) for root in roots) and not Path(path).exists()
        ]
        if gone:
            store.remove(gone)
            report.removed = len(gone)
        store.describe({name: about[path] for name in store.known() if (path := Path(name)) in about})
        for kind in store.counts():
            _ = store.library(kind).neighbours
    return report


class _Known:
    """What an index holds, kept up with during a build."""

    def __init__(self, store: Store) -> None:
        self.held, self.failed = store.known(), store.failed(__version__)
        self.by_content = {content: path for path, (_, content) in self.held.items()}

    def put(self, path: str, state: FileState, content: str) -> None:
        """A file is held now, instead of what was held under its name."""
        self.drop(path)
        self.held[path] = state, content
        self.by_content[content] = path

    def drop(self, path: str) -> None:
        """A file is not held any more."""
        _, content = self.held.pop(path, (None, ""))
        if self.by_content.get(content) == path:
            del self.by_content[content]


def _paths_in(out: str | Path) -> set[str]:
    """Every path that an index knows; none where there is no index yet."""
    if not is_index(out):
        return set()
    with Store(out, create=True) as store:  # which may have been stopped before its first file
        return {*store.known(), *store.failed()}


def _find(folder: Path, kinds: tuple[Modality, ...]) -> list[tuple[Path, Modality]]:
    if not folder.exists():
        raise AntiphonError(f"{folder}: no such folder")
    # Links are kept under their own names, so that one that is removed is seen to be gone.
    return [(path, kind) for kind in kinds for path in files_below(folder.resolve(), SUFFIXES[kind])]


def _bring_up_to_date(
    path: Path,
    kind: Modality,
    embedder: Embedder,
    store: Store,
    known: _Known,
    report: BuildReport,
) -> None:
    try:
        name, state = utf8_name(path), FileState.of(path)
    except UnreadableInput as error:
        report.failed.append(error)
        return
    before, content_before = known.held.get(name, (None, ""))
    if before == state:
        report.unchanged += 1
        return
    if name in known.failed and known.failed[name][0] == state:
        report.failed.append(UnreadableInput(path, known.failed[name][1]))
        return
    content = content_hash(path)
    if content == content_before:
        store.touch(name, state)
        report.unchanged += 1
        return
    other = known.by_content.get(content)
    if other is not None and kind_of(other) == kind:
        gone = not Path(other).exists()
        store.take_over(name, state, other, gone)
        if gone:
            known.drop(other)
        known.put(name, state, content)
        report.taken_over += 1
        return
    try:
        file = embed_file(path, kind, embedder, HOP_S)
    except UnreadableInput as error:
        if not isinstance(error, MissingDecoder):  # which may be installed by the next time
            store.put_failure(name, state, error.reason)
            known.drop(name)
        report.failed.append(error)
        return
    kept = np.flatnonzero(np.any(file.vectors, axis=1))
    store.put(name, kind, state, content, file.duration_s, file.starts_s[kept], file.vectors[kept], file.notes)
    known.put(name, state, content)
    report.embedded += 1
    report.windows += len(kept)
    report.empty_windows += len(file.starts_s) - len(kept)


@dataclass(frozen=True, eq=False)
class EmbeddedFile:
    """Windows of a file: starts float64 [n] in seconds and vectors float32 [n, D]; of a note file its notes."""

    duration_s: float
    starts_s: NDArray[np.float64]
    vectors: NDArray[np.float32]
    notes: Notes | None


def embed_file(path: str | Path, kind: Modality, embedder: Embedder, hop_s: float) -> EmbeddedFile:
    """Every window of a file. Raises `UnreadableInput` when nothing in it can be embedded."""
    path = Path(path)
    grid = WindowGrid(embedder.window_s, hop_s, None)
    notes = None
    if kind == "audio":
        samples = read_sound(path, embedder.sample_rate_hz, embedder.window_s)
        duration_s = len(samples) / embedder.sample_rate_hz
        starts = grid.starts_s(duration_s)
        vectors = embedder.embed_audio_windows(samples, starts)
    else:
        notes = read_notes(path)
        # A piece shorter than a window still fills one: beyond its last note there is silence, which is known.
        duration_s = max(embedder.window_s, notes.end_s)
        starts = grid.starts_s(duration_s)
        vectors = embedder.embed_notes_windows(notes, starts)
    if not np.any(vectors):
        raise UnreadableInput(path, "nothing sounds in any of its windows")
    return EmbeddedFile(duration_s, starts, vectors, notes)
