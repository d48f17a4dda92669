r"""Answers given patterns: the answer kernel and its averages.

`kernel` is `[..., K, A]`: row k holds the probability of every answer given pattern k,
the correct answer in column 0. With a policy `pi` the model answers a with probability
`P_pi(a) = sum_k pi_k P[k, a]`.

Every reward of an answer moves the answers through one inner product. Put
`x_k(f) = pi_k (f_k - f_bar)` for any number f_k per pattern. The policy-gradient flow
paid f is `theta_k' = x_k(f)`; these sum to zero, hence for any other number h per
pattern

    d/dt E_pi[h] = sum_k h_k pi_k (theta_k' - sum_j pi_j theta_j')
                 = sum_k x_k(h) x_k(f) = <x(h), x(f)>.                     (1)

With h = f it is the square |x(f)|^2: what is paid for (and fixed) never falls.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.support import Bools, Floats, accuracy_excess, checked, support


def checked_kernel(kernel: ArrayLike, log_policy: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64, `[..., K, A]` and `[..., K]`, or a `ValueError`.

    Rows on the support must be distributions (sums within 1e-6 of 1); rows outside it
    are replaced by uniform ones.
    """
    P = np.asarray(kernel, dtype=np.float64)
    if P.ndim < 2 or P.shape[-1] < 2:
        raise ValueError(f"`kernel` needs shape [..., K, A], A >= 2; got {P.shape}.")
    _, log_pi = checked(np.zeros(P.shape[-2]), log_policy)
    shape = np.broadcast_shapes(P.shape[:-1], log_pi.shape)
    log_pi = np.broadcast_to(log_pi, shape)
    P = np.broadcast_to(P, (*shape, P.shape[-1]))
    inside = support(log_pi)
    P = np.where(inside[..., None], P, 1 / P.shape[-1])
    if not (np.all(P >= 0) and np.all(np.abs(P.sum(axis=-1) - 1) <= 1e-6)):
        raise ValueError("Rows of `kernel` must be distributions over the answers.")
    return P, log_pi


def any_kernel(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Hypothesis of claims that hold for every kernel: `[...]`."""
    return np.asarray(np.any(support(checked_kernel(kernel, log_policy)[1]), axis=-1))


def two_answers(kernel: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Hypothesis of claims about two answers: `[...]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    return any_kernel(P, log_pi) & (P.shape[-1] == 2)


def answer_probabilities(kernel: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`P_pi(a) = sum_k pi_k P[k, a]`: `[..., A]`."""
    P, log_pi = checked_kernel(kernel, log_policy)
    return np.asarray(np.einsum("...k,...ka->...a", np.exp(log_pi), P))


def row_entropy(kernel: ArrayLike) -> Floats:
    """Entropy of every row, `-sum_a P log P`, with 0 log 0 = 0: `[..., K]`.

    Rows with the same entries in another order come out equal to the last bit.
    """
    P = np.sort(np.asarray(kernel, dtype=np.float64), axis=-1)
    return np.asarray(-np.sum(P * np.log(np.where(P > 0, P, 1.0)), axis=-1))


def policy_entropy(log_policy: ArrayLike) -> Floats:
    """Entropy of the policy itself: `[...]`."""
    return row_entropy(np.exp(np.asarray(log_policy, dtype=np.float64)))


def push(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`x_k = pi_k (rho_k - rho_bar)`, the policy-gradient velocity: `[..., K]`."""
    rho, log_pi = checked(rewards, log_policy)
    return -np.exp(log_pi) * np.where(support(log_pi), accuracy_excess(rho, log_pi), 0)


def share(log_policy: ArrayLike, weight: ArrayLike) -> Floats:
    """`E_pi[weight]` of numbers per pattern, ignored outside the support: `[...]`."""
    log_pi = np.asarray(log_policy, dtype=np.float64)
    return np.asarray(
        np.sum(np.exp(log_pi) * weight, axis=-1, where=support(log_pi), initial=0.0)
    )
