"""A flag `--section.setting` for every setting, generated from the dataclasses of `gradus.settings`."""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from gradus.settings import read_settings, section_classes

_SETTINGS_FILE = "settings_file"

Command = Callable[..., None]


@dataclasses.dataclass(frozen=True)
class _Flag:
    """One flag of a setting.

    Attributes:
        key: The setting, `section.name`.
        name: The command's parameter that holds it.
        annotation: The parameter's type with the option that Typer makes of it.
        off: Whether the flag turns the setting off.
    """

    key: str
    name: str
    annotation: Any
    off: bool = False


def with_settings(*wanted: str) -> Callable[[Command], Command]:
    """Give a command `--settings FILE` and a flag for each of some settings.

    The command takes `settings: Settings` by keyword, read from the file with the flags' values over it.
    A command that changes the file also takes `settings_file: Path`, as it was given.
    A setting that is a table (`catalog.fields`) has no flag: it does not fit on a line.

    Args:
        wanted: Sections (`training`) or single settings (`training.device`).
    """
    flags = list(_flags(wanted))

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters

        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            path: Path = given.pop(_SETTINGS_FILE)
            values = {
                flag.key: _value(flag, value) for flag in flags if (value := given.pop(flag.name)) is not None
            }
            if _SETTINGS_FILE in own:
                given[_SETTINGS_FILE] = path
            command(settings=read_settings(path).with_values(values), **given)

        parameters = [
            *(parameter for name, parameter in own.items() if name not in ("settings", _SETTINGS_FILE)),
            _parameter(_SETTINGS_FILE, _FILE, Path("gradus.toml")),
            *(_parameter(flag.name, flag.annotation, None) for flag in flags),
        ]
        # Typer reads a command's parameters from its signature and their types from its annotations.
        signature = inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in parameters])
        wrapper.__dict__["__signature__"] = signature
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


_FILE = Annotated[
    Path,
    typer.Option(
        "--settings",
        help="The search's settings. Flags override the file; --no-section.setting turns one off. "
        "Paths in both are relative to the file's folder.",
    ),
]


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _value(flag: _Flag, value: Any) -> Any:
    if isinstance(value, list):
        return _items(value)
    return False if flag.off else value


def _items(values: list[str]) -> tuple[str, ...]:
    """A list given as repeated flags, as one flag with commas, or both; commas in brackets separate nothing."""
    parts = (part.strip() for value in values for part in re.split(r",(?![^(]*\))", value))
    return tuple(part for part in parts if part)


def _flags(wanted: tuple[str, ...]) -> Iterator[_Flag]:
    for section, settings in section_classes().items():
        hints = get_type_hints(settings)
        for item in dataclasses.fields(settings):
            key = f"{section}.{item.name}"
            if (section not in wanted and key not in wanted) or item.default is dataclasses.MISSING:
                continue
            name, panel = f"{section}__{item.name}", f"{section}: {settings.__doc__}"
            yield _Flag(key, name, _annotation(key, panel, hints[item.name], item))
            if hints[item.name] is bool:
                # An option of its own, because help has no room for two long names in one row.
                off = typer.Option(f"--no-{key}", hidden=True, show_default=False)
                yield _Flag(key, f"no__{name}", Annotated[bool | None, off], off=True)


def _annotation(key: str, panel: str, hint: Any, item: dataclasses.Field[Any]) -> Any:
    default: Any = item.default
    kind, shown, help = hint, str(default), item.metadata["help"]
    if get_origin(hint) is tuple:
        kind, shown = list[str], ", ".join(default)
    elif item.metadata["choices"]:
        help = f"{help} One of: {', '.join(item.metadata['choices'])}."
    elif hint is bool:
        shown = "on" if default else "off"
    # Without a column for the type, long names fit into 80 columns; the default shows what is meant.
    option = typer.Option(
        f"--{key}",
        help=help,
        metavar="",
        show_default=shown or False,
        rich_help_panel=panel,
        autocompletion=_completion(item.metadata["choices"] or ()),
    )
    return Annotated[kind | None, option]


def _completion(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Values for the shell to offer; whether one is allowed is for the settings to say, in their words."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete
