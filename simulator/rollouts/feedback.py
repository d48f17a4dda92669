"""Feedback: the reward of a rollout, by a verifier or by the model itself.

A feedback maps a sampled group to one reward per cell of its table of counts. To add
one, write a small class here. Rewards are detached: no gradient flows through them.

Where a reward compares answers with those of a judge, the judge is the group itself
(`OwnGroup`), or a teacher: an older copy of the policy, whose answer probabilities are
known exactly (`Teacher`).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.numerics.ties import rounding
from simulator.problem import Problem
from simulator.reporting.display import Part
from simulator.rollouts.groups import Group
from simulator.rollouts.judges import AbstractJudge, OwnGroup
from simulator.validation import check_kind, check_share, real_array

__all__ = [
    "AbstractFeedback",
    "AnswerEntropy",
    "MajorityVote",
    "Mixture",
    "SelfCertainty",
    "SelfConsistency",
    "SequenceLogProbability",
    "Verifier",
]


class AbstractFeedback(Part):
    """`feedback(group) -> rewards [K, M]`, for one group of one question.

    `needs_kernel`: whether it looks at which answer was given, not only at the verdict.

    >>> issubclass(ro.Verifier, ro.AbstractFeedback)
    True
    """

    needs_kernel: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, group: Group) -> Float[Array, "K M"]:
        """The reward of a rollout in each cell."""

    def noise(self, problem: Problem) -> tuple[Array, Array] | None:
        """The verifier's chances of error per pattern, if it errs; see `results`."""
        del problem
        return None

    def check(self, problem: Problem, group_size: int) -> None:
        """Raise `ValueError` if (concrete) questions cannot be paid this way."""
        del group_size
        if self.needs_kernel and problem.answer_kernel is None:
            raise ValueError(
                f"`{type(self).__name__}` needs an answer kernel and there is none: "
                "success rates do not say how many wrong answers there are; give one "
                "row of answer probabilities per pattern (s and 1 - s if there is one "
                "wrong answer)."
            )


class Verifier(AbstractFeedback):
    """RLVR: 1 if the verifier says right, else 0.

    `false_positive`: chance that a wrong answer passes; `false_negative`: that a right
    one does not. A number, or one per pattern `[K]` (a pattern that fools the
    verifier), or per question and pattern `[Q, K]`; with lanes `[B, Q, K]`, where Q and
    K may be 1.

    >>> problem = sim.Problem([0.9, 0.1], [0.2, 0.8])
    >>> recipe = ro.Recipe(
    ...     feedback=ro.Verifier(false_positive=0.3), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.009, -0.009], dtype=float64)
    """

    false_positive: Float[Array, "..."] | None = eqx.field(metadata={"ndim": 2})
    """How often it pays wrong answers."""
    false_negative: Float[Array, "..."] | None = eqx.field(metadata={"ndim": 2})
    """How often it does not pay correct answers."""

    def __init__(self, false_positive: Any = 0.0, false_negative: Any = 0.0):
        wrong, right = (
            # None: a copy of one that never errs
            real_array(name, 0.0 if given is None else given)
            for name, given in (
                ("false_positive", false_positive),
                ("false_negative", false_negative),
            )
        )
        exact = all(
            not isinstance(chance, jax.core.Tracer)
            and np.size(chance) > 0
            and not np.asarray(chance).any()
            for chance in (wrong, right)
        )
        # A verifier that never errs needs no results of its own.
        self.false_positive = None if exact else wrong
        self.false_negative = None if exact else right

    def __call__(self, group):
        passed = jnp.asarray(group.results.passed, group.counts.dtype)
        return jnp.broadcast_to(passed, group.counts.shape)

    def noise(self, problem):
        if self.false_positive is None or self.false_negative is None:
            return None
        shape = problem.success_rates.shape
        return (
            jnp.broadcast_to(self.false_positive, shape),
            jnp.broadcast_to(self.false_negative, shape),
        )

    def check(self, problem, group_size):
        for name in ("false_positive", "false_negative"):
            value = getattr(self, name)
            if value is None or isinstance(value, jax.core.Tracer):
                continue
            check_share(name, value)
            given = np.asarray(value)
            shape = problem.success_rates.shape
            own = given.shape[-2:] if given.ndim > 2 else given.shape
            try:
                fits = np.broadcast_shapes(own, shape[-2:]) == shape[-2:]
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(
                    f"`{name}` has shape {given.shape} and the success rates have "
                    f"{shape}; give a number, or one per pattern."
                )


def _per_result(group: Group, values: Float[Array, " A"]) -> Float[Array, "K M"]:
    """`values` of the answers, as rewards of the cells."""
    paid = values[jnp.asarray(group.results.answer)]
    return jnp.broadcast_to(paid, group.counts.shape)


