"""A saved model: a folder that a person can read and that loads without running any code from it.

`config.json` says what the model is made of, `model.safetensors` holds every parameter, `towers/` what the towers
need beside them (vocabulary, tokenizer, configs), `residual.json` and `query_residual.json` the documents and
queries that have a residual, `prior.json` what has an effect on the prior, `README.md` is the model card. No
pickles.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import gradus
from gradus.catalog.fields import Field
from gradus.encoders.encoder import SIDES, Encoder, modality
from gradus.encoders.exact_terms import ExactTerms
from gradus.encoders.lora import merged_state
from gradus.encoders.mini_image import MiniImage
from gradus.encoders.mini_text import MiniText
from gradus.encoders.prior import FILE as PRIOR_FILE
from gradus.encoders.prior import DocumentPrior
from gradus.encoders.residual import FILE, QUERY_FILE, Residual
from gradus.encoders.tower import Tower
from gradus.errors import ModelError
from gradus.files import atomic_folder

FORMAT = 1


def save_model(
    encoder: Encoder, folder: Path, facts: Mapping[str, Any], state: Mapping[str, Tensor] | None = None
) -> None:
    """Write a model; an older one at `folder` is replaced whole.

    Args:
        encoder: The model.
        folder: Where.
        facts: JSON values for the model card: what it was trained on and what came out.
        state: Parameters to save in place of the encoder's own, as its `state_dict` names them.
    """
    own = {name: value.detach().clone() for name, value in encoder.state_dict().items()} if state else {}
    if state:
        encoder.load_state_dict(dict(state))
    try:
        with atomic_folder(folder) as aside:
            towers = {}
            for key, tower in encoder.towers.items():
                place = aside / "towers" / key
                place.mkdir(parents=True)
                assert isinstance(tower, Tower)  # noqa: S101 - narrows ModuleDict's type
                towers[key] = tower.save(place)
            if encoder.residual is not None:
                encoder.residual.save(aside / FILE)
            if encoder.query_residual is not None:
                encoder.query_residual.save(aside / QUERY_FILE)
            if encoder.prior is not None:
                encoder.prior.save(aside / PRIOR_FILE)
            config = {
                "format": FORMAT,
                "gradus": gradus.__version__,
                "dimensions": encoder.dimensions,
                "learn_field_weights": encoder.learn_field_weights,
                "residual": encoder.residual is not None,
                "query_residual": encoder.query_residual is not None,
                "prior": encoder.prior is not None,
                "exact_terms": encoder.exact.dimensions if encoder.exact is not None else 0,
                "fields": {side: [asdict(field) for field in encoder.fields[side]] for side in SIDES},
                "towers": towers,
            }
            _write(aside / "config.json", json.dumps(config, indent=2, ensure_ascii=False))
            save_file(merged_state(encoder), aside / "model.safetensors")
            _write(aside / "README.md", _card(encoder, facts))
    finally:
        if state:
            encoder.load_state_dict(own)


def load_model(folder: Path, *, mapped: bool = False) -> Encoder:
    """Read a model, in evaluation mode, on the CPU.

    Args:
        folder: What `save_model` wrote, or a training run's folder, which holds it as `model/`.
        mapped: Whether its parameters stay in the file, mapped into memory, so that processes which only read them
            share them. The file may then be replaced or removed, but not be written to.

    Raises:
        ModelError: No model there, an incomplete one, or one of a later format.
        MissingExtraError: Its towers need a library that is not installed.
    """
    folder = model_folder(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] > FORMAT:
            raise ModelError(f"{folder} was written by gradus {config['gradus']}; upgrade to read it")
        fields = {side: [Field(**field) for field in config["fields"][side]] for side in SIDES}
        towers = {key: _load_tower(folder / "towers" / key, part) for key, part in config["towers"].items()}
        dimensions = config["dimensions"]
        residual, query_residual = (
            Residual.load(folder / file, dimensions) if config.get(key) else None
            for key, file in (("residual", FILE), ("query_residual", QUERY_FILE))
        )
        exact = ExactTerms(config["exact_terms"]) if config.get("exact_terms") else None
        prior = DocumentPrior.load(folder / PRIOR_FILE) if config.get("prior") else None
        encoder = Encoder(
            fields, towers, dimensions, config["learn_field_weights"], residual, query_residual, exact, prior
        )
        weights = load_file(folder / "model.safetensors")  # maps the file
        if mapped:
            own = encoder.state_dict()
            weights = {name: weight.to(own[name].dtype) for name, weight in weights.items()}
        encoder.load_state_dict(weights, assign=mapped)
    except FileNotFoundError as error:
        # The reader of safetensors names no file.
        name = error.filename or folder / "model.safetensors"
        raise ModelError(f"{folder} holds no complete model: no {name}") from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder} holds a damaged model: {error}") from None
    return encoder.eval()


def model_folder(folder: Path) -> Path:
    """Where the model is: a training run's folder holds it as `model/`."""
    if not (folder / "config.json").exists() and (folder / "model").is_dir():
        return folder / "model"
    return folder


