r"""C2: paid for its own log-probability, a model sharpens what it already prefers.

Reward: `r_k = log pi_k - H_k`, with H_k the entropy of row k of the answer kernel: the
mean log-probability of a whole rollout. Let `m_k = log pi_0(k) - H_k`.

**Natural gradient** (`theta' = r`, that is `pi_k' = pi_k (r_k - r_bar)`). Then
`(log pi_k)' = log pi_k - H_k - r_bar`, with r_bar common to all patterns: the
differences of `log pi_k - H_k` grow like e^t, so

    log pi_k(t) = e^t m_k + H_k + common,
    pi(t) ~ pi_0^{e^t} exp(-(e^t - 1) H):   sampling at temperature e^-t, if H is flat.

Winner: the largest m. Patterns tied in m keep the ratio `exp(H_i - H_j)` for ever.

*Accuracy at the end.* Let w be the only winner, `mu_k = m_w - m_k > 0`,
`d_k = s_k - s_w`, `u_k = pi_k/pi_w = exp(-e^t mu_k + H_k - H_w)`, so that
`u_k' = -e^t mu_k u_k`. Differentiating `ACC - s_w = sum u_k d_k / (1 + sum u_k)`,

    (1 + sum u)^2 ACC' = -e^t [ sum_k mu_k u_k d_k
                                + sum_{j<k} u_j u_k (mu_k - mu_j)(d_k - d_j) ].     (1)

Let r be the runner-up (smallest mu). Divided by u_r, every other term of the bracket is
a constant times a product of falling exponentials. So: once the sum of their absolute
values is below `mu_r |d_r|` it stays so, and from then on accuracy falls if
`s_r > s_w`, rises if `s_r < s_w`. Of several runners-up, tied in mu, the sum of
`e^{H_k} d_k` over them decides.  []

**Policy gradient** (`theta_k' = pi_k (r_k - r_bar)`). If `H_i <= H_j` and
`pi_i >= pi_j` at the start, then so for ever: where theta_i = theta_j,
`(theta_i - theta_j)' = pi_i (H_j - H_i) >= 0`, and a solution does not leave a closed
half-space on whose border the (smooth) field does not point outward. For equal H the
*order* is therefore kept for ever, ties included, but not the ratio: with
`f(p) = p (log p - H - r_bar)`, `(theta_i - theta_j)' = f(pi_i) - f(pi_j)`, and f falls
for small p.

If H is the same for all patterns and the most likely one, i, is unique, then it wins.
Now `f(p) = p (log p + H(pi))`, `log pi_i + H(pi) >= 0`. For any j: if
`log pi_j + H(pi) <= 0` then f(pi_j) <= 0 <= f(pi_i); otherwise f increases between the
two. So every ratio pi_i/pi_j rises (strictly: both signs vanish only if all are equal).
The flow climbs `-H(pi)`; its rest points are the uniform policies on subsets, and one
with i and another pattern would need a ratio of 1.  []

Two patterns: `(r_1 - r_2)' = (theta_1 - theta_2)' = 2 pi_1 pi_2 (r_1 - r_2)`: its sign
is kept, and both flows have the same winner. With three they need not: if r_i, r_j are
almost tied above a third, the likelier of i, j moves faster (`different_winners`).
Source: this project. Limits: exact expectations, fixed kernel.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.answers import any_kernel, checked_kernel, row_entropy
from theory.intrinsic_time import UNRESOLVED
from theory.statement import Claim, Statement
from theory.support import Bools, Floats, Ints, log_sum, support


def sharpening_score(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`m_k = log pi_0(k) - H_k`: `[..., K]`, -inf outside the support."""
    P, log_pi = checked_kernel(kernel, log_policy)
    return np.asarray(log_pi - row_entropy(P))


def _behind(score: Floats) -> Floats:
    """`mu_k = max m - m_k >= 0`: `[..., K]`, inf outside the support."""
    return np.asarray(np.max(score, axis=-1, keepdims=True) - score)


def sharpened_policy(
    kernel: ArrayLike, log_policy: ArrayLike, time: ArrayLike
) -> Floats:
    """Log-probabilities of `pi_0^{e^t} exp(-(e^t - 1) H)`; `time` is `[...]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    mu = _behind(sharpening_score(P, log_pi))
    with np.errstate(over="ignore"):
        growth = np.exp(np.asarray(time, dtype=np.float64))[..., None]
        # The winner's exponent is 0 however large the factor: 0 * inf is no number.
        scaled = np.where(mu > 0, growth * np.where(mu > 0, mu, 1.0), 0.0)
    weights = np.where(support(log_pi), row_entropy(P) - scaled, -np.inf)
    return np.asarray(weights - log_sum(weights)[..., None])


def sharpening_winner(kernel: ArrayLike, log_policy: ArrayLike) -> Ints:
    """`argmax m`: `[...]`, UNRESOLVED where two patterns share the largest m."""
    score = sharpening_score(kernel, log_policy)
    unique = np.sum(_behind(score) == 0, axis=-1) == 1
    return np.where(unique, np.argmax(score, axis=-1), UNRESOLVED)


def sharpening_limit_accuracy(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """Accuracy as t -> infinity: `[...]`; winners tied in m share like `e^H`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    winners = _behind(sharpening_score(P, log_pi)) == 0
    weights = np.where(winners, np.exp(row_entropy(P)), 0.0)
    return np.asarray(np.sum(weights * P[..., 0], axis=-1) / np.sum(weights, axis=-1))


