"""The demo's second half: the same judgments made from clicks, by people who are simulated."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.judgments.scores import Scores
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation
from gradus.judgments.simulation.truth import Truth, truth_of
from gradus.judgments.simulation.write import write_log
from gradus.progress import Progress
from gradus.settings import Settings
from gradus.workflow.data import Data

_IMPRESSIONS = 300_000
_POLICY = Policy(epochs=6, swaps=0.2)
"""A ranker of limited quality that is released anew now and then, with some neighbours swapped."""


def judge_clicks(
    settings: Settings, data: Data, out: Path, seed: int, progress: Progress
) -> tuple[str, Path | None]:
    """Simulate a log of people who search the demo's catalogue, judge it, and hold the scores against the truth.

    Args:
        settings: The demo's.
        data: Its catalogue and judgments, which are the truth.
        out: Gets `clicks/` and `judged/`.
        seed: Of the people and of what they are shown.
        progress: Told about each stage.

    Returns:
        What was found, in words, and the page that says what it rests on.
    """
    if find_spec("ibis") is None:
        return "Judgments from clicks need an extra: pip install 'gradus[logs]'", None
    from gradus.workflow.judging import judge

    truth = truth_of(data.judgments)
    simulation = Simulation(truth, policy=_POLICY, impressions=_IMPRESSIONS, seed=seed)
    log = write_log(out / "clicks", simulation, "ubi", progress=progress)
    own = {
        "log.path": str((log.folder / "ubi_events.parquet").resolve()),
        "log.queries": str((log.folder / "ubi_queries.parquet").resolve()),
        "log.format": "ubi",
    }
    judged = judge(settings.with_values(own), out / "judged", progress=progress)
    assert judged.log is not None  # noqa: S101 - for the type checker: a log was named
    scores, trials = judged.log.clicks.scores, judged.log.clicks.fit.trials
    true = _attraction(data, truth, scores)
    rate = trials.per_pair(trials.clicks) / trials.impressions
    held = float(((scores.low <= true) & (true <= scores.high)).mean())
    found = (
        f"From {log.impressions:,} simulated impressions, {len(scores):,} pairs were judged by clicks alone.\n"
        f"  correlation with the truth {np.corrcoef(scores.score, true)[0, 1]:.2f} (of clicks per impression: "
        f"{np.corrcoef(rate, true)[0, 1]:.2f}); 90 % intervals hold it in {held:.0%} of pairs"
    )
    return found, judged.files["page"]


def _attraction(data: Data, truth: Truth, scores: Scores) -> NDArray[np.float64]:
    """(p,) how attractive each scored pair really is."""
    judgments = data.judgments
    wide = len(judgments.documents)
    query = np.array([judgments.queries.row_of[name] for name in scores.queries])[scores.query]
    document = np.array([judgments.documents.row_of[name] for name in scores.documents])[scores.document]
    known = judgments.query * wide + judgments.document
    order = np.argsort(known)
    place = np.searchsorted(known[order], query * wide + document)
    return truth.attracting(judgments.score[order[place]])
