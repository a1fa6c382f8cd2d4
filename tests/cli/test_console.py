"""What is printed: JSON that parses, tables that line up, progress that keeps to standard error."""

import json
import math
from pathlib import Path

import pytest

from gradus.cli.console import print_json, print_table, shown_progress


def test_json_has_no_nan_and_keeps_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": Path("a/b"), "means": (1.5, math.nan, math.inf), 3: "ねじ"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"path": "a/b", "means": [1.5, None, None], "3": "ねじ"}
    assert "ねじ" in text


def test_a_table_aligns_numbers_and_takes_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[bold]", ("name", "n", "mean"), [("[red]", 5, 0.25), ("b", 1200, math.nan)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["[bold]", "name      n  mean", "[red]     5  0.25", "b      1200     –", ""]


def test_a_cell_of_bytes_is_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ("image",), [(b"\x89PNG\r\n",)])
    assert capsys.readouterr().out.split() == ["image", "(picture)"]


def test_a_table_folds_long_cells_or_cuts_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ("n", "text"), [(12345678901, "ねじ " * 60)])
    folded = capsys.readouterr().out
    assert folded.count("ねじ") == 60
    assert "12345678901" in folded
    print_table("", ("n", "text"), [(1, "ねじ " * 60)], longest=8)
    # Each of these letters is two columns wide.
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()][-2:] == ["1  ねじ ね…", ""]


def test_progress_off_a_terminal_is_one_line_per_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress:
        for done in range(3):
            progress("reading", done, 2, "")
        progress("training", 1, 0, "fast")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "reading …\ntraining …\n"


def test_progress_on_a_terminal_shows_steps_and_note(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with shown_progress() as progress:
        progress("training", 3, 8, "[512] documents/s")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training" in captured.err
    assert "3/8" in captured.err
    assert "[512] documents/s" in captured.err
