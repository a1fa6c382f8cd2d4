"""Distillation: what a slow pipeline knows, as judgments with intervals of pairs that nobody judged.

Nothing of the test cells is looked at. What the pipeline's scores are worth is learned from judged pairs of training
documents; told are pairs of training queries, or of queries without any judgment, with training documents.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.read import open_queries
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError, SettingsError
from gradus.evaluation.runs import Run, is_parquet, write_run
from gradus.judgments.distil import Curve, enough, fit_curve
from gradus.judgments.judgments import Judgments
from gradus.judgments.lookup import places_of
from gradus.judgments.table_format import read_asked, write_judgments
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.workflow.data import Data, load_data
from gradus.workflow.synthetic import synthetic_queries
from gradus.workflow.unjudged import parts_of, with_unjudged

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

SOURCE = "distilled"

Unjudged = Literal["unknown", "worthless"]
LearnedFrom = Literal["", "train", "validation"]


@dataclass(frozen=True)
class Choices:
    """What may be chosen.

    Attributes:
        depth: How many documents of a list are looked at.
        unjudged: What a judged query's unjudged documents are: `unknown`, or `worthless`, because whoever judged it
            judged everything of worth; it is then told nothing more, and queries without judgments alone are.
        learned_from: Queries whose judged pairs say what scores are worth: those of the part train or, for pipelines
            that were trained on these judgments, those of the part validation. Empty: validation if it has enough.
        held_out: Whether queries and documents of the test cells and of validation are told as well.
        synthetic: How many synthetic queries are asked beside those of files.
        seed: Seed of the folds and of the synthetic queries.
    """

    depth: int = 100
    unjudged: Unjudged = "unknown"
    learned_from: LearnedFrom = "train"
    held_out: bool = False
    synthetic: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Lists:
    """What a pipeline returned, as parallel arrays, each query's pairs together and best first.

    Attributes:
        query: (p,) rows of the asked queries.
        document: (p,) rows of the catalogue.
        raw: (p,) the pipeline's scores.
    """

    query: Rows
    document: Rows
    raw: Floats

    def take(self, kept: NDArray[np.bool_]) -> "Lists":
        """Some of the pairs."""
        return Lists(self.query[kept], self.document[kept], self.raw[kept])


@dataclass(frozen=True)
class Asked:
    """The queries that a pipeline may be asked.

    Attributes:
        queries: Those of the judgments, and behind them those without a judgment.
        left_out: Ids of further queries, which ask what one of these asks or are held out.
    """

    queries: Table
    left_out: frozenset[str]


Pipeline = Callable[[Data, Asked, Choices, Progress], Lists]
"""From the data, the queries and the choices to the pipeline's lists."""


@dataclass(frozen=True)
class Distilled:
    """What distilling came to.

    Attributes:
        path: The file.
        pairs: Pairs in it.
        queries: Queries of these.
        unjudged_queries: Those among them that have no judgment at all.
        left_out: Queries without a judgment that are told nothing, as they ask what another one asks or are held out.
        curve: What the pipeline's scores are worth.
        width: Mean width of the intervals.
    """

    path: Path
    pairs: int
    queries: int
    unjudged_queries: int
    left_out: int
    curve: Curve
    width: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        curve = self.curve
        return {
            "judgments": str(self.path), "pairs": self.pairs, "queries": self.queries,
            "unjudged_queries": self.unjudged_queries, "left_out_queries": self.left_out,
            "interval_width": self.width,
            "learned_from": {"pairs": curve.pairs, "queries": curve.queries},
            "reading": curve.reading, "error": curve.error, "error_without": curve.spread,
        }  # fmt: skip


