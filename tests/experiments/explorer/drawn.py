"""Random states of the explorer, of all kinds that a page can send."""

import math

import numpy as np

from experiments.explorer.state import CLOCKS, MAPS, RUNS, State


def state(rng: np.random.Generator, **fields) -> State:
    """One of 2 to 8 patterns; now and then with ties, errors, KL, SFT, a lost one."""
    K = int(fields.pop("K", rng.integers(2, 9)))
    rates = np.round(rng.uniform(size=K), 3)
    logits = rng.normal(size=K) * rng.choice([0.5, 2.0, 4.0])
    if K > 2 and rng.random() < 0.15:
        logits[rng.integers(K)] = -math.inf
    if rng.random() < 0.15:
        rates[rng.integers(K)] = rates.max()
    errors = rng.uniform(0, 0.6, 2) if rng.random() < 0.4 else np.zeros(2)
    drawn = {
        "success_rates": tuple(rates.tolist()),
        "logits": tuple(logits.tolist()),
        "confidences": tuple(np.round(rng.uniform(size=K), 3).tolist()),
        "weight": round(float(rng.uniform()), 3),
        "errors": tuple(np.round(errors, 3).tolist()),
        "clock": str(rng.choice(CLOCKS)),
        "beta": float(rng.choice([0.0, 0.003, 0.05])),
        "dose": float(rng.choice([0.0, 0.0, 1.5])),
        "run": str(rng.choice(RUNS)),
        "map": str(rng.choice(MAPS)),
    }
    return State(**drawn | fields)
