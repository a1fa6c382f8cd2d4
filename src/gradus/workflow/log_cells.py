"""From the log that the settings name to cells, whatever is to be made of them."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gradus.catalog.table import Table
from gradus.errors import GradusError, LogError
from gradus.judgments.logs.cells import Cells
from gradus.judgments.logs.queries import Normaliser, read_synonyms
from gradus.judgments.logs.reading import is_damaged
from gradus.judgments.logs.rejects import write_rejects
from gradus.judgments.logs.summary import LogSummary
from gradus.judgments.simulation.truth import query_names
from gradus.progress import Progress
from gradus.settings import Settings

if TYPE_CHECKING:
    from gradus.judgments.logs.health import Finding
    from gradus.judgments.logs.staging import Staged

QueryForm = Callable[[str], str]


@dataclass(frozen=True)
class LogCells:
    """A log, read.

    Attributes:
        cells: Its counts; queries go by the ids that the table of queries gives them, where there is one.
        summary: What became of its rows.
        findings: What is wrong with it, the worst first.
    """

    cells: Cells
    summary: LogSummary
    findings: "Sequence[Finding]"


def read_cells(
    settings: Settings,
    work: Path,
    queries: Table | None,
    now: datetime,
    progress: Progress,
    *,
    unreadable: Path | None = None,
    rejected: Path | None = None,
) -> LogCells:
    """Stage, check and aggregate the log.

    Args:
        settings: `[log]`.
        work: A folder for what is in between.
        queries: The table of queries, where there is one.
        now: The moment after which nothing can have happened.
        progress: Told about each stage.
        unreadable: Where rows are written that are no rows of a table; nowhere when `None`.
        rejected: Where impressions are written whose values cannot be used; nowhere when `None`.

    Raises:
        GradusError: The log cannot be read as described; the type and the message say what is wrong.
    """
    from gradus.judgments.logs.aggregate import aggregate
    from gradus.judgments.logs.engine import open_engine
    from gradus.judgments.logs.health import check_health
    from gradus.judgments.logs.read_log import read_impressions
    from gradus.judgments.logs.staging import stage

    log = settings.log
    if log.synonyms:
        log = replace(log, synonyms=str(settings.resolve(log.synonyms)))
    keys = {{"flat": "impressions", "sessions": "pages"}.get(log.format, "events"): "path"}
    if log.format == "ubi" and log.queries:
        keys["queries"] = "queries"
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        staged = {
            name: stage(settings.resolve(getattr(log, key)), folder / "staged" / name, progress, f"log.{key}")
            for name, key in keys.items()
        }
        with open_engine(log.engine, folder) as engine, _told_plainly(staged.values()):
            progress("checking the log", 0, 1, "")
            impressions = read_impressions(engine, staged, log)
            findings = check_health(engine, impressions, staged, log, now.replace(tzinfo=None))
            progress("checking the log", 1, 1, "")
            progress("aggregating", 0, 1, "")
            found = aggregate(engine, impressions, log, now, rejected)
            progress("aggregating", 1, 1, "")
        reasons = sum((part.rejected for part in staged.values()), Counter[str]())
        summary = replace(
            found.summary,
            read=found.summary.read + reasons.total(),
            rejected=dict(Counter(found.summary.rejected) + reasons),
        )
        if reasons and unreadable is not None:
            write_rejects(unreadable, {name: part.rejects for name, part in staged.items()})
    names = ids_by_text(queries, query_form(settings))
    cells = replace(found.cells, queries=[names.get(text, text) for text in found.cells.queries])
    return LogCells(cells, summary, findings)


def query_form(settings: Settings) -> QueryForm:
    """How queries of all sources are brought to one form: as the log's are."""
    synonyms = read_synonyms(settings.resolve(settings.log.synonyms)) if settings.log.synonyms else None
    return Normaliser(settings.log.stem, synonyms)


def ids_by_text(queries: Table | None, form: QueryForm) -> Mapping[str, str]:
    """Text of a query, in the log's form → its id, where there is a table of queries; else nothing."""
    names: dict[str, str] = {}
    if queries is not None:
        for name, text in zip(queries.ids, query_names(queries), strict=True):
            names.setdefault(form(text), name)
    return names


@contextmanager
def _told_plainly(staged: "Iterable[Staged]") -> Iterator[None]:
    """What an engine makes of damaged Parquet files and of too little room, as an error that a user can act on."""
    try:
        yield
    except (GradusError, OSError):
        raise
    except Exception as error:
        said = str(error).partition("\n")[0]
        if type(error).__name__ == "OutOfMemoryException":
            raise LogError(
                f"the log needs more memory, or room on the disk, than there is ({said})"
            ) from error
        damaged = next((path for part in staged for path in part.paths if is_damaged(path)), None)
        if damaged is None:
            raise
        raise LogError(f"{damaged} is damaged; take it out of the log or restore it ({said})") from error
