"""Grades from a file: a row per grade, or a row per pair with a column per rater; or from the log of a service."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.text import normalise
from gradus.errors import JudgmentsError
from gradus.judgments.columns import Columns
from gradus.judgments.grades.grades import Grades, Rows
from gradus.judgments.grades.log import read_grades_log
from gradus.settings import GradesSettings, Settings

_LONE_RATER = "rater"
"""Name of the rater of a file that names none."""
_MOST_LEVELS = 101


def read_grades(settings: Settings, query_form: Callable[[str], str] = normalise) -> Grades:
    """Read the grades that `[grades]` describes.

    Empty cells are grades that were not given. Where `grades.scale` is empty or holds numbers, a grade x lies
    at (x - worst)/(best - worst); words lie evenly between 0 and 1.

    Args:
        settings: The section grades says where and how.
        query_form: Brings a query to the form in which sources are compared, as logs do.

    Raises:
        JudgmentsError: A missing column, a grade that is not on the scale, a rater with two different grades
            for one pair, no grade at all.
        CatalogError: The file cannot be read.
    """
    names = settings.grades
    path = settings.resolve(names.path)
    columns = read_grades_log(path, names) if path.is_dir() else Columns.read(path, "grades.path")
    queries = np.array([query_form(text) for text in columns.ids(names.query, "grades.query")], object)
    documents = columns.ids(names.document, "grades.document")
    if names.raters:
        given = [_cells(columns, name, names, "grades.raters") for name in names.raters]
        row = np.tile(np.arange(len(columns)), len(given))
        rater_names = np.repeat(np.array(names.raters, object), len(columns))
        cells, where = np.concatenate(given), np.repeat(np.array(names.raters, object), len(columns))
    else:
        cells, row = _only_cells(columns, names), np.arange(len(columns))
        raters = columns.texts(names.rater)
        rater_names = np.full(len(columns), "", object) if raters is None else raters
        rater_names = np.array([name or _LONE_RATER for name in rater_names], object)
        where = np.full(len(columns), names.grade, object)
    filled = np.flatnonzero([cell == cell and cell != "" for cell in cells])
    if not len(filled):
        raise JudgmentsError(f"{columns.path} holds no grades in {', '.join(dict.fromkeys(where))}")
    levels, values, level = _on_scale(columns, cells[filled], row[filled], where[filled], names)
    return _gathered(
        columns.path, queries, documents, rater_names[filled], row[filled], levels, values, level
    )


def _cells(columns: Columns, name: str, names: GradesSettings, key: str) -> NDArray[np.object_]:
    """(p,) a column of grades: numbers with NaN, or texts, empty where there is no grade."""
    if not names.scale or _numbers(names.scale) is not None:
        try:
            return columns.numbers(name, key).astype(object)
        except JudgmentsError as error:
            if names.scale or name not in columns:
                raise
            raise JudgmentsError(f"{error}; list the grades from worst to best in grades.scale") from None
    texts = columns.texts(name)
    if texts is None:
        known = ", ".join(columns.arrow.column_names)
        raise JudgmentsError(f"{columns.path} has no column {name!r} ({key} in gradus.toml); it has {known}")
    return texts


def _only_cells(columns: Columns, names: GradesSettings) -> NDArray[np.object_]:
    """(p,) the column of grades of a file that has one."""
    try:
        return _cells(columns, names.grade, names, "grades.grade")
    except JudgmentsError as error:
        if names.grade in columns:
            raise
        raise JudgmentsError(f"{error}; where each rater has a column, list those in grades.raters") from None


def _on_scale(
    columns: Columns,
    cells: NDArray[np.object_],
    row: Rows,
    where: NDArray[np.object_],
    names: GradesSettings,
) -> tuple[list[str], NDArray[np.float64], Rows]:
    """The levels of the scale, where each lies in [0, 1], and (n,) the level of each cell."""
    numbers = _numbers(names.scale) if names.scale else sorted(set(cells.tolist()))
    if len(numbers or names.scale) < 2:
        raise JudgmentsError(
            f"{columns.path}: all grades are {numbers[0]:g}; list the whole scale in grades.scale"
            if numbers
            else "grades.scale needs two grades or more"
        )
    if len(numbers or names.scale) > _MOST_LEVELS:
        raise JudgmentsError(
            f"{columns.path} holds {len(numbers or names.scale)} different grades; round them to "
            f"{_MOST_LEVELS} or fewer"
        )
    if numbers is None:
        levels: list[str] = list(names.scale)
        values = np.linspace(0, 1, len(levels))
        place: dict[Any, int] = {level: index for index, level in enumerate(levels)}
    else:
        levels = [f"{number:g}" for number in numbers]
        values = (np.array(numbers) - numbers[0]) / (numbers[-1] - numbers[0])
        place = {number: index for index, number in enumerate(numbers)}
    if len(place) < len(levels) or (np.diff(values) <= 0).any():
        raise JudgmentsError(f"grades.scale must go from worst to best without repeats, not {names.scale}")
    for index, cell in enumerate(cells):
        if cell not in place:
            shown = cell if isinstance(cell, str) else f"{cell:g}"
            raise JudgmentsError(
                f"{columns.at(int(row[index]), where[index])}: {shown!r} is not on the scale "
                f"{', '.join(levels)}; correct it, or add it to grades.scale"
            )
    return levels, values, np.array([place[cell] for cell in cells], np.int64)


def _gathered(
    path: Path,
    queries: NDArray[np.object_],
    documents: NDArray[np.object_],
    rater_names: NDArray[np.object_],
    row: Rows,
    levels: list[str],
    values: NDArray[np.float64],
    level: Rows,
) -> Grades:
    """Grades without repeats; queries, documents, raters and pairs in the order of their first grades."""
    order = np.argsort(row, kind="stable")
    row, rater_names, level = row[order], rater_names[order], level[order]
    query_list, query = _numbered(queries[row])
    document_list, document = _numbered(documents[row])
    rater_list, rater = _numbered(rater_names)
    pairs, pair = _numbered(zip(query.tolist(), document.tolist(), strict=True))
    first: dict[tuple[int, int], int] = {}
    kept = []
    for index, key in enumerate(zip(pair.tolist(), rater.tolist(), strict=True)):
        before = first.setdefault(key, index)
        if before == index:
            kept.append(index)
        elif level[before] != level[index]:
            raise JudgmentsError(
                f"{path}, row {row[before] + 1} and row {row[index] + 1}: rater {rater_names[index]!r} grades "
                f"query {queries[row[index]]!r}, document {documents[row[index]]!r} both "
                f"{levels[level[before]]} and {levels[level[index]]}; keep one"
            )
    chosen = np.array(pairs, np.int64)
    return Grades(
        query_list, document_list, rater_list, levels, values, chosen[:, 0], chosen[:, 1],
        pair[kept], rater[kept], level[kept],
    )  # fmt: skip


def _numbered(items: Iterable[Any]) -> tuple[list[Any], Rows]:
    """The distinct items in order of appearance, and (n,) which of them each is."""
    place: dict[Any, int] = {}
    which = np.array([place.setdefault(item, len(place)) for item in items], np.int64)
    return list(place), which


def _numbers(scale: tuple[str, ...]) -> list[float] | None:
    """The scale as numbers, or `None` where it holds words."""
    try:
        return [float(level) for level in scale]
    except ValueError:
        return None
