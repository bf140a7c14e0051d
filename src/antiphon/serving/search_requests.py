"""Search requests and their execution: first with the beginning of a long query, then with the whole query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from antiphon.index.hints import hints_for
from antiphon.index.match import Match
from antiphon.index.presence import presence
from antiphon.index.search import SearchOptions, default_modality, search_library
from antiphon.index.view import ALL, Filters
from antiphon.models.protocol import Embedder
from antiphon.serving import models
from antiphon.serving.errors import ServingError
from antiphon.serving.snapshot import Snapshot
from antiphon.types import Modality

FIRST_S = 10.0


@dataclass(frozen=True)
class SearchRequest:
    """A query: the stretch of `path` that starts at `start_s` and lasts `length_s`.

    `path` is the uploaded file or a file of the library. `searched_path` is the file to search with: the decoded audio
    of the stretch, which starts at second `searched_from_s` of `path`, or the note file itself.
    """

    name: str
    path: Path
    kind: Modality
    duration_s: float
    start_s: float
    length_s: float
    searched_path: Path
    searched_from_s: float
    against: Modality
    options: models.SearchOptions
    recording: int | None = None

    @property
    def stages(self) -> tuple[models.Stage, ...]:
        """The stages of the search, in order."""
        return ("beginning", "whole") if self.length_s > FIRST_S + models.SHORTEST_QUERY_S else ("whole",)

    @property
    def filters(self) -> Filters:
        return Filters(composer=self.options.composer) if self.options.composer else ALL

    @property
    def searched_length_s(self) -> float | None:
        """The length of the stretch within `searched_path`; None where that ends with the stretch."""
        return self.length_s if self.kind == "notes" else None

    @property
    def search_options(self) -> SearchOptions:
        return SearchOptions(
            self.options.top,
            self.options.by_work,
            against=self.against,
            filters=self.filters,
            transpose=self.options.transpose,
        )

    def facts(self) -> models.QueryFacts:
        return models.QueryFacts(
            name=self.name,
            kind=self.kind,
            duration_s=round(self.duration_s, 3),
            start_s=self.start_s,
            length_s=round(self.length_s, 3),
            recording=self.recording,
        )


def check_against(kind: Modality, options: models.SearchOptions, snapshot: Snapshot) -> Modality:
    """The modality to search: the requested one, else the other one than the query's, else the query's own.

    Raises `ServingError` 422 where the library has no such files, and `AntiphonError` for an unknown composer.
    """
    against = options.against or default_modality(kind, snapshot.libraries)
    if against not in snapshot.libraries:
        held = " and ".join(snapshot.libraries) or "no files yet"
        raise ServingError(422, "nothing_to_search", f"the library has no {against} to search; it has {held}")
    if options.composer:
        snapshot.libraries[against].among(Filters(composer=options.composer))
    return against


def answer(search_request: SearchRequest, stage: models.Stage, snapshot: Snapshot, embedder: Embedder) -> list[Match]:
    """The matches of one stage of a request. Query times are seconds from the beginning of the query's file."""
    offset_s = search_request.searched_from_s
    hits = search_library(
        search_request.searched_path,
        snapshot.libraries[search_request.against],
        embedder,
        search_request.start_s - offset_s,
        FIRST_S if stage == "beginning" else search_request.searched_length_s,
        search_request.search_options,
    )
    return [
        replace(
            hit,
            query_start_s=round(hit.query_start_s + offset_s, 3),
            query_end_s=round(hit.query_end_s + offset_s, 3),
        )
        for hit in hits
    ]


def hints(search_request: SearchRequest, snapshot: Snapshot, embedder: Embedder) -> list[models.Hint]:
    """Hints for a request that has found nothing likely."""
    found = hints_for(
        search_request.searched_path,
        snapshot.libraries,
        embedder,
        search_request.start_s - search_request.searched_from_s,
        search_request.searched_length_s,
        search_request.search_options,
        search_request.searched_from_s,
    )
    shown = [models.Hint(**hint.as_dict()) for hint in found]
    paths = snapshot.libraries[search_request.against].paths
    if gone := sum(presence(path) != "present" for path in paths):
        shown.append(models.Hint(f"{gone} of {len(paths)} files of the library are gone or cannot be reached"))
    return shown


def shown(hits: list[Match], snapshot: Snapshot) -> Iterator[models.Hit]:
    """Matches as the API returns them, without those whose file is no longer in the library."""
    for hit in hits:
        recording = snapshot.by_path.get(hit.file)
        if recording is not None:
            yield models.Hit(**hit.match_fields() | {"file": recording.file}, gone=hit.gone, recording=recording)
