"""Serving: a model and a catalogue behind HTTP, until told to stop."""

import hashlib
import logging
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.encoders.encoder import Encoder
from gradus.encoders.saving import fingerprint, load_model, model_folder
from gradus.errors import GradusError, MissingExtraError, ModelError, SearchError, SettingsError
from gradus.files import atomic_folder
from gradus.progress import Progress, silent
from gradus.search.engine import Engine
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.index import Schema, Vectors
from gradus.settings import Settings
from gradus.workflow.indexing import indexable, open_live, versions_of
from gradus.workflow.listed import known_queries, listed_engine
from gradus.workflow.vectors import KEPT

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gradus.search.service.keys import Keys
    from gradus.search.service.peers import Peers

_LOG = logging.getLogger("gradus.service")

_SWITCH = 0.0005
"""Seconds after which a thread that encodes or searches lets the one that answers have its turn; Python's own 0.005
are several times what a search takes, and show in the slowest answers."""

_BACKLOG = 2048
"""Connections that the system holds until the service takes them."""

_PATIENCE = 3
"""A worker that answers nothing for so many times what a request may take is killed, and another one started."""

_PRELOAD = ("gradus.workflow.serving", "gradus.search.service.app", "uvicorn")
"""What workers import; they share the memory of it."""


def load_engine(
    settings: Settings, model: Path, progress: Progress = silent, *, rival: bool = False
) -> Engine:
    """An engine of a model and the catalogue, as both lie on the disk now.

    Its index is the live version that `gradus index build` made. Where none was ever made, it is an exact one, kept in
    `.gradus/served/` under the engine's version. Embedded indexes are mapped into memory from their files, so that
    processes of one machine share them; where `service.workers` are several, so are the model's parameters.

    Args:
        settings: Name the catalogue and the index.
        model: A model's folder, or a training run's.
        progress: Told about the documents, where they have to be embedded first.
        rival: Whether another model than the one that the index was built with is asked for: it gets an exact one.

    Raises:
        ModelError: The model cannot be read, or the catalogue lacks a field that it reads.
        CatalogError: The catalogue cannot be read.
        SearchError: The index is damaged, or was built with another model.
    """
    encoder = _shared_model(settings, model) if settings.service.workers > 1 else load_model(model)
    documents = open_catalog(settings)
    name = model.resolve().name
    if not rival and versions_of(settings).live() is not None:
        opened = open_live(settings, model)
        version = f"{_digest(model, documents)}.{opened.version.number}"
        return Engine(encoder, opened.index, documents, version, opened.close, name)
    schema, columns = indexable(settings, model, encoder, documents, progress)
    version = _digest(model, documents, (schema, columns.vectors))
    folder = settings.resolve(".gradus/served") / version
    try:
        index = open_index("exact", str(folder), read_only=True)
    except SearchError:
        # Not there, or damaged: all that it holds is at hand.
        shutil.rmtree(folder, ignore_errors=True)
        create_index("exact", str(folder), schema, columns).close()
        index = open_index("exact", str(folder), read_only=True)
    _keep(folder)
    return Engine(encoder, index, documents, version, name=name)


def _shared_model(settings: Settings, model: Path) -> Encoder:
    """A model whose parameters stay in a file that processes share: in a copy, since people write over their own."""
    try:
        folder = settings.resolve(".gradus/models") / fingerprint(model)
    except OSError:
        return load_model(model)  # which says what is missing
    try:
        encoder = load_model(folder, mapped=True)
    except ModelError:
        # Not there, or damaged.
        with atomic_folder(folder) as aside:
            shutil.copytree(model_folder(model), aside, dirs_exist_ok=True)
        encoder = load_model(folder, mapped=True)
    _keep(folder)
    return encoder


