"""Late interaction as the second stage: a vector of every token, and each of the query's seeks its best match.

    score(q, d) = Σ_i max_j q_i · d_j

with a sum over the query's tokens i and the largest over the document's tokens j (Khattab and Zaharia, "ColBERT",
2020). Unlike a cross-encoder's work, the document's part is done once, before any query: an index of token vectors,
many for each document, takes the place of time. Models are those of sentence-transformers, PyLate and ColBERT.
"""

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.pretrained import read_config
from gradus.encoders.sentence import model_file, model_json
from gradus.errors import ModelError
from gradus.evaluation.rerankers.text_reranker import Rows, TextReranker

_BLOCK = 1024
"""Documents whose vectors are held in float32 at the same time."""


class LateInteraction(TextReranker):
    """A re-ranker whose scores are the sums of the best matches.

    Args:
        model: Folder or hub name of a model with safetensors weights.
        queries: The queries.
        documents: The catalogue.
        device: Where it runs.
        batch: Texts at a time.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelError: No such model, or one that was not trained to compare tokens.
    """

    def __init__(
        self, model: str, queries: Table, documents: Table, *, device: str = "cpu", batch: int = 32
    ) -> None:
        _check(model)
        super().__init__("MultiVectorEncoder", model, queries, documents, device, batch)
        self._vectors: dict[int, NDArray[np.float16]] = {}

    def embed(self, rows: Rows) -> list[NDArray[np.float16]]:
        """The token vectors (tokens, D) of each of some documents, made now.

        As ColBERT's index they are in half precision: the rounding, at most 1 part in 2,048, is far below what sets
        documents apart.
        """
        made: list[NDArray[np.float16]] = []
        for start in range(0, len(rows), _BLOCK):
            vectors = self._model.encode_document(
                [self._documents[row] for row in rows[start : start + _BLOCK]],
                batch_size=self.batch,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
            made += [each.astype(np.float16) for each in vectors]
        return made

    def keep(self, rows: Rows) -> None:
        """Make the token vectors of documents that are not there yet."""
        missing = np.array([row for row in np.unique(rows).tolist() if row not in self._vectors], np.int64)
        self._vectors |= zip(missing.tolist(), self.embed(missing), strict=True)

    def _score(self, queries: list[str], listed: Rows) -> NDArray[np.float32]:
        self.keep(listed)
        vectors = self._model.encode_query(queries, batch_size=self.batch, show_progress_bar=False)
        scores = np.empty(listed.shape, np.float32)
        for place, query in enumerate(vectors):
            documents = [self._vectors[row].astype(np.float32) for row in listed[place].tolist()]
            scores[place] = self._model.similarity([query.float()], documents)[0].cpu()
        return scores


def _check(name: str) -> None:
    """Refuse what the library would take with a projection of random numbers, or from a pickle.

    Raises:
        ModelError: The model makes one vector of a text, or lacks the projection of its tokens.
    """
    parts = [(part["type"].rpartition(".")[2], part["path"]) for part in model_json(name, "modules.json")]
    if parts:
        kinds = {kind for kind, _ in parts}
        trained = "Pooling" not in kinds and bool(kinds & {"Dense", "MultiVectorMask"})
    else:
        trained = read_config(name).architectures == ["HF_ColBERT"]
    if not trained:
        raise ModelError(
            f"{name!r} is no late-interaction model: it was not trained to compare tokens; give the folder or the "
            "hub name of one that was, with sentence-transformers (MultiVectorEncoder), PyLate or ColBERT"
        )
    for kind, path in parts:
        if kind == "Dense" and model_file(name, "model.safetensors", path) is None:
            raise ModelError(f"the late-interaction model {name!r} has no {path}/model.safetensors")
