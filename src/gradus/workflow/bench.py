"""The bench: pipelines of one or two stages on the same data, their quality, time and size."""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import gradus
from gradus.errors import EvaluationError
from gradus.evaluation.baselines.given_run import GivenRun
from gradus.evaluation.cells import Search, evaluate_search
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.metrics.condensed import Condensed
from gradus.evaluation.metrics.judged import Judged
from gradus.evaluation.rerankers.reranked import Reranked, Scorer
from gradus.evaluation.results import Evaluation, write_evaluation
from gradus.evaluation.segments import Labels, measure_segments, query_segments
from gradus.files import atomic_folder, remove_leftovers
from gradus.insight.bench import (
    Bench,
    CellSummary,
    PipelineResult,
    read_bench,
    read_pipeline,
    write_bench,
    write_pipeline,
)
from gradus.insight.latency import System, measure_latency, peak_memory
from gradus.judgments.read import read_evidence
from gradus.judgments.split import CELLS
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.settings.pipelines import Pipelines, PipelineSettings, folder_name, read_pipelines
from gradus.training.optimizer import device_of
from gradus.workflow.bench_rerankers import Rerankers
from gradus.workflow.bench_stages import FirstStages, declaration
from gradus.workflow.data import Data, load_data

RESULTS, PIPELINE, TREES = "results.json", "pipeline.json", "lambdamart.txt"

_LIBRARIES = ("torch", "numpy", "lightgbm", "sentence-transformers", "transformers")


