"""Where a run of `pattern-selection run` ended, and whether another pattern wins later.

An event may hold on a plateau: of the run's last leader it says nothing.
"""

from typing import Any

LEVEL = 1e-6  # of log-probabilities: as likely as each other, where an event is located
NOISE = 1e-9  # of the largest reward: rounding


def ending(solution: Any, base: Any, final: Any, rates: Any) -> dict[str, Any]:
    """The most likely pattern at the end, the best one, and the one that is paid more.

    `base`, `final`: log-probabilities `[K]`; `rates` `[K]`. Of patterns that are
    equally likely the one that is paid most is named, and all are in `final_patterns`.
    What is paid is net of the pull of a penalty, `rho_k - beta log(pi_k / pi_ref_k)`.
    """
    import numpy as np

    inside = base > -np.inf
    best = int(np.argmax(np.where(inside, rates, -np.inf)))
    known = {"best_pattern": best, "best_rate": float(rates[best])}
    if np.isnan(final).any() or solution.failed:
        return {
            "final_pattern": None,
            "final_patterns": [],
            "final_pattern_is_best": None,
            "paid_more": None,
            **known,
        }
    paid, pull = _rewards(solution, inside)
    level = inside & (final >= final.max() - LEVEL)
    last = int(np.argmax(np.where(level, paid - pull, -np.inf)))
    return {
        "final_pattern": last,
        "final_patterns": np.flatnonzero(level).tolist(),
        "final_pattern_is_best": bool((rates[level] == rates[best]).all()),
        "paid_more": _paid_more(solution, paid, pull, inside, last),
        **known,
    }


def decided(solution: Any) -> bool:
    """Whether what has not happened never will: the policy rests."""
    import simulator as sim

    return solution.outcome in (sim.Outcome.settled, sim.Outcome.stationary)


def _rewards(solution: Any, inside: Any) -> tuple[Any, Any]:
    """`rho_k` and `beta log(pi_k / pi_ref_k)` at the end, `[K]`; 0 off the support."""
    import numpy as np

    problem, (signal, update, _) = solution.known_problem(), solution.parts()
    paid = np.asarray(signal.paid(problem, solution.log_probs), float)
    pull = np.zeros_like(paid)
    if update.penalised:
        away = np.asarray(solution.log_probs)[inside]
        away = away - np.asarray(problem.log_reference)[inside]
        pull[inside] = float(update.beta) * away
    return np.where(inside, paid, 0.0), pull


def _paid_more(solution, paid, pull, inside, last: int) -> dict | None:
    """The pattern that is paid most, if the run ended early, and it does not lead.

    Under fixed rewards it wins: without a penalty the policy tends to the patterns
    that are paid most, with one to `pi_ref e^(rho / beta)`. A pattern that is ahead
    there is paid more as long as it is behind.
    """
    import numpy as np

    signal, update, _ = solution.parts()
    if decided(solution):
        return None
    net = paid - pull
    ranks = net
    if signal.fixed and update.penalised:
        reference = np.asarray(solution.known_problem().log_reference)
        ranks = paid + float(update.beta) * np.where(inside, reference, 0.0)
    top = int(np.argmax(np.where(inside, ranks, -np.inf)))
    if ranks[top] <= ranks[last] + NOISE * np.abs(ranks).max():
        return None
    return {
        "pattern": top,
        "reward": float(net[top]),
        "reward_of_final": float(net[last]),
        "wins_later": True if signal.fixed else None,
    }
