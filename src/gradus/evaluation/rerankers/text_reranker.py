"""What the pretrained re-rankers of texts share: reading a model, and which queries it is asked."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.bm25 import joined_texts
from gradus.encoders.pretrained import reading
from gradus.encoders.sentence import sentence_library

Rows = NDArray[np.int64]


class TextReranker(ABC):
    """A re-ranker, as `gradus.evaluation.rerankers.reranked.Scorer` describes.

    All fields but pictures of a document are one text to it, all of a query another. For a query without text the
    order of the list stays as it is.

    Args:
        kind: The model's class in sentence-transformers.
        model: Folder or hub name of a model with safetensors weights.
        queries: The queries.
        documents: The catalogue.
        device: Where it runs.
        batch: Texts, or pairs of them, at a time.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelError: No such model.
    """

    def __init__(
        self, kind: str, model: str, queries: Table, documents: Table, device: str, batch: int
    ) -> None:
        library = sentence_library()
        with reading(model):
            self._model: Any = getattr(library, kind)(
                model, device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        self.batch = batch
        self._queries, self._documents = joined_texts(queries), joined_texts(documents)

    @property
    def nbytes(self) -> int:
        """Bytes of the parameters."""
        return sum(part.numel() * part.element_size() for part in self._model.parameters())

    def __call__(self, query_rows: Rows, listed: Rows) -> NDArray[np.float32]:
        """The scores (n, k) of listed documents."""
        scores = np.tile(-np.arange(listed.shape[1], dtype=np.float32), (len(listed), 1))
        asked = [place for place, row in enumerate(query_rows.tolist()) if self._queries[row]]
        if asked and listed.shape[1]:
            scores[asked] = self._score([self._queries[row] for row in query_rows[asked]], listed[asked])
        return scores

    @abstractmethod
    def _score(self, queries: list[str], listed: Rows) -> NDArray[np.float32]:
        """The scores (n, k) for the texts of n queries; neither n nor k is 0."""
