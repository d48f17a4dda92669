"""States as arrays of one shape, so that one program serves all numbers of patterns."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

import simulator as sim
from experiments.explorer.sft import after_sft
from experiments.explorer.state import MOST_PATTERNS, State

Rows = Float[np.ndarray, "*B K"]


class Ranked(NamedTuple):
    """Who is who: patterns by their success rate, among those that are ever drawn.

    `rival`: the best of those that are worse than the best; None if there is none.
    """

    best: int
    rival: int | None
    worst: int


def ranked(state: State) -> Ranked:
    """Best, rival and worst pattern; of equal ones the first."""
    rates = state.success_rates
    drawn = [k for k, x in enumerate(state.logits) if x > -math.inf]
    best = max(drawn, key=lambda k: (rates[k], -k))
    lower = [k for k in drawn if rates[k] < rates[best]]
    rival = max(lower, key=lambda k: (rates[k], -k), default=None)
    worst = min(lower or drawn, key=lambda k: (rates[k], -k))
    return Ranked(best, rival, worst)


def padded(values: object, fill: float) -> Rows:
    """`[*B, K]` filled up to `MOST_PATTERNS` columns."""
    rows = np.asarray(values, np.float64)
    pad = [(0, 0)] * (rows.ndim - 1) + [(0, MOST_PATTERNS - rows.shape[-1])]
    return np.pad(rows, pad, constant_values=fill)


def problem(state: State) -> sim.Problem:
    """The question and its base model after SFT, with patterns that are never drawn."""
    rates = padded(state.success_rates, 0.0)
    return sim.Problem(rates, logits=padded(log_base(state), -np.inf))


def log_base(state: State) -> Rows:
    """`[K]`: log-probabilities from which RL starts, after SFT."""
    return after_sft(np.asarray(state.log_policy), ranked(state).best, state.dose)
