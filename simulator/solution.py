"""The result of a run, and why it stopped."""

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int

from simulator.validation import check_kind, check_known

__all__ = [
    "OUTCOME_NAMES",
    "Outcome",
    "Solution",
    "outcome_codes",
    "outcome_names",
]


class Outcome(eqx.Enumeration):
    """Why a run ended. The value of each member says what it means and what to do."""

    reached = "The event to stop at was reached."
    horizon = (
        "The time limit came first; raise the limit or relax the event (rest is only a "
        "limit where no penalty or bonus holds the policy inside the simplex)."
    )
    stationary = (
        "All patterns of the support are paid the same: the policy does not move, and "
        "what does not hold at the start never will."
    )
    settled = (
        "The policy came to rest: no pattern that is left has an advantage any more. "
        "An event that has not happened never will; relax it, or lower the penalty or "
        "bonus."
    )
    max_steps = "Too many solver steps; raise `max_steps` or loosen `tolerance`."
    nonfinite = (
        "A logit or a reward became infinite or NaN, or no step was small enough for "
        "the tolerance; check weights and rewards, loosen the tolerance, or lower the "
        "learning rate."
    )
    oversized = (
        "One step moved a logit by more than 50: odds changed by e^50 at once; lower "
        "the learning rate."
    )
    unreachable = (
        "The event cannot happen from this base model, however long the run; choose "
        "another event or level."
    )


OUTCOME_NAMES = (
    "reached",
    "horizon",
    "stationary",
    "settled",
    "max_steps",
    "nonfinite",
    "oversized",
    "unreachable",
)


class Solution(eqx.Module):
    """The result of one run, or of a batch along the leading axes `*B`.

    Times are natural logarithms of the flow time `t` (`step_size * num_steps` for
    discrete training), because plateaus last longer than floats can say.

    - `outcome`: an `Outcome` per lane.
    - `log_time`, `log_probs`: where the run ended. The time is `-inf` if the event to
      stop at holds from the start, `+inf` if it never will (`unreachable`: the policy
      is that at the time limit; `stationary`).
    - `event_log_times`: one per event asked for; `-inf`: true from the start (or an
      extremum at the start), `+inf`: did not happen.
    - `event_log_probs`: the policy at those events (the final one where it did not
      happen).
    - `saved`: what was observed at the times asked for; rows after the end of the run
      repeat the final value; `None` if no times were given.
    - `num_steps`: solver steps taken.
    - `method`: the engine: `exact`, or `flow`, whose implicit steps are `implicit`.
    """

    outcome: Outcome
    log_time: Float[Array, "*B"]
    log_probs: Float[Array, "*B K"]
    event_log_times: Float[Array, "*B E"]
    event_log_probs: Float[Array, "*B E K"]
    saved: Array | None
    num_steps: Int[Array, "*B"]
    method: str = eqx.field(static=True)


def outcome_codes(outcome: Outcome) -> np.ndarray:
    """The place of each lane's outcome in `OUTCOME_NAMES`, `[*B]` bytes.

    Raises `ValueError` for what is no outcome.
    """
    check_kind("outcome", outcome, Outcome, "solution.outcome")
    check_known("outcome", outcome._value)
    known = [np.asarray(getattr(Outcome, name)._value) for name in OUTCOME_NAMES]
    same = np.asarray(outcome._value)[..., None] == np.array(known)
    return np.argmax(same, axis=-1).astype(np.uint8)


def outcome_names(outcome: Outcome) -> np.ndarray:
    """The name of each lane's outcome, `[*B]` strings (a 0-d array for one run).

    Raises `ValueError` for what is no outcome.
    """
    return np.asarray(np.array(OUTCOME_NAMES)[outcome_codes(outcome)])
