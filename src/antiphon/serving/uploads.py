"""Uploads: parsing of forms, and storage under names that the server chooses."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from antiphon.io.kinds import SUFFIXES, modality_of_name, suffix_of, without_suffix
from antiphon.serving.errors import ServingError, invalid
from antiphon.serving.models import SearchByRecording, SearchOptions
from antiphon.types import Modality
from antiphon.wording import printable

_LONGEST_NAME = 80
_FIELD_BYTES = 1 << 16


async def read_form(request: Request, files: int, fields: int) -> FormData:
    """Parse a multipart form with at most `files` files and `fields` fields. Raises `ServingError`."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ServingError(422, "invalid", "send the file as multipart/form-data (curl -F file=@take1.flac)")
    try:
        return await request.form(max_files=files, max_fields=fields, max_part_size=_FIELD_BYTES)
    except (ValueError, KeyError, LookupError) as error:  # raised by the parser for malformed headers
        raise ServingError(400, "bad_request", f"the form cannot be read ({type(error).__name__})") from None


async def parse_search_form(form: FormData) -> tuple[UploadFile, SearchOptions]:
    """Parse the file and the options of a search. Empty fields are ignored. Raises `ServingError` 422."""
    given: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and not value:
            continue
        if name in given:
            raise ServingError(422, "invalid", f"{name[:100]}: given more than once")
        given[name] = value
    file = given.pop("file", None)
    if not isinstance(file, UploadFile):
        raise ServingError(422, "no_file", "file: missing; send an audio or note file as the field 'file'")
    if stray := [name[:100] for name, value in given.items() if isinstance(value, UploadFile)]:
        raise ServingError(422, "invalid", f"{stray[0]}: a file instead of a value")
    try:
        return file, SearchOptions.model_validate(given)
    except ValidationError as error:
        raise invalid(error.errors()) from None


def parse_search_json(body: bytes) -> SearchByRecording:
    """Parse a search with a file of the library. Raises `ServingError` 422."""
    try:
        return SearchByRecording.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors()) from None


def kind_of_upload(name: str | None) -> tuple[Modality, str]:
    """Modality and suffix by the file name of a client. Raises `ServingError` 422 for an unknown suffix."""
    plain = PurePosixPath((name or "").replace("\\", "/"))
    kind, suffix = modality_of_name(plain), suffix_of(plain)
    if kind is not None:
        return kind, suffix
    known = " ".join(sorted(suffix for suffixes in SUFFIXES.values() for suffix in suffixes))
    raise ServingError(422, "unknown_format", f"unknown suffix {suffix!r}; supported are {known}")


def display_name(name: str | None) -> str:
    """A client's file name for display: without folders and unprintable characters."""
    last = printable(name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:200] or "unnamed"


def safe_name(name: str | None, suffix: str) -> str:
    """A name for storage: letters, digits, spaces and some punctuation, no leading dot.

    >>> safe_name("../../.etc/pass|wd.MID", ".mid")
    'pass_wd.mid'
    """
    stem = unicodedata.normalize("NFC", display_name(name))
    stem = stem[: len(stem) - len(suffix)] if stem.lower().endswith(suffix) else PurePosixPath(stem).stem
    stem = re.sub(r"[^\w ().,+'&-]", "_", stem).strip(" ._")
    return (stem.encode()[:_LONGEST_NAME].decode(errors="ignore") or "unnamed") + suffix


def free_name(folder: Path, name: str) -> Path:
    """An unused path in a folder; a number is appended where the name exists."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{without_suffix(Path(name)).name} {number}{suffix_of(name)}"
    return path


def store_upload(upload: UploadFile, path: Path) -> None:
    """Write an upload to a new file."""
    upload.file.seek(0)
    with path.open("xb") as file:
        shutil.copyfileobj(upload.file, file, 1 << 20)


def named_uploads(form: FormData, field: str) -> Sequence[UploadFile]:
    """All files of a field. Raises `ServingError` 422 where there is none, or another field is present."""
    found = [one for one in form.getlist(field) if isinstance(one, UploadFile)]
    if not found or len(found) != len(form.multi_items()):
        raise ServingError(422, "no_file", f"send one or more files as the field {field!r}, and no other fields")
    return found
