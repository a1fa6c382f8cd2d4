"""The page of all commands, settings and metrics says what the code says."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import typer

from gradus.cli.main import app
from gradus.evaluation.metrics import METRICS
from gradus.settings import section_classes

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"


def tables_of_settings() -> str:
    """A heading, what it is for, and a table of keys for each section, as they stand on the page."""
    parts = []
    for section, settings in section_classes().items():
        rows = "\n".join(_rows(settings))
        parts.append(f"### {section}\n\n{settings.__doc__}\n\n| key | default | |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _rows(settings: type) -> Iterator[str]:
    for item in dataclasses.fields(settings):
        table = item.default is dataclasses.MISSING
        default = item.default_factory() if table else item.default  # type: ignore[misc]
        text, choices = item.metadata["help"], item.metadata["choices"] or ()
        if not all(re.search(rf"\b{re.escape(choice)}\b", text) for choice in choices):
            text = f"{text} One of: {', '.join(choices)}."
        text = text.replace("|", r"\|")  # which would end a cell
        yield f"| `{item.name}` | {_toml(default)} | {text} |"


def _toml(value: object) -> str:
    """A default as `gradus.toml` has it; nothing for what is empty."""
    if value in ("", (), {}):
        return ""
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(item).strip('`')}" for key, item in value.items())
        return f"`{{ {inner} }}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(_toml(item).strip('`') for item in value)}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def test_every_setting_stands_on_the_page_as_it_is() -> None:
    assert tables_of_settings() in PAGE.read_text("utf-8"), (
        f"{PAGE.name} should hold, word for word:\n{tables_of_settings()}"
    )


def test_every_command_and_metric_stands_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    group = typer.main.get_command(app)
    rows = [line for line in page.splitlines() if line.startswith("| `gradus ")]
    for name, command in group.commands.items():
        (row,) = (row for row in rows if re.match(rf"\| `gradus {name}[ `]", row))
        assert all(inner in row for inner in getattr(command, "commands", ())), (
            f"{name} lacks a command: {row}"
        )
    assert [name for name in METRICS if not re.search(rf"`{name}[`@(]", page)] == []
