"""Reading: a staged log of any format as impressions."""

from collections.abc import Mapping

from gradus.judgments.logs.engine import Engine, Table
from gradus.judgments.logs.formats import find_sources, get_format
from gradus.judgments.logs.from_events import read_ga4, read_ubi
from gradus.judgments.logs.from_rows import read_flat, read_listed
from gradus.judgments.logs.impressions import Actions, Impressions
from gradus.judgments.logs.staging import Staged
from gradus.judgments.logs.values import draw_columns, empty_ids, is_plain
from gradus.settings.evidence import LogSettings


def read_impressions(engine: Engine, staged: Mapping[str, Staged], settings: LogSettings) -> Impressions:
    """The impressions of a staged log.

    Args:
        engine: What runs the expressions.
        staged: Table of the format (`impressions`, `events`, `queries`, `pages`) → its files.
        settings: `[log]`.

    Raises:
        LogError: A column is missing, or the log does not say what was shown.
    """
    log_format, actions = get_format(settings.format), Actions(settings.actions)
    tables: dict[str, Table] = {}
    plain = True
    for name in log_format.tables:
        if name not in staged:
            continue
        sources = find_sources(
            log_format, name, staged[name].schema, settings.columns, actions.names, f"the log's {name}"
        )
        table = engine.read(staged[name].paths)
        plain = plain and is_plain(table, log_format, name, sources)
        empty = not plain or any(engine.row(n)["n"] for n in empty_ids(table, log_format, name, sources))
        tables[name] = draw_columns(engine, table, log_format, name, sources, empty)
    pause = settings.session_minutes
    if log_format.name == "flat":
        return read_flat(engine, tables["impressions"], actions, pause, plain)
    if log_format.name == "sessions":
        return read_listed(engine, tables["pages"], actions, pause)
    if log_format.name == "ubi":
        return read_ubi(engine, log_format, tables["events"], tables.get("queries"), actions, pause)
    return read_ga4(engine, log_format, tables["events"], actions, pause)
