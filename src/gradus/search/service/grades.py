"""The grades in the log as they stand: of a rater's grades for one pair, the last one.

The log's files grow at their ends. What was read of them is kept, and a question costs what came since.
"""

import json
import threading
from collections import defaultdict
from pathlib import Path

from gradus.search.service.state import Grade

Pair = tuple[str, str]
"""A query's text and a document's id."""


class GradeBook:
    """The grades of all services that write to a folder. Every question reads the disk, in any thread.

    Args:
        folder: Of the log's grades; need not be there yet. `None` where there is no log, and so no grade.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._ends: dict[Path, int] = {}
        self._last: dict[str, dict[tuple[str, str], tuple[str, Grade]]] = {}
        """Query → document and rater → time and grade."""

    def given(self, rater: str, query: str) -> dict[str, Grade]:
        """Document → the grade that a rater gave it for a query."""
        with self._turn:
            self._read_on()
            grades = self._last.get(query, {})
            return {doc_id: grade for (doc_id, name), (_, grade) in grades.items() if name == rater}

    def progress(self, rater: str) -> dict[str, tuple[int, int]]:
        """Query → how many documents a rater graded for it, and how many raters graded any."""
        with self._turn:
            self._read_on()
            return {
                query: (sum(name == rater for _, name in grades), len({name for _, name in grades}))
                for query, grades in self._last.items()
            }

    def shared(self) -> dict[Pair, dict[str, Grade]]:
        """Pair → rater → grade, of the pairs with two raters or more."""
        raters: defaultdict[Pair, dict[str, Grade]] = defaultdict(dict)
        with self._turn:
            self._read_on()
            for query, grades in self._last.items():
                for (doc_id, name), (_, grade) in grades.items():
                    raters[query, doc_id][name] = grade
        return {pair: grades for pair, grades in raters.items() if len(grades) > 1}

    def _read_on(self) -> None:
        paths = sorted(self._folder.glob("*.jsonl")) if self._folder is not None else []
        added = {path: _lines_behind(path, self._ends.get(path, 0)) for path in paths}
        if None in added.values() or self._ends.keys() - added.keys():
            # The disk did not confirm lines, which were cut off again; or somebody took files away.
            self._ends, self._last = {}, {}
            added = {path: _lines_behind(path, 0) for path in paths}
        for path, lines in added.items():
            for line in (lines or b"").splitlines():
                row = json.loads(line)
                grades = self._last.setdefault(row["query"], {})
                key = row["doc_id"], row["rater"]
                if key not in grades or row["timestamp"] >= grades[key][0]:
                    grades[key] = row["timestamp"], row["grade"]
            self._ends[path] = self._ends.get(path, 0) + len(lines or b"")


def _lines_behind(path: Path, end: int) -> bytes | None:
    """The whole lines of a file behind those that end at a place; `None` where no line ends there any more."""
    with path.open("rb") as file:
        if end > 0:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                return None
        data = file.read()
    return data[: data.rfind(b"\n") + 1]
