"""The built-in re-ranker as a pipeline to distil: LambdaMART on the lists of a model.

No query is scored by trees that have seen its judgments: the training queries are divided into folds, and the lists of
each are re-ranked by trees fitted to the others. All other queries, those of validation among them, are re-ranked by
trees fitted to all training queries. Trees that know a list's answers would be too sure of them, and what their scores
are worth would not carry over to lists whose answers nobody knows.

The model itself has learned from the training queries. What is learned from validation queries is therefore worth more
here than what is learned from training queries.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gradus.catalog.image_cache import cache_folder
from gradus.encoders.nearest import nearest
from gradus.encoders.saving import load_model
from gradus.evaluation.rerankers.features import FirstStage, PairFeatures
from gradus.evaluation.rerankers.lambdamart import LambdaMart
from gradus.progress import Progress
from gradus.settings import Settings
from gradus.workflow.data import Data
from gradus.workflow.distil import Asked, Choices, Lists, Pipeline
from gradus.workflow.unjudged import parts_of
from gradus.workflow.vectors import document_vectors

FOLDS = 3


def reranked(settings: Settings, model: Path) -> Pipeline:
    """LambdaMART over a model, fitted to the training part of the judgments.

    Args:
        settings: Catalogue, judgments and split.
        model: The first stage's folder.

    Raises:
        GradusError: When it is asked for its lists: no such model, or the extra `rerank` is not installed.
    """

    def lists(data: Data, asked: Asked, choices: Choices, progress: Progress) -> Lists:
        encoder, cache = load_model(model), cache_folder(settings)
        queries = encoder.embed("query", encoder.prepare("query", asked.queries, cache))
        documents = document_vectors(settings, model, encoder, data.documents, progress)
        fields = encoder.embed_fields("document", encoder.prepare("document", data.documents, cache))
        known = replace(data.training, queries=asked.queries)
        features = PairFeatures(FirstStage(queries, documents, fields), known)

        train = np.flatnonzero(data.split.document_part == "train")
        learned = train[nearest(queries, documents[train], choices.depth)[0]]
        listed = nearest(queries, documents, choices.depth)[0] if choices.held_out else learned
        asking = np.flatnonzero((parts_of(asked.queries, data.split) != "novel") | choices.held_out)
        taught = np.unique(known.query)
        fold = np.full(len(queries), FOLDS)
        fold[taught] = np.random.default_rng(choices.seed).permutation(len(taught)) % FOLDS
        scores = np.zeros(listed.shape, np.float32)
        for number in range(FOLDS + 1):
            progress("re-ranking", number, FOLDS + 1, "")
            mine, others = asking[fold[asking] == number], taught[fold[taught] != number]
            if len(mine):
                trees = LambdaMart(features, seed=choices.seed)
                trees.fit(known, others, learned[others])
                scores[mine] = trees(mine, listed[mine])
        progress("re-ranking", FOLDS + 1, FOLDS + 1, "")
        order = np.argsort(-scores[asking], axis=1, kind="stable")
        best = np.take_along_axis(listed[asking], order, axis=1).ravel()
        raw = np.take_along_axis(scores[asking], order, axis=1).ravel().astype(np.float64)
        return Lists(np.repeat(asking, listed.shape[1]), best, raw)

    return lists