class MajorityVote(AbstractFeedback):
    """TTRL: 1 for the answer that the judge gives most often, else 0.

    Ties of a vote are broken at random (once for the whole group), shares that differ
    by rounding count as tied. Zuo et al. 2025, arXiv 2504.16084.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.MajorityVote(), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([-0.0015,  0.0015], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True
    judge: AbstractJudge = OwnGroup()
    """Whose answers are counted."""

    def __call__(self, group):
        shares = self.judge.shares(group)
        leading = shares >= (1 - rounding(shares.dtype)) * jnp.max(shares)
        chosen = jnp.argmax(jnp.where(leading, group.priority, -1.0))
        winner = (jnp.arange(len(shares)) == chosen).astype(group.counts.dtype)
        return _per_result(group, winner)

    def check(self, problem, group_size):
        check_kind("judge", self.judge, AbstractJudge, "OwnGroup()")
        super().check(problem, group_size)


class SelfConsistency(AbstractFeedback):
    """RLSC: the chance that another answer of the judge agrees.

    Within its own group `(n_a - 1)/(G - 1)`, whose expectation is `P_pi(a)` exactly.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.SelfConsistency(), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([-0.001,  0.001], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True
    judge: AbstractJudge = OwnGroup()
    """Whose answers are counted."""

    def __call__(self, group):
        return _per_result(group, self.judge.agreement(group))

    def check(self, problem, group_size):
        check_kind("judge", self.judge, AbstractJudge, "OwnGroup()")
        super().check(problem, group_size)
        if isinstance(self.judge, OwnGroup) and group_size < 2:
            raise ValueError(
                f"`SelfConsistency` within a group of {group_size}: nobody else is "
                "there to agree; the group size must be at least 2."
            )


class AnswerEntropy(AbstractFeedback):
    """RENT, EMPO: the logarithm of the answer's share among the judge's answers.

    Within its own group `log(n_a/G)`: an estimate that is biased upwards, since a
    rollout counts itself.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.AnswerEntropy(), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([-0.0017,  0.0017], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True
    judge: AbstractJudge = OwnGroup()
    """Whose answers are counted."""

    def __call__(self, group):
        return _per_result(group, jnp.log(self.judge.shares(group)))

    def check(self, problem, group_size):
        check_kind("judge", self.judge, AbstractJudge, "OwnGroup()")
        super().check(problem, group_size)


class SelfCertainty(AbstractFeedback):
    """RLIF: certainty of the answer given the pattern, `-(1/A) sum_a log P[k, a]`.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.SelfCertainty(), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.0068, -0.0068], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, group):
        certainty = -jnp.mean(jnp.log(group.answer_chances), axis=-1)
        return jnp.broadcast_to(certainty[:, None], group.counts.shape)

    def check(self, problem, group_size):
        super().check(problem, group_size)
        kernel = problem.answer_kernel
        if isinstance(kernel, jax.core.Tracer):
            return
        if not (np.asarray(kernel) > 0).all():
            raise ValueError(
                "`SelfCertainty` is infinite where an answer has probability 0; give "
                "every answer a positive probability."
            )


class SequenceLogProbability(AbstractFeedback):
    """RLIF: the teacher's log-probability of the rollout, `log pi_k + log P[k, a]`.

    With a teacher that is the policy itself, it expects `log pi_k - H(P_k)`.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.SequenceLogProbability(), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([-0.0176,  0.0176], dtype=float64)
    """

    needs_kernel: ClassVar[bool] = True

    def __call__(self, group):
        answers = jnp.log(group.answer_chances)
        given = answers[:, jnp.asarray(group.results.answer)]
        return group.teacher[:, None] + given


class Mixture(AbstractFeedback):
    """A weighted sum of feedbacks, none a sum itself, at most one a verifier.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.Mixture([ro.Verifier(), ro.MajorityVote()], [0.5, 0.5]),
    ...     estimator=ro.RLOO(),
    ...     group_size=4,
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([ 0.004, -0.004], dtype=float64)
    """

    parts: tuple[AbstractFeedback, ...]
    weights: Float[Array, "*B n"]

    def __init__(self, parts: Sequence[AbstractFeedback], weights: Any):
        check_kind("parts", parts, Sequence, "[Verifier(), SelfConsistency()]")
        for part in parts:
            check_kind("parts", part, AbstractFeedback, "Verifier()")
        self.parts = tuple(parts)
        self.weights = real_array("weights", weights)
        if self.weights.shape[-1:] != (len(self.parts),):
            raise ValueError(
                f"{len(self.parts)} feedbacks but weights of shape "
                f"{self.weights.shape}; give one weight per feedback."
            )

    def __call__(self, group):
        paid = [group.seen(part(group)) for part in self.parts]
        return sum(w * r for w, r in zip(self.weights, paid, strict=True))

    def noise(self, problem):
        found = [part.noise(problem) for part in self.parts]
        return next((noise for noise in found if noise is not None), None)

    def check(self, problem, group_size):
        if not self.parts:
            raise ValueError("a mixture without feedbacks; give at least one.")
        for part in self.parts:
            if isinstance(part, Mixture):
                raise ValueError("a mixture in a mixture; give all feedbacks at once.")
        verifiers = [part for part in self.parts if isinstance(part, Verifier)]
        if len(verifiers) > 1:
            raise ValueError(
                f"{len(verifiers)} verifiers in one mixture; give at most one."
            )
        weights = self.weights
        if not isinstance(weights, jax.core.Tracer) and not np.isfinite(weights).all():
            raise ValueError(f"`weights` must be finite numbers; got {weights}.")
        for part in self.parts:
            part.check(problem, group_size)
