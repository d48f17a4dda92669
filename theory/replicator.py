r"""B7: the natural gradient (mirror descent, replicator): no entanglement, no dip.

Flow: `theta_k' = rho_k`, up to a common shift the natural policy gradient of the mean
reward; in probabilities the replicator equation `pi_k' = pi_k (rho_k - rho_bar)`. With
fixed rewards it is linear in the logits:

    pi(t) ~ pi_0 exp(rho t).

*Proof.* Integrate, normalise.  [] Consequences, from every start:

- `log(pi_j/pi_k)` is linear in t: patterns of different reward are equal at one instant
  at most, `log(pi_0(k)/pi_0(j))/(rho_j - rho_k)`. The best one leads after the latest,
  `T = max_k log(pi_0(k)/pi_0(*))/(rho_* - rho_k)`: logarithmic in 1/pi_0(*), where the
  plain gradient needs a power of it (`theory.entanglement`). Who dominates is again a
  lower hull, now of the points `(rho_k, -log pi_0(k))`.
- `pi_*' = pi_* gap >= 0`: no dip. `gap' = -Var_pi(rho)`.
- The state at time t is the optimum of A1 with `beta = 1/t` and reference pi_0
  (`theory.optimum`): the mass off the best patterns is at most `((1 - p)/p)
  exp(-Delta t)`, p their initial mass, Delta the smallest reward difference.

**With KL** to a reference, `theta_k' = rho_k - beta log(pi_k/pi_ref(k))` up to a shift.
Then, with the optimum `log pi_opt = log pi_ref + rho/beta + const`,

    log pi(t) = log pi_opt + e^(-beta t) (log pi_0 - log pi_opt) + const.

*Proof.* `theta - log pi_opt` decays at rate beta, up to a shift.  [] Each log ratio
moves monotonically, and the objective never falls: `J' = Var_pi(f) >= 0` for
`f = rho - beta log(pi/pi_ref)`, since `theta' = f` up to a shift and grad J = pi
(f - f_bar). But pi_* may fall when it starts above pi_opt. (Reference and optimum are
restricted to the support of pi_0.)

Source: this project; the closed form without KL is classical. Limits: exact flow.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Statement
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


def _nonnegative(time: ArrayLike) -> Floats:
    clock = np.asarray(time, dtype=np.float64)
    if not np.all(clock >= 0):
        raise ValueError(f"`time` must not be negative; got {time!r}.")
    return clock


def replicator_policy(
    rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike
) -> Floats:
    """Log-probabilities `[..., K]` at `time` (broadcasts with the batch)."""
    rho, log_pi = checked(rewards, log_policy)
    short = np.where(support(log_pi), rho - best_reward(rho, log_pi)[..., None], 0.0)
    tilted = log_pi + short * _nonnegative(time)[..., None]
    return tilted - log_sum(tilted)[..., None]


def replicator_crossing_time(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """When a best pattern becomes the most likely one: `[...]`; 0 if it is already.

    `max_k log(pi_0(k)/pi_0(*))/(rho_* - rho_k)`, * the likeliest best pattern.
    """
    rho, log_pi = checked(rewards, log_policy)
    top = np.max(np.where(is_best(rho, log_pi), log_pi, -np.inf), axis=-1)
    others = is_suboptimal(rho, log_pi)
    delta = np.where(others, best_reward(rho, log_pi)[..., None] - rho, 1.0)
    lead = np.where(others, log_pi, 0.0) - top[..., None]
    times = np.where(others, lead / delta, 0.0)
    return np.asarray(np.max(times, axis=-1, initial=0.0))


def replicator_kl_policy(
    rewards: ArrayLike,
    log_reference: ArrayLike,
    log_policy: ArrayLike,
    beta: ArrayLike,
    time: ArrayLike,
) -> Floats:
    """Log-probabilities `[..., K]` at `time` with a KL penalty of weight `beta` >= 0.

    `beta` and `time` broadcast with the batch. The reference must cover the policy.
    """
    rho, log_pi = checked(rewards, log_policy)
    _, log_ref = checked(rho, log_reference)
    inside = support(log_pi)
    if not np.all(support(log_ref) | ~inside):
        raise ValueError("The reference must have mass wherever the policy has.")
    weight = np.asarray(beta, dtype=np.float64)
    if not np.all(weight >= 0):
        raise ValueError(f"`beta` must not be negative; got {beta!r}.")
    clock = _nonnegative(time)
    decay = weight * clock
    # (1 - e^(-beta t))/beta, which is t at beta = 0.
    reach = np.where(
        decay > 0, -np.expm1(-decay) / np.where(decay > 0, weight, 1.0), clock
    )
    pull = -np.expm1(-decay)[..., None] * np.where(inside, log_ref, 0.0)
    kept = np.exp(-decay)[..., None] * np.where(inside, log_pi, 0.0)
    short = np.where(inside, rho - best_reward(rho, log_pi)[..., None], 0.0)
    tilted = np.where(inside, pull + kept + short * reach[..., None], -np.inf)
    return tilted - log_sum(tilted)[..., None]


def _any_problem(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, log_pi = checked(success_rates, log_policy)
    return np.asarray(np.any(support(log_pi), axis=-1))


STATEMENT = Statement(
    id="B7",
    title="The natural gradient: no entanglement, no dip",
    words=(
        "Under the natural gradient every pattern grows at its own reward. The best "
        "one gains mass from the first moment on and takes the lead after a time that "
        "is logarithmic, not a power, of how rare it was."
    ),
    formula="pi(t) ~ pi_0 exp(rho t)",
    source="this project; the closed form is classical",
    assumptions="exact natural-gradient flow; fixed rewards",
    proof="the logits move linearly; theory/replicator.py",
    claims=(
        Claim(
            id="B7.closed-form",
            words="The policy is the base model tilted by exp(reward times time).",
            formula="pi(t) ~ pi_0 exp(rho t)",
            status="proved",
            hypotheses=_any_problem,
        ),
        Claim(
            id="B7.crossing",
            words="The best pattern leads after a logarithmic time.",
            formula="T_cross = max_k log(pi_0(k)/pi_0(*))/(rho_* - rho_k)",
            status="proved",
            hypotheses=_any_problem,
        ),
        Claim(
            id="B7.no-dip",
            words="The best pattern never loses mass.",
            formula="pi_*' = pi_* gap >= 0",
            status="proved",
            hypotheses=_any_problem,
        ),
        Claim(
            id="B7.optimum",
            words="The state at time t is the KL-regularised optimum at beta = 1/t.",
            formula="pi(t) = pi_opt(beta = 1/t);  1 - P <= ((1 - p)/p) exp(-Delta t)",
            status="proved",
            hypotheses=_any_problem,
        ),
        Claim(
            id="B7.kl",
            words="With a KL penalty the logarithm of the policy relaxes to that of "
            "the optimum, exponentially and along a straight line.",
            formula="log pi(t) = log pi_opt + e^(-beta t) (log pi_0 - log pi_opt) + c",
            status="proved",
            hypotheses=_any_problem,
        ),
    ),
)
