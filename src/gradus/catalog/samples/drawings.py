"""The sample catalogue of mechanical drawings, written to a folder.

`catalog.csv` and `images/` hold the documents, `queries.csv` (and `queries/`) the queries, `judgments.csv`
their true graded relevance with a four-way split, `gradus.toml` the settings that read all three.
"""

import csv
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import COLUMNS, Part, mass
from gradus.catalog.samples.plan import plan_parts, split_families
from gradus.catalog.samples.queries import Query, build_queries, split_queries
from gradus.catalog.samples.relevance import attributes, best_judged, draw_appeal, match, relevance, scores
from gradus.catalog.samples.render import Picture, write_pictures
from gradus.catalog.samples.titles import title_en, title_ja
from gradus.errors import CatalogError
from gradus.files import atomic_folder

VERSION = 1
CHUNK = 25
HALF_INTERVAL = 0.02  # half the width of a judgment's interval
_PARTS, _SPLIT, _TITLES, _QUERIES, _QUERY_SPLIT, _APPEAL = range(6)

# Titles carry the kind, the sizes, the material and the finish already: the columns serve filters and display.
_SETTINGS = """\
# Generated drawings of mechanical parts: documents, queries and their true graded relevance.

[catalog]
path = "catalog.csv"
id = "doc_id"

# type: text, image, category or number.
# weight: the field's part in the embedding; 0 keeps it for filters, splits and display only.
[catalog.fields]
title_en = { type = "text", weight = 0.4 }
title_ja = { type = "text", weight = 0.4 }
image = { type = "image", weight = 0.2 }
kind = { type = "category", weight = 0.0 }
material = { type = "category", weight = 0.0 }
finish = { type = "category", weight = 0.0 }
standard = { type = "category", weight = 0.0 }
family = { type = "category", weight = 0.0 }
diameter_mm = { type = "number", weight = 0.0 }
bore_mm = { type = "number", weight = 0.0 }
length_mm = { type = "number", weight = 0.0 }
width_mm = { type = "number", weight = 0.0 }
thickness_mm = { type = "number", weight = 0.0 }
pitch_mm = { type = "number", weight = 0.0 }
count = { type = "number", weight = 0.0 }
mass_g = { type = "number", weight = 0.0 }

[query]
path = "queries.csv"
id = "query_id"

[query.fields]
query = { type = "text", weight = 0.5 }
image = { type = "image", weight = 0.5 }

[judgments]
path = "judgments.csv"

[split]
document_group = "family"

[encoder]
# Exact words and numbers, and how good a document is whatever is asked, beside the learned numbers, as `gradus init`
# proposes it. With 0 for both, models can be exported as ONNX.
exact_terms = 512
prior = 2.0
"""

Row = Sequence[object]


@dataclass(frozen=True)
class DrawingsSummary:
    """What was written: the folder, and how many of each."""

    folder: Path
    documents: int
    families: int
    queries: int
    picture_queries: int
    judgments: int


