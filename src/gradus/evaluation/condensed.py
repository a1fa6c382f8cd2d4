"""Condensed lists: unjudged documents removed, so that what nobody judged is neither good nor bad.

Elsewhere an unjudged document counts as score 0, which punishes a system that returns documents no earlier system
returned. Condensing ranks by the judged documents alone (Sakai, "Alternatives to Bpref", SIGIR 2007). It errs to the
other side when what is unjudged is mostly bad, so the two are read beside each other.
"""

import numpy as np

from gradus.evaluation.scoring import Ranked


def condense(ranked: Ranked) -> Ranked:
    """The lists with judged documents only, in their order."""
    judged = ~np.isnan(ranked.gains)
    order = np.argsort(~judged, axis=1, kind="stable")
    return Ranked(np.take_along_axis(ranked.gains, order, axis=1), judged.sum(axis=1), ranked.judged)
