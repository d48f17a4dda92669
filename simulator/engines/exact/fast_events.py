r"""Events within a stretch of an orbit, in plain numbers: no exponentials.

An event that has to be looked at within stretches is looked at in 23 places of each.
From log-probabilities that takes longer than all the rest of a stretch; from what the
quadrature leaves behind, one division per pattern and place. With i the most likely
pattern, `r_k = pi_k / pi_i` and `d_k = rho_k - rho_i`,

    1 / pi_i = 1 + sum_{k != i} r_k,        rho_bar - rho_i = pi_i sum_k r_k d_k,
    velocity of logit k = pi_i r_k (d_k - (rho_bar - rho_i)),

in which nothing cancels that is not small. On a plateau all r_k are tiny: where the
sign of a sum counts they are in units of the largest of those that are summed.
"""

from functools import singledispatch
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from simulator.events import (
    T0,
    BelowBase,
    LowestOptimalProbability,
    OptimalProbability,
    SuboptimalMass,
)
from simulator.means import AbstractHighestMean, AbstractMeanFirst, PeakAccuracy
from simulator.numerics.logspace import ratio, total
from simulator.observables import best_patterns
from simulator.problem import Problem
from simulator.recording import AbstractEvent

Scalar = Float[Array, ""]
Values = Float[Array, " K"]
Places = Float[Array, " N"]
Table = Float[Array, "K N"]


class Passage(NamedTuple):
    """N policies that have the same most likely pattern, on a plain gradient flow.

    `r_k = exp(log_size_k) shape_k` of the others; `others` are those in the support.
    Sizes may be those of each place, `[K, N]`.
    """

    leads: Bool[Array, " K"]
    others: Bool[Array, " K"]
    rewards: Values
    log_size: Values
    shape: Table

    def ratios(self, which: Bool[Array, " K"]) -> tuple[Table, Scalar | Places]:
        """`r_k` of some of the others, 0 elsewhere, in a unit; and its logarithm."""
        which = which & self.others
        if self.log_size.ndim == 2:
            which = which[:, None]
        log_unit = jnp.max(jnp.where(which, self.log_size, -jnp.inf), axis=0)
        log_unit = jnp.where(log_unit == -jnp.inf, 0.0, log_unit)
        log_size = self.log_size - _row(log_unit)
        size = jnp.exp(jnp.where(which, log_size, -jnp.inf))
        return (size if size.ndim == 2 else size[:, None]) * self.shape, log_unit

    def log_mean(self, values: Values) -> Places:
        """`log sum_k pi_k values[k]` for values >= 0."""
        ratios, log_unit = self.ratios(values > 0)
        others = log_unit + jnp.log(total(ratios * values[:, None]))
        log_own = jnp.log(self.own(values))
        return jnp.logaddexp(log_own, others) - jnp.log1p(total(self.plain()))

    def sign_of_mean(self, values: Values) -> Places:
        """As `logspace.sign_of_mean` at each place: it has the sign of the mean."""
        ratios, log_unit = self.ratios(values != 0)
        own, others = self.own(values), total(ratios * values[:, None])
        largest = jnp.max(ratios, axis=0)
        relative = others / jnp.where(largest > 0, largest, 1.0)
        return jnp.where(own == 0, relative, own + jnp.exp(log_unit) * others)

    def balance_of_mean(self, values: Values) -> Places:
        """As `logspace.balance_of_mean` at each place."""
        ratios, log_unit = self.ratios(values != 0)
        own, terms = self.own(values), ratios * values[:, None]
        unit = jnp.exp(log_unit)
        whole = jnp.abs(own) + unit * total(jnp.abs(terms))
        mean = ratio(own + unit * total(terms), whole)
        among = ratio(total(terms), total(jnp.abs(terms)))
        return jnp.where(own == 0, among, mean)

    def plain(self) -> Table:
        """`r_k` of all others; one may underflow."""
        ratios, log_unit = self.ratios(self.others)
        return _row(jnp.exp(log_unit)) * ratios

    def own(self, values: Values) -> Scalar:
        """`values[i]`."""
        return jnp.sum(jnp.where(self.leads, values, 0.0))

    def ahead(self, values: Values) -> Table:
        """`values[k] - values[i]` of the others, 0 elsewhere; as a column."""
        return jnp.where(self.others, values - self.own(values), 0.0)[:, None]


