"""Metric names: every name that `str(metric)` writes, `parse_metric` reads back."""

import difflib
import re
from dataclasses import MISSING, fields
from typing import Any

from gradus.errors import EvaluationError
from gradus.evaluation.metrics.average_precision import MAP
from gradus.evaluation.metrics.base import Metric
from gradus.evaluation.metrics.condensed import Condensed
from gradus.evaluation.metrics.err import ERR
from gradus.evaluation.metrics.judged import Judged
from gradus.evaluation.metrics.kendall import KendallTau
from gradus.evaluation.metrics.ndcg import NDCG
from gradus.evaluation.metrics.precision import Precision
from gradus.evaluation.metrics.rank_of_best import RankOfBest
from gradus.evaluation.metrics.rbp import RBP
from gradus.evaluation.metrics.recall import Recall
from gradus.evaluation.metrics.reciprocal_rank import RR

METRICS: dict[str, type[Metric]] = {
    metric.name: metric
    for metric in (NDCG, ERR, RBP, MAP, RR, Recall, Precision, Judged, RankOfBest, KendallTau)
}
_ALIASES = {"NDCG": "nDCG", "AP": "MAP", "MRR": "RR", "Recall": "R", "Precision": "P"}
_SYNTAX = re.compile(r"(?P<name>\w+)(\((?P<parameters>[^()]*)\))?(@(?P<cutoff>\d+))?")


def parse_metric(text: str) -> Metric:
    """Read a metric's name, such as `nDCG@10`, `nDCG(gain=exp)@10`, `ERR(max=4)@20` or `RBP(p=0.9)`.

    The habitual names NDCG, AP, MRR, Recall and Precision are understood as well. With `condensed` before it, as in
    `condensed nDCG@10`, a metric leaves unjudged documents out of the lists.

    Raises:
        EvaluationError: The name or a parameter is unknown, malformed, missing or out of range.
    """
    first, _, rest = text.strip().partition(" ")
    if first == Condensed.name and not rest.startswith(Condensed.name):
        return Condensed(of=parse_metric(rest))
    match = _SYNTAX.fullmatch(text.strip())
    if match is None:
        raise EvaluationError(f"metric {text!r} is not of the form name(parameter=value,…)@cutoff")
    name = match["name"]
    kind = METRICS.get(_ALIASES.get(name, name))
    if kind is None:
        raise EvaluationError(f"unknown metric {name!r}{_suggestion(name, list(METRICS), list(_ALIASES))}")
    given = _parameters(text, kind, match["parameters"] or "")
    if match["cutoff"] is not None:
        given["cutoff"] = int(match["cutoff"])
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in given]
    if missing:
        example = "@10" if missing[0] == "cutoff" else f"({missing[0]}=…)"
        raise EvaluationError(f"{text}: {kind.name} needs {missing[0]}, as in {kind.name}{example}")
    return kind(**given)


def _parameters(text: str, kind: type[Metric], listed: str) -> dict[str, Any]:
    known = {field.name: field.type for field in fields(kind) if field.name != "cutoff"}
    given: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in listed.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise EvaluationError(f"{text}: parameter {part!r} is not of the form name=value")
        if key not in known:
            raise EvaluationError(f"{text}: unknown parameter {key!r}{_suggestion(key, list(known))}")
        if key in given:
            raise EvaluationError(f"{text}: parameter {key!r} is given twice")
        try:
            given[key] = float(value) if known[key] is float else value
        except ValueError:
            raise EvaluationError(f"{text}: {key} must be a number, but is {value!r}") from None
    return given


def _suggestion(word: str, known: list[str], also: list[str] | None = None) -> str:
    """What was meant, if it is near a known name or one of `also`; otherwise all known names."""
    # Case is the likeliest slip, and close matching counts every wrong case as a wrong letter.
    folded = {name.lower(): name for name in [*(also or []), *known]}
    close = difflib.get_close_matches(word.lower(), folded, n=1)
    listed = f"known: {', '.join(known)}" if known else "it has none"
    return f"; did you mean {folded[close[0]]!r}?" if close else f"; {listed}"
