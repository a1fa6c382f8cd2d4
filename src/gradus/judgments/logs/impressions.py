"""Impressions: what every format of a log becomes before it is counted.

A row for each document shown on each result page, with these columns:

    page        text     one view of one result page
    session     text     null where the log knows neither sessions nor users
    query       text     as typed
    document    text
    position    number   as given, from 0 or 1
    time        timestamp, null where the log has none
    dwell       number   seconds, null where unknown
    propensity  number   logged probability of being shown there, null where none was
    shown       boolean  false where something was done to a document that was never shown
    rows        int      rows of the log that it stands for
    repeats     int      further rows of the log that say the same again
    action_0 …  boolean  whether each action of `Actions.names` was taken
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradus.errors import LogError
from gradus.judgments.logs.engine import Table, ibis

TYPES = {
    "page": "string", "session": "string", "query": "string", "document": "string", "position": "float64",
    "time": "timestamp", "dwell": "float64", "propensity": "float64", "shown": "boolean", "rows": "int64",
    "repeats": "int64",
}  # fmt: skip
"""The columns of impressions that every log has, with what an absent one is a null of."""


@dataclass(frozen=True)
class Actions:
    """The actions that are counted, in the order of their columns.

    Attributes:
        weights: Action → weight, as `log.actions`.

    Raises:
        LogError: No action has a weight above 0, or one has a weight below 0.
    """

    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if weight < 0:
                raise LogError(
                    f"log.actions.{name} is {weight}; weights are 0 (counted for the audit) or above"
                )
        if not any(self.weights.values()):
            raise LogError("log.actions gives no action a weight above 0; nothing would count as a click")

    @property
    def names(self) -> tuple[str, ...]:
        """The actions."""
        return tuple(self.weights)

    @property
    def columns(self) -> dict[str, str]:
        """Action → its column. Numbered: a warehouse takes fewer characters in a name than people do."""
        return {name: f"action_{number}" for number, name in enumerate(self.weights)}

    @property
    def levels(self) -> list[tuple[float, list[str]]]:
        """The distinct utilities of the actions that count, greatest (1) first, each with its columns."""
        top = max(self.weights.values())
        utilities = {weight / top for weight in self.weights.values() if weight > 0}
        return [
            (
                utility,
                [self.columns[name] for name, weight in self.weights.items() if weight / top == utility],
            )
            for utility in sorted(utilities, reverse=True)
        ]

    def clicked(self, impressions: Table) -> Any:
        """Whether an action that counts was taken."""
        return taken(impressions, [column for _, columns in self.levels for column in columns])


@dataclass(frozen=True)
class Impressions:
    """A log's impressions, and what of the log never became one.

    Attributes:
        table: The impressions.
        timed: Whether the log has times, so that a row without one is broken.
        logged: Whether the log may have propensities.
        left_out: Reason → rows of the log that are no impression and no counted action.
        ignored: Event name → how many were left out because `log.actions` does not name them; the commonest.
    """

    table: Table
    timed: bool
    logged: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)


def with_dwell(impressions: Table, actions: Actions, seconds: float) -> Table:
    """Impressions on which a click shorter than `seconds` is none; of unknown length, it counts."""
    if not seconds or "click" not in actions.columns:
        return impressions
    column, dwell = actions.columns["click"], impressions.dwell
    return impressions.mutate(**{column: impressions[column] & (dwell.isnull() | (dwell >= seconds))})


def taken(impressions: Table, columns: list[str]) -> Any:
    """Whether any of the actions of the given columns was taken."""
    first, *others = (impressions[column] for column in columns)
    for other in others:
        first = first | other
    return first


def as_impressions(table: Table, actions: Actions, columns: Mapping[str, Any]) -> Table:
    """A table with all the columns of impressions: those given, and nulls (or no actions) for the others."""
    absent: dict[str, Any] = {name: ibis.null(kind) for name, kind in TYPES.items()}
    absent |= {
        "shown": ibis.literal(True), "rows": ibis.literal(1, "int64"), "repeats": ibis.literal(0, "int64")
    }  # fmt: skip
    absent |= dict.fromkeys(actions.columns.values(), ibis.literal(False))
    return table.select(**{name: columns.get(name, value) for name, value in absent.items()})
