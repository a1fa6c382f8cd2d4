"""What every model of raters comes to."""

from dataclasses import dataclass

from gradus.judgments.grades.grades import Floats


@dataclass(frozen=True)
class Fit:
    """Scores of pairs, and what each rater is like, on the scale from 0 to 1.

    Attributes:
        score: (i,) consensus on each pair.
        low: (i,) lower end of its 90 % interval.
        high: (i,) upper end.
        bias: (r,) how much each rater grades above the others.
        noise: (r,) standard deviation of each rater's grades around truth and bias, slips aside.
        slips: (r,) share of each rater's grades that have nothing to do with the pair; 0 in models without.
    """

    score: Floats
    low: Floats
    high: Floats
    bias: Floats
    noise: Floats
    slips: Floats
