"""The OpenSearch User Behavior Insights (UBI 1.3.0) layout of a simulated log: queries beside events."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gradus.judgments.simulation.columns import TIME, Columns, times
from gradus.judgments.simulation.dirt import CART, CLICK, IMPRESSION, PURCHASE, Dirt, Rows
from gradus.judgments.simulation.pages import Pages
from gradus.judgments.simulation.truth import Truth

ACTIONS = {IMPRESSION: "impression", CLICK: "click", CART: "add_to_cart", PURCHASE: "purchase"}
"""What UBI calls each action."""

APPLICATION = "gradus-simulation"

_ATTRIBUTES = pa.struct(
    [
        ("object", pa.struct([("object_id", pa.string()), ("object_id_field", pa.string())])),
        ("position", pa.struct([("ordinal", pa.int32())])),
        ("dwell_time", pa.float32()),
        ("propensity", pa.float64()),
    ]
)

QUERIES = pa.schema(
    [
        *((name, pa.string()) for name in ("application", "query_id", "client_id", "user_query")),
        *((name, pa.string()) for name in ("object_id_field", "query_response_id")),
        ("query_response_hit_ids", pa.list_(pa.string())),
        ("timestamp", TIME),
    ]
)

EVENTS = pa.schema(
    [
        *((name, pa.string()) for name in ("application", "action_name", "query_id", "session_id")),
        ("client_id", pa.string()),
        ("timestamp", TIME),
        ("event_attributes", _ATTRIBUTES),
    ]
)

_SECONDS_A_POSITION = 2.0
"""How long people look at a position before they go on, or click."""


def ubi_tables(truth: Truth, part: Pages, dirt: Dirt, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    """A part of a log as a table of queries and one of events, with `QUERIES` and `EVENTS`.

    The dwell time stands with clicks, a logged propensity with impressions; both are further attributes of an
    event, which UBI allows. Dirt falls on events alone.

    Args:
        truth: What the pages' pairs point into.
        part: The pages.
        dirt: What goes wrong.
        rng: Where the chance of dirt comes from.
    """
    columns = Columns(truth, part)
    return _queries(columns), _events(columns, dirt.on(_rows(part), len(part), rng))


def _queries(columns: Columns) -> pa.Table:
    part = columns.part
    every = np.arange(len(part))
    ends = np.r_[0, np.cumsum(part.shown.sum(axis=1))].astype(np.int32)
    hits = pa.ListArray.from_arrays(pa.array(ends), columns.document(*np.nonzero(part.shown)))
    return pa.Table.from_arrays(
        [
            _constant(APPLICATION, len(part)),
            columns.page(every),
            columns.user(every),
            columns.query(every),
            _constant("doc_id", len(part)),
            columns.page(every),
            hits,
            times(part.time),
        ],
        schema=QUERIES,
    )


def _events(columns: Columns, rows: Rows) -> pa.Table:
    count = len(rows.page)
    objects = pa.StructArray.from_arrays(
        [columns.document(rows.page, rows.place), _constant("doc_id", count)],
        fields=list(_ATTRIBUTES.field("object").type),
    )
    position = pa.StructArray.from_arrays(
        [pa.array(rows.position, pa.int32())], fields=list(_ATTRIBUTES.field("position").type)
    )
    propensity = columns.propensity(rows)
    of_impressions = pa.array(rows.action == IMPRESSION)
    attributes = pa.StructArray.from_arrays(
        [
            objects,
            position,
            columns.dwell(rows, rows.action == CLICK),
            pa.compute.if_else(of_impressions, propensity, None),
        ],
        fields=list(_ATTRIBUTES),
    )
    names = pa.array([ACTIONS[action] for action in sorted(ACTIONS)])
    return pa.Table.from_arrays(
        [
            _constant(APPLICATION, count),
            names.take(pa.array(rows.action)),
            columns.page(rows.page),
            columns.session(rows.page),
            columns.user(rows.page),
            times(rows.time),
            attributes,
        ],
        schema=EVENTS,
    )


def _rows(part: Pages) -> Rows:
    """All events in the order of time."""
    pages, places, actions, seconds = [], [], [], []
    for action, happened, after in _happened(part):
        page, place = np.nonzero(happened)
        pages.append(page)
        places.append(place)
        actions.append(np.full(len(page), action, np.int8))
        seconds.append(after[page, place])
    page, place = np.concatenate(pages), np.concatenate(places)
    time = part.time[page] + (np.concatenate(seconds) * 1000).astype("timedelta64[ms]")
    order = np.argsort(time, kind="stable")
    return Rows(page, place, np.concatenate(actions), place + 1, time).take(order)


def _happened(part: Pages) -> list[tuple[int, NDArray[np.bool_], NDArray[np.float64]]]:
    """Each action with where it was taken, (n, k), and how many seconds after the page was shown, (n, k)."""
    pace = np.where(part.robot, 0.01, _SECONDS_A_POSITION)[:, None]
    dwell = part.dwell.astype(np.float64)
    away = np.cumsum(dwell, axis=1) - dwell
    clicked = pace * np.arange(1, dwell.shape[1] + 1) + away
    return [
        (IMPRESSION, part.shown, np.zeros(dwell.shape)),
        (CLICK, part.click, clicked),
        (CART, part.cart, clicked + dwell / 2),
        (PURCHASE, part.purchase, clicked + dwell),
    ]


def _constant(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), count)
