"""Who may ask, how much, and what hostile requests get: a problem that says no more than it must."""

import asyncio
import io
import json
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from tiny_service import HOME, Through, click, make_app, make_shop, png, served

from gradus.errors import GradusError, SearchError, SettingsError
from gradus.search.client import Client, ServiceError
from gradus.search.engine import Engine
from gradus.search.service.keys import SCOPES, Keys, add_key, read_keys
from gradus.search.service.problems import Problem
from gradus.search.service.security import RateLimit, is_loopback
from gradus.settings import Settings
from gradus.workflow.serving import serve

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def raw(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    app, _ = make_app(shop, log=tmp_path_factory.mktemp("log"), megabytes=0.2, megapixels=0.01)
    with served(app) as client:
        yield client


def refused(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem that an answer is; it names nothing of the inside."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:gradus:problem:{name}"), answer.text
    assert problem["status"] == status
    for inside in ("Traceback", "/tmp", "site-packages", ".py", "gradus.search"):  # noqa: S108
        assert inside not in answer.text
    return problem


def test_keys_open_what_their_scopes_say(shop: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = {scope: add_key(file, scope, [scope]) for scope in SCOPES}
    assert all(key not in file.read_text() for key in keys.values())
    assert file.stat().st_mode & 0o777 == 0o600
    app, engine = make_app(shop, read_keys(file), tmp_path / "log")
    doc_id = engine.documents.ids[0]
    asked = {
        "search": [("POST", "/search", {"text": "nut"}), ("GET", f"/documents/{doc_id}", None)],
        "feedback": [("POST", "/feedback", {"events": [click("q", doc_id)]})],
        "admin": [("POST", "/admin/swap", {}), ("GET", "/metrics", None)],
    }
    with served(app) as raw:
        for scope, requests in asked.items():
            for method, path, body in requests:
                for name, key in keys.items():
                    answer = raw.request(method, path, json=body, headers={"authorization": f"Bearer {key}"})
                    if name == scope:
                        assert answer.status_code == 200, answer.text
                    else:
                        refused(answer, 403, "wrong-scope")
                for bad in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {keys[scope]}"}):
                    answer = raw.request(method, path, json=body, headers=bad)
                    refused(answer, 401, "no-key")
                    assert answer.headers["www-authenticate"] == "Bearer"
        assert raw.get("/health/ready").status_code == 200
        # With keys, the service may have any name.
        assert raw.get("/health/ready", headers={"host": "search.example"}).status_code == 200
        with Client(HOME, keys["search"], transport=Through(raw)) as client:
            assert client.search("nut").hits


def test_keys_are_replaced_by_name(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    old, other = add_key(file, "shop", ["search"]), add_key(file, "page", ["search", "feedback"])
    new = add_key(file, "shop", ["admin"])
    keys = read_keys(file)
    found = keys.find(new)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", {"admin"})
    assert keys.find(old) is None
    assert keys.find(other) is not None
    assert keys.find("") is keys.find("schlüssel\ud800") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file .*gradus key"),
        ("{}", "holds no key"),
        ("[]", "does not hold keys"),
        ('{"a": {"digest": "x", "scopes": ["all"]}}', "does not hold keys"),
        ("{", "does not hold keys"),
    ],
)
def test_a_file_that_holds_no_keys_opens_nothing(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_text(content)
    with pytest.raises(SearchError, match=message):
        read_keys(tmp_path / "keys.json")


def test_keys_with_unknown_scopes_are_not_made(tmp_path: Path) -> None:
    for name, scopes in (("a", ["root"]), ("a", []), (" ", ["search"])):
        with pytest.raises(SearchError):
            add_key(tmp_path / "keys.json", name, scopes)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])  # noqa: S104
def test_without_keys_only_this_machine_is_listened_to(shop: Settings, host: str) -> None:
    with pytest.raises(SettingsError, match=r"service\.keys is empty"):
        serve(shop.with_values({"service.host": host}), shop.root / "model")


def test_names_of_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("", "127.0.0.1.example.org", "localhost.example.org", "0.0.0.0")))  # noqa: S104


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", "", "evil.example:8080"])
def test_a_name_that_points_here_does_not_reach_it(raw: httpx.Client, host: str) -> None:
    refused(raw.post("/search", json={"text": "nut"}, headers={"host": host}), 421, "foreign-host")


