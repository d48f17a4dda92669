r"""B3: how the end is approached, and what no start can beat.

Flow: `theta_k' = pi_k (rho_k - rho_bar)`; n suboptimal patterns, M best ones, m of them
*survivors* (the likeliest among the best; the other best ones are *losers*);
`delta_k = rho_* - rho_k`; `gap = rho_* - rho_bar`. Notation u, p, a, tau, c_k:
`theory.intrinsic_time`. Source: this project.

**Limit.** `t gap(t) -> n m/(n + m)`, whatever the gaps and the start; `(K-1)/K` for a
unique best pattern. *Proof.* Late, `u = p` for the survivors, `u_l -> a_l > 0` for the
losers, `u_k ~ delta_k tau` for the rest. `prod u = 1` reads `p^m A D tau^n -> 1` with
`A = prod a_l`, `D = prod delta_k`. So `1/p` grows as `tau^(n/m)`, `Z ~ m/p`, hence
`t = int Z dtau ~ m tau/(p (1 + n/m))`, while `gap = (1/Z) sum_k delta_k/u_k ~
n p/(m tau)`. Multiply.  []

**Survivors.** The losers' mass falls as `t^(-n/(n+m))`: `theory.survivors`.

**Bounds from every start.** With `x_k = pi_k (rho_k - rho_bar)`, `sum_k x_k = 0` and
`gap' = -sum_k x_k^2` (proved in `theory.monotone_regime`). The positive and the
negative x_k have equal sums S, and `P gap <= S <= gap`, P the mass of the best
patterns. So `sum x_k^2 <= 2 S^2 <= 2 gap^2`, and by Cauchy-Schwarz on the M best and on
the negative ones, of which there are n at most, `sum x_k^2 >= P^2 gap^2 (1/M + 1/n)`:

    (1/M + 1/n) int_0^t P^2  <=  1/gap(t) - 1/gap(0)  <=  2 t.

The survivors alone, with mass P_m, give `(1/m + 1/n) int_0^t P_m^2` for the left side:
weaker early, and sharp late, where losers have died out but still count in M.  []

**Monotone region.** Call a state monotone if no logit grows faster than that of *, the
likeliest best pattern: `x_k <= x_*` for all k, or `h_k >= 0` for all k with

    h_k = u_k (rho_* - rho_bar) - u_* (rho_k - rho_bar).

Then pi_* does not fall, since no `pi_k/pi_*` grows. A monotone state stays so: in
intrinsic time `u_k' = rho_bar - rho_k`, and the products cancel in

    h_k' = (u_* - u_k) rho_bar',    rho_bar' >= 0.

If `u_k > u_*` then `h_k > 0` outright (for rho_k above rho_bar because `rho_k <=
rho_*`). So wherever `h_k < 0` we have `u_k <= u_*` and h_k does not fall: it cannot
have become negative.  [] `pi_*(0) >= max_k pi_0(k)` suffices, by the same remark. The
argument holds for each k by itself, and `(pi_k/pi_*)' < 0` iff `h_k > 0`: a ratio
`pi_k/pi_*` that has stopped rising never rises again.

**Expansion** (formal). For a unique best pattern let `tau_k = -(c_k - c_*)/delta_k`,
`tau_bar` their mean, `V = sum (tau_k - tau_bar)^2`, `y = (K t/D)^(1/K)`. Up to terms
that `theory.tail_bounds` controls, `t = L(tau)` with `L' = R = prod_k (a_k)` and
`gap = R'/R^2`. Put `x = tau - tau_bar`: `R = D (x^n - (V/2) x^(n-2) + ...)`, and

    t gap ~ L R'/R^2 = (n/(n+1)) [1 - V/(n (n-1) y^2) + ...],     n >= 2.

If V > 0 the limit is approached from below, and slowly, as `t^(-2/K)`: see
`theory.tail_bounds` for bounds at finite t. Limits: exact flow, fixed rewards, one
question.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.answers import push
from theory.hull import inverse_difference
from theory.statement import Claim, Statement
from theory.support import (
    Bools,
    Floats,
    best_reward,
    checked,
    gap,
    is_best,
    is_suboptimal,
    support,
)
from theory.survivors import has_losers, has_suboptimal, survivors
from theory.tail_bounds import in_tail


def tail_limit(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`lim t gap(t) = n m/(n + m)`: `[...]`; 0 if all patterns are best."""
    rho, log_pi = checked(rewards, log_policy)
    n = np.sum(is_suboptimal(rho, log_pi), axis=-1)
    m = np.sum(survivors(rho, log_pi), axis=-1)
    return np.asarray(n * m / (n + m))


