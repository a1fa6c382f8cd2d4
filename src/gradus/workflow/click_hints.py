"""A log's scores, with hints from the run that `clicks.run` names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gradus.errors import JudgmentsError
from gradus.evaluation.runs import Run
from gradus.judgments.clicks.hints import Hints
from gradus.judgments.clicks.score import ClickScores, score_clicks
from gradus.judgments.logs.cells import Cells
from gradus.settings import ClicksSettings


def score_hinted(
    cells: Cells,
    settings: ClicksSettings,
    root: Path,
    run: Run | None,
    named: Callable[[str], str],
    pages_per_day: float | None = None,
) -> ClickScores:
    """Score every pair of a log, with what a run says of them.

    Args:
        cells: The log.
        settings: Which model, which prior.
        root: What `clicks.propensities` is relative to.
        run: The lists, or `None`.
        named: From a query of the run to its name in the cells; asked only where the cells do not have it as it is.
        pages_per_day: Result pages a day, for advice on experiments.

    Raises:
        JudgmentsError: Nothing that the run lists was shown in the log.
        LogError: As `score_clicks`, like the next.
        SettingsError: A model lacks what it needs.
    """
    hints = None if run is None else hints_of(run, cells, named)
    found = score_clicks(cells, settings, root, pages_per_day, hints)
    if run is not None and hints is not None and not found.hinted:
        raise JudgmentsError(
            f"run {run.name!r} lists no pair that was shown in the log ({len(np.unique(hints.query)):,} of its "
            f"{len(run.query_ids):,} queries are in the log); check that its query and document ids are those of the judgments"
        )
    return found


def hints_of(run: Run, cells: Cells, named: Callable[[str], str]) -> Hints:
    """The lists of a run by the rows of a log; those of queries that it does not have are left out."""
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
    return Hints(query, document, score)
