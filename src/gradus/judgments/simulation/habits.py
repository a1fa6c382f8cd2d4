"""Habits: what people and robots do that click models leave out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradus.errors import LogError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Habits:
    """How people deviate from a click model, and what they do after a click.

    Attributes:
        trust: Trust bias (Agarwal et al. 2019): P(click | examined, position j) = a + (1 − a) · trust / j.
            Position 1 draws clicks whatever it holds.
        abandoned: Share of the sessions that end in the middle of a page: below a position that is drawn
            evenly from 0 to k − 1, nothing of their last page is examined.
        cart: P(put into the cart | clicked) of a document of relevance 1; proportional to relevance.
        purchase: P(bought | in the cart), likewise.

    Raises:
        LogError: A probability outside [0, 1].
    """

    trust: float = 0.0
    abandoned: float = 0.0
    cart: float = 0.3
    purchase: float = 0.5

    def __post_init__(self) -> None:
        for name in ("trust", "abandoned", "cart", "purchase"):
            if not 0 <= getattr(self, name) <= 1:
                raise LogError(f"{name} is {getattr(self, name)}; it must be between 0 and 1")

    def trusting(self, attraction: Floats) -> Floats:
        """(n, k) attraction as trust in the upper positions raises it."""
        return attraction + (1 - attraction) * (self.trust / np.arange(1, attraction.shape[1] + 1))

    def seen(self, final: Mask, page: int, rng: np.random.Generator) -> Mask:
        """(n, page) what lies above the point where a session was abandoned; `final` marks last pages, (n,)."""
        leaves = final & (rng.random(len(final)) < self.abandoned)
        depth = np.where(leaves, rng.integers(0, page, len(final)), page)
        return np.arange(page) < depth[:, None]

    def carts(self, click: Mask, relevance: Floats, rng: np.random.Generator) -> tuple[Mask, Mask]:
        """(n, k) what was put into the cart, and what was bought of it."""
        cart = click & (rng.random(click.shape) < self.cart * relevance)
        return cart, cart & (rng.random(click.shape) < self.purchase * relevance)


def dwell_seconds(click: Mask, relevance: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, k) seconds spent on what was clicked, 0 elsewhere: log-normal, median 5 to 65 by relevance."""
    seconds = (5 + 60 * relevance) * rng.lognormal(0, 0.8, click.shape)
    return np.where(click, seconds, 0).astype(np.float32)


def robot_clicks(shown: Mask, session: NDArray[np.int64], rng: np.random.Generator) -> Mask:
    """(n, k) clicks of robots: odd sessions click everything, even ones each document with probability 0.5."""
    keen: Mask = (session % 2 == 1)[:, None]
    return shown & (keen | (rng.random(shown.shape) < 0.5))
