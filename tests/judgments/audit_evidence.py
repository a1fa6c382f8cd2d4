"""A log of five pairs, made by hand, and judgments of it: small enough to check every number of an audit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
from click_logs import cells_of

from gradus.judgments.audit import Audit, audit
from gradus.judgments.clicks.ctr import fit_ctr
from gradus.judgments.clicks.fit import Curve
from gradus.judgments.clicks.identify import identify
from gradus.judgments.clicks.score import ClickScores
from gradus.judgments.fusion import Fused, fuse
from gradus.judgments.grades.consensus import Consensus, judge_grades
from gradus.judgments.grades.grades import Grades
from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.health import Finding
from gradus.judgments.logs.summary import Day, LogSummary
from gradus.judgments.scores import Scores

# Query, document, position, previous click, impressions, clicks. The first pair was shown at two positions.
CELLS = [
    (0, 0, 1, 0, 30, 12),
    (0, 0, 2, 0, 10, 2),
    (0, 1, 2, 0, 30, 3),
    (0, 2, 3, 0, 30, 6),
    (1, 0, 1, 0, 9, 3),
    (1, 3, 2, 0, 1, 1),
]
SCORES = [0.52, 0.22, 0.62, 0.42, 0.82]
WIDTHS = [0.12, 0.12, 0.42, 0.52, 0.72]
"""Pair by pair: (q0, d0), (q0, d1), (q0, d2), (q1, d0), (q1, d3)."""

SUMMARY = LogSummary(
    read=130,
    used=110,
    filtered={"robots": 12, "beyond the page": 3},
    rejected={"no document": 5},
    ignored={"scroll": 7},
    first=1,
    start=datetime(2026, 1, 1, 8),
    end=datetime(2026, 1, 4, 20),
    sessions=25,
    pages=40,
    days=(Day(date(2026, 1, 1), 50, 12), Day(date(2026, 1, 2), 40, 10), Day(date(2026, 1, 4), 20, 5)),
)
FAULT = Finding("missing impressions", "error", "only clicks are logged", "log what was shown", {"pages": 7})
WARNING = Finding(
    "days without rows", "warning", "1 of 4 days has no row", "look for lost files", {"empty": 1}
)


def hand_log(queries: Sequence[str] = ("q0", "q1"), estimator: str = "pbm") -> tuple[Cells, ClickScores]:
    """The log and scores of its pairs."""
    cells = replace(cells_of(CELLS), queries=list(queries))
    trials = fit_ctr(cells).trials
    score, half = np.array(SCORES), np.array(WIDTHS) / 2
    low = np.where(score + half > 1, 1 - 2 * half, score - half)
    scores = Scores(
        "log", cells.queries, cells.documents, trials.query.astype(np.int64), trials.document.astype(np.int64),
        score, low, low + 2 * half, trials.impressions,
    )  # fmt: skip
    curve = Curve(np.array([1.0, 0.5, 0.7]), np.array([0.0, 0.2, np.inf]))
    fit = replace(fit_ctr(cells), estimator=estimator, curve=curve)
    return cells, ClickScores(scores, fit, curve, identify(cells), trials.impressions)


def hand_fused(queries: Sequence[str] = ("q0", "q1")) -> Fused:
    """The judgments: those of the log alone."""
    return fuse([hand_log(queries)[1].scores])


def hand_grades(queries: Sequence[str] = ("q0", "q1")) -> Consensus:
    """Two raters, who differ on (q0, d1)."""
    pair, rater, level = np.array(
        [(0, 0, 2), (0, 1, 2), (1, 0, 0), (1, 1, 2), (2, 0, 1), (2, 1, 1)], np.int64
    ).T
    grades = Grades(
        list(queries), ["d0", "d1", "d3"], ["Aoi", "Ben"], ["0", "1", "2"], np.array([0, 0.5, 1.0]),
        np.array([0, 0, 1]), np.array([0, 1, 2]), pair, rater, level,
    )  # fmt: skip
    return judge_grades(grades, "mean")


def hand_audit(queries: Sequence[str] = ("q0", "q1"), **changes: Any) -> Audit:
    """The audit of log and grades, fused, with all there is to say."""
    cells, log = hand_log(queries)
    consensus = hand_grades(queries)
    given = {
        "documents": 8, "log": log, "cells": cells, "summary": SUMMARY, "findings": (WARNING,),
        "consensus": consensus, "pages_per_day": 20.0, **changes,
    }  # fmt: skip
    return audit(fuse([consensus.scores, log.scores]), **given)
