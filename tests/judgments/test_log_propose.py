"""What is proposed for logs of every format, in English and Japanese."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gradus.errors import LogError
from gradus.judgments.logs.formats import find_sources, get_format
from gradus.judgments.logs.propose import Proposal, propose
from gradus.judgments.logs.staging import stage
from gradus.settings import LogSettings


def log_of(tmp_path: Path, name: str, content: str | list[dict[str, Any]]) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(text, encoding="utf-8")
    return path


def checked(proposal: Proposal, tmp_path: Path, table: str) -> dict[str, str]:
    """What a proposal maps, once its text has been read as settings and its columns found in the log."""
    section = LogSettings.from_mapping(tomllib.loads(proposal.toml())["log"])
    staged = stage(Path(section.path), tmp_path / "staged")
    actions = list(section.actions) if section.format == "flat" else []
    found = find_sources(get_format(section.format), table, staged.schema, section.columns, actions)
    return {name: source.column for name, source in found.items()}


def test_a_flat_log_in_english(tmp_path: Path) -> None:
    rows = "".join(
        f"2024-05-0{n % 3 + 1}T10:00:00Z,u{n},bolt m{n % 2},sku-{n % 3},{n % 4},{n % 2},{n // 5}\n"
        for n in range(8)
    )
    path = log_of(tmp_path, "log.csv", "event_time,user_id,keyword,sku,rank,is_clicked,purchased\n" + rows)
    proposal = propose(path)
    assert (proposal.format, proposal.first_rank, proposal.rows, proposal.rejected) == ("flat", 0, 8, 0)
    assert proposal.actions == {"click": 4, "purchase": 3}
    assert proposal.span == (datetime(2024, 5, 1, 10, tzinfo=UTC), datetime(2024, 5, 3, 10, tzinfo=UTC))
    assert proposal.unsure == ()
    # What the format finds by itself is not written down.
    assert "position" not in proposal.columns
    assert checked(proposal, tmp_path, "impressions") == {
        "query": "keyword", "document": "sku", "position": "rank", "user": "user_id", "time": "event_time",
        "click": "is_clicked", "purchase": "purchased",
    }  # fmt: skip


def test_a_flat_log_in_japanese_with_a_row_that_is_broken(tmp_path: Path) -> None:
    rows = "".join(f"2024-05-01 10:00:0{n},六角ボルト,B-0{n},{n + 1},{n % 2}\n" for n in range(4))
    proposal = propose(
        log_of(tmp_path, "log.csv", "検索日時,検索キーワード,商品コード,表示順位,クリック\nx\n" + rows)
    )
    assert proposal.actions == {"click": 2}
    assert (proposal.first_rank, proposal.rejected) == (1, 1)
    assert "1 more could not be read" in proposal.toml()
    assert checked(proposal, tmp_path, "impressions") == {
        "query": "検索キーワード", "document": "商品コード", "position": "表示順位", "time": "検索日時",
        "click": "クリック",
    }  # fmt: skip


def test_names_that_say_nothing_are_told_by_their_values_with_a_note(tmp_path: Path) -> None:
    rows = "".join(
        f"{1_700_000_000 + n % 5},hex bolt {n % 2},B{n % 3}x,{n % 4 + 1},{n % 2}\n" for n in range(12)
    )
    proposal = propose(log_of(tmp_path, "log.csv", "a,b,c,d,clicked\n" + rows))
    assert {name: proposal.columns[name] for name in ("time", "query", "document", "position")} == {
        "time": "a", "query": "b", "document": "c", "position": "d",
    }  # fmt: skip
    assert [sentence for sentence in proposal.unsure if "was taken for" in sentence] == [
        "'a' was taken for the time because its values look like times",
        "'d' was taken for the position because its values are small whole numbers",
        "'b' was taken for the query because its values are texts that repeat",
        "'c' was taken for the document because its values are words or numbers that repeat",
    ]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    proposal = propose(log_of(tmp_path, "log.csv", "query,position\nhex bolt,3\n"))
    assert proposal.unsure == (
        "no column for document was found; name it as log.columns.document",
        "no column of clicks was found; name it as log.columns.click",
        "the least position is 3; positions should start at 0 or 1",
        "no times were read; decay, windows and sessions need them",
    )
    assert "# Look at this: no column for document" in proposal.toml()


def ubi_event(action: str, row: int) -> dict[str, Any]:
    return {
        "action_name": action, "query_id": f"q{row}", "client_id": "c", "timestamp": f"2024-01-0{row + 1}T00:00:00Z",
        "event_attributes": {"object": {"object_id": row}, "position": {"ordinal": row}},
    }  # fmt: skip


def test_ubi_events_beside_queries(tmp_path: Path) -> None:
    actions = ["impression", "impression", "click", "click_through", "add_to_cart", "brand_filter"]
    log_of(tmp_path, "ubi/ubi_events.jsonl", [ubi_event(action, row) for row, action in enumerate(actions)])
    log_of(tmp_path, "ubi/ubi_queries.jsonl", [{"query_id": "q0", "user_query": "bolt"}])
    proposal = propose(tmp_path / "ubi")
    assert (proposal.format, proposal.first_rank) == ("ubi", 0)
    assert proposal.queries == tmp_path / "ubi/ubi_queries.jsonl"
    assert proposal.actions == {"click": 2, "cart": 1}
    assert proposal.other == {"brand_filter": 1}
    assert (proposal.columns, proposal.unsure) == ({}, ())
    assert checked(proposal, tmp_path, "events")["document"] == "event_attributes"
    alone = propose(tmp_path / "ubi/ubi_events.jsonl")
    assert alone.unsure == ("the events hold no query texts; name the file of queries as log.queries",)


def test_queries_of_ubi_given_as_the_log(tmp_path: Path) -> None:
    rows = [{"query_id": "q0", "user_query": "bolt", "query_response_hit_ids": ["a"]}]
    with pytest.raises(LogError, match="these are the queries of a UBI log"):
        propose(log_of(tmp_path, "log.jsonl", rows))


def test_ga4(tmp_path: Path) -> None:
    def event(name: str, index: int) -> dict[str, Any]:
        return {
            "event_name": name, "event_timestamp": str(1_700_000_000_000_000 + index), "user_pseudo_id": "u",
            "event_params": [
                {"key": "ga_session_id", "value": {"int_value": "5"}},
                {"key": "search_term", "value": {"string_value": "ねじ"}},
            ],
            "items": [{"item_id": "a", "item_list_index": "1"}, {"item_id": "b", "item_list_index": "2"}],
        }  # fmt: skip

    names = ["view_search_results", "select_item", "select_item", "purchase", "scroll"]
    proposal = propose(log_of(tmp_path, "events.jsonl", [event(name, n) for n, name in enumerate(names)]))
    assert (proposal.format, proposal.first_rank, proposal.unsure) == ("ga4", 1, ())
    assert (proposal.actions, proposal.other) == ({"click": 2, "purchase": 1}, {"scroll": 1})
    assert proposal.span is not None
    assert proposal.span[0] == datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize("as_text", [False, True])
def test_result_pages(tmp_path: Path, as_text: bool) -> None:
    documents: list[Any] = [["a", "b", "c"], ["b", "a"]]
    clicked: list[Any] = [["b"], []]
    if as_text:
        documents, clicked = ["a|b|c", "b|a"], ["b", ""]
    path = tmp_path / "pages.parquet"
    table = {"keyword": ["x", "y"], "results": documents, "clicked": clicked, "session_id": ["1", "2"]}
    pq.write_table(pa.table(table), path)
    proposal = propose(path)
    assert proposal.format == "sessions"
    assert proposal.actions == {"click": 1}
    assert checked(proposal, tmp_path, "pages") == {
        "query": "keyword", "documents": "results", "clicks": "clicked", "session": "session_id",
    }  # fmt: skip


def test_fields_of_objects_are_proposed_and_never_the_objects(tmp_path: Path) -> None:
    rows = [
        {
            "search": {"text": f"hex bolt {n % 3}", "lang": "en"}, "doc": {"id": f"B{n % 4}", "tags": [{"t": "x"}]},
            "place": {"rank": n % 5 + 1}, "click": {"at": n}, "purchased": n % 2, "results": [{"id": n}, {"id": 7}],
        }
        for n in range(20)
    ]  # fmt: skip
    proposal = propose(log_of(tmp_path, "log.jsonl", rows))
    assert proposal.format == "flat"
    assert proposal.columns == {
        "query": "search.text", "document": "doc.id", "position": "place.rank", "purchase": "purchased",
    }  # fmt: skip
    assert proposal.actions == {"purchase": 10}
    assert checked(proposal, tmp_path, "impressions")["query"] == "search"


def test_the_log_beside_the_truth_that_it_was_simulated_from(tmp_path: Path) -> None:
    truth = pa.table({"query": ["bolt"], "document": ["a"], "relevance": [0.5], "attraction": [0.5]})
    log = log_of(tmp_path, "sim/log.csv", "query,document,position,click\nbolt,a,1,1\n")
    assert propose(tmp_path / "sim").path == tmp_path / "sim"
    pq.write_table(truth, tmp_path / "sim/truth.parquet")
    assert propose(tmp_path / "sim").path == log
    # Of two logs neither is the one.
    log_of(tmp_path, "sim/more.csv", "query,document,position,click\nbolt,a,1,1\n")
    assert propose(tmp_path / "sim").path == tmp_path / "sim"


def test_files_that_will_not_be_read_are_said(tmp_path: Path) -> None:
    content = "query,document,position,click,time\nbolt,a,1,1,2026-01-05\n"
    for name in ("days/1.csv", "days/3.csv.bz2"):
        log_of(tmp_path, name, content)
    assert propose(tmp_path / "days").unsure == ("3.csv.bz2 is of no known format and will not be read",)
    log_of(tmp_path, "days/4.log", content)
    assert propose(tmp_path / "days").unsure == (
        "3.csv.bz2 and 1 more are of no known format and will not be read",
    )


def test_columns_in_neither_language_are_told_by_their_values(tmp_path: Path) -> None:
    rows = "".join(
        f"0{n % 3 + 1}.03.2026 08:00;s{n % 4};hex bolt {n % 2};{n % 5 + 1};ja\n" for n in range(40)
    )
    proposal = propose(log_of(tmp_path, "log.csv", "Datum;Sitzung;Suchbegriff;Platz;Klick\n" + rows))
    assert (proposal.columns["query"], proposal.columns["position"]) == ("Suchbegriff", "Platz")
    assert "# click = 1.0\n" in proposal.toml()
    assert any("log.columns.click" in sentence for sentence in proposal.unsure)
