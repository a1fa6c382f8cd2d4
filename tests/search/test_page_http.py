"""What the pages are served and ask for: files, explanations, likeness, the catalogue, grades and votes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet
import pytest
from fastapi import FastAPI
from tiny_service import HOME, Through, lines, make_app, make_model, make_shop, png, served
from typer.testing import CliRunner

from gradus.cli.main import app as command
from gradus.errors import SearchError, SettingsError
from gradus.search.client import Client, ServiceError
from gradus.search.engine import Engine
from gradus.search.page.assets import load_assets
from gradus.search.service.app import create_app
from gradus.search.service.feedback import UbiLog
from gradus.search.service.grades import GradeBook
from gradus.search.service.keys import add_key, read_keys
from gradus.search.service.state import Desk
from gradus.settings import ServiceSettings, Settings
from gradus.workflow.serving import load_engine, serve, texts_to_judge
from gradus.workflow.votes import read_preferences

PAGES = ("/", "/compare", "/judge")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("shop")
    make_model(folder / "rival", seed=1)
    return make_shop(folder)


@pytest.fixture(scope="module")
def engines(shop: Settings) -> tuple[Engine, Engine]:
    return load_engine(shop, shop.root / "model"), load_engine(shop, shop.root / "rival", rival=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def raw(shop: Settings, log: Path) -> Iterator[httpx.Client]:
    """A service of two models with a log and something to judge."""
    with served(two_models(shop, log)) as client:
        yield client


def two_models(shop: Settings, log: Path | None, **changed: Any) -> FastAPI:
    settings = ServiceSettings(**({"rate": 1e6, "burst": 10**6} | changed))
    desk = Desk(lambda: ["red nut", "blue bolt", "red nut"])
    return create_app(
        load_engine(shop, shop.root / "model"),
        lambda: load_engine(shop, shop.root / "model"),
        settings,
        log=UbiLog(log) if log else None,
        beside=[load_engine(shop, shop.root / "rival", rival=True)],
        desk=desk,
    )


# The files of the pages


def test_pages_load_nothing_but_what_lies_here(raw: httpx.Client) -> None:
    for path in PAGES:
        page = raw.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"https?://|<style|style=|\son\w+=|javascript:", page.text)
        loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
        assert len(loaded) >= 5
        for address in loaded:
            asset = raw.get(address)
            assert asset.status_code == 200
            assert asset.headers["cache-control"] == "no-cache"
            fresh = raw.get(address, headers={"if-none-match": asset.headers["etag"]})
            assert (fresh.status_code, fresh.content) == (304, b"")


def test_scripts_import_what_there_is_and_make_no_markup() -> None:
    scripts = {name: a.content.decode() for name, a in load_assets().items() if name.endswith(".js")}
    assert len(scripts) > 8
    for name, text in scripts.items():
        for source, names in re.findall(r'^import \{([^}]*)\} from "\./([^"]+)"', text, re.M):
            exported = re.findall(
                r"^export (?:async )?(?:function|const|let|class) (\w+)", scripts[names], re.M
            )
            assert {one.strip() for one in source.split(",")} <= set(exported), name
        for sink in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert sink not in text


def test_every_text_is_there_in_both_languages_and_used() -> None:
    assets = {name: asset.content.decode() for name, asset in load_assets().items()}
    defined = re.findall(
        r'^  "([\w.-]+)": \[\s*"((?:[^"\\]|\\.)+)",\s*"((?:[^"\\]|\\.)+)",?\s*\]', assets["words.js"], re.M
    )
    words = {name: (english, japanese) for name, english, japanese in defined}
    assert len(words) == assets["words.js"].count('\n  "') > 90
    for name, texts in words.items():
        blanks = [sorted(re.findall(r"\{(\w+)\}", text)) for text in texts]
        assert blanks[0] == blanks[1], name
    rest = "".join(
        text for name, text in assets.items() if name.endswith((".js", ".html")) and name != "words.js"
    )
    asked = set(re.findall(r'\bt\(\s*"([\w.-]+)"', rest)) | set(
        re.findall(r'data-t(?:-label|-placeholder)?="([\w.-]+)"', rest)
    )
    assert asked <= set(words)
    made = (
        "error.",
        "judge.level.",
        "compare.",
        "filters.",
        "search.title",
        "judge.title",
        "explain.",
        "found",
    )
    unused = {name for name in words if f'"{name}"' not in rest and not name.startswith(made)}
    assert not unused
    # The page as it is sent is what English says.
    for name, text in re.findall(
        r'data-t="([\w.-]+)"[^>]*>([^<]+)<', assets["search.html"] + assets["judge.html"]
    ):
        assert words[name][0] == text


@pytest.mark.parametrize(
    "name", ["search.html", "layout.html", "..%2fapp.py", "%2e%2e/keys.py", "assets.py", "words.js%00", ""]
)
def test_only_files_of_the_pages_are_served(raw: httpx.Client, name: str) -> None:
    assert raw.get(f"/static/{name}").status_code == 404


def test_with_keys_the_pages_open_and_show_nothing(shop: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = {scope: add_key(file, scope, [scope]) for scope in ("search", "feedback", "judge")}
    app, _ = make_app(shop, read_keys(file), tmp_path / "log", rate=0.01, burst=60)
    wanted = {
        "search": [("GET", "/catalog", None), ("POST", "/explain", {"text": "nut", "doc_id": "red/nut 1"})],
        "judge": [
            ("GET", "/grades/progress?rater=a", None),
            ("GET", "/grades?rater=a&query=b", None),
            ("GET", "/grades/disputes", None),
            (
                "POST",
                "/grades",
                {"rater": "a", "grades": [{"query": "q", "doc_id": "red/nut 1", "grade": 1}]},
            ),
        ],
    }
    with served(app) as raw:
        for path in (*PAGES, "/static/search.js"):
            answer = raw.get(path, headers={"host": "search.example"})
            assert answer.status_code == 200
            assert raw.get(path, headers={"origin": "http://evil.example"}).status_code == 403
        for scope, requests in wanted.items():
            for method, path, body in requests:
                for name, key in keys.items():
                    headers = {"authorization": f"Bearer {key}"}
                    answer = raw.request(method, path, json=body, headers=headers)
                    assert answer.status_code == (200 if name == scope else 403), (path, answer.text)
                assert raw.request(method, path, json=body).status_code == 401
        assert [raw.get("/").status_code for _ in range(60)][
            -1
        ] == 429  # who has no key is limited by address


def test_without_keys_only_this_machine_is_answered(raw: httpx.Client) -> None:
    for path in (*PAGES, "/static/search.js"):
        assert raw.get(path, headers={"host": "search.example"}).status_code == 421


# Explanations, likeness, the catalogue


def test_an_explanation_is_that_of_the_score_that_was_shown(raw: httpx.Client) -> None:
    with Client(HOME, transport=Through(raw)) as client:
        for how in (
            {"text": "red nut"},
            {"image": png("blue")},
            {"text": "red nut", "image": png("blue"), "weights": {"shown": 3.0}},
            {"like": "red/nut 1", "weights": {"picture": 0.0}},
        ):
            hit = client.search(**how).hits[1]
            why = client.explain(hit.doc_id, **how)
            assert why.score == pytest.approx(hit.score, abs=2e-6)
            assert sum(part.score for part in why.contributions) == pytest.approx(why.score, abs=1e-6)
        assert why.contributions[0].query.field == "title"
        with pytest.raises(ServiceError, match="no-document, 404"):
            client.explain("nothing", "red nut")
        with pytest.raises(ServiceError, match="search for a text"):
            client.explain("red/nut 1")


def test_others_like_a_document_do_not_include_it(raw: httpx.Client, engines: tuple[Engine, Engine]) -> None:
    engine = engines[0]
    vectors = engine.encoder.embed("document", engine.encoder.prepare("document", engine.documents))
    row = engine.documents.row_of["red/nut 1"]
    order = [engine.documents.ids[r] for r in np.argsort(-(vectors @ vectors[row])) if r != row]
    with Client(HOME, transport=Through(raw)) as client:
        assert [hit.doc_id for hit in client.search(like="red/nut 1", k=4).hits] == order[:4]
        everything = client.search(like="red/nut 1", k=200).hits
        assert (len(everything), everything[-1].position) == (19, 19)
        with pytest.raises(ServiceError, match="invalid-request, 422"):
            client.search("red", like="red/nut 1")
        with pytest.raises(ServiceError, match="invalid-request, 422"):
            client.search(like="nothing")


def test_what_is_only_looked_at_is_not_recorded(raw: httpx.Client, log: Path) -> None:
    with Client(HOME, transport=Through(raw)) as client:
        typed = client.search("re", record=False)
        meant = client.search(like="red/nut 1", session_id="s")
        client.click(meant, meant.hits[0].doc_id)
    recorded = lines(log / "queries")
    assert [line["query_id"] for line in recorded] == [meant.query_id]
    assert typed.query_id != meant.query_id
    assert recorded[0]["query_attributes"]["like"] == "red/nut 1"
    assert recorded[0]["user_query"] == ""


def test_the_catalogue_says_what_there_is(raw: httpx.Client, engines: tuple[Engine, Engine]) -> None:
    said = raw.get("/catalog").json()
    assert said["documents"] == 20
    assert said["versions"] == [
        {"version": engine.version, "name": n} for engine, n in zip(engines, ("model", "rival"), strict=True)
    ]
    fields = {field["name"]: field for field in said["fields"]}
    assert (fields["size"]["low"], fields["size"]["high"]) == (0.0, 35.0)
    assert fields["kind"]["values"] == 4
    assert fields["kind"]["weight"] == 0 < fields["title"]["weight"] < 1
    assert said["document_weights"] == []
    assert [field["name"] for field in said["query_fields"]] == ["query", "shown"]
    assert said["sample"][0]["fields"]["picture"].startswith("/documents/red%2Fbolt%200/image")
    assert len(said["sample"]) == 20
    assert (said["examples"], said["scale"], said["recording"]) == (
        ["red nut", "blue bolt", "red nut"],
        [0, 1, 2, 3],
        True,
    )


def test_versions_beside_outlast_swaps(raw: httpx.Client, engines: tuple[Engine, Engine]) -> None:
    with Client(HOME, transport=Through(raw)) as client:
        rival = engines[1]
        found = client.search("red nut", version=rival.version)
        hits = rival.find(rival.embed([rival.ask("red nut")])[0], 10)
        assert [hit.doc_id for hit in found.hits] == [hit.doc_id for hit in hits]
        assert client.swap().kept == [engines[0].version]
        assert client.search("red nut", version=rival.version).hits == found.hits
        with pytest.raises(ServiceError, match="unknown-version, 404"):
            client.swap(rival.version)  # it is there to be compared with, not to be served


def test_a_model_is_not_compared_with_itself(shop: Settings) -> None:
    with pytest.raises(SettingsError, match="compared with itself"):
        serve(shop, shop.root / "model", [shop.root / "model"])


# Grades


def grade(raw: httpx.Client, rater: str, doc_id: str, grade: Any, query: str = "red nut") -> httpx.Response:
    body = {"rater": rater, "grades": [{"query": query, "doc_id": doc_id, "grade": grade}]}
    return raw.post("/grades", json=body)


@pytest.mark.parametrize("listed", [False, True], ids=["queries are texts", "queries have ids"])
def test_grades_become_judgments(shop: Settings, tmp_path: Path, listed: bool) -> None:
    log = tmp_path / "served"
    with served(two_models(shop, log)) as raw:
        for rater, doc_id, given in [
            ("Ann", "red/nut 1", 1),
            ("Ann", "red/bolt 0", 1),
            ("Ann", "blue/nut 6", 0),
            ("Bo", "red/nut 1", 3),
            ("Ann", "red/nut 1", 3),  # on second thought
        ]:
            assert grade(raw, rater, doc_id, given).json() == {"recorded": 1}
    assert len(lines(log / "grades")) == 5
    # The file of another service: older, and still written to.
    older = {"query": "red nut", "doc_id": "red/nut 1", "grade": 0, "rater": "Bo", "timestamp": "2020"}
    (log / "grades" / "2020-01-01.jsonl").write_text(json.dumps(older) + '\n{"query": "red n')
    text = (shop.root / "gradus.toml").read_text().replace("catalog.csv", str(shop.root / "catalog.csv"))
    # The queries of judgments are texts alone.
    text = text.replace('shown = { type = "image" }\n', "")
    if listed:
        text = text.replace("[service]", '[query]\npath = "queries.csv"\n[service]')
        (tmp_path / "queries.csv").write_text("query_id,query\nq1,Red  Nut\nq2,blue bolt\n")
    (tmp_path / "gradus.toml").write_text(text)
    ran = CliRunner().invoke(
        command,
        [
            *("judge", "--settings", str(tmp_path / "gradus.toml"), "--out", str(tmp_path / "judged")),
            *("--grades.path", str(log / "grades"), "--grades.scale", "0,1,2,3", "--grades.model", "mean"),
        ],
    )
    assert ran.exit_code == 0, ran.output
    judged = pyarrow.parquet.read_table(tmp_path / "judged" / "judgments.parquet").to_pylist()
    name = "q1" if listed else "red nut"
    scores = {(row["query_id" if listed else "query"], row["doc_id"]): row["score"] for row in judged}
    assert set(scores) == {(name, doc_id) for doc_id in ("red/nut 1", "red/bolt 0", "blue/nut 6")}
    best, middle, worst = (scores[name, doc_id] for doc_id in ("red/nut 1", "red/bolt 0", "blue/nut 6"))
    assert best > middle > worst


def test_progress_and_disputes(raw: httpx.Client) -> None:
    for rater, doc_id, given in [
        ("Ann", "red/nut 1", 3),
        ("Bo", "red/nut 1", 2),
        ("Ann", "red/bolt 0", 0),
        ("Bo", "red/bolt 0", 3),
        ("Ann", "blue/nut 6", 1),
        ("Bo", "blue/nut 6", 1),
        ("Ann", "green/nut 11", 1),
    ]:
        assert grade(raw, f" {rater} ", doc_id, given).status_code == 200
    grade(raw, "Ann", "red/nut 1", 2, query="own  query")
    said = raw.get("/grades/progress", params={"rater": "Bo"}).json()["queries"]
    assert said == [
        {"query": "red nut", "mine": 3, "raters": 2},
        {"query": "blue bolt", "mine": 0, "raters": 0},
        {"query": "own query", "mine": 0, "raters": 1},
    ]
    mine = raw.get("/grades", params={"rater": "Ann", "query": "red nut"}).json()["grades"]
    assert mine == {"red/nut 1": 3, "red/bolt 0": 0, "blue/nut 6": 1, "green/nut 11": 1}
    found = raw.get("/grades/disputes").json()
    assert found["pairs"] == 3
    assert [(one["doc_id"], one["grades"]) for one in found["disputes"]] == [
        ("red/bolt 0", {"Ann": 0, "Bo": 3}),
        ("red/nut 1", {"Ann": 3, "Bo": 2}),
    ]
    assert found["disputes"][0]["fields"]["title"] == "red bolt"
    assert grade(raw, "Bo", "red/bolt 0", 0).status_code == 200  # they made up
    assert len(raw.get("/grades/disputes").json()["disputes"]) == 1


@pytest.mark.parametrize(
    ("rater", "doc_id", "given", "query"),
    [
        ("Ann", "red/nut 1", 4, "red nut"),
        ("Ann", "red/nut 1", "3", "red nut"),
        ("Ann", "red/nut 1", True, "red nut"),
        ("Ann", "red/nut 1", 1e400, "red nut"),
        ("Ann", "nothing", 1, "red nut"),
        ("Ann", "red/nut 1", 1, "  "),
        ("\u200b", "red/nut 1", 1, "red nut"),
        ("A" * 65, "red/nut 1", 1, "red nut"),
    ],
)
def test_grades_that_are_none(
    raw: httpx.Client, log: Path, rater: str, doc_id: str, given: Any, query: str
) -> None:
    body = {
        "rater": rater,
        "grades": [
            {"query": "red nut", "doc_id": "red/nut 1", "grade": 1},
            {"query": query, "doc_id": doc_id, "grade": given},
        ],
    }
    answer = raw.post("/grades", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert not (log / "grades").exists()  # all or none


def test_scales_of_words(shop: Settings, tmp_path: Path) -> None:
    engine = load_engine(shop, shop.root / "model")
    desk = Desk(scale=("bad", "good"))
    app = create_app(engine, lambda: engine, ServiceSettings(), log=UbiLog(tmp_path), desk=desk)
    with served(app) as raw:
        assert grade(raw, "Ann", "red/nut 1", "good").status_code == 200
        assert grade(raw, "Ann", "red/nut 1", 1).status_code == 422
    assert GradeBook(tmp_path / "grades").given("Ann", "red nut") == {"red/nut 1": "good"}


def test_grades_are_those_of_all_files_as_they_grow_are_cut_and_go(tmp_path: Path) -> None:
    """What one that has read before knows is what one knows that reads everything."""
    book, random = GradeBook(tmp_path), np.random.default_rng(0)
    files = [tmp_path / "2026-05-04.jsonl", tmp_path / "2026-05-04.1.jsonl"]

    def line() -> bytes:
        query, document, rater, grade = random.integers(0, [3, 4, 3, 4])
        time = f"2026-05-04T10:00:{random.integers(0, 60):02d}.000Z"
        row = {"query": f"q{query}", "doc_id": f"d{document}", "rater": f"r{rater}", "grade": int(grade)}
        return json.dumps(row | {"timestamp": time}).encode() + b"\n"

    held = dict.fromkeys(files, b"")
    assert book.shared() == {}
    for turn in range(60):
        path = files[int(random.integers(0, 2))]
        if turn % 20 == 19:  # the disk did not confirm half of the lines
            whole = held[path].splitlines(keepends=True)
            held[path] = b"".join(whole[: len(whole) // 2])
        else:
            held[path] += line()
        path.write_bytes(held[path] + b'{"query": "q0", "doc')  # another line is being written
        again = GradeBook(tmp_path)
        assert book.shared() == again.shared()
        for rater in ("r0", "r1"):
            assert book.progress(rater) == again.progress(rater)
            assert book.given(rater, "q1") == again.given(rater, "q1")
    assert book.shared()
    files[0].unlink()
    assert book.progress("r0") == GradeBook(tmp_path).progress("r0")


def test_without_a_log_nothing_can_be_judged(shop: Settings) -> None:
    with served(two_models(shop, None)) as raw:
        assert raw.get("/catalog").json()["recording"] is False
        assert grade(raw, "Ann", "red/nut 1", 1).status_code == 404
        assert raw.get("/grades/disputes").json() == {"pairs": 0, "disputes": []}
        assert raw.get("/grades/progress", params={"rater": "Ann"}).json()["queries"][0]["mine"] == 0


def test_the_queries_to_judge_are_those_of_the_settings(shop: Settings, tmp_path: Path) -> None:
    (tmp_path / "queries.csv").write_text(
        "query_id,query,shown\na,red nut,\nb,,x.png\nc,blue bolt,\nd,red nut,\n"
    )
    (tmp_path / "judgments.csv").write_text(
        "query_id,query,shown,doc_id,score\nz,green spring,,red/nut 1,1\nz,green spring,,red/bolt 0,0.5\n"
    )
    engine = load_engine(shop, shop.root / "model")
    given = shop.with_values({"query.path": str(tmp_path / "queries.csv")})
    assert texts_to_judge(given, engine.documents) == ["red nut", "blue bolt"]
    judged = shop.with_values({"judgments.path": str(tmp_path / "judgments.csv")})
    assert texts_to_judge(judged, engine.documents) == ["green spring"]


def test_queries_that_cannot_be_read_leave_nothing_but_ones_own(shop: Settings) -> None:
    def broken() -> list[str]:
        raise SearchError("no file")

    engine = load_engine(shop, shop.root / "model")
    app = create_app(engine, lambda: engine, ServiceSettings(), desk=Desk(broken))
    with served(app) as raw:
        assert raw.get("/catalog").json()["examples"] == []
        assert raw.get("/grades/progress", params={"rater": "Ann"}).json() == {"queries": []}


# Votes


def vote(
    raw: httpx.Client,
    engines: tuple[Engine, Engine],
    query: str,
    rater: str,
    choice: str,
    turned: bool = False,
) -> httpx.Response:
    sides = [{"version": engine.version, "doc_ids": ["red/nut 1"]} for engine in engines]
    left, right = reversed(sides) if turned else sides
    return raw.post(
        "/votes", json={"rater": rater, "query": query, "left": left, "right": right, "choice": choice}
    )


def test_votes_are_summed_up_by_model_whatever_the_side(
    shop: Settings, engines: tuple[Engine, Engine], tmp_path: Path
) -> None:
    with served(two_models(shop, tmp_path / "served")) as raw:
        for query, rater, choice, turned in [
            ("a", "Ann", "left", False),  # model
            ("a", "Bo", "left", True),  # rival
            ("b", "Ann", "right", True),  # model
            ("c", "Ann", "tie", False),
            ("d", "Ann", "right", False),  # rival; taken back below
            ("d", "Ann", "left", False),  # model
        ]:
            assert vote(raw, engines, query, rater, choice, turned).json() == {"recorded": 1}
    settings = shop.with_values({"service.log": str(tmp_path / "served")})
    (found,) = read_preferences(settings)
    model, rival = (f"{e.name} ({e.version})" for e in engines)
    assert (found.first, found.second) == (model, rival)
    assert (found.wins, found.ties, found.losses, found.queries) == (3, 1, 1, 4)
    # By query: a (1 + 0) / 2, b 1, c a half, d 1.
    assert found.share == pytest.approx((0.5 + 1 + 0.5 + 1) / 4)
    assert 0.5 <= found.low < found.share < found.high <= 1
    assert found.left == 3 / 4  # left, left, right, left
    ran = CliRunner().invoke(
        command,
        [
            "votes",
            "--settings",
            str(shop.root / "gradus.toml"),
            "--service.log",
            str(tmp_path / "served"),
            "--json",
        ],
    )
    assert json.loads(ran.output)[0]["wins"] == 3


def test_votes_that_are_none(raw: httpx.Client, engines: tuple[Engine, Engine], log: Path) -> None:
    assert vote(raw, (engines[0], engines[0]), "a", "Ann", "left").status_code == 422
    assert vote(raw, engines, "\u200b", "Ann", "left").status_code == 422
    assert vote(raw, engines, "a", "Ann", "both").status_code == 422
    body = {"version": "other", "doc_ids": []}
    other = {
        "rater": "a",
        "query": "q",
        "left": body,
        "right": body | {"version": engines[0].version},
        "choice": "tie",
    }
    assert raw.post("/votes", json=other).status_code == 404
    assert not (log / "votes").exists()


def test_where_there_are_no_votes(shop: Settings, tmp_path: Path) -> None:
    settings = shop.with_values({"service.log": str(tmp_path)})
    with pytest.raises(SearchError, match=r"no votes in .*compare"):
        read_preferences(settings)
    (tmp_path / "votes").mkdir()
    (tmp_path / "votes" / "a.jsonl").write_text('{"query": "x"}\n')
    with pytest.raises(SearchError, match="line 1 is no vote"):
        read_preferences(settings)
