"""A log of grades: a folder of JSON lines that a service appends to while people judge."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from gradus.errors import JudgmentsError
from gradus.files import log_lines
from gradus.judgments.columns import Columns
from gradus.settings import GradesSettings

_TIME = "timestamp"
"""The key with the time of a grade, in a form that sorts."""


def read_grades_log(folder: Path, names: GradesSettings) -> Columns:
    """The grades of a log as they stand: of a rater's grades for one pair, the last one.

    Args:
        folder: Holds the `*.jsonl` files.
        names: The keys of query, document, grade and rater.

    Raises:
        JudgmentsError: No grades, or a line that is none.
    """
    keys = (names.query, names.document, names.grade, names.rater)
    last: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for path, number, line in log_lines(folder):
        try:
            row = json.loads(line)
            pair = str(row[names.query]), str(row[names.document]), str(row[names.rater])
            if pair not in last or row[_TIME] >= last[pair][_TIME]:
                last[pair] = {key: row[key] for key in (*keys, _TIME)}
        except (ValueError, KeyError, TypeError):
            wanted = ", ".join((*keys, _TIME))
            raise JudgmentsError(f"{path}, line {number}, is no grade: it needs {wanted}") from None
    if not last:
        raise JudgmentsError(f"{folder} holds no grades; people give them on the page /judge of gradus serve")
    return Columns(folder, pa.table({key: [str(row[key]) for row in last.values()] for key in keys}))
