"""Columns of a log's files: Arrow arrays made of pages and the truth that they point into."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gradus.judgments.simulation.dirt import Rows
from gradus.judgments.simulation.pages import Pages
from gradus.judgments.simulation.truth import Truth

TIME = pa.timestamp("ms", tz="UTC")


class Columns:
    """The columns of the rows of one part of a log.

    Args:
        truth: What the pages' pairs point into.
        part: The pages.
    """

    def __init__(self, truth: Truth, part: Pages) -> None:
        self._queries = pa.array(truth.queries, pa.string())
        self._documents = pa.array(truth.documents, pa.string())
        self._document = truth.document
        self.part = part

    def page(self, page: NDArray[np.int64]) -> pa.Array:
        """Ids of pages: p and their number in the log."""
        return _numbered("p", self.part.number[page])

    def session(self, page: NDArray[np.int64]) -> pa.Array:
        """Ids of the pages' sessions."""
        return _numbered("s", self.part.session[page])

    def user(self, page: NDArray[np.int64]) -> pa.Array:
        """Ids of the pages' users."""
        return _numbered("u", self.part.user[page])

    def query(self, page: NDArray[np.int64]) -> pa.Array:
        """Texts of the pages' queries."""
        return self._queries.take(pa.array(self.part.query[page]))

    def document(self, page: NDArray[np.int64], place: NDArray[np.int64]) -> pa.Array:
        """Ids of the documents at places of pages."""
        return self._documents.take(pa.array(self._document[self.part.pair[page, place]]))

    def propensity(self, rows: Rows) -> pa.Array:
        """Logged propensities, null where there are none."""
        if self.part.propensity is None:
            return pa.nulls(len(rows.page), pa.float64())
        return pa.array(self.part.propensity[rows.page, rows.place], pa.float64())

    def dwell(self, rows: Rows, clicked: NDArray[np.bool_]) -> pa.Array:
        """Seconds spent on what was clicked, null elsewhere."""
        return pa.array(self.part.dwell[rows.page, rows.place], pa.float32(), mask=~clicked)


def times(time: NDArray[np.datetime64]) -> pa.Array:
    """Timestamps in milliseconds, UTC."""
    return pa.array(time.astype("datetime64[ms]"), pa.timestamp("ms")).cast(TIME)


def _numbered(letter: str, numbers: NDArray[np.int64]) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.cast(pa.array(numbers), pa.string()), "")
