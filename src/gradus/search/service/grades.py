"""The grades in the log as they stand: of a rater's grades for one pair, the last one."""

import json
from pathlib import Path

from gradus.files import log_lines
from gradus.search.service.state import Grade

Pair = tuple[str, str]
"""A query's text and a document's id."""


def read_grades(folder: Path) -> dict[Pair, dict[str, Grade]]:
    """Pair → rater → grade, of all services that write to the folder."""
    last: dict[tuple[Pair, str], tuple[str, Grade]] = {}
    for _, _, line in log_lines(folder):
        row = json.loads(line)
        key = (row["query"], row["doc_id"]), row["rater"]
        if key not in last or row["timestamp"] >= last[key][0]:
            last[key] = row["timestamp"], row["grade"]
    grades: dict[Pair, dict[str, Grade]] = {}
    for (pair, rater), (_, grade) in last.items():
        grades.setdefault(pair, {})[rater] = grade
    return grades
