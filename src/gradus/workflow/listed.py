"""A run file in the place of a model, for people to compare."""

import hashlib
from pathlib import Path

from gradus.catalog.read import open_queries
from gradus.catalog.table import Table
from gradus.errors import EvaluationError
from gradus.evaluation.runs import read_run
from gradus.judgments.read import read_judgments_file
from gradus.search.engine import Engine
from gradus.search.listed import ListedEngine, asked_as
from gradus.settings import Settings


def known_queries(settings: Settings, documents: Table) -> Table:
    """The queries that `query.path`, or else the judgments file, holds.

    Raises:
        GradusError: It cannot be read.
    """
    if settings.query.path:
        return open_queries(settings)
    return read_judgments_file(settings, documents).judgments.queries


def listed_engine(settings: Settings, engine: Engine, path: Path) -> ListedEngine:
    """The lists of a run file, beside the engine of a model, whose catalogue they are shown from.

    Queries of a text alone can be asked for again; lists of others, with a picture or several texts, are left out.

    Args:
        settings: Say where the queries are.
        engine: The model that is served.
        path: The run file, as `read_run` reads it.

    Raises:
        EvaluationError: The run cannot be read, or nobody could ask for any of its lists.
        GradusError: The queries cannot be read.
    """
    run = read_run(path)
    queries = known_queries(settings, engine.documents)
    texts = {}
    for row, name in enumerate(queries.ids):
        values = [(field.type, queries.columns[field.name][row]) for field in queries.encoded]
        given = [(kind, value) for kind, value in values if value is not None]
        if [kind for kind, _ in given] == ["text"]:
            texts[name] = asked_as(given[0][1])
    lists = {
        texts[name]: list(zip(ids, scores, strict=True))
        for name, ids, scores in zip(run.query_ids, run.document_ids, run.scores, strict=True)
        if name in texts
    }
    if not lists:
        raise EvaluationError(
            f"{path} has no list for a query of a text alone that query.path, or the judgments, hold; its first query "
            f"is {run.query_ids[0]!r}: check that the ids are the same"
        )
    version = hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()
    return ListedEngine(engine.encoder, engine.index, engine.documents, version, _keep_open, run.name, lists)


def _keep_open() -> None:
    """The index is that of the model that is served."""
