"""Pretrained towers by name: which kind a checkpoint is, and the towers of a saved model."""

from pathlib import Path
from typing import Any

from gradus.encoders.hf_clip import DualImageTower, DualTextTower, is_dual
from gradus.encoders.hf_image import ImageTower
from gradus.encoders.hf_text import TextTower
from gradus.encoders.pretrained import PretrainedTower, hugging_face, read_config
from gradus.encoders.sentence import SentenceTower, is_sentence_model
from gradus.encoders.tower import Tower
from gradus.errors import ModelError

KINDS: dict[str, type[PretrainedTower]] = {
    tower.kind: tower for tower in (TextTower, ImageTower, DualTextTower, DualImageTower, SentenceTower)
}


def load_towers(
    text: str | None, image: str | None, lora_rank: int = 0, freeze: bool = False
) -> dict[str, Tower]:
    """The towers of pretrained models, by modality.

    Where both name the same dual encoder (CLIP, SigLIP, SigLIP2), its two halves answer in one space.

    Args:
        text: Folder or hub name of a dual encoder, a text network or a sentence-transformers model; `None`
            for no text tower.
        image: Folder or hub name of a dual encoder or an image network; `None` for no image tower.
        lora_rank: Rank of the adapters that are trained in place of the weights; 0 trains the weights.
        freeze: Train nothing of the towers.

    Raises:
        MissingExtraError: A library is not installed.
        ModelError: A model cannot be read or does not read that modality.
    """
    towers: dict[str, Tower] = {}
    for modality, name in (("text", text), ("image", image)):
        if name is None:
            continue
        tower = (text_kind(name) if modality == "text" else image_kind(name)).pretrained(name)
        if freeze:
            tower.freeze()
        elif lora_rank:
            tower.adapt(lora_rank)
        towers[modality] = tower
    return towers


def load_tower(folder: Path, config: dict[str, Any]) -> Tower:
    """The tower whose `save` wrote `folder` and returned `config`; its weights are in the `state_dict`."""
    return KINDS[config["kind"]].load(folder, config)


def text_kind(name: str) -> type[PretrainedTower]:
    """The kind of tower that reads texts with a model."""
    hugging_face()
    if is_sentence_model(name):
        return SentenceTower
    config = read_config(name)
    if is_dual(config):
        return DualTextTower
    if not hasattr(config, "vocab_size"):
        raise ModelError(f"the pretrained model {name!r} ({config.model_type}) does not read text")
    return TextTower


def image_kind(name: str) -> type[PretrainedTower]:
    """The kind of tower that reads images with a model."""
    config = read_config(name)
    if is_dual(config):
        return DualImageTower
    if not hasattr(config, "num_channels"):
        raise ModelError(f"the pretrained model {name!r} ({config.model_type}) does not read images")
    return ImageTower
