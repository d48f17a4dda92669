r"""C1: which internal rewards are fixed numbers, and which move with the policy.

A rollout is a pattern k, drawn from `pi = softmax(theta)`, and an answer a drawn from
row k of a kernel P that training does not change. Two readings of a policy gradient:

- *detached*: `theta_k' = x_k = pi_k (r_k - r_bar)`; the reward counts as a constant;
- *through*: `theta' = grad J`, `J(theta) = E[reward]` with the reward's own dependence
  on theta. By the product rule it is the detached velocity plus

      extra_k = sum_j pi_j  d r_j / d theta_k.                                (1)

**Fixed.** Self-certainty of the answer, `KL(U || P_k)`, and its negative entropy,
`-H(P_k)`, are one number per pattern. Summed over the tokens of a rollout such a
measure also scores the pattern token: `KL(U || pi)`, or `-H(pi)`. All rollouts share
that score, so detached it is removed by any baseline: theory for fixed rewards applies
unchanged. Differentiated through, the shared score contributes its own gradient:

    self-certainty   KL(U || pi) = -log K - (1/K) sum_j log pi_j :  pi_k - 1/K
    token entropy    -H(pi) = sum_j pi_j log pi_j :        pi_k (log pi_k + H(pi))

from `d log pi_j / d theta_k = 1{j = k} - pi_k` (K counts the support).

**Policy-dependent**, from (1) with the same derivative:

- sequence log-probability `r_k = log pi_k - H(P_k)` (the mean over answers of
  `log pi_k + log P[k, a]`): `extra_k = sum_j pi_j (1{j = k} - pi_k) = 0`;
- answer entropy `r_k = sum_a P[k, a] log P_pi(a)`: `extra_k = sum_a dP_pi(a)/dtheta_k`
  = 0, as `sum_a P_pi(a) = 1`;
- majority vote `r_k = P[k, a_maj(pi)]`, infinitely many votes: `extra = 0` wherever the
  vote is not tied, since a_maj is locally constant. In a tie the lowest answer counts
  (the correct one, if it is among the tied);
- self-consistency `r_k = sum_a P[k, a] P_pi(a)`: J = sum_a P_pi(a)^2 is quadratic, so
  through = 2 x detached, and extra_k = x_k.

So for these four the two readings walk the same path, the last at double speed. Through
token entropy is detached sequence log-probability: both climb
`-H(trajectory) = -H(pi) - sum_k pi_k H(P_k)`.  []

**The trap.** Through self-certainty is another matter: a pattern that leads by enough
wins whatever its certainty and its success rate. Let C be the spread (max - min) of
c_k = KL(U || P_k), and suppose `pi_i = 1 - e` with `e < 1/(2 (1 + C))`. For k != i

    (theta_i - theta_k)' = pi_i (c_i - c_bar + 1) - pi_k (c_k - c_bar + 1)
                        >= (1 - e)(1 - C e) - e (1 + C)  >=  1 - 2 (1 + C) e  >  0,

since c_i - c_bar >= -C e, c_k - c_bar <= C, pi_k <= e. Every ratio pi_i/pi_k grows, e
falls, the bound persists and tends to 1: all K vertices attract, exponentially fast.
[] Source: this project.

Limits: exact expectations. With a finite number of votes the majority reward depends
smoothly on the policy and the two readings differ.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.answers import (
    answer_probabilities,
    any_kernel,
    checked_kernel,
    policy_entropy,
    push,
    row_entropy,
    share,
)
from theory.statement import Claim, Statement
from theory.support import Bools, Floats, Ints, support


def _log(probabilities: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def self_certainty(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`KL(U || P_k) = -log A - (1/A) sum_a log P[k, a]`: `[..., K]`; inf at a zero."""
    P, _ = checked_kernel(kernel, log_policy)
    return np.asarray(-np.log(P.shape[-1]) - np.mean(_log(P), axis=-1))


