"""`gradus train` started by torchrun and by accelerate: one training, one answer, one error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_shop import contents, make_shop

from gradus.settings import read_settings
from gradus.workflow.training import train

LAUNCHERS = {
    "torchrun": ("torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
    "accelerate": (
        *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
        *("--num_machines", "1", "--main_process_port", "0"),
    ),
}


def launch(shop: Path, launcher: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *LAUNCHERS[launcher], "-m", "gradus", "train", *arguments]
    return subprocess.run(
        command,
        cwd=shop,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_train_one_model(tmp_path: Path, launcher: str) -> None:
    if launcher == "accelerate":
        pytest.importorskip("accelerate")
    shop = make_shop(tmp_path / "shop", ("title", "picture"), "both")
    done = launch(shop, launcher, "--out", "two", "--json", "--training.epochs", "2")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)  # one process printed it
    assert (summary["epochs"], summary["steps"]) == (2, 4)
    assert {path.name for path in (shop / "two").iterdir()} == {"model", "checkpoint", "metrics.jsonl"}
    alone = train(read_settings(shop), shop / "alone")
    assert alone.steps == summary["steps"]
    assert contents(shop / "two" / "model").keys() == contents(shop / "alone" / "model").keys()
    assert done.stderr.count("training …") == 1
