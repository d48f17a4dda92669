"""The sentence under the map: where the state is on it, and what the line says."""

import math
from collections.abc import Callable

import numpy as np

from experiments.explorer.arrays import ranked
from experiments.explorer.places import MAPS
from experiments.explorer.sft import after_sft
from experiments.explorer.state import State
from experiments.explorer.told import STILL, Told
from experiments.explorer.wording import Sentence, apart, errors, number, time

DOSES = (1e-6, 1e6)


def on_map(of: Told) -> Sentence:
    """Where the state is on its map, and in which time that is."""
    found = _PLACES[of.state.map](of)
    if of.penalised:
        found = Sentence(f"{found.text} The map is without KL.", found.statements)
    if (of.state.map == "dose" or of.state.dose) and of.informed > 0:
        found = Sentence(found.text + _dose(of), found.statements)
    if of.state.clock == "policy-gradient":
        return found
    text = f"{found.text} The map is in the time of the policy gradient, and so is a "
    return Sentence(f"{text}cell that is loaded.", found.statements)


def _dose(of: Told) -> str:
    """From which dose on RLVR does not wait, and what a dose is."""
    text = " A dose is learning rate times steps of SFT on the best pattern"
    found = enough(of.state)
    if found is None:
        return f"{text}."
    return f"{text}; from dose {number(found)} on nothing delays RLVR."


def enough(state: State) -> float | None:
    """The dose from which on accuracy is above the rival's rate, to 1e-6.

    None where that needs no dose, or is beyond 10^-6 to 10^6, or there is no rival.
    """
    who = ranked(state)
    if who.rival is None:
        return None
    rates, base = np.array(state.success_rates), np.array(state.log_policy)
    low, high = DOSES
    for _ in range(4):
        doses = np.geomspace(low, high, 201)
        after = np.exp(after_sft(base, who.best, doses)) @ rates
        below = np.nonzero(after < rates[who.rival])[0]
        if not below.size or below[-1] == len(doses) - 1:
            return None
        low, high = doses[below[-1] : below[-1] + 2]
    return float(high)


def _on_times(of: Told) -> Sentence:
    if of.rival is None:
        return Sentence("All rates are equal: there is nothing to map.")
    accuracy, rival = of.accuracy, float(of.rates[of.rival])
    if of.informed <= 0:
        text = "The verifier does not pay right answers more than wrong ones: training "
        text += "lifts no base model above the rival's rate, and only those that start "
        return Sentence(f"{text}there have a T0.", ("B6",))
    side, wait = (
        ("below", "has to wait") if accuracy < rival else ("not below", "does not wait")
    )
    mine, its = apart(accuracy, rival)
    text = f"Here accuracy, {mine}, is {side} the rival's rate, {its}, and training "
    text += f"{wait}; the line is where the two are equal."
    return Sentence(text, ("A2", "A3"))


def _on_mixture(of: Told) -> Sentence:
    if of.rival is None:
        return Sentence("All rates are equal: there is nothing to map.")
    paid = np.array(of.state.rewards("mixture"))
    top = max(of.drawn, key=lambda k: (paid[k], of.policy[k]))
    text = f"At weight {number(of.state.weight)} the mixture pays pattern {top} most, "
    text += f"{number(float(paid[top]))}, and it wins in the end"
    sure = np.array(of.state.confidences)
    best = max(of.best, key=lambda k: sure[k])
    over = [k for k in of.drawn if sure[k] > sure[best] and k not in of.best]
    flips = [
        (of.rates[best] - of.rates[k])
        / (of.rates[best] - of.rates[k] + sure[k] - sure[best])
        for k in over
    ]
    if flips:
        text += f"; the best pattern wins up to weight {number(min(flips))}"
    else:
        text += "; the best pattern wins at every weight below 1"
    return Sentence(f"{text}.", ("B2",))


def _on_noise(of: Told) -> Sentence:
    J = of.informed
    text = f"The errors add up to {errors(of)}"
    if abs(J) < STILL:
        text += ": the verifier tells nothing, and nothing moves."
    elif J < 0:
        text += ": the policy gradient goes the wrong way, "
        speed = number(-J) if J < -1e-4 else f"10^{math.log10(-J):.4g}"
        text += f"{speed} times as fast as" if speed != "1" else "as fast as"
        text += " with none."
    elif J < 1:
        text += ": the policy gradient takes the same path "
        slower = time(-math.log10(J))
        text += f"{slower} times slower than" if slower != "1" else "about as fast as"
        text += " with none."
    else:
        text += ": the policy gradient takes the same path as fast as can be."
    return Sentence(text, ("B6",))


_PLACES: dict[str, Callable[[Told], Sentence]] = {
    "quality": _on_times,
    "bad-mass": _on_times,
    "dose": _on_times,
    "mixture": _on_mixture,
    "noise": _on_noise,
}
assert _PLACES.keys() == MAPS.keys()