def test_pages_of_other_origins_do_not_reach_it(raw: httpx.Client) -> None:
    picture = {"image": ("a.png", png("red"))}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:81", "http://127.0.0.1.evil.example"):
        refused(raw.post("/search", files=picture, headers={"origin": origin}), 403, "foreign-origin")
    assert raw.post("/search", files=picture, headers={"origin": HOME}).status_code == 200


def test_every_answer_has_its_headers(raw: httpx.Client) -> None:
    for answer in (
        raw.get("/health/live"),
        raw.get("/nothing"),
        raw.post("/search", content=b"{"),
        raw.post("/search", content=b"x" * 300_000),
        raw.get("/openapi.json"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def taken(limit: RateLimit, caller: str) -> Problem | None:
    """Why a token was not taken, if it was not."""
    try:
        limit.take(caller)
    except Problem as problem:
        return problem
    return None


@given(
    st.floats(0.5, 20),
    st.integers(1, 10),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 2)), max_size=60),
)
def test_a_rate_is_held_for_each_caller(rate: float, burst: int, visits: list[tuple[str, float]]) -> None:
    now = 0.0
    limit = RateLimit(rate, burst, lambda: now)
    came: dict[str, list[float]] = {"a": [], "b": []}
    for caller, pause in visits:
        now += pause
        problem = taken(limit, caller)
        if problem is None:
            came[caller].append(now)
        else:
            assert problem.status == 429
            assert 1 <= int(problem.headers["Retry-After"]) <= 1 / rate + 1
    for times in came.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                # In any stretch of time: the burst, and what the rate gives meanwhile.
                assert last - first + 1 <= burst + rate * (times[last] - times[first]) + 1e-6


