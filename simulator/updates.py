"""How logits move, given what each pattern is paid.

An update maps advantages to the velocity of the logits. To add one, write a small class
here, see CONTRIBUTING.md; `pattern-selection run --help` finds it.

Both updates maximise `sum_k pi_k rho_k - beta KL(pi || pi_ref)`. The penalty enters as
the effective reward `f_k = rho_k - beta log(pi_k / pi_ref_k)`, so that each rule below
needs only the advantage `A_k = f_k - sum_j pi_j f_j`.

Rules for groups move along the path of the plain policy gradient, by another clock: see
`simulator.clocks`.
"""

import functools
import math
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.clocks import AbstractCounted, Terms, harmonic_lines
from simulator.numerics.envelope import Lines
from simulator.numerics.logspace import ScaledVector
from simulator.rules import AbstractUpdate
from simulator.validation import (
    Given,
    check_bool,
    check_real,
    plain,
    real,
    shown,
)

__all__ = [
    "GRPO",
    "GroupMean",
    "NaturalGradient",
    "PassAtN",
    "PolicyGradient",
    "RejectionSampling",
]

LARGEST_GROUP = 100_000  # h is a sum over all numbers of correct answers in a group
MOST_ATTEMPTS = 10**15  # whole numbers that floats hold exactly


class PolicyGradient(AbstractUpdate):
    """Gradient of the objective in the logits: velocity pi_k A_k.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(problem, sim.Verifiable(), sim.PolicyGradient(beta=0.1))
    >>> np.round(solution.policy, 4), solution.method
    (Array([0.5887, 0.4103, 0.001 ], dtype=float64), 'implicit')
    """

    beta: Given[Float[Array, "*B"]] = eqx.field(default=0.0, converter=real("beta"))
    """Weight of the KL penalty to the reference policy."""

    @property
    def closed_form(self):
        return None if self.penalised else "orbit"

    def stiff(self, signal):
        # With a penalty, demonstrations, or an entropy-like reward for what is rare.
        return signal.stiff or self.penalised

    def velocity(self, advantage):
        return advantage.weighted_by_policy()

    def lines(self, problem, rewards):
        lines = harmonic_lines(problem, rewards)
        return eqx.tree_at(lambda x: x.known, lines, jnp.asarray(self.beta) == 0)


class NaturalGradient(AbstractUpdate):
    """Natural policy gradient (mirror descent, replicator): velocity A_k.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.Verifiable(), sim.NaturalGradient(), until=sim.Gap(0.01)
    ... )
    >>> round(float(solution.time), 4)
    20.0213
    """

    exponential: ClassVar[bool] = True
    beta: Given[Float[Array, "*B"]] = eqx.field(default=0.0, converter=real("beta"))
    """Weight of the KL penalty to the reference policy."""

    @property
    def closed_form(self):
        return "replicator"

    def velocity(self, advantage):
        inside = advantage.log_probs > -jnp.inf
        values = jnp.where(inside, advantage.values(), 0.0)
        return ScaledVector(values, jnp.zeros_like(advantage.log_scale))

    def lines(self, problem, rewards):
        log_policy = problem.log_policy
        inside = log_policy > -jnp.inf
        pull = jnp.where(inside, log_policy - problem.log_reference, 0.0)
        slopes = jnp.where(inside, rewards - self.beta * pull, 0.0)
        log_limit = -jnp.log(jnp.asarray(self.beta, log_policy.dtype))
        return Lines(log_policy, slopes, log_limit, jnp.asarray(True), harmonic=False)


def _check_group(name: str, size: Any) -> None:
    if not isinstance(size, float) or size != math.inf:
        check_real(name, size)
    if not size >= 2 or (math.isfinite(size) and size != int(size)):
        raise ValueError(
            f"`{name}` is {shown(size)}; a group has at least 2 rollouts (a whole "
            "number, or inf)."
        )


@functools.lru_cache(maxsize=64)  # asked at every call of an engine
def _log_binomials(n: int) -> np.ndarray:
    """`log C(n, j)` for j = 1..n-1."""
    return np.array(
        [
            math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1)
            for j in range(1, n)
        ]
    )


