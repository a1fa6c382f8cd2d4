"""What every index demands of documents, queries and filters, so that all of them refuse the same."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradus.errors import SearchError
from gradus.search.index.filters import Between, Filter, OneOf, Value
from gradus.search.index.index import Beside, Documents, Schema, Vectors

LONGEST = 1000
"""Bytes of an id or a category's value in UTF-8: what the narrowest engine can look up."""


def checked_documents(schema: Schema, documents: Documents) -> Documents:
    """The documents with vectors in contiguous float32 and a column of `str` or `float` for every attribute.

    Raises:
        SearchError: An id is no usable text or repeats, a vector is of another length or not finite, an attribute is
            not in the schema, or a value is not of its field's type; the same of texts and parts.
    """
    ids = [_text(doc_id, "a document's id") for doc_id in documents.ids]
    if len(set(ids)) != len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise SearchError(f"the document {twice!r} is there twice; give each id once")
    vectors = _vectors(schema, documents.vectors, "documents")
    if len(vectors) != len(ids):
        raise SearchError(f"there are {len(vectors)} vectors for {len(ids)} documents")
    columns = {}
    for field, values in documents.attributes.items():
        _require_field(schema, field)
        if len(values) != len(ids):
            raise SearchError(f"field {field!r} has {len(values)} values for {len(ids)} documents")
        columns[field] = [
            None if value is None else _value(schema, field, value, doc_id)
            for doc_id, value in zip(ids, values, strict=True)
        ]
    missing: list[Value | None] = [None] * len(ids)
    attributes = {field: columns.get(field, missing) for field in schema.attributes}
    return Documents(ids, vectors, attributes, _texts(schema, documents), _parts(schema, documents))


def checked_queries(schema: Schema, queries: Vectors, k: int) -> Vectors:
    """The queries as contiguous float32.

    Raises:
        SearchError: They are of another length or not finite, or k is below 1.
    """
    if k < 1:
        raise SearchError(f"a search returns at least 1 document, not {k}")
    return _vectors(schema, queries, "queries")


def checked_filter(schema: Schema, where: Filter | None) -> Filter:
    """The filter, empty for `None`, without values that no document can have.

    Raises:
        SearchError: A field is not in the schema (the message names those that are), or its condition is not of its
            type.
    """
    checked: dict[str, OneOf | Between] = {}
    for field, condition in (where or {}).items():
        _require_field(schema, field)
        wanted = OneOf if schema.attributes[field] == "category" else Between
        if not isinstance(condition, wanted):
            raise SearchError(
                f"field {field!r} is a {schema.attributes[field]}: filter it by {wanted.__name__}"
            )
        if isinstance(condition, Between) and (math.isnan(condition.low) or math.isnan(condition.high)):
            raise SearchError(f"a bound of field {field!r} is not a number; leave an open end out")
        if isinstance(condition, OneOf):
            condition = OneOf(frozenset(filter(usable, condition.values)))
        checked[field] = condition
    return checked


def admits_none(where: Filter) -> bool:
    """Whether a filter can be met by no document at all."""
    return any(
        not condition.values if isinstance(condition, OneOf) else condition.low > condition.high
        for condition in where.values()
    )


def checked_ids(ids: Sequence[str]) -> list[str]:
    """Ids to be deleted, each once; those that no document can have are left out."""
    return list(dict.fromkeys(doc_id for doc_id in ids if usable(doc_id)))


def usable(text: object) -> bool:
    """Whether every engine can store a text: not empty, not too long, without NUL, and valid Unicode."""
    if not isinstance(text, str) or not text or "\0" in text:
        return False
    try:
        return len(text.encode()) <= LONGEST
    except UnicodeEncodeError:
        return False


def _texts(schema: Schema, documents: Documents) -> dict[str, list[str | None]]:
    for field, values in documents.texts.items():
        if field not in schema.texts:
            known = ", ".join(schema.texts) or "none"
            raise SearchError(
                f"the index keeps no texts of {field!r}; the fields whose texts it keeps are: {known}"
            )
        if len(values) != len(documents):
            raise SearchError(f"field {field!r} has {len(values)} texts for {len(documents)} documents")
    return {field: list(documents.texts.get(field, [None] * len(documents))) for field in schema.texts}