def gap_lower(rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike) -> Floats:
    """`gap(t) >= 1/(1/gap(0) + 2 t)` from every start and at every time: `[...]`."""
    start = gap(rewards, log_policy)
    return np.asarray(start / (1 + 2 * start * np.asarray(time)))


def gap_upper(
    rewards: ArrayLike, log_policy: ArrayLike, best_squared: ArrayLike
) -> Floats:
    """`gap(t) <= 1/(1/gap(0) + (1/M + 1/n) I2)`, `I2 = int_0^t P^2`: `[...]`.

    `best_squared` is I2, P the total mass of the best patterns. From every start.
    """
    rho, log_pi = checked(rewards, log_policy)
    number = np.asarray(np.sum(is_best(rho, log_pi), axis=-1), dtype=np.float64)
    return _upper(rho, log_pi, number, best_squared)


def gap_upper_survivors(
    rewards: ArrayLike, log_policy: ArrayLike, survivors_squared: ArrayLike
) -> Floats:
    """The same with survivors only: `1/(1/gap(0) + (1/m + 1/n) int_0^t P_m^2)`."""
    rho, log_pi = checked(rewards, log_policy)
    number = np.asarray(np.sum(survivors(rho, log_pi), axis=-1), dtype=np.float64)
    return _upper(rho, log_pi, number, survivors_squared)


def _upper(rho: Floats, log_pi: Floats, count: Floats, integral: ArrayLike) -> Floats:
    n = np.maximum(np.sum(is_suboptimal(rho, log_pi), axis=-1), 1)
    start = gap(rho, log_pi)
    return np.asarray(start / (1 + start * (1 / count + 1 / n) * np.asarray(integral)))


def tail_expansion(
    rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike
) -> Floats:
    """`(n/(n+1)) (1 - V/(n (n-1) y^2))`, formal, for t gap at a late time: `[...]`.

    nan unless the best pattern is unique and n >= 2.
    """
    rho, log_pi = checked(rewards, log_policy)
    others = is_suboptimal(rho, log_pi)
    known = has_expansion(rho, log_pi)
    n = np.where(known, np.sum(others, axis=-1), 2)
    tau, y = tail_variables(rho, log_pi, time)
    mean = np.sum(tau, axis=-1, where=others) / n
    spread = np.sum((tau - mean[..., None]) ** 2, axis=-1, where=others)
    return np.where(known, n / (n + 1) * (1 - spread / (n * (n - 1) * y**2)), np.nan)


def tail_variables(
    rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike
) -> tuple[Floats, Floats]:
    """`tau_k = -(c_k - c_*)/delta_k` `[..., K]` (0 if best) and `y` `[...]`.

    `y = (K t/prod delta)^(1/K)` with K the size of the support: the leading term of the
    intrinsic time at `time`, for a unique best pattern.
    """
    rho, log_pi = checked(rewards, log_policy)
    others = is_suboptimal(rho, log_pi)
    best = np.argmax(survivors(rho, log_pi), axis=-1)
    delta = np.where(others, best_reward(rho, log_pi)[..., None] - rho, 1.0)
    log_mean = np.mean(log_pi, axis=-1, where=support(log_pi))
    height = inverse_difference(log_pi, best) * np.exp(log_mean)[..., None]
    K = np.sum(support(log_pi), axis=-1)
    log_y = (np.log(K) + np.log(time) - np.sum(np.log(delta), axis=-1)) / K
    return np.where(others, -height / delta, 0.0), np.exp(log_y)


