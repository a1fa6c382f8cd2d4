"""Changing gradus.toml in place: what is asked for changes, nothing else does."""

import tomllib
from pathlib import Path

import pytest

from gradus.errors import SettingsError
from gradus.settings import Settings, read_settings
from gradus.settings.edit import needed_changes, write_changes

FILE = """# A shop.

[objective]   # chosen by hand
weight = "constant"   # as before
ranks = 3             # for rince

name = "rince"
[training]
epochs = 7  # enough
"""

WINNER = Settings().with_values(
    {"objective.name": "pairwise", "objective.weight": "power:2", "objective.temperature": 0.03}
)
OBJECTIVE = [f"objective.{name}" for name in vars(WINNER.objective)]
NAMED = ("objective.name", "objective.weight", "objective.temperature")


def test_comments_order_and_other_keys_stay(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text(FILE, encoding="utf-8")
    changes = write_changes(path, WINNER, OBJECTIVE, NAMED)
    assert changes == {
        "objective.name": "pairwise",
        "objective.weight": "power:2",
        "objective.temperature": 0.03,
        "objective.ranks": None,
    }
    assert path.read_text(encoding="utf-8").replace("temperature = 0.03\n", "") == (
        FILE.replace('"constant"', '"power:2"')
        .replace('"rince"', '"pairwise"')
        .replace("ranks = 3             # for rince\n", "")
    )
    assert read_settings(path).objective == WINNER.objective
    assert write_changes(path, WINNER, OBJECTIVE, NAMED) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet",
        "[training]\nepochs = 7",  # no line end at the end of the file
        "[training]\r\nepochs = 7\r\n# of Windows\r\n",
        'objective.name = "rince"\nobjective.ranks = 5\n[training]\nepochs = 7\n',
        'objective = { name = "rince", ranks = 5 }\n[training]\nepochs = 7\n',
        '[training]\nepochs = 7\n[catalog]\npath = "ね.csv"\n[objective]\n',
        '[catalog.fields]\n"a b" = { type = "text" }\n',
    ],
)
def test_however_the_file_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gradus.toml"
    path.write_bytes(text.encode())
    write_changes(path, WINNER, OBJECTIVE, NAMED)
    after = path.read_bytes().decode()
    assert read_settings(path).objective == WINNER.objective
    assert {**tomllib.loads(after), "objective": 0} == {**tomllib.loads(text), "objective": 0}
    assert {f"objective.{name}" for name in tomllib.loads(after)["objective"]} == set(NAMED)
    if "\r\n" in text:
        assert after.startswith(text)


def test_a_default_is_written_only_where_it_is_to_be_named(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text("", encoding="utf-8")
    assert needed_changes(path, Settings(), OBJECTIVE) == {}
    weight = {"objective.weight": "linear"}
    assert needed_changes(path, Settings(), OBJECTIVE, tuple(weight)) == weight
    lists = Settings().with_values({"objective.matryoshka": ("32", "64=0.5")})
    assert write_changes(path, lists, OBJECTIVE) == {"objective.matryoshka": ["32", "64=0.5"]}
    assert read_settings(path).objective == lists.objective


def test_a_link_stays_a_link_and_a_folder_means_its_file(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "gradus.toml").symlink_to("real.toml")
    write_changes(tmp_path, WINNER, OBJECTIVE, NAMED)
    assert (tmp_path / "gradus.toml").is_symlink()
    assert read_settings(tmp_path / "real.toml").objective == WINNER.objective


def test_what_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text("[objective\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not TOML"):
        write_changes(path, WINNER, OBJECTIVE, NAMED)
    assert path.read_text(encoding="utf-8") == "[objective\n"
    with pytest.raises(SettingsError, match="write one with"):
        write_changes(tmp_path / "none.toml", WINNER, OBJECTIVE, NAMED)


def test_settings_of_several_sections_change_together_and_others_of_them_stay(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text(FILE, encoding="utf-8")
    changed = Settings().with_values(
        {"objective.ranks": 5, "training.epochs": 9, "training.field_dropout": 0.3, "encoder.prior": 2.0}
    )
    keys = ("objective.ranks", "training.field_dropout", "encoder.prior")
    assert write_changes(path, changed, keys) == {
        "objective.ranks": 5,
        "training.field_dropout": 0.3,
        "encoder.prior": 2.0,
    }
    assert path.read_text(encoding="utf-8") == (
        FILE.replace("ranks = 3 ", "ranks = 5 ") + "field_dropout = 0.3\n\n[encoder]\nprior = 2.0\n"
    )
