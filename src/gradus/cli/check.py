"""`gradus check`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.catalog.check import CheckReport, Finding, FixSummary


@with_settings("catalog", "encoder.pixels")
def check(
    settings: Settings,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a cleaned copy, and FILE's name.rejects.csv beside it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a catalogue: ids, cells, images, texts, duplicates. Exits with 1 where there are errors."""
    from gradus.catalog.check import check_catalog, write_fixed

    with shown_progress() as progress:
        report = check_catalog(settings, lambda done, total: progress("images", done, total, ""))
        fixed = write_fixed(settings, fix) if fix else None
    if as_json:
        print_json({**report.as_dict(), "fixed": fixed and asdict(fixed)})
    else:
        _print(report, fixed)
    if report.errors:
        raise typer.Exit(1)


def _print(report: "CheckReport", fixed: "FixSummary | None") -> None:
    print_table(
        f"{report.rows:,} documents",
        ("field", "type", "weight", "filled", "distinct", "from", "to", "examples"),
        (
            (
                *(field.name, field.type, field.weight, f"{field.fill_rate:.1%}", field.distinct),
                *(field.minimum, field.maximum, "; ".join(field.examples)),
            )
            for field in report.fields
        ),
    )
    print_text(*(line for finding in report.findings for line in _lines(finding)))
    if fixed:
        print_text(
            f"{fixed.catalog} written: {fixed.kept:,} documents kept, {fixed.dropped:,} left out, "
            f"{fixed.emptied:,} cells emptied; all of them in {fixed.rejects}"
        )
    print_text(
        f"{len(report.errors)} kinds of errors, {len(report.findings) - len(report.errors)} of warnings"
    )


def _lines(finding: "Finding") -> list[str]:
    """What was found, and below it the first documents concerned."""
    shown = [f"    {name}: {reason}" for name, reason in zip(finding.ids, finding.reasons, strict=False)]
    more = [f"    and {finding.count - len(shown):,} more"] if 0 < len(shown) < finding.count else []
    return [f"{finding.severity}: {finding.message}", *shown, *more]
