"""What OpenAPI says is what the service does: requests made from the description, valid and not."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from test_service_security import refused
from tiny_service import HOME, FastAPI, make_app, make_shop

from gradus.search.service.bodies import FORM
from gradus.search.service.keys import SCOPES, add_key, read_keys


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    app, _ = make_app(make_shop(tmp_path), log=tmp_path / "log")
    return app


def test_the_description_holds_no_dangling_reference(app: FastAPI) -> None:
    described = app.openapi()
    names = set(described["components"]["schemas"])
    found: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            found.extend(value for key, value in node.items() if key == "$ref")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(described)
    assert len(found) > 20
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= names


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key for each scope alone, one for all of them, and the file of their digests."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    made = {scope: add_key(file, scope, [scope]) for scope in SCOPES}
    return {"file": str(file), "all": add_key(file, "all", SCOPES), **made}


def ask_each(ask: Callable[[Any], None], operation: Any, mode: Any, examples: int) -> None:
    """Try requests of a route: those that fit its description (POSITIVE), or break it (NEGATIVE)."""
    repeatedly = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    with suppress(Unsatisfiable):  # where a route takes nothing, nothing can be wrong with it
        repeatedly(given(case=operation.as_strategy(generation_mode=mode))(ask))()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
@pytest.mark.parametrize("keyed", [False, True], ids=["open", "keyed"])
def test_no_request_breaks_it(tmp_path: Path, keys: dict[str, str], mode: str, keyed: bool) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")
    schemathesis.checks.load_all_checks()
    known = read_keys(Path(keys["file"])) if keyed else None
    app, _ = make_app(make_shop(tmp_path), known, log=tmp_path / "log")
    headers = {"Authorization": f"Bearer {keys['all']}"} if keyed else {}
    # Valid by its shape, a request may still name a field or a version that is not there.
    without = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    tried = set()
    # It starts the application, and shuts it down when the test has ended.
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)

    def ask(case: Any) -> None:
        # In a form, a list without items leaves nothing that could be sent or be wrong.
        assume(case.media_type != FORM or not isinstance(case.body, dict) or [] not in case.body.values())
        tried.add(case.path)
        case.call_and_validate(base_url=HOME, headers=headers, excluded_checks=without)

    for found in schema.get_all_operations():
        ask_each(ask, found.ok(), schemathesis.GenerationMode[mode], 30 if keyed else 100)
    assert {"/search", "/feedback", "/admin/swap", "/documents/{doc_id}"} <= tried


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_without_the_right_key_no_request_gets_anything(
    tmp_path: Path, keys: dict[str, str], mode: str
) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")
    app, engine = make_app(make_shop(tmp_path), read_keys(Path(keys["file"])), log=tmp_path / "log")
    wrong = [
        "Bearer x",
        "Bearer ",
        "Bearer",
        f"Basic {keys['all']}",
        f"Bearer {keys['all'][:-1]}",
        "x" * 20_000,
    ]
    right = {f"Bearer {keys[scope]}" for scope in SCOPES}
    refusals: Counter[tuple[str, str, str | None]] = Counter()
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    protected = {
        (path, method)
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if operation.get("security")
    }

    def ask(case: Any) -> None:
        case.headers = {name: v for name, v in case.headers.items() if name.lower() != "authorization"}
        for presented in (None, *wrong, *(f"Bearer {keys[scope]}" for scope in SCOPES)):
            headers = {} if presented is None else {"authorization": presented}
            called = case.call(base_url=HOME, headers=headers)
            if presented in right and called.status_code != 403:
                continue  # it has the scope; the request is answered for what it is
            kept = {name: values[0] for name, values in called.headers.items()}
            answer = httpx.Response(called.status_code, headers=kept, content=called.content)
            refused(answer, *((403, "wrong-scope") if presented in right else (401, "no-key")))
            assert not any(doc_id in answer.text for doc_id in engine.documents.ids)
            refusals[case.path, case.method.lower(), presented] += 1

    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.path, operation.method) in protected:
            ask_each(ask, operation, schemathesis.GenerationMode[mode], 3)
    if mode == "POSITIVE":
        # Each route refuses whoever has no key of the service, and the holders of all keys but one.
        routes = Counter((path, method) for path, method, _ in refusals)
        assert routes == dict.fromkeys(protected, 1 + len(wrong) + len(SCOPES) - 1)
