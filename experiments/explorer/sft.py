"""SFT on one pattern in closed form, for any number of base models and doses at once.

Demonstrations that all show pattern i move the logits at `delta_ik - pi_k`. With
`dsigma = dt / sum_j exp(theta_j)`, in the gauge `theta(0) = log pi_0`,

    exp(-theta_k) = 1/pi_0(k) + sigma     for every other k,

because `(exp(-theta_k))' = pi_k exp(-theta_k)`; and the logits' sum stays. So

    theta_i = log pi_0(i) + sum_{k != i} log(1 + sigma pi_0(k)),
    t = pi_0(i) int_0^sigma prod_{k != i} (1 + s pi_0(k)) ds
        + sum_{k != i} log(1 + sigma pi_0(k)),

an increasing function of sigma: a polynomial without negative coefficients, and
logarithms. It is inverted by Newton's method, everything in logarithms.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

STEPS = 60  # of Newton's method; 5 to 12 are taken


def after_sft(
    log_policy: Float[np.ndarray, "*#B K"], shown: int, dose: ArrayLike
) -> Float[np.ndarray, "*B K"]:
    """Log-probabilities after SFT on the pattern `shown`.

    `dose` `[*#B]`: the flow time, learning rate times steps; 0 changes nothing. A
    pattern that is never drawn stays so. Exact to rounding. The pattern that is shown
    must be in the support.
    """
    dose = np.asarray(dose, float)
    nothing = dose == 0
    if nothing.all():
        return np.broadcast_arrays(log_policy, dose[..., None])[0]
    dose = np.where(nothing, 1.0, dose)
    others = np.delete(log_policy, shown, axis=-1)
    others, first = (
        np.broadcast_arrays(others, dose[..., None])[0],
        log_policy[..., shown],
    )
    first = np.broadcast_to(first, others.shape[:-1])
    powers = np.arange(1, others.shape[-1] + 2)
    log_terms = _log_symmetric(others) - np.log(powers)
    log_dose = np.log(np.broadcast_to(dose, first.shape))

    def log_time(x):
        """log t and its slope at `x = log sigma`."""
        places = others + x[..., None]
        drifts = np.logaddexp(0, places)
        with np.errstate(divide="ignore"):
            small = np.where(places < -30, places, np.log(drifts))
        parts = np.concatenate(
            [first[..., None] + log_terms + powers * x[..., None], small], axis=-1
        )
        rises = np.concatenate(
            [
                np.broadcast_to(powers, (*x.shape, powers.size)),
                np.exp(places - drifts - np.where(small > -np.inf, small, 0.0)),
            ],
            axis=-1,
        )
        top = parts.max(axis=-1, keepdims=True)
        shares = np.exp(parts - top)
        total = shares.sum(axis=-1)
        return top[..., 0] + np.log(total), (shares * rises).sum(axis=-1) / total

    # t >= pi_i sigma, and t >= log(1 + sigma pi_k): sigma is below both of these.
    x = np.minimum(log_dose - first, _log_expm1(dose) - others.max(axis=-1))
    for _ in range(STEPS):
        found, slope = log_time(x)
        step = (log_dose - found) / slope
        x = x + step
        if (np.abs(step) < 1e-14 * np.maximum(1, np.abs(x))).all():
            break
    grown = np.logaddexp(0, others + x[..., None])
    logits = np.insert(others - grown, shown, first + grown.sum(-1), axis=-1)
    top = logits.max(axis=-1, keepdims=True)
    after = logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
    return np.where(nothing[..., None], log_policy, after)


def _log_symmetric(logs):
    """Logarithms of the coefficients of `prod_k (1 + s e^logs_k)`, `[..., K + 1]`."""
    K = logs.shape[-1]
    found = np.full((*logs.shape[:-1], K + 1), -np.inf)
    found[..., 0] = 0.0
    for k in range(K):
        found[..., 1:] = np.logaddexp(
            found[..., 1:], found[..., :-1] + logs[..., k, None]
        )
    return found


def _log_expm1(x):
    """`log(e^x - 1)` for x > 0."""
    return x + np.log(-np.expm1(-x))
