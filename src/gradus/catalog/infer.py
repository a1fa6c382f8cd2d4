"""`gradus init`: a first `gradus.toml` for a catalogue, by looking at its columns."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from gradus.catalog.columns import ColumnGuess, find_id, guess_column
from gradus.catalog.read import read_arrow
from gradus.catalog.values import read_number
from gradus.errors import CatalogError

_JUDGMENTS_FILES = (
    "judgments.csv",
    "judgments.parquet",
    "judgments.jsonl",
    "judgments.csv.gz",
    "judgments.tsv",
)
_QRELS_SUFFIXES = frozenset({".qrels", ".txt"})
_SCORES = ("score", "relevance", "grade", "rating", "label", "score_linear")
_MOST_COMMENTS = 20
_NO_QUERY_FIELD = ("query_id", "query_split")


def infer_settings(path: Path, judgments: Path | None = None) -> str:
    """The text of a commented `gradus.toml` for a catalogue.

    Paths are written as given, so the text is meant for a `gradus.toml` in the working folder.

    Args:
        path: A catalogue that `read_arrow` reads.
        judgments: The judgments file; when `None`, a `judgments.csv` (or .parquet, .jsonl, …) beside the
            catalogue is used if there is one.

    Raises:
        CatalogError: A file cannot be read, the catalogue has no rows, no column can be the id, or none
            has anything to encode.
    """
    table = read_arrow(path)
    if table.num_rows == 0:
        raise CatalogError(f"{path} has no rows")
    if judgments is None:
        judgments = _beside(path)
    judged = None if judgments is None else _read_judged(judgments)
    id_column, judged_id = find_id(table, judged)
    guesses = [guess_column(name, table[name]) for name in table.column_names if name != id_column]
    if not any(guess.weight > 0 for guess in guesses):
        found = "; ".join(f"{guess.name}: {guess.note}" for guess in guesses)
        raise CatalogError(f"{path} has no text, image, category or number to encode ({found})")
    return "\n".join(
        [
            "# One search: its documents, its queries, its evidence. Every other setting has a default;",
            "# paths are relative to this file.",
            "",
            "[catalog]",
            f"path = {_quoted(path.as_posix())}  # {table.num_rows:,} documents",
            f"id = {_quoted(id_column)}",
            "",
            "# type: text, image, category or number.",
            "# weight: the field's part in the embedding; 0 keeps it for filters, splits and display only.",
            "[catalog.fields]",
            *_field_lines(guesses),
            *_judgments_lines(judgments, judged, judged_id),
            *_split_lines(guesses),
            *_encoder_lines(guesses),
            "",
        ]
    )


def _encoder_lines(guesses: Iterable[ColumnGuess]) -> Iterable[str]:
    """Exact terms and the document prior, where there are texts: a model of pictures alone stays one that can be exported."""
    if any(guess.role == "text" and guess.weight > 0 for guess in guesses):
        yield from (
            "",
            "[encoder]",
            "# Numbers beside the learned ones, for words, sizes and codes that are to match exactly: what is new is",
            "# found better. 0 makes vectors three times shorter. One more for how good a document is whatever is asked,",
            "# learned from its categories and its own evidence. With 0 for both, models can be exported as ONNX.",
            "exact_terms = 512",
            "prior = 2.0",
        )


def _beside(path: Path) -> Path | None:
    """A judgments file in the catalogue's folder, or beside the catalogue where that is a folder."""
    folders = (path, path.parent) if path.is_dir() else (path.parent,)
    files = (folder / name for folder in folders for name in _JUDGMENTS_FILES)
    return next((file for file in files if file.is_file()), None)


def _field_lines(guesses: Iterable[ColumnGuess]) -> Iterable[str]:
    """One line per field, then one comment per column that is left out."""
    left_out = []
    for guess in guesses:
        if guess.role == "none":
            left_out.append(f"# {_comment(guess.name)}: left out; {_comment(guess.note)}")
        else:
            kind = "category" if guess.role == "group" else guess.role
            entry = f'{_key(guess.name)} = {{ type = "{kind}", weight = {guess.weight} }}'
            yield f"{entry}  # {_comment(guess.note)}"
    yield from left_out[:_MOST_COMMENTS]
    if len(left_out) > _MOST_COMMENTS:
        yield f"# … and {len(left_out) - _MOST_COMMENTS:,} more columns are left out"