def write_drawings(
    folder: Path,
    documents: int = 4000,
    seed: int = 0,
    queries: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> DrawingsSummary:
    """Write a catalogue of drawings of mechanical parts, with queries and their true graded relevance.

    The same `documents`, `seed` and `queries` give the same bytes, whatever the number of processes.

    Args:
        folder: Where to write; appears complete or not at all, and replaces an older one.
        documents: How many documents, at least 1.
        seed: Seed of everything, not negative.
        queries: How many queries; by default half as many as documents, and at least 60.
        progress: Called with (pictures drawn, pictures in all).
        processes: How many processes draw; by default one per processor, 1 draws in this one.

    Raises:
        CatalogError: A number is out of range.
        OSError: The folder cannot be written; nothing is left behind.
    """
    count = max(60, documents // 2) if queries is None else queries
    for name, value, least in (("documents", documents, 1), ("queries", count, 1), ("seed", seed, 0)):
        if value < least:
            raise CatalogError(f"sample drawings: {name} is {value}; it must be at least {least}")
    if processes is not None and processes < 1:
        raise CatalogError(f"sample drawings: processes is {processes}; it must be at least 1")
    parts = plan_parts(documents, np.random.default_rng([seed, _PARTS]))
    asked = build_queries(parts, count, np.random.default_rng([seed, _QUERIES]))
    judged = list(_judgments(parts, asked, seed))
    with atomic_folder(folder) as aside:
        (aside / "images").mkdir()
        (aside / "queries").mkdir()
        _draw_all(_pictures(aside, parts, asked, seed), progress, processes or os.cpu_count() or 1)
        _write_csv(aside / "catalog.csv", _catalog(parts, seed))
        _write_csv(aside / "queries.csv", _queries(asked))
        _write_csv(aside / "judgments.csv", judged)
        (aside / "gradus.toml").write_text(settings_text(), encoding="utf-8")
        (aside / "README.md").write_text(_readme(documents, count, seed), encoding="utf-8")
    pictured = sum(query.picture >= 0 for query in asked)
    families = len({part.family for part in parts})
    return DrawingsSummary(folder, documents, families, count, pictured, len(judged) - 1)


def _document_id(index: int) -> str:
    return f"d{index:05d}"


def _query_id(index: int) -> str:
    return f"q{index:05d}"


def _pictures(folder: Path, parts: Sequence[Part], queries: Sequence[Query], seed: int) -> list[Picture]:
    pictures = [
        Picture(str(folder / "images" / f"{_document_id(i)}.png"), part, i, seed, query=False)
        for i, part in enumerate(parts)
    ]
    for i, query in enumerate(queries):
        if query.picture >= 0:
            path = str(folder / "queries" / f"{_query_id(i)}.png")
            part = parts[query.picture]
            pictures.append(Picture(path, part, i, seed, query=True, dimensions=query.dimensions_shown))
    return pictures


def _draw_all(pictures: list[Picture], progress: Callable[[int, int], None] | None, processes: int) -> None:
    chunks = [pictures[i : i + CHUNK] for i in range(0, len(pictures), CHUNK)]
    if processes == 1 or len(chunks) == 1:
        _report(map(write_pictures, chunks), len(pictures), progress)
        return
    pool = ProcessPoolExecutor(min(processes, len(chunks)), initializer=_leave_interrupts_to_the_parent)
    try:
        _report(pool.map(write_pictures, chunks), len(pictures), progress)
    finally:
        # Wait, so that no process writes into a folder that is being removed.
        pool.shutdown(wait=True, cancel_futures=True)


def _report(written: Iterable[int], total: int, progress: Callable[[int, int], None] | None) -> None:
    done = 0
    for count in written:
        done += count
        if progress:
            progress(done, total)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _catalog(parts: Sequence[Part], seed: int) -> Iterator[Row]:
    yield (
        *("doc_id", "title_en", "title_ja", "image", "kind", "material", "finish", "standard", "family"),
        *COLUMNS.values(),
        "mass_g",
    )
    for i, part in enumerate(parts):
        rng = np.random.default_rng([seed, _TITLES, i])
        sizes = (f"{part.dims[name]:g}" if part.dims.get(name) else "" for name in COLUMNS)
        yield (
            *(_document_id(i), title_en(part, rng), title_ja(part, rng), f"images/{_document_id(i)}.png"),
            *(part.kind, part.material, part.finish, part.standard, part.family),
            *sizes,
            f"{mass(KINDS[part.kind], part):.4g}",
        )


def _queries(queries: Sequence[Query]) -> Iterator[Row]:
    yield ("query_id", "query", "image")
    for i, query in enumerate(queries):
        yield _query_id(i), query.text, f"queries/{_query_id(i)}.png" if query.picture >= 0 else ""


def _judgments(parts: Sequence[Part], queries: Sequence[Query], seed: int) -> Iterator[Row]:
    """Yield the header and, for each query, its best documents among the known and among the novel ones."""
    table = attributes(parts)
    appeal = draw_appeal(table, np.random.default_rng([seed, _APPEAL]))
    novel = split_families(parts, np.random.default_rng([seed, _SPLIT]))
    query_novel = split_queries(queries, np.random.default_rng([seed, _QUERY_SPLIT]))
    yield "query_id", "doc_id", "score", "low", "high", "source", "query_split", "doc_split"
    for i, query in enumerate(queries):
        score = scores(relevance(match(query.wanted, table), appeal))
        query_split = "novel" if query_novel[i] else "train"
        for doc_split, part in (("train", ~novel), ("novel", novel)):
            for d in best_judged(score, part):
                # A judged document is relevant, however little: rounding must not make it zero.
                value = max(0.001, round(float(score[d]), 3))
                low, high = max(0.0, value - HALF_INTERVAL), min(1.0, value + HALF_INTERVAL)
                numbers = (f"{value:.3f}", f"{low:.3f}", f"{high:.3f}")
                yield _query_id(i), _document_id(int(d)), *numbers, "truth", query_split, doc_split


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def settings_text() -> str:
    """Return the `gradus.toml` of the catalogue."""
    return _SETTINGS


def _readme(documents: int, queries: int, seed: int) -> str:
    return (
        "Generated drawings of mechanical parts, with queries and their true graded relevance.\n"
        f"Seed {seed}, {documents} documents, {queries} queries.\n"
        f"Generator version {VERSION}; the same version, numbers and seed give the same files.\n"
    )
