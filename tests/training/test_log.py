"""The run's metrics: one JSON object per line, whole lines only."""

import json
import sys
from pathlib import Path

import pytest

from gradus.errors import MissingExtraError
from gradus.training.log import MetricsLog


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_per_write(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "run", False)
    log.write(3, {"loss": 0.12345678})
    log.write(6, {"loss": 2, "validation": 0.5})
    log.close()
    assert lines(tmp_path / "run") == [
        {"step": 3, "loss": 0.123457},
        {"step": 6, "loss": 2, "validation": 0.5},
    ]


def test_a_new_run_starts_anew(tmp_path: Path) -> None:
    for step in (1, 2):
        MetricsLog(tmp_path, False).write(step, {})
    assert lines(tmp_path) == [{"step": 2}]


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, False)
    for step in (3, 6, 9):
        log.write(step, {"loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 12, "lo')  # cut short by the kill
    MetricsLog(tmp_path, False, lines=2, step=6).write(9, {"loss": 2.0})
    assert lines(tmp_path) == [{"step": 3, "loss": 1.0}, {"step": 6, "loss": 1.0}, {"step": 9, "loss": 2.0}]


def test_metrics_that_were_removed_are_begun_anew(tmp_path: Path) -> None:
    MetricsLog(tmp_path, False, lines=2, step=6).write(9, {"loss": 2.0})
    assert lines(tmp_path) == [{"step": 9, "loss": 2.0}]


def test_tensorboard_files_are_written_where_asked(tmp_path: Path) -> None:
    pytest.importorskip("torch.utils.tensorboard", exc_type=ImportError)
    log = MetricsLog(tmp_path, True)
    log.write(1, {"loss": 0.5})
    log.close()
    assert [file.name for file in (tmp_path / "tensorboard").iterdir() if "tfevents" in file.name]


def test_without_tensorboard_installed_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gradus\[tensorboard\]'"):
        MetricsLog(tmp_path, True)
