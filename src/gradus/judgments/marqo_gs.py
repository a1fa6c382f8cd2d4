"""The layout of Marqo-GS-10M: four CSV files of judged pairs and two JSON corpora in one folder.

    query_0_product_id_0.csv   queries seen in training × documents seen: in-domain
    query_1_product_id_0.csv   novel queries × seen documents
    query_0_product_id_1.csv   seen queries × novel documents
    query_1_product_id_1.csv   novel × novel: zero-shot
    corpus_1.json              the seen documents, {product_id: {"title": …, "image_local": …}}
    corpus_2.json              the novel documents

Beside each CSV lie `…_queries.json`, the queries it judges, and `…_gt_dev.json` and `…_gt_test.json`, the
ground truth as integers from 1 to 100 for the public evaluation; reading does not need these. Scores count
to 100 or to 1: they are divided by 100 where any of them exceeds 1. The layout has no validation part.
"""

import csv
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from gradus.catalog.fields import Field
from gradus.catalog.read import read_arrow
from gradus.catalog.table import Table
from gradus.catalog.values import read_values
from gradus.errors import JudgmentsError
from gradus.files import atomic_file, atomic_folder
from gradus.judgments.binding import Evidence, JudgmentsFile, bind
from gradus.judgments.columns import Columns
from gradus.judgments.judgments import Judgments
from gradus.judgments.split import Split
from gradus.judgments.weights import apply_weights

FIELDS = (Field("image_local", "image", 0.9), Field("title", "text", 0.1))
"""A document's fields, with the weights of the public evaluation."""

_QUERY_FIELDS = (Field("query"),)
_PARTS = ("train", "novel")
_HEADER = (
    "query", "product_id", "position", "title", "pair_id", "score_linear", "score_reciprocal", "no_score",
    "query_id", "image_local",
)  # fmt: skip


def read_marqo_corpora(folder: Path) -> Table:
    """The documents of both corpora, with the fields title and image_local.

    Raises:
        JudgmentsError: A corpus that is missing or not of the layout, or a document in both.
    """
    seen, novel = _corpus(folder, 0), _corpus(folder, 1)
    if both := seen.keys() & novel.keys():
        raise JudgmentsError(f"{folder}: document {min(both)!r} is in corpus_1.json and in corpus_2.json")
    records = [*seen.values(), *novel.values()]
    columns: dict[str, Sequence[Any]] = {}
    for field in FIELDS:
        columns[field.name], bad = read_values(field, (record.get(field.name) for record in records), folder)
        if bad:
            raise JudgmentsError(f"{folder}, corpora, {bad[0]}")
    return Table([*seen, *novel], FIELDS, columns)


def write_marqo_catalog(folder: Path, path: Path) -> None:
    """Write the corpora as a catalogue, a CSV file with doc_id, title and absolute image paths.

    Raises:
        JudgmentsError: As `read_marqo_corpora`.
    """
    documents = read_marqo_corpora(folder)
    images = [None if image is None else str(image.resolve()) for image in documents.columns["image_local"]]
    columns = {"doc_id": documents.ids, "title": documents.columns["title"], "image_local": images}
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})
    with atomic_file(path) as aside:
        pa.csv.write_csv(table, aside)


def read_marqo_gs(
    folder: Path, documents: Table | None = None, score: str = "score_linear", scale: float | None = None
) -> JudgmentsFile:
    """Read the judgments and the split of a folder.

    Args:
        folder: The folder with the four CSV files; one that is absent counts as empty.
        documents: The catalogue to point into, ids being product ids; the corpora when `None`.
        score: The column with the score: score_linear, score_reciprocal or no_score.
        scale: The score that counts as 1; when `None`, 100 if any score exceeds 1, else 1.

    Raises:
        JudgmentsError: No CSV at all, a missing column, or what `bind` refuses.
        CatalogError: A CSV that cannot be read.
    """
    documents = read_marqo_corpora(folder) if documents is None else documents
    paths = [path for q, d in itertools.product((0, 1), repeat=2) if (path := _csv(folder, q, d)).exists()]
    if not paths:
        raise JudgmentsError(f"{folder} is not of the Marqo-GS layout; it has no query_0_product_id_0.csv")
    files = [file for path in paths if len(file := Columns(path, read_arrow(path)))]
    if not files:
        raise JudgmentsError(f"{folder} holds no judgments")
    if scale is None:
        scale = 100.0 if max(np.nanmax(file.numbers(score, "judgments.score")) for file in files) > 1 else 1.0
    ids = [file.ids("query_id" if "query_id" in file else "query", "judgments.query_id") for file in files]
    evidence = Evidence(
        files=tuple((file.path, len(file)) for file in files),
        query_ids=np.concatenate(ids),
        document_ids=np.concatenate([file.ids("product_id", "judgments.doc_id") for file in files]),
        score=np.concatenate([file.numbers(score, "judgments.score") for file in files]),
        low=None,
        high=None,
        source=np.concatenate([np.full(len(file), file.path.stem, object) for file in files]),
        scale=scale,
        query_part=np.concatenate([
            np.full(len(file), _PARTS["query_1" in file.path.stem], object) for file in files
        ]),
        document_part=np.concatenate([
            np.full(len(file), _PARTS["product_id_1" in file.path.stem], object) for file in files
        ]),
    )  # fmt: skip
    bound = bind(evidence, _queries(files, ids), documents)
    # A corpus says the part of its documents whether judged or not.
    corpora = [_corpus(folder, place) for place in (0, 1)]
    parts = [
        next((p for p, c in zip(_PARTS, corpora, strict=True) if name in c), None) for name in documents.ids
    ]
    return JudgmentsFile(bound.judgments, bound.query_part, np.array(parts, object))


