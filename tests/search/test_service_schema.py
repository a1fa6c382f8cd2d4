"""What OpenAPI says is what the service does: requests made from the description, valid and not."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from tiny_service import HOME, FastAPI, make_app, make_shop


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


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_no_request_breaks_it(app: FastAPI, mode: str) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")
    schemathesis.checks.load_all_checks()
    # Valid by its shape, a request may still name a field or a version that is not there.
    without = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    tried = set()
    # It starts the application, and shuts it down when the test has ended.
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=100,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode]))
        def ask(case: Any) -> None:
            tried.add(case.path)
            case.call_and_validate(base_url=HOME, excluded_checks=without)

        with suppress(Unsatisfiable):  # where a route takes nothing, nothing can be wrong with it
            ask()
    assert {"/search", "/feedback", "/admin/swap", "/documents/{doc_id}"} <= tried
