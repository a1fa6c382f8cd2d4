"""Training queries alone: documents stay as they are, so that nothing has to be embedded or indexed anew.

What documents come to is then no longer a matter of training. It is computed once, without dropout, as it will be
served; a step encodes queries and nothing else.
"""

import numpy as np
import torch

from gradus.encoders.encoder import Embedding, Encoder, Prepared
from gradus.training.batches import Rows

_AT_A_TIME = 256
_QUERIES = ("towers.query_", "projections.query_", "fusion.query.", "query_residual.")
"""What the parameters are called that no document's vector is made of."""


def train_queries_alone(encoder: Encoder) -> None:
    """Leave training nothing that documents' vectors are made of.

    Args:
        encoder: With towers of its own for each side, as `gradus.encoders.start.separated` makes it.
    """
    for name, parameter in encoder.named_parameters():
        if not name.startswith(_QUERIES):
            parameter.requires_grad_(False)


class FixedDocuments:
    """The embeddings of documents that training does not move.

    Args:
        encoder: Embeds them, once.
        prepared: The documents, prepared by the encoder.
        rows: (n,) the rows that training asks for; others raise an IndexError.
    """

    def __init__(self, encoder: Encoder, prepared: Prepared, rows: Rows) -> None:
        self.place = np.full(len(prepared), len(rows))  # out of range for all rows but these
        self.place[rows] = np.arange(len(rows))
        training = encoder.training
        encoder.eval()
        with torch.no_grad():
            parts = [
                encoder("document", prepared, rows[at : at + _AT_A_TIME])
                for at in range(0, len(rows), _AT_A_TIME)
            ]
        encoder.train(training)
        self.merged, self.fields, self.present, self.prior = (
            torch.cat([getattr(part, name) for part in parts])
            for name in ("merged", "fields", "present", "prior")
        )

    def __call__(self, rows: Rows) -> Embedding:
        """The embeddings of some of the rows; there is no penalty on what does not move."""
        at = torch.from_numpy(self.place[rows]).to(self.merged.device)
        nothing = self.merged.new_zeros(())
        return Embedding(self.merged[at], self.fields[at], self.present[at], nothing, self.prior[at])