def _leads(
    kernel: ArrayLike, log_policy: ArrayLike
) -> tuple[Floats, Floats, Floats, Bools, Bools]:
    """`mu`, `d`, `H - H_w`, who is a loser, who is a runner-up: `[..., K]` each."""
    P, log_pi = checked_kernel(kernel, log_policy)
    mu = _behind(sharpening_score(P, log_pi))
    first = np.argmin(mu, axis=-1)[..., None]
    H, s = row_entropy(P), P[..., 0]
    losers = support(log_pi) & (np.arange(s.shape[-1]) != first)
    nearest = np.min(np.where(losers, mu, np.inf), axis=-1, keepdims=True)
    d = s - np.take_along_axis(s, first, axis=-1)
    h = H - np.take_along_axis(H, first, axis=-1)
    return mu, d, h, losers, losers & (mu == nearest)


def late_trend(kernel: ArrayLike, log_policy: ArrayLike) -> Ints:
    """Natural gradient: -1 where accuracy finally falls, +1 where it rises: `[...]`.

    0 where the winner is not unique, there is no runner-up, or the runners-up balance.
    """
    _, d, h, _, runners = _leads(kernel, log_policy)
    lead = np.sum(np.where(runners, np.exp(h) * d, 0.0), axis=-1)
    unique = sharpening_winner(kernel, log_policy) != UNRESOLVED
    return np.where(unique, -np.sign(lead), 0).astype(np.int64)


def _bracket(
    kernel: ArrayLike, log_policy: ArrayLike, time: ArrayLike
) -> tuple[Floats, Floats]:
    """The bracket of (1) over u_r: its leading part, and the terms besides `[..., n]`.

    Scaled by u_r, so that nothing that matters underflows.
    """
    mu, d, h, losers, runners = _leads(kernel, log_policy)
    # Past this time only the leading part is left in float64.
    growth = np.exp(np.minimum(np.asarray(time, dtype=np.float64), 500.0))[..., None]
    finite = np.where(losers, mu, 0.0)
    log_u = np.where(losers, h - growth * finite, -np.inf)
    log_r = np.max(np.where(runners, log_u, -np.inf), axis=-1, keepdims=True)
    log_r = np.where(np.isfinite(log_r), log_r, 0.0)
    relative = np.exp(log_u - log_r)
    single = finite * relative * d
    pairs = 0.5 * relative[..., :, None] * np.exp(log_u)[..., None, :]
    pairs = pairs * (finite[..., :, None] - finite[..., None, :])
    pairs = pairs * (d[..., :, None] - d[..., None, :])
    rest = np.concatenate(
        [np.where(runners, 0.0, single), pairs.reshape(*single.shape[:-1], -1)], axis=-1
    )
    return np.sum(single, axis=-1, where=runners), rest


def accuracy_trend(kernel: ArrayLike, log_policy: ArrayLike, time: ArrayLike) -> Ints:
    """Sign of dACC/dt at `time` on the natural-gradient path, exact: `[...]`."""
    leading, rest = _bracket(kernel, log_policy, time)
    return (-np.sign(leading + rest.sum(axis=-1))).astype(np.int64)


def trend_is_final(kernel: ArrayLike, log_policy: ArrayLike, time: ArrayLike) -> Bools:
    """Whether from `time` on the sign of dACC/dt provably stays as it is: `[...]`."""
    leading, rest = _bracket(kernel, log_policy, time)
    return np.asarray(np.abs(leading) > np.abs(rest).sum(axis=-1))