def _read_judged(path: Path) -> pa.Table | None:
    """The judgments as a table, `None` for a folder of the Marqo-GS layout, which says itself what it holds."""
    if path.is_dir():
        return None
    if path.suffix.lower() not in _QRELS_SUFFIXES:
        return read_arrow(path)
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
        query_ids, _, doc_ids, scores = zip(*lines, strict=True)
    except (OSError, ValueError) as error:
        raise CatalogError(
            f"{path} is not of the form of TREC qrels: query_id, iteration, doc_id, grade ({error})"
        ) from None
    return pa.table({"query_id": query_ids, "doc_id": doc_ids, "score": scores})


def _judgments_lines(judgments: Path | None, table: pa.Table | None, doc_id: str) -> Iterable[str]:
    if judgments is None:
        yield from ("", "[query.fields]", 'query = { type = "text", weight = 1.0 }')
        yield from (
            "",
            "[judgments]",
            'path = "judgments.csv"  # to be written: query_id, query, doc_id, score',
        )
        return
    if table is None:
        yield from ("", "[judgments]", f"path = {_quoted(judgments.as_posix())}  # queries and split too")
        return
    names = [n for n in table.column_names if n.startswith("query") and n not in _NO_QUERY_FIELD]
    if names:
        yield from ("", "[query.fields]")
        yield from _field_lines(_query_guess(name, table[name]) for name in names)
    else:
        yield from _query_file_lines(judgments.with_name("queries.csv"))
    yield from ("", "[judgments]", f"path = {_quoted(judgments.as_posix())}  # {table.num_rows:,} judgments")
    if doc_id != "doc_id":
        yield f"doc_id = {_quoted(doc_id)}"
    yield from _score_lines(table, judgments)


def _query_file_lines(path: Path) -> Iterable[str]:
    """The queries' own file, for judgments without query fields: the neighbour, where there is one."""
    if not path.exists():
        yield from (
            "",
            "[query]",
            'path = "queries.csv"  # the judgments hold no query fields: name their file',
        )
        yield from ("", "[query.fields]", 'query = { type = "text", weight = 1.0 }')
        return
    table = read_arrow(path)
    yield from (
        "",
        "[query]",
        f"path = {_quoted(path.as_posix())}  # {table.num_rows:,} queries",
        "",
        "[query.fields]",
    )
    names = [name for name in table.column_names if name not in _NO_QUERY_FIELD]
    yield from _field_lines(_query_guess(name, table[name]) for name in names)


def _query_guess(name: str, column: pa.ChunkedArray) -> ColumnGuess:
    """A query's column; what repeats in it does so because a query has many judgments."""
    distinct = (
        pa.chunked_array([column.combine_chunks().unique()])
        if not pa.types.is_nested(column.type)
        else column
    )
    guess = guess_column(name, distinct)
    if guess.role in ("image", "none"):
        return guess
    return ColumnGuess(name, "text", 1.0, guess.note)


def _score_lines(table: pa.Table, path: Path) -> Iterable[str]:
    """The score column where it is not called `score`, and its scale where scores exceed 1."""
    name = next((name for name in _SCORES if name in table.column_names), None)
    if name is None:
        yield f"# score = …  # which of these is the score: {_comment(', '.join(table.column_names))}?"
        return
    try:
        scores = [read_number(cell) for cell in table[name].to_pylist()]
    except ValueError:
        raise CatalogError(f"{path}: column {name!r} holds values that are not numbers") from None
    highest = max((score for score in scores if score is not None), default=0.0)
    if name != "score":
        yield f"score = {_quoted(name)}"
    if highest > 1:
        yield f"scale = {highest:.10g}  # the highest score; it counts as 1"


def _split_lines(guesses: Sequence[ColumnGuess]) -> Iterable[str]:
    group = next((guess for guess in guesses if guess.role == "group"), None)
    if group is not None:
        yield from (
            "",
            "[split]",
            f"document_group = {_quoted(group.name)}  # never on both sides of a split",
        )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's, which also wants DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Text that may stand in a comment: on one line, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
