"""Routes about the library: what it holds, how it sounds, and adding to it."""

from __future__ import annotations

import secrets
import shutil
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from antiphon.serving import models
from antiphon.serving.errors import ServingError, answers
from antiphon.serving.ingest import Received
from antiphon.serving.routes.common import WAV, Id, Length, ServiceOf, Start, Tempo, as_wav
from antiphon.serving.service import Service
from antiphon.serving.uploads import kind_of_upload, named_uploads, read_form, safe_name, shown_name, store_upload

router = APIRouter(prefix="/api", tags=["library"])

RecordingId = Annotated[int, Path(ge=0, le=2**53)]
_FILES = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}


@router.get("/recordings", responses=answers())
async def recordings(
    service: ServiceOf,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    text: Annotated[str, Query(max_length=200, description="Words that file, composer or title hold.")] = "",
    kind: models.Modality | None = None,
    composer: Annotated[str, Query(max_length=200, description="A part of the composer's name.")] = "",
) -> models.Recordings:
    """List the recordings of the library, by the names of their files."""
    found = service.snapshot.fitting(text, kind, composer)
    return models.Recordings(total=len(found), items=found[offset : offset + limit])


@router.get("/recordings/{id}", responses=answers(404))
async def recording(service: ServiceOf, id: RecordingId) -> models.Recording:
    """One recording."""
    return service.snapshot.recording(id)[0]


@router.get(
    "/recordings/{id}/sound",
    responses=answers(404, 503) | WAV,
    response_class=Response,
)
def sound(
    service: ServiceOf, id: RecordingId, start_s: Start = 0.0, length_s: Length = None, tempo: Tempo = 1.0
) -> Response:
    """A range of a recording as sound: cut where it is sound, played where it is notes."""
    found, path = service.snapshot.recording(id)
    return as_wav(service.clips.sound(path, found.kind, found.duration_s, start_s, length_s, tempo))


@router.get("/recordings/{id}/notes", responses=answers(404, 409))
def notes(service: ServiceOf, id: RecordingId, start_s: Start = 0.0, length_s: Length = None) -> models.NotesOfRange:
    """The notes that sound in a range of a recording; 409 where it is sound."""
    found, path = service.snapshot.recording(id)
    return service.clips.notes(path, found.kind, found.duration_s, start_s, length_s)


@router.get("/composers", responses=answers())
async def composers(service: ServiceOf) -> list[models.Composer]:
    """The composers that are known, with how many recordings each has."""
    counted = Counter(one.composer for one in service.snapshot.recordings if one.composer)
    return [models.Composer(composer=name, recordings=count) for name, count in sorted(counted.items())]


@router.get("/failures", responses=answers())
async def failures(service: ServiceOf) -> list[models.Failure]:
    """Files that could not be indexed, and why."""
    return list(service.snapshot.failures)


@router.get("/map", responses=answers())
def library_map(service: ServiceOf) -> models.Map:
    """A point for each recording, near those that sound alike."""
    return service.map()


@router.get("/pairs", responses=answers())
async def pairs(service: ServiceOf) -> models.Pairs:
    """Which sound is which notes, as far as it has been found out."""
    job = service.jobs.unfinished("pair")
    return models.Pairs(pairs=list(service.pairs), job=None if job is None else job.id)


@router.post("/pairs", status_code=202, responses=answers(409, 503))
async def start_pairing(service: ServiceOf) -> models.Job:
    """Find out which sound of the library is which notes; where that is being done, the job that does it."""
    return service.start_pairing()


@router.post("/files", status_code=202, responses=answers(403, 413, 503), openapi_extra=_FILES)
async def add_files(service: ServiceOf, request: Request) -> models.Job:
    """Add sound and note files to the library."""
    if not service.settings.uploads:
        raise ServingError(403, "read_only", "this server does not take files into its library")
    service.jobs.check_room()
    form = await read_form(request, service.settings.limits.files, 0)
    try:
        return await run_in_threadpool(_receive, service, form)
    finally:
        await form.close()


def _receive(service: Service, form: FormData) -> models.Job:
    folder = service.temporary / secrets.token_hex(16)
    folder.mkdir()
    try:
        received = []
        for number, upload in enumerate(named_uploads(form, "files")):
            kind, suffix = kind_of_upload(upload.filename)
            path = folder / f"{number}{suffix}"
            store_upload(upload, path)
            received.append(Received(path, kind, shown_name(upload.filename), safe_name(upload.filename, suffix)))
        return service.start_adding(received, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@router.get("/jobs/{id}", responses=answers(404))
async def job(service: ServiceOf, id: Id) -> models.Job:
    """How long work on the library stands."""
    return service.jobs.get(id)
