"""Serving: a model and a catalogue behind HTTP, until told to stop."""

import hashlib
import logging
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from gradus.catalog.read import open_catalog, open_queries
from gradus.catalog.table import Table
from gradus.encoders.saving import fingerprint, load_model
from gradus.errors import MissingExtraError, SearchError, SettingsError
from gradus.judgments.read import read_judgments_file
from gradus.progress import Progress, silent
from gradus.search.engine import Engine
from gradus.search.index.backends import create_index, open_index
from gradus.search.index.index import Vectors
from gradus.search.table import as_documents
from gradus.settings import Settings
from gradus.workflow.indexing import open_live, versions_of
from gradus.workflow.vectors import KEPT, document_vectors

_SWITCH = 0.0005
"""Seconds after which a thread that encodes or searches lets the one that answers have its turn; Python's own 0.005
are several times what a search takes, and show in the slowest answers."""

_BACKLOG = 2048
"""Connections that the system holds until the service takes them."""


def load_engine(
    settings: Settings, model: Path, progress: Progress = silent, *, rival: bool = False
) -> Engine:
    """An engine of a model and the catalogue, as both lie on the disk now.

    Its index is the live version that `gradus index build` made. Where none was ever made, it is an exact one, kept in
    `.gradus/served/` under the engine's version. Embedded indexes are mapped into memory from their folders, so
    that services of one machine share them.

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
    encoder = load_model(model)
    documents = open_catalog(settings)
    name = model.resolve().name
    if not rival and versions_of(settings).live() is not None:
        opened = open_live(settings, model)
        version = f"{_digest(model, documents)}.{opened.version.number}"
        return Engine(encoder, opened.index, documents, version, opened.close, name)
    vectors = document_vectors(settings, model, encoder, documents, progress)
    version = _digest(model, documents, vectors)
    folder = settings.resolve(".gradus/served") / version
    try:
        index = open_index("exact", str(folder), read_only=True)
    except SearchError:
        # Not there, or damaged: all that it holds is at hand.
        shutil.rmtree(folder, ignore_errors=True)
        create_index("exact", str(folder), *as_documents(documents, vectors)).close()
        index = open_index("exact", str(folder), read_only=True)
    folder.touch()  # it is of use: others go first
    for old in sorted(folder.parent.iterdir(), key=lambda kept: -kept.stat().st_mtime_ns)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return Engine(encoder, index, documents, version, name=name)


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
        against: Other models to be compared with it; a search names their versions.
        progress: As for `load_engine`.
        told: Called with the service's address once it can be asked.

    Raises:
        SettingsError: `service.host` can be reached from elsewhere and there are no keys, or it is no address here;
            or two of the models are the same.
        MissingExtraError: The web stack is not installed.
        GradusError: As for `load_engine`; or the file of keys cannot be read.
        OSError: The log's folder cannot be written.
    """
    try:
        import uvicorn

        from gradus.search.service.app import create_app
        from gradus.search.service.feedback import UbiLog
        from gradus.search.service.security import is_loopback
        from gradus.search.service.state import SCALE, Desk
    except ImportError:
        raise MissingExtraError("the service", "serve") from None
    from gradus.search.service.keys import Keys, read_keys

    service = settings.service
    if not service.keys and not is_loopback(service.host):
        raise SettingsError(
            f"service.host is {service.host!r}, which others can reach, and service.keys is empty; make a key with "
            "gradus key NAME, and name its file"
        )
    keys = read_keys(settings.resolve(service.keys)) if service.keys else Keys()
    listening = _listen(service.host, service.port)
    try:
        engine = load_engine(settings, model, progress)
        rivals = [load_engine(settings, other, progress, rival=True) for other in against]
        if len({one.version for one in (engine, *rivals)}) <= len(rivals):
            raise SettingsError("a model is to be compared with itself; name another one behind --against")
        desk = Desk(cache(lambda: texts_to_judge(settings, engine.documents)), _scale(settings) or SCALE)
        log = UbiLog(settings.resolve(service.log)) if service.log else None
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
        app = create_app(engine, lambda: load_engine(settings, model), service, keys, log, rivals, desk)
        host, port = listening.getsockname()[:2]
        sys.setswitchinterval(_SWITCH)
        listening.listen(_BACKLOG)  # from here on, who connects is answered
        told(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,  # searches are in the log of searches, with no addresses
                server_header=False,
                proxy_headers=False,  # the address that limits a caller is the one that connected
                timeout_graceful_shutdown=max(1, round(service.drain)),
                ws="none",
                lifespan="on",
            )
        ).run([listening])
    finally:
        listening.close()


def texts_to_judge(settings: Settings, documents: Table) -> list[str]:
    """The different texts of the queries that `query.path`, or else the judgments file, holds.

    Raises:
        GradusError: It cannot be read.
    """
    if settings.query.path:
        queries = open_queries(settings)
    else:
        queries = read_judgments_file(settings, documents).judgments.queries
    columns = [queries.columns[field.name] for field in queries.fields if field.type == "text"]
    return list(dict.fromkeys(text for row in zip(*columns, strict=True) for text in row if text))


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


def _digest(model: Path, documents: Table, vectors: Vectors | None = None) -> str:
    """A name for a model and a catalogue: equal contents, equal names. Vectors, if given, stand for the pictures."""
    digest = hashlib.blake2b(fingerprint(model).encode(), digest_size=6)
    digest.update(repr(documents.fields).encode())
    for column in (
        documents.ids,
        *(documents.columns[f.name] for f in documents.fields if f.type != "image"),
    ):
        digest.update(repr(list(column)).encode("utf-8", "surrogatepass"))
    if vectors is not None:
        digest.update(vectors.tobytes())
    return digest.hexdigest()
