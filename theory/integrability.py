r"""B1: the flow is solvable, and how to see it in two states of a run.

`theory.intrinsic_time` proves: with `u_k = exp(-theta_k)` in the gauge `sum theta = 0`
(`u_k = (geometric mean of pi)/pi_k`, so that `prod u_k = 1`) and `dt = Z dtau`,
`Z = sum_k 1/u_k`, all differences of u are linear in tau:

    u_k(t) - u_j(t)  =  c_k - c_j - (rho_k - rho_j) tau(t).

So any two states of one run determine tau, and everything left over must vanish
(`elapsed`): a test of a simulated run that needs neither its clock nor its step sizes.
Z is one over the geometric mean of pi, so `tau = int_0^t (prod pi)^(1/K) dt`.

**Two patterns.** `x = theta_1 - theta_2` moves by `x' = 2 pi_1 pi_2 (rho_1 - rho_2)`,
because `rho_1 - rho_bar = pi_2 (rho_1 - rho_2)` and the other way round. As
`pi_1 pi_2 = 1/(2 + 2 cosh x)`,

    (1 + cosh x) x' = rho_1 - rho_2,   hence   x + sinh x  grows at that rate.   []

Source: this project (K = 2: `x + sinh x` is in any course on separable equations).
Limits: fixed rewards, exact plain policy gradient, no KL.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Statement
from theory.support import Bools, Floats, checked, is_suboptimal, support


class Elapsed(NamedTuple):
    """Intrinsic time between two states, and the misfit; both `[...]`.

    The misfit is the largest deviation from the law over the largest u of both states:
    0 up to rounding for two states of one run. nan where all rewards agree.
    """

    tau: Floats
    misfit: Floats


def inverse_weights(log_policy: ArrayLike) -> Floats:
    """`u_k = exp(mean log pi - log pi_k)`, of product one: `[..., K]`; inf outside."""
    log_pi = np.asarray(log_policy, dtype=np.float64)
    log_mean = np.mean(log_pi, axis=-1, where=support(log_pi), keepdims=True)
    return np.asarray(np.exp(log_mean - log_pi))


def elapsed(rewards: ArrayLike, log_policy: ArrayLike, log_later: ArrayLike) -> Elapsed:
    """tau by least squares over the patterns, and what it leaves unexplained."""
    rho, log_pi = checked(rewards, log_policy)
    inside = support(log_pi)
    start = np.where(inside, inverse_weights(log_pi), 0.0)
    end = np.where(inside, inverse_weights(log_later), 0.0)

    def centred(values: Floats) -> Floats:
        mean = np.mean(values, axis=-1, where=inside, keepdims=True)
        return np.where(inside, values - mean, 0.0)

    moved, slope = centred(end - start), centred(rho)
    power = np.sum(slope**2, axis=-1)
    known = has_two_rewards(rho, log_pi)
    tau = -np.sum(moved * slope, axis=-1) / np.where(known, power, 1.0)
    rest = np.max(np.abs(moved + slope * tau[..., None]), axis=-1)
    scale = np.max(np.maximum(start, end), axis=-1)
    return Elapsed(np.where(known, tau, np.nan), np.where(known, rest / scale, np.nan))


def two_pattern_time(
    rewards: ArrayLike, log_policy: ArrayLike, log_later: ArrayLike
) -> Floats:
    """Time between two states of a run with two patterns: `[...]`.

    `(x + sinh x - x_0 - sinh x_0)/(rho_1 - rho_2)`, `x = log(pi_1/pi_2)`. nan unless
    the last axis has two patterns of different reward, both on the support.
    """
    rho, log_pi = checked(rewards, log_policy)
    later = np.asarray(log_later, dtype=np.float64)
    if rho.shape[-1] != 2:
        return np.full(rho.shape[:-1], np.nan)
    known = has_two_patterns(rho, log_pi)

    def odds(values: Floats) -> Floats:
        return np.where(known, values[..., 0], 0.0) - np.where(known, values[..., 1], 0)

    x0, x = odds(log_pi), odds(later)
    # sinh x - sinh x0 without cancellation.
    rise = 2 * np.cosh(0.5 * (x + x0)) * np.sinh(0.5 * (x - x0))
    speed = np.where(known, rho[..., 0] - rho[..., 1], 1.0)
    return np.where(known, (x - x0 + rise) / speed, np.nan)


def has_two_rewards(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether anything moves: two different rewards on the support: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    return np.asarray(np.any(is_suboptimal(rho, log_pi), axis=-1))


def has_two_patterns(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Two patterns on the support, with different rewards: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    two = np.sum(support(log_pi), axis=-1) == 2
    return np.asarray(two & has_two_rewards(rho, log_pi))


STATEMENT = Statement(
    id="B1",
    title="The flow with fixed rewards is exactly solvable",
    words=(
        "In a suitable clock the inverse probabilities of the patterns, rescaled to "
        "product one, move apart at constant speeds. A state costs one scalar root, a "
        "time one integral, however long the training."
    ),
    formula="u_k - u_j = (c_k - c_j) - (rho_k - rho_j) tau,  prod u_k = 1",
    source="this project",
    assumptions="exact softmax policy-gradient flow; fixed rewards; no KL",
    proof="du_k/dtau = rho_bar - rho_k, sum theta conserved; theory/intrinsic_time.py, "
    "theory/integrability.py",
    claims=(
        Claim(
            id="B1.linear",
            words="Differences of u are linear in the intrinsic time.",
            formula="u_k - u_j = (c_k - c_j) - (rho_k - rho_j) tau",
            status="proved",
            hypotheses=has_two_rewards,
        ),
        Claim(
            id="B1.root",
            words="The state at a given intrinsic time is one root, and only one.",
            formula="sum_k log(p + a_k) = 0 has one root p in (0, 1]",
            status="proved",
            hypotheses=has_two_rewards,
        ),
        Claim(
            id="B1.clock",
            words="Time is an integral over the intrinsic time.",
            formula="t = int_0^tau sum_k 1/u_k dtau",
            status="proved",
            hypotheses=has_two_rewards,
        ),
        Claim(
            id="B1.two",
            words="With two patterns the logit difference x obeys an explicit law.",
            formula="x + sinh x = x_0 + sinh x_0 + (rho_1 - rho_2) t",
            status="proved",
            hypotheses=has_two_patterns,
        ),
    ),
)
