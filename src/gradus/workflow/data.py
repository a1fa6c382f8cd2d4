"""The data of a search, read once: documents, judgments, split."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.read import read_judgments_file
from gradus.judgments.split import Split, make_split
from gradus.judgments.table_format import read_table_file
from gradus.settings import Settings, to_mapping
from gradus.workflow.unjudged import parts_of, with_unjudged


@dataclass(frozen=True)
class Data:
    """Everything that training and evaluation read.

    Attributes:
        documents: The catalogue.
        judgments: The judged pairs, with their queries.
        split: Which of both training may see.
        distilled: Pairs that nobody judged, of queries and documents that training may see; `None` for none. Their
            queries are those of the judgments, and behind them queries without a judgment.
    """

    documents: Table
    judgments: Judgments
    split: Split
    distilled: Judgments | None = None

    @property
    def queries(self) -> Table:
        """All queries that training may see, those of the judgments in their rows."""
        return self.judgments.queries if self.distilled is None else self.distilled.queries

    @property
    def query_part(self) -> NDArray[np.object_]:
        """(n,) the part of each of `queries`."""
        return parts_of(self.queries, self.split)

    @cached_property
    def training(self) -> Judgments:
        """The pairs that training sees, over `queries`: judged ones, then distilled ones."""
        judged = self.judgments.take(self.split.training(self.judgments))
        if self.distilled is None:
            return judged
        told = self.distilled
        return Judgments(
            told.queries,
            self.documents,
            np.concatenate([judged.query, told.query]),
            np.concatenate([judged.document, told.document]),
            np.concatenate([judged.score, told.score]),
            np.concatenate([judged.low, told.low]),
            np.concatenate([judged.high, told.high]),
            np.concatenate([judged.source, told.source]),
        )

    def may_teach(self, told: Judgments) -> NDArray[np.bool_]:
        """(p,) which pairs training may see that nobody has judged.

        Args:
            told: Pairs over the queries that `with_unjudged` gives.
        """
        width = len(self.documents)
        judged = self.judgments.query * width + self.judgments.document
        return np.asarray(
            (parts_of(told.queries, self.split)[told.query] == "train")
            & (self.split.document_part[told.document] == "train")
            & ~np.isin(told.query * width + told.document, judged)
        )

    def fingerprint(self, settings: Settings) -> str:
        """Names the settings and the data: a run may be resumed only with the same."""
        sections = json.dumps(to_mapping(settings), sort_keys=True)
        return hashlib.blake2b((sections + self.content()).encode(), digest_size=16).hexdigest()

    def content(self) -> str:
        """Names the judgments, the split and the ids: of data alone."""
        digest = hashlib.blake2b(digest_size=16)
        pairs = self.judgments
        for numbers in (pairs.query, pairs.document, pairs.score, pairs.low, pairs.high):
            digest.update(numbers.tobytes())
        for parts in (self.split.query_part, self.split.document_part):
            digest.update("".join(parts).encode())
        digest.update("\n".join([*self.documents.ids, *self.judgments.queries.ids]).encode())
        if self.distilled is not None:
            told = self.distilled
            for numbers in (told.query, told.document, told.score, told.low, told.high):
                digest.update(numbers.tobytes())
            digest.update("\n".join(told.queries.ids).encode())
        return digest.hexdigest()


def load_data(settings: Settings) -> Data:
    """Read the catalogue and the judgments that the settings name, and split them.

    Raises:
        CatalogError: The catalogue cannot be read as described.
        JudgmentsError: The judgments cannot, or nothing is left to train on.
    """
    documents = open_catalog(settings)
    file = read_judgments_file(settings, documents)
    split = make_split(file.judgments, settings.split, file.query_part, file.document_part)
    training = split.training(file.judgments)
    if not (file.judgments.score[training] > 0).any():
        raise JudgmentsError(
            f"{settings.resolve(settings.judgments.path)}: no pair with a score above 0 is left to train on "
            "after the split; judge more pairs, or lower split.novel_queries and split.novel_documents"
        )
    return with_distilled(settings, Data(documents, file.judgments, split))


def with_distilled(settings: Settings, data: Data) -> Data:
    """The data with what `judgments.distilled` names, and nothing else that was distilled.

    Raises:
        JudgmentsError: The file is not there, or holds nothing that training may see and nobody has judged.
    """
    return replace(data, distilled=_distilled(settings, data) if settings.judgments.distilled else None)


def _distilled(settings: Settings, data: Data) -> Judgments:
    """What `gradus distil` wrote, as far as training may see it and nobody has judged it since."""
    path = settings.resolve(settings.judgments.distilled)
    if not path.exists():
        raise JudgmentsError(f"no {path}; gradus distil writes it, or empty judgments.distilled")
    # The file is one of ours, whatever the columns of the judgments are called, and holds its queries.
    own = {"path": settings.judgments.distilled, "format": "table", "scale": 1.0}
    own |= {"query_id": "query_id", "doc_id": "doc_id", "score": "score"}
    values = {f"judgments.{name}": value for name, value in own.items()} | {"query.path": ""}
    told = read_table_file(settings.with_values(values), data.documents).judgments
    queries = with_unjudged(data.judgments.queries, data.split, told.queries, settings.split.query_group)
    row = np.array([queries.row_of.get(name, -1) for name in told.queries.ids], np.int64)[told.query]
    told = replace(told.take(row >= 0), queries=queries, query=row[row >= 0])
    told = told.take(data.may_teach(told))
    if not len(told):
        raise JudgmentsError(
            f"{path} holds no pair of training queries and documents that is not judged already; distil anew"
        )
    return told
