"""An encoder that goes on from a saved model: new evidence, and on request queries alone.

Towers, vocabulary and field weights are the model's. Documents and queries that only the new evidence knows get a
residual that starts at zero, beside the ones that the model has.

Where queries alone are to be trained, documents' vectors must stay as they are to the last byte, but a tower that
both sides share would move them. So each side gets a tower of its own: the documents' is the model's, the queries' a
copy of it that goes its own way.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.encoders.encoder import SIDES, Encoder, Side
from gradus.encoders.exact_terms import ExactTerms
from gradus.encoders.pretrained import PretrainedTower
from gradus.encoders.prior import extended
from gradus.encoders.residual import Residual, query_keys
from gradus.encoders.saving import load_model
from gradus.encoders.tower import Tower
from gradus.errors import ModelError, SettingsError
from gradus.settings import EncoderSettings


def start_encoder(
    folder: Path,
    settings: EncoderSettings,
    fields: Mapping[Side, Sequence[Field]],
    evidence: Table,
    asked: Table,
    only_queries: bool,
) -> Encoder:
    """The encoder of a saved model, made ready to be trained on.

    Args:
        folder: The model's folder, or a training run's.
        settings: What of it is trained. Its towers, vocabulary and pixels are not read: they are the model's.
        fields: The encoded fields of each side, which must be the model's.
        evidence: The documents that training has evidence for.
        asked: The queries that training has evidence for.
        only_queries: Leave all alone that makes documents' vectors.

    Raises:
        ModelError: No model there, or one that reads other fields.
        SettingsError: `encoder.dimensions` differs from the model's, or a mini tower is to be frozen.
    """
    encoder = load_model(folder)
    for side in SIDES:
        own, given = ([f"{f.name} ({f.type})" for f in each[side]] for each in (encoder.fields, fields))
        if sorted(own) != sorted(given):
            raise ModelError(
                f"{folder}, where training is to start, reads the {side} fields {', '.join(own)}; the settings "
                f"name {', '.join(given)}; train without training.start"
            )
    if settings.dimensions not in (0, encoder.dimensions):
        raise SettingsError(
            f"encoder.dimensions is {settings.dimensions}, but vectors of {folder} have {encoder.dimensions} "
            "numbers; leave it out, or train without training.start"
        )
    if only_queries or settings.separate:
        encoder = separated(encoder)
    for key, tower in encoder.towers.items():
        if isinstance(tower, PretrainedTower) and not (only_queries and key.startswith("document_")):
            if settings.freeze:
                tower.freeze()
            elif settings.lora_rank:
                tower.adapt(settings.lora_rank)
        elif settings.freeze and not isinstance(tower, PretrainedTower):
            raise SettingsError("encoder.freeze is for pretrained towers; a mini tower has to be trained")
    keys = sorted({*query_keys(asked, encoder.fields["query"])} - {""})
    encoder.query_residual = _extended(encoder.query_residual, keys, encoder, settings.query_residual)
    if not only_queries:
        encoder.residual = _extended(encoder.residual, evidence.ids, encoder, settings.residual)
        encoder.prior = extended(encoder.prior, evidence, settings.prior)
        if settings.exact_terms != (encoder.exact.dimensions if encoder.exact is not None else 0):
            encoder.exact = ExactTerms(settings.exact_terms) if settings.exact_terms else None
    return encoder.train()


def separated(encoder: Encoder) -> Encoder:
    """The same encoder with towers of its own for each side; what was shared becomes two equal copies."""
    copies: dict[str, list[str]] = {}
    towers: dict[str, Tower] = {}
    for side in SIDES:
        for field in encoder.fields[side]:
            key = encoder.tower_key(side, field)
            own = key if key.startswith(f"{side}_") else f"{side}_{key}"
            if own not in towers:
                tower = encoder.tower(side, field)
                towers[own] = deepcopy(tower) if copies.get(key) else tower
                copies.setdefault(key, []).append(own)
    apart = Encoder(
        encoder.fields, towers, encoder.dimensions, encoder.learn_field_weights, encoder.residual,
        encoder.query_residual, encoder.exact, encoder.prior,
    )  # fmt: skip
    state: dict[str, Tensor] = {}
    for name, value in encoder.state_dict().items():
        part, _, rest = name.partition(".")
        key, _, rest = rest.partition(".")
        if part in ("towers", "projections"):
            state |= {f"{part}.{own}.{rest}": value for own in copies.get(key, ())}
        else:
            state[name] = value
    apart.load_state_dict(state)
    return apart.train(encoder.training)


def _extended(
    known: Residual | None, ids: Sequence[str], encoder: Encoder, shrinkage: float
) -> Residual | None:
    """A residual that also has the given rows; what is known keeps its vectors. `None` where λ is 0."""
    old = known.ids if known is not None else []
    names = list(dict.fromkeys([*old, *ids]))
    if not shrinkage or not names:
        return None
    residual = Residual(names, encoder.dimensions, shrinkage)
    if known is not None:
        with torch.no_grad():
            residual.vectors[: len(old)] = known.vectors
    return residual
