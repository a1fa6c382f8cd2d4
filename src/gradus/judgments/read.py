"""Judgments from whatever file `[judgments]` names."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.read import open_queries
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.binding import JudgmentsFile
from gradus.judgments.judgments import Judgments
from gradus.judgments.marqo_gs import read_marqo_gs
from gradus.judgments.qrels import read_qrels
from gradus.judgments.table_format import read_table_evidence, read_table_file
from gradus.settings import Settings


def read_judgments(settings: Settings, documents: Table) -> Judgments:
    """The judgments that `[judgments]` describes, bound to the catalogue.

    Raises:
        JudgmentsError: As `read_judgments_file`.
        CatalogError: As `read_judgments_file`.
    """
    return read_judgments_file(settings, documents).judgments


def read_judgments_file(settings: Settings, documents: Table) -> JudgmentsFile:
    """The judgments that `[judgments]` describes, with the split labels of their file.

    `judgments.format` says how the file is read; `auto` takes a folder as Marqo-GS, .qrels and .txt as TREC
    qrels, and everything else as a table.

    Args:
        settings: The sections judgments and query say where and how.
        documents: The catalogue that the judgments point into.

    Raises:
        JudgmentsError: No such file, or something in it that cannot be used; the message names the row.
        CatalogError: The file, or the queries file, cannot be read.
    """
    path = settings.resolve(settings.judgments.path)
    if not path.exists():
        raise JudgmentsError(f"no judgments at {path}; set judgments.path")
    match _format(settings.judgments.format, path):
        case "marqo-gs":
            score, scale = settings.judgments.score, settings.judgments.scale
            return read_marqo_gs(
                path, documents, "score_linear" if score == "score" else score, None if scale == 1 else scale
            )
        case "qrels":
            if not settings.query.path:
                raise JudgmentsError(f"{path} holds no query texts; name the queries' file in query.path")
            return read_qrels(path, open_queries(settings), documents, settings.judgments.scale)
        case _:
            return read_table_file(settings, documents)


def read_evidence(settings: Settings, queries: Table) -> NDArray[np.float64] | None:
    """(n_q,) how much evidence there is of each query, where the judgments' file says so; else `None`.

    Args:
        settings: The sections judgments and query say where and how.
        queries: The queries of the judgments.

    Raises:
        JudgmentsError: The column of evidence holds something else than numbers.
        CatalogError: The file cannot be read.
    """
    path = settings.resolve(settings.judgments.path)
    if _format(settings.judgments.format, path) != "table":
        return None
    return read_table_evidence(settings, queries)


def _format(wanted: str, path: Path) -> str:
    if wanted != "auto":
        return wanted
    if path.is_dir():
        return "marqo-gs"
    return "qrels" if path.suffix.lower() in (".qrels", ".txt") else "table"
