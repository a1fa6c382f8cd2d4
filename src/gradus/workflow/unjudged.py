"""Queries that nobody judged, beside those that are judged: what they may be used for, and what they are not."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.table import Table
from gradus.encoders.words import as_text
from gradus.errors import JudgmentsError
from gradus.judgments.split import Split


def with_unjudged(judged: Table, split: Split, others: Table, group: str = "") -> Table:
    """The judged queries in their rows, and behind them those of `others` that training may see.

    A query that asks what another one asks is that one, whatever its id: a log holds the queries of the test cells as
    well, and none may come into training under another name. Of several that ask the same the first stays.

    Args:
        judged: The judged queries.
        split: Their parts.
        others: Queries with the same fields.
        group: `split.query_group`; a query of a group that is held out is left out.

    Raises:
        JudgmentsError: A query has the id of a judged one and asks for something else.
    """
    known, contents = _contents(judged), _contents(others)
    asked = set(known) - {None}
    held_out = set()
    if group:
        held_out = set(np.array(judged.columns[group], object)[split.query_part != "train"]) - {None}
    new = []
    for row, (name, content) in enumerate(zip(others.ids, contents, strict=True)):
        if name in judged.row_of:
            here, there = _shown(content), _shown(known[judged.row_of[name]])
            if here != there:
                raise JudgmentsError(
                    f"query {name!r} is {here} here and {there} among the judged queries; give one of them another "
                    "id, or distil anew"
                )
        elif content is not None and content not in asked:
            asked.add(content)
            if not group or others.columns[group][row] not in held_out:
                new.append(row)
    added = others.take(new)
    columns = {
        field.name: [*judged.columns[field.name], *added.columns[field.name]] for field in judged.fields
    }
    return Table([*judged.ids, *added.ids], judged.fields, columns)


def parts_of(queries: Table, split: Split) -> NDArray[np.object_]:
    """(n,) the part of each query of what `with_unjudged` gave; one without a judgment is train."""
    part = np.full(len(queries), "train", object)
    part[: len(split.query_part)] = split.query_part
    return part


def _contents(table: Table) -> list[tuple[Any, ...] | None]:
    """(n,) what each query asks; `None` where it asks nothing."""
    columns = [as_text(field, table.columns[field.name]) for field in table.encoded]
    return [
        tuple(map(_plain, row)) if any(value is not None for value in row) else None
        for row in zip(*columns, strict=True)
    ]


def _plain(value: Any) -> Any:
    """One form of what may be written in several."""
    if isinstance(value, str):
        return value.casefold()
    return value.resolve() if isinstance(value, Path) else value


def _shown(content: tuple[Any, ...] | None) -> str:
    """What a query asks, for people. Pictures look alike: a file of them may hold what another one points to."""
    shown = [repr(v) if isinstance(v, str) else "a picture" for v in content or () if v is not None]
    return ", ".join(shown) or "empty"
