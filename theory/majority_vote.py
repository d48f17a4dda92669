r"""C3: reward for agreeing with the majority of many votes.

Reward of pattern k: `P[k, a]` for the currently most likely answer a = argmax q, with
`q_a = P_pi(a)`; policy-gradient flow. While a leads, this is a fixed reward. Notation
of `theory.answers`: `x^a = x(P[., a])`, so that by (1) there

    q_b' = <x^a, x^b>  for every b,    in particular q_a' = |x^a|^2 >= 0.       (2)

*Tie rule*: tied answers win equally often, so that the mean of their columns is paid
(many votes of a sampled group, with ties broken at random, expect just that). A base
model at a tie may stay there; it is left out below. Ties on the way last for a moment.

**The majority only grows.** By (2) the leader's share rises, strictly unless all
patterns of the support give a equally often (then nothing moves); the largest share is
continuous across flips, so it never falls.

**Two answers.** If ACC_0 > 1/2 the leader is answer 0 and stays: this is RLVR for ever.
If ACC_0 < 1/2 it is answer 1, paid `1 - s_k`, for ever: training to the worst pattern.
At exactly 1/2 every pattern is paid 1/2 and nothing moves; the rest is unstable, and
RLVR and its opposite are solutions as well: in a sampled group chance decides.

**Any number.** An answer above one half cannot be overtaken: the flow is that of the
fixed reward P[., a]. In general, if it is not, and the pattern that gives a most often
(unique) itself prefers another answer, then a must be overtaken: while it is not, the
fixed-reward flow drives all mass to that pattern.  []

**Flips.** By (2) the lead q_b - q_a of a challenger b over the leader a grows at

    <x^b - x^a, x^a>  while a is paid,      <x^b - x^a, x^b>  while b is paid;

the second exceeds the first by `J = |x^b - x^a|^2`. Let b overtake a. It arrives with
the first >= 0, so it leaves with the second >= J. J = 0 would mean, at a tie, that
columns a and b agree on the support: then b is never ahead. So J > 0: once paid, b
pulls away at a positive rate; no chattering, no sliding along the tie, where the mean
of the two is paid and the lead grows at the mean of both rates, >= J/2. Also
`|x^b|^2 = |x^a|^2 + first + second >= |x^a|^2 + J`: the speed of the leading share
jumps up at every flip. In a finite time there are finitely many flips: between flips
the speed changes at a bounded rate and it is bounded by 1, so infinitely many jumps
would have J -> 0 for some pair, whose columns would then agree.  []

*Correction to "flips are transversal":* leaving is, always; arriving is unless D
touches 0 with D' = 0 (a graze, not generic), where staying with a may be a second
solution.

**The end.** Suppose that no answer is equally likely under two patterns of the support,
that each of its patterns has one favourite answer, and that one answer leads at the
start. Then there is a last flip, and pi converges to a pattern that no other beats at
its own favourite (`champions`). (Left out, as a coincidence: two answers that overtake
a third at the same moment, and then stay tied.) *Proof.* One answer is paid at nearly
all times. On the closed simplex `|x^a|^2 = 0` makes P[., a] equal on the support of pi,
which is then one pattern: `v = min_a |x^a|^2` vanishes only at the vertices e_k. The
leading share grows at v or more, and cannot grow by more than 1. So pi spends a finite
time outside of the neighbourhoods `1 - pi_k < e`, where v is above a positive number,
for every e. It moves at a bounded speed, so each way out of `1 - pi_k < e` up to the
border of `1 - pi_k < 2 e` takes at least a fixed time: there are finitely many. From
some time on pi stays in one neighbourhood, and, as e is any, it converges to some e_i.
There q tends to P[i, .], whose largest entry leads alone: no more flips. From then on
the flow is that of a fixed reward P[., a], with a the favourite of i, and ends at the
pattern with the largest P[., a], which is i.  []

Source: this project. Limits: infinitely many votes; a finite number smooths the flip.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.answers import (
    answer_probabilities,
    any_kernel as _any,
    checked_kernel,
    push,
    two_answers,
)
from theory.feedback_classes import majority, majority_vote
from theory.statement import Claim, Statement
from theory.support import Bools, Floats, Ints, is_best, support


def _column(kernel: Floats, answer: Ints) -> Floats:
    return np.take_along_axis(kernel, answer[..., None, None], axis=-1)[..., 0]


def majority_share(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`max_a P_pi(a)`, which never falls: `[...]`."""
    return np.asarray(np.max(answer_probabilities(kernel, log_policy), axis=-1))


