"""Fill an index from folders: embed each file once, record unreadable ones, follow changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError, InputWarning, UnreadableInput, collect_input_warnings
from antiphon.index.embedding import embed_file
from antiphon.index.metadata import Works, describe
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.presence import presence
from antiphon.index.store import FileState, Rename, Store, is_index
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
    renamed : int
        Files whose content the index contained under a path that no longer has it: renamed or moved files.
    copied : int
        Files whose content the index contains under another path as well.
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
    renamed: int = 0
    copied: int = 0
    removed: int = 0
    windows: int = 0
    empty_windows: int = 0
    failed: list[UnreadableInput] = field(default_factory=list)
    warnings: list[InputWarning] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def usable(self) -> int:
        """The number of the given files that the index contains now."""
        return self.embedded + self.unchanged + self.renamed + self.copied

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
        renamed = _follow_renames(listing.files, store, known)
        report.renamed = len(renamed)
        with collect_input_warnings(report.warnings):
            for path, kind in track(list(listing.files.items()), "indexing"):
                if path in renamed:
                    continue
                try:
                    _bring_up_to_date(path, kind, embedder, store, known, report)
                except OSError as error:  # not permitted, or removed meanwhile
                    report.failed.append(UnreadableInput(path, f"it cannot be opened ({error.strerror})"))
        below = {path for path in (*store.known(), *store.failed()) if _roots_above(path, roots)}
        gone = {path for path in below if presence(path) == "gone"}
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
        self.read: dict[str, str] = {}
        """Path → content hash, of the files that this build has read already."""

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


def _follow_renames(files: Mapping[Path, Modality], store: Store, known: _Known) -> set[Path]:
    """Give the vectors of renamed files to their new paths; returns these.

    All change at once, because files that exchange their names, or whose numbers shift by one, take each other's paths.
    Of the files that are new or have changed, those are read whose size is that of a file that is gone or has changed.
    """
    if not known.held:
        return set()
    states: dict[str, FileState] = {}
    for path in files:
        with suppress(UnreadableInput, OSError):  # named as a failure afterwards
            states[utf8_name(path)] = FileState.of(path)
    left = {
        name: content
        for name, (state, content) in known.held.items()
        if (states[name] != state if name in states else presence(name) == "gone")
    }
    sizes = {known.held[name][0].size for name in left}
    arrived = {
        name: path
        for path in files
        if (name := str(path)) in states
        and states[name].size in sizes
        and (name not in known.held or known.held[name][0] != states[name])
    }
    for name, path in track(list(arrived.items()), "comparing"):
        with suppress(OSError):
            known.read[name] = content_hash(path)
            if left.get(name) == known.read[name]:
                del left[name]  # it has a new time only
    by_content: dict[str, list[str]] = defaultdict(list)
    for name, content in left.items():
        by_content[content].append(name)
    renames = []
    for name, path in arrived.items():
        before = by_content.get(known.read.get(name, ""), [])
        fitting = [old for old in before if old != name and modality_of_name(old) in (None, files[path])]
        if fitting:
            before.remove(fitting[0])
            renames.append(Rename(fitting[0], name, states[name]))
    done = store.rename(renames) if renames else []
    for one in renames:
        known.drop(one.old)
    for one in done:
        known.put(one.new, one.state, known.read[one.new])
    return {arrived[one.new] for one in done}


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
    content = known.read.get(name) or content_hash(path)
    if content == content_before:
        store.touch({name: state})
        report.unchanged += 1
        return
    other = known.by_content.get(content)
    if other is not None and modality_of_name(other) in (None, kind):
        store.copy(name, state, other)
        known.put(name, state, content)
        report.copied += 1
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
