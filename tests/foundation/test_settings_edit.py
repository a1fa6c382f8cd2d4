"""Changing gradus.toml in place: what is asked for changes, nothing else does."""

import tomllib
from pathlib import Path

import pytest

from gradus.errors import SettingsError
from gradus.settings import Settings, read_settings
from gradus.settings.edit import section_changes, write_section

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
NAMED = ("name", "weight", "temperature")


def test_comments_order_and_other_keys_stay(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text(FILE, encoding="utf-8")
    changes = write_section(path, WINNER, "objective", NAMED)
    assert changes == {"name": "pairwise", "weight": "power:2", "temperature": 0.03, "ranks": None}
    assert path.read_text(encoding="utf-8").replace("temperature = 0.03\n", "") == (
        FILE.replace('"constant"', '"power:2"')
        .replace('"rince"', '"pairwise"')
        .replace("ranks = 3             # for rince\n", "")
    )
    assert read_settings(path).objective == WINNER.objective
    assert write_section(path, WINNER, "objective", NAMED) == {}


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
    write_section(path, WINNER, "objective", NAMED)
    after = path.read_bytes().decode()
    assert read_settings(path).objective == WINNER.objective
    assert {**tomllib.loads(after), "objective": 0} == {**tomllib.loads(text), "objective": 0}
    assert tomllib.loads(after)["objective"].keys() == set(NAMED)
    if "\r\n" in text:
        assert after.startswith(text)


def test_a_default_is_written_only_where_it_is_to_be_named(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text("", encoding="utf-8")
    assert section_changes(path, Settings(), "objective") == {}
    assert section_changes(path, Settings(), "objective", ("weight",)) == {"weight": "linear"}
    lists = Settings().with_values({"objective.matryoshka": ("32", "64=0.5")})
    assert write_section(path, lists, "objective") == {"matryoshka": ["32", "64=0.5"]}
    assert read_settings(path).objective == lists.objective


def test_a_link_stays_a_link_and_a_folder_means_its_file(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "gradus.toml").symlink_to("real.toml")
    write_section(tmp_path, WINNER, "objective", NAMED)
    assert (tmp_path / "gradus.toml").is_symlink()
    assert read_settings(tmp_path / "real.toml").objective == WINNER.objective


def test_what_cannot_be_read_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "gradus.toml"
    path.write_text("[objective\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not TOML"):
        write_section(path, WINNER, "objective", NAMED)
    assert path.read_text(encoding="utf-8") == "[objective\n"
    with pytest.raises(SettingsError, match="write one with"):
        write_section(tmp_path / "none.toml", WINNER, "objective", NAMED)
