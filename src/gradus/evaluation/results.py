"""What an evaluation found: per query in Parquet, per cell in JSON, and the runs behind both."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from gradus.errors import EvaluationError
from gradus.evaluation.bootstrap import Interval, bootstrap_interval
from gradus.evaluation.runs import Run, read_run, write_run
from gradus.files import atomic_folder


@dataclass(frozen=True)
class CellResult:
    """One cell of the split, measured.

    Attributes:
        documents: Size of the corpus that was searched.
        query_ids: (n,) the queries with something to find.
        per_query: Metric → (n,) values; NaN where undefined.
        run: The ranked lists.
    """

    documents: int
    query_ids: list[str]
    per_query: dict[str, NDArray[np.float64]]
    run: Run

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Metric → mean with its bootstrap interval over queries (95 %)."""
        return {metric: bootstrap_interval(values) for metric, values in self.per_query.items()}


@dataclass(frozen=True)
class Evaluation:
    """A system, measured on the cells of a split.

    Attributes:
        name: The system's name.
        cells: Cell → its result.
    """

    name: str
    cells: dict[str, CellResult]

    def as_dict(self) -> dict[str, Any]:
        """The summary: cell → queries, documents, and metric → mean, low, high, n."""
        return {
            "name": self.name,
            "cells": {
                cell: {
                    "queries": len(result.query_ids),
                    "documents": result.documents,
                    "metrics": {
                        metric: {
                            key: None if np.isnan(value) else round(value, 6)
                            for key, value in (("mean", i.mean), ("low", i.low), ("high", i.high))
                        }
                        | {"n": i.n}
                        for metric, i in result.intervals.items()
                    },
                }
                for cell, result in self.cells.items()
            },
        }


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write `summary.json`, `per_query.parquet` and `run-CELL.parquet`; an older folder is replaced whole."""
    tables = []
    with atomic_folder(folder) as aside:
        for cell, result in evaluation.cells.items():
            write_run(result.run, aside / f"run-{cell}.parquet")
            columns = {"cell": [cell] * len(result.query_ids), "query_id": result.query_ids}
            tables.append(pa.table(columns | {m: pa.array(v) for m, v in result.per_query.items()}))
        if tables:
            pa.parquet.write_table(pa.concat_tables(tables), aside / "per_query.parquet")
        text = json.dumps(evaluation.as_dict(), indent=2, ensure_ascii=False)
        (aside / "summary.json").write_text(text + "\n", encoding="utf-8")


def read_evaluation(folder: Path) -> Evaluation:
    """Read what `write_evaluation` wrote.

    Raises:
        EvaluationError: No evaluation there.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        table = pa.parquet.read_table(folder / "per_query.parquet").to_pydict()
        cells = {}
        for cell, facts in summary["cells"].items():
            rows = [row for row, name in enumerate(table["cell"]) if name == cell]
            per_query = {
                metric: np.array([table[metric][row] for row in rows], np.float64)
                for metric in facts["metrics"]
            }
            ids = [table["query_id"][row] for row in rows]
            run = read_run(folder / f"run-{cell}.parquet")
            cells[cell] = CellResult(facts["documents"], ids, per_query, run)
    except FileNotFoundError as error:
        raise EvaluationError(
            f"{folder} holds no evaluation: no {error.filename}; write one with: gradus evaluate {folder.parent}"
        ) from None
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise EvaluationError(
            f"{folder} holds no whole evaluation ({error}); write it with: gradus evaluate {folder.parent}"
        ) from None
    return Evaluation(summary["name"], cells)
