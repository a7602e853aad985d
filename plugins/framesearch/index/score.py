"""How evidence is weighed into one score: higher is surer, comparable within one index only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term of the evidence counts.

    Attributes:
        terms: a weight for each, by name.
        bias: added to every score.
        fitted_on: what they were fitted on, in words.
    """

    terms: Mapping[str, float]
    bias: float = 0.0
    fitted_on: str = ""

    def score(self, terms: Mapping[str, float]) -> float:
        """The weighed sum of these terms; one that is absent says nothing."""
        weights = self.terms
        return self.bias + sum(weights.get(name, 0.0) * value for name, value in terms.items())


WEIGHTS = Weights(
    terms={
        "similarity": 12.2,
        "agreement": 3.6,
        "robust": 1.1,
        "plain": 0.93,
        "fine_robust": 1.4,
        "fine_plain": 2.0,
    },
    bias=-(1.1 + 0.93) * math.log(1.005) - (1.4 + 2.0) * math.log(1.05),  # scores of older bundles stay what they were
    fitted_on="probe frames of real footage under the gate's transforms",
)
"""A choice among the candidates of each query (conditional logit)."""
