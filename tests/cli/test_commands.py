"""The commands as a user meets them: exit codes, one-line errors, JSON on standard output alone."""

import errno
import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import gradus
import gradus.catalog.check
import gradus.cli.main
import gradus.judgments.weights
from gradus.cli.main import app
from gradus.evaluation.results import CellResult, Evaluation, write_evaluation
from gradus.evaluation.runs import Run
from gradus.settings import read_settings

CATALOG = "doc_id,title,price\na,red shoe,10\nb,blue shoe,20\nc,green hat,15\n"
SETTINGS = '[catalog]\npath = "catalog.csv"\n\n[catalog.fields]\ntitle = { type = "text", weight = 1.0 }\n'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a catalogue and its settings."""
    (tmp_path / "catalog.csv").write_text(CATALOG)
    (tmp_path / "gradus.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def failure(*arguments: str, code: int = 2) -> str:
    """The one line on standard error of a command that must fail, with nothing else said anywhere."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    said = [line for line in result.stderr.splitlines() if not line.endswith(" …")]
    assert len(said) == 1
    assert said[0].startswith("gradus: ")
    return said[0]


def raising(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_every_command(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0
    commands = ("init", "check", "sample", "weights", "train", "evaluate", "compare", "search", "demo")
    commands += ("simulate", "judge", "study")
    missing = [name for name in commands if f" {name} " not in result.stdout]
    assert not missing
    assert "--install-completion" in result.stdout


def test_version() -> None:
    assert run("--version").stdout == f"gradus {gradus.__version__}\n"


def test_usage_errors_are_one_line_that_leads_to_help(shop: Path) -> None:
    assert failure("check", "--fxi", "x.csv").endswith("see gradus check --help")
    assert "--fxi" in failure("check", "--fxi", "x.csv")
    assert failure("sample").endswith("Missing command; see gradus sample --help")
    assert "chekc" in failure("chekc")
    assert "--documents" in failure("sample", "drawings", "--documents", "many")


def test_check_passes_a_good_catalogue_and_prints_its_fields(shop: Path) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "3 documents" in result.stdout
    assert "title" in result.stdout


def test_check_exits_with_1_on_errors_and_names_the_document(shop: Path) -> None:
    (shop / "catalog.csv").write_text(CATALOG + "b,brown boot,7\n")
    result = run("check")
    assert result.exit_code == 1
    assert "b: row 4" in result.stdout
    assert "Traceback" not in result.output


def test_check_json_is_json_and_has_the_same_exit_code(shop: Path) -> None:
    (shop / "catalog.csv").write_text(CATALOG + "b,brown boot,7\n")
    result = run("check", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["rows"] == 4
    assert [finding["code"] for finding in report["findings"]] == ["duplicate-id"]
    assert report["fixed"] is None


def test_check_fix_writes_a_copy_that_passes(shop: Path) -> None:
    (shop / "catalog.csv").write_text(CATALOG + "b,brown boot,7\n")
    fixed = json.loads(run("check", "--fix", "clean.csv", "--json").stdout)["fixed"]
    assert (fixed["kept"], fixed["dropped"]) == (3, 1)
    assert "b" in (shop / fixed["rejects"]).read_text()
    assert run("check", "--catalog.path", "clean.csv").exit_code == 0


def test_a_misspelt_column_is_named_with_the_nearest_one(shop: Path) -> None:
    (shop / "gradus.toml").write_text(SETTINGS.replace("title", "titel"))
    line = failure("check")
    assert "titel" in line
    assert "title" in line.replace("titel", "")


def test_a_misspelt_setting_is_named_with_the_nearest_one(shop: Path) -> None:
    (shop / "gradus.toml").write_text(SETTINGS + "\n[training]\nepoch = 3\n")
    assert "gradus.toml: unknown key training.epoch; did you mean 'epochs'?" in failure("check")


def test_without_a_settings_file_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert failure("check") == "gradus: no gradus.toml; write one with: gradus init CATALOGUE"


def test_an_empty_catalogue_is_an_error(shop: Path) -> None:
    (shop / "catalog.csv").write_text("doc_id,title,price\n")
    assert "no rows" in failure("check")
    assert "no rows" in failure("init", "catalog.csv", "--out", "new.toml")
    assert not (shop / "new.toml").exists()


def test_init_writes_settings_that_check_accepts(shop: Path) -> None:
    (shop / "gradus.toml").unlink()
    assert run("init", "catalog.csv").exit_code == 0
    assert {"title", "price"} <= set(read_settings(shop / "gradus.toml").catalog.fields)
    assert run("check").exit_code == 0


def test_init_in_another_folder_still_finds_the_catalogue(shop: Path) -> None:
    assert run("init", "catalog.csv", "--out", "deep/search.toml").exit_code == 0
    assert run("check", "--settings", "deep/search.toml").exit_code == 0


def test_init_overwrites_only_when_told_to(shop: Path) -> None:
    assert "--force" in failure("init", "catalog.csv")
    assert (shop / "gradus.toml").read_text() == SETTINGS
    assert run("init", "catalog.csv", "--force").exit_code == 0
    assert (shop / "gradus.toml").read_text() != SETTINGS


def test_init_names_a_missing_catalogue(shop: Path) -> None:
    assert "nowhere.csv" in failure("init", "nowhere.csv", "--out", "new.toml")


def test_sample_drawings_keeps_progress_off_standard_output(shop: Path) -> None:
    result = run("sample", "drawings", "--documents", "2", "--queries", "1", "few", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["documents"] == 2
    assert result.stderr == "drawings …\n"
    assert (shop / "few" / "catalog.csv").is_file()


def test_weights_are_listed_computed_and_plotted(shop: Path) -> None:
    listed = json.loads(run("weights", "--json").stdout)
    assert {"function": "linear", "weight of a score s": "s"} in listed
    rows = json.loads(run("weights", "power:2", "--json").stdout)
    assert [row["power:2"] for row in rows if row["score"] == 0.5] == [0.5**2]
    assert run("weights", "--plot", "weights.svg").exit_code == 0
    assert "<svg" in (shop / "weights.svg").read_text()
    assert "'pow'" in failure("weights", "pow")


def evaluation(name: str, values: list[float]) -> Evaluation:
    """A few queries of one split, measured by one metric."""
    ids = [f"q{row}" for row in range(len(values))]
    lists = Run(name, ids, [["a"]] * len(ids), [[1.0]] * len(ids))
    return Evaluation(name, {"in-domain": CellResult(3, ids, {"nDCG@10": np.array(values)}, lists)})


def test_compare_reads_what_evaluate_wrote(shop: Path) -> None:
    write_evaluation(evaluation("plain", [0.25, 0.5, 0.75]), shop / "plain" / "evaluation")
    write_evaluation(evaluation("graded", [0.5, 0.75, 1.0]), shop / "graded" / "evaluation")
    row, *others = json.loads(run("compare", "plain", "graded", "--json").stdout)
    assert not others
    assert (row["baseline"], row["system"], row["metric"]) == ("plain", "graded", "nDCG@10")
    assert row["difference"] == pytest.approx(0.25)
    # Of the 2³ patterns of signs only the two with equal signs lie as far from 0.
    assert row["p_value"] == pytest.approx(2 / 8)
    table = run("compare", "plain", "graded", "--evaluation.metrics", "NDCG@10").stdout
    assert "graded" in table


def test_compare_says_what_is_missing(shop: Path) -> None:
    write_evaluation(evaluation("plain", [0.25]), shop / "plain" / "evaluation")
    assert "two evaluated models" in failure("compare", "plain")
    missing = failure("compare", "plain", "graded")
    assert "graded/evaluation holds no evaluation: no graded/evaluation/summary.json; " in missing
    assert "write one with: gradus evaluate graded" in missing
    assert "did you mean 'nDCG'" in failure("compare", "plain", "plain", "--evaluation.metrics", "nDGC@10")


@pytest.mark.parametrize("given", ["image", "image=", "=2", "image=-1", "image=nan"])
def test_a_field_factor_is_checked_before_anything_is_read(shop: Path, given: str) -> None:
    assert repr(given) in failure("search", "nowhere", "shoe", "--field-factor", given)


def test_a_full_disk_is_one_line_and_leaves_nothing(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "weights.svg")
    monkeypatch.setattr(os, "fsync", raising(full))
    before = sorted(shop.iterdir())
    line = failure("weights", "--plot", "weights.svg")
    assert line.startswith("gradus: No space left on device: weights.svg; free some space")
    assert sorted(shop.iterdir()) == before


def test_a_full_disk_under_a_library_with_errors_of_its_own(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("I/O error: No space left on device (os error 28)")
    monkeypatch.setattr(gradus.judgments.weights, "plot_weights", raising(error))
    assert failure("weights", "--plot", "weights.svg").startswith(
        "gradus: No space left on device; free some"
    )


def test_other_system_errors_are_one_line(shop: Path) -> None:
    assert failure("weights", "--plot", "catalog.csv/weights.svg").startswith("gradus: catalog.csv")


def test_a_defect_keeps_its_traceback(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradus.catalog.check, "check_catalog", raising(ZeroDivisionError("a defect")))
    assert isinstance(run("check").exception, ZeroDivisionError)


def test_an_interrupt_exits_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gradus", "sample", "drawings", "--documents", "3000", "many"]
    # A shell's background job ignores interrupts, and so do its children.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    assert process.stderr is not None
    assert process.stderr.readline() == "drawings …\n"
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert rest == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("given", "then"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_told_otherwise(
    given: str | None, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")  # so that it is put back
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    told = []
    monkeypatch.setattr(gradus.cli.main, "app", lambda: told.append(os.environ["OMP_WAIT_POLICY"]))
    gradus.cli.main.main()
    assert told == [then]
