"""Hierarchy: category paths of queries and documents → stepped scores.

A document that shares the first k levels of its query's path has the score of step k. That is coarse: it cannot
tell documents of one step apart, so an interval reaches from the step below to the step above. A query without
a path has a posterior over paths, from the documents that its other evidence speaks for.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.read import pick_column, read_arrow
from gradus.catalog.text import normalise
from gradus.catalog.values import read_id, read_text
from gradus.errors import JudgmentsError, SettingsError
from gradus.judgments.scores import Scores
from gradus.settings import HierarchySettings, Settings

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

CategoryPath = tuple[str, ...]
"""The levels of a category, the top one first."""

_UNKNOWN = 1.0
"""Weight of the possibility that a query belongs to no path its evidence names, in documents spoken for."""


def read_document_paths(settings: Settings) -> dict[str, CategoryPath]:
    """Document id → category path, from the catalogue; documents without a path are left out.

    Raises:
        CatalogError: The catalogue cannot be read, or has no such column.
    """
    catalog = settings.catalog
    return _read_paths(
        settings, catalog.path, catalog.id, "catalog.id", settings.hierarchy.document, "hierarchy.document"
    )


def read_query_paths(settings: Settings) -> dict[str, CategoryPath]:
    """Query id → category path, from the queries' file; queries without a path are left out.

    Raises:
        SettingsError: `hierarchy.query` is given but there is no file of queries.
        CatalogError: The file cannot be read, or has no such column.
    """
    query = settings.query
    if not settings.hierarchy.query:
        return {}
    if not query.path:
        raise SettingsError("hierarchy.query names a column of the queries' file; name that in query.path")
    return _read_paths(
        settings, query.path, query.id, "query.id", settings.hierarchy.query, "hierarchy.query"
    )


def judge_hierarchy(
    documents: Mapping[str, CategoryPath],
    queries: Mapping[str, CategoryPath],
    evidence: Sequence[Scores],
    settings: HierarchySettings,
) -> Scores:
    """Score documents by the levels that they share with their query's category.

    The posterior of a query without a path gives path c the weight n_c/(1 + Σ n), where n_c adds up score · count over
    the documents of c in the evidence, and 1/(1 + Σ n) to none of them. A pair's own evidence is left out, so that
    it does not confirm itself. The score is the posterior mean, the interval reaches from the 5 % quantile of the
    steps below to the 95 % quantile of the steps above; where the path is unknown these are 0 and 1.

    Scored are the pairs that the evidence has, and for each query at most `settings.per_query` further documents that
    share its top category: in turn one of each step, drawn within a step by a generator whose seed is a hash of the query.

    Args:
        documents: Document id → category path.
        queries: Query → category path, where it is known.
        evidence: Other sources' scores, which path-less queries' categories are inferred from.
        settings: Steps and the number of further documents.

    Raises:
        SettingsError: Levels that are not rising numbers in [0, 1].
    """
    tree = _Tree.of(documents, queries.values(), _read_steps(settings))
    votes_of = _spoken_for(evidence)
    rows: list[tuple[str, str, Floats]] = []
    for query in dict.fromkeys([*queries, *votes_of]):
        judged = {name: weight for name, weight in votes_of.get(query, {}).items() if name in documents}
        own = np.array([tree.row_of[documents[name]] for name in judged], np.int64)
        weight = np.array(list(judged.values()))
        if query in queries:
            belief = _Belief(tree, np.array([tree.row_of[queries[query]]]), np.ones(1), 0.0)
        elif (weight > 0).any():
            paths, which = np.unique(own[weight > 0], return_inverse=True)
            belief = _Belief(tree, paths, np.bincount(which, weight[weight > 0]).astype(np.float64), _UNKNOWN)
        else:
            continue
        rows += [(query, *scored) for scored in zip(judged, belief.scores(own, weight), strict=True)]
        rows += _further(query, belief, judged, settings.per_query)
    return _as_scores(rows)


def why_nothing(documents: Mapping[str, CategoryPath], queries: Mapping[str, CategoryPath]) -> str:
    """Why a hierarchy of such paths judges no pair, and what to do."""
    if not queries:
        return (
            "no query's category is known, and no document that other evidence speaks for has one: name the column "
            "of category paths of the queries' file in hierarchy.query, or evidence to infer categories from"
        )
    theirs, ours = next(iter(queries.values())), next(iter(documents.values()))
    return (
        "no pair can be judged by the hierarchy: queries have categories such as "
        f"{' / '.join(theirs)!r} and documents such as {' / '.join(ours)!r} (levels between /); both must begin "
        "alike, so check hierarchy.separator and the spelling, and that hierarchy.per_query is above 0"
    )


@dataclass(frozen=True)
class _Tree:
    """All paths as rows, for arithmetic on many at once.

    Attributes:
        row_of: Path → row.
        prefix: (p, l) number of each path's first 1, 2, … levels; -1 below its depth.
        depth: (p,) levels of each path.
        documents: The documents at each path, sorted.
        sizes: (p,) how many those are.
        steps: (l + 1, l + 1) score of sharing s levels with a query of depth d, at [d, s].
    """

    row_of: Mapping[CategoryPath, int]
    prefix: Rows
    depth: Rows
    documents: Sequence[Sequence[str]]
    sizes: Rows
    steps: Floats

    @classmethod
    def of(
        cls, documents: Mapping[str, CategoryPath], others: Iterable[CategoryPath], levels: Floats
    ) -> "_Tree":
        row_of = {path: row for row, path in enumerate(sorted({*documents.values(), *others}))}
        depth = np.array([len(path) for path in row_of], np.int64)
        deepest = int(depth.max(initial=1))
        prefix = np.full((len(row_of), deepest), -1)
        number: dict[CategoryPath, int] = {}
        for row, path in enumerate(row_of):
            for level in range(len(path)):
                prefix[row, level] = number.setdefault(path[: level + 1], len(number))
        held: list[list[str]] = [[] for _ in row_of]
        for name in sorted(documents):
            held[row_of[documents[name]]].append(name)
        steps = np.zeros((deepest + 1, deepest + 1))
        for d in range(1, deepest + 1):
            reached = (
                levels[np.minimum(np.arange(d), len(levels) - 1)] if len(levels) else np.arange(1, d + 1)
            )
            steps[d, 1 : d + 1] = reached / reached[-1]
        return cls(row_of, prefix, depth, held, np.array([len(names) for names in held], np.int64), steps)


@dataclass(frozen=True)
class _Belief:
    """Where a query belongs: a weight for each of some paths, and one for none of them.

    Attributes:
        tree: All paths.
        paths: (v,) rows of the tree, each once.
        votes: (v,) their weights.
        unknown: The weight of none of them.
    """

    tree: _Tree
    paths: Rows
    votes: Floats
    unknown: float

    def scores(self, paths: Rows, without: Floats) -> Floats:
        """(t, 3) score, low and high of documents.

        Args:
            paths: (t,) row of each document's path.
            without: (t,) what each document itself adds to the vote for its path, which is taken off.
        """
        tree, depth = self.tree, self.tree.depth[self.paths]
        theirs = tree.prefix[paths][:, None]
        shared = ((theirs == tree.prefix[self.paths]) & (theirs >= 0)).sum(2)
        weight = np.tile(np.r_[self.votes, self.unknown], (len(paths), 1))
        if self.unknown:
            own = paths[:, None] == self.paths
            weight[:, :-1] = np.maximum(weight[:, :-1] - own * without[:, None], 0)
        share = weight / weight.sum(1, keepdims=True)
        # With none of the paths, nothing is shared, and the score may be anything.
        at = np.pad(tree.steps[depth, shared], ((0, 0), (0, 1)))
        below = np.pad(tree.steps[depth, np.maximum(shared - 1, 0)], ((0, 0), (0, 1)))
        above = tree.steps[depth, np.minimum(shared + 1, depth)]
        above = np.pad(above, ((0, 0), (0, 1)), constant_values=1)
        score = (share * at).sum(1).clip(0, 1)
        low = np.minimum(_quantile(below, share, 0.05), score)
        return np.stack([score, low, np.maximum(_quantile(above, share, 0.95), score)], axis=1)


def _further(
    query: str, belief: _Belief, judged: Mapping[str, float], most: int
) -> list[tuple[str, str, Floats]]:
    """Documents beyond those judged, with their scores: one of each score in turn, the best first."""
    tree = belief.tree
    paths = np.flatnonzero(np.isin(tree.prefix[:, 0], tree.prefix[belief.paths, 0]) & (tree.sizes > 0))
    scores = belief.scores(paths, np.zeros(len(paths)))
    seed = int.from_bytes(hashlib.blake2b(query.encode(), digest_size=8).digest(), "big")
    rng = np.random.default_rng(seed)
    _, step = np.unique(-np.round(scores[:, 0], 9), return_inverse=True)
    turns = []
    for number in range(step.max(initial=-1) + 1):
        members = np.flatnonzero(step == number)
        ends = np.cumsum(tree.sizes[paths[members]])
        drawn = rng.choice(ends[-1], min(ends[-1], most + len(judged)), replace=False)
        member = np.searchsorted(ends, drawn, side="right")
        places = drawn - np.r_[0, ends][member]
        names = [tree.documents[paths[members[m]]][place] for m, place in zip(member, places, strict=True)]
        new = [(name, members[m]) for name, m in zip(names, member, strict=True) if name not in judged]
        turns += [(turn, number, *document) for turn, document in enumerate(new[:most])]
    return [(query, name, scores[row]) for _, _, name, row in sorted(turns)[:most]]


def _quantile(values: Floats, share: Floats, level: float) -> Floats:
    """(t,) the least value of each row up to which at least `level` of its mass lies."""
    order = np.argsort(values, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(share, order, 1), axis=1)
    place = (mass >= level - 1e-12).argmax(1)[:, None]
    return np.take_along_axis(np.take_along_axis(values, order, 1), place, 1)[:, 0]


def _spoken_for(evidence: Sequence[Scores]) -> dict[str, dict[str, float]]:
    """Query → document → score · count over all evidence."""
    weights: dict[str, dict[str, float]] = {}
    for scores in evidence:
        for query, document, score, count in zip(
            scores.query.tolist(), scores.document.tolist(), scores.score, scores.count, strict=True
        ):
            own = weights.setdefault(scores.queries[query], {})
            name = scores.documents[document]
            own[name] = own.get(name, 0.0) + float(score * count)
    return weights


def _as_scores(rows: Sequence[tuple[str, str, Floats]]) -> Scores:
    queries = {query: row for row, query in enumerate(dict.fromkeys(row[0] for row in rows))}
    documents = {document: row for row, document in enumerate(dict.fromkeys(row[1] for row in rows))}
    score, low, high = np.array([row[2] for row in rows], np.float64).reshape(-1, 3).T
    return Scores(
        "hierarchy", list(queries), list(documents), np.array([queries[row[0]] for row in rows], np.int64),
        np.array([documents[row[1]] for row in rows], np.int64), score, low, high, np.ones(len(rows)),
    )  # fmt: skip


def _read_steps(settings: HierarchySettings) -> Floats:
    """(l,) the scores of `hierarchy.levels`, which may be none."""
    try:
        scores = np.array([float(level) for level in settings.levels])
    except ValueError:
        scores = np.array([np.nan])
    if not ((scores > 0) & (scores <= 1)).all() or (np.diff(scores) < 0).any():
        raise SettingsError(
            f"hierarchy.levels must be numbers above 0 and up to 1 that do not fall, not {list(settings.levels)}"
        )
    return scores


def _read_paths(
    settings: Settings, path: str, id_column: str, id_key: str, column: str, key: str
) -> dict[str, CategoryPath]:
    if not settings.hierarchy.separator:
        raise SettingsError(
            'hierarchy.separator is empty; give what stands between two levels of a path, such as " > "'
        )
    file = settings.resolve(path)
    table = read_arrow(file)
    ids = pick_column(table, id_column, file, id_key).to_pylist()
    cells = pick_column(table, column, file, key).to_pylist()
    paths: dict[str, CategoryPath] = {}
    for name, cell in zip(ids, cells, strict=True):
        parts = cell if isinstance(cell, list) else read_text(cell).split(settings.hierarchy.separator)
        levels = tuple(level for part in parts if (level := normalise(read_text(part))))
        if levels:
            paths[read_id(name)] = levels
    if not paths:
        raise JudgmentsError(f"{file}: column {column!r} ({key}) holds no category path")
    return paths
