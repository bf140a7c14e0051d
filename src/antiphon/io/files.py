"""Atomic writes of files and folders, and content hashes.

A reader sees the old content or the new one, never a part of either. The new content is written under a temporary name
in the same folder (`NAME.UNIQUE.part`), flushed to the disk, and renamed. When the write fails, the temporary is
removed. When the process is killed, the temporary stays, and the next write of the same name removes it once it is an
hour old.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from antiphon.errors import UnreadableInput

UNFINISHED = ".part"
_ABANDONED_S = 3600.0  # a temporary of this age has no living writer
_NAME_BYTES = 255  # the longest file name of common file systems


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to `path` when the block ends, and removed if it raises."""
    temporary = _temporary(path)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)
    remove_abandoned(path.parent, f"{path.name}.")


@contextmanager
def atomic_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a new temporary folder to fill; it is renamed to `path` when the block ends, and removed if it raises.

    A folder already at `path` is replaced as a whole. Two renames do this: between them `path` does not exist. With
    `replace=False` the existing folder stays, and the new one is discarded.
    """
    path = path.resolve()  # a rename cannot replace a link to a folder
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        for one in (*temporary.rglob("*"), temporary):
            _flush_folder(one) if one.is_dir() else _flush(one)
        _rename_folder(temporary, path, replace)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _flush_folder(path.parent)
    remove_abandoned(path.parent, f"{path.name}.")


def _rename_folder(temporary: Path, path: Path, replace: bool) -> None:
    """Rename a folder to `path`; what is there is removed if `replace`, else kept."""
    old: list[Path] = []
    try:
        while True:
            try:
                os.replace(temporary, path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                return
            if not replace:
                return
            aside = _temporary(path)
            with suppress(FileNotFoundError):  # another writer has just renamed it
                os.replace(path, aside)
                old.append(aside)
    except BaseException:
        if old and not path.exists():
            os.replace(old.pop(), path)
        raise
    finally:
        for one in old:
            shutil.rmtree(one, ignore_errors=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, line ends as they are in `text`.

    A file name that is not UTF-8 reaches `text` as surrogates, which UTF-8 cannot hold: they are written as escapes.
    """
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON atomically."""
    write_text_atomic(path, json.dumps(value, indent=1) + "\n")


def remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove temporaries whose name begins with `prefix` and whose writer has died: an hour old or more."""
    with os.scandir(folder) as entries:
        found = [Path(one.path) for one in entries if one.name.startswith(prefix) and one.name.endswith(UNFINISHED)]
    for path in found:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _temporary(path: Path) -> Path:
    """A name in the folder of `path` that no other writer uses; a long name is cut to the length that fits."""
    unique = f".{uuid.uuid4().hex[:12]}{UNFINISHED}"
    kept = path.name
    while len(os.fsencode(kept + unique)) > _NAME_BYTES:
        kept = kept[:-1]
    return path.with_name(kept + unique)


def _flush(path: Path) -> None:
    """Wait until a file's content is on the disk. Otherwise a power cut may keep the rename and lose the content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the file system supports it."""
    with suppress(OSError):
        _flush(folder)


def utf8_name(path: Path) -> str:
    """A path as text for JSON, SQLite and libsndfile. Raises `UnreadableInput` when it is not UTF-8."""
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise UnreadableInput(path, "its name is not UTF-8; rename it") from None


def content_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal. Raises `OSError` when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
