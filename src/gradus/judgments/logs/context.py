"""The clicks around an impression: which is nearest above, and which is the page's last."""

from gradus.judgments.logs.engine import Table, ibis

BELOW_ALL = 1_000_000
"""An interval that ends here ends with the page."""


def click_intervals(clicks: Table) -> Table:
    """Clicked pages, cut at their clicks.

    Between two clicks of a page, every impression has the same nearest click above. So a page with clicks at 2
    and 5 becomes three rows: (above 0, up to 2), (above 2, up to 5) and (above 5, to the end), each with the
    last click 5. Every impression of a clicked page lies in exactly one; an impression of another page in none.

    Args:
        clicks: `page` and `position` of every click.

    Returns:
        page, previous (exclusive), upto (inclusive), last.
    """
    by_position = ibis.window(group_by="page", order_by="position")
    cut = clicks.select(
        "page",
        previous=clicks.position,
        upto=ibis.coalesce(clicks.position.lead().over(by_position), BELOW_ALL),
        last=clicks.position.max().over(ibis.window(group_by="page")),
    )
    top = clicks.group_by("page").agg(upto=clicks.position.min(), last=clicks.position.max())
    top = top.select("page", previous=ibis.literal(0, clicks.position.type()), upto="upto", last="last")
    return ibis.union(cut.cast({"upto": top.upto.type()}), top)


def with_context(rows: Table, intervals: Table) -> Table:
    """Rows with `previous` (0 without a click above) and `last` (0 on a page without a click)."""
    at = [
        rows.page == intervals.page,
        rows.position > intervals.previous,
        rows.position <= intervals.upto,
    ]
    joined = rows.left_join(intervals, at)
    return joined.select(
        *(rows[name] for name in rows.columns),
        previous=intervals.previous.fill_null(0),
        last=intervals["last"].fill_null(0),
    )
