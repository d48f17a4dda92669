"""Latent steps: their numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import softmax

from experiments.gallery import lares
from experiments.runtime.keys import generator
from simulator import rollouts as ro


@pytest.fixture(scope="module")
def models():
    return lares.random_models(generator(0, "gallery lares"), 60)


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_accuracy_by_depth_is_that_of_the_equation(kind, models, quick):
    """`v' = mean_d g_d pi_d (s - ACC_d)` over the depths in training."""
    rates, inputs, evidence = (x[0] for x in models)
    _, share, leak, trained = lares.KINDS[kind]

    def policy(depth, v):
        steps = depth if leak == 1 else (1 - leak**depth) / (1 - leak)
        return steps, softmax(leak**depth * inputs + steps * v)

    def field(t, v):
        total = np.zeros_like(v)
        for depth in trained:
            steps, pi = policy(depth, v)
            total += steps * pi * (rates - pi @ rates) / len(list(trained))
        return total

    found = solve_ivp(
        field,
        (0, 30),
        share * evidence,
        t_eval=lares.TIMES[:4],
        rtol=1e-9,
        atol=1e-11,
    )
    wanted = [
        [policy(d, v)[1] @ rates for d in lares.DEPTHS]
        for v in (share * evidence, *found.y.T)
    ]
    example = quick("lares")["example"][kind, :5]
    np.testing.assert_allclose(example, wanted, atol=1e-6)


@pytest.mark.slow
def test_a_gain_that_does_not_grow_with_depth_is_seen(faulty):
    def plant(patch):
        patch.setattr(ro.LatentDepth, "gains", lambda self: self.depths**0.5)

    found = faulty("lares", plant)
    assert found["speed"] == "refuted"
