"""Audit: what judgments rest on, in numbers that a person can check."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from gradus.errors import JudgmentsError
from gradus.judgments.audit.bias import PopularityBias, PositionBias, popularity_bias, position_bias
from gradus.judgments.audit.coverage import (
    Band,
    Coverage,
    Source,
    find_bands,
    find_coverage,
    find_sources,
    histogram,
)
from gradus.judgments.audit.shown import LISTED, Moved, ShownPair, find_moved, find_shown, find_uncertain
from gradus.judgments.business import Shift
from gradus.judgments.clicks.score import GIVEN, ClickScores
from gradus.judgments.fusion import Conflict, Fused
from gradus.judgments.grades.agreement import Alpha, PairAgreement
from gradus.judgments.grades.consensus import Consensus, Disagreement, Rater
from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.summary import LogSummary

if TYPE_CHECKING:  # Health checks need the engine, which an audit does not.
    from gradus.judgments.logs.health import Finding

Row = TypeVar("Row", ShownPair, Conflict, Disagreement)

_MEASURED = {"all-pairs", "browsing", "pbm", *GIVEN}
"""Click models that take examination from an experiment or from the log itself, where these support it."""


@dataclass(frozen=True)
class Raters:
    """What people's grades are worth: agreement of all and of each two, each rater, and the pairs they differ on."""

    alpha: Alpha | None
    agreement: tuple[PairAgreement, ...]
    raters: tuple[Rater, ...]
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True)
class LogRows:
    """What became of the rows of the log: `LogSummary` in plain values, days as (ISO date, impressions, clicks)."""

    read: int
    used: int
    filtered: dict[str, int]
    rejected: dict[str, int]
    ignored: dict[str, int]
    start: str | None
    end: str | None
    sessions: int
    pages: int
    days: tuple[tuple[str | None, int, int], ...]


