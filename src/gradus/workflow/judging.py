"""Judging: from the evidence that the settings name to a judgments file, the position curve and an audit."""

import csv
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradus.catalog.read import open_catalog, open_queries
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError, LogError, SettingsError
from gradus.evaluation.runs import Run, read_run
from gradus.files import atomic_file, remove_leftovers
from gradus.insight.audit import write_audit
from gradus.judgments.audit import Audit, audit
from gradus.judgments.business import Shift, read_business
from gradus.judgments.clicks.fit import Curve
from gradus.judgments.clicks.score import ClickScores
from gradus.judgments.fusion import Fused, fuse
from gradus.judgments.grades.agreement import Alpha, PairAgreement, krippendorff, pairwise
from gradus.judgments.grades.consensus import Consensus, judge_grades
from gradus.judgments.grades.read import read_grades
from gradus.judgments.hierarchy import judge_hierarchy, read_document_paths, read_query_paths, why_nothing
from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.summary import LogSummary
from gradus.judgments.scores import Z
from gradus.judgments.scores_file import read_gold, unknown_of, write_fused
from gradus.judgments.simulation.truth import query_names
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.workflow.click_hints import score_hinted
from gradus.workflow.log_cells import QueryForm, ids_by_text, query_form, read_cells

if TYPE_CHECKING:
    from gradus.judgments.logs.health import Finding

FILES = {
    "judgments": "judgments.parquet",
    "audit": "audit.json",
    "page": "audit.html",
    "curve": "position_curve.csv",
    "disagreements": "disagreements.csv",
    "unreadable_rows": "unreadable_rows.parquet",
    "rejected_impressions": "rejected_impressions.parquet",
}
"""What judging writes; the last four only where there is something to write."""

REJECTS = ("unreadable_rows", "rejected_impressions")
"""Which of `FILES` hold rows of the log that could not be used."""

_WORK = "work"
"""Names the hidden folder in which results are made."""


@dataclass(frozen=True)
class LogEvidence:
    """What a log came to.

    Attributes:
        cells: Its counts.
        clicks: Scores, click model and position curve.
        summary: What became of its rows.
        findings: What is wrong with it, the worst first.
    """

    cells: Cells
    clicks: ClickScores
    summary: LogSummary
    findings: "Sequence[Finding]"


@dataclass(frozen=True)
class GradesEvidence:
    """What people's grades came to: scores, and how far the raters agree."""

    consensus: Consensus
    alpha: Alpha
    agreement: Sequence[PairAgreement]


@dataclass(frozen=True)
class Judged:
    """What judging came to.

    Attributes:
        fused: The scores that were written.
        audit: What they rest on.
        unknown: What other pairs were not written for: a sentence each on documents and queries that are not known.
        files: What was written: name → path.
        log: The log's part, where there is one.
        grades: The grades' part, where there is one.
    """

    fused: Fused
    audit: Audit
    unknown: Sequence[str]
    files: dict[str, Path]
    log: LogEvidence | None
    grades: GradesEvidence | None


def judge(
    settings: Settings, out: Path, *, progress: Progress = silent, now: datetime | None = None
) -> Judged:
    """Turn evidence into judgments.

    Args:
        settings: `[log]`, `[grades]`, `[business]`, `[hierarchy]` say where the evidence lies, `[clicks]` and
            `[fusion]` what is made of it.
        out: Folder that gets `FILES`, all of them or, where something fails, none. With a log, rows that are no
            rows of a table are in `unreadable_rows.parquet` (table, file, line, reason, text), those whose values
            cannot be used in `rejected_impressions.parquet`.
        progress: Told about each stage.
        now: The moment after which nothing can have happened; the present when `None`.

    Raises:
        SettingsError: No source is named.
        GradusError: An input cannot be used; the type and the message say which and why.
    """
    if not (settings.log.path or settings.grades.path or settings.hierarchy.document):
        raise SettingsError(
            "there is no evidence to judge by: name a log in log.path, grades in grades.path, or a column of "
            "category paths in hierarchy.document; gradus judge --inspect LOG proposes the section for a log"
        )
    documents = open_catalog(settings)
    queries = open_queries(settings) if settings.query.path else None
    form = query_form(settings)
    ids = ids_by_text(queries, form)
    run = read_run(settings.resolve(settings.clicks.run)) if settings.clicks.run else None

    def named(query: str) -> str:
        return ids.get(form(query), form(query))

    with _appearing(out) as results:
        log = None
        if settings.log.path:
            log = _read_log(settings, results, queries, now or datetime.now(UTC), progress, run, named)

        evidence, grades = _fuse(settings, named, log, progress)
        business = read_business(settings, named) if settings.business.path else None
        fused = evidence if business is None else evidence.moved_by(business)
        window = None if log is None else log.summary.window
        kept = write_fused(results / FILES["judgments"], fused, settings, documents, queries, window)
        progress("fusing", 1, 1, "")
        unknown = unknown_of(fused, documents, queries)
        fused = fused.take(kept)
        moved = (
            None
            if business is None
            else Shift.of(settings.business.columns, business, evidence.score[kept], fused.score)
        )
        found = _audit(fused, len(documents), int((~kept).sum()), log, grades, moved)
        if queries is not None:
            found = found.with_names(dict(zip(queries.ids, query_names(queries), strict=True)))
        write_audit(
            results / FILES["audit"], results / FILES["page"], found, f"Judgments of {_title(settings)}"
        )
        if log is not None and log.clicks.curve is not None:
            write_curve(results / FILES["curve"], log.clicks.curve)
        if grades is not None:
            write_disagreements(results / FILES["disagreements"], grades.consensus)
    files = {name: out / file for name, file in FILES.items() if (out / file).exists()}
    return Judged(fused, found, unknown, files, log, grades)


