"""A cross-encoder as the second stage: one transformer reads the query and a document together.

It is the most exact re-ranker of texts and the slowest, as nothing of a document can be computed before the query
is known (Nogueira and Cho, "Passage Re-ranking with BERT", 2019). Models are those of sentence-transformers.
"""

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import ModelError
from gradus.evaluation.rerankers.text_reranker import Rows, TextReranker


class CrossEncoder(TextReranker):
    """A re-ranker whose scores are the model's logits.

    Args:
        model: Folder or hub name of a model with one output and safetensors weights.
        queries: The queries.
        documents: The catalogue.
        device: Where it runs.
        batch: Pairs at a time.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelError: No such model, or one with several outputs.
    """

    def __init__(
        self, model: str, queries: Table, documents: Table, *, device: str = "cpu", batch: int = 32
    ) -> None:
        super().__init__("CrossEncoder", model, queries, documents, device, batch)
        if self._model.num_labels != 1:
            raise ModelError(
                f"the cross-encoder {model!r} has {self._model.num_labels} outputs; a re-ranker needs one"
            )

    def _score(self, queries: list[str], listed: Rows) -> NDArray[np.float32]:
        import torch

        pairs = [
            (query, self._documents[row]) for query, rows in zip(queries, listed, strict=True) for row in rows
        ]
        # Without the sigmoid that these models end with, which rounds good pairs to the same score.
        logits = self._model.predict(
            pairs, batch_size=self.batch, activation_fn=torch.nn.Identity(), show_progress_bar=False
        )
        return np.asarray(logits, np.float32).reshape(listed.shape)
