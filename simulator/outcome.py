"""Why a run ended: outcomes, their names, their meaning, and which are failures."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from simulator.validation import check_kind, check_known, shown

__all__ = [
    "FAILED_OUTCOMES",
    "OUTCOME_NAMES",
    "Outcome",
    "outcome_advice",
    "outcome_codes",
]


def _member(text: str) -> Any:
    """The text of a member, which Equinox makes the member of."""
    return text


class Outcome(eqx.Enumeration):
    """Why a run ended. The value of each member says what it means and what to do.

    >>> sim.Outcome[sim.Outcome.max_steps]
    'Too many solver steps; raise `max_steps` or loosen `tolerance`.'
    """

    reached: ClassVar["Outcome"] = _member("The event to stop at was reached.")
    horizon: ClassVar["Outcome"] = _member(
        "The time limit came first; raise the limit or relax the event."
    )
    stationary: ClassVar["Outcome"] = _member(
        "All patterns of the support are paid the same: the policy does not move, and "
        "what does not hold at the start never will."
    )
    settled: ClassVar["Outcome"] = _member(
        "The policy came to rest: no remaining pattern has an advantage. An event that "
        "has not happened by then never will."
    )
    max_steps: ClassVar["Outcome"] = _member(
        "Too many solver steps; raise `max_steps` or loosen `tolerance`."
    )
    nonfinite: ClassVar["Outcome"] = _member(
        "A logit or a reward became infinite or NaN, or no step was small enough for "
        "the tolerance; check weights and rewards, loosen the tolerance, or lower the "
        "learning rate."
    )
    oversized: ClassVar["Outcome"] = _member(
        "One step moved a logit by more than 50: odds changed by e^50 at once; lower "
        "the learning rate."
    )
    unreachable: ClassVar["Outcome"] = _member(
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
# The outcomes after which the numbers of a run mean nothing.
FAILED_OUTCOMES = ("max_steps", "nonfinite", "oversized")
# Texts for runs of other kinds than a flow with an event to stop at.
WITHOUT_UNTIL = {
    "horizon": (
        "The time limit came first. Without a penalty or bonus the policy only tends "
        "to a corner and never rests: stop at an event (`until`), like a gap of 1e-3, "
        "or raise the limit."
    )
}
IN_STEPS = {
    "reached": "The event happened; all steps were taken.",
    "horizon": "All steps were taken.",
}


def outcome_advice(name: str) -> str:
    """The meaning of an outcome, and the remedy.

    Raises `ValueError` for a name that is not in `OUTCOME_NAMES`.

    >>> outcome_advice("reached")
    'The event to stop at was reached.'
    """
    if not isinstance(name, str) or name not in OUTCOME_NAMES:
        raise ValueError(
            f"`name` is {shown(name)}; give an outcome: {', '.join(OUTCOME_NAMES)}."
        )
    texts: Any = Outcome  # by member; Equinox hides this from type checkers
    return texts[getattr(Outcome, name)]


def outcome_codes(outcome: Outcome) -> np.ndarray:
    """The place of each lane's outcome in `OUTCOME_NAMES`, `[*B]` bytes.

    Raises `ValueError` for what is no outcome.

    >>> int(outcome_codes(Outcome.settled))
    3
    """
    check_kind("outcome", outcome, Outcome, "solution.outcome")
    check_known("outcome", outcome._value)
    known = [np.asarray(getattr(Outcome, name)._value) for name in OUTCOME_NAMES]
    same = np.asarray(outcome._value)[..., None] == np.array(known)
    return np.argmax(same, axis=-1).astype(np.uint8)


class AbstractResult(eqx.Module):
    """A result with an `outcome` per lane, and what can be said of outcomes."""

    outcome: eqx.AbstractVar[Outcome]

    @property
    def outcome_names(self) -> np.ndarray:
        """The name of each lane's outcome, `[*B]` strings (0-d for one run).

        Raises `ValueError` inside of jit, grad and vmap.
        """
        return np.asarray(np.array(OUTCOME_NAMES)[outcome_codes(self.outcome)])

    @property
    def failed(self) -> Bool[Array, "*B"]:
        """Whether each lane failed (`FAILED_OUTCOMES`): its numbers mean nothing."""
        members = [getattr(Outcome, name) for name in FAILED_OUTCOMES]
        return jnp.any(jnp.stack([self.outcome == x for x in members]), axis=0)

    @property
    def outcome_counts(self) -> dict[str, int]:
        """The number of lanes with each outcome that occurs."""
        counts = np.bincount(outcome_codes(self.outcome).ravel(), minlength=1)
        return {OUTCOME_NAMES[i]: int(n) for i, n in enumerate(counts) if n}

    @property
    def advice(self) -> dict[str, str]:
        """The meaning of each outcome that occurs, and the remedy."""
        texts = self._texts()
        return {
            name: texts.get(name, outcome_advice(name)) for name in self.outcome_counts
        }

    def _texts(self) -> dict[str, str]:
        """Meanings of outcomes that are others for this kind of result."""
        return {}
