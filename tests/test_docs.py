"""What the README and docs show is run: a block that fails is a failing test.

The ```sh and ```python blocks of one file run in their order in one temporary folder, each as a program of
its own, with the project's `gradus` and `python` first on PATH. A comment on the line above a block changes
that: `<!-- test: slow -->` leaves it to the slow tests, `<!-- test: skip REASON -->` leaves it out.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")) if path.is_file())
PROGRAMS = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
MISNAMED = {"bash", "shell", "console", "zsh", "py", "python3", "pycon"}
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\s*$")
MARK = re.compile(r"^<!-- test: (?:(?P<slow>slow)|skip (?P<reason>\S.*?)) -->$")


@dataclass(frozen=True)
class Block:
    """A block of a document that runs."""

    line: int
    language: str
    code: str
    slow: bool


def read_blocks(text: str) -> list[Block]:
    """The blocks of a document that run, in order.

    Raises:
        ValueError: A mark or a language that would leave a block out unnoticed.
    """
    blocks, opening, mark, code = [], None, None, ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opening is not None:
            if fence and not fence["language"] and fence["indent"] == opening[1]["indent"]:
                if opening[1]["language"] in PROGRAMS and not (mark and mark["reason"]):
                    slow = bool(mark and mark["slow"])
                    blocks.append(Block(opening[0], opening[1]["language"], code, slow))
                opening, mark = None, None
            else:
                code += line + "\n"
        elif fence:
            if fence["language"] in MISNAMED:
                raise ValueError(f"line {number}: a block that runs is marked sh or python")
            if fence["language"] in PROGRAMS and fence["indent"]:
                raise ValueError(f"line {number}: a block that runs is not indented")
            opening, code = (number, fence), ""
        else:
            if mark:
                raise ValueError(f"line {number}: a test mark stands on the line above its block")
            mark = MARK.match(line)
            if "<!-- test" in line and not mark:
                raise ValueError(
                    f"line {number}: marks are <!-- test: slow --> and <!-- test: skip REASON -->"
                )
    if opening is not None:
        raise ValueError(f"line {opening[0]}: a block without an end")
    return blocks


def run_blocks(blocks: list[Block], folder: Path) -> None:
    """Run blocks one after the other in a folder; the first that fails raises."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks:
        done = subprocess.run(
            [*PROGRAMS[block.language], block.code],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise AssertionError(
                f"line {block.line}: exit code {done.returncode}\n{block.code}\n{done.stdout}"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents(path: Path, tmp_path: Path) -> None:
    run_blocks([block for block in read_blocks(path.read_text("utf-8")) if not block.slow], tmp_path)


@pytest.mark.slow
def test_documents_with_slow_blocks(tmp_path: Path) -> None:
    for number, path in enumerate(FILES):
        blocks = read_blocks(path.read_text("utf-8"))
        if any(block.slow for block in blocks):
            folder = tmp_path / str(number)
            folder.mkdir()
            run_blocks(blocks, folder)


def document(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def test_blocks_share_a_folder_and_run_in_order(tmp_path: Path) -> None:
    text = document(
        *("```sh", "gradus --version > version.txt", "```", "", "Then:", ""),
        *("```python", "assert open('version.txt').read().startswith('gradus ')", "```"),
    )
    run_blocks(read_blocks(text), tmp_path)
    assert (tmp_path / "version.txt").is_file()


@pytest.mark.parametrize(
    ("language", "code"), [("sh", "false\ntrue"), ("sh", "false | true"), ("python", "assert 1 == 2")]
)
def test_a_failing_block_fails_and_is_named(tmp_path: Path, language: str, code: str) -> None:
    text = document("# Title", "", f"```{language}", code, "```", "", "```sh", "touch after", "```")
    with pytest.raises(AssertionError, match=r"^line 3: exit code 1\n"):
        run_blocks(read_blocks(text), tmp_path)
    assert not (tmp_path / "after").exists()


def test_marks_and_other_languages() -> None:
    text = document(
        *("<!-- test: slow -->", "```sh", "sleep 60", "```"),
        *("<!-- test: skip needs a cluster -->", "```sh", "exit 1", "```"),
        *("```toml", "[catalog]", "```"),
        *("```", "plain", "```"),
        *("```python", "x = 1", "", "y = x", "```"),
    )
    assert read_blocks(text) == [
        Block(2, "sh", "sleep 60\n", slow=True),
        Block(15, "python", "x = 1\n\ny = x\n", slow=False),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("<!-- test: skip -->", "```sh", "true", "```"),
        ("<!-- test: later -->", "```sh", "true", "```"),
        ("<!-- test: slow -->", "", "```sh", "true", "```"),
        ("```bash", "true", "```"),
        ("- a list", "", "  ```sh", "  true", "  ```"),
        ("```sh", "true"),
    ],
    ids=["no reason", "unknown mark", "mark too far", "other name", "indented", "no end"],
)
def test_what_would_silently_not_run_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"^line \d+: "):
        read_blocks(document(*lines))
