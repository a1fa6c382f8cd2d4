"""`gradus.toml` as dataclasses: every mistake is named by its key, every value comes back as it was."""

import dataclasses
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import SettingsError
from gradus.settings import (
    CatalogSettings,
    EvaluationSettings,
    Fields,
    Names,
    Numbers,
    Settings,
    TrainingSettings,
    from_mapping,
    read_settings,
    section_classes,
    section_name,
    to_mapping,
)

TEXTS = st.text('ab é"\\#[].=ね', max_size=8)
TABLES = st.dictionaries(
    TEXTS,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "image", "category", "number"])},
        optional={"weight": st.floats(0, 10)},
    ),
    max_size=3,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def values_of(hint: Any, metadata: Any) -> st.SearchStrategy[Any]:
    """Values that a setting allows."""
    low, high = metadata["minimum"], metadata["maximum"]
    if metadata["choices"]:
        return st.sampled_from(metadata["choices"])
    if get_origin(hint) is tuple:
        return st.lists(TEXTS, max_size=4).map(tuple)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(None if low is None else int(low), None if high is None else int(high))
    if hint is float:
        return st.floats(low, high, allow_nan=False)
    tables = {Fields: TABLES, Names: st.dictionaries(TEXTS, TEXTS), Numbers: st.dictionaries(TEXTS, NUMBERS)}
    return TEXTS if hint is str else tables[hint]


@st.composite
def sections(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Any file: some sections, some keys of each."""
    chosen: dict[str, dict[str, Any]] = {}
    for name, section in section_classes().items():
        hints = get_type_hints(section)
        for item in dataclasses.fields(section):
            if draw(st.booleans()):
                value = draw(values_of(hints[item.name], item.metadata))
                chosen.setdefault(name, {})[item.name] = value
    return chosen


@given(sections())
def test_every_allowed_value_comes_back(values: dict[str, dict[str, Any]]) -> None:
    settings = from_mapping(values)
    assert from_mapping(to_mapping(settings)) == settings
    for name, section in values.items():
        for key, value in section.items():
            assert getattr(getattr(settings, name), key) == value


@given(sections())
def test_values_by_key_are_values_by_section(values: dict[str, dict[str, Any]]) -> None:
    flat = {f"{name}.{key}": value for name, section in values.items() for key, value in section.items()}
    assert Settings().with_values(flat) == from_mapping(values)


@pytest.mark.parametrize("section", section_classes().values(), ids=section_name)
def test_every_setting_is_explained_and_its_default_allowed(section: Any) -> None:
    assert section.__doc__.endswith(".")
    for item in dataclasses.fields(section):
        assert item.metadata["help"].endswith("."), item.name
    assert section() == section.from_mapping({})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.epochs", 0, "training.epochs is 0; it must be at least 1"),
        ("training.epochs", 2.5, "training.epochs must be of type int, not 2.5"),
        ("training.epochs", True, "training.epochs must be of type int, not True"),
        ("training.minutes", float("nan"), "training.minutes is nan; it must be at least 0"),
        ("training.warmup", 1.5, "training.warmup is 1.5; it must be between 0 and 1"),
        ("training.augment", "yes", "training.augment must be of type bool, not 'yes'"),
        (
            "objective.name",
            "clip",
            "objective.name is 'clip'; choose one of many-to-many, pairwise, info-nce",
        ),
        ("evaluation.metrics", "nDCG@10", "evaluation.metrics must be a list of texts, not 'nDCG@10'"),
        ("evaluation.metrics", [10], "evaluation.metrics must be a list of texts"),
        ("catalog.fields", ["title"], "catalog.fields must be a table of fields"),
        (
            "catalog.fields",
            {"title": {"kind": "text"}},
            "catalog.fields.title takes the keys type and weight",
        ),
        ("catalog.fields", {"title": {"weight": "1"}}, "catalog.fields.title.weight must be a number"),
        ("catalog.fields", {"title": {"type": 1}}, "catalog.fields.title.type must be a text"),
        ("training.epoch", 3, "unknown key training.epoch; did you mean 'epochs'?"),
        ("training.zzz", 3, "unknown key training.zzz; known: minutes, epochs"),
        ("epochs", 3, "unknown setting 'epochs'; settings are written section.name"),
        ("trainin.epochs", 3, "unknown setting 'trainin.epochs'"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings().with_values({key: value})
    assert str(caught.value).startswith(message)


def test_a_whole_number_does_for_a_fraction() -> None:
    minutes = TrainingSettings(minutes=2).minutes
    assert (minutes, type(minutes)) == (2.0, float)


def test_a_list_becomes_a_tuple() -> None:
    metrics: Any = ["nDCG@5"]
    assert EvaluationSettings(metrics=metrics).metrics == ("nDCG@5",)


def test_settings_do_not_change() -> None:
    settings = Settings()
    changed = settings.with_values({"catalog.path": "other.csv"})
    assert (settings.catalog.path, changed.catalog.path) == ("catalog.csv", "other.csv")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.catalog.path = "other.csv"  # type: ignore[misc]


def test_defaults_that_are_tables_are_not_shared() -> None:
    assert CatalogSettings().fields is not CatalogSettings().fields


def test_a_file_is_read_and_its_folder_is_the_root(tmp_path: Path) -> None:
    (tmp_path / "gradus.toml").write_text('[catalog]\npath = "parts.csv"\n', encoding="utf-8")
    for path in (tmp_path, tmp_path / "gradus.toml"):
        settings = read_settings(path)
        assert settings.resolve(settings.catalog.path) == tmp_path / "parts.csv"
    changed = settings.with_values({"catalog.path": "other.csv"})
    assert changed.resolve(changed.catalog.path) == tmp_path / "other.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[catalog\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"[catalogue]\n", "unknown section [catalogue]; did you mean [catalog]?"),
        (b"[zzz]\n", "unknown section [zzz]; known: catalog, query"),
        (b"catalog = 3\n", "[catalog] must be a section with keys, not 3"),
        (b"[training]\nepochs = 0\n", "training.epochs is 0"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "gradus.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gradus\.toml; write one with: gradus init CATALOGUE"):
        read_settings(tmp_path)
