"""The file that `gradus bench` reads: which systems are measured against each other."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradus.errors import SettingsError
from gradus.settings.section import Numbers, Section, setting
from gradus.settings.settings import Settings, read_settings

_TRAINING = {"with", "teacher"}
_KEYS = {
    "bm25": set[str](),
    "model": {"model"} | _TRAINING,
    "fusion": {"of", "method", "weights"},
    "run": {"run"},
}
_NEEDED = {"model": "model", "fusion": "of", "run": "run"}

TEXT_RERANKERS = ("cross-encoder", "late-interaction")
"""Pretrained re-rankers, which a pipeline names a model of."""


@dataclass(frozen=True)
class FirstSettings(Section):
    """A first stage."""

    kind: str = setting("", "What it is.", choices=("bm25", "model", "fusion", "run"))
    model: str = setting("", "Folder of a model; trained by gradus bench where there is none.")
    of: tuple[str, ...] = setting((), "First stages that a fusion joins.")
    method: str = setting(
        "rrf", "Reciprocal ranks, or the weighted sum of standardised scores.", choices=("rrf", "weighted")
    )
    weights: Numbers = setting(
        {}, "Weight of each stage of a fusion. Without: equal for rrf; the best on validation for weighted."
    )
    run: str = setting("", "A run file: TREC text or Parquet.")


@dataclass(frozen=True)
class TeacherSettings(Section):
    """The two stages that a model is distilled from: LambdaMART over another model of the file."""

    first: str = setting("", "The model that it re-ranks.")
    depth: int = setting(100, "How many documents of each list are looked at.", minimum=1)
    unjudged: str = setting(
        "unknown",
        "What a judged query's unjudged documents are; worthless where everything good was judged, or a search chose "
        "what people saw.",
        choices=("unknown", "worthless"),
    )
    synthetic: int = setting(0, "How many synthetic queries it is asked as well.", minimum=0)


@dataclass(frozen=True)
class PipelineSettings(Section):
    """A first stage, and perhaps a re-ranker on top."""

    name: str = setting("", "What it is called.")
    first: str = setting("", "Its first stage.")
    reranker: str = setting("none", "Its re-ranker.", choices=("none", "lambdamart", *TEXT_RERANKERS))
    depth: int = setting(100, "How many documents of each list are re-ranked.", minimum=1)
    model: str = setting("", "Of a cross-encoder or late interaction: folder or hub name.")
    vectors: str = setting(
        "", "The model whose similarities LambdaMART reads; the first stage's own, where it has one."
    )


@dataclass(frozen=True)
class LatencySettings(Section):
    """How times are taken."""

    queries: int = setting(200, "Queries that each pipeline is timed on; 0 takes no times.", minimum=0)
    clients: int = setting(4, "Clients that ask at the same time.", minimum=1)
    documents: int = setting(10, "Documents returned for a query.", minimum=1)


@dataclass(frozen=True)
class Pipelines:
    """The whole file.

    Attributes:
        settings: The search, from the `gradus.toml` that the file names.
        first: Name → first stage.
        over: Name of a model → the settings it is trained with, over those of the search.
        teachers: Name of a model → what it is distilled from.
        pipelines: The pipelines.
        latency: How times are taken.
        seed: Seed of re-rankers and of the order of timing.
        root: The folder of the file; paths in it are relative to this folder.
        settings_file: Where `settings` are from.
    """

    settings: Settings
    first: Mapping[str, FirstSettings]
    over: Mapping[str, Mapping[str, Any]]
    teachers: Mapping[str, TeacherSettings]
    pipelines: tuple[PipelineSettings, ...]
    latency: LatencySettings
    seed: int
    root: Path
    settings_file: Path

    def parts_of(self, name: str) -> tuple[str, ...]:
        """What a first stage is made of in the end, itself or a fusion's parts, in their order."""
        first = self.first[name]
        if first.kind != "fusion":
            return (name,)
        return tuple(dict.fromkeys(last for part in first.of for last in self.parts_of(part)))

    def models_of(self, name: str) -> tuple[str, ...]:
        """The models among these."""
        return tuple(part for part in self.parts_of(name) if self.first[part].kind == "model")

    def vectors_of(self, pipeline: PipelineSettings) -> str | None:
        """The model whose similarities a pipeline's LambdaMART reads, if there is one."""
        return pipeline.vectors or next(iter(self.models_of(pipeline.first)), None)


