"""The text tower from a sentence-transformers model, with its own pooling, projections and normalisation.

The transformer inside is read like any other text network; the modules that follow it are the library's
own and run as they are. A saved tower is a sentence-transformers folder without the weights.
"""

import json
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from gradus.encoders.hf_text import TextTower
from gradus.encoders.pretrained import blank_network, read_config, read_network, read_tokenizer, reading
from gradus.errors import MissingExtraError, ModelError

FOLLOWING = ("Pooling", "Dense", "LayerNorm", "Normalize", "Dropout")
"""The modules that may follow the transformer."""


class SentenceTower(TextTower):
    """A sentence-transformers text model: transformer, pooling, and what follows.

    Args:
        network: The transformer.
        tokenizer: Its tokenizer.
        following: The modules after the transformer, in order.
        length: Most tokens of a text; `None` for the most that the network reads.
        prompt: The model's default prompt.
        lowercase: Whether texts are lowercased first.
    """

    kind = "sentence"

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        following: list[Any],
        length: int | None = None,
        prompt: str = "",
        lowercase: bool = False,
    ) -> None:
        sizes = [_size(module) for module in following]
        size = next((size for size in reversed(sizes) if size), None)
        super().__init__(network, tokenizer, size, length, prompt, lowercase)
        self.following = nn.ModuleList(following)

    @classmethod
    def pretrained(cls, name: str) -> Self:
        """The tower of a model; see `PretrainedTower.pretrained`."""
        return cls._read(name, weights=True)

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """The tower that `save` wrote, its weights yet to be loaded."""
        return cls._read(str(folder), weights=False)

    @classmethod
    def _read(cls, name: str, weights: bool) -> Self:
        sentence_library()
        parts = model_json(name, "modules.json")
        kinds = [part["type"].rpartition(".")[2] for part in parts]
        unknown = [kind for kind in kinds[1:] if kind not in FOLLOWING]
        if kinds[0] != "Transformer" or unknown:
            raise ModelError(
                f"the sentence-transformers model {name!r} is made of {', '.join(kinds)}; only a Transformer "
                f"followed by any of {', '.join(FOLLOWING)} can be a text tower"
            )
        path = parts[0]["path"]
        config = read_config(name, path)
        network = read_network(name, config, path)[0] if weights else blank_network(config)
        following = [
            _module(kind, name, part["path"], weights)
            for kind, part in zip(kinds[1:], parts[1:], strict=True)
        ]
        own = model_json(name, "sentence_bert_config.json", path)
        model = model_json(name, "config_sentence_transformers.json")
        prompt = model.get("prompts", {}).get(model.get("default_prompt_name"), "")
        if prompt and any(getattr(module, "include_prompt", True) is False for module in following):
            raise ModelError(
                f"the sentence-transformers model {name!r} leaves its prompt out of the pooling, "
                "which a text tower cannot; clear default_prompt_name in config_sentence_transformers.json"
            )
        tokenizer = read_tokenizer(name, path)
        lowercase = bool(own.get("do_lower_case", False))
        return cls(network, tokenizer, following, own.get("max_seq_length"), prompt, lowercase)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the JSON files of a sentence-transformers folder, and the tokenizer."""
        super().save(folder)
        parts = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
        for index, module in enumerate(self.following, start=1):
            kind = type(module).__name__
            part = {"idx": index, "name": str(index), "path": f"{index}_{kind}"}
            parts.append({**part, "type": f"sentence_transformers.models.{kind}"})
            (folder / f"{index}_{kind}").mkdir()
            module.save_config(str(folder / f"{index}_{kind}"))  # type: ignore[operator]
        files = {
            "modules.json": parts,
            "sentence_bert_config.json": {"max_seq_length": self.length, "do_lower_case": self.lowercase},
            "config_sentence_transformers.json": {
                "prompts": {"default": self.prompt},
                "default_prompt_name": "default",
            },
        }
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
        return {"kind": self.kind}

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (b, size): what the model's own modules make of the last layer."""
        features: dict[str, Tensor] = {**batch, "token_embeddings": self.network(**batch).last_hidden_state}
        for module in self.following:
            features = module(features)
        return features["sentence_embedding"]


def is_sentence_model(name: str) -> bool:
    """Whether a folder or hub name holds a sentence-transformers model.

    Raises:
        MissingExtraError: It is a hub name, and sentence-transformers is not installed to look there.
    """
    if Path(name).is_dir():
        return (Path(name) / "modules.json").is_file()
    return model_file(name, "modules.json") is not None


def sentence_library() -> Any:
    """The sentence-transformers package.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import sentence_transformers
    except ImportError:
        raise MissingExtraError("a sentence-transformers model", "hf") from None
    return sentence_transformers


def model_file(name: str, file: str, subfolder: str = "") -> str | None:
    """Path of a model's file, fetched where the model is on the hub; `None` if it has no such file.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelError: The hub cannot be asked.
    """
    sentence_library()
    from sentence_transformers.util import load_file_path

    with reading(name):
        path: str | None = load_file_path(name, file, subfolder=subfolder)
    return path


def model_json(name: str, file: str, subfolder: str = "") -> Any:
    """Content of a model's JSON file; an empty mapping if it has no such file.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelError: The file is not JSON, or the hub cannot be asked.
    """
    path = model_file(name, file, subfolder)
    with reading(name):
        return {} if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _module(kind: str, name: str, path: str, weights: bool) -> Any:
    """A module from its folder; only classes of the library and activations of torch are ever made."""
    from safetensors.torch import load_file
    from sentence_transformers.sentence_transformer import modules

    kind_class = getattr(modules, kind)
    config = kind_class.load_config(name, subfolder=path)
    if "activation_function" in config:
        activation = getattr(nn, config["activation_function"].rpartition(".")[2], None)
        if not (isinstance(activation, type) and issubclass(activation, nn.Module)):
            raise ModelError(
                f"the sentence-transformers model {name!r} asks for the activation "
                f"{config['activation_function']!r}, which is not one of torch.nn"
            )
        config["activation_function"] = activation()
    with reading(name):
        try:
            module = kind_class(**config)
        except TypeError as error:
            raise ValueError(f"{path}: {error}") from error
    if weights and any(True for _ in module.parameters()):
        file = model_file(name, "model.safetensors", path)
        if file is None:
            raise ModelError(f"the sentence-transformers model {name!r} has no {path}/model.safetensors")
        module.load_state_dict({key: value.to(torch.float32) for key, value in load_file(file).items()})
    return module


def _size(module: Any) -> int | None:
    """Length of the vectors that leave a module; `None` where it does not change it."""
    return getattr(module, "out_features", None) or getattr(module, "pooling_output_dimension", None)
