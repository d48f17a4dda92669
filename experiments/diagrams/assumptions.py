"""What lines of theory assume of a sweep: signal, update, recipe, base models."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.sweeps.axis_texts import suffixes
from experiments.sweeps.families import FAMILIES

if TYPE_CHECKING:
    from experiments.sweeps.sweep_file import Sweep


@dataclass(frozen=True)
class Assumption:
    """`words` complete the sentence "it holds for ... only"."""

    words: str
    holds: Callable[["Sweep"], bool]


def family(*names: str) -> Assumption:
    """Base models of these families."""
    known = [FAMILIES[name] for name in names]
    words = f"base models of {' and '.join(names)}"
    return Assumption(words, lambda sweep: sweep.family in known)


def _is_verifiable(sweep: "Sweep") -> bool:
    import simulator as sim

    return type(sweep.roots.get("signal")) is sim.Verifiable


def _is_noisy_verifier(sweep: "Sweep") -> bool:
    import simulator as sim

    return type(sweep.roots.get("signal")) is sim.NoisyVerifier


def _without_kl(sweep: "Sweep", *classes: type) -> bool:
    update: Any = sweep.roots.get("update")
    return type(update) in classes and float(update.beta) == 0


def _is_policy_gradient(sweep: "Sweep") -> bool:
    import simulator as sim

    return _without_kl(sweep, sim.PolicyGradient)


def _has_no_kl(sweep: "Sweep") -> bool:
    import simulator as sim

    return _without_kl(sweep, sim.PolicyGradient, sim.NaturalGradient)


def _pays_confidence(sweep: "Sweep") -> bool:
    import simulator as sim

    return type(sweep.roots.get("signal")) is sim.FixedConfidence and sweep.own == (0,)


def _pays_both(sweep: "Sweep") -> bool:
    """Success and own confidence, weights that add up to 1."""
    import simulator as sim

    signal = sweep.roots.get("signal")
    if not isinstance(signal, sim.Mixture) or len(sweep.own) != 1:
        return False
    kinds = {type(part) for part in signal.signals}
    success = [i for i, s in enumerate(signal.signals) if type(s) is sim.Verifiable]
    return len(signal.signals) == len(kinds) == 2 and success == [sweep.rest]


def _is_rloo(sweep: "Sweep") -> bool:
    from experiments.text import recipes
    from simulator import rollouts

    if not sweep.trains:
        return False
    recipe = sweep.roots["recipe"]
    free = ("group_size", "learning_rate", "num_steps")
    plain = dataclasses.replace(
        rollouts.Recipe(estimator=rollouts.RLOO()),
        **{name: getattr(recipe, name) for name in free},
    )
    return recipes.dumps(recipe) == recipes.dumps(plain)


VERIFIABLE = Assumption("the signal verifiable", _is_verifiable)
NOISY_VERIFIER = Assumption("the signal noisy-verifier", _is_noisy_verifier)
CONFIDENCE = Assumption("a model that is paid its own confidence", _pays_confidence)
MIXTURE = Assumption("success and own confidence, weights of sum 1", _pays_both)
POLICY_GRADIENT = Assumption("the policy gradient without KL", _is_policy_gradient)
NO_KL = Assumption("the policy gradient and the natural one without KL", _has_no_kl)
RLOO = Assumption("training with RLOO, sgd, an exact verifier and no more", _is_rloo)
TWO_PATTERNS = Assumption("two patterns", lambda sweep: sweep.width == 2)


def reason(needs: Sequence[str], assumes: Sequence[Assumption], sweep: "Sweep") -> str:
    """Why a line would be false on a diagram of this sweep; empty if it is true.

    `needs`: the parameters that it is a function of besides those of the base models.
    """
    varied = list(zip(sweep.axes, sweep.places, strict=True))
    outside = [
        axis.name
        for axis, slot in varied
        if axis.labels is not None
        or slot.path[0] not in ("model", "seed")
        and not set(suffixes(slot.name)) & set(needs)
    ]
    if outside:
        return f"it is another one for each {' and '.join(outside)}"
    known = {*numbers(sweep)}.union(*(suffixes(slot.name) for _, slot in varied))
    missing = [name for name in needs if name not in known]
    if missing:
        return f"it needs {' and '.join(missing)}"
    for assumption in assumes:
        if not assumption.holds(sweep):
            return f"it holds for {assumption.words} only"
    return ""


def numbers(sweep: "Sweep") -> dict[str, float]:
    """All parameters that are one number, by each of their names."""
    from experiments.sweeps.sweep_file import known_slots

    found: dict[str, float] = {}
    for slot in known_slots(sweep.roots):
        value = slot.value
        if slot.path[:2] == ("signal", "weights"):
            value = sweep.roots["signal"].weights[slot.path[2]]
        if slot.kind != "part" and value is not None and not isinstance(value, str):
            found |= {name: float(value) for name in suffixes(slot.name)}
    return found | dict(sweep.fixed) | goal(sweep)


def goal(sweep: "Sweep") -> dict[str, float]:
    """The accuracy at which all runs end, if that is what they wait for."""
    import simulator as sim

    if sweep.trains or any(slot.path[0] == "until" for slot in sweep.places):
        return {}
    until = sweep.roots.get("until")
    return {"goal": float(until.level)} if isinstance(until, sim.Accuracy) else {}
