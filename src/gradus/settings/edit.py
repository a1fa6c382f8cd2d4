"""Changing a section of `gradus.toml` in place: comments, order and every other key stay as they are."""

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gradus.errors import SettingsError
from gradus.files import atomic_file
from gradus.settings.settings import Settings, read_settings, to_mapping


def section_changes(
    path: Path, settings: Settings, section: str, named: Collection[str] = ()
) -> dict[str, Any]:
    """What must change in a file for it to hold a section of some settings.

    Args:
        path: The file, or the folder of a `gradus.toml`.
        settings: Hold the section.
        section: Its name.
        named: Keys that the file is to name although they have their default.

    Returns:
        Key → its value, `None` where it is to go.

    Raises:
        SettingsError: The file cannot be read, as for `read_settings`.
    """
    read_settings(path)
    there = tomllib.loads(_file(path).read_text(encoding="utf-8")).get(section, {})
    defaults = to_mapping(Settings())[section]
    changes: dict[str, Any] = {}
    for key, value in to_mapping(settings)[section].items():
        if value == defaults[key] and key not in named:
            if there.get(key, value) != value:
                changes[key] = None
        elif key not in there or there[key] != value:
            changes[key] = value
    return changes


def write_section(
    path: Path, settings: Settings, section: str, named: Collection[str] = ()
) -> dict[str, Any]:
    """Make a file hold a section of some settings; arguments, result and errors as for `section_changes`.

    Raises:
        SettingsError: Also where the file writes the section in a way that cannot be changed in place.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    changes = section_changes(path, settings, section, named)
    if not changes:
        return changes
    path = _file(path)
    # Bytes, since reading text would turn the line ends of Windows into those of Unix.
    before = path.read_bytes().decode()
    try:
        after = _changed(tomlkit.parse(before), section, changes)
        held = tomllib.loads(after) | {section: None}
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise _by_hand(path, section, changes, str(error)) from None
    with atomic_file(path) as aside:
        aside.write_bytes(after.encode())
        if held != tomllib.loads(before) | {section: None} or section_changes(
            aside, settings, section, named
        ):
            raise _by_hand(path, section, changes, "its keys are scattered")
    return changes


def _file(path: Path) -> Path:
    """The file itself, so that not a link to it is replaced."""
    return (path / "gradus.toml" if path.is_dir() else path).resolve()


def _changed(document: Any, section: str, changes: dict[str, Any]) -> str:
    """The text of a tomlkit document with the changes made."""
    import tomlkit

    if section not in document:
        document.add(section, tomlkit.table())
    for key, value in changes.items():
        if value is None:
            del document[section][key]
        else:
            document[section][key] = value
    text: str = document.as_string()
    return text


def _by_hand(path: Path, section: str, changes: dict[str, Any], reason: str) -> SettingsError:
    told = ", ".join(
        f"{key} = {'(left out)' if value is None else value!r}" for key, value in changes.items()
    )
    return SettingsError(f"{path}: [{section}] cannot be changed in place ({reason}); write there {told}")
