"""What a column of unknown meaning most likely is: an id, a field of some type, or nothing to encode."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from gradus.catalog.fields import FieldType
from gradus.catalog.read import IMAGE_SUFFIXES
from gradus.catalog.text import normalise
from gradus.catalog.values import read_id, read_number, read_text
from gradus.errors import CatalogError

Role = FieldType | Literal["group", "none"]

_ID_NAMES = (
    "doc_id", "id", "docid", "document_id", "product_id", "item_id", "sku", "asin", "article_id", "part_number",
    "uuid", "guid", "key", "code", "ean", "gtin",
)  # fmt: skip
_GROUP_WORDS = frozenset({"family", "group", "series", "parent", "cluster"})
_GROUP_COMPANIONS = frozenset(
    {"id", "name", "product", "item", "document", "doc", "part", "model", "variant"}
)
_KEY_WORDS = frozenset(
    {
        "id",
        "uuid",
        "guid",
        "ean",
        "gtin",
        "upc",
        "isbn",
        "asin",
        "sku",
        "hash",
        "md5",
        "sha1",
        "sha256",
        "key",
    }
)
_RECORD_WORDS = frozenset({"path", "url", "uri", "link", "href", "timestamp", "created", "updated", "split"})
_URL = re.compile(r"(https?|ftp|s3|gs)://\S+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_FLAGS = frozenset({"true", "false", "yes", "no"})

_ATTRIBUTE_WEIGHT = 0.3
_MOST = 0.8
"""A kind is believed when this share of a column's values is of it."""
_REPEATS = 3.0
"""Values that occur this often on average are categories, if they are short."""
_LONGEST_CATEGORY = 40
_SPARSE = 0.01
"""Columns filled in less than this share of the rows are left out."""


@dataclass(frozen=True)
class ColumnGuess:
    """What a column seems to be.

    Attributes:
        name: The column.
        role: A field's type; `group` for the family of a document; `none` for what is left out.
        weight: The proposed field weight; 0 for groups and for what only filters and display need.
        note: Why, for people.
    """

    name: str
    role: Role
    weight: float
    note: str


def find_id(table: pa.Table, judged: pa.Table | None = None) -> tuple[str, str]:
    """The catalogue's column with one distinct id per row, and the judgments' column with such ids.

    Where most ids of the judgments are in one of the catalogue's columns, that is the one. Elsewhere it goes by its
    name if possible, and else is the first that can be one.

    Args:
        table: The catalogue.
        judged: The judgments, where there are any.

    Returns:
        Both names; the second is doc_id where the judgments do not tell.

    Raises:
        CatalogError: No column is filled and distinct in every row.
    """
    candidates = _id_candidates(table)
    if not candidates:
        raise CatalogError(
            "no column is filled and different in every row; add one with ids, or remove the repeated rows "
            f"(columns: {', '.join(table.column_names)})"
        )
    best, most = (candidates[0], "doc_id"), 0.5
    if judged is None:
        return best
    ids = {name: set(map(read_id, table[name].to_pylist())) for name in candidates}
    for column in _judged_ids(judged, candidates):
        wanted = set(map(read_id, judged[column].to_pylist())) - {""}
        for name in candidates:
            if (share := len(wanted & ids[name]) / max(len(wanted), 1)) > most:
                best, most = (name, column), share
    return best


def _id_candidates(table: pa.Table) -> list[str]:
    """The columns that can be the id, the likeliest first."""
    distinct: list[str] = [name for name in table.column_names if _is_distinct(table[name])]
    by_name = sorted(
        (name for name in distinct if name.lower() in _ID_NAMES), key=lambda n: _ID_NAMES.index(n.lower())
    )
    others = [name for name in distinct if not _is_picture(table[name])]
    # A word is likelier an id than a sentence that happens to be distinct.
    by_form = [name for name in others if not any(" " in read_text(c) for c in table[name].to_pylist())]
    return list(dict.fromkeys([*by_name, *by_form, *others]))


def _judged_ids(judged: pa.Table, candidates: list[str]) -> list[str]:
    """The columns of judgments that may hold documents' ids, the likeliest first."""
    if "doc_id" in judged.column_names:
        return ["doc_id"]
    known = {*_ID_NAMES, *(name.lower() for name in candidates)}
    return [name for name in judged.column_names if name.lower() in known]


