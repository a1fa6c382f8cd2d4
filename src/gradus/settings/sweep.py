"""The section that says what `gradus sweep` tries."""

from dataclasses import dataclass

from gradus.settings.section import Section, setting


@dataclass(frozen=True)
class SweepSettings(Section):
    """What a sweep tries, every combination of its lists, and for how long."""

    objectives: tuple[str, ...] = setting(
        ("many-to-many", "per-positive", "listwise"), "Objectives, as objective.name takes them."
    )
    weights: tuple[str, ...] = setting(
        ("constant", "linear", "power:2"), "Score-to-weight functions, as objective.weight takes them."
    )
    temperatures: tuple[str, ...] = setting(
        ("0.03", "0.07"), "Where the learned temperature starts; 0 takes the objective's own."
    )
    others: tuple[str, ...] = setting(
        (),
        "Further settings of encoder, objective or training, or judgments.distilled, each with the values to try: "
        "training.field_dropout=0|0.3.",
    )
    minutes: float = setting(
        2.0,
        "Training time of each candidate of the last round: minutes of processor time, of wall-clock time "
        "on an accelerator.",
        minimum=0.001,
    )
    factor: int = setting(
        3,
        "One in this many candidates goes on to the next round, which trains this many times longer.",
        minimum=2,
    )
