"""Facets: how many documents have each value of a category, as the other filters leave it."""

import numpy as np

from gradus.catalog.table import Table
from gradus.errors import SearchError
from gradus.search.index.block import GrowingBlock
from gradus.search.index.filters import Filter
from gradus.search.table import as_documents

MOST_VALUES = 100
"""Values of a field that are counted for a reader, the commonest ones."""


class Facets:
    """The categories and numbers of a catalogue as arrays, to be counted under a filter.

    Args:
        documents: The catalogue.
    """

    def __init__(self, documents: Table) -> None:
        schema, columns = as_documents(documents, np.zeros((len(documents), 0), np.float32))
        block = GrowingBlock(schema)
        block.append(columns)
        self._block = block.view(np.ones(len(documents), bool))
        self._alphabet = {
            field: np.array(sorted(range(len(values)), key=values.__getitem__), np.int64)
            for field, (_, values) in self._block.categories.items()
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The category fields."""
        return tuple(self._block.categories)

    def require(self, field: str) -> None:
        """Raise a SearchError unless there is a category field of that name."""
        if field not in self._block.categories:
            known = ", ".join(self.names) or "none"
            raise SearchError(f"{field!r} is no category field to count; there are: {known}")

    def count(self, field: str, where: Filter) -> dict[str, int]:
        """Value → documents that have it and meet the conditions on *other* fields, commonest first.

        A reader who has chosen a value sees what the field's other values would give. Of values that are equally
        common, the alphabet's first comes first.

        Raises:
            SearchError: No category field of that name.
        """
        self.require(field)
        others = {name: condition for name, condition in where.items() if name != field}
        codes, values = self._block.categories[field]
        admitted = codes[self._block.admitted(others)]
        counts = np.bincount(admitted[admitted >= 0], minlength=len(values))
        alphabet = self._alphabet[field]
        order = alphabet[np.argsort(-counts[alphabet], kind="stable")][:MOST_VALUES]
        return {values[code]: int(counts[code]) for code in order if counts[code]}
