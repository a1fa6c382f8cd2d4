"""LambdaMART: boosted trees that re-order the top of a first stage's lists.

Each tree follows the gradients of LambdaRank, pairs of a list weighted by what exchanging them would change in
nDCG (Burges, "From RankNet to LambdaRank to LambdaMART", 2010), as LightGBM implements them. It is the second
stage that most searches run, and so the one a first stage has to match.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.errors import EvaluationError, MissingExtraError
from gradus.evaluation.rerankers.features import PairFeatures
from gradus.evaluation.rerankers.reranked import filled
from gradus.files import atomic_file
from gradus.judgments.judgments import Judgments
from gradus.judgments.lookup import places_of

Rows = NDArray[np.int64]

GRADES = 40
"""LightGBM wants whole grades: scores are rounded to this many steps, gains stay linear in them."""

_TREES = (10, 20, 40, 80, 160, 300, 600)
"""How many trees are tried beside all of them."""

_BLOCK = 1024
"""Queries whose features are in memory at a time."""


class LambdaMart:
    """A re-ranker, as `gradus.evaluation.rerankers.reranked.Scorer` describes.

    Args:
        features: What is known of a query and a document.
        trees: How many.
        leaves: Most leaves of a tree.
        rate: Shrinkage of each tree.
        seed: Seed of LightGBM.
        threads: Threads of LightGBM.

    Raises:
        MissingExtraError: `lightgbm` is not installed.
    """

    def __init__(
        self,
        features: PairFeatures,
        *,
        trees: int = 300,
        leaves: int = 31,
        rate: float = 0.05,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        try:
            import lightgbm
        except ImportError:
            raise MissingExtraError("LambdaMART", "rerank") from None
        self._library: Any = lightgbm
        self.features = features
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
        self._booster: Any = None

    def fit(self, judgments: Judgments, query_rows: Rows, listed: Rows) -> None:
        """Learn from the first stage's lists for queries, with what is unjudged as score 0.

        Args:
            judgments: What training may see.
            query_rows: (n,) the training queries.
            listed: (n, k) the training documents that the first stage lists for each, as deep as it is to
                re-rank; −1 after the end of a list.

        Raises:
            EvaluationError: No list holds a document that is judged above 0.
        """
        there = listed >= 0
        documents = filled(listed)
        grades = np.rint(GRADES * _scores(judgments, query_rows, documents)).astype(np.int64)
        useful = (grades * there).any(axis=1)
        if not useful.any():
            raise EvaluationError(
                "LambdaMART has nothing to learn from: no training query's list holds a document that is judged above 0; "
                "judge more, or re-rank more documents"
            )
        there = there[useful]
        features = self.features.of(query_rows[useful], documents[useful])
        model = self._library.LGBMRanker(**self._parameters)
        model.fit(features[there], grades[useful][there], group=there.sum(axis=1))
        self._booster = model.booster_

    def choose_trees(self, value: Callable[["LambdaMart"], float]) -> int:
        """Keep the first trees only, as many of them as a measure likes best, and the fewest of equals.

        Args:
            value: Measures this re-ranker with the trees that it has just then; higher is better.

        Returns:
            The number of trees kept.
        """
        whole = self._fitted()
        values: dict[int, float] = {}
        for trees in [*(step for step in _TREES if step < whole.num_trees()), whole.num_trees()]:
            self._booster = self._read(whole.model_to_string(num_iteration=trees))
            values[trees] = value(self)
        best = max(values, key=lambda trees: (values[trees], -trees))
        self._booster = self._read(whole.model_to_string(num_iteration=best))
        return best

    def importance(self) -> dict[str, float]:
        """Feature → its share of the gain of all splits."""
        gains = self._fitted().feature_importance("gain")
        return dict(zip(self.features.names, (gains / max(gains.sum(), 1e-12)).tolist(), strict=True))

    def __call__(self, query_rows: Rows, listed: Rows) -> NDArray[np.float32]:
        """The scores (n, k) of listed documents, as `gradus.evaluation.rerankers.reranked.Scorer` describes.

        Raises:
            EvaluationError: Neither fitted nor loaded.
        """
        booster = self._fitted()
        scores = np.zeros(listed.shape, np.float32)
        for start in range(0, len(listed), _BLOCK):
            rows = slice(start, start + _BLOCK)
            features = self.features.of(query_rows[rows], listed[rows])
            raw = booster.predict(features.reshape(-1, features.shape[2]), num_threads=1)
            scores[rows] = np.reshape(raw, features.shape[:2])
        return scores

    def save(self, path: Path) -> None:
        """Write the trees as LightGBM's text."""
        with atomic_file(path) as aside:
            aside.write_text(self._fitted().model_to_string(), encoding="utf-8")

    def load(self, path: Path) -> None:
        """Read the trees that `save` wrote.

        Raises:
            EvaluationError: The file is missing or holds no trees of these features.
        """
        try:
            booster = self._read(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, self._library.basic.LightGBMError) as error:
            raise EvaluationError(f"{path} holds no LambdaMART ({error}); fit one anew") from None
        if booster.num_feature() != len(self.features.names):
            raise EvaluationError(
                f"{path} reads {booster.num_feature()} features, but there are {len(self.features.names)}; "
                "fit one anew"
            )
        self._booster = booster

    def _read(self, text: str) -> Any:
        return self._library.Booster(model_str=text)

    def _fitted(self) -> Any:
        if self._booster is None:
            raise EvaluationError("LambdaMART is not fitted yet; call fit first")
        return self._booster


def _scores(judgments: Judgments, query_rows: Rows, listed: Rows) -> NDArray[np.float64]:
    """(n, k) the judged score of each listed document, 0 where unjudged."""
    at = places_of((judgments.query, judgments.document), (query_rows[:, None], listed))
    return np.append(judgments.score, 0.0)[at]
