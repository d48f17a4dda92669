"""The patterns that count, and differences of success rates without cancellation.

A pattern to which the base policy gives no mass never gains any under a softmax policy
gradient, so "best", "unique" and "how many" always refer to the support of `log_policy`
(the patterns with `log_policy > -inf`).

Close to the optimum `max(s) - ACC` is a difference of nearly equal numbers. Every gap
here is therefore a policy average of differences, `sum_j pi_j (s_j - s_k)`, which keeps
full relative accuracy as long as its terms have one sign.

Shapes: `K` is the number of patterns; `...` stands for any leading batch axes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def real_array(name: str, value: ArrayLike) -> Floats:
    """Real numbers as float64; `ValueError` for anything else, such as text."""
    try:
        given = np.asarray(value)
    except ValueError:  # rows of unequal length
        given = np.asarray(None)
    if given.dtype.kind not in "biuf" or np.ma.is_masked(value):
        raise ValueError(f"`{name}` must hold real numbers, in rows of equal length.")
    return given.astype(np.float64, copy=False)


def checked(rewards: ArrayLike, log_policy: ArrayLike) -> tuple[Floats, Floats]:
    """Both arguments as float64 of one shape `[..., K]`, or a `ValueError`.

    `log_policy` must be normalised (its exponentials sum to 1 within 1e-6); rewards
    must be finite on the support and are replaced by 0 outside it.
    """
    rho = real_array("rewards", rewards)
    log_pi = real_array("log_policy", log_policy)
    if rho.ndim < 1 or log_pi.ndim < 1 or rho.shape[-1] != log_pi.shape[-1]:
        raise ValueError(
            "Rewards and `log_policy` need one last axis [..., K]; "
            f"got shapes {rho.shape} and {log_pi.shape}."
        )
    rho, log_pi = np.broadcast_arrays(rho, log_pi)
    total = np.exp(log_pi).sum(axis=-1)
    if not np.all(np.abs(total - 1.0) <= 1e-6):
        raise ValueError(
            "`log_policy` must hold log-probabilities that sum to one; "
            f"got sums between {np.min(total)} and {np.max(total)}."
        )
    inside = support(log_pi)
    if not np.all(np.isfinite(rho) | ~inside):
        raise ValueError("Rewards must be finite on the support of `log_policy`.")
    return np.where(inside, rho, 0.0), log_pi


def support(log_policy: Floats) -> Bools:
    """Which patterns carry mass: `[..., K]`."""
    return np.asarray(log_policy > -np.inf)


def best_reward(rewards: Floats, log_policy: Floats) -> Floats:
    """Largest reward on the support: `[...]`."""
    return np.asarray(np.max(np.where(support(log_policy), rewards, -np.inf), axis=-1))


def is_best(rewards: Floats, log_policy: Floats) -> Bools:
    """Patterns of the support that have the largest reward: `[..., K]`."""
    top = best_reward(rewards, log_policy)[..., None]
    return np.asarray(support(log_policy) & (rewards == top))


def is_suboptimal(rewards: Floats, log_policy: Floats) -> Bools:
    """Patterns of the support that are not best: `[..., K]`."""
    return support(log_policy) & ~is_best(rewards, log_policy)


def gap(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`s_* - ACC = sum_k pi_k (s_* - s_k)`, full relative accuracy: `[...]`."""
    s, log_pi = checked(success_rates, log_policy)
    short = best_reward(s, log_pi)[..., None] - s
    return np.asarray(np.sum(np.exp(log_pi) * short, axis=-1, where=support(log_pi)))


def accuracy_excess(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`ACC - s_k = sum_j pi_j (s_j - s_k)` for every pattern k: `[..., K]`.

    Outside the support s_k counts as 0 and callers mask. The sign is unreliable
    only when `|ACC - s_k|` is below about 1e-16 of the spread of the rates.
    """
    s, log_pi = checked(success_rates, log_policy)
    differences = s[..., :, None] - s[..., None, :]
    return np.asarray(np.einsum("...j,...jk->...k", np.exp(log_pi), differences))


def log_sum(terms: Floats, axis: int = -1) -> Floats:
    """`log sum exp(terms)` along `axis`; -inf where every term is -inf."""
    top = np.max(terms, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(terms - shift), axis=axis))
    return np.asarray(total + np.squeeze(shift, axis=axis))
