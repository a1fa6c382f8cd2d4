"""The click models by name, and the choice among them."""

from collections.abc import Callable
from pathlib import Path

from gradus.errors import LogError, SettingsError
from gradus.judgments.clicks.all_pairs import fit_all_pairs
from gradus.judgments.clicks.browsing import fit_browsing
from gradus.judgments.clicks.cascade import fit_cascade
from gradus.judgments.clicks.coec import fit_coec
from gradus.judgments.clicks.ctr import fit_ctr
from gradus.judgments.clicks.dbn import fit_dbn, fit_sdbn
from gradus.judgments.clicks.fit import Fit
from gradus.judgments.clicks.identify import COVERED, Identifiability, told_in_words, told_of
from gradus.judgments.clicks.ips import fit_ips, read_propensities
from gradus.judgments.clicks.logged import fit_logged
from gradus.judgments.clicks.pbm import fit_pbm
from gradus.judgments.logs.cells import Cells

ESTIMATORS: dict[str, Callable[[Cells], Fit]] = {
    "ctr": fit_ctr,
    "coec": fit_coec,
    "all-pairs": fit_all_pairs,
    "pbm": fit_pbm,
    "browsing": fit_browsing,
    "cascade": fit_cascade,
    "sdbn": fit_sdbn,
    "dbn": fit_dbn,
    "logged": fit_logged,
}
"""Those that need nothing but the cells; `ips` needs propensities."""


def needed_propensities(propensities: Path | None) -> Path:
    """The propensities that `ips` cannot do without.

    Raises:
        SettingsError: There are none.
    """
    if propensities is None:
        raise SettingsError(
            "clicks.estimator = ips needs clicks.propensities, a file of position and propensity"
        )
    return propensities


def fit(
    cells: Cells,
    estimator: str,
    identifiability: Identifiability,
    propensities: Path | None = None,
    pages_per_day: float | None = None,
) -> Fit:
    """Fit the click model of the given name.

    `auto` is the browsing model wherever swaps tell the positions apart: it holds the position-based model and the
    cascade as special cases and came within .02 of the best model, whatever the people of the simulation did. Where
    swaps do not, but propensities are logged and tell them, it is `logged`: they do so even if no query comes twice.

    Raises:
        LogError: `auto` on a log that cannot support it, with the reason and what would; or what a model refuses.
        SettingsError: `ips` without propensities.
    """
    if estimator == "ips":
        return fit_ips(cells, read_propensities(needed_propensities(propensities)))
    if estimator != "auto":
        return ESTIMATORS[estimator](cells)
    if not identifiability.supported:
        reason = identifiability.reason()
        if cells.logged.any():
            logged = fit_logged(cells)
            told, share = told_of(logged)
            if share >= COVERED:
                return logged
            reason += f"; by the propensities that it carries, {told_in_words(told, share)}"
        raise LogError(
            f"this log cannot support debiased scores: {reason}. "
            f"To change that, {identifiability.remedy(pages_per_day)}; or give clicks.propensities from an earlier "
            "experiment with clicks.estimator = ips; or take a model at its word, such as clicks.estimator = cascade"
        )
    return fit_browsing(cells, identifiability.curve)
