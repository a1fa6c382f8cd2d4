"""The file of pipelines of `gradus bench` and `gradus poc`, written where there is none."""

import sys
from pathlib import Path

from gradus.errors import SettingsError
from gradus.files import atomic_file
from gradus.settings import read_settings
from gradus.settings.standard_pipelines import standard_pipelines

NAME = Path("pipelines.toml")


def pipelines_file(given: Path | None) -> Path:
    """The named file, or the working folder's, which gets the standard pipelines if it is not there.

    Raises:
        SettingsError: There is no `gradus.toml` beside it, or it cannot be read.
    """
    if given is not None or NAME.exists():
        return given or NAME
    settings = Path("gradus.toml")
    if not settings.exists():
        raise SettingsError(
            f"no {NAME} here, and no {settings} to write one for; run in the folder that has it, or name a file"
        )
    text = standard_pipelines(read_settings(settings))
    with atomic_file(NAME) as aside:
        aside.write_text(text, encoding="utf-8")
    print(f"{NAME} written: the standard pipelines, which you can change", file=sys.stderr)
    return NAME
