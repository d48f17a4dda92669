"""How and why: its drifts against NumPy and SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import log_softmax, rel_entr, softmax

from experiments.gallery.models import random_models
from experiments.runtime.keys import generator
from simulator import signals


@pytest.fixture(scope="module")
def problem():
    """Skills, base and teacher logits, target and stop of a broad base model."""
    rng = generator(0, "gallery how-and-why")
    skills, base, teacher = (x[1, 1, 0] for x in random_models.skilled_models(rng, 100))
    target = skills[:, :2].mean(axis=1)
    start = softmax(base) @ target
    stop = start + 0.7 * (np.sort(target)[-3] - start)
    assert stop - start > 0.02, "a problem that is kept"
    return skills, log_softmax(base), log_softmax(teacher), target, stop


def lane(data):
    """The place of the first problem with common part .6 and broad 1."""
    return int(np.flatnonzero((data["common"] == 1) & (data["broad"] == 1))[0])


def followed(velocity, base, target, stop):
    def reached(t, logits):
        return softmax(logits) @ target - stop

    reached.terminal = True
    found = solve_ivp(
        lambda t, logits: velocity(softmax(logits)),
        (0, 1e4),
        base,
        events=reached,
        rtol=1e-9,
        atol=1e-11,
    )
    return softmax(found.y_events[0][-1])


def test_the_drift_of_sft_is_that_of_the_equation(problem, quick):
    skills, base, teacher, target, stop = problem
    copied = natural_at(teacher, target, stop + 0.02)
    end = followed(lambda pi: copied - pi, base, target, stop)
    data = quick("how-and-why")
    drift = rel_entr(end, np.exp(base)).sum()
    np.testing.assert_allclose(data["drift"][3, lane(data)], drift, rtol=1e-5)
    worst = ((end - np.exp(base)) @ skills)[2:].min()
    np.testing.assert_allclose(data["worst"][1, lane(data)], worst, atol=1e-5)


def test_own_correct_answers_are_a_teacher_that_is_refreshed(problem, quick):
    """`theta' = pi s / ACC - pi`, with data of the moment."""
    _, base, _, target, stop = problem
    end = followed(lambda pi: pi * target / (pi @ target) - pi, base, target, stop)
    data = quick("how-and-why")
    drift = rel_entr(end, np.exp(base)).sum()
    np.testing.assert_allclose(data["drift"][1, lane(data)], drift, rtol=1e-5)


def natural_at(base, target, level):
    """The policy `base exp(target m)` whose accuracy is the level."""
    m = brentq(lambda m: softmax(base + m * target) @ target - level, 0, 1e3)
    return softmax(base + m * target)


def test_the_natural_gradient_is_the_exponential_family(problem, quick):
    _, base, _, target, stop = problem
    data = quick("how-and-why")
    drift = rel_entr(natural_at(base, target, stop), np.exp(base)).sum()
    np.testing.assert_allclose(data["drift"][2, lane(data)], drift, rtol=1e-5)


def test_all_stop_at_the_same_accuracy(quick):
    assert quick("how-and-why")["missed"] < 1e-7


@pytest.mark.slow
def test_demonstrations_that_are_rewards_are_seen(faulty):
    def plant(patch):
        patch.setattr(
            signals.Demonstrations,
            "__call__",
            lambda self, problem, logs: problem.success_rates,
        )

    assert faulty("how-and-why", plant)["drift"] != "reproduced"
