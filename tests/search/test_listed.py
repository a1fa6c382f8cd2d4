"""Lists of any pipeline in the place of a model: found by the query's words, filtered, never explained."""

from pathlib import Path

import pytest
from tiny_service import make_shop, served

from gradus.errors import EvaluationError, SearchError
from gradus.evaluation.runs import Run, write_run
from gradus.search.engine import Engine, Wanted
from gradus.search.index.filters import Between, OneOf
from gradus.search.listed import ListedEngine, asked_as
from gradus.search.service.app import create_app
from gradus.settings import ServiceSettings, Settings
from gradus.workflow.listed import listed_engine
from gradus.workflow.serving import load_engine

NUTS = ["blue/nut 6", "gone", "red/nut 1", "black/nut 16"]
QUERIES = """query_id,query,shown
q1,"Red  NUT",
q2,bolt,
q3,with a picture,red-nut.png
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = make_shop(tmp_path_factory.mktemp("shop"))
    (made.root / "queries.csv").write_text(QUERIES, encoding="utf-8")
    run = Run("in use", ["q1", "q3"], [NUTS, ["red/bolt 0"]], [[9.0, 8.0, 7.5, 0.25], [1.0]])
    write_run(run, made.root / "in_use.parquet")
    return made.with_values({"query.path": "queries.csv"})


@pytest.fixture(scope="module")
def engine(shop: Settings) -> Engine:
    return load_engine(shop, shop.root / "model")


@pytest.fixture(scope="module")
def listed(shop: Settings, engine: Engine) -> ListedEngine:
    return listed_engine(shop, engine, shop.root / "in_use.parquet")


def ids(listed: ListedEngine, text: str, k: int = 10, **where: object) -> list[str]:
    query = listed.ask(text)
    (found,) = listed.find_all(listed.embed([query]), [Wanted.of(query, k, where)])  # type: ignore[arg-type]
    return [hit.doc_id for hit in found]


def test_a_list_is_found_by_its_query_in_any_case_without_what_the_catalogue_lacks(
    listed: ListedEngine,
) -> None:
    assert ids(listed, "red nut") == ["blue/nut 6", "red/nut 1", "black/nut 16"]
    assert ids(listed, "ＲＥＤ nut", k=2) == ["blue/nut 6", "red/nut 1"]
    query = listed.ask("red nut")
    scores = [hit.score for hit in listed.find_all(listed.embed([query]), [Wanted.of(query, 10)])[0]]
    assert scores == [9.0, 7.5, 0.25]


def test_other_queries_find_nothing(listed: ListedEngine) -> None:
    assert ids(listed, "bolt") == []  # it was not asked
    assert ids(listed, "with a picture") == []  # and this not by its words alone
    like = listed.ask_like("red/nut 1")
    assert listed.find_all(listed.embed([like]), [Wanted.of(like, 5)]) == [[]]


def test_filters_hold(listed: ListedEngine) -> None:
    assert ids(listed, "red nut", kind=OneOf(frozenset({"bolt"}))) == []
    # Sizes are 2.5 times the number in the id; black parts have none.
    assert ids(listed, "red nut", size=Between(0.0, 10.0)) == ["red/nut 1"]


def test_nothing_is_explained(listed: ListedEngine) -> None:
    with pytest.raises(SearchError, match="'in use' is a list that was given"):
        listed.explain(listed.ask("red nut"), "red/nut 1")


def test_a_run_of_other_queries_is_refused(shop: Settings, engine: Engine, tmp_path: Path) -> None:
    write_run(Run("other", ["x7"], [["red/nut 1"]], [[1.0]]), tmp_path / "other.trec.parquet")
    with pytest.raises(EvaluationError, match=r"no list for a query of a text alone .* first query is 'x7'"):
        listed_engine(shop, engine, tmp_path / "other.trec.parquet")


def test_the_service_answers_with_both(shop: Settings, engine: Engine, listed: ListedEngine) -> None:
    settings = ServiceSettings(rate=1e6, burst=10**6)
    with served(create_app(engine, lambda: engine, settings, None, None, [listed])) as client:
        versions = client.get("/catalog").json()["versions"]
        assert versions[1] == {"version": listed.version, "name": "in use"}
        asked = {"text": "red nut", "version": listed.version, "facets": ["kind"]}
        answer = client.post("/search", json=asked).json()
        assert [hit["doc_id"] for hit in answer["hits"]] == ["blue/nut 6", "red/nut 1", "black/nut 16"]
        assert answer["hits"][0]["fields"]["title"] == "blue nut"
        refused = client.post(
            "/explain", json={"text": "red nut", "doc_id": "red/nut 1", "version": listed.version}
        )
        assert refused.status_code in (400, 404, 422)
        assert "list that was given" in refused.json()["detail"]


def test_what_a_query_is_known_by() -> None:
    assert asked_as(" Ｍ８  Bolt ") == "m8 bolt"
