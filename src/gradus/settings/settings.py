"""`gradus.toml`: one file describes one search.

Each section of the file is a frozen dataclass and each setting one field of it, with its default, its explanation
and its bounds in one place. The command line makes a flag `--section.setting` of each.
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from gradus.errors import SettingsError
from gradus.settings.cadence import CadenceSettings
from gradus.settings.decision import CostSettings, DecisionSettings, SlaSettings
from gradus.settings.evidence import (
    BusinessSettings,
    ClicksSettings,
    FusionSettings,
    GradesSettings,
    HierarchySettings,
    LogSettings,
)
from gradus.settings.search import (
    CatalogSettings,
    EncoderSettings,
    EvaluationSettings,
    IndexSettings,
    JudgmentsSettings,
    ObjectiveSettings,
    QuerySettings,
    SplitSettings,
    TrainingSettings,
)
from gradus.settings.section import Section
from gradus.settings.service import ServiceSettings
from gradus.settings.sweep import SweepSettings


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
    sweep: SweepSettings = dataclasses.field(default_factory=SweepSettings)
    evaluation: EvaluationSettings = dataclasses.field(default_factory=EvaluationSettings)
    log: LogSettings = dataclasses.field(default_factory=LogSettings)
    clicks: ClicksSettings = dataclasses.field(default_factory=ClicksSettings)
    grades: GradesSettings = dataclasses.field(default_factory=GradesSettings)
    business: BusinessSettings = dataclasses.field(default_factory=BusinessSettings)
    hierarchy: HierarchySettings = dataclasses.field(default_factory=HierarchySettings)
    fusion: FusionSettings = dataclasses.field(default_factory=FusionSettings)
    index: IndexSettings = dataclasses.field(default_factory=IndexSettings)
    service: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    cadence: CadenceSettings = dataclasses.field(default_factory=CadenceSettings)
    decision: DecisionSettings = dataclasses.field(default_factory=DecisionSettings)
    sla: SlaSettings = dataclasses.field(default_factory=SlaSettings)
    cost: CostSettings = dataclasses.field(default_factory=CostSettings)
    root: Path = Path()

    def resolve(self, path: str) -> Path:
        """A path of the file as seen from the working folder."""
        return self.root / path

    def value(self, key: str) -> Any:
        """The value of `section.setting`."""
        section, _, name = key.partition(".")
        return getattr(getattr(self, section), name)

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


def section_classes() -> dict[str, type[Section]]:
    """Section name → its dataclass, in the order of the file."""
    hints = get_type_hints(Settings)
    return {f.name: hints[f.name] for f in dataclasses.fields(Settings) if f.name != "root"}


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
