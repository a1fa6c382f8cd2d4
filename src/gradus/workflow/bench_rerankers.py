"""The re-rankers of a bench: LambdaMART, fitted to a first stage, and pretrained models of texts."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.evaluation.cells import answerable, look_up
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.rerankers.cross_encoder import CrossEncoder
from gradus.evaluation.rerankers.lambdamart import LambdaMart
from gradus.evaluation.rerankers.late_interaction import LateInteraction
from gradus.evaluation.rerankers.reranked import Reranked, Scorer, filled
from gradus.insight.bench import Costs
from gradus.insight.latency import Stopwatch
from gradus.settings.pipelines import TEXT_RERANKERS, PipelineSettings
from gradus.training.optimizer import device_of
from gradus.workflow.bench_models import BenchModel, embedded_sample
from gradus.workflow.bench_stages import FirstStages, digest_of

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

MOST_TREES = 1000
"""LambdaMART's trees, of which validation keeps as many as it likes."""

QUERIES = 200
"""Most queries of a validation cell."""


@dataclass(frozen=True)
class Fitted:
    """A re-ranker, ready to be measured.

    Attributes:
        scorer: The re-ranker; `None` for a pipeline without one.
        costs: What it takes beside its queries' time.
        facts: What was found when it was made.
    """

    scorer: Scorer | None = None
    costs: Costs = Costs()
    facts: dict[str, Any] = field(default_factory=dict)


