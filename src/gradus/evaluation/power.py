"""How many queries a decision needs."""

import math
from statistics import NormalDist


def queries_needed(gap: float, deviation: float, confidence: float = 0.95, power: float = 0.8) -> float:
    """Number of queries with which a decision is expected with the given power.

    n = ((Φ⁻¹(confidence) + Φ⁻¹(power)) deviation / gap)², rounded up; the small chance of deciding in the wrong
    direction is not counted. Infinite where the gap is 0: a difference that equals its margin is decided by
    no number.

    Args:
        gap: True distance from the margin, of either sign: relative difference + margin.
        deviation: Standard deviation over queries, as `Relative.deviation`.
        confidence: Of each bound.
        power: Chance of a decision, between ½ and 1.
    """
    if deviation == 0 and gap:
        return 2.0
    if not abs(gap) > 0:
        return math.inf
    normal = NormalDist()
    root = (normal.inv_cdf(confidence) + normal.inv_cdf(power)) * deviation / gap
    n = root * root
    return max(2.0, float(math.ceil(n))) if math.isfinite(n) else math.inf
