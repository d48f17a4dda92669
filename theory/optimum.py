r"""A1: the optimum of a KL-regularised reward, and its limit as the penalty vanishes.

With `J(pi) = E_pi[rho] - beta KL(pi || pi_ref)` and `beta > 0`,

    pi_opt(k) = pi_ref(k) exp(rho_k / beta) / N,   N = sum_j pi_ref(j) exp(rho_j / beta)

is the only maximiser, and as `beta -> 0` it tends to `pi_ref` restricted to the
patterns of largest reward. Source: Chen, Li, Zou, arXiv 2506.04695 (as reported),
Prop. 5.2; the proof, the distance bound and the rest point are this project.

Proof of the maximiser. Take any pi whose support lies in that of pi_ref (otherwise
`J = -inf`). From `log pi_opt = log pi_ref + rho / beta - log N`,

    beta KL(pi || pi_opt) = beta KL(pi || pi_ref) - E_pi[rho] + beta log N
                          = beta log N - J(pi).

At `pi = pi_opt` the left side is 0, so `J(pi_opt) = beta log N`, and therefore

    J(pi_opt) - J(pi) = beta KL(pi || pi_opt) >= 0,  with equality only at pi_opt.  []

Proof of the limit. Let A be the set of patterns with the largest reward, p > 0 its mass
under pi_ref, Delta > 0 the distance to the next distinct reward. On A the two policies
pi_opt and pi_lim are proportional, and pi_lim has no mass elsewhere; hence their total
variation distance is exactly the mass of pi_opt off A. Multiplying numerator and
denominator of that mass by `exp(-max rho / beta)`,

    TV = sum_{k not in A} pi_ref(k) e^{-(max rho - rho_k)/beta} / (p + same sum)
       <= (1 - p)/p * exp(-Delta / beta),   and TV <= 1.  []

*Rest point.* pi_opt is the only policy with the support of pi_ref at which the policy
gradient of J stands still: `pi_k (rho_k - rho_bar - beta (log(pi_k/pi_ref(k)) - KL)) =
0` for all k makes `rho_k - beta log(pi_k/pi_ref(k))` the same for all k.  []

Limit: this compares end points. It says nothing about how a flow or an optimiser gets
there, nor how long it takes. That the flow does come to rest there is only checked.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Finding, Statement
from theory.support import (
    Bools,
    Floats,
    best_reward,
    checked,
    is_best,
    is_suboptimal,
    log_sum,
    support,
)


def _positive(beta: ArrayLike) -> Floats:
    weight = np.asarray(beta, dtype=np.float64)
    if not np.all(weight > 0):
        raise ValueError(f"`beta` must be positive; got {beta!r}.")
    return weight


def optimal_policy(
    rewards: ArrayLike, log_reference: ArrayLike, beta: ArrayLike
) -> Floats:
    """Log-probabilities `[..., K]` of `pi_ref exp(rho / beta) / N`; `beta` is `[...]`.

    Safe for every positive float `beta`: rewards enter as `(rho - max rho) / beta`,
    which is 0 on the best patterns and at worst overflows to -inf on the others.
    """
    rho, log_ref = checked(rewards, log_reference)
    weight = _positive(beta)[..., None]
    shortfall = np.where(
        support(log_ref), rho - best_reward(rho, log_ref)[..., None], 0.0
    )
    with np.errstate(over="ignore"):
        tilted = log_ref + shortfall / weight
    return tilted - log_sum(tilted)[..., None]


def limit_policy(rewards: ArrayLike, log_reference: ArrayLike) -> Floats:
    """Log-probabilities `[..., K]` of the reference restricted to the best patterns."""
    rho, log_ref = checked(rewards, log_reference)
    kept = np.where(is_best(rho, log_ref), log_ref, -np.inf)
    return kept - log_sum(kept)[..., None]


def kl_divergence(log_policy: ArrayLike, log_reference: ArrayLike) -> Floats:
    """`KL(pi || pi_ref)` of `[..., K]` log-probabilities, +inf where not contained."""
    log_p, log_q = np.broadcast_arrays(
        np.asarray(log_policy, dtype=np.float64),
        np.asarray(log_reference, dtype=np.float64),
    )
    inside = support(log_p)
    # 0 log 0 = 0: a pattern without mass contributes nothing, wherever it lies.
    log_ratio = np.where(inside, log_p, 0.0) - np.where(inside, log_q, 0.0)
    return np.asarray(np.sum(np.exp(log_p) * log_ratio, axis=-1, where=inside))


def objective(
    rewards: ArrayLike,
    log_policy: ArrayLike,
    log_reference: ArrayLike,
    beta: ArrayLike,
) -> Floats:
    """`J(pi) = E_pi[rho] - beta KL(pi || pi_ref)`: `[...]`.

    -inf where pi puts mass outside the reference.
    """
    rho, log_pi = checked(rewards, log_policy)
    reward = np.sum(np.exp(log_pi) * rho, axis=-1)
    return np.asarray(reward - _positive(beta) * kl_divergence(log_pi, log_reference))


def total_variation(log_policy: ArrayLike, other: ArrayLike) -> Floats:
    """`(1/2) sum_k |p_k - q_k|` of two `[..., K]` log-probability arrays: `[...]`."""
    difference = np.exp(np.asarray(log_policy)) - np.exp(np.asarray(other))
    return np.asarray(0.5 * np.sum(np.abs(difference), axis=-1))


def limit_distance_bound(
    rewards: ArrayLike, log_reference: ArrayLike, beta: ArrayLike
) -> Floats:
    """Upper bound on the total variation between `optimal_policy` and `limit_policy`.

    `min(1, exp(-Delta / beta) (1 - p) / p)`; 0 where all rewards on the support agree.
    """
    rho, log_ref = checked(rewards, log_reference)
    others = is_suboptimal(rho, log_ref)
    second = np.max(np.where(others, rho, -np.inf), axis=-1)
    with np.errstate(over="ignore"):
        decay = -(best_reward(rho, log_ref) - second) / _positive(beta)
    log_p = log_sum(np.where(is_best(rho, log_ref), log_ref, -np.inf))
    log_rest = log_sum(np.where(others, log_ref, -np.inf))
    return np.asarray(np.exp(np.minimum(0.0, decay + log_rest - log_p)))


def _any_problem(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    s, log_pi = checked(success_rates, log_policy)
    return np.asarray(np.any(support(log_pi), axis=-1))


STATEMENT = Statement(
    id="A1",
    title="The optimum of a KL-regularised reward",
    words=(
        "Maximising reward minus beta times the divergence from the base model gives "
        "the base model tilted by exp(reward / beta). With a vanishing penalty only "
        "the best patterns remain, in the proportions the base model gave them."
    ),
    formula="pi_opt ~ pi_ref exp(rho / beta);  beta -> 0: pi_ref on argmax rho",
    source="Chen, Li, Zou, arXiv 2506.04695 (as reported), Prop. 5.2; rest point and "
    "bounds: this project",
    assumptions="beta > 0; finite rewards; base policy positive on the patterns used",
    proof="J(pi_opt) - J(pi) = beta KL(pi || pi_opt); see theory/optimum.py",
    claims=(
        Claim(
            id="A1.maximiser",
            words="No policy scores higher than the tilted reference.",
            formula="J(pi_opt) - J(pi) = beta KL(pi || pi_opt) >= 0",
            status="proved",
            hypotheses=_any_problem,
        ),
        Claim(
            id="A1.limit",
            words="The optimum approaches the restricted reference exponentially.",
            formula="TV(pi_opt, pi_lim) <= min(1, exp(-Delta / beta) (1 - p) / p)",
            status="proved",
            hypotheses=_any_problem,
        ),
    ),
    findings=(
        Finding(
            reported="The maximiser of reward minus beta KL to the reference is the "
            "reference tilted by exp(rho / beta).",
            found="It is. It is also the only policy with the reference's support at "
            "which the policy gradient is 0.",
            evidence=("A1.maximiser",),
            verdict="holds",
        ),
        Finding(
            reported="As beta tends to 0 the optimum is the reference restricted to "
            "the best patterns.",
            found="It is, and what is left on the others is exponentially small in "
            "1/beta.",
            evidence=("A1.limit",),
            verdict="holds with constants",
        ),
    ),
)
