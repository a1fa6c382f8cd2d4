"""Requests and responses of people who judge: grades of documents, votes on versions."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from gradus.search.service.models import MOST_EVENTS, MOST_HITS, Id, Strict, Text, Token

Rater = Annotated[Text, Field(min_length=1, max_length=64)]
"""Who judges, by a name of their choice."""

_QUERY = Annotated[Text, Field(min_length=1, max_length=2000)]


class GradeModel(Strict):
    """How well a document answers a query, on the scale of the service."""

    query: _QUERY
    doc_id: Id
    grade: FiniteFloat | Annotated[str, Field(max_length=64)]


class GradesRequest(Strict):
    """What one expert says."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"rater": "Ann", "grades": [{"query": "hex bolt M8", "doc_id": "b-01", "grade": 3}]}]
        },
    )

    rater: Rater
    grades: list[GradeModel] = Field(min_length=1, max_length=MOST_EVENTS)


class JudgedQuery(BaseModel):
    """How far a query is judged."""

    query: str
    mine: int = Field(description="Documents that this rater graded.")
    raters: int = Field(description="Raters who graded any.")


class ProgressResponse(BaseModel):
    """The queries to judge."""

    queries: list[JudgedQuery]


class GradesResponse(BaseModel):
    """The grades that a rater gave for a query, by document."""

    grades: dict[str, float | str]


class Dispute(BaseModel):
    """A document that raters grade differently for a query."""

    query: str
    doc_id: str
    grades: dict[str, float | str] = Field(description="Rater → grade.")
    fields: dict[str, Any] = Field(description="The document's fields.")


class DisputesResponse(BaseModel):
    """Where raters disagree, the most first."""

    pairs: int = Field(description="Pairs of query and document with two raters or more.")
    disputes: list[Dispute]


class ListModel(Strict):
    """What a version found."""

    version: Token
    doc_ids: list[Id] = Field(max_length=MOST_HITS)


class VoteRequest(Strict):
    """Which of two lists for a query is better, by somebody who did not know whose they were."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "rater": "Ann",
                    "query": "hex bolt M8",
                    "left": {"version": "3f2a90d1c7b4", "doc_ids": ["b-01"]},
                    "right": {"version": "b81c64e5aa07", "doc_ids": ["b-07"]},
                    "choice": "left",
                }
            ]
        },
    )

    rater: Rater
    query: _QUERY
    left: ListModel
    right: ListModel
    choice: Literal["left", "right", "tie"]
