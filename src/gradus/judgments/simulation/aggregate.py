"""Pages to cells in NumPy: the counts that a log of the same pages would come to."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.logs.cells import Cells
from gradus.judgments.simulation.pages import Pages
from gradus.judgments.simulation.traffic import START
from gradus.judgments.simulation.truth import Truth

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_COUNTS = ("impressions", "clicks", "above_last", "last", "propensity", "logged", "cart", "purchase")


def aggregate(truth: Truth, pages: Iterable[Pages], page: int, *, by_day: bool = False) -> Cells:
    """Count the impressions of pages that share pair, position, previous click and window.

    Clicks are the action that counts, with weight 1.

    Args:
        truth: What the pairs of the pages point into.
        pages: The log, part by part.
        page: Positions on a page.
        by_day: Windows of a day each; otherwise one.
    """
    sizes = (len(truth), page, page + 1)
    code, counts = _merged_in_turn(_rows(part, sizes, by_day) for part in pages)
    code, previous = np.divmod(code, sizes[2])
    code, place = np.divmod(code, sizes[1])
    window, pair = np.divmod(code, sizes[0])
    days = int(window.max(initial=0)) + 1
    column = dict(zip(_COUNTS, counts.T.copy(), strict=True))
    return Cells(
        queries=truth.queries,
        documents=truth.documents,
        windows=(START + np.arange(days) * np.timedelta64(1, "D")).astype("datetime64[s]"),
        query=truth.query[pair].astype(np.int32),
        document=truth.document[pair].astype(np.int32),
        position=(place + 1).astype(np.int16),
        previous=previous.astype(np.int16),
        window=window.astype(np.int16),
        impressions=column["impressions"],
        clicks=column["clicks"],
        above_last=column["above_last"],
        last=column["last"],
        utility=column["clicks"],
        utility_square=column["clicks"],
        propensity=column["propensity"],
        logged=column["logged"],
        actions={"click": column["clicks"], "cart": column["cart"], "purchase": column["purchase"]},
    )


def _rows(part: Pages, sizes: tuple[int, int, int], by_day: bool) -> tuple[Codes, Floats]:
    """The code of each impression's cell, (m,), and what the impression adds to its counts, (m, counts)."""
    shown = part.shown
    position = np.arange(1, sizes[1] + 1)
    clicked = np.where(part.click, position, 0)
    nearest = np.maximum.accumulate(clicked, axis=1)
    previous = np.c_[np.zeros(len(part), np.int64), nearest[:, :-1]]
    window = np.zeros(len(part), np.int64)
    if by_day:
        window = (part.time - START).astype("timedelta64[D]").astype(np.int64)
    code = (window[:, None] * sizes[0] + part.pair) * sizes[1] + position - 1
    last = nearest[:, -1:]
    logged = np.zeros_like(shown) if part.propensity is None else shown
    inverse = 0.0 if part.propensity is None else 1 / part.propensity
    values = (shown, part.click, position <= last, part.click & (position == last), inverse, logged)
    columns = [np.broadcast_to(value, shown.shape)[shown] for value in (*values, part.cart, part.purchase)]
    return _merged((code * sizes[2] + previous)[shown], np.stack(columns, axis=1).astype(np.float64))


def _merged_in_turn(parts: Iterable[tuple[Codes, Floats]]) -> tuple[Codes, Floats]:
    """All parts merged: they wait until they hold as many rows as what is merged already, as sorting is dear."""
    held: list[tuple[Codes, Floats]] = [(np.empty(0, np.int64), np.empty((0, len(_COUNTS))))]
    for part in parts:
        held.append(part)
        if sum(len(code) for code, _ in held[1:]) >= len(held[0][0]):
            held = [_joined(held)]
    return _joined(held)


def _joined(parts: list[tuple[Codes, Floats]]) -> tuple[Codes, Floats]:
    codes, counts = zip(*parts, strict=True)
    return _merged(np.concatenate(codes), np.concatenate(counts))


def _merged(code: Codes, counts: Floats) -> tuple[Codes, Floats]:
    """Each code once, ascending, with the sum of its counts."""
    if not len(code):
        return code, counts
    order = np.argsort(code, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(code[order]) != 0])
    return code[order][first], np.add.reduceat(counts[order], first, axis=0)
