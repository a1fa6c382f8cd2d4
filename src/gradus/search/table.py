"""A catalogue as an index takes it: with what documents are filtered by, and what counts beside their vectors."""

from typing import Literal

from gradus.catalog.table import Table
from gradus.encoders.bm25 import field_texts
from gradus.encoders.field_parts import FieldParts
from gradus.encoders.words import as_text
from gradus.search.index.index import Documents, Schema, Vectors


def attributes_of(table: Table) -> dict[str, Literal["category", "number"]]:
    """The fields of a catalogue that can be filtered by, with their types."""
    return {
        field.name: field.type for field in table.fields if field.type == "category" or field.type == "number"
    }


def as_documents(
    table: Table,
    vectors: Vectors,
    hybrid: float = 0.0,
    made_of: FieldParts | None = None,
    parts: Vectors | None = None,
) -> tuple[Schema, Documents]:
    """A catalogue's documents, to be filtered by its categories and numbers.

    Args:
        table: The catalogue.
        vectors: (n, D).
        hybrid: The share of BM25 in scores, over all encoded fields but pictures; 0 for none.
        made_of: What vectors are made of, where that is to be kept.
        parts: (n, P, D) and the parts themselves.

    Raises:
        SearchError: There is no text for BM25.
    """
    attributes = attributes_of(table)
    columns = {name: table.columns[name] for name in attributes}
    read = set(made_of.texts) if made_of else set()
    if hybrid:
        read |= set(field_texts(table))
    texts = {f.name: as_text(f, table.columns[f.name]) for f in table.fields if f.name in read}
    schema = Schema(vectors.shape[1], attributes, hybrid, made_of, tuple(texts))
    return schema, Documents(table.ids, vectors, columns, texts, parts)
