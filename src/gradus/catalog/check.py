"""`gradus check`: everything that is wrong with a catalogue, at once."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gradus.catalog.fields import Field
from gradus.catalog.fix import FixSummary, write_fixed
from gradus.catalog.inspection import Inspection, inspect_catalog
from gradus.catalog.text import looks_mis_encoded
from gradus.catalog.values import BadCell, read_text
from gradus.settings import Settings

__all__ = ["CheckReport", "FieldReport", "Finding", "FixSummary", "check_catalog", "write_fixed"]

_SHOWN_IDS = 20
_EXAMPLES = 3
_LOW_FILL = 0.05
"""Fields filled in less than this share of the rows are pointed out."""


@dataclass(frozen=True)
class FieldReport:
    """What one field holds.

    Attributes:
        name: The field.
        type: Its type.
        weight: Its field weight.
        filled: Rows with a usable value.
        fill_rate: Their share of all rows.
        distinct: Different values; for images, different contents.
        minimum: Smallest number, `None` for other types.
        maximum: Largest number, `None` for other types.
        examples: The most frequent values of text and categories.
    """

    name: str
    type: str
    weight: float
    filled: int
    fill_rate: float
    distinct: int
    minimum: float | None
    maximum: float | None
    examples: list[str]


@dataclass(frozen=True)
class Finding:
    """Something wrong with the catalogue, or likely to be.

    Attributes:
        severity: An `error` is what training cannot use; a `warning` is for a person to judge.
        code: Its kind, e.g. `duplicate-id`.
        message: What was found, for people.
        ids: The first documents concerned.
        reasons: For each of `ids` what is wrong with it; empty where `message` says it.
        count: How many documents are concerned.
    """

    severity: Literal["error", "warning"]
    code: str
    message: str
    ids: list[str]
    reasons: list[str]
    count: int


@dataclass(frozen=True)
class CheckReport:
    """The result of a check.

    Attributes:
        rows: Rows of the catalogue, errors included.
        fields: The declared fields, in order.
        findings: Errors first.
    """

    rows: int
    fields: list[FieldReport]
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return asdict(self)


def check_catalog(settings: Settings, progress: Callable[[int, int], None] | None = None) -> CheckReport:
    """Check ids, cells, images, texts and duplicates of the catalogue.

    Decoded images stay in the project's image cache, where training finds them.

    Args:
        settings: Where the catalogue is and which fields it has.
        progress: Called with the number of images done and their total.

    Raises:
        CatalogError: The file cannot be read at all, has no rows, or lacks a declared column.
    """
    seen = inspect_catalog(settings, progress)
    reports = [_field_report(seen, field) for field in seen.fields]
    findings = [
        *_id_findings(seen),
        *_cell_findings(seen),
        *_duplicate_findings(seen),
        *_encoding_findings(seen, settings.catalog.id),
        *_fill_findings(reports, len(seen.ids)),
    ]
    findings.sort(key=lambda finding: finding.severity)  # "error" before "warning"; stable otherwise
    return CheckReport(len(seen.ids), reports, findings)


def _field_report(seen: Inspection, field: Field) -> FieldReport:
    values = [value for value in seen.values[field.name] if value is not None]
    numbers = values if field.type == "number" else []
    if field.type == "image":
        distinct, examples = len(set(seen.images[field.name].tolist()) - {-1}), []
    else:
        counts = Counter(values)
        distinct = len(counts)
        examples = [] if numbers else [str(value)[:60] for value, _ in counts.most_common(_EXAMPLES)]
    return FieldReport(
        name=field.name,
        type=field.type,
        weight=field.weight,
        filled=len(values),
        fill_rate=len(values) / len(seen.ids),
        distinct=distinct,
        minimum=min(numbers, default=None),
        maximum=max(numbers, default=None),
        examples=examples,
    )


def _id_findings(seen: Inspection) -> Iterable[Finding]:
    if seen.empty_ids:
        yield _finding(
            seen,
            "error",
            "empty-id",
            "rows without an id",
            [(row, f"row {row + 1}") for row in seen.empty_ids],
        )
    if seen.repeated_ids:
        yield _finding(
            seen,
            "error",
            "duplicate-id",
            "rows that repeat the id of an earlier row",
            [(row, f"row {row + 1}") for row in seen.repeated_ids],
        )


_KINDS = (
    (re.compile("no file "), "missing-image", "missing images"),
    (re.compile("too large"), "huge-image", "images too large to decode safely"),
)


def _cell_findings(seen: Inspection) -> Iterable[Finding]:
    """Bad cells by field and kind."""
    types = {field.name: field.type for field in seen.fields}
    groups: dict[tuple[str, str, str], list[BadCell]] = {}
    for cell in seen.bad:
        code, message = "bad-number", "cells that are not numbers"
        if types[cell.column] == "image":
            code, message = "unusable-image", "damaged or unknown images"
            for pattern, *kind in _KINDS:
                if pattern.match(cell.reason):
                    code, message = kind
        groups.setdefault((cell.column, code, message), []).append(cell)
    for (column, code, message), cells in groups.items():
        reasons = [
            (cell.row, f"{cell.value!r} {cell.reason}" if code == "bad-number" else cell.reason)
            for cell in cells
        ]
        yield _finding(seen, "error", code, f"{message} in field {column!r}", reasons)


def _duplicate_findings(seen: Inspection) -> Iterable[Finding]:
    """Documents without content, and documents with the content of another."""
    columns: list[Sequence[Any]] = [
        seen.images[field.name].tolist() if field.type == "image" else seen.values[field.name]
        for field in seen.fields
    ]
    skipped = {*seen.empty_ids, *seen.repeated_ids}
    first: dict[tuple[Any, ...], int] = {}
    empty: list[tuple[int, str]] = []
    repeated: list[tuple[int, str]] = []
    for row, content in enumerate(zip(*columns, strict=True)):
        if row in skipped:
            continue
        if all(value is None or value == -1 for value in content):
            empty.append((row, f"row {row + 1}"))
        elif (earlier := first.setdefault(content, row)) != row:
            repeated.append((row, f"same as {seen.ids[earlier]!r}"))
    if empty:
        yield _finding(seen, "warning", "empty-document", "documents with no field filled", empty)
    if repeated:
        yield _finding(
            seen, "warning", "duplicate-document", "documents equal to an earlier one in all fields", repeated
        )


def _encoding_findings(seen: Inspection, id_column: str) -> Iterable[Finding]:
    names = [id_column, *(field.name for field in seen.fields if field.type in ("text", "category"))]
    for name in dict.fromkeys(names):
        found = []
        for row, cell in enumerate(seen.table[name].to_pylist()):
            reason = looks_mis_encoded(text := read_text(cell))
            if reason is not None:
                found.append((row, f"{text[:40]!r} {reason}"))
        if found:
            yield _finding(
                seen, "warning", "mis-encoded", f"texts that look mis-encoded in column {name!r}", found
            )


def _fill_findings(reports: Iterable[FieldReport], rows: int) -> Iterable[Finding]:
    for report in reports:
        if report.filled == 0:
            code, message = "empty-field", f"field {report.name!r} is empty everywhere"
        elif report.fill_rate < _LOW_FILL:
            code, message = (
                "low-fill",
                f"field {report.name!r} is filled in {report.fill_rate:.1%} of the rows",
            )
        elif report.distinct == 1 and rows > 1:
            code, message = (
                "constant-field",
                f"field {report.name!r} has the same value wherever it is filled",
            )
        else:
            continue
        yield Finding("warning", code, message, [], [], rows if report.filled == 0 else report.filled)


def _finding(
    seen: Inspection,
    severity: Literal["error", "warning"],
    code: str,
    message: str,
    rows: Sequence[tuple[int, str]],
) -> Finding:
    """A finding about rows, each with its reason."""
    shown = rows[:_SHOWN_IDS]
    return Finding(
        severity,
        code,
        f"{message}: {len(rows):,}",
        [seen.ids[row] for row, _ in shown],
        [reason for _, reason in shown],
        len(rows),
    )
