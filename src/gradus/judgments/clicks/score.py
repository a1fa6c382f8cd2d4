"""From cells to scores: the chain of a log's evidence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.errors import SettingsError
from gradus.judgments.clicks.curve import resampled
from gradus.judgments.clicks.estimators import fit
from gradus.judgments.clicks.fit import Curve, Fit
from gradus.judgments.clicks.hints import Hints
from gradus.judgments.clicks.identify import COVERED, Identifiability, identify, told_in_words, told_of
from gradus.judgments.clicks.posterior import attractiveness, widen
from gradus.judgments.clicks.utility import utility_of
from gradus.judgments.logs.cells import Cells
from gradus.judgments.scores import Scores, Z
from gradus.settings import ClicksSettings

GIVEN = {"ips": "clicks.propensities", "logged": "the propensities that the log carries"}
"""Models that take examination from elsewhere than the order of the log, and from where."""


@dataclass(frozen=True)
class ClickScores:
    """What a log says.

    Attributes:
        scores: Score and interval of every pair that was shown.
        fit: The click model behind them.
        curve: Its position-bias curve, where it has one.
        identifiability: What the log's swaps can tell.
        exposure: (p,) examined impressions of each pair, as the model sees it.
        hinted: Share of the pairs that the pipeline behind the hints lists; `None` without hints.
    """

    scores: Scores
    fit: Fit
    curve: Curve | None
    identifiability: Identifiability
    exposure: NDArray[np.float64]
    hinted: float | None = None

    @property
    def supported(self) -> bool:
        """Whether what the model rests on tells examination at enough positions."""
        return (
            told_of(self.fit)[1] >= COVERED if self.fit.estimator in GIVEN else self.identifiability.supported
        )

    @property
    def reason(self) -> str:
        """In a sentence, what examination by position is known from, and how far that goes."""
        if self.fit.estimator not in GIVEN:
            return self.identifiability.reason()
        return f"by {GIVEN[self.fit.estimator]}, {told_in_words(*told_of(self.fit))}"


def score_clicks(
    cells: Cells,
    settings: ClicksSettings,
    root: Path = Path(),
    pages_per_day: float | None = None,
    hints: Hints | None = None,
) -> ClickScores:
    """Score every pair of a log.

    Args:
        cells: The log.
        settings: Which model, which prior.
        root: What `clicks.propensities` is relative to.
        pages_per_day: Result pages a day, for advice on experiments.
        hints: What a pipeline says of pairs, as `clicks.run` names it.

    Raises:
        LogError: The model cannot be fitted to this log, with the reason and the remedy.
        SettingsError: A model lacks what it needs, or the prior has no use for hints.
    """
    if hints is not None and settings.prior != "exposure":
        raise SettingsError(f"clicks.run joins the prior exposure, and clicks.prior is {settings.prior}")
    identifiability = identify(cells)
    propensities = root / settings.propensities if settings.propensities else None
    model = fit(cells, settings.estimator, identifiability, propensities, pages_per_day)
    curve = model.curve
    if curve is not None and model.estimator in ("all-pairs", "browsing", "pbm"):
        curve = resampled(curve, cells, settings.bootstrap, settings.seed)
    trials = model.trials
    told = None if hints is None else hints.of(trials.query, trials.document)
    found = attractiveness(trials, model.theta, model.deviation, settings.prior, settings.seed, told)
    worth = utility_of(cells, trials)
    extra = Z * found.mean * worth.deviation
    for values in (found.mean, found.low, found.high):  # in place, as in `widen`
        values *= worth.mean
    widen(found.mean, found.low, found.high, extra)
    scores = Scores(
        source="log",
        queries=cells.queries,
        documents=cells.documents,
        query=trials.query.astype(np.int64),
        document=trials.document.astype(np.int64),
        score=found.mean,
        low=found.low,
        high=found.high,
        count=trials.impressions,
    )
    hinted = None if told is None else float(np.isfinite(told[:, 0]).mean())
    return ClickScores(scores, model, curve, identifiability, found.exposure, hinted)
