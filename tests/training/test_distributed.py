"""Two processes on this machine: one training, the same as in one process, and no hang when one dies."""

import json
import signal
from pathlib import Path

import pytest
import torch
from processes import drawn, few, finish, launch, parity
from safetensors.torch import load_file
from tiny_task import near, same, tiny_task

from gradus.errors import SettingsError
from gradus.objectives.registry import OBJECTIVES
from gradus.training.distributed import ALONE, joined, launched


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left of every scenario in which both live."""
    folder = tmp_path_factory.mktemp("two")
    for code, said in finish(launch("all", folder)):
        assert code == 0, said
    return folder


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_processes_are_one(two: Path, tmp_path: Path, objective: str) -> None:
    task = parity(tmp_path, ALONE, objective)
    found = load_file(two / f"{objective}-0.safetensors")
    near(task.state_dict(), found)
    start = tiny_task(name=objective, residual=0.1, temperature=0.2).state_dict()
    assert not torch.allclose(
        start["encoder.towers.text.vectors"], found["encoder.towers.text.vectors"], atol=1e-4
    )
    assert same(found, load_file(two / f"{objective}-1.safetensors"))


def test_they_draw_what_one_draws(two: Path, tmp_path: Path) -> None:
    near(drawn(tmp_path, ALONE).state_dict(), load_file(two / "drawn-0.safetensors"))


def test_a_batch_may_have_fewer_rows_than_there_are_processes(two: Path, tmp_path: Path) -> None:
    near(few(tmp_path, ALONE).state_dict(), load_file(two / "few-0.safetensors"))


@pytest.mark.parametrize("reason", ["stopping", "minutes"])
def test_they_stop_together(two: Path, reason: str) -> None:
    first, other = (json.loads((two / f"{reason}-{rank}.json").read_text()) for rank in range(2))
    assert first["steps"] == other["steps"] > 3
    assert (first["epochs"], first["best"]) == (other["epochs"], other["best"])
    if reason == "stopping":
        assert first["stopped_early"]
        assert other["stopped_early"]
        assert first["best"] == 0.5
        assert first["epochs"] == 4
    else:
        assert 60 <= first["seconds"] < 75


def test_only_the_first_writes(two: Path) -> None:
    assert not (two / "other").exists()
    assert {path.name for path in (two / "drawn").iterdir()} == {"checkpoint", "metrics.jsonl"}
    lines = (two / "whole" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_when_one_is_killed_the_other_stops_and_the_run_can_be_resumed(two: Path, tmp_path: Path) -> None:
    (code, said), (other, _) = finish(launch("killed", tmp_path))
    assert other == -signal.SIGKILL
    assert code == 1
    assert "ModelError: another process of this training has ended or does not answer" in said
    assert "Go on from the last checkpoint with --resume" in said
    for code, said in finish(launch("resumed", tmp_path)):
        assert code == 0, said
    assert same(load_file(tmp_path / "killed-1.safetensors"), load_file(two / "whole-0.safetensors"))
    assert same(load_file(tmp_path / "killed-0.safetensors"), load_file(two / "whole-0.safetensors"))


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == (0, 1)
    with joined(torch.device("cpu")) as group:
        assert group == ALONE


def test_an_environment_that_no_launcher_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    told = pytest.raises(SettingsError, match=r"WORLD_SIZE=2, and not where .* unset WORLD_SIZE")
    with told, joined(torch.device("cpu")):
        pass


def test_a_device_that_cannot_be_shared_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match=r"training\.device is 'mps'"), joined(torch.device("mps")):
        pass
