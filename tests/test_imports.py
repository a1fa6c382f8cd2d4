"""Imports stay light: what is heavy is imported where it is used, so that commands answer at once."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("torch", "transformers", "sentence_transformers", "peft", "tensorboard", "safetensors"),
    *("matplotlib", "pyarrow", "PIL", "jinja2", "scipy", "sklearn"),
    *("onnx", "onnxruntime", "onnxscript", "lightgbm", "bm25s", "triton"),
    *("fastapi", "uvicorn", "httpx", "prometheus_client", "tomlkit"),
}


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running some code."""
    report = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    script = f"import atexit\natexit.register(lambda: exec({report!r}))\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_measurement_sees_a_heavy_module() -> None:
    assert HEAVY & loaded("import PIL") == {"PIL"}


@pytest.mark.parametrize("module", ["gradus", "gradus.settings", "gradus.cli.main"])
def test_importing_is_light(module: str) -> None:
    assert not loaded(f"import {module}") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_is_light(arguments: list[str]) -> None:
    code = f"import sys; sys.argv[1:] = {arguments}\nfrom gradus.cli.main import main\nmain()"
    modules = loaded(code)
    assert "gradus" in modules
    assert not modules & HEAVY
