"""Hints for a log's clicks, from the run that `clicks.run` names."""

from collections.abc import Callable

import numpy as np

from gradus.errors import JudgmentsError
from gradus.evaluation.runs import Run
from gradus.judgments.clicks.hints import Hints
from gradus.judgments.logs.cells import Cells


def hints_of(run: Run, cells: Cells, named: Callable[[str], str]) -> Hints:
    """What a run says of the pairs of a log.

    Args:
        run: The lists; queries and documents that the log does not have are left out.
        cells: The log.
        named: From a query of the run to its name in the cells; asked only where the cells do not have it as it is.

    Raises:
        JudgmentsError: Nothing that the run lists was shown in the log.
    """
    row_of_query = {name: row for row, name in enumerate(cells.queries)}
    row_of_document = {name: row for row, name in enumerate(cells.documents)}
    listed: dict[int, int] = {}
    for place, name in enumerate(run.query_ids):
        row = row_of_query.get(name)
        if row is None:
            row = row_of_query.get(named(name))
        if row is not None:
            listed.setdefault(row, place)
    places = listed.values()
    query = np.repeat(np.array([*listed], np.int64), [len(run.document_ids[place]) for place in places])
    names = [name for place in places for name in run.document_ids[place]]
    document = np.array([row_of_document.get(name, -1) for name in names], np.int64)
    score = np.array([value for place in places for value in run.scores[place]], np.float64)
    hints = Hints(query, document, score)
    if not np.isfinite(hints.of(cells.query, cells.document)).any():
        raise JudgmentsError(
            f"run {run.name!r} lists no pair that was shown in the log ({len(listed):,} of its {len(run.query_ids):,} queries "
            "are in the log); check that its query and document ids are those of the judgments"
        )
    return hints
