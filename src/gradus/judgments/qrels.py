"""TREC qrels: one judged pair a line, `query_id iteration doc_id grade`, whitespace between.

The file names queries without describing them, so their fields come from the queries file. Grades below 0,
by which TREC marks spam and junk, become 0.
"""

from pathlib import Path

import numpy as np

from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.files import atomic_file
from gradus.judgments.binding import Evidence, JudgmentsFile, bind
from gradus.judgments.judgments import Judgments


def read_qrels(path: Path, queries: Table, documents: Table, scale: float = 1.0) -> JudgmentsFile:
    """Read qrels; the score of a pair is max(grade, 0)/scale.

    Args:
        path: The qrels file.
        queries: The queries it may name; those it does not name are left out of the result.
        documents: The catalogue.
        scale: The grade that counts as 1.

    Raises:
        JudgmentsError: A line that is not four columns with a number at the end, or what `bind` refuses.
    """
    query_ids, document_ids, grades = [], [], []
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise JudgmentsError(f"{path} is not UTF-8: {error}") from None
    for number, line in enumerate(lines, 1):
        columns = line.split()
        try:
            query_id, _, document_id, grade = columns
            grades.append(max(float(grade), 0.0) if grade.lower() != "nan" else float("nan"))
        except ValueError:
            raise JudgmentsError(
                f"{path}, row {number}: {line.strip()!r} is no qrels line; "
                "it takes query_id, iteration, doc_id and a numeric grade, with spaces between and no blank lines above others"
            ) from None
        query_ids.append(query_id)
        document_ids.append(document_id)
    evidence = Evidence(
        files=((path, len(grades)),),
        query_ids=np.array(query_ids, object),
        document_ids=np.array(document_ids, object),
        score=np.array(grades, np.float64),
        low=None,
        high=None,
        source=np.full(len(grades), path.stem, object),
        scale=scale,
    )
    return bind(evidence, queries, documents)


def write_qrels(path: Path, judgments: Judgments, scale: float) -> None:
    """Write qrels with the integer grades round(score · scale).

    Args:
        path: The file to write.
        judgments: The pairs, written in their order.
        scale: The grade that a score of 1 becomes.

    Raises:
        JudgmentsError: An id with whitespace in it, which the format cannot hold.
    """
    for name in (*judgments.queries.ids, *judgments.documents.ids):
        if len(name.split()) != 1:
            raise JudgmentsError(f"{path}: id {name!r} holds whitespace, which TREC qrels cannot write")
    grades = np.rint(judgments.score * scale).astype(np.int64)
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8") as file:
        for query, document, grade in zip(judgments.query, judgments.document, grades, strict=True):
            file.write(f"{judgments.queries.ids[query]} 0 {judgments.documents.ids[document]} {grade}\n")
