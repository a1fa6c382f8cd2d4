"""Pages: a simulated log, or a part of it, as arrays of (page, position)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pages:
    """What was shown on result pages, and what was done there.

    Attributes:
        number: (n,) number of each page in the log, from 0.
        query: (n,) rows of the truth's queries.
        session: (n,) number of the session.
        user: (n,) number of the user.
        robot: (n,) whether the user is a robot.
        time: (n,) datetime64[ms].
        pair: (n, k) rows of the truth's pairs, −1 below the last document.
        propensity: (n, k) probability with which the document was shown at this position, NaN below the last;
            `None` where it is not logged.
        click: (n, k) whether the document was clicked.
        cart: (n, k) whether it was put into the cart.
        purchase: (n, k) whether it was bought.
        dwell: (n, k) seconds spent on it, 0 where it was not clicked or a robot clicked it.
    """

    number: NDArray[np.int64]
    query: NDArray[np.int32]
    session: NDArray[np.int64]
    user: NDArray[np.int64]
    robot: NDArray[np.bool_]
    time: NDArray[np.datetime64]
    pair: NDArray[np.int32]
    propensity: NDArray[np.float64] | None
    click: NDArray[np.bool_]
    cart: NDArray[np.bool_]
    purchase: NDArray[np.bool_]
    dwell: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """(n, k) where there is a document."""
        return self.pair >= 0

    @property
    def impressions(self) -> int:
        """How many documents were shown."""
        return int(self.shown.sum())
