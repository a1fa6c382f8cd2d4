"""People as click models: which of the documents on a page they examine, and which of those they click."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Users(Protocol):
    """A click model: P(click) = P(examined) · attraction, with a rule for what is examined."""

    def clicks(self, attraction: Floats, satisfaction: Floats, rng: np.random.Generator) -> Mask:
        """Draw the clicks on pages.

        Args:
            attraction: (n, k) P(click | examined) of the document at each position, 0 where there is none.
            satisfaction: (n, k) P(the need is met | clicked).
            rng: Where chance comes from.

        Returns:
            (n, k) whether each document was clicked.
        """
        ...


@dataclass(frozen=True)
class PBM:
    """Position-based model (Richardson et al. 2007): position j is examined with probability 1 / j^eta.

    Attributes:
        eta: How fast attention falls; 0 for people who look at everything.

    Raises:
        LogError: A negative eta.
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        if not self.eta >= 0:
            raise LogError(f"eta is {self.eta}; it must be at least 0")

    def examination(self, page: int) -> Floats:
        """(page,) probability that each position is examined."""
        return np.arange(1, page + 1, dtype=np.float64) ** -self.eta

    def clicks(self, attraction: Floats, satisfaction: Floats, rng: np.random.Generator) -> Mask:
        """As `Users`; satisfaction plays no part."""
        return rng.random(attraction.shape) < attraction * self.examination(attraction.shape[1])


@dataclass(frozen=True)
class Browsing:
    """User browsing model (Dupret & Piwowarski 2008): examination goes by the distance from the click above.

    Position j is examined with probability 1 / (j − r)^eta, r being the position of the nearest click above
    and 0 where there is none: a click brings attention back.

    Attributes:
        eta: How fast attention falls.

    Raises:
        LogError: A negative eta.
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        if not self.eta >= 0:
            raise LogError(f"eta is {self.eta}; it must be at least 0")

    def clicks(self, attraction: Floats, satisfaction: Floats, rng: np.random.Generator) -> Mask:
        """As `Users`; satisfaction plays no part."""
        chance = rng.random(attraction.shape)
        clicked = np.zeros(attraction.shape, bool)
        last = np.zeros(len(attraction))
        for place in range(attraction.shape[1]):
            examined = (place + 1 - last) ** -self.eta
            clicked[:, place] = chance[:, place] < examined * attraction[:, place]
            last[clicked[:, place]] = place + 1
        return clicked


@dataclass(frozen=True)
class Cascade:
    """Cascade model (Craswell et al. 2008): from the top, position by position, until the first click."""

    def clicks(self, attraction: Floats, satisfaction: Floats, rng: np.random.Generator) -> Mask:
        """As `Users`; satisfaction plays no part, since every click ends the search."""
        return _from_the_top(attraction, np.ones_like(attraction), 1.0, rng)


@dataclass(frozen=True)
class DBN:
    """Dynamic Bayesian network (Chapelle & Zhang 2009): from the top until the need is met or patience ends.

    A clicked document meets the need with its satisfaction; otherwise the next position is examined with
    probability gamma, after a click or without one.

    Attributes:
        gamma: Probability of going on.

    Raises:
        LogError: A gamma outside [0, 1].
    """

    gamma: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 1:
            raise LogError(f"gamma is {self.gamma}; it must be between 0 and 1")

    def clicks(self, attraction: Floats, satisfaction: Floats, rng: np.random.Generator) -> Mask:
        """As `Users`."""
        return _from_the_top(attraction, satisfaction, self.gamma, rng)


def _from_the_top(attraction: Floats, satisfaction: Floats, gamma: float, rng: np.random.Generator) -> Mask:
    """Clicks of people who go down the page and stop when satisfied, or else with probability 1 − gamma."""
    attracted = rng.random(attraction.shape) < attraction
    satisfied = rng.random(attraction.shape) < satisfaction
    going_on = rng.random(attraction.shape) < gamma
    clicked = np.zeros(attraction.shape, bool)
    examined = np.ones(len(attraction), bool)
    for place in range(attraction.shape[1]):
        clicked[:, place] = examined & attracted[:, place]
        examined = examined & ~(clicked[:, place] & satisfied[:, place]) & going_on[:, place]
    return clicked
