"""Flags made of settings: the same names, the file's values beneath, unknown ones refused."""

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer
from typer.testing import CliRunner, Result

from gradus.cli.failures import Commands
from gradus.cli.flags import with_settings
from gradus.settings import Settings, section_classes


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Where `run` leaves the settings its command got; the working folder has a small gradus.toml."""
    (tmp_path / "gradus.toml").write_text(
        '[training]\nepochs = 7\nbatch = 64\naugment = true\n\n[evaluation]\nmetrics = ["nDCG@5"]\n'
    )
    monkeypatch.chdir(tmp_path)
    return []


def run(
    seen: list[Settings], *arguments: str, wanted: tuple[str, ...] = ("training", "evaluation")
) -> Result:
    app = typer.Typer(cls=Commands, add_completion=False)

    @app.callback()
    def group() -> None:
        pass

    @app.command()
    @with_settings(*wanted)
    def command(settings: Settings, out: str = "model") -> None:
        """Show the settings."""
        print(out)
        seen.append(settings)

    return CliRunner().invoke(app, ["command", *arguments], env={"COLUMNS": "120", "TERMINAL_WIDTH": "120"})


def test_flags_go_over_the_file_and_the_file_over_defaults(seen: list[Settings]) -> None:
    assert run(seen, "--training.epochs", "3", "--out", "there").stdout == "there\n"
    training = seen[0].training
    # epochs from the flag, batch from the file, clip from nowhere
    assert (training.epochs, training.batch, training.clip) == (3, 64, 1.0)


def test_a_flag_can_turn_a_setting_off_and_on(seen: list[Settings]) -> None:
    run(seen, "--no-training.augment", "--training.tensorboard")
    run(seen)
    assert [s.training.augment for s in seen] == [False, True]
    assert [s.training.tensorboard for s in seen] == [True, False]


def test_a_list_is_repeated_or_separated_by_commas(seen: list[Settings]) -> None:
    run(seen, "--evaluation.metrics", "nDCG@10, RBP(p=0.9,k=5)", "--evaluation.metrics", "R@10")
    assert seen[0].evaluation.metrics == ("nDCG@10", "RBP(p=0.9,k=5)", "R@10")


def test_paths_stay_relative_to_the_folder_of_the_file(seen: list[Settings], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "gradus.toml").write_text("")
    run(seen, "--settings", "deep/gradus.toml", "--catalog.path", "c.csv", wanted=("catalog",))
    assert seen[0].resolve(seen[0].catalog.path) == Path("deep/c.csv")


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--training.epochs", "0", "training.epochs is 0; it must be at least 1"),
        ("--training.minutes", "nan", "training.minutes is nan; it must be at least 0"),
        ("--training.precision", "float8", "training.precision is 'float8'; choose one of"),
        ("--training.epochs", "many", "--training.epochs"),
        ("--training.epoch", "3", "--training.epochs"),
        ("--split.seed", "3", "--split.seed"),
    ],
)
def test_a_wrong_flag_is_one_line_that_names_it(
    seen: list[Settings], flag: str, value: str, said: str
) -> None:
    result = run(seen, flag, value)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not seen


def test_every_setting_but_tables_has_a_flag_with_its_explanation(seen: list[Settings]) -> None:
    text = " ".join(run(seen, "--help", wanted=tuple(section_classes())).stdout.replace("│", " ").split())
    for section, settings in section_classes().items():
        hints: dict[str, Any] = get_type_hints(settings)
        assert f"{section}: {settings.__doc__}" in text
        for item in dataclasses.fields(settings):
            flagged = f"--{section}.{item.name} " in text
            assert flagged == (item.default is not dataclasses.MISSING), item.name
            if hints[item.name] is str and item.default:
                assert f"[default: ({item.default})]" in text
    assert "AdamW" in text
    assert "One of: many-to-many, pairwise, info-nce," in text


def test_a_command_that_changes_the_file_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text("[training]\nepochs = 7\n")
    monkeypatch.chdir(tmp_path)
    app, got = typer.Typer(cls=Commands, add_completion=False), []

    @app.command()
    @with_settings("training")
    def command(settings: Settings, settings_file: Path) -> None:
        """Show both."""
        got.append((settings_file, settings.training.epochs))

    assert CliRunner().invoke(app, ["--settings", "mine.toml", "--training.epochs", "3"]).exit_code == 0
    assert got == [(Path("mine.toml"), 3)]


def test_single_settings_can_be_asked_for(seen: list[Settings]) -> None:
    text = run(seen, "--help", wanted=("training.device",)).stdout
    assert "--training.device" in text
    assert "--training.seed" not in text