def test_too_many_requests_are_sent_away_and_told_when_to_come_back(shop: Settings, tmp_path: Path) -> None:
    app, _ = make_app(shop, rate=0.01, burst=3)
    with served(app) as raw:
        answers = [raw.post("/search", json={"text": "nut"}) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        refused(answers[-1], 429, "rate-limit")
        assert int(answers[-1].headers["retry-after"]) <= 100
        assert raw.get("/health/live").status_code == 200
    key = add_key(tmp_path / "keys.json", "a", ["search"])
    app, _ = make_app(shop, read_keys(tmp_path / "keys.json"), rate=0.01, burst=3)
    with served(app) as raw:
        # Guessing is limited by address, and does not use up what a key may.
        guesses = [
            raw.post("/search", json={"text": "nut"}, headers={"authorization": "Bearer x"}) for _ in range(5)
        ]
        assert [answer.status_code for answer in guesses] == [401, 401, 401, 429, 429]
        assert raw.post(
            "/search", json={"text": "nut"}, headers={"authorization": f"Bearer {key}"}
        ).is_success


def test_oversize_bodies_are_refused_declared_or_not(raw: httpx.Client) -> None:
    large = json.dumps({"text": "x" * 300_000}).encode()
    refused(raw.post("/search", content=large, headers=JSON), 413, "too-large")
    parts = (large[start : start + 1000] for start in range(0, len(large), 1000))
    refused(raw.post("/search", content=parts, headers=JSON), 413, "too-large")
    refused(raw.post("/search", files={"image": ("a.png", b"x" * 300_000)}), 413, "too-large")
    refused(raw.post("/feedback", content=b"[" * 300_000, headers=JSON), 413, "too-large")
    huge = {**JSON, "content-length": "9" * 40}
    refused(raw.post("/search", content=b"{}", headers=huge), 413, "too-large")


def test_time_is_limited(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rank = Engine.rank

    def slow(self: Engine, *given: Any) -> Any:
        time.sleep(0.5)
        return rank(self, *given)

    monkeypatch.setattr(Engine, "rank", slow)
    app, _ = make_app(shop, seconds=0.1)
    with served(app) as raw:
        refused(raw.post("/search", json={"text": "nut"}), 503, "time-limit")
        assert raw.get("/health/live").status_code == 200


def test_more_queries_than_can_wait_are_sent_away(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradus.search.service.batching.MOST_WAITING", 4)
    app, _ = make_app(shop, batch=1)

    async def crowd() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as client:
            return await asyncio.gather(
                *(client.post("/search", json={"text": f"nut {n}"}) for n in range(30))
            )

    answers = asyncio.run(crowd())
    assert {answer.status_code for answer in answers} == {200, 503}
    refused(next(answer for answer in answers if answer.status_code == 503), 503, "overloaded")


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


def gif() -> bytes:
    out = io.BytesIO()
    Image.new("P", (200, 200)).save(out, "GIF")
    return out.getvalue()


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (bomb(60_000, 60_000), "too large"),
        (bomb(9000, 9000), "too large"),
        (bomb(200, 200), "at most 10,000 allowed"),
        (gif(), "at most 10,000 allowed"),
        (bomb(90, 0), ""),
        (png("red")[:60], "damaged"),
        (b"", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", "not an image"),
        (b"http://169.254.169.254/latest/meta-data", "not an image"),
        (b"/etc/passwd", "not an image"),
    ],
    ids=["bomb", "large", "pixels", "gif", "flat", "cut", "empty", "postscript", "svg", "url", "path"],
)
def test_hostile_pictures_are_refused(raw: httpx.Client, picture: bytes, said: str) -> None:
    answer = raw.post("/search", files={"image": ("../../etc/passwd", picture)})
    assert said in refused(answer, 422, "unreadable-picture")["detail"]


@given(st.binary(max_size=300), st.integers(0, 400))
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_pictures_never_break_it(raw: httpx.Client, noise: bytes, at: int) -> None:
    whole = png("red", 3)
    answer = raw.post("/search", files={"image": ("a", whole[:at] + noise + whole[at + len(noise) :])})
    assert answer.status_code in (200, 422)


@pytest.mark.parametrize(
    "doc_id",
    [
        "..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "catalog.csv", "red-bolt.png", "%00", "red%2fbolt%200%00.png",
        "..%5c..%5cwindows", "%c0%ae%c0%ae%2f", "%ff%fe", "x" * 513, "red/%2e%2e/bolt", "'%20OR%201=1--",
    ],
)  # fmt: skip
@pytest.mark.parametrize("tail", ["", "/image"])
def test_ids_are_no_paths(raw: httpx.Client, doc_id: str, tail: str) -> None:
    answer = raw.get(f"/documents/{doc_id}{tail}")
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text


def test_a_field_of_a_picture_is_no_path_either(raw: httpx.Client) -> None:
    for field in ("../model", "title", "picture\0", "doc_id"):
        refused(raw.get("/documents/red%2Fbolt%200/image", params={"field": field}), 404, "no-picture")
    assert raw.get("/documents/red%2Fbolt%200/image", params={"field": "picture"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b"", ""),
        (b"[]", ""),
        (b"nul", ""),
        (b"\xff\xfe{}", ""),
        (b"[" * 100_000, ""),
        (b'{"text": "\\ud800"}', ""),
        (b'{"text": "a\\u0000b"}', "text"),
        (b'{"text": 5}', "text"),
        (b'{"text": "a", "k": 0}', "k"),
        (b'{"text": "a", "k": 201}', "k"),
        (b'{"text": "a", "k": "5"}', "k"),
        (b'{"text": "a", "k": 1e400}', "k"),
        (b'{"text": "a", "k": ' + b"9" * 5000 + b"}", ""),
        (b'{"text": "a", "weights": {"query": NaN}}', ""),
        (b'{"text": "a", "weights": {"query": -1}}', "weights.query"),
        (b'{"text": "a", "weights": {"query": 1e309}}', "weights.query"),
        (b'{"text": "a", "filters": {"kind": "nut"}}', "filters.kind"),
        (b'{"text": "a", "filters": {"kind": []}}', "filters.kind"),
        (b'{"text": "a", "filters": {"size": {"low": Infinity}}}', ""),
        (b'{"text": "a", "filters": {"size": {"$gt": 1}}}', "filters.size"),
        (b'{"text": "a", "filters": {"": ["x"]}}', "filters"),
        (b'{"text": "a", "path": "/etc/passwd"}', "path"),
        (b'{"text": "a", "version": "../../model"}', "version"),
        (b'{"text": "a", "session_id": "a b"}', "session_id"),
        (json.dumps({"text": "x" * 2001}).encode(), "text"),
    ],
)
def test_malformed_searches_are_refused(raw: httpx.Client, body: bytes, at: str) -> None:
    problem = refused(raw.post("/search", content=body, headers=JSON), 422, "invalid-request")
    assert any(fault["at"].startswith(at) for fault in problem["errors"])
    # The faults name the place and what belongs there; they do not repeat what was sent.
    assert "passwd" not in json.dumps(problem["errors"])


@pytest.mark.parametrize(
    "change",
    [
        {"action_name": "Click"},
        {"action_name": "a" * 65},
        {"query_id": "a\nb"},
        {"query_id": "../x"},
        {"timestamp": "yesterday"},
        {"timestamp": "9999-12-31T23:59:59-23:59"},
        {"timestamp": 1e30},
        {"timestamp": 1767225600},
        {"timestamp": "1767225600"},
        {"timestamp": "2026-01-01"},
        {"timestamp": "2026-01-01T00:00:00"},
        {"event_attributes": {}},
        {"event_attributes": {"object": {"object_id": ""}}},
        {"event_attributes": {"object": {"object_id": "a", "more": 1}}},
        {"event_attributes": {"object": {"object_id": "a"}, "position": {"ordinal": 0}}},
        {"event_attributes": {"object": {"object_id": "a"}, "dwell_time": -1}},
        {"columns": "of an attacker's choice"},
    ],
)
def test_malformed_events_are_refused_and_with_them_their_neighbours(
    raw: httpx.Client, change: dict[str, Any]
) -> None:
    body = {"events": [click("q", "d"), click("q", "d") | change]}
    problem = refused(raw.post("/feedback", json=body), 422, "invalid-request")
    assert problem["errors"][0]["at"].startswith("events.1")


def test_other_bodies_are_refused(raw: httpx.Client) -> None:
    refused(raw.post("/search", content=b"text=nut"), 415, "media-type")
    refused(raw.post("/feedback", data={"events": "x"}), 415, "media-type")
    refused(raw.post("/search", files={"picture": ("a", png("red"))}), 422, "invalid-request")
    refused(raw.post("/search", files={"image": (None, "text")}), 422, "invalid-request")
    two = [("image", ("a", png("red"))), ("image", ("b", png("red")))]
    assert raw.post("/search", files=two).status_code == 400
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x", b"--x\r\n\r\n\r\n--x--", b"--y\r\n"):
        assert raw.post("/search", content=body, headers=broken).status_code in (400, 422)
    assert (
        raw.post("/search", content=b"x", headers={"content-type": "multipart/form-data"}).status_code == 400
    )
    refused(raw.get("/search"), 405, "method-not-allowed")
    refused(raw.get("/elsewhere"), 404, "not-found")


@given(st.text(max_size=60), st.text(max_size=20))
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_searched_or_refused(raw: httpx.Client, text: str, value: str) -> None:
    body = {"text": text, "filters": {"kind": [value, "nut"]}}
    answer = raw.post("/search", content=json.dumps(body).encode(), headers=JSON)
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert {hit["fields"]["kind"] for hit in answer.json()["hits"]} <= {"nut"}


TORTURE = [
    "Z̸͓̚a̷̢͝l̴̰͑g̵̛̱o̸͙͗" * 20, "\u202egnp.exe", "ﷺ" * 100, "👩‍👩‍👧‍👦" * 50, "\ufeff\u200b\u00ad", "ﬁ㌔①Ⅷ",
    "'; DROP TABLE documents; --", "{{7*7}}${7*7}<script>alert(1)</script>", "\u2028\u2029", "￾￿", "a" + "\u0301" * 500,
]  # fmt: skip


@pytest.mark.parametrize("text", TORTURE)
def test_unicode_torture(raw: httpx.Client, text: str) -> None:
    answer = raw.post("/search", json={"text": text, "filters": {"kind": [text[:500]]}})
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert answer.json()["hits"] == []
    assert raw.post("/feedback", json={"events": [click("q", text[:500] or "x")]}).status_code in (200, 422)


def test_client_errors_are_errors_of_gradus() -> None:
    assert issubclass(ServiceError, GradusError)


def test_no_keys_are_no_keys() -> None:
    assert not Keys()
    assert Keys().find("anything") is None