def _parts(schema: Schema, documents: Documents) -> Vectors | None:
    """The parts in contiguous float32."""
    if schema.parts is None:
        if documents.parts is not None:
            raise SearchError("the index does not keep the parts of vectors; build one with index.per_field")
        return None
    wanted = (len(documents), schema.parts.count, schema.parts.dimensions)
    if documents.parts is None or documents.parts.shape != wanted or not np.isfinite(documents.parts).all():
        raise SearchError(
            f"the index keeps the parts of vectors: give them as finite numbers of shape {wanted}, the fields "
            f"{', '.join(schema.parts.weights)}{', the evidence' if schema.parts.evidence else ''}{', the prior' if schema.parts.prior else ''} "
            "of each document"
        )
    return np.ascontiguousarray(documents.parts, np.float32)


def checked_beside(schema: Schema, queries: Vectors, beside: Beside | None) -> Beside:
    """What goes into the scores beside the vectors, without texts where words do not count.

    Raises:
        SearchError: As for `checked_factors`; or there are texts for some queries alone.
    """
    beside = beside or Beside()
    if beside.texts and len(beside.texts) != len(queries):
        raise SearchError(f"there are {len(beside.texts)} texts for {len(queries)} queries")
    return Beside(beside.texts if schema.hybrid else (), checked_factors(schema, beside.factors))


def checked_factors(schema: Schema, factors: Mapping[str, float]) -> dict[str, float]:
    """Factors on the weights of documents' fields, without those that change nothing.

    Raises:
        SearchError: The index keeps no parts of vectors, they have no such field, a factor is below 0, or all are 0.
    """
    if factors and schema.parts is None:
        raise SearchError(
            "the index does not keep the vectors of single fields, so documents' fields cannot be weighted; "
            "build it with index.per_field = true and the backend exact"
        )
    fields: Mapping[str, float] = schema.parts.weights if schema.parts is not None else {}
    for name, factor in factors.items():
        if name not in fields:
            raise SearchError(f"documents' vectors have no field {name!r}; theirs are: {', '.join(fields)}")
        if not 0 <= factor < math.inf:
            raise SearchError(f"the factor on the field {name!r} is {factor}; it must be at least 0")
    if factors and not any(factors.get(name, 1.0) for name in fields):
        raise SearchError("every field of the documents has the factor 0; give one of them more")
    return {name: factor for name, factor in factors.items() if factor != 1}


def _require_field(schema: Schema, field: str) -> None:
    if field not in schema.attributes:
        known = ", ".join(f"{name} ({kind})" for name, kind in schema.attributes.items()) or "none"
        raise SearchError(f"the index cannot filter by {field!r}; its fields are: {known}")


def _text(value: Any, what: str) -> str:
    if not usable(value):
        raise SearchError(
            f"{what} is {str(value)[:40]!r}; it must be a text of 1 to {LONGEST} bytes in UTF-8 without NUL"
        )
    return str(value)


def _value(schema: Schema, field: str, value: Any, doc_id: str) -> Value:
    if schema.attributes[field] == "category":
        return _text(value, f"field {field!r} of document {doc_id!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SearchError(f"field {field!r} of document {doc_id!r} is {value!r}; it must be a finite number")
    return number


def _vectors(schema: Schema, vectors: Vectors, what: str) -> Vectors:
    array = np.ascontiguousarray(vectors, np.float32)
    if array.ndim != 2 or array.shape[1] != schema.dimensions:
        raise SearchError(
            f"the {what}' vectors have shape {array.shape}; the index takes (n, {schema.dimensions}), "
            "so they come from another model or were cut to another length"
        )
    if not np.isfinite(array).all():
        raise SearchError(
            f"the {what}' vectors hold NaN or infinity at row {int(np.argwhere(~np.isfinite(array))[0, 0])}"
        )
    return array
