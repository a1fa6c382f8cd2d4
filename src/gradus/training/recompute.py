"""Gradient checkpointing: keep the input of each layer, and compute its inside again in the backward pass.

Chen, Xu, Zhang, Guestrin: Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174. Memory for one layer
instead of all, for one more forward pass. Dropout draws the same both times.
"""

from functools import partial

from torch.utils.checkpoint import checkpoint

from gradus.encoders.encoder import Encoder
from gradus.encoders.pretrained import PretrainedTower, layer_stack
from gradus.errors import SettingsError


def recompute_layers(encoder: Encoder) -> None:
    """Do so in every pretrained tower; changes the encoder, but neither its parameters nor what it answers.

    Raises:
        SettingsError: No tower is pretrained.
    """
    towers = [tower for tower in encoder.towers.values() if isinstance(tower, PretrainedTower)]
    if not towers:
        raise SettingsError(
            "training.gradient_checkpointing is for pretrained towers; mini keeps little to compute again"
        )
    for tower in towers:
        for layer in layer_stack(tower.network):
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
