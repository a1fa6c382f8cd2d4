"""What the pretrained towers share: reading checkpoints, freezing, adapters and layer-wise rates.

Checkpoints are Hugging Face folders or hub names. Only safetensors weights are read, never pickles, and
code that lies in a checkpoint is never run. Weights are read as float32, whatever they were stored as,
because half precision cannot be trained without loss scaling.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import nn

from gradus.encoders.tower import Tower
from gradus.errors import MissingExtraError, ModelError


class PretrainedTower(Tower):
    """A tower around a pretrained network.

    Args:
        network: The pretrained network, without the parts that the tower does not use.
        size: Length of the vectors that `forward` returns.

    Attributes:
        kind: How the tower is named in a saved model.
    """

    kind: ClassVar[str]

    def __init__(self, network: Any, size: int) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.frozen = False

    @property
    def at_once(self) -> int:
        """Few on a CPU, where what passes between layers should stay in its caches."""
        return 32 if next(self.parameters()).device.type == "cpu" else 256

    @classmethod
    @abstractmethod
    def pretrained(cls, name: str) -> Self:
        """The tower of a checkpoint, a folder or hub name, with its weights.

        Raises:
            MissingExtraError: transformers is not installed.
            ModelError: No such checkpoint, or not of the tower's kind.
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """The tower that `save` wrote to `folder`, without weights: they are in the model's `state_dict`."""

    def freeze(self) -> None:
        """Train none of the tower's parameters, and keep its dropout off while the rest trains."""
        self.requires_grad_(False)
        self.frozen = True
        self.eval()

    def adapt(self, rank: int) -> None:
        """Train low-rank adapters on the attention projections instead of the network; see `lora`."""
        from gradus.encoders.lora import add_adapters

        self.requires_grad_(False)
        add_adapters(self.network, layer_stack(self.network), rank)

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; a frozen tower stays as it answers."""
        return super().train(mode and not self.frozen)

    def parameter_groups(self, learning_rate: float, layer_decay: float) -> list[dict[str, Any]]:
        """One optimiser group per depth, at the rate `learning_rate · layer_decay^d`.

        The depth d is 0 for the last layer and what follows it, grows by one per layer below, and is the
        number of layers for what comes before the first (the embeddings).
        """
        depths = layer_depths(self.network)
        groups: dict[int, list[nn.Parameter]] = {}
        for parameter in self.parameters():
            if parameter.requires_grad:
                groups.setdefault(depths.get(parameter, 0), []).append(parameter)
        return [
            {"params": group, "lr": learning_rate * layer_decay**depth}
            for depth, group in sorted(groups.items())
        ]


def layer_stack(network: nn.Module) -> nn.ModuleList:
    """The network's layers: of all its module lists, the one with the most parameters.

    Architectures name their layers in a dozen ways (`layer`, `layers`, `block`, `stages`), yet all keep
    them in one list that holds most of the weights.
    """
    stacks = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    return max(stacks, key=lambda stack: sum(p.numel() for p in stack.parameters()), default=nn.ModuleList())


def layer_depths(network: nn.Module) -> dict[nn.Parameter, int]:
    """How many layers each parameter lies below the last one.

    Networks register their parts in the order of computation, so what comes before the first layer is
    the embeddings, and what comes after it and is in no layer belongs to the top.
    """
    stack = layer_stack(network)
    depths = {p: len(stack) - 1 - index for index, layer in enumerate(stack) for p in layer.parameters()}
    below = len(stack)
    for parameter in network.parameters():
        if parameter in depths:
            below = 0
        else:
            depths[parameter] = below
    return depths


def hugging_face() -> Any:
    """The transformers package.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("a pretrained tower", "hf") from None
    return transformers


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what the libraries raise for an unusable checkpoint into a ModelError that names it."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(
            f"cannot read the pretrained model {name!r}: {reason}; give the folder or the hub name of a "
            "Hugging Face model with safetensors weights and no code of its own"
        ) from error


def read_config(name: str, subfolder: str = "") -> Any:
    """The `config.json` of a checkpoint."""
    transformers = hugging_face()
    with reading(name):
        return transformers.AutoConfig.from_pretrained(name, subfolder=subfolder, trust_remote_code=False)


def read_tokenizer(name: str, subfolder: str = "") -> Any:
    """The tokenizer of a checkpoint."""
    transformers = hugging_face()
    with reading(name):
        return transformers.AutoTokenizer.from_pretrained(name, subfolder=subfolder, trust_remote_code=False)


def read_image_processor(name: str) -> Any:
    """The image processor of a checkpoint, always in its PIL form.

    The torchvision form resizes a little differently and is chosen whenever torchvision is installed;
    embeddings must not depend on that.
    """
    transformers = hugging_face()
    with reading(name):
        return transformers.AutoImageProcessor.from_pretrained(name, backend="pil", trust_remote_code=False)


def read_network(name: str, config: Any, subfolder: str = "") -> tuple[Any, set[str]]:
    """The network of a checkpoint with its weights.

    Returns:
        The network, and the names of those of its pooler's parameters that the checkpoint does not have.

    Raises:
        ModelError: The checkpoint cannot be read, or lacks weights outside the pooler.
    """
    with reading(name):
        network, report = _auto_class(config).from_pretrained(
            name,
            config=config,
            subfolder=subfolder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    missing = set(report["missing_keys"])
    untrained = {key for key in missing if "pooler." in key}
    if missing - untrained:
        raise ModelError(
            f"the pretrained model {name!r} lacks the weights of {sorted(missing - untrained)[0]!r} and "
            f"{len(missing - untrained) - 1} others of a {config.model_type} model"
        )
    return network, untrained


def blank_network(config: Any) -> Any:
    """The network that a config describes, its weights yet to be loaded."""
    return _auto_class(config).from_config(config, dtype=torch.float32)


def _auto_class(config: Any) -> Any:
    """An encoder-decoder (T5) is read without its decoder."""
    transformers = hugging_face()
    return transformers.AutoModelForTextEncoding if config.is_encoder_decoder else transformers.AutoModel