def in_monotone_region(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether no logit grows faster than the likeliest best pattern's: `[...]`.

    From such a state on its probability never falls.
    """
    rho, log_pi = checked(rewards, log_policy)
    velocity = push(rho, log_pi)
    best = np.argmax(survivors(rho, log_pi), axis=-1)[..., None]
    lead = np.take_along_axis(velocity, best, axis=-1)
    return np.asarray(np.all((velocity <= lead) | ~support(log_pi), axis=-1))


def leads_from_the_start(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether a best pattern is the most likely one: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    top = log_pi == np.max(log_pi, axis=-1, keepdims=True)
    return np.asarray(np.any(top & is_best(rho, log_pi), axis=-1))


def has_expansion(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Unique best pattern and n >= 2: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    unique = np.sum(is_best(rho, log_pi), axis=-1) == 1
    return np.asarray(unique & (np.sum(is_suboptimal(rho, log_pi), axis=-1) >= 2))


STATEMENT = Statement(
    id="B3",
    title="The tail: t times gap has a universal limit",
    words=(
        "In the end the remaining gap is a pure number over the training time: it "
        "depends on how many patterns are good and bad, not on how good, nor on the "
        "base model. From no start can training be faster than 1/(2t), and among "
        "equally good patterns only the likeliest survive."
    ),
    formula="t gap(t) -> n m/(n + m);  1/gap(t) - 1/gap(0) <= 2 t",
    source="this project",
    assumptions="exact softmax policy-gradient flow; fixed rewards",
    proof="one conserved product and Cauchy-Schwarz; theory/tail.py, "
    "theory/tail_bounds.py",
    claims=(
        Claim(
            id="B3.limit",
            words="Time times gap tends to n m/(n + m).",
            formula="t gap(t) -> n m/(n + m)",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B3.bounds",
            words="At a finite time t gap lies between two values that close up on it.",
            formula="t gap(late) <= t gap(t) <= t gap(early)",
            status="proved",
            hypotheses=in_tail,
        ),
        Claim(
            id="B3.rate",
            words="The inverse gap grows at the limiting rate, less twice the time off "
            "the survivors, plus the time spent unevenly.",
            formula="(t - 2 I)/c <= 1/gap(t) - 1/gap(0) <= t/c + (1/n) int kappa",
            status="proved",
            hypotheses=in_tail,
        ),
        Claim(
            id="B3.lower",
            words="No start closes the gap faster than at rate 1/(2t).",
            formula="gap(t) >= 1/(1/gap(0) + 2 t)",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B3.upper",
            words="The gap closes as fast as the best patterns hold mass.",
            formula="gap(t) <= 1/(1/gap(0) + (1/M + 1/n) int P^2)",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B3.survivors-upper",
            words="The same with the mass of the surviving patterns; sharp in the end.",
            formula="gap(t) <= 1/(1/gap(0) + (1/m + 1/n) int P_m^2)",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B3.survivors",
            words="Of equally good patterns only the likeliest survive; the others' "
            "mass falls as a slow power of time.",
            formula="pi_l ~ p/(m a_l) ~ t^(-n/(n+m))",
            status="proved",
            hypotheses=has_losers,
        ),
        Claim(
            id="B3.monotone",
            words="Once no logit grows faster than the best one's, this stays so, and "
            "the best pattern never falls again.",
            formula="h_k >= 0 for all k  =>  pi_* never falls",
            status="proved",
            hypotheses=in_monotone_region,
        ),
        Claim(
            id="B3.ratios",
            words="The ratio of any pattern to the best one rises for a first while at "
            "most, and then falls for ever.",
            formula="pi_k/pi_* has no local minimum in time",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B3.leader",
            words="A best pattern that is the most likely one never falls.",
            formula="pi_*(0) >= max_k pi_0(k)  =>  pi_* never falls",
            status="proved",
            hypotheses=leads_from_the_start,
        ),
        Claim(
            id="B3.expansion",
            words="The limit is approached as slowly as t^(-2/K), from below.",
            formula="t gap = (n/(n+1)) [1 - V/(n (n-1) y^2) + ...]",
            status="formal",
            hypotheses=has_expansion,
        ),
    ),
)
