"""The errors that Gradus raises.

Every error a user can cause derives from `GradusError`. The command line prints its message as one
line and exits with code 2; a library caller can catch it by type. Messages name the file, row, column
or key at fault and the remedy.
"""


class GradusError(Exception):
    """An input or a request that cannot be served as given; the message says what to change."""


class SettingsError(GradusError):
    """A key of `gradus.toml`, or the flag of the same name, is unknown or out of range."""


class CatalogError(GradusError):
    """A catalogue, or one of its images, cannot be read as described."""


class JudgmentsError(GradusError):
    """Judgments, a split, or a score-to-weight function are not usable."""


class LogError(GradusError):
    """A log cannot be read as described, or cannot support what is asked of it."""


class ModelError(GradusError):
    """A model folder or checkpoint is missing, incomplete or of another make."""


class EvaluationError(GradusError):
    """A metric name, a run or a comparison is not usable."""


class SearchError(GradusError):
    """An index, a filter or a search request is not usable."""


class MissingExtraError(GradusError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency: pip install 'gradus[{extra}]'")
