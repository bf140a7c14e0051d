"""Fill an index from folders: embed each file once, record unreadable ones, follow changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError, InputWarning, UnreadableInput, collect_input_warnings
from antiphon.index.embedding import embed_file
from antiphon.index.metadata import Works, describe
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.store import FileState, Store, is_index
from antiphon.io.files import content_hash, utf8_name
from antiphon.io.folders import LeftOut, Listing, list_folders
from antiphon.io.kinds import modality_of_input, modality_of_name
from antiphon.io.readers import readers_version
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from antiphon.types import MODALITIES, Modality

HOP_S = 1.0


@dataclass
class BuildReport:
    """Counts of one build.

    Attributes
    ----------
    embedded, unchanged : int
        Files that were embedded, and files that the index contained as they are.
    taken_over : int
        New names of content that the index contained: renamed, moved or copied files.
    removed : int
        Files that no longer exist under any name.
    windows, empty_windows : int
        Windows of the embedded files; empty ones are silent or without notes and were left out.
    failed : list of UnreadableInput
        Files and folders that cannot be used, with the reasons.
    warnings : list of InputWarning
        Files that were embedded, but in part or with an assumption.
    left_out : LeftOut
        Numbers of files of other kinds and of links that were not followed.

    Examples
    --------
    >>> import antiphon
    >>> report = antiphon.BuildReport(embedded=2, windows=80, left_out=antiphon.LeftOut({".jpg": 1}))
    >>> report.as_dict()["failed"], str(report.left_out)
    ([], '1 file left out: 1 .jpg')
    """

    embedded: int = 0
    unchanged: int = 0
    taken_over: int = 0
    removed: int = 0
    windows: int = 0
    empty_windows: int = 0
    failed: list[UnreadableInput] = field(default_factory=list)
    warnings: list[InputWarning] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON; each failed file and each warning is a line of text."""
        return vars(self) | {
            "failed": [str(error) for error in self.failed],
            "warnings": [str(warning) for warning in self.warnings],
            "left_out": self.left_out.as_dict(),
        }


def build_index(
    folders: Sequence[str | Path],
    embedder: Embedder,
    model: str,
    out: str | Path,
    only: Modality | None = None,
    works: Works | None = None,
    exact_below: int = EXACT_BELOW,
    follow_links: bool = False,
) -> BuildReport:
    """Bring an index up to date with every audio and note file below the folders; `only` takes one modality.

    `follow_links` follows links to folders, each folder once. Content that the index contains is not embedded again,
    even under a new name; changed files are embedded, and files that no longer exist in these folders are dropped.
    Files that failed are tried again when they change, or when the readers of files have changed. A build that was
    stopped continues. `works` says which files perform one work, see `antiphon.index.metadata`; metadata from earlier
    builds is kept where this one has none. At the end the derived files are made. Raises `AntiphonError` when a folder
    is missing, contains no such file and never did, the index was built with another model, or the table of works
    cannot be used.
    """
    if not folders:
        raise AntiphonError("no folders were given to index; give at least one folder or file")
    kinds = MODALITIES if only is None else (only,)
    roots = {_resolved(Path(folder)): folder for folder in folders}
    found = _find(roots, follow_links, Path(out).resolve())
    listing = found.only(kinds)
    with_files = {root for path in [*map(str, listing.files), *_paths_in(out)] for root in _roots_above(path, roots)}
    for root, folder in roots.items():
        if root not in with_files:
            instead = f"; {listing.left_out}" if listing.left_out else ""
            raise AntiphonError(f"{folder}: no {' or '.join(kinds)} files below it{instead}")
    about, faults = describe(listing.files, works)
    report = BuildReport(failed=[*listing.faults, *faults], left_out=listing.left_out)
    with Store(out, create=True, exact_below=exact_below) as store:
        store.claim(embedder, model, HOP_S)
        store.write_place()
        store.add_roots(root if root.is_dir() else root.parent for root in roots)
        known = _Known(store)
        with collect_input_warnings(report.warnings):
            for path, kind in track(list(listing.files.items()), "indexing"):
                try:
                    _bring_up_to_date(path, kind, embedder, store, known, report)
                except OSError as error:  # not permitted, or removed meanwhile
                    report.failed.append(UnreadableInput(path, f"it cannot be opened ({error.strerror})"))
        below = {path for path in (*store.known(), *store.failed()) if _roots_above(path, roots)}
        gone = {path for path in below if _is_gone(Path(path))}
        no_longer_tried = {path for path in below & store.failed().keys() if Path(path) not in found.files}
        if gone | no_longer_tried:
            store.remove(gone | no_longer_tried)
            report.removed = len(gone)
        store.describe({name: about[path] for name in store.known() if (path := Path(name)) in about})
        for kind in store.counts():
            _ = store.library(kind).neighbours
    return report


class _Known:
    """The contents of an index during a build."""

    def __init__(self, store: Store) -> None:
        self.held, self.failed = store.known(), store.failed(readers_version())
        self.by_content = {content: path for path, (_, content) in self.held.items()}

    def put(self, path: str, state: FileState, content: str) -> None:
        """Record that a file is in the index, in place of an earlier one of that name."""
        self.drop(path)
        self.held[path] = state, content
        self.by_content[content] = path

    def drop(self, path: str) -> None:
        """Record that a file is no longer in the index."""
        _, content = self.held.pop(path, (None, ""))
        if self.by_content.get(content) == path:
            del self.by_content[content]


def _paths_in(out: str | Path) -> set[str]:
    """Every path in the index or among its failures; none where there is no index yet."""
    if not is_index(out):
        return set()
    with Store(out, create=True) as store:  # its build may have been stopped before the first file
        return {*store.known(), *store.failed()}


def _resolved(folder: Path) -> Path:
    if not folder.exists():
        raise AntiphonError(f"{folder}: no such folder")
    return folder.resolve()


def _find(roots: Collection[Path], follow_links: bool, out: Path) -> Listing:
    """The files below the roots. Links keep their own names, so that the removal of a link is noticed."""
    folders = [root for root in roots if root.is_dir()]
    found = list_folders(folders, follow_links=follow_links, uncounted=out)
    named = {root: modality_of_input(root) for root in roots if not root.is_dir()}
    return Listing(dict(sorted((found.files | named).items())), found.left_out, found.faults)


def _roots_above(path: str, roots: Mapping[Path, object]) -> list[Path]:
    """The roots that are this path or a folder above it."""
    return [one for one in (Path(path), *Path(path).parents) if one in roots]


def _is_gone(path: Path) -> bool:
    """Whether a file does not exist; one that cannot be reached, as in a closed folder, may."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


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
    if other is not None and modality_of_name(other) in (None, kind):
        gone = _is_gone(Path(other))
        store.take_over(name, state, other, gone)
        if gone:
            known.drop(other)
        known.put(name, state, content)
        report.taken_over += 1
        return
    try:
        file = embed_file(path, kind, embedder, HOP_S)
    except UnreadableInput as error:
        store.put_failure(name, state, error.reason)
        known.drop(name)
        report.failed.append(error)
        return
    store.put(name, kind, state, content, file.duration_s, file.starts_s, file.vectors, file.notes)
    known.put(name, state, content)
    report.embedded += 1
    report.windows += len(file.vectors)
    report.empty_windows += file.empty_windows
