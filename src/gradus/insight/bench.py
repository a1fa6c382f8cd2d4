"""`results.json`: what `gradus bench` measured, for programs and for the report."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval
from gradus.evaluation.segments import SegmentResult
from gradus.files import atomic_file
from gradus.insight.latency import Latency

FORMAT = 1


@dataclass(frozen=True)
class CellSummary:
    """One cell of the split.

    Attributes:
        queries: Queries with something to find.
        documents: Size of the corpus that was searched.
        metrics: Metric → mean with its bootstrap interval over queries (95 %).
    """

    queries: int
    documents: int
    metrics: dict[str, Interval]


@dataclass(frozen=True)
class Costs:
    """What a pipeline takes beside its queries' time. Seconds are those of the machine that measured.

    Attributes:
        index_bytes: What is searched: vectors, postings.
        model_bytes: The encoders' files.
        reranker_bytes: The re-ranker, and what it keeps of each document beside the first stage's own; the vectors of a
            model that only the re-ranker reads, whose files, training and embedding are in the other figures; the
            token vectors of late interaction, extrapolated from a sample of documents.
        training_seconds: Training of the models, by the clock; `None` where that was not measured.
        training_cpu_seconds: The same in processor time; `None` too where a training was interrupted.
        embedding_seconds: Embedding the whole catalogue, by the clock; extrapolated from a sample of documents; `None`
            where that was not measured.
        embedding_cpu_seconds: The same in processor time.
        fitting_seconds: Fitting the re-ranker, the first stage's lists included.
        fitting_cpu_seconds: The same in processor time.
    """

    index_bytes: int = 0
    model_bytes: int = 0
    reranker_bytes: int = 0
    training_seconds: float | None = 0.0
    training_cpu_seconds: float | None = 0.0
    embedding_seconds: float | None = 0.0
    embedding_cpu_seconds: float | None = 0.0
    fitting_seconds: float = 0.0
    fitting_cpu_seconds: float = 0.0

    def __add__(self, other: "Costs") -> "Costs":
        mine, its = asdict(self), asdict(other)
        summed: dict[str, Any] = {
            name: None if mine[name] is None or its[name] is None else mine[name] + its[name] for name in mine
        }
        return Costs(**summed)


@dataclass(frozen=True)
class PipelineResult:
    """A pipeline, measured.

    Attributes:
        name: What it is called.
        folder: Its folder beside `results.json`; `evaluation/` in it holds values per query and runs.
        key: Names all that its quality depends on: equal keys, equal results.
        declaration: What the file of pipelines says of it, and of its first stage.
        cells: Cell of the split → quality.
        segments: Quality by kind of query, for the leading metric, how much is judged, and on condensed lists.
        costs: What it takes beside its queries' time.
        facts: What was found on the way: `weights` of a fusion that were chosen on validation, `importance` of
            LambdaMART's features (shares of the gain).
        latency: How long it takes; `None` where a given run is its first stage, or no times were taken.
    """

    name: str
    folder: str
    key: str
    declaration: dict[str, Any]
    cells: dict[str, CellSummary]
    segments: tuple[SegmentResult, ...]
    costs: Costs
    facts: dict[str, Any] = field(default_factory=dict)
    latency: Latency | None = None


@dataclass(frozen=True)
class Bench:
    """All pipelines of a file, measured on the same data.

    Attributes:
        versions: Program or library → its version.
        machine: Processor, cores, threads of PyTorch, accelerator.
        data: Documents, queries and judged pairs, and those of each cell of the split.
        metrics: All metrics, the leading one first.
        seed: Seed of re-rankers and of the order of timing.
        timing: How times were taken: queries, clients, documents in the index, documents returned.
        peak_bytes: The most memory that the process held until times were taken, all pipelines loaded, with what it
            trained and measured before; `None` where no times were taken or the system does not say.
        pipelines: In the order of the file.
    """

    versions: dict[str, str]
    machine: dict[str, Any]
    data: dict[str, Any]
    metrics: tuple[str, ...]
    seed: int
    timing: dict[str, int]
    peak_bytes: int | None
    pipelines: tuple[PipelineResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; NaN becomes `None`."""
        found: dict[str, Any] = plain({"format": FORMAT} | asdict(self))
        return found


def write_bench(bench: Bench, path: Path) -> None:
    """Write `results.json`."""
    _write(bench.as_dict(), path)


def read_bench(path: Path) -> Bench:
    """Read what `write_bench` wrote.

    Args:
        path: `results.json`, or its folder.

    Raises:
        EvaluationError: No such file, or not of this format.
    """
    path = path / "results.json" if path.is_dir() else path
    with_parts = _read(path)
    try:
        if with_parts.pop("format") != FORMAT:
            raise EvaluationError(f"{path} is of another format; measure anew with: gradus bench")
        pipelines = tuple(_pipeline(each) for each in with_parts.pop("pipelines"))
        return Bench(**with_parts | {"metrics": tuple(with_parts["metrics"])}, pipelines=pipelines)
    except (KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path} holds no results ({error!r}); measure anew with: gradus bench"
        ) from None


def write_pipeline(result: PipelineResult, path: Path) -> None:
    """Write one pipeline's `pipeline.json`."""
    _write(plain(asdict(result)), path)


def read_pipeline(path: Path) -> PipelineResult | None:
    """Read what `write_pipeline` wrote; `None` where there is nothing of the kind."""
    try:
        return _pipeline(_read(path))
    except (EvaluationError, KeyError, TypeError, AttributeError):
        return None


def _pipeline(values: dict[str, Any]) -> PipelineResult:
    latency = values["latency"]
    return PipelineResult(
        **values
        | {
            "cells": {
                cell: CellSummary(part["queries"], part["documents"], _intervals(part["metrics"]))
                for cell, part in values["cells"].items()
            },
            "segments": tuple(
                SegmentResult(**part | {"metrics": _intervals(part["metrics"])})
                for part in values["segments"]
            ),
            "costs": Costs(**values["costs"]),
            "latency": Latency(**latency) if latency else None,
        }
    )


def _intervals(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Interval]:
    return {metric: _interval(interval) for metric, interval in values.items()}


def _interval(values: Mapping[str, Any]) -> Interval:
    mean, low, high = (math.nan if values[name] is None else values[name] for name in ("mean", "low", "high"))
    return Interval(mean, low, high, values["n"])


def plain(value: Any) -> Any:
    """A value as JSON can hold it: keys are texts, and what is not a finite number is `None`."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _write(value: Any, path: Path) -> None:
    with atomic_file(path) as aside:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        aside.write_text(text + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path} cannot be read ({error}); measure anew with: gradus bench") from None
    return values