def _row(values: Scalar | Places) -> Array:
    """Numbers of the places, to go with tables `[K, N]`; or one number."""
    return values[None, :] if values.ndim else values


class Drift(NamedTuple):
    """The direction in which logits move; `|direction| = 1`.

    - `ratios`: `r_k` of the others, in plain numbers. `whole`: `1 / pi_i`.
    - `gains`: `direction[k] - direction[i]`; their `mean` under the policy.
    """

    ratios: Table
    whole: Places
    gains: Table
    mean: Places


def drift(passage: Passage) -> Drift:
    """The direction at each place."""
    others, rise = passage.others, passage.ahead(passage.rewards)
    # A direction has no unit, and squares of small numbers underflow.
    largest = jnp.max(jnp.abs(rise))
    rise = rise / jnp.where(largest > 0, largest, 1.0)
    ratios = passage.plain()
    whole = 1 + total(ratios)
    # The leader's equals in pay drop out: the others, perhaps all rare, have a unit.
    moving, _ = passage.ratios(rise[:, 0] != 0)
    mean_rise = total(moving * rise) / whole
    pull = moving * rise - ratios * mean_rise[None, :]
    size = jnp.sqrt(mean_rise**2 + total(pull**2))
    size = jnp.where(size > 0, size, 1.0)
    gains = jnp.where(others[:, None], pull + mean_rise[None, :], 0.0) / size[None, :]
    return Drift(ratios, whole, gains, total(ratios * gains) / whole)


@singledispatch
def in_passing(
    event: AbstractEvent, problem: Problem, passage: Passage
) -> tuple[Places, Places] | None:
    """Value and score (0 if none) of an event at N places; None: no faster way.

    The numbers of `AbstractEvent.value` and `AbstractExtreme.score`, up to rounding.
    """
    del event, problem, passage
    return None


def _unscored(values: Places) -> tuple[Places, Places]:
    return values, jnp.zeros_like(values)


@in_passing.register
def _(event: AbstractMeanFirst, problem, passage):
    return _unscored(passage.sign_of_mean(event.excess(problem)))


@in_passing.register
def _(event: OptimalProbability, problem, passage):
    best = best_patterns(problem.log_policy, problem.success_rates)
    return _unscored(passage.sign_of_mean(jnp.where(best, 1.0, 0.0) - event.level))


@in_passing.register
def _(event: SuboptimalMass, problem, passage):
    best = best_patterns(problem.log_policy, problem.success_rates)
    mass = passage.log_mean(jnp.where(best, 0.0, 1.0))
    return _unscored(jnp.log(event.level) - mass)


@in_passing.register
def _(event: T0, problem, passage):
    return _unscored(passage.sign_of_mean(event.lead(problem)))


@in_passing.register
def _highest_mean(event: AbstractHighestMean, problem, passage):
    d, values = drift(passage), event.values(problem)
    ahead = passage.ahead(values)
    moving, log_unit = passage.ratios(ahead[:, 0] != 0)
    mean = total(moving * ahead) / d.whole  # of what is ahead, in that unit
    spread = total(moving * jnp.abs(ahead - (jnp.exp(log_unit) * mean)[None, :]))
    equals = 1 + total(jnp.where(ahead == 0, d.ratios, 0.0))
    slope = total(moving * ahead * (d.gains - d.mean[None, :]))
    score = passage.own(values) + total(d.ratios * ahead) / d.whole
    return -ratio(slope, spread + equals * jnp.abs(mean)), score


@in_passing.register
def _(event: BelowBase, problem, passage):
    falling, _ = _highest_mean(PeakAccuracy(), problem, passage)
    lost = passage.balance_of_mean(event.loss(problem))
    return _unscored(event.shown(lost, falling))


@in_passing.register
def _(event: LowestOptimalProbability, problem, passage):
    d = drift(passage)
    best = best_patterns(problem.log_policy, problem.success_rates)
    ratios, log_unit = passage.ratios(best)
    # A best pattern that leads has r = 1, in that unit perhaps inf.
    log_own = jnp.where(jnp.any(best & passage.leads), 0.0, -jnp.inf)
    others = total(ratios)
    among = jnp.exp(log_own - log_unit) + others
    log_among = jnp.logaddexp(log_own, jnp.log(others) + log_unit)
    value = total(ratios * d.gains) / among - d.mean
    return value, jnp.log(d.whole) - log_among
