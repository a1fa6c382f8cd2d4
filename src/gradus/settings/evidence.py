"""The sections that say where the evidence lies and how each source of it is read.

A source whose `path` is empty is not used.
"""

from dataclasses import dataclass

from gradus.settings.section import Names, Numbers, Section, setting


@dataclass(frozen=True)
class LogSettings(Section):
    """The log of searches: what was shown, and what people did."""

    path: str = setting("", "File, or folder of files: CSV, TSV, JSONL or Parquet, each also .gz.")
    format: str = setting(
        "flat",
        "flat: a row per impression; ubi: events beside queries; sessions: a row per result page; ga4: events.",
        choices=("flat", "ubi", "sessions", "ga4"),
    )
    queries: str = setting("", "With ubi, the file or folder with the queries.")
    columns: Names = setting({}, "Which column holds what, as gradus judge --inspect proposes it.")
    actions: Numbers = setting({"click": 1.0}, "Actions that count, each with its weight.")
    dwell: float = setting(0.0, "Seconds that a click must last to count.", minimum=0)
    rank: str = setting("auto", "The first position: 0, 1, or auto.", choices=("auto", "0", "1"))
    page: int = setting(0, "Deepest position that is used; 0 for all.", minimum=0)
    window: str = setting(
        "none", "Time windows that counts are kept by.", choices=("none", "day", "week", "month")
    )
    half_life: float = setting(0.0, "Days after which an event counts half; 0 for no decay.", minimum=0)
    session_minutes: float = setting(30.0, "A pause as long as this ends a session.", minimum=0)
    robot_events: int = setting(
        1000, "Sessions with more events than this in a day are robots'; 0 keeps all.", minimum=0
    )
    stem: bool = setting(False, "Take plain English plurals for their singular when queries are compared.")
    synonyms: str = setting("", "CSV file of two columns: a query, and the query that it stands for.")
    engine: str = setting("duckdb", "What aggregates the log.", choices=("duckdb", "pyspark"))


@dataclass(frozen=True)
class ClicksSettings(Section):
    """How clicks become scores."""

    estimator: str = setting(
        "auto",
        "The click model; auto takes what the log supports, or refuses.",
        choices=(
            "auto", "ctr", "coec", "ips", "all-pairs", "pbm", "browsing", "cascade", "sdbn", "dbn", "logged",
        ),
    )  # fmt: skip
    propensities: str = setting("", "With ips, a CSV file of two columns: position, propensity.")
    prior: str = setting(
        "exposure",
        "What pairs with little evidence are shrunk towards: pairs shown as often, all pairs, or nothing.",
        choices=("exposure", "global", "none"),
    )
    run: str = setting(
        "",
        "Run file of a pipeline whose word counts for pairs with few clicks; for the queries that it lists it must not "
        "know the clicks, as what gradus distil --lists writes does not.",
    )
    bootstrap: int = setting(200, "Resamples of the position curve's interval.", minimum=20)
    seed: int = setting(0, "Seed of the resampling.", minimum=0)


@dataclass(frozen=True)
class GradesSettings(Section):
    """Grades given by people."""

    path: str = setting(
        "",
        "File with a row per grade, or a row per pair with a column per rater; or served/grades, gradus serve's log.",
    )
    query: str = setting("query", "Column with the query's text or id.")
    document: str = setting("doc_id", "Column with the document's id.")
    grade: str = setting("grade", "Column with the grade.")
    rater: str = setting("rater", "Column with the rater; rows without it are one rater's.")
    raters: tuple[str, ...] = setting(
        (), "Columns with one rater's grades each, in place of grade and rater."
    )
    scale: tuple[str, ...] = setting((), "The grades from worst to best; sorted as numbers when empty.")
    model: str = setting(
        "ordinal",
        "How raters are combined: ordinal (bias and noise of each rater), dawid-skene, or mean.",
        choices=("ordinal", "dawid-skene", "mean"),
    )


@dataclass(frozen=True)
class BusinessSettings(Section):
    """Numbers of the business: margin, stock, freshness, a manager's table."""

    path: str = setting("", "File with a row per document, or per query and document.")
    query: str = setting("query", "Column with the query; a file without it holds for every query.")
    document: str = setting("doc_id", "Column with the document's id.")
    columns: Numbers = setting({}, "Column → weight; a negative weight means less is better.")
    cap: float = setting(0.2, "Most that all of them together may move a score.", minimum=0, maximum=1)


@dataclass(frozen=True)
class HierarchySettings(Section):
    """Category paths of queries and documents."""

    document: str = setting("", "Catalogue column with the category path.")
    separator: str = setting(" > ", "What parts the levels of a path.")
    query: str = setting(
        "", "Query column with the category path; inferred from its other evidence when empty."
    )
    levels: tuple[str, ...] = setting(
        (), "Score of a document that shares the first 1, 2, … levels; evenly spaced up to 1 when empty."
    )
    per_query: int = setting(
        50, "Most documents per query that are judged by their category alone.", minimum=0
    )


@dataclass(frozen=True)
class FusionSettings(Section):
    """How several sources become one score."""

    gold: str = setting(
        "", "Judgments file with a small set that is trusted, to calibrate the others against."
    )
    gold_scale: float = setting(1.0, "The gold score that counts as 1: 3 for grades 0 to 3.", minimum=1e-9)
    reference: str = setting(
        "", "The source that the others are calibrated to where they overlap, without a gold set."
    )