def bench(file: Path, out: Path, *, progress: Progress = silent) -> Bench:
    """Measure the pipelines of a file.

    What is in `out` and depends on nothing that changed is not measured again. Times are taken of all pipelines
    in turn, so they are taken again of all when one was measured.

    Args:
        file: What `read_pipelines` reads.
        out: Gets `results.json`, and for each pipeline a folder with `pipeline.json`, `evaluation/` (values per query
            and runs, as `gradus compare` reads them) and LambdaMART's trees.
        progress: Told about each stage.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    pipelines = read_pipelines(file)
    data = load_data(pipelines.settings)
    runner = _Runner(pipelines, data, out, FirstStages(pipelines, data, progress))
    results = []
    for number, pipeline in enumerate(pipelines.pipelines):
        progress("pipelines", number, len(pipelines.pipelines), pipeline.name)
        results.append(runner.measured(pipeline))
    progress("pipelines", len(results), len(results), "")
    found = Bench(
        versions=_versions(),
        machine=_machine(pipelines.settings),
        data={
            "documents": len(data.documents),
            "queries": len(data.judgments.queries),
            "pairs": len(data.judgments),
            "cells": data.split.counts(data.judgments),
        },
        metrics=tuple(runner.metrics),
        seed=pipelines.seed,
        timing={
            "queries": min(pipelines.latency.queries, len(data.judgments.queries)),
            "clients": pipelines.latency.clients,
            "documents": len(data.documents),
            "returned": pipelines.latency.documents,
        },
        peak_bytes=None,
        pipelines=tuple(results),
    )
    found = _timed_before(found, out / RESULTS) or runner.timed(found, progress)
    write_bench(found, out / RESULTS)
    return found


def all_metrics(names: Sequence[str], depth: int) -> list[str]:
    """Metrics with what shows how far holes in the judgments bear on them.

    Args:
        names: The metrics.
        depth: How many documents a list holds.

    Returns:
        The metrics; the judged share down to each of their cutoffs; the metrics on condensed lists.
    """
    metrics = [parse_metric(name) for name in names]
    plain = [metric for metric in metrics if not isinstance(metric, Judged | Condensed)]
    shares = [Judged(cutoff=metric.cutoff or depth) for metric in plain]
    condensed = [Condensed(of=metric) for metric in plain]
    return list(dict.fromkeys(map(str, (*metrics, *shares, *condensed))))


@dataclass(frozen=True)
class _Runner:
    """Measures pipelines."""

    pipelines: Pipelines
    data: Data
    out: Path
    stages: FirstStages

    @cached_property
    def metrics(self) -> list[str]:
        evaluation = self.pipelines.settings.evaluation
        return all_metrics(evaluation.metrics, evaluation.depth)

    @cached_property
    def segments(self) -> dict[str, Labels]:
        judgments = self.data.judgments
        return query_segments(judgments, read_evidence(self.pipelines.settings, judgments.queries))

    @cached_property
    def rerankers(self) -> Rerankers:
        return Rerankers(self.stages)

    @cached_property
    def fingerprint(self) -> str:
        read = ("catalog", "query", "judgments", "split", "evaluation")
        settings = self.pipelines.settings
        return self.data.fingerprint(Settings(**{name: getattr(settings, name) for name in read}))

    def measured(self, pipeline: PipelineSettings) -> PipelineResult:
        """A pipeline's results: those in its folder, where nothing that they depend on has changed."""
        folder, key = self.out / folder_name(pipeline.name), self._key(pipeline)
        remove_leftovers(folder)
        kept = read_pipeline(folder / PIPELINE)
        if kept is not None and kept.key == key:
            return kept
        first = self.pipelines.first[pipeline.first]
        with atomic_folder(folder) as aside:
            second = self.rerankers.fit(pipeline, aside / TREES)
            evaluation = self._evaluate(pipeline, second.scorer)
            write_evaluation(evaluation, aside / "evaluation")
            facts = second.facts
            if first.kind == "fusion":
                weights = self.stages.weights(pipeline.first)
                facts = {"weights": dict(zip(first.of, weights, strict=True))} | facts
            result = PipelineResult(
                name=pipeline.name,
                folder=folder.name,
                key=key,
                declaration=declaration(self.pipelines, pipeline),
                cells=_summary(evaluation),
                segments=tuple(
                    measure_segments(evaluation, self.data.judgments.queries, self.segments, self._leading())
                ),
                costs=self.stages.costs(pipeline.first) + second.costs,
                facts=facts,
            )
            write_pipeline(result, aside / PIPELINE)
        return result

    def timed(self, found: Bench, progress: Progress) -> Bench:
        """The results with times, taken of all pipelines in turn."""
        queries, latency = len(self.data.judgments.queries), self.pipelines.latency
        asked = np.random.default_rng(self.pipelines.seed).permutation(queries)[: latency.queries].tolist()
        everything = np.arange(len(self.data.documents))
        systems: dict[str, System] = {}
        for pipeline in self.pipelines.pipelines:
            first = self.stages.live(pipeline.first) if asked else None
            if first is not None:
                trees = self.out / folder_name(pipeline.name) / TREES
                second = self.rerankers.live(pipeline, trees, np.array(asked))
                search = _joined(first, second, pipeline.depth)
                systems[pipeline.name] = partial(_ask, search, everything, latency.documents)
        if not systems:
            return found
        progress("timing", 0, 1, f"{len(asked)} queries, {len(systems)} pipelines")
        times = measure_latency(systems, asked, clients=latency.clients, seed=self.pipelines.seed)
        progress("timing", 1, 1, "")
        results = tuple(replace(result, latency=times.get(result.name)) for result in found.pipelines)
        return replace(found, pipelines=results, peak_bytes=peak_memory())

    def _evaluate(self, pipeline: PipelineSettings, scorer: Scorer | None) -> Evaluation:
        first = self.stages.search(pipeline.first)
        cells = {name: self.data.split.cell(name) for name in CELLS}
        if isinstance(first, GivenRun):
            # One query that a run lacks counts as nothing found; a cell that it was not asked says nothing of it.
            cells = {
                name: (rows, documents) for name, (rows, documents) in cells.items() if first.knows(rows)
            }
        return evaluate_search(
            pipeline.name,
            _joined(first, scorer, pipeline.depth),
            self.data.judgments,
            cells,
            self.metrics,
            self.pipelines.settings.evaluation.depth,
        )

    def _leading(self) -> list[str]:
        """The leading metric and the two that go with it."""
        evaluation = self.pipelines.settings.evaluation
        return all_metrics(evaluation.metrics[:1], evaluation.depth)

    def _key(self, pipeline: PipelineSettings) -> str:
        parts = [
            gradus.__version__,
            pipeline.name,
            self.fingerprint,
            self.stages.content(pipeline.first),
            self.rerankers.content(pipeline),
            {name: labels.tolist() for name, labels in self.segments.items()},
        ]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _joined(first: Search, scorer: Scorer | None, depth: int) -> Search:
    return first if scorer is None else Reranked(first, scorer, depth)


def _ask(search: Search, documents: NDArray[np.int64], depth: int, row: int) -> object:
    return search(np.array([row]), documents, depth)


def _summary(evaluation: Evaluation) -> dict[str, CellSummary]:
    return {
        cell: CellSummary(len(result.query_ids), result.documents, result.intervals)
        for cell, result in evaluation.cells.items()
    }


def _timed_before(found: Bench, path: Path) -> Bench | None:
    """The results with the times in a file, if they are of the same pipelines, machine and kind."""
    try:
        before = read_bench(path)
    except EvaluationError:
        return None
    keys = [{result.key for result in each.pipelines} for each in (found, before)]
    alike = ("versions", "machine", "seed", "timing")
    if keys[0] != keys[1] or any(getattr(found, name) != getattr(before, name) for name in alike):
        return None
    latency = {result.key: result.latency for result in before.pipelines}
    results = tuple(replace(result, latency=latency[result.key]) for result in found.pipelines)
    return replace(found, pipelines=results, peak_bytes=before.peak_bytes)


def _versions() -> dict[str, str]:
    versions = {"gradus": gradus.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _machine(settings: Settings) -> dict[str, Any]:
    device = device_of(settings.training.device)
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }
