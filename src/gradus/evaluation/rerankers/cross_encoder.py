"""A cross-encoder as the second stage: one transformer reads the query and a document together.

It is the most exact re-ranker of texts and the slowest, as nothing of a document can be computed before the query
is known (Nogueira and Cho, "Passage Re-ranking with BERT", 2019). Models are those of sentence-transformers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.bm25 import joined_texts
from gradus.encoders.pretrained import reading
from gradus.errors import MissingExtraError, ModelError

Rows = NDArray[np.int64]


class CrossEncoder:
    """A re-ranker, as `gradus.evaluation.rerankers.reranked.Scorer` describes.

    All fields but pictures of a document are one text to it, all of a query another. For a query without text the
    order of the list stays as it is.

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
        try:
            import sentence_transformers
        except ImportError:
            raise MissingExtraError("a cross-encoder", "hf") from None
        with reading(model):
            self._model: Any = sentence_transformers.CrossEncoder(
                model, device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        if self._model.num_labels != 1:
            raise ModelError(
                f"the cross-encoder {model!r} has {self._model.num_labels} outputs; a re-ranker needs one"
            )
        self.batch = batch
        self._queries, self._documents = joined_texts(queries), joined_texts(documents)

    @property
    def nbytes(self) -> int:
        """Bytes of the parameters."""
        return sum(part.numel() * part.element_size() for part in self._model.parameters())

    def __call__(self, query_rows: Rows, listed: Rows) -> NDArray[np.float32]:
        """The scores (n, k) of listed documents: the model's logits."""
        import torch

        scores = np.tile(-np.arange(listed.shape[1], dtype=np.float32), (len(listed), 1))
        asked = [place for place, row in enumerate(query_rows.tolist()) if self._queries[row]]
        if asked and listed.shape[1]:
            pairs = [
                (self._queries[query_rows[place]], self._documents[row])
                for place in asked
                for row in listed[place]
            ]
            # Without the sigmoid that these models end with, which rounds good pairs to the same score.
            logits = self._model.predict(
                pairs, batch_size=self.batch, activation_fn=torch.nn.Identity(), show_progress_bar=False
            )
            scores[asked] = np.asarray(logits, np.float32).reshape(len(asked), listed.shape[1])
        return scores
