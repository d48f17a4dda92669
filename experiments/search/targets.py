"""Claims as margins to be driven below 0: the logarithm of a bound over its value.

Each formula is written once, for JAX numbers (the search) and for balls of 50 digits
(the check of what was found). Pattern 0 is the only best one; patterns outside the
support have probability 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import theory
from experiments.checks.random_problems import moving

Number = Any
Place = Literal["gap", "t0", "crossing"]


class Quantities(NamedTuple):
    """The quantities that a claim compares, for one problem.

    - `n`: the number of suboptimal patterns; `leader`: the most likely pattern;
      `rival`: the suboptimal one of the highest rate.
    - `rates`, `probs`: `[K]`, of the base model; `level`: the gap at the end.
    - `integrals`: by kind (`checks.path_integrals`), along the run to the place.
    - `log`, `positive`: `log x`, and `max(x, 0)`.
    """

    n: Number
    leader: Any
    rival: Any
    rates: Any
    probs: Any
    level: Number
    integrals: Mapping[str, Number]
    log: Callable[[Number], Number]
    positive: Callable[[Number], Number]

    @property
    def gap(self) -> Number:
        """`s_* - ACC` of the base model."""
        terms = zip(self.probs, self.rates, strict=True)
        return sum(p * (self.rates[0] - s) for p, s in terms)

    @property
    def closed(self) -> Number:
        """`1/gap(t) - 1/gap(0)`, without cancellation at the start."""
        return (self.gap - self.level) / (self.gap * self.level)

    @property
    def gamma(self) -> Number:
        """`sum_{k != r'} pi_0(k) / pi_0(*)`, r' the rival."""
        return (1 - self.probs[self.rival]) / self.probs[0]


@dataclass(frozen=True)
class Target:
    """One claim: `margin >= 0` on every problem that satisfies the hypotheses.

    `place`: the run ends at a gap that is searched for too, or at one of the two
    events. `integrals`: what has to be measured on the way there.
    """

    claim: str
    measures: str
    place: Place
    integrals: tuple[str, ...]
    margin: Callable[[Quantities], Number]
    hypotheses: Callable[[Any, Any], Any]


def two_sided(q: Quantities, factor: int = 2) -> list[Number]:
    """`L + I <= t <= L + factor I`."""
    time, lost = q.integrals["time"], q.integrals["undecided"]
    product = q.integrals["product"]
    return [
        q.log(time) - q.log(product + lost),
        q.log(product + factor * lost) - q.log(time),
    ]


def _degree(q: Quantities) -> list[Number]:
    front = q.probs[q.leader] / (2 * q.probs[0])
    lead = q.rates[0] - q.rates[q.leader]
    bound = q.log(front / lead)
    for p, s in zip(q.probs, q.rates, strict=True):
        behind = q.positive(q.rates[q.leader] - s)
        bound = bound + q.log(1 + p * behind / (q.probs[0] * lead))
    return [bound - q.log(q.integrals["product"])]


def _squared(q: Quantities) -> list[Number]:
    return [q.log(q.closed) - q.log((1 + 1 / q.n) * q.integrals["squared"])]


def _rate(q: Quantities) -> list[Number]:
    limit = q.n / (q.n + 1)
    late = limit * q.closed + 2 * q.integrals["off"]
    return [q.log(late) - q.log(q.integrals["time"])]


def _gamma_alone(q: Quantities) -> list[Number]:
    return [q.gamma * q.log(q.gamma) - q.log(q.integrals["time"])]


def _regime_2_gamma_6(rates, log_policy):
    return theory.entanglement.in_regime_2(rates, log_policy) & (
        theory.entanglement.gamma(rates, log_policy) <= 6 * (1 + 1e-9)
    )


LAW = ("time", "product", "undecided")
TWO_SIDED = "smaller of log(t/(L + I)) and log((L + 2 I)/t)"

TARGETS = {
    target.claim: target
    for target in (
        Target(
            "A2.upper",
            "log(bound/T)",
            "gap",
            ("time",),
            lambda q: [
                q.log(q.n / (q.n + 1) * q.closed)
                - 2 * q.log(q.probs[0])
                - q.log(q.integrals["time"])
            ],
            theory.monotone_regime.in_regime_1,
        ),
        Target(
            "A2.lower",
            "log(T/bound)",
            "gap",
            ("time",),
            lambda q: [q.log(q.integrals["time"]) - q.log(q.closed / 2)],
            moving,
        ),
        Target("A3.law", TWO_SIDED, "t0", LAW, two_sided, theory.entanglement.has_t0),
        Target(
            "A3.degree",
            "log(bound/L), at the crossing, hulls of one edge",
            "crossing",
            ("product",),
            _degree,
            theory.entanglement.has_one_edge,
        ),
        Target(
            "A3.gamma-alone",
            "log(gamma^gamma/T0), with gamma at most 6",
            "t0",
            ("time",),
            _gamma_alone,
            _regime_2_gamma_6,
        ),
        Target(
            "B3.lower",
            "log(gap (1/gap(0) + 2 t))",
            "gap",
            ("time",),
            lambda q: [q.log(q.level * (1 / q.gap + 2 * q.integrals["time"]))],
            moving,
        ),
        Target(
            "B3.upper",
            "log of (1/gap - 1/gap(0)) / ((1 + 1/n) int P^2)",
            "gap",
            ("squared",),
            _squared,
            moving,
        ),
        Target(
            "B3.rate",
            "log of (c (1/gap - 1/gap(0)) + 2 I) / t, the lower side of the claim",
            "gap",
            ("time", "off"),
            _rate,
            theory.tail_bounds.in_tail,
        ),
        Target("B4.law", TWO_SIDED, "gap", LAW, two_sided, moving),
        Target(
            "B4.crossing",
            TWO_SIDED,
            "crossing",
            LAW,
            two_sided,
            theory.delay.has_crossing,
        ),
    )
}