def token_entropy(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`-H(P_k)`: `[..., K]`."""
    return -row_entropy(checked_kernel(kernel, log_policy)[0])


def sequence_log_probability(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`log pi_k - H(P_k)`: `[..., K]`, 0 outside the support."""
    P, log_pi = checked_kernel(kernel, log_policy)
    inside = support(log_pi)
    return np.where(inside, np.where(inside, log_pi, 0.0) - row_entropy(P), 0.0)


def answer_entropy(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`sum_a P[k, a] log P_pi(a)`, whose mean is minus the answer entropy: `[..., K]`.

    Outside the support 0.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    total = answer_probabilities(P, log_pi)
    # An answer that nobody on the support gives has P[k, a] = 0 there: 0 log 0 = 0.
    log_total = np.log(np.where(total > 0, total, 1.0))
    paid = np.einsum("...ka,...a->...k", P, log_total)
    return np.where(support(log_pi), paid, 0.0)


def majority(kernel: ArrayLike, log_policy: ArrayLike) -> Ints:
    """The most likely answer `argmax_a P_pi(a)`, the lowest index in a tie: `[...]`."""
    return np.asarray(np.argmax(answer_probabilities(kernel, log_policy), axis=-1))


def majority_vote(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`P[k, a_maj(pi)]` in the limit of many votes: `[..., K]`.

    Tied answers win equally often: the mean of their columns.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    shares = answer_probabilities(P, log_pi)[..., None, :]
    leading = shares == np.max(shares, axis=-1, keepdims=True)
    return np.asarray(np.sum(P * leading, axis=-1) / np.sum(leading, axis=-1))


def self_consistency(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`sum_a P[k, a] P_pi(a)`: `[..., K]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    return np.einsum("...ka,...a->...k", P, answer_probabilities(P, log_pi))


def _nothing(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    return np.zeros(checked_kernel(kernel, log_policy)[1].shape)


def _own_certainty(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    log_pi = checked_kernel(kernel, log_policy)[1]
    inside = support(log_pi)
    return np.where(inside, np.exp(log_pi) - 1 / inside.sum(-1, keepdims=True), 0.0)


def _own_entropy(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    log_pi = checked_kernel(kernel, log_policy)[1]
    inside = support(log_pi)
    centred = np.where(inside, log_pi, 0.0) + policy_entropy(log_pi)[..., None]
    return np.exp(log_pi) * centred


class Feedback(NamedTuple):
    """An internal reward: both functions map `(kernel, log_policy)` to `[..., K]`.

    `reward` is r_k, without the score that all rollouts share; `extra` is what
    differentiating through the whole reward adds to the detached velocity; `fixed`:
    whether r_k is one number per pattern, the same at every policy.
    """

    reward: Callable[[ArrayLike, ArrayLike], Floats]
    extra: Callable[[ArrayLike, ArrayLike], Floats]
    fixed: bool


def _same_push(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    return push(self_consistency(kernel, log_policy), log_policy)


FEEDBACK: Final = {
    "self-certainty": Feedback(self_certainty, _own_certainty, fixed=True),
    "token entropy": Feedback(token_entropy, _own_entropy, fixed=True),
    "sequence log-probability": Feedback(
        sequence_log_probability, _nothing, fixed=False
    ),
    "answer entropy": Feedback(answer_entropy, _nothing, fixed=False),
    "majority vote": Feedback(majority_vote, _nothing, fixed=False),
    "self-consistency": Feedback(self_consistency, _same_push, fixed=False),
}


def detached_velocity(name: str, kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`theta'` with the reward `FEEDBACK[name]` taken as a constant: `[..., K]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    return push(FEEDBACK[name].reward(P, log_pi), log_pi)


def through_velocity(name: str, kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`theta'` with the reward differentiated too: detached plus extra `[..., K]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    return detached_velocity(name, P, log_pi) + FEEDBACK[name].extra(P, log_pi)


def expected_feedback(name: str, kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`J = E[reward]` of both tokens; its gradient is the through velocity: `[...]`.

    For the two fixed rewards it includes the pattern token's own score.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    inside = support(log_pi)
    mean = share(log_pi, FEEDBACK[name].reward(P, log_pi))
    if name == "self-certainty":
        size = inside.sum(axis=-1)
        return mean - np.log(size) - np.sum(log_pi, axis=-1, where=inside) / size
    if name == "token entropy":
        return mean - policy_entropy(log_pi)
    return mean


def trap_margin(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`1 - 2 (1 + C)(1 - max pi)`: positive where the leader is bound to win: `[...]`.

    It bounds `(theta_i - theta_k)'` from below, now and later, under self-certainty
    differentiated through.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    inside = support(log_pi)
    certainty = self_certainty(P, log_pi)
    spread = np.max(np.where(inside, certainty, -np.inf), axis=-1) - np.min(
        np.where(inside, certainty, np.inf), axis=-1
    )
    leader = np.arange(log_pi.shape[-1]) == np.argmax(log_pi, axis=-1)[..., None]
    rest = np.sum(np.exp(log_pi), axis=-1, where=~leader)
    return np.asarray(1 - 2 * (1 + spread) * rest)


def _positive(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    P, _ = checked_kernel(kernel, log_policy)
    return np.asarray(np.all(P > 0, axis=(-2, -1)))


def _vote_not_tied(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    ordered = np.sort(answer_probabilities(kernel, log_policy), axis=-1)
    return np.asarray(ordered[..., -1] > ordered[..., -2] + 1e-12)


def _trapped(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    positive = _positive(kernel, log_policy)
    with np.errstate(invalid="ignore"):
        return np.asarray(positive & (trap_margin(kernel, log_policy) > 0))


STATEMENT = Statement(
    id="C1",
    title="Internal rewards: fixed numbers, or functions of the policy",
    words=(
        "Certainty and entropy of the answer are fixed numbers, to which the theory "
        "of fixed rewards applies; votes, agreement and log-probabilities move with "
        "the policy. Whether one differentiates through the reward matters for the "
        "first kind only."
    ),
    formula="grad J = pi (r - r_bar) + sum_j pi_j grad r_j",
    source="this project",
    assumptions="fixed answer kernel; exact expectations; majority of many votes",
    proof="product rule and d log pi_j/d theta_k = 1{j = k} - pi_k; "
    "theory/feedback_classes.py",
    claims=(
        Claim(
            id="C1.self-certainty",
            words="Differentiating through self-certainty adds a pull to the leader.",
            formula="theta_k' = pi_k (c_k - c_bar) + pi_k - 1/K",
            status="proved",
            hypotheses=_positive,
            data="answer kernel",
        ),
        Claim(
            id="C1.token-entropy",
            words="Differentiating through token entropy gives the flow of the "
            "detached sequence log-probability.",
            formula="theta_k' = pi_k (H_bar - H_k) + pi_k (log pi_k + H(pi))",
            status="proved",
            hypotheses=any_kernel,
            data="answer kernel",
        ),
        Claim(
            id="C1.agree",
            words="For sequence log-probability, answer entropy and the vote both "
            "readings give the same flow.",
            formula="sum_j pi_j grad r_j = 0",
            status="proved",
            hypotheses=_vote_not_tied,
            data="answer kernel",
        ),
        Claim(
            id="C1.twice",
            words="For self-consistency the second reading doubles the speed.",
            formula="grad sum_a P_pi(a)^2 = 2 pi_k (r_k - r_bar)",
            status="proved",
            hypotheses=any_kernel,
            data="answer kernel",
        ),
        Claim(
            id="C1.trap",
            words="Through self-certainty, a pattern that leads by enough wins, be it "
            "right or wrong, sure or unsure.",
            formula="1 - pi_i < 1/(2 (1 + C))  =>  pi_i -> 1",
            status="proved",
            hypotheses=_trapped,
            data="answer kernel",
        ),
    ),
)
