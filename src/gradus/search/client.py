"""A client of the service.

with Client("http://127.0.0.1:8080") as client:
found = client.search("hex bolt M8", k=5)
client.click(found, found.hits[0].doc_id)
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from gradus.errors import MissingExtraError, SearchError

try:
    import httpx

    from gradus.search.service.models import (
        DocumentModel,
        Event,
        EventAttributes,
        ExplainResponse,
        Health,
        ObjectModel,
        PositionModel,
        RecordedResponse,
        SearchResponse,
        SwapResponse,
    )
except ImportError:
    raise MissingExtraError("the client of the service", "serve") from None

Condition = Sequence[str] | tuple[float | None, float | None]
"""A category's values, or a number's bounds, `None` for an open end."""


class ServiceError(SearchError):
    """An answer that is an error.

    Args:
        status: HTTP status; 0 where no answer came.
        name: The problem's name: `rate-limit`, `disk-full` …
        detail: What it says.
    """

    def __init__(self, status: int, name: str, detail: str) -> None:
        super().__init__(f"{detail} ({name}, {status})")
        self.status = status
        self.name = name


class Client:
    """Talks to a service over connections that are kept. May be used by several threads.

    Args:
        url: Where the service is.
        key: A key, where it has keys.
        seconds: How long to wait for an answer.
        transport: What carries requests in place of the network, for tests.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=seconds, transport=transport)

    def search(
        self,
        text: str | None = None,
        image: Path | bytes | None = None,
        k: int = 10,
        *,
        like: str | None = None,
        filters: Mapping[str, Condition] | None = None,
        weights: Mapping[str, float] | None = None,
        document_weights: Mapping[str, float] | None = None,
        facets: Sequence[str] = (),
        version: str | None = None,
        record: bool = True,
        client_id: str | None = None,
        session_id: str | None = None,
    ) -> SearchResponse:
        """The k best documents for a text, a picture, or both; or those most like a document.

        Args:
            text: Words to look for.
            image: A picture, as a file or its bytes.
            k: How many documents.
            like: A document, in place of text and picture.
            filters: Field → what is admitted.
            weights: Field of the query, or of the document in `like`, → factor on its weight.
            document_weights: Field of the documents → factor on its weight, where the index keeps fields apart.
            facets: Category fields whose values are counted.
            version: A version that the service keeps; the current one when `None`.
            record: Whether somebody is shown the answer as such.
            client_id: Who searches.
            session_id: In which session.

        Raises:
            ServiceError: The service cannot be reached, or refuses.
        """
        asked = _asked(text, like, weights, version, document_weights) | {
            "k": k,
            "facets": list(facets),
            "record": record,
        }
        asked |= {"client_id": client_id, "session_id": session_id}
        asked["filters"] = {
            name: dict(zip(("low", "high"), given, strict=True)) if isinstance(given, tuple) else list(given)
            for name, given in (filters or {}).items()
        }
        return SearchResponse.model_validate_json(self._ask_with("/search", asked, image))

    def explain(
        self,
        doc_id: str,
        text: str | None = None,
        image: Path | bytes | None = None,
        *,
        like: str | None = None,
        weights: Mapping[str, float] | None = None,
        document_weights: Mapping[str, float] | None = None,
        version: str | None = None,
    ) -> ExplainResponse:
        """What makes up the score of a document; other arguments are those of `search`.

        Raises:
            ServiceError: There is no such document, or the service refuses.
        """
        asked = _asked(text, like, weights, version, document_weights) | {"doc_id": doc_id}
        return ExplainResponse.model_validate_json(self._ask_with("/explain", asked, image))

    def click(self, found: SearchResponse, doc_id: str, action: str = "click") -> None:
        """Record that a person clicked (or did something else to) a document of a search.

        Raises:
            SearchError: The search did not find that document.
            ServiceError: It could not be recorded.
        """
        positions = {hit.doc_id: hit.position for hit in found.hits}
        if doc_id not in positions:
            raise SearchError(f"the search {found.query_id} did not show {doc_id!r}")
        attributes = EventAttributes(
            object=ObjectModel(object_id=doc_id), position=PositionModel(ordinal=positions[doc_id])
        )
        self.feedback([Event(action_name=action, query_id=found.query_id, event_attributes=attributes)])

    def feedback(self, events: Sequence[Event]) -> int:
        """Record events; when it returns, they are on the service's disk.

        Raises:
            ServiceError: None of them was recorded, or no answer came.
        """
        body = {"events": [event.model_dump(mode="json", exclude_none=True) for event in events]}
        return RecordedResponse.model_validate_json(self._ask("POST", "/feedback", json=body)).recorded

    def document(self, doc_id: str) -> DocumentModel:
        """A document's fields.

        Raises:
            ServiceError: There is no such document.
        """
        return DocumentModel.model_validate_json(self._ask("GET", f"/documents/{quote(doc_id, safe='')}"))

    def image(self, doc_id: str, field: str | None = None, side: int = 320) -> bytes:
        """A document's picture as WebP, its longer side at most as long as given.

        Raises:
            ServiceError: There is none.
        """
        asked = {"side": side} | ({"field": field} if field else {})
        return self._ask("GET", f"/documents/{quote(doc_id, safe='')}/image", params=asked)

    def health(self) -> Health:
        """Whether the service is ready, and what it serves.

        Raises:
            ServiceError: It cannot be reached.
        """
        return Health.model_validate_json(self._ask("GET", "/health/ready"))

    def swap(self, version: str | None = None) -> SwapResponse:
        """Have the service serve what lies on its disk now, or a version that it keeps.

        Raises:
            ServiceError: It cannot; what it served, it still does.
        """
        body = {"version": version}
        return SwapResponse.model_validate_json(self._ask("POST", "/admin/swap", json=body))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask_with(self, path: str, asked: Mapping[str, Any], image: Path | bytes | None) -> bytes:
        """The body of an answer to a query that may have a picture."""
        if image is None:
            return self._ask("POST", path, json=asked)
        data = image if isinstance(image, bytes) else image.read_bytes()
        parts = {"image": ("image", data), "request": (None, json.dumps(asked).encode())}
        return self._ask("POST", path, files=parts)

    def _ask(self, method: str, path: str, **content: Any) -> bytes:
        """The body of an answer."""
        try:
            answer = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise ServiceError(0, "no-answer", f"{self._http.base_url} does not answer: {error}") from None
        if answer.is_success:
            return answer.content
        try:
            problem = answer.json()
            raise ServiceError(answer.status_code, problem["type"].rpartition(":")[2], problem["detail"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ServiceError(answer.status_code, "unknown", answer.reason_phrase) from None


def _asked(
    text: str | None,
    like: str | None,
    weights: Mapping[str, float] | None,
    version: str | None,
    document_weights: Mapping[str, float] | None,
) -> dict[str, Any]:
    factors = {"weights": dict(weights or {}), "document_weights": dict(document_weights or {})}
    return {"text": text, "like": like, "version": version} | factors
