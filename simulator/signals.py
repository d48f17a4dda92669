"""Signals: the reward of each pattern, as training sees it.

A signal maps a problem and the current policy to one reward per pattern. To add one,
write a small class here, see CONTRIBUTING.md: its name in kebab-case and the first line
of its docstring appear in `pattern-selection run --help`.

Rewards are detached: the policy gradient treats them as constants. Those that are equal
except for rounding count as equal (`simulator.numerics.ties`).
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.numerics.ties import rounding
from simulator.problem import Problem
from simulator.problem_checks import SUM_TOLERANCE
from simulator.rules import AbstractFixedSignal, AbstractSignal
from simulator.validation import Given, check_finite, check_length, check_share, real

__all__ = [
    "AnswerEntropy",
    "Demonstrations",
    "FixedConfidence",
    "MajorityVote",
    "NoisyVerifier",
    "SelfCertainty",
    "SelfConsistency",
    "SequenceLogProbability",
    "TokenEntropy",
    "Verifiable",
]


class Verifiable(AbstractFixedSignal):
    """RLVR: 1 for a correct answer, else 0; expected reward s_k.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> sim.Verifiable()(problem, problem.log_policy).tolist()
    [0.9, 0.6, 0.1]
    """

    binary: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def rewards(self, problem):
        return problem.success_rates


class NoisyVerifier(AbstractFixedSignal):
    """RLVR with errors: expected reward f_plus + (1 - f_plus - f_minus) s_k.

    `false_positive` f_plus: chance that a wrong answer is paid; `false_negative`
    f_minus: that a right one is not. If they add up to more than 1 the path is walked
    backwards (Rad et al. 2026, arXiv 2601.04411).

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> np.round(sim.NoisyVerifier(0.1, 0.2)(problem, problem.log_policy), 4)
    Array([0.73, 0.52, 0.17], dtype=float64)
    """

    binary: ClassVar[bool] = True
    false_positive: Given[Float[Array, "*B"]] = eqx.field(
        default=0.0, converter=real("false_positive")
    )
    """Probability that a wrong answer is rewarded."""
    false_negative: Given[Float[Array, "*B"]] = eqx.field(
        default=0.0, converter=real("false_negative")
    )
    """Probability that a correct answer is not rewarded."""

    def rewards(self, problem):
        wrong, right = self.false_positive, 1 - self.false_negative
        rates = problem.success_rates
        return wrong * (1 - rates) + right * rates

    def sizes(self, problem, log_probs):
        del log_probs
        rates = problem.success_rates
        return self.false_positive * (1 + rates) + (1 + self.false_negative) * rates

    def check(self, problem):
        super().check(problem)
        for name in ("false_positive", "false_negative"):
            check_share(name, getattr(self, name))


class SelfCertainty(AbstractFixedSignal):
    """RLIF: certainty of the answer, -(1/|A|) sum_a log P[k, a]; needs a kernel.

    Equals `KL(Uniform || P_k) + log|A|`. It does not see which answer is right.

    >>> kernel = [[0.9, 0.1], [0.5, 0.5]]
    >>> problem = sim.Problem(policy=[0.5, 0.5], answer_kernel=kernel)
    >>> np.round(sim.SelfCertainty()(problem, problem.log_policy), 4)
    Array([1.204 , 0.6931], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def rewards(self, problem):
        return -jnp.mean(jnp.log(problem.answer_kernel), axis=-1)

    def check(self, problem):
        super().check(problem)
        if isinstance(problem.answer_kernel, jax.core.Tracer):
            return
        inside = np.asarray(problem.log_policy) > -np.inf
        if not (np.asarray(problem.answer_kernel).min(axis=-1) > 0)[inside].all():
            raise ValueError(
                "`SelfCertainty` is infinite where an answer has probability 0; give "
                "every answer a positive probability."
            )


def _entropies(kernel: Float[Array, "K A"]) -> Float[Array, " K"]:
    """`H(P_k)`, in nats, with 0 log 0 = 0."""
    return jnp.sum(jax.scipy.special.entr(kernel), axis=-1)


def _log_answers(problem: Problem, log_probs: Float[Array, " K"]) -> Float[Array, " A"]:
    """`log P_pi(a) = log sum_k pi_k P[k, a]`; -inf for an answer nobody gives."""
    if log_probs.ndim != 1 or problem.batch_shape:
        raise ValueError(
            f"`problem` has batch shape {problem.batch_shape} and `log_probs` shape "
            f"{log_probs.shape}; a signal pays one problem at one policy: use jax.vmap."
        )
    if problem.answer_kernel is None:
        raise ValueError(
            "`problem` has no answer kernel; give one row of answer probabilities per "
            "pattern."
        )
    log_shares = log_probs[:, None] + jnp.log(problem.answer_kernel)
    given = jnp.any(log_shares > -jnp.inf, axis=0)
    # Derivatives of log 0 would be NaN.
    log_answers = jax.nn.logsumexp(jnp.where(given[None, :], log_shares, 0.0), axis=0)
    return jnp.where(given, log_answers, -jnp.inf)


class TokenEntropy(AbstractFixedSignal):
    """RLIF: minus the entropy of the answer given the pattern, -H(P_k).

    >>> kernel = [[0.9, 0.05, 0.05], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]]
    >>> problem = sim.Problem(policy=[0.05, 0.7, 0.25], answer_kernel=kernel)
    >>> np.round(sim.TokenEntropy()(problem, problem.log_policy), 4)
    Array([-0.3944, -0.673 , -0.8979], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def rewards(self, problem):
        return -_entropies(problem.answer_kernel)


class SequenceLogProbability(AbstractSignal):
    """RLIF: mean log-probability of the whole rollout, log pi_k - H(P_k).

    Its mean is minus the entropy of rollouts, so that the model sharpens itself.

    >>> kernel = [[0.9, 0.05, 0.05], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]]
    >>> problem = sim.Problem(policy=[0.05, 0.7, 0.25], answer_kernel=kernel)
    >>> np.round(sim.SequenceLogProbability()(problem, problem.log_policy), 4)
    Array([-3.3901, -1.0297, -2.2842], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, problem, log_probs):
        return log_probs - _entropies(problem.answer_kernel)

    def sizes(self, problem, log_probs):
        # Near 0 a log-probability is as good as the normalisation, to eps.
        return 1 + jnp.abs(log_probs) + _entropies(problem.answer_kernel)


