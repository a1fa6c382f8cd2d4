"""`gradus.toml`: one file describes one search.

Each section of the file is a frozen dataclass here and each setting one field of it, with its default,
its explanation and its bounds in one place. The command line makes a flag `--section.setting` of each.
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_origin, get_type_hints

from gradus.errors import SettingsError

Fields = Mapping[str, Mapping[str, Any]]
"""Field name → its `type` and `weight`, as written under `[catalog.fields]` or `[query.fields]`."""


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A dataclass field that carries its explanation and its bounds."""
    metadata = {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class _Section:
    """A section of `gradus.toml`; construction checks every setting against its type and bounds."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            key = f"{section_name(type(self))}.{item.name}"
            object.__setattr__(self, item.name, _checked(key, value, hints[item.name], item.metadata))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The section made of the given keys, defaults elsewhere.

        Raises:
            SettingsError: An unknown key (with the nearest known one), a wrong type, a value out of range.
        """
        known = [item.name for item in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
                raise SettingsError(f"unknown key {section_name(cls)}.{key}{hint}")
        return cls(**values)


@dataclass(frozen=True)
class CatalogSettings(_Section):
    """The documents."""

    path: str = setting("catalog.csv", "CSV, TSV, JSONL or Parquet file, or a folder with a metadata file.")
    id: str = setting("doc_id", "Column with each document's id.")
    images: str = setting("", "Folder that image paths are relative to; the catalogue's own when empty.")
    fields: Fields = setting({}, "One table per field: type (text, image, category, number) and weight.")


@dataclass(frozen=True)
class QuerySettings(_Section):
    """The queries."""

    path: str = setting("", "File with the queries' fields; empty when the judgments file holds them.")
    id: str = setting("query_id", "Column with each query's id.")
    fields: Fields = setting({"query": {"type": "text"}}, "One table per field of a query, as for documents.")


@dataclass(frozen=True)
class JudgmentsSettings(_Section):
    """The evidence, already judged."""

    path: str = setting(
        "judgments.csv", "Judgments file (CSV, Parquet), TREC qrels (.qrels, .txt), or a Marqo-GS folder."
    )
    format: str = setting(
        "auto", "How the file is read; auto goes by its name.", choices=("auto", "table", "qrels", "marqo-gs")
    )
    query_id: str = setting("query_id", "Column with the query's id; without it, a query's text is its id.")
    doc_id: str = setting("doc_id", "Column with the document's id.")
    score: str = setting("score", "Column with the score.")
    scale: float = setting(1.0, "The score that counts as 1: 3 for grades 0 to 3.", minimum=1e-9)


@dataclass(frozen=True)
class SplitSettings(_Section):
    """Which queries and documents training may see."""

    novel_queries: float = setting(0.2, "Share of the queries kept from training.", minimum=0, maximum=0.9)
    novel_documents: float = setting(
        0.5, "Share of the documents kept from training.", minimum=0, maximum=0.9
    )
    validation: float = setting(
        0.05,
        "Share of the training queries and documents held out for early stopping.",
        minimum=0,
        maximum=0.5,
    )
    query_group: str = setting("", "Query column whose values never straddle parts (a user, a topic).")
    document_group: str = setting("", "Document column whose values never straddle parts (a family).")
    seed: int = setting(0, "Seed of the split.", minimum=0)


@dataclass(frozen=True)
class EncoderSettings(_Section):
    """The towers that turn fields into vectors."""

    text: str = setting(
        "mini", "Text tower: mini, or the name or folder of a Hugging Face or sentence-transformers model."
    )
    image: str = setting("mini", "Image tower: mini, or the name or folder of a Hugging Face model.")
    dimensions: int = setting(0, "Length D of an embedding; 0 takes the towers' own.", minimum=0)
    pixels: int = setting(64, "Side of the square that mini's images are resized to.", minimum=32)
    vocabulary: int = setting(30000, "Most subwords in mini's vocabulary.", minimum=256)
    learn_field_weights: bool = setting(True, "Learn the field weights, starting from the given ones.")
    residual: float = setting(
        0.01,
        "Shrinkage λ of the vectors that documents with evidence get beside their content; 0 for no such vectors.",
        minimum=0,
    )
    separate: bool = setting(False, "Give queries and documents towers of their own.")
    freeze: bool = setting(False, "Train only projections and field weights, not pretrained towers.")
    layer_decay: float = setting(
        1.0, "Learning-rate factor per layer below the top of a pretrained tower.", minimum=0.01, maximum=1
    )
    lora_rank: int = setting(0, "Rank of LoRA adapters in pretrained towers; 0 trains them whole.", minimum=0)


@dataclass(frozen=True)
class ObjectiveSettings(_Section):
    """The loss."""

    name: str = setting("many-to-many", "The objective.", choices=("info-nce", "pairwise", "many-to-many"))
    weight: str = setting("linear", "Score-to-weight function, as `gradus weights` lists them.")
    denominator: str = setting(
        "lower",
        "What a positive competes with in many-to-many: all, unjudged, or documents of lower weight.",
        choices=("all", "unjudged", "lower"),
    )
    temperature: float = setting(0.07, "Where the learned temperature τ starts.", minimum=0.001, maximum=10)
    field_terms: float = setting(0.0, "λ of the per-field terms: L = L_merged + λ Σ_f L_f.", minimum=0)


@dataclass(frozen=True)
class TrainingSettings(_Section):
    """The loop."""

    minutes: float = setting(0.0, "Stop after this much training time; 0 goes by epochs.", minimum=0)
    epochs: int = setting(40, "Passes over the training documents (pairs, for pairwise).", minimum=1)
    batch: int = setting(512, "Documents in a many-to-many batch; pairs in a pairwise one.", minimum=2)
    learning_rate: float = setting(0.003, "Peak learning rate of AdamW.", minimum=0)
    pretrained_learning_rate: float = setting(
        2e-5, "Peak learning rate of pretrained towers, at their top layer.", minimum=0
    )
    weight_decay: float = setting(0.01, "Weight decay of AdamW.", minimum=0)
    warmup: float = setting(
        0.05, "Share of the training that warms the learning rate up.", minimum=0, maximum=1
    )
    clip: float = setting(1.0, "Largest norm of the gradient.", minimum=0)
    ema: float = setting(
        0.0, "Decay of the averaged weights that are kept; 0 keeps the last.", minimum=0, maximum=1
    )
    augment: bool = setting(True, "Augment images and drop words while training.")
    patience: int = setting(
        10, "Validations without a better nDCG@10 before stopping; 0 never stops.", minimum=0
    )
    checkpoint_minutes: float = setting(1.0, "Time between checkpoints.", minimum=0)
    seed: int = setting(0, "Seed of initial weights, batches and augmentation.", minimum=0)
    device: str = setting("auto", "cpu, cuda, mps or auto.")
    precision: str = setting(
        "auto",
        "What towers compute in; auto takes bfloat16 where it is fast.",
        choices=("auto", "float32", "bfloat16"),
    )
    tensorboard: bool = setting(False, "Also write the metrics for TensorBoard.")


@dataclass(frozen=True)
class EvaluationSettings(_Section):
    """What is measured."""

    metrics: tuple[str, ...] = setting(
        ("nDCG@10", "ERR(max=4)@10", "RBP(p=0.9)", "R@10", "Judged@10"), "Metrics, the first one leading."
    )
    depth: int = setting(100, "How many documents a run holds per query.", minimum=1)


@dataclass(frozen=True)
class Settings:
    """All of `gradus.toml`.

    Attributes:
        root: The folder of the file; paths in it are relative to this folder.
    """

    catalog: CatalogSettings = dataclasses.field(default_factory=CatalogSettings)
    query: QuerySettings = dataclasses.field(default_factory=QuerySettings)
    judgments: JudgmentsSettings = dataclasses.field(default_factory=JudgmentsSettings)
    split: SplitSettings = dataclasses.field(default_factory=SplitSettings)
    encoder: EncoderSettings = dataclasses.field(default_factory=EncoderSettings)
    objective: ObjectiveSettings = dataclasses.field(default_factory=ObjectiveSettings)
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    evaluation: EvaluationSettings = dataclasses.field(default_factory=EvaluationSettings)
    root: Path = Path()

    def resolve(self, path: str) -> Path:
        """A path of the file as seen from the working folder."""
        return self.root / path

    def with_values(self, values: Mapping[str, Any]) -> "Settings":
        """The settings with some values replaced, keyed `section.setting` as flags are.

        Raises:
            SettingsError: As for reading the file.
        """
        sections = to_mapping(self)
        for key, value in values.items():
            section, _, name = key.partition(".")
            if section not in sections or not name:
                raise SettingsError(f"unknown setting {key!r}; settings are written section.name")
            sections[section][name] = value
        return from_mapping(sections, self.root)


def section_classes() -> dict[str, type[_Section]]:
    """Section name → its dataclass, in the order of the file."""
    hints = get_type_hints(Settings)
    return {f.name: hints[f.name] for f in dataclasses.fields(Settings) if f.name != "root"}


def section_name(section: type[_Section]) -> str:
    """`[training]` for `TrainingSettings`."""
    return section.__name__.removesuffix("Settings").lower()


def read_settings(path: Path) -> Settings:
    """Read `gradus.toml`.

    Raises:
        SettingsError: No such file, not TOML, or a key unknown or out of range.
    """
    if path.is_dir():
        path = path / "gradus.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no {path}; write one with: gradus init CATALOGUE") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    try:
        return from_mapping(values, path.parent)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def from_mapping(values: Mapping[str, Any], root: Path = Path()) -> Settings:
    """Settings from the nested mapping that a TOML file holds.

    Raises:
        SettingsError: An unknown section or key, a wrong type, a value out of range.
    """
    classes = section_classes()
    for name, section in values.items():
        if name not in classes:
            near = difflib.get_close_matches(name, classes, 1)
            hint = f"; did you mean [{near[0]}]?" if near else f"; known: {', '.join(classes)}"
            raise SettingsError(f"unknown section [{name}]{hint}")
        if not isinstance(section, Mapping):
            raise SettingsError(f"[{name}] must be a section with keys, not {section!r}")
    parts: dict[str, Any] = {name: classes[name].from_mapping(values[name]) for name in values}
    return Settings(**parts, root=root)


def to_mapping(settings: Settings) -> dict[str, dict[str, Any]]:
    """The nested mapping that `from_mapping` reads back; tuples become lists."""
    return {
        name: {
            item.name: _plain(getattr(getattr(settings, name), item.name))
            for item in dataclasses.fields(getattr(settings, name))
        }
        for name in section_classes()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _checked(key: str, value: Any, hint: Any, metadata: Mapping[str, Any]) -> Any:
    """The value as the setting's type, or a SettingsError that names the key."""
    if get_origin(hint) is tuple:
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f"{key} must be a list of texts, not {value!r}")
        return tuple(value)
    if isinstance(hint, UnionType) or get_origin(hint) is not None:
        _check_fields(key, value)
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SettingsError(f"{key} must be of type {hint.__name__}, not {value!r}")
    if metadata["choices"] and value not in metadata["choices"]:
        raise SettingsError(f"{key} is {value!r}; choose one of {', '.join(metadata['choices'])}")
    low, high = metadata["minimum"], metadata["maximum"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise SettingsError(f"{key} is {value}; it must be {bounds}")
    return value


def _check_fields(key: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{key} must be a table of fields, not {value!r}")
    for name, field in value.items():
        if not isinstance(field, Mapping) or set(field) - {"type", "weight"}:
            raise SettingsError(f"{key}.{name} takes the keys type and weight, not {field!r}")
        if isinstance(field.get("weight", 0.0), bool) or not isinstance(
            field.get("weight", 0.0), int | float
        ):
            raise SettingsError(f"{key}.{name}.weight must be a number, not {field['weight']!r}")
        if not isinstance(field.get("type", ""), str):
            raise SettingsError(f"{key}.{name}.type must be a text, not {field['type']!r}")
