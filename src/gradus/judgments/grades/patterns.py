"""Patterns: pairs with the same grades by the same raters, which every model treats alike."""

from dataclasses import dataclass

import numpy as np

from gradus.judgments.grades.grades import Floats, Grades, Rows


@dataclass(frozen=True)
class Patterns:
    """The distinct sets of grades that pairs have; with few raters there are far fewer than pairs.

    Attributes:
        code: (m,) rater · k + level of each grade of each pattern, pattern after pattern.
        start: (p,) where each pattern begins in `code`.
        times: (p,) how many pairs have it.
        of_pair: (i,) the pattern of each pair.
    """

    code: Rows
    start: Rows
    times: Floats
    of_pair: Rows

    @classmethod
    def of(cls, grades: Grades) -> "Patterns":
        """The patterns of grades of which every pair has at least one."""
        code = grades.rater * len(grades.levels) + grades.level
        order = np.lexsort((code, grades.pair))
        ends = np.cumsum(grades.per_pair)
        place: dict[bytes, int] = {}
        codes: list[Rows] = []
        of_pair = np.empty(len(ends), np.int64)
        for pair, own in enumerate(np.split(code[order], ends[:-1])):
            key = own.tobytes()
            if key not in place:
                place[key] = len(codes)
                codes.append(own)
            of_pair[pair] = place[key]
        start = np.cumsum([0, *map(len, codes)])[:-1]
        return cls(np.concatenate(codes), start, np.bincount(of_pair).astype(float), of_pair)

    def posterior(self, log_likelihood: Floats, log_prior: Floats) -> Floats:
        """(p, s) probability of each of s states of a pair, given its grades.

        Args:
            log_likelihood: (r · k, s) of each grade of each rater, given the state.
            log_prior: (s,) of the states.
        """
        log_joint = np.add.reduceat(log_likelihood[self.code], self.start) + log_prior
        joint = np.exp(log_joint - log_joint.max(1, keepdims=True))
        return np.asarray(joint / joint.sum(1, keepdims=True))

    def expected_counts(self, posterior: Floats, codes: int) -> Floats:
        """(codes, s) how often each grade of each rater is expected to have been given in each state."""
        per_grade = np.repeat(posterior * self.times[:, None], np.diff([*self.start, len(self.code)]), axis=0)
        order = np.argsort(self.code, kind="stable")
        given, first = np.unique(self.code[order], return_index=True)
        counts = np.zeros((codes, posterior.shape[1]))
        counts[given] = np.add.reduceat(per_grade[order], first)
        return counts