def guess_column(name: str, column: pa.ChunkedArray) -> ColumnGuess:
    """What a column that is not the id seems to be."""
    if _holds_image_bytes(column.type):
        filled = column.length() - column.null_count
        return ColumnGuess(name, "image", 1.0, f"image bytes in {filled:,} rows")
    if _holds_vectors(column.type):
        return ColumnGuess(name, "none", 0.0, "vectors")
    cells = column.drop_null().to_pylist()
    counts = Counter(text for cell in cells if (text := normalise(read_text(cell))))
    filled = counts.total()
    example = f"{len(counts):,} different, e.g. {_short(counts)}" if counts else ""
    words = set(re.findall(r"[a-z]+\d*", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))
    if _is_group(words) and _MOST * len(column) <= filled and 1 < len(counts) < filled:
        return ColumnGuess(name, "group", 0.0, f"groups documents: {example}")
    left_out = _reason_to_leave_out(words, counts, filled / len(column))
    if left_out is not None:
        return ColumnGuess(name, "none", 0.0, left_out)
    if _share(counts, _is_image_path) >= _MOST:
        return ColumnGuess(name, "image", 1.0, f"{len(counts):,} different pictures")
    if _share(counts, lambda text: text.lower() in _FLAGS) == 1:
        return ColumnGuess(name, "category", 0.0, f"yes or no, so not encoded: {_short(counts)}")
    if _share(counts, _is_number) == 1:
        return ColumnGuess(name, "number", _ATTRIBUTE_WEIGHT, example)
    short = _share(counts, lambda text: len(text) <= _LONGEST_CATEGORY)
    if filled / len(counts) >= _REPEATS and short >= _MOST:
        return ColumnGuess(name, "category", _ATTRIBUTE_WEIGHT, example)
    return ColumnGuess(name, "text", 1.0, example)


def _is_group(words: set[str]) -> bool:
    """Whether a column's name says that its values group documents: product_family, but not processor_family."""
    return bool(words & _GROUP_WORDS) and words <= _GROUP_WORDS | _GROUP_COMPANIONS


def _reason_to_leave_out(words: set[str], counts: Counter[str], fill_rate: float) -> str | None:
    """Why a column says nothing about its document, or `None`."""
    if not counts:
        return "empty"
    if fill_rate < _SPARSE:
        return f"filled in {fill_rate:.2%} of the rows, e.g. {_short(counts)}"
    if len(counts) == 1 and counts.total() > 1:
        return f"the same wherever it is filled: {_short(counts)}"
    images = _share(counts, _is_image_path)
    if _share(counts, lambda text: _URL.fullmatch(text) is not None) >= _MOST:
        return f"web addresses{'; download the pictures to use them' if images >= _MOST else ''}"
    if _share(counts, lambda text: text.lower().endswith(".svg")) >= _MOST:
        return "SVG drawings; convert them to PNG to use them"
    if _share(counts, lambda text: _DATE.fullmatch(text) is not None) >= _MOST:
        return f"dates, e.g. {_short(counts)}"
    if words & _KEY_WORDS or _share(counts, _is_long_number) == 1:
        return f"ids, e.g. {_short(counts)}"
    if words & _RECORD_WORDS and images < _MOST:
        return f"by its name a record's own data, e.g. {_short(counts)}"
    return None


def _holds_image_bytes(kind: pa.DataType) -> bool:
    """Raw bytes, or the {bytes, path} of Hugging Face `datasets`."""
    if pa.types.is_struct(kind):
        return any(kind.field(place).name == "bytes" for place in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_vectors(kind: pa.DataType) -> bool:
    """Embeddings, which say nothing as text; whole numbers in a list may be sizes."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and bool(pa.types.is_floating(kind.value_type))


def _is_distinct(column: pa.ChunkedArray) -> bool:
    if (
        _holds_image_bytes(column.type)
        or pa.types.is_nested(column.type)
        or pa.types.is_floating(column.type)
    ):
        return False
    counts = Counter(read_id(cell) for cell in column.to_pylist())
    return len(counts) == len(column) and "" not in counts


def _is_picture(column: pa.ChunkedArray) -> bool:
    """Whether a column holds paths of images."""
    return _share(Counter(map(read_id, column.to_pylist())), _is_image_path) >= _MOST


def _is_image_path(text: str) -> bool:
    return text.lower().endswith(tuple(IMAGE_SUFFIXES))


def _is_long_number(text: str) -> bool:
    """Whether the text is a number in an article register, such as an EAN, more likely than a quantity."""
    return len(text) >= 8 and text.isdecimal()


def _is_number(text: str) -> bool:
    try:
        return read_number(text) is not None
    except ValueError:
        return False


def _share(counts: Counter[str], test: Callable[[str], bool]) -> float:
    """Share of the values, each as often as it occurs, that pass a test."""
    return sum(times for text, times in counts.items() if test(text)) / max(counts.total(), 1)


def _short(counts: Counter[str]) -> str:
    text = next(iter(counts))
    return text if len(text) <= 50 else text[:49] + "…"