class Rerankers:
    """The re-rankers of pipelines.

    Args:
        stages: Their first stages.
    """

    def __init__(self, stages: FirstStages) -> None:
        self.stages = stages
        self._pretrained: dict[tuple[str, str], Fitted] = {}

    def content(self, pipeline: PipelineSettings) -> list[Any]:
        """Names what a pipeline's re-ranker is made of, beside the data."""
        match pipeline.reranker:
            case "lambdamart":
                vectors = self.stages.pipelines.vectors_of(pipeline)
                own = self.stages.content(vectors) if vectors else None
                return [pipeline.reranker, MOST_TREES, pipeline.depth, own, self.stages.pipelines.seed]
            case "none":
                return []
        return [pipeline.reranker, pipeline.depth, digest_of(Path(self._model(pipeline)))]

    def fit(self, pipeline: PipelineSettings, trees: Path) -> Fitted:
        """A pipeline's re-ranker, fitted to the first stage's lists of the training part.

        Args:
            pipeline: The pipeline.
            trees: Where LambdaMART is kept.

        Raises:
            MissingExtraError: Its library is not installed.
            EvaluationError: The first stage's lists hold nothing that LambdaMART could learn.
            ModelError: No such cross-encoder or late-interaction model.
        """
        if pipeline.reranker in TEXT_RERANKERS:
            return self._shared(pipeline)
        if pipeline.reranker == "none":
            return Fitted()
        data = self.stages.data
        model, search = self._lambdamart(pipeline), self.stages.search(pipeline.first)
        queries, documents = data.split.cell("in-domain")
        search(queries[:1], documents, 1)  # makes vectors that are not there yet, which is no part of fitting
        with Stopwatch() as watch:
            places, _ = search(queries, documents, pipeline.depth)
            listed = np.where(places >= 0, documents[places], -1)
            model.fit(data.judgments.take(data.split.training(data.judgments)), queries, listed)
            kept = self._choose_trees(model, pipeline)
        model.save(trees)
        costs = Costs(
            reranker_bytes=model.features.nbytes + trees.stat().st_size,
            fitting_seconds=watch.seconds,
            fitting_cpu_seconds=watch.cpu_seconds,
        )
        other = self._other_model(pipeline)
        if other is not None:
            takes = other.costs
            costs += replace(takes, index_bytes=0, reranker_bytes=takes.index_bytes)
        return Fitted(model, costs, {"trees": kept, "importance": model.importance()})

    def live(self, pipeline: PipelineSettings, trees: Path, asked: Rows) -> Scorer | None:
        """The re-ranker that `fit` made, at the work that it has with a new query; errors are the same.

        The first stage hands its vector of the query on. Where LambdaMART reads those of another model, that model
        encodes the query too. Late interaction finds the documents' vectors there, as in a service's index.

        Args:
            pipeline: The pipeline.
            trees: Where LambdaMART is kept.
            asked: Rows of the queries that it will be asked.
        """
        if pipeline.reranker != "lambdamart":
            scorer = self.fit(pipeline, trees).scorer
            if isinstance(scorer, LateInteraction):
                everything = np.arange(len(self.stages.data.documents))
                listed, _ = self.stages.search(pipeline.first)(asked, everything, pipeline.depth)
                scorer.keep(filled(listed))
            return scorer
        lambdamart = self._lambdamart(pipeline)
        lambdamart.load(trees)
        model = self._other_model(pipeline)
        if model is None:
            return lambdamart

        def score(query_rows: Rows, listed: Rows) -> Vectors:
            model.encode(query_rows)
            return lambdamart(query_rows, listed)

        return score

    def _choose_trees(self, model: LambdaMart, pipeline: PipelineSettings) -> int | None:
        """Keep the trees that the leading metric, meant over the validation cells, likes; `None` without such cells."""
        settings = self.stages.pipelines.settings.evaluation
        metric, cells = parse_metric(settings.metrics[0]), self._validation(pipeline)
        if not cells:
            return None
        sign = 1 if metric.higher_is_better else -1

        def value(reranker: LambdaMart) -> float:
            values = []
            for rows, documents, lists in cells:
                search = Reranked(lambda *_, lists=lists: lists, reranker, pipeline.depth)
                order, _ = search(rows, documents, settings.depth)
                values.append(np.nanmean(metric(look_up(order, self.stages.data.judgments, rows, documents))))
            return sign * float(np.mean(values))

        return model.choose_trees(value)

    def _validation(self, pipeline: PipelineSettings) -> list[tuple[Rows, Rows, tuple[Rows, Vectors]]]:
        """Some queries of each validation cell, its documents, and the first stage's lists."""
        data, search = self.stages.data, self.stages.search(pipeline.first)
        order = np.random.default_rng(self.stages.pipelines.seed).permutation(len(data.judgments.queries))
        cells = []
        for queries, documents in data.split.validation_cells().values():
            rows = order[np.isin(order, answerable(data.judgments, queries, documents))][:QUERIES]
            if len(rows):
                cells.append((rows, documents, search(rows, documents, pipeline.depth)))
        return cells

    def _other_model(self, pipeline: PipelineSettings) -> BenchModel | None:
        """The model whose vectors LambdaMART reads, where it is no part of the first stage."""
        pipelines = self.stages.pipelines
        vectors = pipelines.vectors_of(pipeline)
        if vectors is None or vectors in pipelines.models_of(pipeline.first):
            return None
        return self.stages.model(vectors)

    def _lambdamart(self, pipeline: PipelineSettings) -> LambdaMart:
        pipelines = self.stages.pipelines
        features = self.stages.features(pipelines.vectors_of(pipeline))
        return LambdaMart(features, trees=MOST_TREES, seed=pipelines.seed)

    def _shared(self, pipeline: PipelineSettings) -> Fitted:
        """A cross-encoder or late interaction; pipelines that name the same model share it."""
        key = pipeline.reranker, self._model(pipeline)
        if key not in self._pretrained:
            self._pretrained[key] = self._read(*key)
        return self._pretrained[key]

    def _read(self, reranker: str, model: str) -> Fitted:
        queries, documents = self.stages.data.judgments.queries, self.stages.data.documents
        device = str(device_of(self.stages.pipelines.settings.training.device))
        if reranker == "cross-encoder":
            cross_encoder = CrossEncoder(model, queries, documents, device=device)
            return Fitted(cross_encoder, Costs(reranker_bytes=cross_encoder.nbytes))
        late = LateInteraction(model, queries, documents, device=device)
        vectors, costs = embedded_sample(len(documents), late.embed)
        per_document = float(np.mean([each.nbytes for each in vectors]))
        index = round(len(documents) * per_document)
        return Fitted(late, replace(costs, reranker_bytes=late.nbytes + index))

    def _model(self, pipeline: PipelineSettings) -> str:
        """A folder beside the file of pipelines, else the name of a model on the hub."""
        folder = self.stages.pipelines.root / pipeline.model
        return str(folder) if folder.is_dir() else pipeline.model
