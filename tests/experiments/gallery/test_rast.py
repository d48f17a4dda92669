"""RAST: recovery and cosines against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import log_softmax, softmax

from experiments.gallery.models import donors
from experiments.runtime.keys import generator
from simulator import transfer

CELL = 2, 1, 3  # mismatch 1, correlation 0.3, the fourth problem


@pytest.fixture(scope="module")
def paths():
    """Success rates and logits of the two models, and their logits at 200."""
    rng = generator(0, "gallery rast")
    rates, logits = (x[:, *CELL] for x in donors.paired_models(rng, 40))
    ends = []
    for s, start in zip(rates, logits, strict=True):

        def field(t, theta, s=s):
            pi = softmax(theta)
            return pi * (s - pi @ s)

        found = solve_ivp(field, (0, 200), start, rtol=1e-10, atol=1e-12)
        ends.append(found.y[:, -1])
    return rates, logits, np.array(ends)


def recovery(rates, logits, ends, strength=1.0):
    shift = ends[1] - logits[1]
    before, after, best = (
        softmax(x) @ rates[0]
        for x in (logits[0], logits[0] + strength * shift, ends[0])
    )
    return (after - before) / (best - before)


def test_recovery_is_that_of_the_equations(paths, quick):
    found = quick("rast")["recovery"][CELL]
    np.testing.assert_allclose(found, recovery(*paths), rtol=1e-5)
    assert abs(recovery(*paths) - 1) > 0.02, "no trivial case"


def test_the_cosine_is_that_of_the_shifts(paths, quick):
    _, logits, ends = paths
    large, small = log_softmax(ends, axis=-1) - log_softmax(logits, axis=-1)
    wanted = np.corrcoef(large, small)[0, 1]
    np.testing.assert_allclose(quick("rast")["cosine"][CELL], wanted, rtol=1e-5)


def test_misses_of_the_base_model_are_counted_by_question(quick):
    rng = generator(0, "gallery rast")
    donors.paired_models(rng, 40)
    tables, logits = donors.several_questions(rng, 40)
    accuracy = np.einsum("nk,nqk->nq", softmax(logits[0], axis=-1), tables[0])
    wanted = ((1 - accuracy) ** 8).mean(axis=1)
    np.testing.assert_allclose(quick("rast")["misses"][0, :, 1], wanted, rtol=1e-9)


@pytest.mark.slow
def test_a_shift_of_the_wrong_sign_is_seen(faulty):
    def plant(patch):
        right = transfer.transferred
        patch.setattr(
            "simulator.transferred",
            lambda large, small, donor, strength=1.0: right(
                large, small, donor, -np.asarray(strength)
            ),
        )

    found = faulty("rast", plant)
    assert found["recovery"] == "refuted" and found["donor"] != "reproduced"