def read_pipelines(path: Path) -> Pipelines:
    """Read the file.

    Raises:
        SettingsError: No such file, not TOML, an unknown key or name, a fusion of itself, or a `gradus.toml` that
            cannot be read.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"no {path}; gradus bench writes one beside gradus.toml when it is given none"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    try:
        _check_names("the file", values, ("settings", "seed", "first", "pipeline", "latency"))
        named = path.parent / _text("settings", values.get("settings", "gradus.toml"))
        settings_file = named / "gradus.toml" if named.is_dir() else named
        settings = read_settings(settings_file)
        first, over, teachers = _read_first(values.get("first"))
        for name, wanted in over.items():
            _trained_with(settings, name, wanted)
        pipelines = _read_pipelines(values.get("pipeline"), first)
        latency = LatencySettings.from_mapping(_table("latency", values.get("latency", {})))
        seed = values.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise SettingsError(f"seed must be a whole number from 0 on, not {seed!r}")
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return Pipelines(settings, first, over, teachers, pipelines, latency, seed, path.parent, settings_file)


def folder_name(name: str) -> str:
    """The folder of a pipeline's results: its name in letters and digits of any script, with - between."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def _read_first(
    given: Any,
) -> tuple[dict[str, FirstSettings], dict[str, Mapping[str, Any]], dict[str, TeacherSettings]]:
    first, over, teachers = {}, {}, {}
    for name, values in _table("first", given or {}).items():
        own = dict(_table(f"first.{name}", values))
        with _at(f"[first.{name}]"):
            stage = FirstSettings.from_mapping(
                {key: value for key, value in own.items() if key not in _TRAINING}
            )
            alien = [key for key in own if key not in _KEYS[stage.kind] | {"kind"}]
            if "with" in own:
                over[name] = _table("with", own["with"])
            if "teacher" in own:
                teachers[name] = TeacherSettings.from_mapping(_table("teacher", own["teacher"]))
            if alien:
                raise SettingsError(f"{stage.kind} takes no {alien[0]}")
            needed = _NEEDED.get(stage.kind)
            if needed and not getattr(stage, needed):
                raise SettingsError(f"{stage.kind} needs the key {needed}")
        first[name] = stage
    for name, stage in first.items():
        with _at(f"[first.{name}]"):
            _check_fusion(name, stage, first)
    for name in teachers:
        with _at(f"[first.{name}] teacher"):
            _check_teacher(name, first, teachers)
    return first, over, teachers


def _check_fusion(name: str, stage: FirstSettings, first: Mapping[str, FirstSettings]) -> None:
    for part in stage.of:
        _known(f"first stage {part!r}", part, first)
    if len(set(stage.of)) != len(stage.of) or (stage.kind == "fusion" and len(stage.of) < 2):
        raise SettingsError("of must name two first stages or more, each once")
    if set(stage.weights) - set(stage.of) or (stage.weights and set(stage.of) - set(stage.weights)):
        raise SettingsError(f"weights must have one number for each of {', '.join(stage.of)}")
    if stage.weights and not (min(stage.weights.values()) >= 0 and sum(stage.weights.values()) > 0):
        raise SettingsError("weights must be 0 or more, and not all of them 0")
    inside, seen = list(stage.of), set[str]()
    while inside:
        part = inside.pop()
        if part == name:
            raise SettingsError(f"{name} would be a fusion of itself")
        if part in first and part not in seen:
            seen.add(part)
            inside += first[part].of


def _check_teacher(
    name: str, first: Mapping[str, FirstSettings], teachers: Mapping[str, TeacherSettings]
) -> None:
    models = {other: stage for other, stage in first.items() if stage.kind == "model"}
    seen = [name]
    while seen[-1] in teachers:
        taught_by = teachers[seen[-1]].first
        _known(f"model {taught_by!r}", taught_by, models)
        if taught_by in seen:
            raise SettingsError(f"{taught_by} would be taught by itself")
        seen.append(taught_by)


def _read_pipelines(given: Any, first: Mapping[str, FirstSettings]) -> tuple[PipelineSettings, ...]:
    if not isinstance(given, list) or not given:
        raise SettingsError("there is no [[pipeline]]; write one with a name and a first stage")
    found: dict[str, PipelineSettings] = {}
    for number, values in enumerate(given, 1):
        with _at(f"[[pipeline]] {number}"):
            pipeline = PipelineSettings.from_mapping(_table("pipeline", values))
            folder = folder_name(pipeline.name)
            if not folder:
                raise SettingsError("it needs a name with a letter or a digit")
            if folder in found:
                raise SettingsError(
                    f"{pipeline.name!r} and {found[folder].name!r} would both lie in a folder {folder!r}; rename one"
                )
            _known(f"first stage {pipeline.first!r}", pipeline.first, first)
            if (pipeline.reranker in TEXT_RERANKERS) != bool(pipeline.model):
                takes = "takes no model" if pipeline.model else "needs a model, a folder or hub name"
                raise SettingsError(f"the re-ranker {pipeline.reranker} {takes}")
            if pipeline.vectors:
                if pipeline.reranker != "lambdamart":
                    raise SettingsError("only lambdamart takes vectors")
                models = {name: stage for name, stage in first.items() if stage.kind == "model"}
                _known(f"model {pipeline.vectors!r}", pipeline.vectors, models)
            if pipeline.reranker == "none" and "depth" in values:
                raise SettingsError("depth is that of a re-ranker, and there is none")
        found[folder] = pipeline
    return tuple(found.values())


_OWN = ("encoder.", "objective.", "training.", "judgments.distilled")
"""What a model of the file may have to itself. It is measured on the data of all, which the rest describes."""


def _trained_with(settings: Settings, name: str, values: Mapping[str, Any]) -> None:
    with _at(f"[first.{name}] with"):
        settings.with_values(values)
        for key in values:
            if not key.startswith(_OWN):
                raise SettingsError(
                    f"{key} is the same for all models that are measured on the same data; set it in gradus.toml"
                )


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Errors raised inside name the place."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from None


def _check_names(where: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in values:
        _known(f"key {key!r} in {where}", key, dict.fromkeys(known))


def _known(what: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
        raise SettingsError(f"no {what}; {hint}" if name else f"it names no first stage; {hint}")


def _table(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{key} must be a table, not {value!r}")
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{key} must be a text, not {value!r}")
    return value