def _fuse(
    settings: Settings, form: QueryForm, log: LogEvidence | None, progress: Progress
) -> tuple[Fused, GradesEvidence | None]:
    """One score a pair from the log and the other sources that the settings name."""
    grades = _read_grades(settings, form) if settings.grades.path else None
    sources = [] if grades is None else [grades.consensus.scores]
    if log is not None:
        sources.append(log.clicks.scores)
    if settings.hierarchy.document:
        paths = read_document_paths(settings), read_query_paths(settings)
        stepped = judge_hierarchy(*paths, sources, settings.hierarchy)
        if not len(stepped):
            raise JudgmentsError(why_nothing(*paths))
        sources.append(stepped)
    progress("fusing", 0, 1, "")
    gold = read_gold(settings, form) if settings.fusion.gold else None
    fused = fuse(sources, gold, settings.fusion.reference)
    return fused, grades


def _audit(
    fused: Fused,
    documents: int,
    left_out: int,
    log: LogEvidence | None,
    grades: GradesEvidence | None,
    business: Shift | None,
) -> Audit:
    return audit(
        fused,
        documents=documents,
        left_out=left_out,
        log=log.clicks if log else None,
        cells=log.cells if log else None,
        summary=log.summary if log else None,
        findings=log.findings if log else (),
        consensus=grades.consensus if grades else None,
        alpha=grades.alpha if grades else None,
        agreement=grades.agreement if grades else (),
        business=business,
        pages_per_day=_pages_per_day(log.summary) if log else None,
    )


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder for results, which are put into `out` when the block ends well; else `out` stays as it was.

    Results of an earlier run that this one does not have are removed: they would speak of other judgments. So is
    what a run that was killed left behind.
    """
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out} is a file; results go into a folder, so name another")
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out / _WORK)
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=f".{_WORK}.") as folder:
            yield Path(folder)
            for file in FILES.values():
                made, kept = Path(folder) / file, out / file
                if kept.is_dir():
                    shutil.rmtree(kept)  # Spark writes folders.
                elif made.is_dir() or not made.exists():
                    kept.unlink(missing_ok=True)
                if made.exists():
                    made.replace(kept)
    except BaseException:
        if is_new:
            out.rmdir()
        raise


def write_curve(path: Path, curve: Curve) -> None:
    """Write the position-bias curve as CSV: position, propensity, low, high; empty where the log does not tell.

    Where every position is told, the file serves another log as `clicks.propensities`.
    """
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["position", "propensity", "low", "high"])
        for place, (theta, deviation) in enumerate(zip(curve.examination, curve.deviation, strict=True), 1):
            told = np.isfinite(theta) and np.isfinite(deviation)
            ends = [theta * np.exp(sign * Z * deviation) for sign in (-1, 1)] if told else ["", ""]
            writer.writerow([place, theta if np.isfinite(theta) else "", *ends])


def write_disagreements(path: Path, consensus: Consensus) -> None:
    """Write all pairs on which raters differ as CSV, the worst first: `Consensus.disagreement_table`."""
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(consensus.disagreement_table())


def _read_log(
    settings: Settings,
    results: Path,
    queries: Table | None,
    now: datetime,
    progress: Progress,
    run: Run | None,
    named: QueryForm,
) -> LogEvidence:
    """Aggregate the log and score its pairs."""
    unreadable, rejected = (results / FILES[name] for name in REJECTS)
    log = read_cells(settings, results, queries, now, progress, unreadable=unreadable, rejected=rejected)
    progress("estimating", 0, 1, "")
    per_day = _pages_per_day(log.summary)
    try:
        clicks = score_hinted(log.cells, settings.clicks, settings.root, run, named, per_day)
    except LogError as error:
        # Why the log supports no scores may lie in what the checks found, and nothing else will say it.
        raise LogError(". ".join([str(error), *log.summary.in_words(), *map(str, log.findings)])) from None
    progress("estimating", 1, 1, "")
    return LogEvidence(log.cells, clicks, log.summary, log.findings)


def _read_grades(settings: Settings, form: QueryForm) -> GradesEvidence:
    grades = read_grades(settings, form)
    return GradesEvidence(
        judge_grades(grades, settings.grades.model), krippendorff(grades, "ordinal"), pairwise(grades)
    )


def _title(settings: Settings) -> str:
    """What a catalogue is called: its file, or the folder where the file's name says nothing."""
    path = settings.resolve(settings.catalog.path).resolve()
    return path.parent.name if path.stem in ("catalog", "metadata") else path.stem


def _pages_per_day(summary: LogSummary) -> float | None:
    if summary.window is None:
        return None
    start, end = summary.window
    days = (end - start).total_seconds() / 86400
    return summary.pages / max(days, 1.0)
