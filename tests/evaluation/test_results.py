"""Evaluations on disk: what was measured comes back, and a full disk leaves the older one."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from gradus.errors import EvaluationError
from gradus.evaluation.results import CellResult, Evaluation, read_evaluation, write_evaluation
from gradus.evaluation.runs import Run


def cell(ids: list[str], **per_query: list[float]) -> CellResult:
    run = Run("mine", ids, [["d1", "d2"] for _ in ids], [[0.5, 0.25] for _ in ids])
    return CellResult(7, ids, {name: np.array(values) for name, values in per_query.items()}, run)


def evaluation(**cells: CellResult) -> Evaluation:
    return Evaluation("mine", {name.replace("_", "-"): result for name, result in cells.items()})


EXAMPLE = evaluation(
    in_domain=cell(["a", "b", "検索"], ndcg=[1.0, 0.5, 0.0], err=[0.25, float("nan"), 0.75]),
    zero_shot=cell(["c"], ndcg=[0.125], err=[1.0]),
)
EMPTY = cell([], ndcg=[], err=[])


def same(one: Evaluation, other: Evaluation) -> None:
    assert (one.name, list(one.cells)) == (other.name, list(other.cells))
    for name, result in one.cells.items():
        again = other.cells[name]
        assert (again.documents, again.query_ids, again.run) == (
            result.documents,
            result.query_ids,
            result.run,
        )
        assert list(again.per_query) == list(result.per_query)
        for metric, values in result.per_query.items():
            np.testing.assert_array_equal(again.per_query[metric], values)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write_evaluation(EXAMPLE, tmp_path / "evaluation")
    same(read_evaluation(tmp_path / "evaluation"), EXAMPLE)


def test_the_files_are_for_other_tools_too(tmp_path: Path) -> None:
    write_evaluation(EXAMPLE, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "summary.json", "per_query.parquet", "run-in-domain.parquet", "run-zero-shot.parquet",
    }  # fmt: skip
    rows = pyarrow.parquet.read_table(tmp_path / "per_query.parquet").to_pylist()
    assert [(row["cell"], row["query_id"], row["ndcg"]) for row in rows] == [
        ("in-domain", "a", 1.0), ("in-domain", "b", 0.5), ("in-domain", "検索", 0.0), ("zero-shot", "c", 0.125),
    ]  # fmt: skip


def test_the_summary_counts_queries_and_means_over_the_defined(tmp_path: Path) -> None:
    write_evaluation(EXAMPLE, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary == EXAMPLE.as_dict()
    first = summary["cells"]["in-domain"]
    assert (first["queries"], first["documents"]) == (3, 7)
    assert first["metrics"]["ndcg"]["mean"] == 0.5
    assert (first["metrics"]["err"]["mean"], first["metrics"]["err"]["n"]) == (0.5, 2)
    assert first["metrics"]["ndcg"]["low"] <= 0.5 <= first["metrics"]["ndcg"]["high"]


def test_a_mean_of_nothing_is_null_in_json() -> None:
    found = evaluation(in_domain=EMPTY).as_dict()["cells"]["in-domain"]["metrics"]["ndcg"]
    assert found == {"mean": None, "low": None, "high": None, "n": 0}


def test_a_full_disk_leaves_the_older_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_evaluation(EXAMPLE, tmp_path / "evaluation")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_evaluation(evaluation(in_domain=EMPTY), tmp_path / "evaluation")
    same(read_evaluation(tmp_path / "evaluation"), EXAMPLE)
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation"]


@pytest.mark.parametrize("name", ["summary.json", "per_query.parquet", "run-in-domain.parquet"])
def test_what_is_no_evaluation_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "evaluation"
    write_evaluation(EXAMPLE, folder)
    (folder / name).write_bytes(b"{}")
    with pytest.raises(EvaluationError, match=str(folder)):
        read_evaluation(folder)
    (folder / name).unlink()
    with pytest.raises(EvaluationError, match=str(folder)):
        read_evaluation(folder)
