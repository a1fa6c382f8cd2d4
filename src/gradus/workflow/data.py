"""The data of a search, read once: documents, judgments, split."""

import hashlib
import json
from dataclasses import dataclass

from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.read import read_judgments_file
from gradus.judgments.split import Split, make_split
from gradus.settings import Settings, to_mapping


@dataclass(frozen=True)
class Data:
    """Everything that training and evaluation read.

    Attributes:
        documents: The catalogue.
        judgments: The judged pairs, with their queries.
        split: Which of both training may see.
    """

    documents: Table
    judgments: Judgments
    split: Split

    def fingerprint(self, settings: Settings) -> str:
        """Names the settings and the data: a run may be resumed only with the same."""
        sections = to_mapping(settings)
        digest = hashlib.blake2b(json.dumps(sections, sort_keys=True).encode(), digest_size=16)
        pairs = self.judgments
        for numbers in (pairs.query, pairs.document, pairs.score, pairs.low, pairs.high):
            digest.update(numbers.tobytes())
        for parts in (self.split.query_part, self.split.document_part):
            digest.update("".join(parts).encode())
        digest.update("\n".join([*self.documents.ids, *self.judgments.queries.ids]).encode())
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
    return Data(documents, file.judgments, split)
