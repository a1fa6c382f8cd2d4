"""No pinned dependency has a known vulnerability."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PINS = Path(__file__).resolve().parents[1] / "constraints.txt"


@pytest.mark.slow
def test_no_dependency_has_a_known_vulnerability() -> None:
    pytest.importorskip("pip_audit", reason="pip install pip-audit")
    # The pins are complete: nothing has to be resolved, and nothing is installed.
    audit = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--requirement", str(PINS)]
    done = subprocess.run([*audit, "--format=json", "--progress-spinner=off"], capture_output=True, text=True)
    if not done.stdout:
        pytest.skip(f"the PyPI advisories cannot be asked: {done.stderr.strip()[-300:]}")
    dependencies = json.loads(done.stdout)["dependencies"]
    known = [dependency for dependency in dependencies if "vulns" in dependency]
    if len(known) < len(dependencies) / 2:
        pytest.skip(f"the PyPI advisories know {len(known)} of {len(dependencies)} pins: is this a mirror?")
    vulnerable = {
        f"{dependency['name']} {dependency['version']}": [found["id"] for found in dependency["vulns"]]
        for dependency in known
        if dependency["vulns"]
    }
    assert vulnerable == {}
