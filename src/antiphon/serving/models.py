"""Request and response models of the API, as OpenAPI describes them. All times are seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, computed_field
from pydantic.dataclasses import dataclass

from antiphon.alignment.confidence import LIKELY
from antiphon.index import hints
from antiphon.index.match import Match
from antiphon.serving.errors import Problem

Modality = Literal["audio", "notes"]
Status = Literal["queued", "running", "done", "failed"]
Stage = Literal["waiting", "beginning", "whole"]
Words = Literal["almost certainly", "very likely", "likely", "doubtful"]

LONGEST_FILE_S = 86_400.0
SHORTEST_QUERY_S = 3.0


class Recording(BaseModel):
    """A file of the library. `file` is its path relative to the common folder of all files."""

    id: int
    kind: Modality
    file: str
    composer: str
    title: str
    work: str
    duration_s: float


class Recordings(BaseModel):
    """One page of the selected recordings; `total` is their number."""

    total: int
    items: list[Recording]


class Composer(BaseModel):
    composer: str
    recordings: int


class Failure(BaseModel):
    """A file that is not in the library, and the reason."""

    file: str
    reason: str


Note = Annotated[
    tuple[float, float, int, int],
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}),
]


class NotesOfRange(BaseModel):
    """The notes that sound within a range: onset in seconds of the file, duration in seconds, pitch, velocity."""

    start_s: float
    length_s: float
    notes: list[Note]


class Point(BaseModel):
    id: int
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class Map(BaseModel):
    """A map of the library by similarity. `of` gives the index of each point's composer in `composers`."""

    points: list[Point]
    composers: list[str]
    of: list[int]


@dataclass(frozen=True, kw_only=True)
class RatedMatch(Match):
    """A match with the confidence in words. `file` is the name in the library."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def likely(self) -> bool:
        return self.confidence >= LIKELY

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> Words:
        if self.confidence >= 0.95:
            return "almost certainly"
        if self.confidence >= 0.8:
            return "very likely"
        return "likely" if self.likely else "doubtful"


@dataclass(frozen=True, kw_only=True)
class Hit(RatedMatch):
    """A match of a search with its recording of the library."""

    recording: Recording


@dataclass(frozen=True)
class Hint(hints.Hint):
    """A reason why a search may not have found the music. `option` of `antiphon search` may help; empty for none."""


class QueryFacts(BaseModel):
    """The query: length of the whole file, and start and length of the stretch that is searched with."""

    name: str
    kind: Modality
    duration_s: float
    start_s: float
    length_s: float
    recording: int | None = None


class Search(BaseModel):
    """A search and its matches so far. `ahead` is the number of searches before it in the queue.

    Where a finished search has found nothing likely, `hints` name what may help.
    """

    id: str
    status: Status
    ahead: int
    stage: Stage
    query: QueryFacts
    against: Modality
    provisional: bool
    hits: list[Hit]
    hints: list[Hint]
    seconds: float
    error: Problem | None


class JobResult(BaseModel):
    """The result of a job: added files, files already in the library, files that cannot be used, number of pairs."""

    added: list[Recording] = []
    unchanged: list[str] = []
    failed: list[Failure] = []
    pairs: int = 0


class Job(BaseModel):
    """Long work on the library: `done` of `total` steps of the task that `message` names."""

    id: str
    kind: Literal["add", "pair"]
    status: Status
    done: int
    total: int
    message: str
    error: Problem | None
    result: JobResult | None


@dataclass(frozen=True, kw_only=True)
class Pair(RatedMatch):
    """A pair: seconds `query_start_s` to `query_end_s` of the audio match seconds `start_s` to `end_s` of the notes.

    `confidence` says how sure it is that both are the same music, `path_confidence` how sure the times are.
    """

    path_confidence: float
    audio: Recording
    notes: Recording


class Pairs(BaseModel):
    """The pairs of the last pairing, and the id of an unfinished pairing job, if there is one."""

    pairs: list[Pair]
    job: str | None


class Counts(BaseModel):
    """The number of recordings of each modality."""

    audio: int
    notes: int


class HealthLimits(BaseModel):
    upload_bytes: int
    query_s: float
    clip_s: float


class Health(BaseModel):
    """The served library. `index` counts recordings of each modality; `uploads` says whether files can be added."""

    status: Literal["ok"]
    version: str
    index: Counts
    model: str
    hours: float
    limits: HealthLimits
    uploads: bool


class SearchOptions(BaseModel):
    """Options of a search. `against` is by default the other modality than the query's."""

    model_config = ConfigDict(extra="forbid")

    start_s: float = Field(0.0, ge=0, le=LONGEST_FILE_S, allow_inf_nan=False)
    length_s: float | None = Field(None, ge=SHORTEST_QUERY_S, le=LONGEST_FILE_S, allow_inf_nan=False)
    top: int = Field(10, ge=1, le=50)
    against: Modality | None = None
    composer: str = Field("", max_length=200)
    by_work: bool = False
    transpose: bool = False


class SearchByRecording(SearchOptions):
    """Search with a file of the library as query."""

    recording: int = Field(ge=0, le=2**53)


class SearchByFile(SearchOptions):
    """Search with an uploaded audio or note file."""

    file: str = Field(json_schema_extra={"format": "binary", "contentMediaType": "application/octet-stream"})
