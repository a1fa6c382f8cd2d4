"""Lists of any pipeline, in the place of an engine: what it returned for its queries, so that people can compare it.

A pipeline with a re-ranker, or the search that is in use today, need not run here to stand beside a model: its run file
says what it returned. For a query that it has no list for, it finds nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.text import normalise
from gradus.errors import SearchError
from gradus.search.engine import Engine, Wanted
from gradus.search.explain import Explanation
from gradus.search.index.filters import admits
from gradus.search.query import Query


def asked_as(text: str) -> str:
    """What a query's text is known by: one normal form and one case."""
    return normalise(text).casefold()


@dataclass(frozen=True)
class ListedEngine(Engine):
    """Answers with lists that were given.

    Attributes:
        lists: What a query is known by, as `asked_as` gives it → ids and scores of its documents, best first.
    """

    lists: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)

    def embed(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """(n, D) zeros: a list is found by the query's words."""
        return np.zeros((len(queries), self.encoder.length), np.float32)

    def rank(self, vectors: NDArray[np.float32], wanted: Sequence[Wanted]) -> list[list[tuple[str, float]]]:
        """The lists of n queries, as far as the filter admits their documents and the catalogue has them."""
        return [self._listed(want) for want in wanted]

    def explain(self, query: Query, doc_id: str) -> Explanation:
        """Refused.

        Raises:
            SearchError: Always: what a given score is made of is not known.
        """
        raise SearchError(
            f"{self.name!r} is a list that was given; what its scores are made of is not known here"
        )

    def _listed(self, want: Wanted) -> list[tuple[str, float]]:
        rows, columns = self.documents.row_of, self.documents.columns
        found = [
            (doc_id, score)
            for doc_id, score in self.lists.get(asked_as(want.words), ())
            if doc_id in rows
            and admits(want.where, {name: columns[name][rows[doc_id]] for name in want.where})
        ]
        return found[: want.k]
