"""The section that says how `gradus cadence` looks back, and how much may be lost between refreshes."""

from dataclasses import dataclass

from gradus.settings.section import Section, setting

REFRESHES = ("full", "warm", "queries")


@dataclass(frozen=True)
class CadenceSettings(Section):
    """How often to refresh: models of the past, measured on what came after them."""

    window_days: int = setting(7, "Days of a window, by which ages are counted.", minimum=1)
    ages: tuple[str, ...] = setting(
        ("0", "1", "2", "4", "8"),
        "Ages in windows at which models are measured; those the log is too short for go.",
    )
    history: int = setting(
        4, "Windows of evidence that a training reads; 0 for all that came before.", minimum=0
    )
    repeats: int = setting(2, "Windows that models are measured on: the last ones of the log.", minimum=1)
    modes: tuple[str, ...] = setting(
        REFRESHES,
        "Ways to refresh: full (from scratch), warm (from the old model), queries (likewise, training queries alone).",
    )
    share: float = setting(
        0.25,
        "Training of a refresh that starts from the old model, as a share of a full one's epochs or minutes.",
        minimum=0.001,
        maximum=1,
    )
    loss: float = setting(
        0.02,
        "Largest share of a fresh model's metric that may be lost before the next refresh.",
        minimum=0,
        maximum=1,
    )
