r"""Among equally good patterns only the likeliest survive.

Notation: `theory.intrinsic_time`; n suboptimal patterns; M best ones. Between equal
rewards the difference `u_i - u_j` is conserved. So the m best patterns that share the
largest initial probability, the *survivors*, keep equal shares, and the other best
ones, the *losers*, end at `u_l -> a_l = c_l - c_* > 0` while the survivors' u = p tends
to 0. With n >= 1 the product `prod u = 1` reads `p^m A D tau^n -> 1`, `A = prod a_l`,
`D = prod (rho_* - rho_k)` over the suboptimal k; so `1/p` grows as `tau^(n/m)`,
`Z ~ m/p`, `t = int Z dtau ~ m^2 tau/(p (n + m))`. Eliminate tau:

    p ~ (A D)^(-1/(n+m)) (m^2/((n + m) t))^(n/(n+m)),

and a loser's mass is `1/(u_l Z) ~ p/(m a_l)`: diversity among equals dies as
`t^(-n/(n+m))`, which is slow.  []

Source: this project. Limits: exact flow, fixed rewards. Equal means equal in floating
point: of two probabilities that differ by a rounding error one is a loser, though it
will take a long time to show.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.hull import inverse_difference
from theory.support import (
    Bools,
    Floats,
    best_reward,
    checked,
    is_best,
    is_suboptimal,
    support,
)


def survivors(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """The best patterns that share the largest probability among the best: `[..., K]`.

    Probabilities count as equal if their logarithms are, in floating point.
    """
    rho, log_pi = checked(rewards, log_policy)
    best = is_best(rho, log_pi)
    top = np.max(np.where(best, log_pi, -np.inf), axis=-1, keepdims=True)
    return np.asarray(best & (log_pi == top))


def has_suboptimal(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether something is left to learn, n >= 1: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    return np.asarray(np.any(is_suboptimal(rho, log_pi), axis=-1))


def has_losers(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether a best pattern will die out (m < M, n >= 1): `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    losers = is_best(rho, log_pi) & ~survivors(rho, log_pi)
    return np.asarray(np.any(losers, axis=-1) & has_suboptimal(rho, log_pi))


def loser_exponent(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`n/(n + m)`: the mass of a losing best pattern falls as `t^-exponent`: `[...]`.

    nan where there is no such pattern, or nothing is suboptimal (then nothing moves).
    """
    rho, log_pi = checked(rewards, log_policy)
    n = np.sum(is_suboptimal(rho, log_pi), axis=-1)
    m = np.sum(survivors(rho, log_pi), axis=-1)
    return np.where(has_losers(rho, log_pi), n / (n + m), np.nan)


def loser_mass(rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike) -> Floats:
    """Leading term of a losing best pattern's log-probability at `time`: `[..., K]`.

    `p/(m a_l)` in the notation of the module; nan for all other patterns.
    """
    rho, log_pi = checked(rewards, log_policy)
    others, kept = is_suboptimal(rho, log_pi), survivors(rho, log_pi)
    losers = is_best(rho, log_pi) & ~kept & has_losers(rho, log_pi)[..., None]
    n, m = np.sum(others, axis=-1), np.sum(kept, axis=-1)
    log_mean = np.mean(log_pi, axis=-1, where=support(log_pi))[..., None]
    height = inverse_difference(log_pi, np.argmax(kept, axis=-1))
    log_a = np.log(np.where(losers, height, 1.0)) + log_mean
    delta = np.where(others, best_reward(rho, log_pi)[..., None] - rho, 1.0)
    log_ad = np.sum(log_a, axis=-1, where=losers) + np.sum(np.log(delta), axis=-1)
    front = n * (2 * np.log(m) - np.log(n + m) - np.log(time)) - log_ad
    log_p = (front / (n + m) - np.log(m))[..., None]
    return np.where(losers, log_p - log_a, np.nan)
