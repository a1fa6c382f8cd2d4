"""The pages in a real browser, on generated drawings with a small trained model."""

import base64
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tiny_service import lines

pytest.importorskip("playwright", reason="pip install playwright")
pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from gradus.catalog.samples import write_drawings
from gradus.catalog.text import has_kana
from gradus.search.client import Client
from gradus.search.engine import Engine, Wanted
from gradus.search.service.app import create_app
from gradus.search.service.feedback import UbiLog
from gradus.search.service.keys import Keys, add_key, read_keys
from gradus.search.service.state import Desk
from gradus.settings import ServiceSettings, Settings, read_settings
from gradus.workflow.serving import load_engine, texts_to_judge
from gradus.workflow.training import train

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}

QUERY = "hex bolt M8"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Drawings, a model that has seen them a few times, and one that has seen them once."""
    folder = tmp_path_factory.mktemp("shop")
    write_drawings(folder, 60)
    settings = read_settings(folder)
    for name, epochs in (("model", 3), ("rival", 1)):
        values = {"training.epochs": epochs, "encoder.exact_terms": 64, "encoder.pixels": 32}
        train(settings.with_values(values), folder / name)
    return settings


@dataclass(frozen=True)
class Site:
    """A service that browsers can reach, its engines, and what it wrote."""

    url: str
    model: Engine
    rival: Engine
    log: Path
    settings: Settings


@contextmanager
def site(shop: Settings, log: Path, keys: Keys | None = None) -> Iterator[Site]:
    model = load_engine(shop, shop.root / "model")
    rival = load_engine(shop, shop.root / "rival", rival=True)
    desk = Desk(lambda: texts_to_judge(shop, model.documents)[:12])
    settings = ServiceSettings(rate=1e4, burst=10**4)
    app = create_app(model, lambda: model, settings, keys, UbiLog(log), [rival], desk)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}", model, rival, log, shop)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def at(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(shop, tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; whatever a page complains of in its console fails the test."""
    contexts, complaints = [], []

    def opened(url: str, **how: Any) -> Page:
        context = browser.new_context(
            **({"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | how)
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    # An answer that is an error is told to the reader, and the console says so as well.
    assert not [text for text in complaints if not text.startswith("Failed to load resource")]


def until(page: Page, expression: str, given: Any = None) -> None:
    """Wait until something holds on the page, whose policy does not let scripts of ours in to wait there."""
    end = time.monotonic() + 15
    while not page.evaluate(expression, given):
        assert time.monotonic() < end, f"in vain: {expression}"
        time.sleep(0.02)


def shown(page: Page) -> list[str]:
    """The documents in the grid, once it shows an answer."""
    page.wait_for_selector("#columns:not(.start):not([aria-busy=true]) #grid .foot")
    return [card.get_attribute("data-id") for card in page.query_selector_all("#grid .card")]


def shows(page: Page, wanted: list[str]) -> None:
    """Wait until the grid shows certain documents."""
    until(
        page,
        "(wanted) => [...document.querySelectorAll('#grid .card')].map((c) => c.dataset.id).join() === wanted",
        ",".join(wanted),
    )


def searched(page: Page, act: Callable[[], Any]) -> list[str]:
    """The documents in the grid after something that searches."""
    with page.expect_response(lambda answer: answer.url.endswith("/search")):
        act()
    return shown(page)


def best(engine: Engine, query: Any, k: int = 24, **where: Any) -> list[str]:
    return [hit.doc_id for hit in engine.find(engine.embed([query])[0], k, engine.where(where))]


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def is_clean(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def picture_of(engine: Engine, doc_id: str) -> Path:
    source = engine.documents.columns["image"][engine.documents.row_of[doc_id]]
    assert isinstance(source, Path)
    return source


# Search


def test_words_are_searched_as_they_are_typed(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(at.url)
    page.wait_for_selector(".examples .chip")
    assert page.is_hidden("#filters")
    page.keyboard.press("/")
    page.keyboard.type(QUERY, delay=20)
    page.wait_for_url(f"**/?q={QUERY.replace(' ', '+')}")
    shows(page, best(at.model, at.model.ask(QUERY)))
    assert page.inner_text("#status").startswith("24 documents in ")
    until(
        page,
        "[...document.querySelectorAll('#grid img')].slice(0, 4).every((image) => image.naturalWidth > 0)",
    )
    page.click("#more")
    until(page, "document.querySelectorAll('#grid .card').length === 48")
    # Arrows move among the cards and back into the box; Escape empties it.
    page.focus("#text")
    for key, place in (("ArrowDown", 0), ("ArrowRight", 1), ("ArrowDown", 5), ("ArrowLeft", 4)):
        page.keyboard.press(key)
        assert (
            page.evaluate("[...document.querySelectorAll('#grid a')].indexOf(document.activeElement)")
            == place
        )
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Escape")
    page.wait_for_selector(".start .examples")
    assert "q" not in parameters(page)


def test_only_queries_that_were_meant_are_recorded(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(at.url)
    before = len(lines(at.log / "queries"))
    page.focus("#text")
    page.keyboard.type("spring washer", delay=40)
    found = best(at.model, at.model.ask("spring washer"))
    shows(page, found)
    with page.expect_response(lambda answer: answer.url.endswith("/feedback")):
        page.click("#grid .card:nth-child(3) a")
    page.wait_for_selector("dialog.document")
    searches = lines(at.log / "queries")[before:]
    assert [line["user_query"] for line in searches] == ["spring washer"]
    assert searches[0]["query_response_hit_ids"] == found
    event = lines(at.log / "events")[-1]
    assert (event["action_name"], event["query_id"]) == ("click", searches[0]["query_id"])
    assert event["event_attributes"]["object"]["object_id"] == found[2]
    assert event["event_attributes"]["position"] == {"ordinal": 3}
    assert event["session_id"] == searches[0]["session_id"]


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_is_searched_by_and_weighed_against_words(
    at: Site, visit: Callable[..., Page], way: str
) -> None:
    doc_id = at.model.documents.ids[7]
    path = picture_of(at.model, doc_id)
    page = visit(at.url)
    page.wait_for_selector(".examples")

    def give() -> None:
        if way == "choose":
            page.set_input_files("#file", str(path))
            return
        kind = {"drop": "DragEvent", "paste": "ClipboardEvent"}[way]
        page.evaluate(
            """([data, kind, way]) => {
              const transfer = new DataTransfer();
              const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
              transfer.items.add(new File([bytes], "a.png", { type: "image/png" }));
              const given = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
              document.body.dispatchEvent(new window[kind](way, given));
            }""",
            [base64.b64encode(path.read_bytes()).decode(), kind, way],
        )

    found = searched(page, give)
    # The browser encodes it anew, which moves scores a little.
    assert len(set(found[:10]) & set(best(at.model, at.model.ask(None, path), 10))) >= 9
    assert page.is_visible("#picture img")
    assert page.is_hidden("#mix")
    searched(page, lambda: page.fill("#text", "washer"))
    assert page.is_visible("#mix")
    page.focus("#mix-range")
    searched(page, lambda: page.keyboard.press("Home"))  # all words
    shows(page, best(at.model, at.model.ask("washer")))
    assert parameters(page)["mix"] == ["0"]
    searched(page, lambda: page.click("#picture .remove"))
    assert page.is_hidden("#picture")


def test_what_is_no_picture_is_said_so(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(at.url)
    page.wait_for_selector(".examples")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"none"})
    assert "not a picture" in page.inner_text("#notice [role=alert]")


def test_filters_count_bound_and_share(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/?q={QUERY}")
    shown(page)
    kind = page.locator("fieldset", has=page.locator("legend", has_text="Kind"))
    label = kind.locator("label").first
    value, count = label.locator("span").all_inner_texts()
    label.locator("input").check()
    found = best(at.model, at.model.ask(QUERY), kind=[value])
    assert 0 < len(found) == min(24, int(count))
    shows(page, found)
    # Of a number in which these differ, the upper end of what they have.
    documents = at.model.documents
    numbers = {
        field.name: {documents.columns[field.name][documents.row_of[doc_id]] for doc_id in found} - {None}
        for field in documents.fields
        if field.type == "number"
    }
    name = next(name for name, values in numbers.items() if len(values) > 1)
    bound = max(numbers[name])
    low = page.locator(f"#filter-{name}-low")
    low.fill(f"{bound:g}")
    low.press("Enter")
    expected = best(at.model, at.model.ask(QUERY), kind=[value], **{name: (bound, float("inf"))})
    assert 0 < len(expected) < len(found)
    shows(page, expected)
    # The address brings all of it back.
    other = visit(page.url)
    shows(other, expected)
    until(other, "document.querySelector('#filters-count').textContent === '2'")
    assert other.input_value(f"#filter-{name}-low") == f"{bound:g}"
    other.click("#clear")
    shows(other, best(at.model, at.model.ask(QUERY)))
    other.go_back()
    until(other, "document.querySelector('#filters-count').textContent === '2'")


def test_fields_of_documents_are_weighed(
    at: Site, shop: Settings, visit: Callable[..., Page], tmp_path: Path
) -> None:
    plain = visit(f"{at.url}/?q={QUERY}")
    shown(plain)
    assert plain.is_hidden("#weigh")  # its index keeps no field apart
    with site(shop.with_values({"index.per_field": True}), tmp_path / "log") as apart:
        trained = best(apart.model, apart.model.ask(QUERY))
        weights = {"image": 8.0, "title_en": 1 / 8}
        asked = apart.model.ask(QUERY, document_weights=weights)
        wanted = [
            hit.doc_id for hit in apart.model.find_all(apart.model.embed([asked]), [Wanted.of(asked, 24)])[0]
        ]
        assert wanted != trained
        page = visit(f"{apart.url}/?q={QUERY}&w.no-such-field=2")
        shows(page, trained)
        page.click("#weigh summary")
        for name, key in (("image", "End"), ("title_en", "Home")):
            page.focus(f"[data-field={name}] input")
            searched(page, lambda key=key: page.keyboard.press(key))
        shows(page, wanted)
        assert {name: float(value) for name, (value,) in parameters(page).items() if name != "q"} == {
            f"w.{name}": factor for name, factor in weights.items()
        }
        is_clean(page)
        # A shared link brings the weights back, and the explanation knows of them.
        other = visit(page.url)
        shows(other, wanted)
        assert other.inner_text("#weigh-count") == "2"
        other.click("#grid .card:first-child .foot button:last-child")
        other.wait_for_selector("dialog.document .why")
        with Client(apart.url) as client:
            told = client.explain(wanted[0], QUERY, document_weights=weights)
        assert other.inner_text("dialog tfoot .number") == f"{told.score:.3f}".replace("-", "−")
        page.click("#as-trained")
        shows(page, trained)
        assert "w.image" not in parameters(page)


def test_nothing_found_offers_a_way_out(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/?q={QUERY}&f.kind=no-such-kind")
    page.wait_for_selector("#notice .notice")
    assert page.inner_text("#status") == "Nothing found"
    page.click("#notice button")
    shows(page, best(at.model, at.model.ask(QUERY)))


def test_more_like_this(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/?q={QUERY}")
    first = shown(page)[0]
    page.click("#grid .card:first-child .foot button")
    page.wait_for_selector("#like .remove")
    assert parameters(page) == {"like": [first]}
    with Client(at.url) as client:
        shows(page, [hit.doc_id for hit in client.search(like=first, k=24, record=False).hits])
    assert page.is_visible("#mix")
    page.go_back()
    until(page, "document.querySelector('#like').hidden")
    assert page.input_value("#text") == QUERY


def test_a_document_opens_with_its_explanation(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/?q={QUERY}")
    found = shown(page)
    page.click("#grid .card:nth-child(2) .foot button:last-child")
    page.wait_for_selector("dialog.document .why")
    numbers = [float(text.replace("−", "-")) for text in page.locator(".why td.number").all_inner_texts()]
    # Each is rounded to three decimals.
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.0006 * len(numbers))
    with Client(at.url) as client:
        score = client.search(QUERY, k=2).hits[1].score
    assert numbers[-1] == pytest.approx(score, abs=0.0006)
    marked = " ".join(page.locator("dialog mark").all_inner_texts()).lower()
    assert set(marked.split()) <= set(QUERY.lower().split()) | {"8"}
    assert parameters(page)["open"] == [found[1]]
    is_clean(page)
    page.keyboard.press("ArrowRight")
    until(page, "(id) => location.search.includes(`open=${id}`)", found[2])
    until(page, "document.querySelectorAll('dialog').length === 1")
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('dialog').length === 0")
    assert "open" not in parameters(page)
    # A shared link opens it again.
    other = visit(f"{at.url}/?q={QUERY}&open={found[1]}")
    other.wait_for_selector("dialog.document")
    other.click("dialog .primary")
    other.wait_for_url("**like=**")


def test_four_digits_of_a_document_are_one_number(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(at.url)
    quantity = "(values) => import('/static/words.js').then((words) => values.map(words.quantity))"
    assert page.evaluate(quantity, [2011, 12500.5, 0.25]) == ["2011", "12,500.5", "0.25"]


def test_both_languages(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/?q={QUERY}", locale="ja-JP")
    shown(page)
    assert page.get_attribute("html", "lang") == "ja"
    assert page.inner_text("#filters summary span") == "絞り込み"
    assert has_kana(
        page.inner_text("#grid .card:first-child .title")
    )  # a title in Japanese, where there is one
    is_clean(page)
    page.click("#language")
    assert page.inner_text("#filters summary span") == "Filters"
    until(page, "!/[\\u3040-\\u30ff]/.test(document.querySelector('#grid').textContent)")
    page.reload()
    assert page.get_attribute("html", "lang") == "en"  # the choice is kept
    asked = visit(f"{at.url}/?q={QUERY}&lang=ja")
    shown(asked)
    assert asked.get_attribute("html", "lang") == "ja"


@pytest.mark.parametrize("path", ["/", f"/?q={QUERY}", f"/compare?q={QUERY}", "/judge"])
@pytest.mark.parametrize("how", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_everybody_can_use_it(at: Site, visit: Callable[..., Page], path: str, how: dict[str, Any]) -> None:
    page = visit(at.url + path, **how)
    page.wait_for_selector("#grid .card, #lists li, #status:not(:empty)")
    if path == "/judge":
        page.fill("#rater", "Ann")
        page.press("#rater", "Tab")
        page.click("#queries li:first-child button")
        page.wait_for_selector("#grid .card")
    is_clean(page)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0  # nothing sticks out


def test_on_a_phone_the_filters_are_folded(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/?q={QUERY}", **PHONE)
    shown(page)
    assert page.is_hidden("#facets")
    tops = [card.bounding_box()["y"] for card in page.query_selector_all("#grid .card")[:2]]
    assert tops[0] == tops[1]  # two columns
    page.tap("#filters summary")
    assert page.is_visible("#facets")
    page.tap("#grid .card:first-child a")
    page.wait_for_selector("dialog.document")
    assert page.locator("dialog").bounding_box()["width"] <= 390


def test_an_error_is_told_and_can_be_retried(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(at.url)
    page.wait_for_selector(".examples")
    page.route("**/search", lambda route: route.abort())
    page.fill("#text", QUERY)
    page.wait_for_selector("#notice [role=alert]")
    assert "does not answer" in page.inner_text("#notice [role=alert]")
    page.unroute("**/search")
    page.click("#notice button")
    shows(page, best(at.model, at.model.ask(QUERY)))


def test_a_key_is_asked_for_and_forgotten_with_the_tab(
    shop: Settings, visit: Callable[..., Page], tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "reader", ["search", "feedback"])
    with site(shop, tmp_path / "log", read_keys(file)) as guarded:
        page = visit(f"{guarded.url}/?q={QUERY}")
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog .wrong")
        is_clean(page)
        page.fill("#key", key)
        page.keyboard.press("Enter")
        shown(page)
        until(
            page,
            "[...document.querySelectorAll('#grid img')].slice(0, 4).every((image) => image.naturalWidth > 0)",
        )
        assert page.evaluate("JSON.stringify({ ...localStorage })").find(key) < 0
        page.goto(f"{guarded.url}/judge")
        page.fill("#rater", "Ann")
        page.press("#rater", "Tab")
        assert "not good for this" in page.inner_text("#notice [role=alert]")
        page.close()


# Compare


def test_votes_are_blind_until_they_are_cast(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/compare?q={QUERY}")
    page.wait_for_selector("#lists li")
    found = {
        name: best(engine, engine.ask(QUERY), 10)
        for name, engine in (("model", at.model), ("rival", at.rival))
    }
    listed = [
        [item.get_attribute("data-id") for item in column.query_selector_all("li")]
        for column in page.query_selector_all("#lists section")
    ]
    assert sorted(listed) == sorted(found.values())
    told = page.inner_text("main")
    assert "rival" not in told
    assert not re.search(r"\bmodel\b|new|gone|[↑↓]", told)
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert "who you are" in page.inner_text("#notice")  # nobody votes without a name
    page.fill("#rater", "Ann")
    page.press("#rater", "Tab")
    with page.expect_response(lambda answer: answer.url.endswith("/votes")):
        page.click("[data-choice=left]")
    page.wait_for_selector("#lists .name")
    chosen = "model" if listed[0] == found["model"] else "rival"
    assert page.inner_text("#vote b") == f"You chose {chosen}."
    line = lines(at.log / "votes")[-1]
    assert (line["query"], line["rater"], line["choice"], line["left"]["name"]) == (
        QUERY,
        "Ann",
        "left",
        chosen,
    )
    assert [line["left"]["doc_ids"], line["right"]["doc_ids"]] == listed
    # Moves are those of the rival against what is served.
    new = [item.get_attribute("data-id") for item in page.query_selector_all("li:has(.new)")]
    gone = [item.get_attribute("data-id") for item in page.query_selector_all("li:has(.gone)")]
    assert new == [doc_id for doc_id in found["rival"] if doc_id not in found["model"]]
    assert gone == [doc_id for doc_id in found["model"] if doc_id not in found["rival"]]
    for item in page.query_selector_all("li:has(.up), li:has(.down)"):
        doc_id = item.get_attribute("data-id")
        up = found["model"].index(doc_id) - found["rival"].index(doc_id)
        assert item.query_selector(".move").inner_text() == f"{'↑' if up > 0 else '↓'}{abs(up)}"
    is_clean(page)
    before = page.input_value("#text")
    page.click("#vote button")
    page.wait_for_selector("[data-choice=tie]")
    assert page.input_value("#text") != before


def test_sides_are_shuffled_and_nothing_is_recorded_as_a_search(at: Site, visit: Callable[..., Page]) -> None:
    before = len(lines(at.log / "queries"))
    page = visit(f"{at.url}/compare")
    sides = set()
    wanted = best(at.model, at.model.ask(QUERY), 10)
    for _ in range(40):
        page.fill("#text", "")
        until(page, "!document.querySelector('#lists li')")
        page.fill("#text", QUERY)
        page.wait_for_selector("#lists li")
        left = page.query_selector_all("#lists section:first-child li")
        sides.add([item.get_attribute("data-id") for item in left] == wanted)
        if len(sides) == 2:
            break
    assert sides == {True, False}
    assert len(lines(at.log / "queries")) == before


# Judge


def test_grades_by_keys_and_disagreements(at: Site, visit: Callable[..., Page]) -> None:
    query = texts_to_judge(at.settings, at.model.documents)[1]
    pool = {doc_id for engine in (at.model, at.rival) for doc_id in best(engine, engine.ask(query), 10)}

    def rate(rater: str, keys: str) -> Page:
        page = visit(f"{at.url}/judge")
        page.fill("#rater", rater)
        page.press("#rater", "Tab")
        page.click("#queries li:nth-child(2) button")
        page.wait_for_selector("#grid .card:focus")
        assert {card.get_attribute("data-id") for card in page.query_selector_all("#grid .card")} == pool
        for key in keys:
            with page.expect_response(lambda answer: answer.url.endswith("/grades")):
                page.keyboard.press(key)
        return page

    page = rate("Ann", "3021")
    order = [card.get_attribute("data-id") for card in page.query_selector_all("#grid .card")]
    assert page.inner_text("#status") == f"4 of {len(pool)} graded"
    # On second thought: the first card again, by mouse.
    with page.expect_response(lambda answer: answer.url.endswith("/grades")):
        page.click("#grid .card:first-child [data-grade='2']")
    given = [(line["doc_id"], line["grade"]) for line in lines(at.log / "grades") if line["rater"] == "Ann"]
    assert given == [*zip(order, (3, 0, 2, 1), strict=False), (order[0], 2)]
    # Who comes back finds them again.
    again = rate("Ann", "")
    pressed = again.query_selector_all("#grid [aria-pressed=true]")
    assert [button.get_attribute("data-grade") for button in pressed] == ["2", "0", "2", "1"]
    assert (
        again.evaluate("[...document.querySelectorAll('#grid .card')].indexOf(document.activeElement)") == 4
    )
    assert "✓ 4" in again.inner_text("#queries li:nth-child(2)")

    other = rate("Bo", "2321")
    other.click("#disputes")
    other.wait_for_selector("#disputed li")
    assert other.locator("#disputed li").count() == 1
    assert other.inner_text("#disputed h2") == query
    scale = [text.split() for text in other.locator("#disputed .scale > div").all_inner_texts()]
    assert scale == [["0", "Ann"], ["1"], ["2"], ["3", "Bo"]]
    is_clean(other)
    other.click("#disputed button")
    other.wait_for_selector("#grid .card.graded")


def test_what_is_asked_before_the_page_is_ready_is_answered(at: Site, visit: Callable[..., Page]) -> None:
    page, held = visit(f"{at.url}/judge"), []
    page.fill("#rater", "Cy")
    page.press("#rater", "Tab")
    page.route("**/catalog", lambda route: held.append(route))
    page.reload()
    page.fill("#own #text", "a query of my own")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert page.locator("#grid .card").count() == 0
    held[0].continue_()
    page.wait_for_selector("#grid .card:focus")


def test_a_grade_that_is_not_recorded_is_taken_back(at: Site, visit: Callable[..., Page]) -> None:
    page = visit(f"{at.url}/judge")
    page.fill("#rater", "Cy")
    page.press("#rater", "Tab")
    page.fill("#own #text", "a query of my own")
    page.keyboard.press("Enter")
    page.wait_for_selector("#grid .card:focus")
    page.route("**/grades", lambda route: route.abort())
    page.keyboard.press("3")
    page.wait_for_selector("#notice [role=alert]")
    assert page.locator("#grid [aria-pressed=true]").count() == 0
    page.unroute("**/grades")
    with page.expect_response(lambda answer: answer.url.endswith("/grades")):
        page.click("#notice button")
    assert page.locator("#grid [aria-pressed=true]").count() == 1
    assert lines(at.log / "grades")[-1]["query"] == "a query of my own"
