"""The state of a running server: model, library, searches, jobs, decoders."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index.library import Index
from antiphon.index.pairing import pair_recordings
from antiphon.index.pairing_result import Pairing
from antiphon.index.search import search_library
from antiphon.io.audio import write_flac
from antiphon.io.notes import Notes, write_midi
from antiphon.models.protocol import Embedder
from antiphon.rendering.additive import AdditivePiano
from antiphon.serving import models
from antiphon.serving.clips import Clips
from antiphon.serving.decoder_pool import Decoders
from antiphon.serving.errors import ServingError
from antiphon.serving.ingest import Received, add_files
from antiphon.serving.jobs import Jobs
from antiphon.serving.library_map import draw_map
from antiphon.serving.limits import Gate, Limits
from antiphon.serving.metrics import Metrics
from antiphon.serving.searches import Searches
from antiphon.serving.snapshot import Snapshot, open_snapshot

_log = logging.getLogger("antiphon.serving")
_TIDY_EVERY_S = 30.0
_CONCURRENT_ALIGNMENTS = 1  # each takes a core and a few hundred MB


@dataclass(frozen=True)
class Settings:
    """Settings of a server.

    `token` is the secret that clients must send, None where only this computer can connect. `hosts` are the accepted
    host names, empty for any. `uploads` says whether files may be added to the library.
    """

    index: Path
    token: str | None = None
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    uploads: bool = True
    workers: int = 2
    limits: Limits = field(default_factory=Limits)


class Service:
    """Opens everything at construction, so that errors appear at once; `start` starts threads and processes.

    Raises `AntiphonError` where the index cannot be searched with `embedder`.
    """

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        self.settings, self.embedder = settings, embedder
        self.snapshot: Snapshot = open_snapshot(settings.index, embedder)
        self.metrics = Metrics()
        self._folder = tempfile.TemporaryDirectory(prefix="antiphon-")
        self.temporary = Path(self._folder.name)
        self.decoders = Decoders(settings.limits)
        self.clips = Clips(settings.limits, self.decoders, self.temporary)
        self.aligning = Gate("aligned notes", _CONCURRENT_ALIGNMENTS, 32, settings.limits.align_wait_s)
        self.searches = Searches(
            settings.limits, embedder, lambda: self.snapshot, self.metrics, self.temporary, settings.workers
        )
        self.jobs = Jobs(settings.limits)
        self.pairs: tuple[models.Pair, ...] = ()
        self._map: tuple[Snapshot, models.Map] | None = None
        self._map_lock = threading.Lock()
        self._stopping = threading.Event()
        self._tidying = threading.Thread(target=self._tidy, name="tidy")

    def start(self) -> None:
        """Start the threads and processes."""
        self.decoders.start()
        self.searches.start()
        self.jobs.start()
        self._tidying.start()

    def stop(self) -> None:
        """Stop the threads and processes, and delete all uploads."""
        self._stopping.set()
        self.searches.stop()
        self.jobs.stop()
        self.decoders.stop()
        self._tidying.join()
        self._folder.cleanup()

    def warm_up(self) -> None:
        """Search once with audio and once with notes, so that later searches do not pay for first-use costs."""
        notes = Notes.of([0.5 * n for n in range(20)], [0.4] * 20, [60 + n % 12 for n in range(20)], [80] * 20)
        with tempfile.TemporaryDirectory(dir=self.temporary) as folder:
            paths = Path(folder) / "scale.flac", Path(folder) / "scale.mid"
            write_flac(paths[0], AdditivePiano(24_000).render(notes, 10.0), 24_000)
            write_midi(notes, paths[1])
            for kind, library in self.snapshot.libraries.items():
                try:
                    search_library(paths[kind == "audio"], library, self.embedder)
                except AntiphonError as error:
                    _log.warning("the first search failed: %s", error)

    def map(self) -> models.Map:
        """The map of the library, computed once per snapshot."""
        with self._map_lock:
            snapshot = self.snapshot
            if self._map is None or self._map[0] is not snapshot:
                self._map = snapshot, draw_map(snapshot)
            return self._map[1]

    def start_adding(self, received: Sequence[Received], folder: Path) -> models.Job:
        """Start a job that adds the files in `folder` and then deletes the folder. Raises `Busy`."""

        def work() -> models.JobResult:
            try:
                added = add_files(received, self.settings.index, self.embedder, self.decoders)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            self.snapshot = snapshot = open_snapshot(self.settings.index, self.embedder)
            return models.JobResult(
                added=[snapshot.by_path[path] for path in added.paths if path in snapshot.by_path],
                unchanged=list(added.unchanged),
                failed=list(added.failed),
            )

        return self.jobs.add("add", work)

    def start_pairing(self) -> models.Job:
        """Start a job that pairs audio and notes, or return the unfinished one.

        Raises `ServingError` 409 where the library lacks either modality, and `Busy`.
        """
        if (running := self.jobs.unfinished("pair")) is not None:
            return running
        for kind, name in (("audio", "recordings"), ("notes", "note files")):
            if kind not in self.snapshot.libraries:
                raise ServingError(409, "nothing_to_pair", f"the library has no {name}; add some first")
        return self.jobs.add("pair", self._pair)

    def _pair(self) -> models.JobResult:
        snapshot = self.snapshot
        with Index.open(self.settings.index, model=self.embedder) as index:
            sound = [Path(path) for path in snapshot.libraries["audio"].paths]
            found = pair_recordings(sound, index.store, self.embedder)
        self.pairs = tuple(_shown_pairs(found, snapshot))
        failed = [models.Failure(file=_name(error, snapshot), reason=error.reason) for error in found.skipped]
        return models.JobResult(pairs=len(self.pairs), failed=failed)

    def _tidy(self) -> None:
        while not self._stopping.wait(_TIDY_EVERY_S):
            self.searches.tidy()


def _shown_pairs(found: Pairing, snapshot: Snapshot) -> list[models.Pair]:
    return [
        models.Pair(
            **one.match_fields() | {"file": snapshot.by_path[one.file].file},
            path_confidence=one.path_confidence,
            audio=snapshot.by_path[one.recording],
            notes=snapshot.by_path[one.file],
        )
        for one in found.pairs
        if one.recording in snapshot.by_path and one.file in snapshot.by_path
    ]


def _name(error: UnreadableInput, snapshot: Snapshot) -> str:
    known = snapshot.by_path.get(os.fspath(error.path))
    return known.file if known else error.path.name