class MajorityVote(AbstractSignal):
    """TTRL: 1 for the majority answer of many votes; expected reward P[k, a_maj].

    The majority is the most likely answer under the present policy. Tied answers have
    equal chances to win, right or wrong: a pattern is paid their mean.

    >>> kernel = [[0.9, 0.05, 0.05], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]]
    >>> problem = sim.Problem(policy=[0.05, 0.7, 0.25], answer_kernel=kernel)
    >>> np.round(sim.MajorityVote()(problem, problem.log_policy), 4)
    Array([0.9, 0.6, 0.1], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, problem, log_probs):
        leading = self._leading(problem, log_probs)
        votes = jnp.sum(
            jnp.where(leading[None, :], problem.answer_kernel, 0.0), axis=-1
        )
        return votes / jnp.sum(leading, dtype=votes.dtype)

    def sizes(self, problem, log_probs):
        # The column of one leader is paid as it was given.
        tied = jnp.sum(self._leading(problem, log_probs)) > 1
        return jnp.where(tied, self(problem, log_probs), 0.0)

    @staticmethod
    def _leading(problem, log_probs):
        """Which answers are the most likely; shares apart by rounding are tied."""
        log_answers = _log_answers(problem, log_probs)
        return log_answers >= jnp.max(log_answers) - rounding(log_answers.dtype)


class SelfConsistency(AbstractSignal):
    """RLSC: probability that another rollout agrees, sum_a P[k, a] P_pi(a).

    >>> kernel = [[0.9, 0.05, 0.05], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]]
    >>> problem = sim.Problem(policy=[0.05, 0.7, 0.25], answer_kernel=kernel)
    >>> np.round(sim.SelfConsistency()(problem, problem.log_policy), 4)
    Array([0.4665, 0.437 , 0.2477], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, problem, log_probs):
        return problem.answer_kernel @ jnp.exp(_log_answers(problem, log_probs))