@dataclass(frozen=True)
class Audit:
    """What judgments rest on.

    Attributes:
        coverage: How much is judged.
        bands: Head, torso and tail of the traffic; empty without a log.
        sources: The sources of evidence.
        between: Standard deviation between calibrated sources beyond their intervals.
        scores: (20,) pairs by score, in bins of equal width from 0 to 1.
        widths: (20,) pairs by the width of their interval.
        position: Position bias; `None` without a log, like the next.
        popularity: Popularity bias.
        uncertain: Of the tenth of the log's pairs with the widest intervals those that are shown most.
        moved: Of the log's pairs that were shown at least 20 times those whose place in their query changed most.
        conflicts: Where two sources differ most.
        raters: What raters agree on; `None` without grades.
        business: What business scores did; `None` without them.
        hinted: Share of the log's pairs that the pipeline of `clicks.run` lists; `None` without one.
        log: What became of the log's rows; `None` without a log.
        findings: What is wrong with the log, the worst first.
    """

    coverage: Coverage
    bands: tuple[Band, ...]
    sources: tuple[Source, ...]
    between: float
    scores: tuple[int, ...]
    widths: tuple[int, ...]
    position: PositionBias | None
    popularity: PopularityBias | None
    uncertain: tuple[ShownPair, ...]
    moved: tuple[Moved, ...]
    conflicts: tuple[Conflict, ...]
    raters: Raters | None
    business: Shift | None
    hinted: float | None
    log: LogRows | None
    findings: "tuple[Finding, ...]"

    def with_names(self, names: Mapping[str, str]) -> "Audit":
        """The same with queries listed by other names: query → what people call it."""

        def named(row: Row) -> Row:
            return replace(row, query=names.get(row.query, row.query))

        raters = self.raters
        if raters is not None:
            raters = replace(raters, disagreements=tuple(map(named, raters.disagreements)))
        return replace(
            self,
            uncertain=tuple(map(named, self.uncertain)),
            moved=tuple(replace(row, pair=named(row.pair)) for row in self.moved),
            conflicts=tuple(map(named, self.conflicts)),
            raters=raters,
        )

    @property
    def faults(self) -> "list[Finding]":
        """The findings that make scores from the log wrong."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def verdict(self) -> str:
        """In a sentence, what the evidence supports and what it does not."""
        if self.faults:
            names = ", ".join(finding.name for finding in self.faults)
            return f"Scores from this log would be wrong ({names}): mend that before anything is learned from them"
        coverage = self.coverage
        told = f"The evidence supports a score for {percent(1 - coverage.wide)} of {coverage.pairs:,} pairs"
        missing = []
        if coverage.wide > 0:
            missing.append(f"too little about the other {percent(coverage.wide)}")
        if coverage.documents < coverage.catalogue:
            missing.append(f"nothing about {percent(1 - coverage.share)} of the catalogue")
        return f"{told}{self._caveat()}" + (f"; it says {' and '.join(missing)}" if missing else "")

    def as_dict(self) -> dict[str, Any]:
        """The audit as JSON can hold it, its verdict first; undefined numbers are null."""
        plain: dict[str, Any] = _plain({"verdict": self.verdict} | asdict(self))
        return plain

    def _caveat(self) -> str:
        if self.position is None:
            return f", by {' and '.join(source.name for source in self.sources)} alone"
        estimator, supported = self.position.estimator, self.position.supported
        if len(self.position.curve) < 2:
            return ""
        if estimator == "ctr":
            return ", with position bias still in it"
        if supported and estimator in _MEASURED:
            return ", with position bias taken out"
        if estimator in GIVEN:
            return ", with position bias taken out at the positions that the propensities tell"
        unchecked = "" if supported else ", which this log cannot check"
        return f", with position bias taken out as the model {estimator} assumes{unchecked}"


def audit(
    fused: Fused,
    *,
    documents: int,
    left_out: int = 0,
    log: ClickScores | None = None,
    cells: Cells | None = None,
    summary: LogSummary | None = None,
    findings: "Sequence[Finding]" = (),
    consensus: Consensus | None = None,
    alpha: Alpha | None = None,
    agreement: Sequence[PairAgreement] = (),
    business: Shift | None = None,
    pages_per_day: float | None = None,
) -> Audit:
    """Measure what judgments rest on.

    Args:
        fused: The judgments.
        documents: How many documents the catalogue has.
        left_out: Pairs of the evidence that are not among the judgments, as their document or query is not known.
        log: What the log's clicks came to, queries named as in `fused`; with `cells` or not at all.
        cells: The cells behind it.
        summary: What became of the log's rows.
        findings: What is wrong with the log.
        consensus: What grades came to.
        alpha: Agreement of all raters.
        agreement: Agreement of each two.
        business: What business scores did.
        pages_per_day: Result pages a day, for advice on experiments.

    Raises:
        JudgmentsError: No pair of the log is among the judgments, or only one of `log` and `cells` is given.
    """
    if (log is None) != (cells is None):
        raise JudgmentsError("an audit needs a log's scores and its cells, or neither")
    shown = position = popularity = None
    if log is not None and cells is not None:
        shown = find_shown(cells, log, fused)
        position = position_bias(fused, shown, cells, log, pages_per_day)
        popularity = popularity_bias(fused, shown)
    width = fused.high - fused.low
    raters = None
    if consensus is not None:
        differing = tuple(consensus.disagreements(LISTED))
        raters = Raters(alpha, tuple(agreement), consensus.raters, differing)
    return Audit(
        coverage=find_coverage(fused, width, documents, left_out),
        bands=() if shown is None else find_bands(fused, width, shown),
        sources=find_sources(fused),
        between=fused.between,
        scores=histogram(fused.score),
        widths=histogram(width),
        position=position,
        popularity=popularity,
        uncertain=() if shown is None else find_uncertain(fused, shown),
        moved=() if shown is None else find_moved(fused, shown),
        conflicts=tuple(fused.conflicts(LISTED)),
        raters=raters,
        business=business,
        hinted=None if log is None else log.hinted,
        log=None if summary is None else _log_rows(summary),
        findings=tuple(findings),
    )


def percent(share: float) -> str:
    """A share in words: whole percents; what is not all or nothing is not called so."""
    if not isfinite(share):
        return "–"
    shown = round(100 * share)
    if shown == 0 and share > 0:
        return "under 1 %"
    return "over 99 %" if shown == 100 and share < 1 else f"{shown} %"


def _log_rows(summary: LogSummary) -> LogRows:
    moments = (None if time is None else time.isoformat() for time in (summary.start, summary.end))
    start, end = moments
    return LogRows(
        summary.read, summary.used, dict(summary.filtered), dict(summary.rejected), dict(summary.ignored),
        start, end, summary.sessions, summary.pages,
        tuple((None if d.day is None else d.day.isoformat(), d.impressions, d.clicks) for d in summary.days),
    )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
