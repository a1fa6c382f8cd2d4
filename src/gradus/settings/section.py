"""What a section of `gradus.toml` is: a frozen dataclass that checks its settings against type and bounds."""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args, get_origin, get_type_hints

from gradus.errors import SettingsError

Fields = Mapping[str, Mapping[str, Any]]
"""Field name → its `type` and `weight`, as written under `[catalog.fields]` or `[query.fields]`."""

Names = Mapping[str, str]
"""A table of texts, as `[log.columns]`."""

Numbers = Mapping[str, float]
"""A table of numbers, as `[log.actions]`."""


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A dataclass field that carries its explanation and its bounds."""
    metadata = {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Section:
    """A section of `gradus.toml`; construction checks every setting against its type and bounds."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            key = f"{section_name(type(self))}.{item.name}"
            object.__setattr__(self, item.name, _checked(key, value, hints[item.name], item.metadata))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The section made of the given keys, defaults elsewhere.

        Raises:
            SettingsError: An unknown key (with the nearest known one), a wrong type, a value out of range.
        """
        known = [item.name for item in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
                raise SettingsError(f"unknown key {section_name(cls)}.{key}{hint}")
        return cls(**values)


def section_name(section: type[Section]) -> str:
    """`[training]` for `TrainingSettings`."""
    return section.__name__.removesuffix("Settings").lower()


def _checked(key: str, value: Any, hint: Any, metadata: Mapping[str, Any]) -> Any:
    """The value as the setting's type, or a SettingsError that names the key."""
    if get_origin(hint) is tuple:
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f"{key} must be a list of texts, not {value!r}")
        return tuple(value)
    if get_origin(hint) is not None:
        return _checked_table(key, value, hint)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise SettingsError(f"{key} must be of type {hint.__name__}, not {value!r}")
    if metadata["choices"] and value not in metadata["choices"]:
        raise SettingsError(f"{key} is {value!r}; choose one of {', '.join(metadata['choices'])}")
    low, high = metadata["minimum"], metadata["maximum"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise SettingsError(f"{key} is {value}; it must be {bounds}")
    return value


def _checked_table(key: str, value: Any, hint: Any) -> Any:
    if hint == Fields:
        _check_fields(key, value)
        return value
    inner = get_args(hint)[1]
    noun = "texts" if inner is str else "numbers"
    if not isinstance(value, Mapping):
        raise SettingsError(f"{key} must be a table of {noun}, not {value!r}")
    return {
        name: _checked(f"{key}.{name}", item, inner, {"choices": None, "minimum": None, "maximum": None})
        for name, item in value.items()
    }


def _check_fields(key: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{key} must be a table of fields, not {value!r}")
    for name, field in value.items():
        if not isinstance(field, Mapping) or set(field) - {"type", "weight"}:
            raise SettingsError(f"{key}.{name} takes the keys type and weight, not {field!r}")
        if isinstance(field.get("weight", 0.0), bool) or not isinstance(
            field.get("weight", 0.0), int | float
        ):
            raise SettingsError(f"{key}.{name}.weight must be a number, not {field['weight']!r}")
        if not isinstance(field.get("type", ""), str):
            raise SettingsError(f"{key}.{name}.type must be a text, not {field['type']!r}")
