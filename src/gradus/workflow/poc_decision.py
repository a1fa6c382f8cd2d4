"""What a bench says for a decision: which pipelines stand against each other, the verdict, and the measured costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.errors import EvaluationError, SettingsError
from gradus.evaluation.results import Evaluation
from gradus.evaluation.segments import Labels
from gradus.insight.bench import Bench, PipelineResult
from gradus.insight.cost_inputs import Measured, throughput_of_reranking
from gradus.insight.poc import CORES
from gradus.insight.verdict import Pipeline, Verdict, decide
from gradus.settings import DecisionSettings, SlaSettings
from gradus.settings.pipelines import PipelineSettings

Sides = tuple[PipelineSettings, Sequence[PipelineSettings]]
"""The pipeline in use, and the candidates that stand against it, the first stage alone leading."""

SPLIT = "split"
"""The kind of segments that cells of the split are."""


def contest(
    pipelines: Sequence[PipelineSettings], in_use: str = "", candidates: Sequence[str] = ()
) -> Sides | None:
    """The pipeline in use, and its candidates, one for each smaller depth, the first stage alone leading.

    Nobody has looked at results yet when this is settled, so that no pipeline wins by having been picked. Unless it
    is named, the first one that re-ranks most deeply is in use; of those that re-rank equally many documents, the last
    one is the candidate, as a file goes from what there is to what is to come.

    Args:
        pipelines: Those of the file.
        in_use: Name of the pipeline in use, or empty.
        candidates: Names of the candidates, all of which must be able to stand; or empty.

    Returns:
        `None` where the file has no pipeline with a re-ranker, or none without.

    Raises:
        SettingsError: A name is unknown, or what is named does not make a decision.
    """
    named = {pipeline.name: pipeline for pipeline in pipelines}
    for name in (in_use, *candidates):
        if name and name not in named:
            raise SettingsError(f"no pipeline {name!r}; the file has {', '.join(named)}")
    reference = named[in_use] if in_use else max(pipelines, key=depth_of)
    given = [named[name] for name in dict.fromkeys(candidates)] or pipelines
    of_depth = {
        depth_of(pipeline): pipeline for pipeline in given if depth_of(pipeline) < depth_of(reference)
    }
    if 0 not in of_depth and (in_use or candidates):
        raise SettingsError(
            f"nothing stands against {reference.name!r}: it must re-rank, and a candidate must be a first stage alone"
        )
    idle = [pipeline.name for pipeline in given if of_depth.get(depth_of(pipeline)) is not pipeline]
    if candidates and idle:
        raise SettingsError(
            f"{idle[0]!r} cannot be a candidate: each must re-rank fewer documents than {reference.name!r}, and no two "
            "equally many"
        )
    chosen = [of_depth[depth] for depth in sorted(of_depth)]
    return (reference, chosen) if 0 in of_depth else None


def depth_of(pipeline: PipelineSettings) -> int:
    """How many documents it re-ranks; 0 is the first stage alone."""
    return 0 if pipeline.reranker == "none" else pipeline.depth


def give_verdict(
    sides: Sides,
    evaluations: Mapping[str, Evaluation],
    bench: Bench,
    kinds: Mapping[str, Labels],
    queries: Table,
    decision: DecisionSettings,
    sla: SlaSettings,
) -> Verdict:
    """The verdict on all queries, in each cell of the split and of each kind of query.

    A query that several cells ask counts once in what is said of all queries and of kinds, with the mean of its values.

    Args:
        sides: What `contest` gave.
        evaluations: Pipeline → its results.
        bench: Has their latency.
        kinds: What `query_segments` gave.
        queries: The queries of the judgments.
        decision: Metric, which was measured, margin, confidence.
        sla: Its latency limit counts.

    Raises:
        EvaluationError: The pipelines share no cell.
    """
    reference, candidates = sides
    everyone = [*candidates, reference]
    cells = shared_cells([evaluations[pipeline.name] for pipeline in everyone])
    latency = {result.name: result.latency for result in bench.pipelines}

    def with_values(of: Mapping[str, NDArray[np.float64]]) -> tuple[list[Pipeline], Pipeline]:
        made = []
        for pipeline in everyone:
            times = latency[pipeline.name]
            p95 = None if times is None else times.p95_ms
            made.append(Pipeline(pipeline.name, depth_of(pipeline), of[pipeline.name], p95))
        return made[:-1], made[-1]

    by_cell = {p.name: _by_cell(evaluations[p.name], cells, decision.metric) for p in everyone}
    ids = [query for cell in cells for query in evaluations[reference.name].cells[cell].query_ids]
    rows = np.array([queries.row_of[query] for query in ids])
    asked, place = np.unique(rows, return_inverse=True)
    by_query = {name: _mean_of(values, place, len(asked)) for name, values in by_cell.items()}
    labels = {
        kind: ["" if label is None else str(label) for label in of[asked]] for kind, of in kinds.items()
    }
    verdict = decide(*with_values(by_query), decision, sla, labels, bench.seed)
    split = [cell for cell in cells for _ in evaluations[reference.name].cells[cell].query_ids]
    of_cells = decide(*with_values(by_cell), decision, sla, {SPLIT: split}, bench.seed)
    return replace(verdict, segments=(*of_cells.segments, *verdict.segments))


def shared_cells(evaluations: Sequence[Evaluation]) -> list[str]:
    """The cells of the split that all of some pipelines were measured on.

    Raises:
        EvaluationError: There is none.
    """
    cells = [cell for cell in evaluations[0].cells if all(cell in each.cells for each in evaluations)]
    if not cells:
        raise EvaluationError("the pipelines were not measured on any split in common")
    return cells


def values_by_query(evaluation: Evaluation) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """The queries of all cells, and metric → (n,) values, of a query that several cells ask their mean.

    Args:
        evaluation: A pipeline's results in one cell or more.
    """
    cells = list(evaluation.cells)
    ids = [query for cell in cells for query in evaluation.cells[cell].query_ids]
    row_of = {query: row for row, query in enumerate(dict.fromkeys(ids))}
    place = np.array([row_of[query] for query in ids])
    metrics = evaluation.cells[cells[0]].per_query
    values = {m: _mean_of(_by_cell(evaluation, cells, m), place, len(row_of)) for m in metrics}
    return list(row_of), values


def measured_costs(
    bench: Bench, in_use: PipelineResult, alone: PipelineResult, fewer: PipelineResult | None = None
) -> dict[str, Measured]:
    """What was measured of the inputs of the cost model.

    An instance answers what its cores do, by the processor time of a query; at the low end of the range a virtual core
    is half a core. Hours are those of the machine that measured.

    Args:
        bench: The pipelines, measured; has the first stages of those that re-rank, if they were measured alone.
        in_use: The pipeline in use.
        alone: The candidate without a re-ranker.
        fewer: The one that re-ranks fewer documents, if the verdict is for it.
    """
    found = _of_refreshes("one", alone)
    if alone.latency is not None:
        found["one_throughput"] = _of_cores(alone.latency.per_core)
    found |= _of_two_stages(bench, in_use, "two", "rerank")
    if fewer is not None:
        found |= _of_two_stages(bench, fewer, "fewer_first", "fewer_rerank")
    return found


def _of_two_stages(bench: Bench, result: PipelineResult, stage: str, reranker: str) -> dict[str, Measured]:
    """The inputs of a pipeline that re-ranks, as the model calls its first stage and its re-ranker."""
    found = _of_refreshes(stage, result)
    first = next((r for r in bench.pipelines if r.declaration == _alone(r, result)), None)
    if first is not None and first.latency is not None and result.latency is not None:
        found[f"{stage}_throughput"] = _of_cores(first.latency.per_core)
        if result.latency.per_core < first.latency.per_core:
            both = throughput_of_reranking(result.latency.per_core, first.latency.per_core)
            found[f"{reranker}_throughput"] = _of_cores(both)
    found[f"{reranker}_training_hours"] = Measured(result.costs.fitting_seconds / 3600)
    return found


def _of_refreshes(stage: str, result: PipelineResult) -> dict[str, Measured]:
    """Hours of training and embedding; what a given run took is not known."""
    seconds = {"training": result.costs.training_seconds, "embedding": result.costs.embedding_seconds}
    return {f"{stage}_{what}_hours": Measured(s / 3600) for what, s in seconds.items() if s is not None}


def _alone(result: PipelineResult, in_use: PipelineResult) -> dict[str, object]:
    """What the declaration of a pipeline would be, were it the first stage of the pipeline in use and no more."""
    return {"name": result.name, "first": in_use.declaration["first"]}


def _of_cores(per_core: float) -> Measured:
    return Measured(CORES * per_core, CORES * per_core / 2, CORES * per_core)


def _by_cell(evaluation: Evaluation, cells: Sequence[str], metric: str) -> NDArray[np.float64]:
    """A metric's values on all queries of some cells, one after the other."""
    return np.concatenate([evaluation.cells[cell].per_query[metric] for cell in cells])


def _mean_of(values: NDArray[np.float64], place: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) mean of the values that are defined at each place; NaN where none is."""
    defined = np.isfinite(values)
    total = np.bincount(place[defined], values[defined], count)
    number = np.bincount(place[defined], minlength=count)
    means: NDArray[np.float64] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means
