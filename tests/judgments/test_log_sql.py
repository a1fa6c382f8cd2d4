"""The steps of the aggregation compile to the SQL of warehouses; they are not executed there."""

from collections.abc import Callable
from datetime import datetime
from operator import methodcaller
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from gradus.judgments.logs.collect import in_order, numbered_documents
from gradus.judgments.logs.context import click_intervals, with_context
from gradus.judgments.logs.engine import DuckDBEngine
from gradus.judgments.logs.filters import merged, page_marks, robots, session_days
from gradus.judgments.logs.formats import find_sources, get_format
from gradus.judgments.logs.from_events import as_events, fold_events, listed_events, with_lists, with_queries
from gradus.judgments.logs.from_rows import flat_impressions, listed_impressions
from gradus.judgments.logs.grouping import Grouping
from gradus.judgments.logs.health import page_counts, page_facts, query_counts, row_facts, session_counts
from gradus.judgments.logs.impressions import TYPES, Actions, with_dwell
from gradus.judgments.logs.screening import Screen, first_ranks, reasons, rejected
from gradus.judgments.logs.sessions import with_sessions
from gradus.judgments.logs.values import draw_columns

DIALECTS = ("duckdb", "bigquery", "snowflake", "databricks", "trino", "postgres")
NOW = datetime(2026, 2, 1)
ACTIONS = Actions({"click": 1.0, "cart": 3.0, "share": 0.0})

IMPRESSIONS = ibis.table(TYPES | dict.fromkeys(ACTIONS.columns.values(), "boolean"), name="impressions")
FLAT = ibis.table(
    {"query": "string", "document": "string", "position": "int64", "user": "string", "time": "timestamp"}
    | dict.fromkeys(ACTIONS.names, "boolean"),
    name="flat",
)
PAGES = ibis.table(
    {
        "query": "string",
        "documents": "array<string>",
        "clicks": "array<string>",
        "user": "string",
        "time": "timestamp",
    },
    name="pages",
)
EVENTS = ibis.table(
    {"action": "string", "page": "string", "document": "string", "position": "float64", "user": "string",
     "time": "timestamp", "query": "string"},
    name="events",
)  # fmt: skip
QUERIES = ibis.table(
    {"page": "string", "query": "string", "documents": "array<string>", "time": "timestamp"}, name="queries"
)
CODES = ibis.table({"text": "string", "code": "int32"}, name="codes")
CELLS = ibis.table(
    {"query": "int32", "document": "string", "position": "int64", "previous": "int64", "window": "timestamp",
     "impressions": "float64"},
    name="cells",
)  # fmt: skip
DOCUMENTS = ibis.table({"document": "string", "row": "int64"}, name="documents")
BIT_OR = methodcaller("bit_or")
UBI, GA4 = get_format("ubi"), get_format("ga4")
SCREEN = Screen(first=1, page=20, now=NOW, timed=True, blank=(" ",))
USABLE = SCREEN.usable(IMPRESSIONS)
GROUPING = Grouping(ACTIONS, "week", 30.0, NOW)
TEXTS = ibis.table({"query": "string", "info": "string", "time": "string", "click": "string"}, name="texts")
IN_TEXTS = find_sources(
    get_format("flat"), "impressions", pa.schema(dict.fromkeys(TEXTS.columns, pa.string())),
    {"document": "info.doc", "position": "info.at.pos"}, ["click"],
)  # fmt: skip

STEPS: dict[str, Callable[[], ibis.Table]] = {
    "texts": lambda: draw_columns(
        DuckDBEngine(None, Path()), TEXTS, get_format("flat"), "impressions", IN_TEXTS
    ),
    "flat": lambda: flat_impressions(FLAT, ACTIONS, 30),
    "pages": lambda: listed_impressions(PAGES, ACTIONS, 30),
    "ubi": lambda: with_queries(fold_events(as_events(with_sessions(EVENTS, 30), UBI, ACTIONS), ACTIONS), QUERIES, ACTIONS),
    "ubi lists": lambda: fold_events(listed_events(QUERIES, ACTIONS), ACTIONS),
    "ga4": lambda: fold_events(
        as_events(with_lists(with_sessions(EVENTS.drop("page"), 30), GA4), GA4, ACTIONS), ACTIONS
    ),
    "ranks": lambda: first_ranks(IMPRESSIONS),
    "reasons": lambda: reasons(IMPRESSIONS, SCREEN),
    "rejected": lambda: rejected(IMPRESSIONS, SCREEN),
    "robots": lambda: robots(session_days(USABLE, ACTIONS, True), 1000),
    "page marks": lambda: page_marks(USABLE, BIT_OR),
    "merged": lambda: merged(USABLE, ACTIONS),
    "intervals": lambda: click_intervals(USABLE.filter(ACTIONS.clicked(USABLE)).select("page", "position")),
    "cells": lambda: GROUPING.cells(
        with_context(USABLE, click_intervals(USABLE.filter(ACTIONS.clicked(USABLE)))), CODES
    ),
    "documents": lambda: numbered_documents(CELLS),
    "cells in order": lambda: in_order(CELLS, DOCUMENTS, GROUPING.keys),
    "row health": lambda: row_facts(with_dwell(IMPRESSIONS, ACTIONS, 30), 1, 20, NOW),
    "page health": lambda: page_counts(page_facts(IMPRESSIONS, ACTIONS, BIT_OR), 1),
    "query health": lambda: query_counts(page_facts(IMPRESSIONS, ACTIONS, BIT_OR)),
    "session health": lambda: session_counts(IMPRESSIONS),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_compiles_for_every_warehouse(step: str) -> None:
    expression = STEPS[step]()
    for dialect in DIALECTS:
        assert "SELECT" in ibis.to_sql(expression, dialect=dialect)