def fingerprint(folder: Path) -> str:
    """What tells a model from every other one: equal weights, equal fingerprints.

    Args:
        folder: As for `load_model`.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in ("config.json", "model.safetensors"):
        digest.update((model_folder(folder) / name).read_bytes())
    return digest.hexdigest()


def document_side(folder: Path) -> str:
    """What tells a model from every other one that embeds documents differently.

    Models share it that were trained from one another with `training.refresh = "queries"`: vectors and indexes of one
    are the other's. Arguments are those of `load_model`.
    """
    folder = model_folder(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    fields = [Field(**field) for field in config["fields"]["document"]]
    # A tower that was shared is named after its modality alone.
    names = sorted({modality(field) for field in fields})
    towers = {name: next(k for k in (f"document_{name}", name) if k in config["towers"]) for name in names}
    parts = ["dimensions", "residual", "exact_terms", *(["prior"] if config.get("prior") else [])]
    about = [config["fields"]["document"], [config.get(part) for part in parts]]
    digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=16)
    for name, key in towers.items():
        digest.update(json.dumps([name, config["towers"][key]], sort_keys=True).encode())
        for file in sorted((folder / "towers" / key).rglob("*")):
            digest.update(file.read_bytes() if file.is_file() else b"")
    if config.get("residual"):
        digest.update((folder / FILE).read_bytes())
    if config.get("prior"):
        digest.update((folder / PRIOR_FILE).read_bytes())
    prefixes = [f"{part}.{key}." for part in ("towers", "projections") for key in towers.values()]
    prefixes += ["fusion.document.", "residual.", "exact.", "prior."]
    with safe_open(folder / "model.safetensors", "pt") as file:
        for prefix in prefixes:
            for tensor in sorted(key for key in file.keys() if key.startswith(prefix)):  # noqa: SIM118
                digest.update(tensor.removeprefix(prefix).encode())
                digest.update(file.get_tensor(tensor).numpy().tobytes())
    return digest.hexdigest()


def _load_tower(folder: Path, config: dict[str, Any]) -> Tower:
    if config["kind"] == "mini-text":
        return MiniText.load(folder, config)
    if config["kind"] == "mini-image":
        return MiniImage.load(folder, config)
    from gradus.encoders.hf import load_tower

    return load_tower(folder, config)


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")


def _card(encoder: Encoder, facts: Mapping[str, Any]) -> str:
    """The model card, for people."""
    parameters = sum(p.numel() for p in encoder.parameters())
    lines = [
        "# A Gradus model",
        "",
        f"First-stage search model: queries and documents to unit vectors of {encoder.length} numbers, "
        "ranked by their dot product.",
        "",
        f"- parameters: {parameters:,}",
        *(f"- {key}: {value}" for key, value in facts.items()),
    ]
    for side in SIDES:
        weights = encoder.field_weights(side)
        lines += ["", f"## {side.capitalize()} fields", "", "| field | type | weight |", "|---|---|---|"]
        lines += [f"| {f.name} | {f.type} | {weights[f.name]:.3f} |" for f in encoder.fields[side]]
    lines += ["", "Load it with `gradus.encoders.saving.load_model(folder)`; nothing in the folder is code."]
    return "\n".join(lines)
