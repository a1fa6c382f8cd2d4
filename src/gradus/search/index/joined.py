"""Documents that came in parts, as one."""

from collections.abc import Sequence

import numpy as np

from gradus.search.index.index import Documents, Schema


def joined(parts: Sequence[Documents], schema: Schema) -> Documents:
    """All documents of some parts, each of which has a column for every attribute of the schema."""
    vectors = [part.vectors for part in parts] or [np.zeros((0, schema.dimensions), np.float32)]
    made_of = [part.parts for part in parts if part.parts is not None]
    return Documents(
        [doc_id for part in parts for doc_id in part.ids],
        np.concatenate(vectors),
        {field: [value for part in parts for value in part.attributes[field]] for field in schema.attributes},
        {field: [text for part in parts for text in part.texts[field]] for field in schema.texts},
        np.concatenate(made_of) if made_of else None,
    )