def keeps_order(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """`[..., K, K]`: policy gradient keeps `pi_i >= pi_j` at all times.

    True at (i, j) where it starts so and `H_i <= H_j`, both in the support.
    """
    P, log_pi = checked_kernel(kernel, log_policy)
    H, inside = row_entropy(P), support(log_pi)
    both = inside[..., :, None] & inside[..., None, :]
    sharper = H[..., :, None] <= H[..., None, :]
    likelier = log_pi[..., :, None] >= log_pi[..., None, :]
    return np.asarray(both & sharper & likelier)


def _unique_winner(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    return np.asarray(sharpening_winner(kernel, log_policy) != UNRESOLVED)


def _has_late_trend(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    return np.asarray(late_trend(kernel, log_policy) != 0)


def _some_pair_is_ordered(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    kept = keeps_order(kernel, log_policy)
    return np.asarray(kept.sum(axis=(-2, -1)) > np.trace(kept, axis1=-2, axis2=-1))


def flat_with_a_mode(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """All rows on the support have the same entropy; the mode is unique: `[...]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    inside, H = support(log_pi), row_entropy(P)
    top = np.max(np.where(inside, H, -np.inf), axis=-1)
    flat = top == np.min(np.where(inside, H, np.inf), axis=-1)
    modes = log_pi == np.max(log_pi, axis=-1, keepdims=True)
    return np.asarray(flat & (modes.sum(axis=-1) == 1))


def _two_patterns(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    inside = support(checked_kernel(kernel, log_policy)[1])
    return _unique_winner(kernel, log_policy) & (inside.sum(axis=-1) == 2)


def different_winners() -> tuple[Floats, Floats]:
    """`(kernel, policy)`: pattern 0 wins by natural, pattern 1 by policy gradient."""
    kernel = np.array([[0.99, 0.01], [0.5, 0.5], [0.5, 0.5]])
    return kernel, np.array([0.285, 0.515, 0.2])


def shrinking_ratio() -> tuple[Floats, Floats]:
    """`(kernel, policy)`: two patterns of equal H whose ratio falls at first.

    A third one leads; pattern 0 stays ahead of pattern 1, but by less.
    """
    kernel = np.array([[0.5, 0.5], [0.5, 0.5], [0.99, 0.01]])
    return kernel, np.array([0.12, 0.08, 0.80])


STATEMENT = Statement(
    id="C2",
    title="Self-sharpening: paid for one's own log-probability",
    words=(
        "A model rewarded for the probability of its own rollouts lowers its "
        "temperature: the pattern with the largest log-probability minus entropy wins, "
        "right or wrong, and whether accuracy finally falls is decided by the one "
        "behind it."
    ),
    formula="pi(t) ~ pi_0^{e^t} exp(-(e^t - 1) H)",
    source="this project",
    assumptions="fixed answer kernel; exact flow, natural gradient unless said",
    proof="linear equation for log pi - H; theory/self_sharpening.py",
    claims=(
        Claim(
            id="C2.path",
            words="The natural-gradient flow in closed form.",
            formula="pi(t) ~ pi_0^{e^t} exp(-(e^t - 1) H)",
            status="proved",
            hypotheses=any_kernel,
            data="answer kernel",
        ),
        Claim(
            id="C2.winner",
            words="The largest log-probability minus entropy takes all.",
            formula="pi_w -> 1,  w = argmax(log pi_0 - H)",
            status="proved",
            hypotheses=_unique_winner,
            data="answer kernel",
        ),
        Claim(
            id="C2.late-trend",
            words="Accuracy finally falls if the runner-up is right more often than "
            "the winner, and finally rises if less often.",
            formula="sign ACC'(t) = -sign(s_r - s_w) for all large t",
            status="proved",
            hypotheses=_has_late_trend,
            data="answer kernel",
        ),
        Claim(
            id="C2.order",
            words="Policy gradient: a pattern that is likelier and not less certain "
            "than another stays likelier.",
            formula="pi_i >= pi_j, H_i <= H_j at 0  =>  pi_i >= pi_j for all t",
            status="proved",
            hypotheses=_some_pair_is_ordered,
            data="answer kernel",
        ),
        Claim(
            id="C2.mode",
            words="Policy gradient with equal entropies: the most likely pattern wins, "
            "and its lead over every other never shrinks.",
            formula="H_k = H for all k  =>  (pi_i/pi_j)' > 0, pi_i -> 1",
            status="proved",
            hypotheses=flat_with_a_mode,
            data="answer kernel",
        ),
        Claim(
            id="C2.two-patterns",
            words="With two patterns the policy gradient has the same winner.",
            formula="K = 2: pi_w -> 1 in both flows",
            status="proved",
            hypotheses=_two_patterns,
            data="answer kernel",
        ),
        Claim(
            id="C2.same-winner",
            words="The policy gradient always has the winner of the natural gradient.",
            formula="pi_w -> 1 in both flows",
            status="refuted",
            hypotheses=_unique_winner,
            data="answer kernel",
        ),
        Claim(
            id="C2.ratio",
            words="Policy gradient: between patterns of equal entropy the ratio of "
            "probabilities never shrinks.",
            formula="H_i = H_j, pi_i > pi_j  =>  (pi_i/pi_j)' >= 0",
            status="refuted",
            hypotheses=_some_pair_is_ordered,
            data="answer kernel",
        ),
    ),
)
