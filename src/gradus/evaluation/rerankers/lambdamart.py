"""LambdaMART: boosted trees that re-order the top of a first stage's lists.

Each tree follows the gradients of LambdaRank, pairs of a list weighted by what exchanging them would change in
nDCG (Burges, "From RankNet to LambdaRank to LambdaMART", 2010), as LightGBM implements them. It is the second
stage that most searches run, and so the one a first stage has to match.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.errors import EvaluationError, MissingExtraError
from gradus.evaluation.cells import Search
from gradus.evaluation.rerankers.features import PairFeatures
from gradus.judgments.judgments import Judgments

Rows = NDArray[np.int64]

GRADES = 40
"""LightGBM wants whole grades: scores are rounded to this many steps, gains stay linear in them."""


class LambdaMart:
    """A re-ranker of a first stage.

    Args:
        first: The first stage.
        features: What is known of a query and a document.
        depth: How many documents of each list are re-ranked; the re-ranked lists hold no more.
        trees: How many.
        leaves: Most leaves of a tree.
        rate: Shrinkage of each tree.
        seed: Seed of LightGBM.
        threads: Threads of LightGBM.
    """

    def __init__(
        self,
        first: Search,
        features: PairFeatures,
        *,
        depth: int = 100,
        trees: int = 300,
        leaves: int = 31,
        rate: float = 0.05,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.first, self.features, self.depth = first, features, depth
        self._parameters: dict[str, Any] = {
            "objective": "lambdarank",
            "n_estimators": trees,
            "num_leaves": leaves,
            "learning_rate": rate,
            "min_child_samples": 50,
            "lambdarank_truncation_level": 20,
            "label_gain": list(range(GRADES + 1)),
            "random_state": seed,
            "n_jobs": threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        self._model: Any = None

    def fit(self, judgments: Judgments, query_rows: Rows, document_rows: Rows) -> None:
        """Learn from the first stage's lists for queries, with what is unjudged as score 0.

        Args:
            judgments: What training may see.
            query_rows: (n,) the training queries.
            document_rows: (m,) the training documents: the corpus of the lists.

        Raises:
            MissingExtraError: `lightgbm` is not installed.
            EvaluationError: No list holds a judged document.
        """
        try:
            from lightgbm import LGBMRanker
        except ImportError:
            raise MissingExtraError("LambdaMART", "rerank") from None
        places, _ = self.first(query_rows, document_rows, self.depth)
        listed = document_rows[places]
        grades = np.rint(GRADES * _scores(judgments, query_rows, listed)).astype(np.int64)
        useful = grades.any(axis=1)
        if not useful.any():
            raise EvaluationError("LambdaMART has nothing to learn from: no list holds a judged document")
        features = self.features.of(query_rows[useful], listed[useful])
        self._model = LGBMRanker(**self._parameters)
        self._model.fit(
            features.reshape(-1, features.shape[2]),
            grades[useful].ravel(),
            group=np.full(len(features), features.shape[1]),
        )

    def importance(self) -> dict[str, float]:
        """Feature → its share of the gain of all splits."""
        gains = self._fitted().booster_.feature_importance("gain")
        return dict(zip(self.features.names, (gains / max(gains.sum(), 1e-12)).tolist(), strict=True))

    def __call__(self, query_rows: Rows, document_rows: Rows, depth: int) -> tuple[Rows, NDArray[np.float32]]:
        """The first stage's top `self.depth`, re-ordered, as `gradus.evaluation.cells.Search` describes.

        Raises:
            EvaluationError: Not fitted, or `depth` is beyond what is re-ranked.
        """
        model = self._fitted()
        if min(depth, len(document_rows)) > self.depth:
            raise EvaluationError(
                f"depth {depth} is asked for, but only {self.depth} documents are re-ranked"
            )
        places, _ = self.first(query_rows, document_rows, self.depth)
        features = self.features.of(query_rows, document_rows[places])
        raw = model.booster_.predict(features.reshape(-1, features.shape[2]), num_threads=1)
        scores = np.asarray(raw, np.float32).reshape(places.shape)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        return np.take_along_axis(places, order, axis=1), np.take_along_axis(scores, order, axis=1)

    def _fitted(self) -> Any:
        if self._model is None:
            raise EvaluationError("LambdaMART is not fitted yet; call fit first")
        return self._model


def _scores(judgments: Judgments, query_rows: Rows, listed: Rows) -> NDArray[np.float64]:
    """(n, k) the judged score of each listed document, 0 where unjudged."""
    width = len(judgments.documents)
    keys = judgments.query * width + judgments.document
    order = np.argsort(keys)
    wanted = query_rows[:, None] * width + listed
    if not len(keys):
        return np.zeros(wanted.shape)
    at = np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)
    hit = keys[order[at]] == wanted
    return np.where(hit, judgments.score[order[at]], 0.0)
