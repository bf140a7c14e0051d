"""An immutable snapshot of an index, shared by all threads and replaced after changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from antiphon.index.library import Index
from antiphon.index.metadata import FileMetadata
from antiphon.index.view import IndexView
from antiphon.models.protocol import Embedder
from antiphon.serving import models
from antiphon.serving.errors import ServingError
from antiphon.types import Modality
from antiphon.wording import printable


@dataclass(frozen=True)
class Snapshot:
    """Recordings sorted by file, the searchable libraries, and the files that could not be indexed."""

    recordings: tuple[models.Recording, ...]
    paths: Mapping[int, Path]
    libraries: Mapping[Modality, IndexView]
    failures: tuple[models.Failure, ...]

    @cached_property
    def by_id(self) -> dict[int, models.Recording]:
        return {one.id: one for one in self.recordings}

    @cached_property
    def by_path(self) -> dict[str, models.Recording]:
        return {str(self.paths[one.id]): one for one in self.recordings}

    @cached_property
    def counts(self) -> models.Counts:
        counted = Counter(one.kind for one in self.recordings)
        return models.Counts(audio=counted["audio"], notes=counted["notes"])

    @cached_property
    def hours(self) -> float:
        return sum(one.duration_s for one in self.recordings) / 3600

    def recording(self, id_: int) -> tuple[models.Recording, Path]:
        """A recording and its path. Raises `ServingError` 404."""
        if id_ not in self.by_id:
            raise ServingError(404, "no_recording", f"there is no recording {id_}; /api/recordings lists them")
        return self.by_id[id_], self.paths[id_]

    def select(self, text: str, kind: Modality | None, composer: str) -> list[models.Recording]:
        """Recordings with every word of `text` in file, composer or title, and `composer` in the composer's name."""
        words, part = text.casefold().split(), composer.casefold()
        return [
            one
            for one in self.recordings
            if (kind is None or one.kind == kind)
            and part in one.composer.casefold()
            and all(word in f"{one.file}\n{one.composer}\n{one.title}".casefold() for word in words)
        ]


def open_snapshot(folder: Path, embedder: Embedder) -> Snapshot:
    """Read an index. Raises `AntiphonError` where it is not an index or was built with another model."""
    with Index.open(folder, model=embedder) as index:
        held, about, failed = index.recordings(), index.metadata(), index.failures()
        libraries = {kind: index.view(kind) for kind in index.modalities()}
    for library in libraries.values():
        _ = library.neighbours
    named = names_within([*(Path(one.path) for one in held), *map(Path, failed)])
    recordings = []
    for one in held:
        known = about.get(one.path, FileMetadata())
        recordings.append(
            models.Recording(
                id=one.id,
                kind=one.kind,
                file=named[Path(one.path)],
                composer=known.composer,
                title=known.title,
                work=known.work,
                duration_s=round(one.duration_s, 3),
            )
        )
    return Snapshot(
        recordings=tuple(recordings),
        paths={one.id: Path(one.path) for one in held},
        libraries=libraries,
        failures=tuple(
            models.Failure(file=named[Path(path)], reason=reason) for path, reason in sorted(failed.items())
        ),
    )


def names_within(paths: Sequence[PurePath]) -> dict[PurePath, str]:
    """Paths relative to their deepest common folder, with slashes; absolute where they lie on several drives.

    >>> list(names_within([PurePath("/music/a.mid"), PurePath("/music/deeper/b.mid")]).values())
    ['a.mid', 'deeper/b.mid']
    """
    folders = [{path.parent, *path.parent.parents} for path in paths]
    common = set.intersection(*folders) if folders else set()
    root = max(common, key=lambda folder: len(folder.parts), default=None)
    return {path: printable((path if root is None else path.relative_to(root)).as_posix()) for path in paths}
