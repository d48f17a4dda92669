"""Which part of a step an event is looked for in. Private: most steps change once."""

import jax.numpy as jnp
import pytest

import simulator as sim

FIRST, LAST, EXTREME = sim.Accuracy(0.5), sim.BelowBase(), sim.PeakAccuracy()


@pytest.mark.parametrize(
    "event, values, scores, part, happens",
    [
        (FIRST, [-1, 1, -1, 1, 2], [0] * 5, 0, True),
        (FIRST, [-1, -1, 1, -1, -2], [0] * 5, 1, True),
        (FIRST, [1, 1, -1, -1, -2], [0] * 5, None, False),
        (LAST, [-1, 1, -1, 1, 2], [0] * 5, 2, True),
        (LAST, [1, 2, -1, -1, 2], [0] * 5, 3, True),
        (LAST, [-1, 1, -1, 1, -2], [0] * 5, None, False),
        (EXTREME, [-1, 1, -1, 1, 2], [1, 5, 3, 4, 2], 0, True),
        (EXTREME, [-1, 1, -1, 1, 2], [1, 2, 3, 4, 2], 2, True),
        (EXTREME, [-1, 1, 2, 1, -1], [-5, -6, -7, -8, -4], 0, True),
        (EXTREME, [1, 1, -1, -1, -1], [1, 2, 3, 4, 5], None, False),
    ],
)
def test_the_part_of_a_step_that_counts(event, values, scores, part, happens):
    rows = (jnp.asarray(x, float) for x in (values, scores))
    found, happened = event.change(*rows)
    assert happened == happens
    assert part is None or found == part
