"""Vectors as Parquet: a row per document, its id and its vector."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

METADATA = "gradus"
"""Key of the file's metadata that holds what is to be known of the vectors, as JSON."""

_TYPES = {"float32": pa.float32(), "int8": pa.int8(), "uint8": pa.uint8()}


def write_vectors(path: Path, ids: Sequence[str], vectors: NDArray[Any], about: Mapping[str, Any]) -> None:
    """Write `id` and `vector`, a list of fixed length.

    Args:
        path: Where.
        ids: (n,) ids.
        vectors: (n, d) of float32, int8 or uint8.
        about: JSON values for the file's metadata.
    """
    values = pa.array(np.ascontiguousarray(vectors).reshape(-1), _TYPES[vectors.dtype.name])
    table = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(values, vectors.shape[1]),
        }
    )
    metadata = {METADATA: json.dumps(about, ensure_ascii=False)} if about else None
    pa.parquet.write_table(table.replace_schema_metadata(metadata), path)
