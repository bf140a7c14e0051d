"""Routes of searches: start, follow, and export of matches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from antiphon.index.match import MATCH_FIELDS
from antiphon.io.csv_tables import csv_text
from antiphon.serving import models
from antiphon.serving.aligned_midi import aligned_midi
from antiphon.serving.errors import Busy, ServingError, error_responses
from antiphon.serving.routes.common import WAV, Id, Length, ServiceOf, Start, Tempo, as_wav
from antiphon.serving.search_requests import SearchRequest, check_against
from antiphon.serving.service import Service
from antiphon.serving.uploads import (
    display_name,
    kind_of_upload,
    parse_search_form,
    parse_search_json,
    read_form,
    store_upload,
)
from antiphon.types import Modality

router = APIRouter(prefix="/api/searches", tags=["searches"])

_JSON_BYTES = 1 << 16
_KEEPALIVE_S = 15.0  # interval of comments that keep an event stream open
_FIELDS = 20
_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": models.SearchByFile.model_json_schema()},
            "application/json": {"schema": models.SearchByRecording.model_json_schema()},
        },
    }
}


@router.post("", status_code=202, responses=error_responses(404, 413, 503), openapi_extra=_REQUEST_BODY)
async def start_search(service: ServiceOf, request: Request) -> models.Search:
    """Start a search: a form uploads the query, JSON names a file of the library as query."""
    if request.headers.get("content-type", "").lower().startswith("application/json"):
        by_recording = parse_search_json(await _small_body(request))
        return await run_in_threadpool(_search_by_recording, service, by_recording)
    form = await read_form(request, 1, _FIELDS)
    try:
        upload, options = await parse_search_form(form)
        return await run_in_threadpool(_search_by_file, service, upload, options)
    finally:
        await form.close()


async def _small_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _JSON_BYTES:
            raise ServingError(413, "too_large", f"the JSON body has more than {_JSON_BYTES} bytes")
    return body


def _search_by_file(service: Service, upload: UploadFile, options: models.SearchOptions) -> models.Search:
    kind, suffix = kind_of_upload(upload.filename)
    against = check_against(kind, options, service.snapshot)
    with service.searches.reserve() as folder:
        path = folder / f"query{suffix}"
        store_upload(upload, path)
        search_request = _opened(service, display_name(upload.filename), path, kind, against, options, folder, None)
        return service.searches.add(search_request, folder)


def _search_by_recording(service: Service, request: models.SearchByRecording) -> models.Search:
    found, path = service.snapshot.recording(request.recording)
    options = models.SearchOptions.model_validate(request.model_dump(exclude={"recording"}))
    against = check_against(found.kind, options, service.snapshot)
    with service.searches.reserve() as folder:
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
    """A search request whose file was read without errors. Raises `UnreadableInput` or `Busy`."""
    sound = kind == "audio"
    searched = folder / "searched.wav"
    duration_s, length_s = service.decoders.query(
        path, kind, options.start_s, options.length_s, service.embedder.sample_rate_hz, searched
    )
    return SearchRequest(
        name=name,
        path=path,
        kind=kind,
        duration_s=duration_s,
        start_s=options.start_s,
        length_s=length_s,
        searched_path=searched if sound else path,
        searched_from_s=options.start_s if sound else 0.0,
        against=against,
        options=options,
        recording=recording,
    )


@router.get("/{id}", responses=error_responses(404))
async def search(service: ServiceOf, id: Id) -> models.Search:
    """Get the state of a search and its matches so far."""
    return service.searches.get(id)


@router.delete("/{id}", status_code=204, responses=error_responses(404))
def forget(service: ServiceOf, id: Id) -> None:
    """Delete a search and its upload."""
    service.searches.forget(id)


@router.get(
    "/{id}/events",
    responses=error_responses(404, 503)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "`event: search`"}},
    response_class=StreamingResponse,
)
async def events(service: ServiceOf, id: Id) -> StreamingResponse:
    """Stream server-sent events: the search after each change, until it is done or has failed."""
    service.searches.get(id)
    if len(service.searches.changes) >= service.settings.limits.listeners:
        raise Busy("too many event streams are open; poll the search instead", 5.0)
    return StreamingResponse(_events(service, id), media_type="text/event-stream")


async def _events(service: Service, id_: str) -> AsyncIterator[str]:
    last = ""
    with service.searches.changes.subscribe() as changed:
        while True:
            changed.clear()
            try:
                found = service.searches.get(id_)
            except ServingError:  # deleted meanwhile
                return
            text = found.model_dump_json()
            if text != last:
                last = text
                yield f"event: search\ndata: {text}\n\n"
            if found.status in ("done", "failed"):
                return
            try:
                await asyncio.wait_for(changed.wait(), _KEEPALIVE_S)
            except TimeoutError:
                yield ": waiting\n\n"


@router.get("/{id}/sound", responses=error_responses(404, 503) | WAV, response_class=Response)
def sound(service: ServiceOf, id: Id, start_s: Start = 0.0, length_s: Length = None, tempo: Tempo = 1.0) -> Response:
    """Get a range of the query as audio; note files are rendered."""
    request = service.searches.search_request(id)
    return as_wav(service.clips.sound(request.path, request.kind, request.duration_s, start_s, length_s, tempo))


@router.get("/{id}/notes", responses=error_responses(404, 409))
def notes(service: ServiceOf, id: Id, start_s: Start = 0.0, length_s: Length = None) -> models.NotesOfRange:
    """Get the notes of a range of the query; 409 for an audio file."""
    request = service.searches.search_request(id)
    return service.clips.notes(request.path, request.kind, request.duration_s, start_s, length_s)


@router.get(
    "/{id}/hits/{n}/aligned.mid",
    responses=error_responses(404, 409, 503)
    | {200: {"content": {"audio/midi": {"schema": {"type": "string", "format": "binary"}}}, "description": "MIDI"}},
    response_class=Response,
)
def aligned(service: ServiceOf, id: Id, n: Annotated[int, Path(ge=0, le=1000)]) -> Response:
    """Get the notes of a match at the query's times, or the notes of the query at the match's times."""
    request, hits = service.searches.search_request(id), service.searches.get(id).hits
    if n >= len(hits):
        raise ServingError(404, "no_hit", f"there is no match {n}; the search has {len(hits)}, counted from 0")
    _, path = service.snapshot.recording(hits[n].recording.id)
    with service.aligning.slot():
        content = aligned_midi(request, hits[n], path, service.decoders, service.temporary)
    return Response(content, media_type="audio/midi", headers=_download(f"aligned-{n}.mid"))


@router.get(
    "/{id}/hits.csv",
    responses=error_responses(404)
    | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "one row per match"}},
    response_class=Response,
)
async def hits_csv(service: ServiceOf, id: Id) -> Response:
    """Get the matches as a CSV table."""
    rows = [{"kind": hit.recording.kind} | hit.match_fields() for hit in service.searches.get(id).hits]
    text = csv_text(("kind", *MATCH_FIELDS), rows)
    return Response(text, media_type="text/csv", headers=_download("hits.csv"))


@router.get("/{id}/hits.json", responses=error_responses(404))
async def hits_json(service: ServiceOf, id: Id, response: Response) -> list[models.Hit]:
    """Get the matches as JSON."""
    response.headers.update(_download("hits.json"))
    return service.searches.get(id).hits


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
