"""Requests and responses, checked at the door: unknown members are refused, every text and list has a bound."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

MOST_HITS = 200
"""Documents that one search returns at most."""

MOST_EVENTS = 1000
"""Events of one request."""


def _encodable(text: str) -> str:
    """Refuse what UTF-8 cannot hold, and NUL, which no store of logs likes."""
    text.encode("utf-8")
    if "\0" in text:
        raise ValueError("may not hold NUL")
    return text


def _within_calendars(time: datetime) -> datetime:
    """Refuse times that no other zone could write, and ones that nobody can have lived."""
    if not 1970 <= time.year <= 2200:
        raise ValueError("must lie between the years 1970 and 2200")
    return time


Text = Annotated[str, AfterValidator(_encodable)]
Id = Annotated[Text, Field(min_length=1, max_length=512)]
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@-]{1,128}$")]
"""An opaque name that a client makes up: of a person, of a session."""

Name = Annotated[Text, Field(min_length=1, max_length=128)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Strict):
    """What a number field must lie between; an end that is left out is open."""

    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


Condition = (
    Annotated[list[Annotated[Text, Field(max_length=512)]], Field(min_length=1, max_length=100)] | Bounds
)


class SearchRequest(_Strict):
    """What to look for."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"text": "hex bolt M8 zinc", "k": 5},
                {
                    "text": "flange",
                    "filters": {"kind": ["flange"], "bore": {"low": 10, "high": 30}},
                    "facets": ["kind"],
                    "session_id": "s-81",
                },
            ]
        },
    )

    text: Annotated[Text, Field(max_length=2000)] | None = Field(None, description="Words to look for.")
    k: int = Field(10, ge=1, le=MOST_HITS, description="How many documents.")
    filters: dict[Name, Condition] = Field(
        {}, max_length=32, description="Field → values that are admitted, or bounds of a number."
    )
    weights: dict[Name, Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]] = Field(
        {}, max_length=32, description="Field of the query → factor on its weight."
    )
    facets: list[Name] = Field([], max_length=16, description="Category fields to count values of.")
    version: Token | None = Field(None, description="A version that is kept; the current one when left out.")
    client_id: Token | None = Field(None, description="Who searches, as an opaque name.")
    session_id: Token | None = Field(None, description="In which session.")


class HitModel(BaseModel):
    """A document that was found."""

    doc_id: str
    position: int = Field(description="1 for the best.")
    score: float
    fields: dict[str, Any] = Field(
        description="The document's fields; a picture as the address that shows it."
    )


class SearchResponse(BaseModel):
    """What was found."""

    query_id: str = Field(description="Goes into the events of feedback on these documents.")
    version: str = Field(description="Of the model and index that answered.")
    hits: list[HitModel]
    facets: dict[str, dict[str, int]] = Field(
        {}, description="Field → value → documents, under the filters on other fields."
    )


class DocumentModel(BaseModel):
    """A document."""

    doc_id: str
    fields: dict[str, Any]


class ObjectModel(_Strict):
    """What an event happened to."""

    object_id: Id
    object_id_field: Literal["doc_id"] = "doc_id"


class PositionModel(_Strict):
    """Where it stood."""

    ordinal: int = Field(ge=1, le=100_000, description="1 for the best.")


class EventAttributes(_Strict):
    """What else is known of an event."""

    object: ObjectModel
    position: PositionModel | None = None
    dwell_time: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, description="Seconds.")] | None = (
        None
    )


class Event(_Strict):
    """Something a person did with a document of a search, in the words of User Behavior Insights."""

    action_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = Field(
        description="click, add_to_cart, purchase, impression, …"
    )
    query_id: Token = Field(description="Of the search that showed the document.")
    event_attributes: EventAttributes
    client_id: Token | None = None
    session_id: Token | None = None
    timestamp: (
        Annotated[
            datetime,
            AfterValidator(_within_calendars),
            Field(description="When; the time of arrival when left out."),
        ]
        | None
    ) = None


class FeedbackRequest(_Strict):
    """Events of one or more searches."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "action_name": "click",
                            "query_id": "0c9b6a8e5d7f4b07a2f0",
                            "event_attributes": {
                                "object": {"object_id": "b-01"},
                                "position": {"ordinal": 1},
                            },
                            "session_id": "s-81",
                        }
                    ]
                }
            ]
        },
    )

    events: list[Event] = Field(min_length=1, max_length=MOST_EVENTS)


class FeedbackResponse(BaseModel):
    """Events that are on the disk."""

    recorded: int


class SwapRequest(_Strict):
    """What to serve from now on."""

    version: Token | None = Field(
        None, description="A version that is kept; what lies on the disk now when left out."
    )


class SwapResponse(BaseModel):
    """What is served."""

    version: str
    before: str
    kept: list[str]


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["live", "ready", "degraded"]
    version: str | None = None
    documents: int | None = None
    recording: bool | None = Field(None, description="Whether searches and feedback can be recorded.")


class ProblemModel(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:gradus:problem:invalid-request",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "no field 'colour' to filter by; there are: kind, bore",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
