"""`gradus cadence`."""

from pathlib import Path
from typing import Annotated

import typer

from gradus.cli.console import AsJson, print_json, print_table, print_text, shown_progress
from gradus.cli.flags import with_settings
from gradus.settings import Settings


@with_settings(
    *("cadence", "log", "clicks", "catalog", "query", "split", "encoder", "objective", "training"),
    *("evaluation.metrics", "evaluation.depth"),
)
def cadence(
    settings: Settings,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Gets cadence.json, cadence.svg and the models.")
    ] = Path("cadence"),
    as_json: AsJson = False,
) -> None:
    """Find out how often to refresh: train models as if in the past, measure them on what came after.

    Needs a log with times, as gradus judge reads it. Models that an earlier run has trained are used again.
    """
    from gradus.insight.cadence_plot import plot_cadence
    from gradus.insight.cadence_result import FILE, write_cadence
    from gradus.workflow.cadence import backtest

    with shown_progress() as progress:
        found = backtest(settings, out, progress=progress)
    write_cadence(found, out / FILE)
    plot_cadence(out / "cadence.svg", found)
    if as_json:
        print_json(found.as_dict())
        return
    print_table(
        f"Loss of {found.metric} by age",
        ("age", "loss %", "95 % from", "to", "queries"),
        ((a.age, 100 * a.loss.mean, 100 * a.loss.low, 100 * a.loss.high, a.loss.n) for a in found.ages),
    )
    plans = {plan.mode: plan for plan in found.plans}
    print_table(
        f"Ways to refresh, each as rarely as holds the loss within {100 * found.allowed:.3g} %",
        ("mode", "own loss %", "to", "s", "documents", "every", "by mean loss", "s a window"),
        (
            (
                each.mode,
                100 * each.loss.mean,
                100 * each.loss.high,
                each.cpu_seconds,
                each.documents,
                (plans[each.mode].every or None) if each.mode in plans else None,
                (plans[each.mode].estimate or None) if each.mode in plans else None,
                plans[each.mode].cpu_seconds if each.mode in plans else None,
            )
            for each in found.refreshes
        ),
    )
    print_text(
        f"Ages and cadences count windows of {found.window_days} days; a fresh model has {found.metric} "
        f"{found.fresh.mean:.4f}"
    )
    if found.unmeasured:
        ages = ", ".join(map(str, found.unmeasured))
        print_text(f"The log is too short for models of age {ages}")
    print_text(*found.sentences(), f"{out / FILE} and {out / 'cadence.svg'} written")