def distil(
    settings: Settings,
    out: Path,
    pipeline: Pipeline,
    *,
    choices: Choices = Choices(),
    queries: Path | None = None,
    data: Data | None = None,
    lists_out: Path | None = None,
    progress: Progress = silent,
) -> Distilled:
    """Write what a pipeline knows as a judgments file for `judgments.distilled`.

    Args:
        settings: Catalogue, judgments and split.
        out: The file, .parquet or .csv.
        pipeline: `given` or `gradus.workflow.distil_reranker.reranked`.
        choices: What is learned from and what is told.
        queries: A file of further queries, which nobody judged; those of `query.path` are there anyway.
        data: What `load_data(settings)` would read, if it is there already; what was distilled before is not looked at.
        lists_out: A run file that gets the pipeline's lists for judged queries, for `clicks.run`: those of training, or
            with `held_out` all.
        progress: Told about each stage.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    if lists_out is not None:
        is_parquet(lists_out)  # else an error would come when all is done
    data = replace(data or load_data(settings.with_values({"judgments.distilled": ""})), distilled=None)
    asked = _asked(settings, data, queries, choices)
    part = parts_of(asked.queries, data.split)
    lists = pipeline(data, asked, choices, progress)
    progress("distilling", 0, 1, "")
    searched = np.full(len(data.documents), True) if choices.held_out else data.split.document_part == "train"
    lists = _cut(lists.take(searched[lists.document]), choices.depth)
    if lists_out is not None:
        write_run(_run(lists.take(_of_judged(lists, part, data, choices)), asked, data), lists_out)
    judged = _judged(data, lists)
    target = judged
    if choices.unjudged == "worthless":
        target = np.where(np.isnan(judged), 0.0, judged)
    known = data.split.document_part[lists.document] == "train"
    known &= lists.query < len(data.judgments.queries)
    known &= np.isfinite(target)
    learned = known & (part[lists.query] == (choices.learned_from or "validation"))
    if not choices.learned_from and not enough(lists.query[learned]):
        learned = known & (part[lists.query] == "train")
    curve = fit_curve(lists.query, lists.raw, np.where(learned, target, np.nan), choices.seed)
    score, low, high = curve(lists.query, lists.raw)
    source = np.full(len(score), SOURCE, object)
    told = Judgments(asked.queries, data.documents, lists.query, lists.document, score, low, high, source)
    kept = np.isnan(judged) if choices.held_out else data.may_teach(told)
    if choices.unjudged == "worthless":
        kept &= ~np.isin(told.query, data.judgments.query)
    told = told.take(kept)
    if not len(told):
        raise JudgmentsError(
            "the pipeline lists no pair of training queries and documents that nobody judged; let it list more "
            "documents or name queries without judgments in --queries"
        )
    write_judgments(out, told)
    progress("distilling", 1, 1, "")
    named = np.unique(told.query)
    unjudged = int((~np.isin(named, data.judgments.query)).sum())
    width = float((told.high - told.low).mean())
    return Distilled(out, len(told), len(named), unjudged, len(asked.left_out), curve, width)


def _of_judged(lists: Lists, part: NDArray[np.object_], data: Data, choices: Choices) -> NDArray[np.bool_]:
    """(p,) which pairs are of queries that somebody judged, and may be told."""
    judged = lists.query < len(data.judgments.queries)
    return judged if choices.held_out else judged & (part[lists.query] == "train")


def _run(lists: Lists, asked: Asked, data: Data) -> Run:
    """Lists as a run."""
    first = np.flatnonzero(np.diff(lists.query, prepend=-1))
    of = [slice(*ends) for ends in pairwise([*first.tolist(), len(lists.query)])]
    ids = np.array(data.documents.ids, object)[lists.document]
    return Run(
        SOURCE,
        [asked.queries.ids[lists.query[row]] for row in first],
        [ids[rows].tolist() for rows in of],
        [lists.raw[rows].tolist() for rows in of],
    )


def given(run: Run) -> Pipeline:
    """A run file as a pipeline.

    Raises:
        JudgmentsError: When it is asked for its lists: it has a query or a document that is not known here.
    """

    def lists(data: Data, asked: Asked, choices: Choices, progress: Progress) -> Lists:
        told = [place for place, name in enumerate(run.query_ids) if name not in asked.left_out]
        rows = _rows(run, "query", [run.query_ids[place] for place in told], asked.queries)
        query = np.repeat(rows, [len(run.document_ids[place]) for place in told])
        named = [name for place in told for name in run.document_ids[place]]
        raw = np.array([value for place in told for value in run.scores[place]], np.float64)
        return Lists(query, _rows(run, "document", named, data.documents), raw)

    return lists


def _asked(settings: Settings, data: Data, path: Path | None, choices: Choices) -> Asked:
    """The queries of all files, and the synthetic ones."""
    asked, group = data.judgments.queries, settings.split.query_group
    others = [open_queries(settings)] if settings.query.path else []
    others += [] if path is None else [read_asked(settings, path)]
    if choices.synthetic:
        sources = np.flatnonzero(data.split.document_part == "train")
        others.append(synthetic_queries(data.training, sources, choices.synthetic, choices.seed))
    for table in others:
        asked = with_unjudged(asked, data.split, table, group)
    names = {name for table in others for name in table.ids}
    return Asked(asked, frozenset(names - asked.row_of.keys()))


_REMEDIES = {
    "query": "name the file that holds their texts in --queries or query.path, or take them out of the run",
    "document": "check catalog.id, or take them out of the run",
}


def _rows(run: Run, noun: str, names: list[str], table: Table) -> Rows:
    rows = np.array([table.row_of.get(name, -1) for name in names], np.int64)
    missing = list(dict.fromkeys(name for name, row in zip(names, rows, strict=True) if row < 0))
    if missing:
        shown = ", ".join(map(repr, missing[:3])) + (", …" if len(missing) > 3 else "")
        raise JudgmentsError(
            f"run {run.name!r} has {len(missing):,} {noun} id{'s' if len(missing) > 1 else ''} not known here: "
            f"{shown}; {_REMEDIES[noun]}"
        )
    return rows


def _cut(lists: Lists, depth: int) -> Lists:
    """The first documents of each list."""
    order = np.argsort(lists.query, kind="stable")
    place = np.arange(len(order))
    new = np.r_[True, lists.query[order][1:] != lists.query[order][:-1]][: len(order)]
    rank = place - np.maximum.accumulate(np.where(new, place, 0))
    kept = order[rank < depth]
    return replace(lists, query=lists.query[kept], document=lists.document[kept], raw=lists.raw[kept])


def _judged(data: Data, lists: Lists) -> Floats:
    """(p,) the judged scores of pairs, NaN where there is none."""
    judgments = data.judgments
    at = places_of((judgments.query, judgments.document), (lists.query, lists.document))
    return np.append(judgments.score, np.nan)[at]


def checked(unjudged: str, learned_from: str, **others: Any) -> Choices:
    """Choices from what a user wrote.

    Raises:
        SettingsError: A word that is none of those to choose from.
    """
    words = {"unknown", "worthless"}, {"", "train", "validation"}
    for name, value, allowed in zip(
        ("unjudged", "learned-from"), (unjudged, learned_from), words, strict=True
    ):
        if value not in allowed:
            raise SettingsError(f"--{name} is {value!r}; choose one of {', '.join(sorted(allowed - {''}))}")
    return Choices(unjudged=unjudged, learned_from=learned_from, **others)  # type: ignore[arg-type]
