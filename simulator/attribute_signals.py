"""Signals that look at an attribute of the patterns, beside the success rates.

They are small classes like those in `simulator.signals`. `column` is the name of the
attribute, which the problem is given: `Problem(..., attributes={"factuality": ...})`.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.numerics.logspace import log_sum
from simulator.rules import AbstractFixedSignal, AbstractSignal
from simulator.validation import Given, check_finite, check_share, is_traced, real

__all__ = [
    "Attribute",
    "CorrectBonus",
    "SignRule",
]

ROOM = 8  # nats below the largest float that rewards stay


class Attribute(AbstractFixedSignal):
    """An attribute of each pattern, whether its answer is right or not: f_k.

    In a mixture it is a reward beside that for correct answers.

    >>> columns = {"factuality": [0.1, 0.7, 0.2]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> both = sim.Mixture([sim.Verifiable(), sim.Attribute("factuality")], [1, 0.5])
    >>> np.round(both(problem, problem.log_policy), 4)
    Array([0.95, 0.95, 0.2 ], dtype=float64)
    """

    exact: ClassVar[bool] = True
    column: str = eqx.field(static=True)
    """Name of the attribute that is paid."""

    @property
    def columns(self):
        return (self.column,)

    def rewards(self, problem):
        return problem.attribute(self.column)


class CorrectBonus(AbstractFixedSignal):
    """RLVR with a bonus for correct answers only: s_k (1 + bonus f_k).

    Consistency in GRPO-CARE (arXiv 2506.16141) is paid like this.

    >>> columns = {"coherence": [0.1, 0.7, 0.2]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> np.round(sim.CorrectBonus("coherence", 0.5)(problem, problem.log_policy), 4)
    Array([0.945, 0.81 , 0.11 ], dtype=float64)
    """

    column: str = eqx.field(static=True)
    """Name of the attribute that is paid."""
    bonus: Given[Float[Array, "*B"]] = eqx.field(converter=real("bonus"))
    """Weight of the attribute of correct answers."""

    @property
    def columns(self):
        return (self.column,)

    def rewards(self, problem):
        return problem.success_rates * (1 + self.bonus * self._paid(problem))

    def sizes(self, problem, log_probs):
        del log_probs
        return problem.success_rates * (1 + jnp.abs(self.bonus * self._paid(problem)))

    def _paid(self, problem):
        return problem.attribute(self.column)

    def check(self, problem):
        super().check(problem)
        check_finite("bonus", self.bonus)


class SignRule(AbstractSignal):
    r"""FSPO: GRPO whose advantages get the sign of a label, in a share of the samples.

    A sample of pattern k has the reward `r ~ Bernoulli(s_k)` and the label (factual or
    not) `y ~ Bernoulli(f_k)`; infinite groups give it the advantage `A = (r - p)/sd`
    with `p = ACC` and `sd = sqrt(p (1 - p))`. Where it is verified, `A` becomes `|A|`
    for `y = 1` and `-|A|` for `y = 0` (FSPO, arXiv 2505.24630). The mean is

        (1 - v) (s_k - p)/sd + v (2 f_k - 1) (s_k (1 - p) + (1 - s_k) p)/sd
            = s_k (1 - 2 v (1 - f_k)) o - (1 - s_k) (1 - 2 v f_k)/o,

    where v is the share and `o = sqrt((1 - p)/p)`. Under `v = 0` the path is that of
    `GRPO(inf)`. Nothing is paid where all answers are right, or all wrong; o is held
    where rewards would be no floats, in float64 below `1 - p = 1e-609`.

    >>> columns = {"factuality": [0.1, 0.7, 0.2]}
    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    >>> np.round(sim.SignRule("factuality", 0.5)(problem, problem.log_policy), 4)
    Array([ 0.0036,  0.3109, -0.6853], dtype=float64)
    """

    column: str = eqx.field(static=True)
    """Name of the attribute: the chance of the label that makes an advantage positive,
    between 0 and 1."""
    share: Given[Float[Array, "*B"]] = eqx.field(converter=real("share"))
    """Share of the samples whose label is looked at."""

    @property
    def columns(self):
        return (self.column,)

    @property
    def stiff(self):
        """Patterns that are right and those with a good label may keep a balance."""
        return is_traced(self.share) or bool(np.any(np.asarray(self.share) > 0))

    def __call__(self, problem, log_probs):
        right, wrong = self._parts(problem, log_probs, -1)
        return right - wrong

    def sizes(self, problem, log_probs):
        right, wrong = self._parts(problem, log_probs, 1)
        return right + wrong

    def _parts(self, problem, log_probs, sign):
        """What correct and wrong answers are paid; `sign` 1: the size of that."""
        rates, label = problem.success_rates, problem.attribute(self.column)
        log_p, log_q = log_sum(log_probs, rates), log_sum(log_probs, 1 - rates)
        both = (log_p > -jnp.inf) & (log_q > -jnp.inf)
        most = jnp.log(jnp.finfo(log_probs.dtype).max) - ROOM
        half = jnp.where(both, 0.5 * (log_q - log_p), 0.0)
        half = jnp.clip(half, -most, most)
        turned = 2 * self.share
        right = rates * (1 + sign * turned * (1 - label)) * jnp.exp(half)
        wrong = (1 - rates) * (1 + sign * turned * label) * jnp.exp(-half)
        return jnp.where(both, right, 0.0), jnp.where(both, wrong, 0.0)

    def check(self, problem):
        super().check(problem)
        check_share("share", self.share)
        label = problem.attribute(self.column)
        if isinstance(label, jax.core.Tracer):
            return
        low, high = np.min(label), np.max(label)
        if low < 0 or high > 1:
            raise ValueError(
                f"`SignRule` takes `{self.column}` for probabilities, and it goes from "
                f"{low:g} to {high:g}; give numbers between 0 and 1."
            )