def majority_speed(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`d/dt max_a P_pi(a) = |x^a|^2` under the vote: `[...]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    x = push(_column(P, majority(P, log_pi)), log_pi)
    return np.asarray(np.sum(x**2, axis=-1))


def lead_speeds(
    kernel: ArrayLike, log_policy: ArrayLike, challenger: ArrayLike
) -> tuple[Floats, Floats]:
    """How fast `q_b - q_a` grows while a, or while b, is paid: `[...]` each.

    a is the majority, b the `challenger` `[...]`: `<x^b - x^a, x^a>` and
    `<x^b - x^a, x^b>`. The second is larger by `|x^b - x^a|^2`.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    b = np.broadcast_to(np.asarray(challenger, dtype=np.int64), log_pi.shape[:-1])
    x_a = push(_column(P, majority(P, log_pi)), log_pi)
    x_b = push(_column(P, b), log_pi)
    # Both through the difference, which is small where the two answers go together.
    return (
        np.asarray(np.sum(x_a * (x_b - x_a), axis=-1)),
        np.asarray(np.sum(x_b * (x_b - x_a), axis=-1)),
    )


def vote_rewards(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """Two answers: what the vote pays for ever, s if ACC_0 > 1/2, 1 - s if below.

    At exactly 1/2 it pays every pattern 1/2.
    """
    s = np.asarray(success_rates, dtype=np.float64)
    return majority_vote(np.stack([s, 1 - s], axis=-1), log_policy)


def vote_limit_accuracy(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """Two answers: accuracy as t -> infinity, the best or the worst rate: `[...]`.

    From exactly 1/2 it does not move.
    """
    s = np.asarray(success_rates, dtype=np.float64)
    kernel = np.stack([s, 1 - s], axis=-1)
    P, log_pi = checked_kernel(kernel, log_policy)
    inside, shares = support(log_pi), answer_probabilities(P, log_pi)
    right, wrong = shares[..., 0], shares[..., 1]
    best = np.max(np.where(inside, s, -np.inf), axis=-1)
    worst = np.min(np.where(inside, s, np.inf), axis=-1)
    return np.where(right == wrong, 0.5, np.where(right > wrong, best, worst))


def champions(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Patterns that no other beats at their own favourite answer: `[..., K]`.

    Where `vote_settles`, the flow ends at one of these.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    inside = support(log_pi)[..., None]
    top = np.max(np.where(inside, P, -np.inf), axis=-2, keepdims=True)
    favourite = P == np.max(P, axis=-1, keepdims=True)
    return np.asarray(np.any(inside & favourite & (P == top), axis=-1))


def majority_is_absolute(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether one answer has more than half of all votes: `[...]`; it keeps it."""
    return np.asarray(majority_share(kernel, log_policy) > 0.5)


def must_flip(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether the majority is bound to be overtaken: `[...]`.

    The pattern that gives the leading answer most often is unique and prefers another.
    Sufficient, not necessary: an answer may lose the lead and come back.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    paid = _column(P, majority(P, log_pi))
    best = is_best(paid, log_pi)
    strongest = np.take_along_axis(
        P, np.argmax(best, axis=-1)[..., None, None], axis=-2
    )[..., 0, :]
    own = np.take_along_axis(strongest, majority(P, log_pi)[..., None], axis=-1)[..., 0]
    return (best.sum(axis=-1) == 1) & (np.max(strongest, axis=-1) > own)


def flip_time_two_patterns(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """Two patterns: time of the first flip, in closed form: `[...]`; nan if none.

    With `x = log(pi_0/pi_1)` and gap `d = P[0, a] - P[1, a]` of the leading answer,
    `x + sinh x` grows at rate d. Answer b is level with a at
    `pi_0/pi_1 = (P[1, a] - P[1, b]) / (P[0, b] - P[0, a])`.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    if P.shape[-2] != 2:
        raise ValueError(f"`kernel` must have two patterns; got {P.shape[-2]}.")
    paid = _column(P, majority(P, log_pi))[..., None]
    behind = paid - P  # [..., pattern, answer]
    d = (paid[..., 0, 0] - paid[..., 1, 0])[..., None]
    x = (log_pi[..., 0] - log_pi[..., 1])[..., None]
    # The answer is behind in the pattern that loses mass, ahead in the other one.
    overtakes = np.where(
        d > 0,
        (behind[..., 0, :] < 0) & (behind[..., 1, :] > 0),
        (behind[..., 1, :] < 0) & (behind[..., 0, :] > 0),
    ) & (d != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(-behind[..., 1, :] / behind[..., 0, :])
        time = (y - x + np.sinh(y) - np.sinh(x)) / d
    first = np.min(np.where(overtakes, time, np.inf), axis=-1)
    return np.where(np.isfinite(first), first, np.nan)


def flip_instance() -> tuple[Floats, Floats]:
    """`(kernel, policy)`: the correct answer leads, then answer 1 overtakes it.

    The limit is row 0, where answer 1 has 0.55 of the votes; the flip is at t = 469.31.
    """
    kernel = np.array([[0.45, 0.55, 0.0], [0.42, 0.20, 0.38]])
    return kernel, np.array([0.05, 0.95])


def _two_untied(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    return two_answers(kernel, log_policy) & majority_is_absolute(kernel, log_policy)


def vote_settles(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Sufficient for a last flip and a pattern that takes all: `[...]`.

    On the support no answer is equally likely under two patterns, and no pattern has
    two favourite answers; nor has the policy.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    inside = support(log_pi)[..., None]
    ordered = np.sort(np.where(inside, P, np.inf), axis=-2)
    low, high = ordered[..., :-1, :], ordered[..., 1:, :]
    distinct = np.all((low < high) | np.isinf(high), axis=(-2, -1))
    favourites = inside & (P == np.max(P, axis=-1, keepdims=True))
    shares = answer_probabilities(P, log_pi)
    leaders = np.sum(shares == shares.max(axis=-1, keepdims=True), axis=-1)
    one = np.all(favourites.sum(axis=-1) <= 1, axis=-1) & (leaders == 1)
    return np.asarray(distinct & one)


STATEMENT = Statement(
    id="C3",
    title="Majority vote: what leads is fed, and may still be overtaken",
    words=(
        "With two answers a majority vote is as good as a verifier if the base model "
        "is right more often than not, and trains towards the worst pattern otherwise. "
        "With more answers the leading share still never falls, but another answer may "
        "take the lead, once and for good or several times."
    ),
    formula="d/dt max_a P_pi(a) = |x^a|^2 >= 0",
    source="this project",
    assumptions="exact policy-gradient flow; infinitely many votes; fixed kernel; "
    "tied answers win equally often, and none are tied at the start",
    proof="q_b' = <x^a, x^b>; the time away from the vertices is finite; "
    "theory/majority_vote.py",
    claims=(
        Claim(
            id="C3.two-answers",
            words="Two answers: the vote is RLVR above one half, RLVR upside down "
            "below.",
            formula="rho = s if ACC_0 > 1/2, 1 - s if ACC_0 < 1/2, for all t",
            status="proved",
            hypotheses=_two_untied,
            data="answer kernel",
        ),
        Claim(
            id="C3.share",
            words="The share of the leading answer never falls.",
            formula="d/dt max_a P_pi(a) = sum_k pi_k^2 (P[k, a] - P_pi(a))^2",
            status="proved",
            hypotheses=_any,
            data="answer kernel",
        ),
        Claim(
            id="C3.absolute",
            words="An answer with more than half of the votes keeps the lead for ever.",
            formula="P_pi(a) > 1/2  =>  rho = P[., a] for all t",
            status="proved",
            hypotheses=majority_is_absolute,
            data="answer kernel",
        ),
        Claim(
            id="C3.must-flip",
            words="If the pattern that votes for the leader most often prefers another "
            "answer itself, the leader is overtaken.",
            formula="i = argmax P[., a], argmax P[i, .] != a  =>  a flip",
            status="proved",
            hypotheses=must_flip,
            data="answer kernel",
        ),
        Claim(
            id="C3.departure",
            words="Whoever overtakes pulls away at a positive rate, and from then on "
            "the leading share grows faster.",
            formula="(q_b - q_a)' jumps by |x^b - x^a|^2, |x^lead|^2 at least as much",
            status="proved",
            hypotheses=_any,
            data="answer kernel",
        ),
        Claim(
            id="C3.champion",
            words="If no answer is equally likely under two patterns, no pattern has "
            "two favourites and one answer leads, there is a last flip, and the vote "
            "ends at a pattern that no other beats at its own favourite answer.",
            formula="pi -> i with P[i, a] = max_k P[k, a], a = argmax P[i, .]",
            status="proved",
            hypotheses=vote_settles,
            data="answer kernel",
        ),
    ),
)
