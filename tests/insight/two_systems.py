"""Two systems measured on a catalogue of six parts, small enough to check by hand."""

import io
from typing import Any

import numpy as np
from PIL import Image

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.evaluation.comparison import compare
from gradus.evaluation.results import CellResult, Evaluation
from gradus.evaluation.runs import Run
from gradus.insight.examples import choose_examples
from gradus.insight.plots import Curve
from gradus.insight.report import Report, Training
from gradus.judgments.judgments import Judgments
from gradus.judgments.split import Split

METRIC = "nDCG@10"
CELL = "zero-shot"


def png(width: int = 40, height: int = 30, mode: str = "RGB") -> bytes:
    """A picture's bytes."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    Image.fromarray(noise).convert(mode).save(file, "PNG")
    return file.getvalue()


def documents(**changes: Any) -> Table:
    """Six parts; the second has no picture, the third one that cannot be read."""
    columns = {
        "title": ["hex bolt M8", "washer", "flange", "hex nut", "roller bearing", "dowel pin"],
        "title_ja": ["六角ボルト", "ワッシャー", None, "六角ナット", "ローラー", "ピン"],
        "image": [png(), None, b"\x89PNG cut", png(8, 400), png(mode="L"), png()],
        **changes,
    }
    fields = (Field("title", "text", 1.0), Field("title_ja", "text", 0.5), Field("image", "image", 0.25))
    return Table([f"d{i}" for i in range(6)], fields, columns)


def judgments(
    queries: list[str | None], pictures: dict[int, bytes] | None = None, **changes: Any
) -> Judgments:
    """Query i finds document i mod 6 worth 1, the next one 0.5; nothing else is judged."""
    n = len(queries)
    table = Table(
        [f"q{i}" for i in range(n)],
        (Field("query", "text", 1.0), Field("image", "image", 1.0)),
        {"query": queries, "image": [(pictures or {}).get(i) for i in range(n)]},
    )
    rows = np.repeat(np.arange(n), 2)
    score = np.tile([1.0, 0.5], n)
    found = (rows + np.tile([0, 1], n)) % 6
    source = np.full(2 * n, "truth", object)
    return Judgments(table, documents(**changes), rows, found, score, score, score, source)


def evaluation(
    name: str,
    values: list[float],
    *,
    lists: dict[int, list[str]] | None = None,
    cells: tuple[str, ...] = (CELL,),
) -> Evaluation:
    """A system with the given value of the metric for each query; it returns d0, d1, d2 unless told."""
    ids = [f"q{i}" for i in range(len(values))]
    found = [(lists or {}).get(i, ["d0", "d1", "d2"]) for i in range(len(values))]
    run = Run(name, ids, found, [[-float(rank) for rank in range(len(documents))] for documents in found])
    return Evaluation(name, {cell: CellResult(6, ids, {METRIC: np.array(values)}, run) for cell in cells})


def report(
    before: list[float], after: list[float], names: tuple[str, str] = ("old", "new"), **changes: Any
) -> Report:
    """A report of two systems, with one example of each kind."""
    judged = changes.pop("judgments", judgments(["hex bolt", "washer"] * (len(before) // 2)))
    lists = changes.pop("lists", None)
    one, other = (evaluation(n, v, lists=lists) for n, v in zip(names, (before, after), strict=True))
    split = Split(
        np.full(len(judged.queries), "novel", object), np.full(len(judged.documents), "novel", object)
    )
    curves = [Curve(name, np.array([1.0, 2.0]), np.array([0.25, 0.5])) for name in names]
    given: dict[str, Any] = {
        "title": "Parts",
        "introduction": "Two systems.",
        "comparisons": compare([one, other], [METRIC]),
        "examples": choose_examples(one, other, judged, CELL, METRIC),
        "examples_cell": CELL,
        "trainings": [Training({"steps": f"{place}7"}, curve) for place, curve in enumerate(curves)],
        "commands": ["gradus demo --seed 3"],
        "versions": {"gradus": "9.9"},
        "limits": ["Parts are few."],
    }
    return Report(
        baseline=one, system=other, metric=METRIC, judgments=judged, split=split, **(given | changes)
    )
