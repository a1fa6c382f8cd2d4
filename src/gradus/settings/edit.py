"""Changing settings in `gradus.toml` in place: comments, order and every other key stay as they are."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gradus.errors import SettingsError
from gradus.files import atomic_file
from gradus.settings.settings import Settings, read_settings, to_mapping


def needed_changes(
    path: Path, settings: Settings, keys: Collection[str], named: Collection[str] = ()
) -> dict[str, Any]:
    """What must change in a file for it to hold some of the settings.

    Args:
        path: The file, or the folder of a `gradus.toml`.
        settings: Hold their values.
        keys: The settings, as `section.setting`, in the order in which new ones are written.
        named: Those of them that the file is to name although they have their default.

    Returns:
        Key → its value, `None` where it is to go.

    Raises:
        SettingsError: The file cannot be read, as for `read_settings`.
    """
    read_settings(path)
    there = tomllib.loads(_file(path).read_text(encoding="utf-8"))
    wanted, defaults = to_mapping(settings), to_mapping(Settings())
    changes: dict[str, Any] = {}
    for key in keys:
        section, _, name = key.partition(".")
        value, held = wanted[section][name], there.get(section, {})
        if value == defaults[section][name] and key not in named:
            if held.get(name, value) != value:
                changes[key] = None
        elif name not in held or held[name] != value:
            changes[key] = value
    return changes


def write_changes(
    path: Path, settings: Settings, keys: Collection[str], named: Collection[str] = ()
) -> dict[str, Any]:
    """Make a file hold some of the settings; arguments, result and errors as for `needed_changes`.

    Raises:
        SettingsError: Also where the file writes a section in a way that cannot be changed in place.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    changes = needed_changes(path, settings, keys, named)
    if not changes:
        return changes
    path = _file(path)
    # Bytes, since reading text would turn the line ends of Windows into those of Unix.
    before = path.read_bytes().decode()
    try:
        document = tomlkit.parse(before)
        _change(document, changes)
        after = document.as_string()
        found = tomllib.loads(after)
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise _by_hand(path, changes, str(error)) from None
    expected = tomllib.loads(before)
    _change(expected, changes)
    if found != expected:
        raise _by_hand(path, changes, "its keys are scattered")
    with atomic_file(path) as aside:
        aside.write_bytes(after.encode())
    return changes


def _file(path: Path) -> Path:
    """The file itself, so that not a link to it is replaced."""
    return (path / "gradus.toml" if path.is_dir() else path).resolve()


def _change(document: Any, changes: Mapping[str, Any]) -> None:
    """Make the changes in a mapping of sections, such as a tomlkit document."""
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if section not in document:
            document[section] = {}
        if value is None:
            del document[section][name]
        else:
            document[section][name] = value


def _by_hand(path: Path, changes: Mapping[str, Any], reason: str) -> SettingsError:
    told = ", ".join(
        f"{key} = {'(left out)' if value is None else value!r}" for key, value in changes.items()
    )
    return SettingsError(f"{path} cannot be changed in place ({reason}); write there {told}")
