"""An encoder from settings: which towers, how wide, and the vocabulary of the mini text tower."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gradus.catalog.fields import Field
from gradus.catalog.table import ImageSource, Table
from gradus.encoders.encoder import SIDES, Encoder, Side, modality
from gradus.encoders.exact_terms import ExactTerms
from gradus.encoders.mini_image import MiniImage
from gradus.encoders.mini_text import MiniText
from gradus.encoders.prior import extended
from gradus.encoders.residual import Residual, query_keys
from gradus.encoders.subwords import Subwords
from gradus.encoders.tower import Modality, Tower
from gradus.errors import SettingsError
from gradus.settings import EncoderSettings

MINI_DIMENSIONS = 256


def build_encoder(
    settings: EncoderSettings,
    fields: Mapping[Side, Sequence[Field]],
    texts: Iterable[str],
    images: Sequence[ImageSource] = (),
    evidence: Table | None = None,
    asked: Table | None = None,
    cache: Path | None = None,
) -> Encoder:
    """A new encoder.

    Args:
        settings: The towers and how they are trained.
        fields: The fields of each side; those of weight 0 are left out.
        texts: What the mini text tower's vocabulary is counted on; training texts only.
        images: What the mini image tower's dictionary is learned from; training pictures only.
        evidence: The documents that training has evidence for; they get the residual and the prior.
        asked: The queries that training has evidence for; they get a residual of their own.
        cache: Folder for decoded images; `None` keeps them in memory.

    Raises:
        ModelError: A side has no encoded field, or a pretrained model cannot be read.
        MissingExtraError: A pretrained model needs a library that is not installed.
    """
    encoded = {side: tuple(field for field in fields[side] if field.encoded) for side in SIDES}
    if settings.freeze and "mini" in (settings.text, settings.image):
        raise SettingsError("encoder.freeze is for pretrained towers; a mini tower has to be trained")
    subwords: Subwords | None = None
    towers: dict[str, Tower] = {}
    dimensions = settings.dimensions
    for prefix, sides in _sharing(settings.separate):
        needed: set[Modality] = {modality(field) for side in sides for field in encoded[side]}
        made = _pretrained(settings, needed)
        dimensions = dimensions or max((tower.size for tower in made.values()), default=MINI_DIMENSIONS)
        if "text" in needed and settings.text == "mini":
            subwords = subwords or Subwords.train(texts, settings.vocabulary)
            made["text"] = MiniText(subwords, dimensions)
        if "image" in needed and settings.image == "mini":
            made["image"] = tower = MiniImage(settings.pixels, dimensions)
            tower.fit(images, cache)
        towers |= {prefix + name: tower for name, tower in made.items()}
    known = evidence.ids if evidence is not None else []
    residual = Residual(known, dimensions, settings.residual) if settings.residual and known else None
    keys = sorted({*query_keys(asked, encoded["query"])} - {""}) if asked is not None else []
    query_residual = (
        Residual(keys, dimensions, settings.query_residual) if settings.query_residual and keys else None
    )
    exact = ExactTerms(settings.exact_terms) if settings.exact_terms else None
    prior = extended(None, evidence, settings.prior) if evidence is not None else None
    return Encoder(
        encoded, towers, dimensions, settings.learn_field_weights, residual, query_residual, exact, prior
    )


def _sharing(separate: bool) -> list[tuple[str, tuple[Side, ...]]]:
    """Prefix of the towers' keys → the sides that use them."""
    return [(f"{side}.", (side,)) for side in SIDES] if separate else [("", SIDES)]


def _pretrained(settings: EncoderSettings, needed: set[Modality]) -> dict[str, Tower]:
    text = settings.text if "text" in needed and settings.text != "mini" else None
    image = settings.image if "image" in needed and settings.image != "mini" else None
    if text is None and image is None:
        return {}
    from gradus.encoders.hf import load_towers

    return load_towers(text, image, settings.lora_rank, settings.freeze)