class AnswerEntropy(AbstractSignal):
    """RENT, EMPO: mean log-probability of the answer, sum_a P[k, a] log P_pi(a).

    Its mean is minus the entropy of the answers.

    >>> kernel = [[0.9, 0.05, 0.05], [0.6, 0.4, 0.0], [0.1, 0.3, 0.6]]
    >>> problem = sim.Problem(policy=[0.05, 0.7, 0.25], answer_kernel=kernel)
    >>> np.round(sim.AnswerEntropy()(problem, problem.log_policy), 4)
    Array([-0.7875, -0.8395, -1.5083], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, problem, log_probs):
        kernel, log_answers = problem.answer_kernel, _log_answers(problem, log_probs)
        # A pattern that never gives an answer is not paid for it: 0 * -inf = 0.
        given = kernel > 0
        paid = jnp.where(given, log_answers[None, :], 0.0)
        terms = jnp.where(given, kernel, 0.0) * paid
        # Outside the support a pattern may know answers that nobody gives.
        return jnp.where(log_probs > -jnp.inf, jnp.sum(terms, axis=-1), 0.0)

    def sizes(self, problem, log_probs):
        return 1 + jnp.abs(self(problem, log_probs))


class FixedConfidence(AbstractFixedSignal):
    """RLIF: a given confidence per pattern, whatever the answer.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> solution = sim.solve(
    ...     problem, sim.FixedConfidence([0.1, 0.2, 0.9]), until=sim.Leads(2)
    ... )
    >>> solution["leads"]
    leads=2  t = 3.441  (10^0.5367): policy [0.05172 0.4741 0.4741]
    """

    exact: ClassVar[bool] = True
    confidence: Given[Float[Array, "*B K"]] = eqx.field(converter=real("confidence"))
    """The reward of each pattern."""

    def rewards(self, problem):
        del problem
        return self.confidence

    def check(self, problem):
        check_length("confidence", self.confidence, problem)
        check_finite("confidence", self.confidence)


class Demonstrations(AbstractSignal):
    """SFT: reward data_k / pi_k, whose policy gradient is that of cross-entropy.

    `data` `[K]`: the share of each pattern in the demonstrations. The logits move at
    the speed `data_k - pi_k`, time is learning rate times steps.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> shown = sim.Demonstrations([0.2, 0.3, 0.5])
    >>> solution = sim.solve(problem, shown)
    >>> np.round(solution.policy, 4), solution.outcome_names.item()
    (Array([0.2, 0.3, 0.5], dtype=float64), 'settled')
    """

    data: Given[Float[Array, "*B K"]] = eqx.field(converter=real("data"))
    """Share of each pattern in the demonstrations, sum 1."""

    @property
    def stiff(self):
        """At rest the policy is that of the demonstrations."""
        return True

    def __call__(self, problem, log_probs):
        del problem
        used = self.data > 0
        odds = jnp.log(jnp.where(used, self.data, 1.0)) - log_probs
        return jnp.where(used, jnp.exp(jnp.where(used, odds, 0.0)), 0.0)

    def sizes(self, problem, log_probs):
        used = self.data > 0
        logs = jnp.where(used, -jnp.log(jnp.where(used, self.data, 1.0)), 0.0)
        return self(problem, log_probs) * (1 + logs + jnp.where(used, -log_probs, 0.0))

    def check(self, problem):
        check_length("data", self.data, problem)
        if isinstance(self.data, jax.core.Tracer):
            return
        data = np.asarray(self.data)
        if (
            not (data >= 0).all()
            or not (np.abs(data.sum(axis=-1) - 1) <= SUM_TOLERANCE).all()
        ):
            raise ValueError(
                f"`data` goes from {data.min():g} to {data.max():g}, with sums from "
                f"{data.sum(axis=-1).min():g} to {data.sum(axis=-1).max():g}; give "
                "probabilities that sum to 1."
            )
        if isinstance(problem.log_policy, jax.core.Tracer):
            return
        if ((data > 0) & (np.asarray(problem.log_policy) == -np.inf)).any():
            raise ValueError(
                "`data` shows a pattern that the base model never takes; give it some "
                "base probability."
            )
