"""Learning rates follow the trainers' schedules, update by update."""

import math

import numpy as np
import pytest

from experiments.imports import parts
from experiments.text import objects

TOTAL = 40


def factor(kind, warmup, floor, update):
    """As in the schedules of transformers and verl."""
    if update < warmup:
        return update / warmup
    if kind == "constant":
        return 1.0
    done = (update - warmup) / (TOTAL - warmup)
    shape = 1 - done if kind == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return shape * (1 - floor) + floor


@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("warmup", [0, 1, 10])
@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_every_update(kind, warmup, floor):
    table = parts.schedule(kind, warmup, TOTAL, floor)
    optimizer = {"name": "adam"} | ({"schedule": table} if table else {})
    rate = objects._optimizer(optimizer).factor()
    found = [rate(update) if callable(rate) else rate for update in range(TOTAL)]
    expected = [factor(kind, warmup, floor, update) for update in range(TOTAL)]
    np.testing.assert_allclose(found, expected, atol=2e-9)
