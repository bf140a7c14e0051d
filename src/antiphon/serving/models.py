"""What the API takes and gives, as OpenAPI describes it. Seconds everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, computed_field
from pydantic.dataclasses import dataclass

from antiphon.alignment.confidence import LIKELY
from antiphon.index.match import Match
from antiphon.serving.errors import Problem

Modality = Literal["audio", "notes"]
Status = Literal["queued", "running", "done", "failed"]
Stage = Literal["waiting", "beginning", "whole"]
Words = Literal["almost certainly", "very likely", "likely", "doubtful"]

LONGEST_FILE_S = 86_400.0
SHORTEST_QUERY_S = 3.0


class Recording(BaseModel):
    """A file of the library; `file` is its path from the folder on that all files share."""

    id: int
    kind: Modality
    file: str
    composer: str
    title: str
    work: str
    duration_s: float


class Recordings(BaseModel):
    """A part of the recordings that fit; `total` is how many do."""

    total: int
    items: list[Recording]


class Composer(BaseModel):
    composer: str
    recordings: int


class Failure(BaseModel):
    """A file that is not held, and why."""

    file: str
    reason: str


Note = Annotated[
    tuple[float, float, int, int],
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}),
]


class NotesOfRange(BaseModel):
    """Notes that sound within a range: onset in seconds from the beginning of the file, duration, pitch, velocity."""

    start_s: float
    length_s: float
    notes: list[Note]


class Point(BaseModel):
    id: int
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class Map(BaseModel):
    """The library as the model hears it, from above: `of` gives each point's place in `composers`."""

    points: list[Point]
    composers: list[str]
    of: list[int]


@dataclass(frozen=True, kw_only=True)
class RatedMatch(Match):
    """The match record, whose `file` is named as the library names it, with the confidence in words."""

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
    """A match of a search, in a recording of the library."""

    recording: Recording


class QueryFacts(BaseModel):
    """What was asked with: the whole file's length, and the stretch of it that is searched."""

    name: str
    kind: Modality
    duration_s: float
    start_s: float
    length_s: float
    recording: int | None = None


class Search(BaseModel):
    """A search and what it has found so far; `ahead` counts those that come before it."""

    id: str
    status: Status
    ahead: int
    stage: Stage
    query: QueryFacts
    against: Modality
    provisional: bool
    hits: list[Hit]
    seconds: float
    error: Problem | None


class JobResult(BaseModel):
    """What a job has done: files added, files that were there already, files that cannot be used, pairs found."""

    added: list[Recording] = []
    unchanged: list[str] = []
    failed: list[Failure] = []
    pairs: int = 0


class Job(BaseModel):
    """Long work on the library: `done` of `total` steps of what `message` names."""

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
    """Seconds `query_start_s` to `query_end_s` of the sound are `start_s` to `end_s` of the notes."""

    audio: Recording
    notes: Recording


class Pairs(BaseModel):
    """The pairs that were found last, and the job that looks for them, if one does."""

    pairs: list[Pair]
    job: str | None


class Counts(BaseModel):
    """Recordings of each kind."""

    audio: int
    notes: int


class HealthLimits(BaseModel):
    upload_bytes: int
    query_s: float
    clip_s: float


class Health(BaseModel):
    """What is being served; `index` counts recordings of each kind, `uploads` says whether files can be added."""

    status: Literal["ok"]
    version: str
    index: Counts
    model: str
    hours: float
    limits: HealthLimits
    uploads: bool


class SearchOptions(BaseModel):
    """How to search. `against` is by default the other kind than the query's."""

    model_config = ConfigDict(extra="forbid")

    start_s: float = Field(0.0, ge=0, le=LONGEST_FILE_S, allow_inf_nan=False)
    length_s: float | None = Field(None, ge=SHORTEST_QUERY_S, le=LONGEST_FILE_S, allow_inf_nan=False)
    top: int = Field(10, ge=1, le=50)
    against: Modality | None = None
    composer: str = Field("", max_length=200)
    by_work: bool = False
    transpose: bool = False


class SearchByRecording(SearchOptions):
    """Search with a file of the library."""

    recording: int = Field(ge=0, le=2**53)


class SearchByFile(SearchOptions):
    """Search with a sound or note file: the form that a browser sends."""

    file: str = Field(json_schema_extra={"format": "binary", "contentMediaType": "application/octet-stream"})
