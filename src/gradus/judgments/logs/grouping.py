"""Grouping: impressions in their context, counted by query, document, position, previous click and window.

Everything that is summed is an integer, so that the result is the same to the last bit in every engine and in
whatever order it adds: a discount by age is counted in 2^-16, the inverse of a propensity in 2^-20, and utility as
how often each level of it was reached.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gradus.judgments.logs.engine import Table, ibis
from gradus.judgments.logs.impressions import Actions, taken

AGE_UNIT = 2**16
PROPENSITY_UNIT = 2**20

_TRUNCATION = {"day": "D", "week": "W", "month": "M"}


@dataclass(frozen=True)
class Grouping:
    """How impressions are counted.

    Attributes:
        actions: The actions that are counted.
        window: none, day, week or month.
        half_life: Days after which an impression counts half; 0 for no decay.
        newest: The moment that ages are counted from, needed with a half-life.
        logged: Whether there may be propensities.
    """

    actions: Actions
    window: str = "none"
    half_life: float = 0.0
    newest: datetime | None = None
    logged: bool = True

    @property
    def keys(self) -> list[str]:
        """The columns that tell cells apart."""
        keys = ["query", "document", "position", "previous"]
        return keys if self.window == "none" else [*keys, "window"]

    def cells(self, rows: Table, codes: Table) -> Table:
        """Cells of impressions, as a table.

        Args:
            rows: Usable impressions with their context (`previous` and `last`).
            codes: `text` of every query as typed, and the `code` of its normal form.

        Returns:
            The keys; and as float64 in their units impressions, clicks, above_last, last, with propensities
            `logged` and `propensity`, and with several actions `action_0` … and `level_0` … (impressions by
            the greatest utility reached, as `Actions.levels`).
        """
        clicked = self.actions.clicked(rows)
        last = rows["last"]
        columns: dict[str, Any] = {
            "document": rows.document,
            "position": rows.position,
            "previous": rows.previous,
            "clicked": clicked,
            "above_last": rows.position <= last,
            "at_last": clicked & (rows.position == last),
            "typed": rows["query"],
        }
        if self.window != "none":
            columns["window"] = rows.time.truncate(_TRUNCATION[self.window])
        if self.logged:
            columns["logged"] = rows.propensity.notnull()
            columns["inverse"] = (PROPENSITY_UNIT / rows.propensity).round().cast("int64")
        if self.half_life:
            columns["weight"] = self._weight(rows.time)
        if not self.simple:
            columns |= {column: rows[column] for column in self.actions.columns.values()}
        table = rows.select(**columns)
        table = table.join(codes, table.typed == codes.text).rename(query="code")
        counts = {name: value.cast("float64") for name, value in self._counts(table).items()}
        return table.group_by(self.keys).agg(**counts)

    @property
    def simple(self) -> bool:
        """Whether there is one action, so that clicks say all."""
        return len(self.actions.names) == 1

    def _counts(self, table: Table) -> dict[str, Any]:
        counts = {
            "impressions": self._count(table, None),
            "clicks": self._count(table, table.clicked),
            "above_last": self._count(table, table.above_last),
            "last": self._count(table, table.at_last),
        }
        if self.logged:
            counts |= {"logged": self._count(table, table.logged), "propensity": self._inverse(table)}
        if self.simple:
            return counts
        for column in self.actions.columns.values():
            counts[column] = self._count(table, table[column])
        above: list[str] = []
        for number, (_, columns) in enumerate(self.actions.levels):
            reached = taken(table, columns)
            counts[f"level_{number}"] = self._count(
                table, reached & ~taken(table, above) if above else reached
            )
            above += columns
        return counts

    def _count(self, table: Table, where: Any) -> Any:
        if self.half_life:
            return table.weight.sum(where=where).fill_null(0)
        return table.count(where=where)

    def _inverse(self, table: Table) -> Any:
        inverse = table.inverse * table.weight if self.half_life else table.inverse
        return inverse.sum().fill_null(0)

    def _weight(self, time: Any) -> Any:
        """What an impression counts by its age in whole days, in units of 2^-16."""
        seconds = ibis.literal(self.newest).epoch_seconds() - time.epoch_seconds()
        age = (seconds / 86_400).floor()
        return (ibis.literal(2.0) ** (-age / self.half_life) * AGE_UNIT).round().cast("int64")
