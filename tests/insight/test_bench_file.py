"""results.json: what is written is read back."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval
from gradus.evaluation.segments import SegmentResult
from gradus.insight.bench import (
    Bench,
    CellSummary,
    Costs,
    PipelineResult,
    read_bench,
    read_pipeline,
    write_bench,
    write_pipeline,
)
from gradus.insight.latency import Latency

MEAN = Interval(0.5, 0.25, 0.75, 12)
RESULT = PipelineResult(
    name="GCL",
    folder="gcl",
    key="abc",
    declaration={"first": {"gcl": {"kind": "model"}}},
    cells={"zero-shot": CellSummary(12, 40, {"nDCG@10": MEAN})},
    segments=(SegmentResult("zero-shot", "language", "Japanese", 12, {"nDCG@10": MEAN}),),
    costs=Costs(index_bytes=10, training_seconds=None),
    facts={"weights": {"bm25": 0.5}},
    latency=Latency(*(float(n) for n in range(12))),
)
BENCH = Bench(
    versions={"gradus": "1"},
    machine={"cores": 2},
    data={"documents": 40},
    metrics=("nDCG@10",),
    seed=0,
    timing={"queries": 100},
    peak_bytes=None,
    pipelines=(RESULT, dataclasses.replace(RESULT, name="run", latency=None)),
)


def test_round_trip(tmp_path: Path) -> None:
    write_bench(BENCH, tmp_path / "results.json")
    assert read_bench(tmp_path) == read_bench(tmp_path / "results.json") == BENCH
    write_pipeline(RESULT, tmp_path / "pipeline.json")
    assert read_pipeline(tmp_path / "pipeline.json") == RESULT


def test_what_is_not_defined_is_null(tmp_path: Path) -> None:
    one = dataclasses.replace(
        RESULT, cells={"zero-shot": CellSummary(1, 40, {"nDCG@10": Interval(0.5, math.nan, math.nan, 1)})}
    )
    path = tmp_path / "results.json"
    write_bench(dataclasses.replace(BENCH, pipelines=(one,)), path)
    metric = json.loads(path.read_text())["pipelines"][0]["cells"]["zero-shot"]["metrics"]["nDCG@10"]
    assert metric == {"mean": 0.5, "low": None, "high": None, "n": 1}
    assert math.isnan(read_bench(path).pipelines[0].cells["zero-shot"].metrics["nDCG@10"].low)


def test_costs_add_up() -> None:
    a = Costs(index_bytes=1, training_seconds=2.0, training_cpu_seconds=None, fitting_seconds=0.5)
    b = Costs(index_bytes=10, training_seconds=20.0, training_cpu_seconds=3.0, fitting_cpu_seconds=4.0)
    assert a + b == Costs(
        index_bytes=11,
        training_seconds=22.0,
        training_cpu_seconds=None,
        fitting_seconds=0.5,
        fitting_cpu_seconds=4.0,
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "pipelines": [{}]}'])
def test_other_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=r"results\.json.*gradus bench"):
        read_bench(path)
    assert read_pipeline(path) is None
    with pytest.raises(EvaluationError, match=r"nowhere.*gradus bench"):
        read_bench(tmp_path / "nowhere")