class GroupMean(AbstractCounted):
    """Group mean as baseline, no division by the spread (Dr. GRPO): h = (G - 1)/G.

    >>> update = sim.GroupMean(group_size=8)
    >>> log_p = jnp.log(0.25)
    >>> np.exp(update.log_factor(log_p, jnp.log1p(-0.25))).round(4)
    np.float64(0.875)
    """

    group_size: float = eqx.field(default=8, static=True, converter=plain)
    """Rollouts per group, from 2; may be inf."""

    def terms(self):
        return Terms.of(math.log1p(-1 / self.group_size), 0, 0), None

    def check(self, signal):
        super().check(signal)
        _check_group("group_size", self.group_size)


class GRPO(AbstractCounted):
    """Group mean and division by the group's standard deviation.

    `h_G(p) = E[f(q)] / (p (1 - p))`, `q ~ Binomial(G, p)/G`, with
    `f = q (1 - q) / (spread + epsilon)`; groups of equal rewards count as zero, or are
    drawn again (`redraw`: dynamic sampling, as in DAPO), which divides h by
    `1 - p^G - (1 - p)^G`. `spread` is the population's or the sample's. For infinite
    groups `h = 1 / (sqrt(p (1 - p)) + epsilon)`.

    >>> update = sim.GRPO(group_size=8)
    >>> log_p = jnp.log(0.25)
    >>> np.exp(update.log_factor(log_p, jnp.log1p(-0.25))).round(4)
    np.float64(2.0261)
    """

    group_size: float = eqx.field(default=8, static=True, converter=plain)
    """Rollouts per group, from 2; may be inf."""
    spread: Literal["population", "sample"] = eqx.field(
        default="population", static=True
    )
    """Standard deviation by 1/G (population) or 1/(G - 1) (sample)."""
    epsilon: float = eqx.field(default=0.0, static=True, converter=plain)
    """Added to the standard deviation."""
    redraw: bool = eqx.field(default=False, static=True, converter=plain)
    """Draw groups of equal rewards again (dynamic sampling)."""

    def terms(self):
        G = self.group_size
        if math.isinf(G):
            spread = Terms.of([0.0, _log(self.epsilon)], [0.5, 0], [0.5, 0])
            return Terms.of(0.0, 0, 0), spread
        wins = np.arange(1, G)
        product = wins * (G - wins) / G**2
        ratio = G / (G - 1) if self.spread == "sample" else 1.0
        log_f = np.log(product) - np.log(np.sqrt(product * ratio) + self.epsilon)
        log_weight = _log_binomials(int(G))
        above = Terms.of(log_weight + log_f, wins - 1, G - wins - 1)
        if not self.redraw:
            return above, None
        return above, Terms.of(log_weight, wins, G - wins)

    def check(self, signal):
        super().check(signal)
        _check_group("group_size", self.group_size)
        if math.isfinite(self.group_size) and self.group_size > LARGEST_GROUP:
            raise ValueError(
                f"`group_size` is {self.group_size:g}; groups beyond "
                f"{LARGEST_GROUP:,} are not counted out: use inf."
            )
        spread = self.spread
        if not isinstance(spread, str) or spread not in ("population", "sample"):
            raise ValueError(
                f"`spread` is {shown(spread)}; it must be 'population' or 'sample'."
            )
        check_real("epsilon", self.epsilon, "0 or positive")
        check_bool("redraw", self.redraw)


class PassAtN(AbstractCounted):
    """Maximise pass@n, `1 - (1 - p)^n`: h = n (1 - p)^(n - 1).

    >>> update = sim.PassAtN(attempts=4)
    >>> log_p = jnp.log(0.25)
    >>> np.exp(update.log_factor(log_p, jnp.log1p(-0.25))).round(4)
    np.float64(1.6875)
    """

    attempts: int = eqx.field(default=8, static=True, converter=plain)
    """The n of pass@n."""

    def terms(self):
        return Terms.of(math.log(self.attempts), 0, self.attempts - 1), None

    def check(self, signal):
        super().check(signal)
        check_real("attempts", self.attempts)
        if not 1 <= self.attempts <= MOST_ATTEMPTS or self.attempts % 1:
            raise ValueError(
                f"`attempts` is {self.attempts}; it must be a whole number from 1 to "
                f"{MOST_ATTEMPTS:,}."
            )


class RejectionSampling(AbstractCounted):
    """Supervised training on the model's own correct answers: h = 1/p.

    >>> update = sim.RejectionSampling()
    >>> log_p = jnp.log(0.25)
    >>> np.exp(update.log_factor(log_p, jnp.log1p(-0.25))).round(4)
    np.float64(4.0)
    """

    def terms(self):
        return Terms.of(0.0, -1, 0), None


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
