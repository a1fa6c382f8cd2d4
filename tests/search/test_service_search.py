"""`POST /search` and `GET /documents`, through the application as a server runs it."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tiny_service import HOME, Through, lines, make_app, make_model, make_shop, png, served

from gradus.search.client import Client, ServiceError
from gradus.search.engine import Engine
from gradus.settings import Settings, read_settings
from gradus.workflow.indexing import build_index
from gradus.workflow.serving import load_engine


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def at_work(
    shop: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, httpx.Client, Engine, Path]]:
    log = tmp_path_factory.mktemp("log")
    app, engine = make_app(shop, log=log)
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        yield client, raw, engine, log


Work = tuple[Client, httpx.Client, Engine, Path]


def test_it_answers_what_the_engine_finds(at_work: Work) -> None:
    client, _, engine, _ = at_work
    found = client.search("red nut", k=3, filters={"size": (0, 40)}, facets=["kind"])
    hits = engine.find(engine.embed([engine.ask("red nut")])[0], 3, engine.where({"size": (0.0, 40.0)}))
    assert [hit.doc_id for hit in found.hits] == [hit.doc_id for hit in hits]
    assert found.hits[0].fields["title"] == "red nut"
    assert [hit.score for hit in found.hits] == pytest.approx([hit.score for hit in hits], abs=1e-6)
    assert [hit.position for hit in found.hits] == [1, 2, 3]
    # 15 of 20 parts have a size, three of each kind; springs have no kind.
    assert found.facets == {"kind": {"bolt": 3, "flange": 3, "nut": 3, "washer": 3}}
    assert found.version == engine.version


def test_a_filter_that_the_index_lacks_takes_no_other_search_with_it(tmp_path: Path) -> None:
    """A field came into the catalogue after the index was built; searches of one batch share its lookup."""
    shop = make_shop(tmp_path)
    toml = shop.root / "gradus.toml"
    whole = toml.read_text(encoding="utf-8")
    toml.write_text(whole.replace('kind = { type = "category", weight = 0.0 }\n', ""), encoding="utf-8")
    build_index(read_settings(shop.root), shop.root / "model")
    toml.write_text(whole, encoding="utf-8")
    app, _ = make_app(read_settings(shop.root))
    bodies = (
        [{"text": "red nut"}] * 4 + [{"text": "nut", "filters": {"kind": ["nut"]}}] + [{"text": "nut"}] * 4
    )

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as client:
            return await asyncio.gather(*(client.post("/search", json=body) for body in bodies))

    answers = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200] * 4 + [422] + [200] * 4
    assert "the index cannot filter by 'kind'; its fields are: size (number)" in answers[4].json()["detail"]


def test_a_picture_and_weights_reach_the_encoder(at_work: Work, shop: Settings) -> None:
    client, _, engine, _ = at_work
    picture = shop.root / "blue-washer.png"
    by_picture = engine.find(engine.embed([engine.ask(None, picture)])[0], 5)
    assert [hit.doc_id for hit in client.search(image=picture, k=5).hits] == [
        hit.doc_id for hit in by_picture
    ]
    both = client.search("red nut", picture.read_bytes(), 5, weights={"shown": 0.25})
    query = engine.ask("red nut", picture.read_bytes(), {"shown": 0.25})
    assert [hit.doc_id for hit in both.hits] == [
        hit.doc_id for hit in engine.find(engine.embed([query])[0], 5)
    ]
    assert (
        client.search("red nut", picture, 5, weights={"shown": 0}).hits == client.search("red nut").hits[:5]
    )


def test_documents_are_shown_without_their_paths(at_work: Work, shop: Settings) -> None:
    client, raw, _, _ = at_work
    hit = client.search("green flange", k=1).hits[0]
    document = client.document(hit.doc_id)
    assert document.fields == hit.fields
    assert str(shop.root) not in document.model_dump_json()
    address = document.fields["picture"]
    shown = Image.open(io.BytesIO(raw.get(f"{address}&side=20").content))
    assert (shown.format, shown.size) == ("WEBP", (20, 15))
    assert Image.open(io.BytesIO(client.image(hit.doc_id))).size == (40, 30)  # not enlarged


def test_what_a_picture_says_beside_its_pixels_is_not_passed_on(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    image = Image.open(tmp_path / "red-bolt.png")
    facts = Image.Exif()
    facts[0x010E] = "taken at home, by Ann"
    image.save(tmp_path / "red-bolt.png", exif=facts)
    assert b"by Ann" in (tmp_path / "red-bolt.png").read_bytes()
    (tmp_path / "red-nut.png").write_bytes(b"\x89PNG but cut")
    (tmp_path / "red-washer.png").unlink()
    app, _ = make_app(shop)
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        assert b"by Ann" not in client.image("red/bolt 0")
        for doc_id in ("red/nut 1", "red/washer 2"):
            with pytest.raises(ServiceError, match=r"cannot be read \(no-picture, 404\)"):
                client.image(doc_id)


def test_every_search_is_recorded_as_it_was_shown(at_work: Work) -> None:
    client, _, engine, log = at_work
    found = client.search(
        "赤い ナット", png("red"), 2, filters={"size": (None, 9), "kind": ["nut", "bolt"]}, session_id="s-1"
    )
    assert client.health().status == "ready"
    # The answer does not wait for the disk; feedback does, and what came before it is there, too.
    client.click(found, found.hits[1].doc_id)
    record = {line["query_id"]: line for line in lines(log / "queries")}[found.query_id]
    assert record["user_query"] == "赤い ナット"
    assert record["query_response_hit_ids"] == [hit.doc_id for hit in found.hits]
    assert (record["session_id"], record["client_id"]) == ("s-1", None)
    attributes = record["query_attributes"]
    assert attributes["filters"] == {"size": {"high": 9.0}, "kind": ["nut", "bolt"]}
    assert (attributes["version"], attributes["k"], len(attributes["image"])) == (engine.version, 2, 32)
    event = lines(log / "events")[-1]
    assert event["query_id"] == found.query_id
    assert event["event_attributes"]["object"]["object_id"] == found.hits[1].doc_id
    assert event["event_attributes"]["position"] == {"ordinal": 2}


def test_concurrent_queries_are_encoded_together_and_repeated_ones_once(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    embed = Engine.embed

    def watched(self: Engine, queries: list[Any]) -> np.ndarray:
        batches.append(len(queries))
        return embed(self, queries)

    monkeypatch.setattr(Engine, "embed", watched)
    app, _ = make_app(shop, batch=8)
    texts = [f"red nut {number}" for number in range(20)]

    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            answers = await asyncio.gather(*(client.post("/search", json={"text": text}) for text in texts))
            again = [await client.post("/search", json={"text": text}) for text in texts]
        return [[(hit["doc_id"], hit["score"]) for hit in a.json()["hits"]] for a in (*answers, *again)]

    found = asyncio.run(ask())
    assert sum(batches) == 20  # the second time, all vectors are kept
    assert len(batches) <= 6
    assert max(batches) == 8
    for first, second in zip(found[:20], found[20:], strict=True):
        assert [doc_id for doc_id, _ in first] == [doc_id for doc_id, _ in second]
        assert [score for _, score in first] == pytest.approx([score for _, score in second], abs=3e-6)
    alone, _ = make_app(shop, cache=0)
    with served(alone) as raw:
        for text, hits in zip(texts[:3], found, strict=False):
            answer = raw.post("/search", json={"text": text}).json()["hits"]
            assert [hit["doc_id"] for hit in answer] == [doc_id for doc_id, _ in hits]


def test_one_failing_batch_fails_its_own_queries_alone(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = Engine.embed

    def sometimes(self: Engine, queries: list[Any]) -> np.ndarray:
        if any(query.values["query"] == "boom" for query in queries):
            raise RuntimeError("/secret/path: a defect")
        return embed(self, queries)

    monkeypatch.setattr(Engine, "embed", sometimes)
    app, _ = make_app(shop)
    with served(app) as raw:
        failed = raw.post("/search", json={"text": "boom"})
        assert failed.status_code == 500
        assert failed.headers["content-type"] == "application/problem+json"
        assert "secret" not in failed.text
        assert "Traceback" not in failed.text
        assert raw.post("/search", json={"text": "nut"}).status_code == 200


def test_swaps_roll_forward_and_back(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    app, first = make_app(shop)
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        before = client.search("red nut")
        make_model(tmp_path / "model", seed=1)
        assert client.search("red nut").version == first.version  # nothing changes by itself
        swapped = client.swap()
        assert swapped.before == first.version != swapped.version
        after = client.search("red nut")
        assert after.version == swapped.version
        assert [hit.score for hit in after.hits] != [hit.score for hit in before.hits]
        assert client.search("red nut", version=first.version).hits == before.hits
        assert client.swap().version == swapped.version  # nothing new on the disk
        assert client.swap(first.version).kept == [swapped.version, first.version]
        assert client.search("red nut").hits == before.hits
        make_model(tmp_path / "model", seed=2)
        third = client.swap()  # two are kept: the oldest goes
        assert third.kept == [first.version, third.version]
        with pytest.raises(ServiceError, match="unknown-version, 404"):
            client.search("red nut", version=swapped.version)
        with pytest.raises(ServiceError, match="unknown-version, 404"):
            client.swap(swapped.version)


def test_a_swap_to_something_broken_changes_nothing(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    app, first = make_app(shop)
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        (tmp_path / "model" / "model.safetensors").write_bytes(b"half")
        with pytest.raises(ServiceError, match=r"\(not-swapped, 409\)") as caught:
            client.swap()
        assert str(tmp_path) not in str(caught.value)
        assert client.search("red nut").version == first.version


def test_a_swap_may_take_longer_than_other_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(tmp_path)
    app, first = make_app(shop, seconds=0.5)
    seconds: list[float] = []

    def slowly(*asked: Any) -> Engine:
        before = time.monotonic()
        time.sleep(0.7)
        engine = load_engine(*asked)
        seconds.append(time.monotonic() - before)
        return engine

    monkeypatch.setattr("tiny_service.load_engine", slowly)
    make_model(tmp_path / "model", seed=1)
    with served(app) as raw, Client(HOME, transport=Through(raw)) as client:
        assert client.swap().version != first.version
    assert seconds[0] > 0.5


def test_swaps_under_load_lose_no_request(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    app, first = make_app(shop, versions=1, cache=0)
    versions = set()

    async def load() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=HOME, timeout=60) as client:
            done = asyncio.Event()
            answers: list[httpx.Response] = []

            async def searcher(number: int) -> None:
                while not done.is_set():
                    answers.append(
                        await client.post("/search", json={"text": f"nut {number} {len(answers)}"})
                    )

            searchers = [asyncio.create_task(searcher(number)) for number in range(6)]
            for seed in (1, 2, 3):
                await asyncio.to_thread(make_model, tmp_path / "model", seed)
                swapped = await client.post("/admin/swap", json={})
                assert swapped.status_code == 200, swapped.text
                versions.add(swapped.json()["version"])
            done.set()
            await asyncio.gather(*searchers)
            return answers

    answers = asyncio.run(load())
    assert {answer.status_code for answer in answers} == {200}
    assert all(len(answer.json()["hits"]) == 10 for answer in answers)
    seen = {answer.json()["version"] for answer in answers}
    assert len(versions) == 3
    assert first.version in seen
    assert seen <= {first.version, *versions}
    assert len(seen) > 1


def test_an_engine_is_closed_when_its_last_request_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(tmp_path)
    app, first = make_app(shop, versions=1)
    closed: list[str] = []
    monkeypatch.setattr(Engine, "close", lambda self: closed.append(self.version))
    rank, started = Engine.rank, asyncio.Event()

    async def scenario() -> None:
        loop, release = asyncio.get_running_loop(), asyncio.Event()

        def slow(self: Engine, *given: Any) -> Any:
            loop.call_soon_threadsafe(started.set)
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)
            return rank(self, *given)

        monkeypatch.setattr(Engine, "rank", slow)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            under_way = asyncio.create_task(client.post("/search", json={"text": "nut"}))
            await asyncio.wait_for(started.wait(), 30)
            await asyncio.to_thread(make_model, tmp_path / "model", 1)
            assert (await client.post("/admin/swap", json={})).status_code == 200
            assert closed == []
            release.set()
            assert (await under_way).json()["version"] == first.version
            while not closed:  # in its thread, behind the last search
                await asyncio.sleep(0.001)
            assert closed == [first.version]

    asyncio.run(scenario())


def test_metrics_count_what_happened(shop: Settings, tmp_path: Path) -> None:
    app, engine = make_app(shop, log=tmp_path / "log")
    with served(app) as raw:
        for _ in range(3):
            raw.post("/search", json={"text": "nut"})
        raw.post("/search", json={"k": 0})
        raw.get("/documents/x")
        text = raw.get("/metrics").text
    assert 'gradus_requests_total{route="/search",status="200"} 3.0' in text
    assert 'gradus_requests_total{route="/search",status="422"} 1.0' in text
    assert 'gradus_requests_total{route="/documents/{doc_id:path}",status="404"} 1.0' in text
    assert 'gradus_cached_total{outcome="hit"} 2.0' in text
    assert f'gradus_version{{version="{engine.version}"}} 1.0' in text
    assert "gradus_batch_count 3.0" in text


def test_the_client_says_what_went_wrong(at_work: Work) -> None:
    client, _, _, _ = at_work
    with pytest.raises(ServiceError, match=r"no field 'colour' to filter by.*\(invalid-request, 422\)"):
        client.search("nut", filters={"colour": ["red"]})
    with pytest.raises(ServiceError, match=r"no-document, 404"):
        client.document("nothing")
    with pytest.raises(ServiceError, match=r"does not answer.*\(no-answer, 0\)"):
        Client("http://127.0.0.1:9").health()


def test_the_examples_of_openapi_work(at_work: Work) -> None:
    _, raw, _, _ = at_work
    schemas = raw.get("/openapi.json").json()["components"]["schemas"]
    for path, name in (("/search", "SearchRequest"), ("/feedback", "FeedbackRequest")):
        assert schemas[name]["examples"]
        for example in schemas[name]["examples"]:
            wanted = json.dumps({key: v for key, v in example.items() if key not in ("filters", "facets")})
            answer = raw.post(path, content=wanted, headers={"content-type": "application/json"})
            assert answer.status_code == 200, answer.text
