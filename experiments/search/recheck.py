"""Results of the search, computed again in 50 digits and by other means."""

from typing import Any, NamedTuple

import numpy as np
from flint import arb

import theory
from experiments.search.precise import DIGITS, Precise
from experiments.search.targets import Quantities, Target

ORDERS = (40, 56)  # of two quadratures, whose difference is the error that is stated
SHOWN = 20  # digits


class Recheck(NamedTuple):
    """The margin in many digits, as text, and by how much it may be wrong.

    `verdict`: `refuted` below 0, `attained` if it is 0 as far as can be told (the bound
    is an equality there), else `holds`.
    """

    margin: str
    error: float
    verdict: str


def recheck(target: Target, success_rates, log_policy, gap: float) -> Recheck:
    """The margin of one instance. Its floats are taken as exact numbers."""
    first, second = (
        _margin(target, success_rates, log_policy, gap, order) for order in ORDERS
    )
    # Where the two agree to all digits, rounding is what is left.
    error = max(10 * float(abs(second - first)), 10.0**-DIGITS)
    verdict = "holds"
    if float(second) <= error:
        verdict = "refuted" if float(second) < -error else "attained"
        second = second if verdict == "refuted" else arb(0)
    return Recheck(second.str(SHOWN, radius=False), error, verdict)


def _margin(target: Target, success_rates, log_policy, gap: float, order: int) -> Any:
    flow = Precise(success_rates, log_policy, order)
    rates = [arb(float(s)) for s in success_rates]
    weights = [arb(float(x)).exp() for x in log_policy]
    total = sum(weights, arb(0))
    probs = [(w / total).mid() for w in weights]
    rival = int(theory.entanglement.rival(success_rates, log_policy))
    places = {
        "gap": lambda: flow.gap(gap),
        "t0": lambda: flow.passing(rival),
        "crossing": flow.crossing,
    }
    tau = places[target.place]()
    quantities = Quantities(
        n=arb(len(rates) - 1),
        leader=int(np.argmax(log_policy)),
        rival=rival,
        rates=rates,
        probs=probs,
        level=arb(float(gap)),
        integrals=flow.integrals(tau),
        log=lambda x: x.log().mid(),
        positive=lambda x: x if x > 0 else arb(0),
    )
    return min((m.mid() for m in target.margin(quantities)), key=float)
