"""Start a server: bind the port, open the index, report the URL."""

from __future__ import annotations

import csv
import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import torch
import uvicorn

from antiphon.corpora import Recording, open_corpus
from antiphon.corpora.synthetic.demo import VERSION
from antiphon.errors import AntiphonError
from antiphon.index.library import Index
from antiphon.io.cache import cache_folder
from antiphon.io.files import atomic_file
from antiphon.models.loading import load_model
from antiphon.serving.app import create_app
from antiphon.serving.limits import MIB, Limits
from antiphon.serving.middleware import is_loopback
from antiphon.serving.page import MISSING, is_bundled
from antiphon.serving.service import Service, Settings

_log = logging.getLogger(__name__)
_SHUTDOWN_TIMEOUT_S = 3
_BACKLOG = 256


def demo_index() -> Path:
    """The index of the demo corpus, audio and notes, in the cache folder; built or completed where necessary."""
    corpus = open_corpus("demo")
    folder = corpus.recordings[0].notes_path.parent
    embedder = load_model("default")
    demo_folder = cache_folder("serving") / f"demo-{VERSION}-{embedder.fingerprint[:12]}"
    demo_folder.mkdir(exist_ok=True)
    works = demo_folder / "works.csv"
    _write_works(corpus.recordings, works)
    index = demo_folder / "index"
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)  # nothing else runs meanwhile
    try:
        with Index.build(folder, embedder, out=index, works=works) as built:
            report = built.report
    finally:
        torch.set_num_threads(threads)
    if report is not None and report.failed:
        raise AntiphonError(f"the demo corpus is damaged: {report.failed[0]}; remove {folder} and start again")
    return index


def _write_works(recordings: Sequence[Recording], path: Path) -> None:
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "work", "composer", "title", "split"])
        for one in recordings:
            for own in (one.notes_path, one.audio_path):
                if own is not None:
                    table.writerow([own.name, one.work, one.composer, one.title, one.split])


def settings_for(index: Path, host: str, token: str | None, **others: object) -> Settings:
    """Settings of a server at that address.

    Raises `AntiphonError` for an address that other computers can reach without a token, and for an invalid token.
    """
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
        raise AntiphonError("--token: printable ASCII without spaces at the ends")
    if token is not None and not set(token).isdisjoint(' ",;\\'):
        raise AntiphonError('--token: no spaces and none of " , ; \\, which a cookie cannot contain')
    if not is_loopback(host):
        if token is None:
            raise AntiphonError(
                f"--host {host} lets other computers connect: set a secret with --token, or omit --host"
            )
        return Settings(index, token, hosts=(), **others)  # type: ignore[arg-type]
    return Settings(index, token, hosts=("localhost", "127.0.0.1", "::1", host), **others)  # type: ignore[arg-type]


def serve(
    index: str | Path | None = None,
    *,
    demo: bool = False,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    read_only: bool = False,
    max_upload_mb: int = 64,
    max_query_s: float = 600.0,
    queue: int = 64,
    workers: int | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve an index over HTTP, a web page and its API, until interrupted.

    Parameters
    ----------
    index
        Folder of the index.
    demo
        Instead of `index`: the index of the demo corpus, which is built where it is missing.
    host, port
        Address to listen on; port 0 takes a free one. A host that other computers can reach needs a token.
    token
        The secret that clients must send.
    read_only
        Accept no files into the library.
    max_upload_mb
        Largest request in MiB.
    max_query_s
        Longest query in seconds.
    queue
        Number of searches that may wait.
    workers
        Number of searches at the same time; by default the number of cores.
    on_ready
        Called with the URL once the server answers.

    Raises
    ------
    AntiphonError
        For both an index and the demo, or none of them; for a token that a header cannot carry or that is missing; for
        an address that is not available; and for an index that cannot be served.

    Examples
    --------
    >>> serve("library", port=0, on_ready=print)  # doctest: +SKIP
    http://127.0.0.1:40123/
    """
    if (index is None) == (not demo):
        raise AntiphonError("serve takes either an index or the demo")
    limits = replace(Limits(), upload_bytes=max_upload_mb * MIB, query_s=max_query_s, queue=queue)
    settings = settings_for(
        Path() if index is None else Path(index),
        host,
        token,
        uploads=not read_only,
        workers=workers or os.cpu_count() or 1,
        limits=limits,
    )
    if index is None:
        settings = replace(settings, index=demo_index())
    if not is_bundled():
        _log.warning(MISSING)
    _serve(settings, host, port, on_ready)


def _serve(settings: Settings, host: str, port: int, on_ready: Callable[[str], None] | None) -> None:
    """Take the port, open the index, and serve."""
    with _bound(host, port) as listening:
        with Index.open(settings.index) as index:
            model = index.model
        service = Service(settings, model)
        service.warm_up()
        name = f"[{host}]" if ":" in host else host
        query = f"?token={quote(settings.token)}" if settings.token else ""
        listening.listen(_BACKLOG)  # from now on, connections are answered
        if on_ready is not None:
            on_ready(f"http://{name}:{listening.getsockname()[1]}/{query}")
        config = uvicorn.Config(
            create_app(service),
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S,
            h11_max_incomplete_event_size=1 << 16,
        )
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after its shutdown
            uvicorn.Server(config).run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    """A bound socket. Binding comes first, so that a port in use is reported before the slow steps."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise AntiphonError(f"--host {host}: no such address ({error.strerror})") from None
    try:
        if os.name == "posix":  # on Windows it would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise AntiphonError(
            f"{host}:{port} cannot be used ({error}); is another server running? choose another port with --port"
        ) from None
    return listening
