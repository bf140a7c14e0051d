"""Routes about searches: asking, watching, and what is made of hits."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from antiphon.index.match import MATCH_FIELDS
from antiphon.serving import models
from antiphon.serving.aligned_midi import aligned_midi
from antiphon.serving.errors import Busy, ServingError, answers
from antiphon.serving.routes.common import WAV, Id, Length, ServiceOf, Start, Tempo, as_wav
from antiphon.serving.search_requests import SearchRequest, check_against
from antiphon.serving.service import Service
from antiphon.serving.uploads import (
    asked_by_form,
    asked_by_json,
    kind_of_upload,
    read_form,
    shown_name,
    store_upload,
)
from antiphon.types import Modality

router = APIRouter(prefix="/api/searches", tags=["searches"])

_JSON_BYTES = 1 << 16
_SILENCE_S = 15.0  # after which a stream says that it is still there
_FIELDS = 20
_ASKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": models.SearchByFile.model_json_schema()},
            "application/json": {"schema": models.SearchByRecording.model_json_schema()},
        },
    }
}


@router.post("", status_code=202, responses=answers(404, 413, 503), openapi_extra=_ASKED)
async def ask(service: ServiceOf, request: Request) -> models.Search:
    """Search with a file that is sent, as a form, or with one of the library, as JSON."""
    if request.headers.get("content-type", "").lower().startswith("application/json"):
        by_recording = asked_by_json(await _small_body(request))
        return await run_in_threadpool(_ask_by_recording, service, by_recording)
    form = await read_form(request, 1, _FIELDS)
    try:
        upload, options = await asked_by_form(form)
        return await run_in_threadpool(_ask_by_file, service, upload, options)
    finally:
        await form.close()


async def _small_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _JSON_BYTES:
            raise ServingError(413, "too_large", f"more than {_JSON_BYTES} bytes of JSON")
    return body


def _ask_by_file(service: Service, upload: UploadFile, options: models.SearchOptions) -> models.Search:
    kind, suffix = kind_of_upload(upload.filename)
    against = check_against(kind, options, service.snapshot)
    with service.searches.place() as folder:
        path = folder / f"query{suffix}"
        store_upload(upload, path)
        search_request = _opened(service, shown_name(upload.filename), path, kind, against, options, folder, None)
        return service.searches.add(search_request, folder)


def _ask_by_recording(service: Service, asked: models.SearchByRecording) -> models.Search:
    found, path = service.snapshot.recording(asked.recording)
    options = models.SearchOptions.model_validate(asked.model_dump(exclude={"recording"}))
    against = check_against(found.kind, options, service.snapshot)
    with service.searches.place() as folder:
        name = FilePath(found.file).name
        search_request = _opened(service, name, path, found.kind, against, options, folder, found.id)
        return service.searches.add(search_request, folder)


def _opened(
    service: Service,
    name: str,
    path: FilePath,
    kind: Modality,
    against: Modality,
    options: models.SearchOptions,
    folder: FilePath,
    recording: int | None,
) -> SearchRequest:
    """A question whose file can be read. Raises `UnreadableInput`."""
    sound = kind == "audio"
    heard = folder / "heard.wav"
    duration_s, length_s = service.decoders.query(
        path, kind, options.start_s, options.length_s, service.embedder.sample_rate_hz, heard
    )
    return SearchRequest(
        name=name,
        path=path,
        kind=kind,
        duration_s=duration_s,
        start_s=options.start_s,
        length_s=length_s,
        heard=heard if sound else path,
        heard_from_s=options.start_s if sound else 0.0,
        against=against,
        options=options,
        recording=recording,
    )


@router.get("/{id}", responses=answers(404))
async def search(service: ServiceOf, id: Id) -> models.Search:
    """How a search stands, and what it has found so far."""
    return service.searches.get(id)


@router.delete("/{id}", status_code=204, responses=answers(404))
def forget(service: ServiceOf, id: Id) -> None:
    """Forget a search and its upload."""
    service.searches.forget(id)


@router.get(
    "/{id}/events",
    responses=answers(404, 503)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "`event: search`"}},
    response_class=StreamingResponse,
)
async def events(service: ServiceOf, id: Id) -> StreamingResponse:
    """Server-sent events: the search each time that it changes, until it is done or has failed."""
    service.searches.get(id)
    if len(service.searches.changes) >= service.settings.limits.listeners:
        raise Busy("too many watch their searches; ask for the search itself", 5.0)
    return StreamingResponse(_events(service, id), media_type="text/event-stream")


async def _events(service: Service, id_: str) -> AsyncIterator[str]:
    last = ""
    with service.searches.changes.heard() as changed:
        while True:
            changed.clear()
            try:
                found = service.searches.get(id_)
            except ServingError:  # forgotten meanwhile
                return
            text = found.model_dump_json()
            if text != last:
                last = text
                yield f"event: search\ndata: {text}\n\n"
            if found.status in ("done", "failed"):
                return
            try:
                await asyncio.wait_for(changed.wait(), _SILENCE_S)
            except TimeoutError:
                yield ": waiting\n\n"


@router.get("/{id}/sound", responses=answers(404, 503) | WAV, response_class=Response)
def sound(service: ServiceOf, id: Id, start_s: Start = 0.0, length_s: Length = None, tempo: Tempo = 1.0) -> Response:
    """A range of the query as sound; notes are played."""
    asked = service.searches.search_request(id)
    return as_wav(service.clips.sound(asked.path, asked.kind, asked.duration_s, start_s, length_s, tempo))


@router.get("/{id}/notes", responses=answers(404, 409))
def notes(service: ServiceOf, id: Id, start_s: Start = 0.0, length_s: Length = None) -> models.NotesOfRange:
    """The notes of a range of the query; 409 where it is sound."""
    asked = service.searches.search_request(id)
    return service.clips.notes(asked.path, asked.kind, asked.duration_s, start_s, length_s)


@router.get(
    "/{id}/hits/{n}/aligned.mid",
    responses=answers(404, 409, 503)
    | {200: {"content": {"audio/midi": {"schema": {"type": "string", "format": "binary"}}}, "description": "MIDI"}},
    response_class=Response,
)
def aligned(service: ServiceOf, id: Id, n: Annotated[int, Path(ge=0, le=1000)]) -> Response:
    """The notes of a hit on the query's clock; or those of the query on the hit's, where they are the notes."""
    asked, hits = service.searches.search_request(id), service.searches.get(id).hits
    if n >= len(hits):
        raise ServingError(404, "no_hit", f"there is no hit {n}; the search has {len(hits)}, counted from 0")
    _, path = service.snapshot.recording(hits[n].recording.id)
    rate_hz = service.embedder.sample_rate_hz
    content = aligned_midi(asked, hits[n], path, service.decoders, rate_hz, service.temporary)
    return Response(content, media_type="audio/midi", headers=_download(f"aligned-{n}.mid"))


@router.get(
    "/{id}/hits.csv",
    responses=answers(404)
    | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "a row for each hit"}},
    response_class=Response,
)
async def hits_csv(service: ServiceOf, id: Id) -> Response:
    """The hits as a table."""
    text = io.StringIO()
    table = csv.DictWriter(text, ("kind", *MATCH_FIELDS), lineterminator="\n")
    table.writeheader()
    for hit in service.searches.get(id).hits:
        table.writerow({"kind": hit.recording.kind} | hit.match_fields())
    return Response(text.getvalue(), media_type="text/csv", headers=_download("hits.csv"))


@router.get("/{id}/hits.json", responses=answers(404))
async def hits_json(service: ServiceOf, id: Id, response: Response) -> list[models.Hit]:
    """The hits as JSON."""
    response.headers.update(_download("hits.json"))
    return service.searches.get(id).hits


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
