"""Where the columns of each format are found, and what is said when they are not."""

import pyarrow as pa
import pytest

from gradus.errors import LogError
from gradus.judgments.logs.formats import FORMATS, Source, find_source, find_sources, get_format, list_sources
from gradus.settings import LogSettings

TEXT = pa.string()
EVENT = pa.struct(
    [("object", pa.struct([("object_id", TEXT)])), ("position", pa.struct([("ordinal", pa.int64())]))]
)
UBI = pa.schema(
    [
        ("action_name", TEXT),
        ("query_id", TEXT),
        ("client_id", TEXT),
        ("timestamp", TEXT),
        ("event_attributes", EVENT),
    ]
)
VALUE = pa.struct([("string_value", TEXT), ("int_value", TEXT)])
GA4 = pa.schema(
    [
        ("event_name", TEXT),
        ("event_timestamp", TEXT),
        ("user_pseudo_id", TEXT),
        ("event_params", pa.list_(pa.struct([("key", TEXT), ("value", VALUE)]))),
        ("items", pa.list_(pa.struct([("item_id", TEXT), ("item_list_index", TEXT)]))),
    ]
)
FLAT = pa.schema([(name, TEXT) for name in ("search_word", "doc_id", "rank", "click", "when")])


def test_the_formats_are_those_of_the_settings() -> None:
    assert tuple(FORMATS) == LogSettings.__dataclass_fields__["format"].metadata["choices"]
    with pytest.raises(LogError, match="choose one of flat, ubi, sessions, ga4"):
        get_format("ubbi")


def test_ubi_events_by_default() -> None:
    found = find_sources(get_format("ubi"), "events", UBI, {})
    assert found["document"] == Source("event_attributes", TEXT, fields=("object", "object_id"))
    assert found["position"] == Source("event_attributes", pa.int64(), fields=("position", "ordinal"))
    assert set(found) == {"action", "page", "document", "position", "user", "time"}


def test_ubi_below_source_as_opensearch_exports_it() -> None:
    wrapped = pa.schema([("_id", TEXT), ("_source", pa.struct(list(UBI)))])
    found = find_sources(get_format("ubi"), "events", wrapped, {})
    assert found["document"].fields == ("event_attributes", "object", "object_id")
    assert {source.column for source in found.values()} == {"_source"}


def test_ga4_by_default() -> None:
    found = find_sources(get_format("ga4"), "events", GA4, {})
    assert found["document"] == Source("items", TEXT, each=True, inner=("item_id",))
    assert found["query"] == Source("event_params", VALUE, key="search_term")


def test_given_columns_come_before_the_defaults_and_may_speak_of_one_table() -> None:
    flat = get_format("flat")
    found = find_sources(flat, "impressions", FLAT, {"query": "search_word", "time": "when"}, ["click"])
    assert {name: source.column for name, source in found.items()} == {
        "query": "search_word", "document": "doc_id", "position": "rank", "time": "when", "click": "click",
    }  # fmt: skip
    schema = pa.schema([("qid", TEXT), ("user_query", TEXT), ("stamp", TEXT)])
    found = find_sources(
        get_format("ubi"), "queries", schema, {"queries.page": "qid", "queries.time": "stamp"}
    )
    assert (found["page"].column, found["time"].column) == ("qid", "stamp")
    assert (
        find_sources(get_format("ubi"), "events", UBI, {"queries.page": "qid"})["page"].column == "query_id"
    )


def test_a_column_whose_own_name_has_dots_comes_first() -> None:
    name = "event_attributes.object.object_id"
    schema = UBI.append(pa.field(name, TEXT))
    assert find_source(name, schema) == Source(name, TEXT)


def test_a_text_column_may_hold_json_that_a_source_points_into() -> None:
    schema = pa.schema([("event_attributes", TEXT)])
    found = find_source("event_attributes.object.object_id", schema)
    assert found == Source("event_attributes", TEXT, fields=("object", "object_id"), json=True)
    assert find_source("event_attributes[].x", schema) is None


@pytest.mark.parametrize(
    "text", ["event_attributes.nothing", "event_attributes.object.object_id.x", "items[].item_id", "[]", "x["]
)
def test_sources_that_are_not_there(text: str) -> None:
    assert find_source(text, UBI) is None


def test_a_missing_column_names_the_nearest_and_the_remedy() -> None:
    with pytest.raises(LogError) as caught:
        find_sources(get_format("flat"), "impressions", FLAT, {"query": "serch_word"}, place="log.csv")
    assert "log.csv has no column 'serch_word' (log.columns.query); did you mean 'search_word'?" in str(
        caught.value
    )
    with pytest.raises(LogError) as caught:
        find_sources(get_format("flat"), "impressions", FLAT, {}, place="log.csv")
    assert "it has search_word, doc_id, rank, click, when" in str(caught.value)
    assert '[log.columns] query = "…"' in str(caught.value)
    with pytest.raises(LogError, match=r"did you mean 'event_attributes\.object\.object_id'"):
        find_sources(get_format("ubi"), "events", UBI, {"document": "event_attributes.object.objectid"})
    with pytest.raises(LogError, match=r"no column 'purchase' \(purchase of the format flat\)"):
        find_sources(get_format("flat"), "impressions", FLAT, {"query": "search_word"}, ["click", "purchase"])


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(LogError, match=r"'documnt', which the format flat lacks; did you mean 'document'"):
        find_sources(get_format("flat"), "impressions", FLAT, {"documnt": "doc_id"})


def test_all_sources_of_a_schema() -> None:
    assert list_sources(UBI)[-3:] == [
        "event_attributes.object.object_id", "event_attributes.position", "event_attributes.position.ordinal",
    ]  # fmt: skip
    assert "items[].item_list_index" in list_sources(GA4)


def test_events_stand_for_actions() -> None:
    assert get_format("ga4").action("select_item") == "click"
    assert get_format("ubi").action("purchase") == "purchase"
