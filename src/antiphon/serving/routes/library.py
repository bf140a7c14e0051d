"""Routes of the library: its recordings, their clips, pairing, and adding files."""

from __future__ import annotations

import secrets
import shutil
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from antiphon.serving import models
from antiphon.serving.errors import ServingError, error_responses
from antiphon.serving.ingest import Received
from antiphon.serving.routes.common import WAV, Id, Length, ServiceOf, Start, Tempo, as_wav
from antiphon.serving.service import Service
from antiphon.serving.uploads import display_name, kind_of_upload, named_uploads, read_form, safe_name, store_upload

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


@router.get("/recordings", responses=error_responses())
async def recordings(
    service: ServiceOf,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    text: Annotated[str, Query(max_length=200, description="Words that occur in file, composer or title.")] = "",
    kind: models.Modality | None = None,
    composer: Annotated[str, Query(max_length=200, description="Part of the composer's name.")] = "",
) -> models.Recordings:
    """List the recordings of the library, sorted by file."""
    found = service.snapshot.select(text, kind, composer)
    return models.Recordings(total=len(found), items=found[offset : offset + limit])


@router.get("/recordings/{id}", responses=error_responses(404))
async def recording(service: ServiceOf, id: RecordingId) -> models.Recording:
    """Get one recording."""
    return service.snapshot.recording(id)[0]


@router.get(
    "/recordings/{id}/sound",
    responses=error_responses(404, 503) | WAV,
    response_class=Response,
)
def sound(
    service: ServiceOf, id: RecordingId, start_s: Start = 0.0, length_s: Length = None, tempo: Tempo = 1.0
) -> Response:
    """Get a range of a recording as audio; note files are rendered."""
    found, path = service.snapshot.recording(id)
    return as_wav(service.clips.sound(path, found.kind, found.duration_s, start_s, length_s, tempo))


@router.get("/recordings/{id}/notes", responses=error_responses(404, 409))
def notes(service: ServiceOf, id: RecordingId, start_s: Start = 0.0, length_s: Length = None) -> models.NotesOfRange:
    """Get the notes that sound in a range of a recording; 409 for an audio file."""
    found, path = service.snapshot.recording(id)
    return service.clips.notes(path, found.kind, found.duration_s, start_s, length_s)


@router.get("/composers", responses=error_responses())
async def composers(service: ServiceOf) -> list[models.Composer]:
    """List the composers with the number of recordings of each."""
    counted = Counter(one.composer for one in service.snapshot.recordings if one.composer)
    return [models.Composer(composer=name, recordings=count) for name, count in sorted(counted.items())]


@router.get("/failures", responses=error_responses())
async def failures(service: ServiceOf) -> list[models.Failure]:
    """List the files that could not be indexed, with the reasons."""
    return list(service.snapshot.failures)


@router.get("/map", responses=error_responses())
def library_map(service: ServiceOf) -> models.Map:
    """Get a map of the library: one point per recording, near similar ones."""
    return service.map()


@router.get("/pairs", responses=error_responses())
async def pairs(service: ServiceOf) -> models.Pairs:
    """Get the pairs of audio and note files that the last pairing found."""
    job = service.jobs.unfinished("pair")
    return models.Pairs(pairs=list(service.pairs), job=None if job is None else job.id)


@router.post("/pairs", status_code=202, responses=error_responses(409, 503))
async def start_pairing(service: ServiceOf) -> models.Job:
    """Pair the audio files of the library with its note files. Returns the unfinished job where there is one."""
    return service.start_pairing()


@router.post("/files", status_code=202, responses=error_responses(403, 413, 503), openapi_extra=_FILES)
async def add_files(service: ServiceOf, request: Request) -> models.Job:
    """Add audio and note files to the library."""
    if not service.settings.uploads:
        raise ServingError(403, "read_only", "this server does not accept files for its library")
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
            received.append(Received(path, kind, display_name(upload.filename), safe_name(upload.filename, suffix)))
        return service.start_adding(received, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@router.get("/jobs/{id}", responses=error_responses(404))
async def job(service: ServiceOf, id: Id) -> models.Job:
    """Get the state of a job."""
    return service.jobs.get(id)
