"""`gradus.toml` as frozen dataclasses."""

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
from gradus.settings.section import Fields, Names, Numbers, section_name
from gradus.settings.service import ServiceSettings
from gradus.settings.settings import Settings, from_mapping, read_settings, section_classes, to_mapping
from gradus.settings.sweep import SweepSettings

__all__ = [
    "BusinessSettings",
    "CadenceSettings",
    "CatalogSettings",
    "ClicksSettings",
    "CostSettings",
    "DecisionSettings",
    "EncoderSettings",
    "EvaluationSettings",
    "Fields",
    "FusionSettings",
    "GradesSettings",
    "HierarchySettings",
    "IndexSettings",
    "JudgmentsSettings",
    "LogSettings",
    "Names",
    "Numbers",
    "ObjectiveSettings",
    "QuerySettings",
    "ServiceSettings",
    "Settings",
    "SlaSettings",
    "SplitSettings",
    "SweepSettings",
    "TrainingSettings",
    "from_mapping",
    "read_settings",
    "section_classes",
    "section_name",
    "to_mapping",
]