def write_marqo_gs(folder: Path, judgments: Judgments, split: Split) -> None:
    """Write the layout, all of its files.

    The documents' first text field becomes the title and their first image field image_local; the queries' first
    text field is the query. Paths of images are written absolute. Validation counts as train, having no place of
    its own. The ground truth of every other query, by the order of the ids, is for development and the rest for the
    test.

    Args:
        folder: The folder to make; one that is there is replaced.
        judgments: The judged pairs.
        split: The part of each query and document.

    Raises:
        JudgmentsError: Queries without a text field, a query without a text, or images that are not files.
    """
    texts = _texts_of(folder, judgments.queries)
    corpus = _records(folder, judgments.documents)
    products = judgments.documents.ids
    reciprocal = apply_weights("reciprocal", judgments.score, judgments.query)
    order = np.lexsort((-judgments.score, judgments.query))
    with atomic_folder(folder) as aside:
        for d, part in enumerate(_PARTS):
            inside = (split.document_part == "novel") == (part == "novel")
            documents = {products[row]: corpus[row] for row in np.flatnonzero(inside).tolist()}
            _write_json(aside / f"corpus_{d + 1}.json", documents)
        for q, d in itertools.product((0, 1), repeat=2):
            mask = (split.query_part[judgments.query] == "novel") == bool(q)
            mask &= (split.document_part[judgments.document] == "novel") == bool(d)
            pairs = order[mask[order]]
            truth = _write_pairs(_csv(aside, q, d), judgments, pairs, reciprocal, texts, corpus)
            _write_truth(_csv(aside, q, d), truth, dict(zip(judgments.queries.ids, texts, strict=True)))


def _write_pairs(
    path: Path,
    judgments: Judgments,
    pairs: NDArray[np.int64],
    reciprocal: NDArray[np.float64],
    texts: list[str],
    corpus: list[dict[str, str]],
) -> dict[str, dict[str, int]]:
    """Write one CSV; the ground truth of its pairs, query id → product id → 1 to 100, comes back."""
    truth: dict[str, dict[str, int]] = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        for pair in pairs.tolist():
            query, document = int(judgments.query[pair]), int(judgments.document[pair])
            query_id, product_id = judgments.queries.ids[query], judgments.documents.ids[document]
            grades = truth.setdefault(query_id, {})
            score, record = float(judgments.score[pair]), corpus[document]
            writer.writerow((
                texts[query], product_id, len(grades) + 1, record["title"], pair,
                100 * score, 100 * float(reciprocal[pair]), 1, query_id, record["image_local"],
            ))  # fmt: skip
            grades[product_id] = 1 + round(99 * score)
    return truth


def _write_truth(path: Path, truth: dict[str, dict[str, int]], texts: dict[str, str]) -> None:
    """Write the three JSON files that lie beside a CSV."""
    named = sorted(truth)
    _write_json(path.with_name(f"{path.stem}_queries.json"), {name: texts[name] for name in named})
    for start, use in enumerate(("dev", "test")):
        chosen = {name: truth[name] for name in named[start::2]}
        _write_json(path.with_name(f"{path.stem}_gt_{use}.json"), chosen)


def _csv(folder: Path, q: int, d: int) -> Path:
    return folder / f"query_{q}_product_id_{d}.csv"


def _corpus(folder: Path, place: int) -> dict[str, dict[str, Any]]:
    path = folder / f"corpus_{place + 1}.json"
    try:
        corpus = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JudgmentsError(f"{path} cannot be read: {error.strerror}; the layout has two corpora") from None
    except ValueError as error:
        raise JudgmentsError(f"{path} is not JSON: {error}") from None
    if not isinstance(corpus, dict) or not all(isinstance(record, dict) for record in corpus.values()):
        raise JudgmentsError(f"{path} must map product ids to objects with title and image_local")
    return corpus


def _queries(files: list[Columns], ids: list[NDArray[np.object_]]) -> Table:
    """The queries of all files, each once."""
    texts: dict[str, Any] = {}
    for file, file_ids in zip(files, ids, strict=True):
        table = file.queries(file_ids, _QUERY_FIELDS)
        for name, text in zip(table.ids, table.columns["query"], strict=True):
            if texts.setdefault(name, text) != text:
                raise JudgmentsError(
                    f"{file.path}: query {name!r} is {text!r} here and {texts[name]!r} in another file"
                )
    return Table(list(texts), _QUERY_FIELDS, {"query": list(texts.values())})


def _texts_of(folder: Path, queries: Table) -> list[str]:
    name = next((field.name for field in queries.fields if field.type == "text"), None)
    if name is None or None in queries.columns[name]:
        raise JudgmentsError(f"{folder}: the Marqo-GS layout needs a text for every query")
    return list(queries.columns[name])


def _records(folder: Path, documents: Table) -> list[dict[str, str]]:
    """Every document as a corpus holds it."""
    columns: dict[str, list[str]] = {}
    for name, type_ in (("title", "text"), ("image_local", "image")):
        field = next((field.name for field in documents.fields if field.type == type_), None)
        values = [None] * len(documents) if field is None else documents.columns[field]
        if any(isinstance(value, bytes) for value in values):
            raise JudgmentsError(f"{folder}: the Marqo-GS layout holds paths of images, not images")
        # Readers take a relative path as relative to the folder that is written.
        columns[name] = [_text(value) for value in values]
    return [dict(zip(columns, record, strict=True)) for record in zip(*columns.values(), strict=True)]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value.absolute() if isinstance(value, Path) else value)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