def _keep(folder: Path) -> None:
    """Remove a folder's siblings but for those that were used last."""
    folder.touch()
    for old in sorted(folder.parent.iterdir(), key=_last_used)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def serve(
    settings: Settings,
    model: Path,
    against: Sequence[Path] = (),
    *,
    progress: Progress = silent,
    told: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way then get `service.drain` seconds to finish.

    SIGHUP, like `POST /admin/swap`, loads model and catalogue anew and swaps them in.

    Args:
        settings: `[service]`, and what `load_engine` needs.
        model: A model's folder, or a training run's.
        against: Other models, or run files of any pipelines, to be compared with it; a search names their versions.
        progress: As for `load_engine`.
        told: Called with the service's address once it can be asked.

    Raises:
        SettingsError: `service.host` can be reached from elsewhere and there are no keys, or it is no address here;
            or two of the models are the same.
        MissingExtraError: The web stack is not installed.
        GradusError: As for `load_engine`; or the file of keys cannot be read.
        OSError: The log's folder cannot be made. One that cannot be written to leaves searches unrecorded.
    """
    try:
        for name in _PRELOAD:
            import_module(name)
    except ImportError:
        raise MissingExtraError("the service", "serve") from None
    from gradus.search.service.security import is_loopback
    from gradus.search.service.workers import Workers

    service = settings.service
    if not service.keys and not is_loopback(service.host):
        raise SettingsError(
            f"service.host is {service.host!r}, which others can reach, and service.keys is empty; make a key with "
            "gradus key NAME, and name its file"
        )
    keys = _keys(settings)
    listening = _listen(service.host, service.port)
    try:
        host, port = listening.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        engines = _engines(settings, model, against, progress)
        _log_to_stderr()
        if service.workers == 1:
            app = _application(settings, model, engines, keys)
            listening.listen(_BACKLOG)  # from here on, who connects is answered
            told(url)
            _answer(app, listening, settings)
            return
        # They were read, and what they need was made, so that workers only open it.
        for engine in engines:
            engine.close()
        del engines, engine
        listening.listen(_BACKLOG)
        work = partial(_work, settings, model, tuple(against))
        silence = _PATIENCE * service.seconds
        Workers(work, service.workers, listening, _PRELOAD, service.drain, silence, lambda: told(url)).run()
    finally:
        listening.close()


def _work(
    settings: Settings,
    model: Path,
    against: Sequence[Path],
    listening: socket.socket,
    slot: int,
    wire: Connection,
) -> None:
    """What each of several workers does."""
    from gradus.search.service.peers import Peers
    from gradus.search.service.workers import Shared

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the supervisor hears it, and says who swaps
    _log_to_stderr()
    try:
        engines = _engines(settings, model, against, silent)
        app = _application(settings, model, engines, _keys(settings), Peers(wire, slot))
    except (GradusError, OSError) as error:
        _LOG.error("worker %d cannot serve: %s", slot, error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(1)
    with Shared(fileno=listening.detach()) as shared:
        _answer(app, shared, settings, at_once=1)


def _engines(settings: Settings, model: Path, against: Sequence[Path], progress: Progress) -> list[Engine]:
    """The engine of the model that is served, and after it those that it is compared with."""
    engines = [load_engine(settings, model, progress)]
    for other in against:
        rival = listed_engine(settings, engines[0], other) if other.is_file() else None
        engines.append(rival or load_engine(settings, other, progress, rival=True))
    if len({engine.version for engine in engines}) < len(engines):
        raise SettingsError("a model is to be compared with itself; name another one behind --against")
    return engines


def _application(
    settings: Settings, model: Path, engines: Sequence[Engine], keys: "Keys", peers: "Peers | None" = None
) -> "FastAPI":
    """The application of engines, the first of which can be swapped."""
    from gradus.search.service.app import create_app
    from gradus.search.service.feedback import UbiLog
    from gradus.search.service.state import SCALE, Desk

    engine, *rivals = engines
    service = settings.service
    desk = Desk(cache(lambda: texts_to_judge(settings, engine.documents)), _scale(settings) or SCALE)
    log = UbiLog(settings.resolve(service.log)) if service.log else None
    return create_app(engine, lambda: load_engine(settings, model), service, keys, log, rivals, desk, peers)


def _answer(app: "FastAPI", listening: socket.socket, settings: Settings, at_once: int = _BACKLOG) -> None:
    """Answer what comes in on a socket until SIGTERM or SIGINT, and finish what is under way.

    Args:
        app: What answers.
        listening: The socket.
        settings: Say how long finishing may take.
        at_once: Connections that are taken in a turn.
    """
    import uvicorn

    from gradus.search.service.protocol import BoundedHead

    sys.setswitchinterval(_SWITCH)
    uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedHead,
            log_level="warning",
            access_log=False,  # searches are in the log of searches, with no addresses
            server_header=False,
            proxy_headers=False,  # the address that limits a caller is the one that connected
            timeout_graceful_shutdown=max(1, round(settings.service.drain)),
            backlog=at_once,
            ws="none",
            lifespan="on",
        )
    ).run([listening])


def _keys(settings: Settings) -> "Keys":
    from gradus.search.service.keys import Keys, read_keys

    name = settings.service.keys
    return read_keys(settings.resolve(name)) if name else Keys()


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def texts_to_judge(settings: Settings, documents: Table) -> list[str]:
    """The different texts of the queries that `query.path`, or else the judgments file, holds.

    Raises:
        GradusError: It cannot be read.
    """
    queries = known_queries(settings, documents)
    columns = [queries.columns[field.name] for field in queries.fields if field.type == "text"]
    return list(dict.fromkeys(text for row in zip(*columns, strict=True) for text in row if text))


def _last_used(folder: Path) -> int:
    """When a folder was used last; 0 where another process has just removed it."""
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _scale(settings: Settings) -> Sequence[float | str]:
    """The scale of `[grades]`, as numbers where it holds numbers."""
    try:
        return [float(grade) for grade in settings.grades.scale]
    except ValueError:
        return settings.grades.scale


def _listen(host: str, port: int) -> socket.socket:
    """A socket at an address, bound before anything is loaded, so that a taken port is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"cannot listen on service.host {host!r}, service.port {port}: {reason}"
        ) from None
    return bound


def _digest(model: Path, documents: Table, indexed: tuple[Schema, Vectors] | None = None) -> str:
    """A name for a model and a catalogue, and how they are indexed if that is given: equal contents, equal names.

    Vectors stand for the pictures.
    """
    digest = hashlib.blake2b(fingerprint(model).encode(), digest_size=6)
    digest.update(repr(documents.fields).encode())
    for column in (
        documents.ids,
        *(documents.columns[f.name] for f in documents.fields if f.type != "image"),
    ):
        digest.update(repr(list(column)).encode("utf-8", "surrogatepass"))
    if indexed is not None:
        schema, vectors = indexed
        digest.update(repr(schema.as_dict()).encode())
        digest.update(vectors.tobytes())
    return digest.hexdigest()
