"""The demo from end to end, tiny."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradus.errors import SettingsError
from gradus.evaluation.results import read_evaluation
from gradus.judgments.split import CELLS
from gradus.workflow import demo as demo_module
from gradus.workflow.demo import demo

SECONDS = 0.3


def test_demo(tmp_path: Path) -> None:
    out, stages = tmp_path / "demo", []

    def told(stage: str, done: int, total: int, note: str = "") -> None:
        assert 0 <= done <= total
        stages.append(stage)

    summary = demo(out, documents=80, minutes=SECONDS / 60, seed=1, progress=told)
    assert list(dict.fromkeys(stages)) == [
        "drawings",
        *(
            f"{model}: {stage}"
            for model in ("baseline", "gradus")
            for stage in ("preparing", "training", "embedding")
        ),
        "report",
        *("log", "checking the log", "aggregating", "estimating", "fusing"),
    ]
    measured = [read_evaluation(out / "models" / name / "evaluation") for name in ("baseline", "gradus")]
    assert [list(evaluation.cells) for evaluation in measured] == [list(CELLS)] * 2
    leading = {row.cell: row for row in summary.comparisons if row.metric == "nDCG@10"}
    for cell, row in leading.items():
        one, other = (evaluation.cells[cell].intervals["nDCG@10"].mean for evaluation in measured)
        assert (row.baseline_mean, row.system_mean) == pytest.approx((one, other))
    page = summary.report.read_text("utf-8")
    said = "\n".join(summary.lines)
    for row in leading.values():
        assert f"{row.baseline_mean:.3f} → {row.system_mean:.3f}" in said
        assert f"{row.system_mean:.3f}" in page
    assert "--documents 80 --minutes 0.005 --seed 1" in page
    assert page.count("<article>") >= 4
    assert "judged by clicks alone" in said
    assert (out / "judged" / "audit.html").exists()
    assert json.dumps(summary.as_dict())


def test_without_a_time_it_goes_by_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "EPOCHS", {"baseline": 1, "gradus": 3})
    summary = demo(tmp_path / "demo", documents=80)
    page = summary.report.read_text("utf-8")
    for name, epochs in demo_module.EPOCHS.items():
        lines = (tmp_path / "demo" / "models" / name / "metrics.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["epoch"] == epochs
        assert re.search(rf"{name} .*--training.epochs {epochs} ", page)
    assert "--documents 80 --seed 0" in page


@pytest.mark.slow
def test_a_second_demo_replaces_what_the_first_made_and_nothing_else(tmp_path: Path) -> None:
    out, stages = tmp_path / "demo", []
    demo(out, documents=80, minutes=SECONDS / 60)
    (out / "models" / "mine").mkdir()
    (out / "models" / "gradus" / "stale").touch()
    drawn = (out / "drawings" / "catalog.csv").stat().st_mtime_ns
    demo(out, documents=80, minutes=SECONDS / 60, progress=lambda stage, *_: stages.append(stage))
    assert "drawings" not in stages
    assert (out / "drawings" / "catalog.csv").stat().st_mtime_ns == drawn
    assert (out / "models" / "mine").is_dir()
    assert not (out / "models" / "gradus" / "stale").exists()
    demo(out, documents=81, minutes=SECONDS / 60, progress=lambda stage, *_: stages.append(stage))
    assert "drawings" in stages


@pytest.mark.parametrize("taken", ["drawings", "models/gradus", "report.html"])
def test_files_of_others_are_left_alone(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).mkdir(parents=True)
    (tmp_path / taken / "precious").write_text("mine")
    with pytest.raises(SettingsError, match=re.escape(f"{taken} was not written by the demo")):
        demo(tmp_path, documents=80, minutes=0.01)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["precious"]


@pytest.mark.parametrize("minutes", [-1.0, float("nan")])
def test_a_time_is_no_less_than_none(tmp_path: Path, minutes: float) -> None:
    with pytest.raises(SettingsError, match="0 or more"):
        demo(tmp_path / "demo", minutes=minutes)
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
def test_the_single_steps_of_the_report_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    summary = demo(Path("demo"), documents=80, minutes=SECONDS / 60)
    found = re.search(r"<pre><code>(.*?)</code></pre>", summary.report.read_text("utf-8"), re.DOTALL)
    assert found
    assert "&" not in found[1]
    commands = [line for line in found[1].splitlines() if line and not line.startswith(("#", "gradus demo"))]
    assert [command.split()[1] for command in commands] == ["sample", "train", "train", "evaluate", "compare"]
    (tmp_path / "second").mkdir()
    subprocess.run(["bash", "-euc", "\n".join(commands)], cwd=tmp_path / "second", check=True, timeout=300)
    for name in ("drawings/judgments.csv", "models/baseline/evaluation/summary.json"):
        assert (tmp_path / "second" / "demo" / name).is_file()
    one, other = (
        (tmp_path / folder / "demo" / "drawings" / "judgments.csv").read_bytes()
        for folder in ("first", "second")
    )
    assert one == other
