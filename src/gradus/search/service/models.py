"""Requests and responses, checked at the door: unknown members are refused, every text and list has a bound."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

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


def _written_out(time: object) -> object:
    """Refuse what is no date and time of RFC 3339; numbers would be taken as seconds, or milliseconds."""
    if not isinstance(time, str) or not _DATE_TIME.fullmatch(time):
        raise ValueError("must be a date and time with a zone, as in 2026-03-31T12:00:00Z")
    return time


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


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


class Strict(BaseModel):
    """A model that takes no members but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(Strict):
    """What a number field must lie between; an end that is left out is open."""

    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


Condition = (
    Annotated[list[Annotated[Text, Field(max_length=512)]], Field(min_length=1, max_length=100)] | Bounds
)


class QueryModel(Strict):
    """What to look for."""

    text: Annotated[Text, Field(max_length=2000)] | None = Field(None, description="Words to look for.")
    like: Id | None = Field(
        None, description="A document to find others like, in place of words and a picture."
    )
    weights: dict[Name, Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]] = Field(
        {},
        max_length=32,
        description="Field of the query, or of the document in `like`, → factor on its weight.",
    )
    document_weights: dict[Name, Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]] = Field(
        {},
        max_length=32,
        description="Field of the documents that are searched → factor on its weight, for an index that keeps the "
        "vectors of single fields.",
    )
    version: Token | None = Field(None, description="A version that is kept; the current one when left out.")


class SearchRequest(QueryModel):
    """What to look for, and what to answer."""

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

    k: int = Field(10, ge=1, le=MOST_HITS, description="How many documents.")
    filters: dict[Name, Condition] = Field(
        {}, max_length=32, description="Field → values that are admitted, or bounds of a number."
    )
    facets: list[Name] = Field([], max_length=16, description="Category fields to count values of.")
    record: bool = Field(
        True, description="Whether somebody is shown the answer as such; false while a query is being typed."
    )
    client_id: Token | None = Field(None, description="Who searches, as an opaque name.")
    session_id: Token | None = Field(None, description="In which session.")


class ExplainRequest(QueryModel):
    """Whose score to explain for what was looked for."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"text": "hex bolt M8 zinc", "doc_id": "b-01"}]},
    )

    doc_id: Id


class PartModel(BaseModel):
    """What a score is made of: a field, what evidence says beyond the fields, or exact words and numbers."""

    kind: Literal["field", "evidence", "prior", "exact terms", "BM25"]
    field: str | None


class ContributionModel(BaseModel):
    """What a part of the query and a part of the document add to the score."""

    query: PartModel
    document: PartModel
    score: float


class ExplainResponse(BaseModel):
    """Why a document has its score."""

    doc_id: str
    version: str
    score: float = Field(description="The sum of the contributions.")
    contributions: list[ContributionModel]
    marked: dict[str, list[tuple[str, bool]]] = Field(
        description="Field of the document → its text in pieces, each with whether the query has that word, too."
    )


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


class VersionModel(BaseModel):
    """A model and index that can be searched."""

    version: str
    name: str = Field(description="What people call the model.")


class FieldModel(BaseModel):
    """A field of a query or a document."""

    name: str
    type: Literal["text", "image", "category", "number"]
    weight: float = Field(description="Its share of the vector; 0 where it does not enter.")
    low: float | None = Field(None, description="The least of a number's values.")
    high: float | None = Field(None, description="The greatest.")
    values: int | None = Field(None, description="How many different values a category has.")


class CatalogModel(BaseModel):
    """What can be searched, and how."""

    documents: int
    versions: list[VersionModel] = Field(description="Those in memory, the current one first.")
    query_fields: list[FieldModel]
    fields: list[FieldModel] = Field(description="Of the documents.")
    document_weights: list[str] = Field(
        description="Those of them that `document_weights` of a search may name; empty where the index does not keep "
        "the vectors of single fields."
    )
    sample: list[DocumentModel] = Field(description="Some documents.")
    examples: list[str] = Field(description="Some queries.")
    scale: list[float | str] = Field(description="Grades of experts, from worst to best.")
    recording: bool = Field(description="Whether searches, feedback, grades and votes can be recorded.")


class ObjectModel(Strict):
    """What an event happened to."""

    object_id: Id
    object_id_field: Literal["doc_id"] = "doc_id"


class PositionModel(Strict):
    """Where it stood."""

    ordinal: int = Field(ge=1, le=100_000, description="1 for the best.")


class EventAttributes(Strict):
    """What else is known of an event."""

    object: ObjectModel
    position: PositionModel | None = None
    dwell_time: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, description="Seconds.")] | None = (
        None
    )


class Event(Strict):
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
            AwareDatetime,
            BeforeValidator(_written_out),
            AfterValidator(_within_calendars),
            Field(description="When; the time of arrival when left out."),
        ]
        | None
    ) = None


class FeedbackRequest(Strict):
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


class RecordedResponse(BaseModel):
    """Records that are on the disk."""

    recorded: int


class SwapRequest(Strict):
    """What to serve from now on."""

    version: Token | None = Field(
        None, description="A version that is kept; what lies on the disk now when left out."
    )


class SwapResponse(BaseModel):
    """What is served."""

    version: str
    before: str
    kept: list[str]
    behind: int = Field(0, description="Other workers that could not follow; the service's own log says why.")


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
