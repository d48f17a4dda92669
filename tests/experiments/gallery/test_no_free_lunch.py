"""No free lunch: its curves against closed forms in NumPy, and a planted fault."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from experiments.gallery.models import internal_feedback as internal
from experiments.runtime.keys import generator
from simulator import signals


def models():
    rng = generator(0, "gallery no-free-lunch")
    kernel, logits = (x[1, 1] for x in internal.random_models(rng, 60))
    return kernel, log_softmax(logits, axis=-1)


def mean_accuracies(scores, kernel):
    """Of softmax policies `[T, N, K]`."""
    return np.sum(softmax(scores, axis=-1) * kernel[..., 0], axis=-1).mean(axis=-1)


@pytest.mark.parametrize("signal", ["self-certainty", "token", "trajectory", "rlvr"])
def test_curves_are_those_of_the_closed_form(signal, quick):
    """`pi_0 exp(rho t)`; trajectory entropy `pi_0^(e^t) exp(-(e^t - 1) H)` (C2)."""
    kernel, base = models()
    entropy = -np.sum(kernel * np.log(kernel), axis=-1)
    times = internal.TIMES[:, None, None]
    place, scores = {
        "self-certainty": (0, base - times * np.log(kernel).mean(axis=-1)),
        "token": (1, base - times * entropy),
        "trajectory": (
            2,
            base * np.exp(times / 10) - np.expm1(times / 10) * entropy,
        ),
        "rlvr": (3, base + times * kernel[..., 0]),
    }[signal]
    data = quick("no-free-lunch")
    np.testing.assert_allclose(
        data["curves"][place], mean_accuracies(scores, kernel), atol=1e-7
    )


def test_the_example_is_that_of_the_closed_form(quick):
    base, sure = np.array(internal.BASE), np.array(internal.SURE)
    policy = softmax(np.log(base) + internal.TIMES[:, None] * sure, axis=-1)
    formatted, right = quick("no-free-lunch")["example"]
    np.testing.assert_allclose(formatted[1:], policy[:, 0], atol=1e-9)
    np.testing.assert_allclose(right[1:], policy[:, :2].sum(axis=-1), atol=1e-9)


def test_five_patterns_are_those_of_the_closed_form(quick):
    """Token entropy from the first base: the top is found on a grid, so to 1e-3."""
    sure = np.sum(internal.FIVE * np.log(internal.FIVE), axis=1)
    times = np.linspace(0, 60, 60_001)[:, None]
    policy = softmax(np.log(internal.BASES[0]) + times * sure, axis=-1)
    accuracy = policy @ internal.FIVE[:, 0]
    start, top, end = quick("no-free-lunch")["five"][1, 0]
    np.testing.assert_allclose([start, end], accuracy[[0, -1]], atol=1e-9)
    np.testing.assert_allclose(top, accuracy.max(), atol=1e-3)


def test_each_of_the_four_shapes_is_told():
    gain = np.array([0.1, 0.0, 0.1, 0.1, 0.0])
    change = np.array([0.1, -0.1, 0.05, -0.1, 0.0])
    assert internal.shapes(gain, change).tolist() == [0, 1, 2, 3, 1]


@pytest.mark.slow
def test_a_wrong_sign_of_confidence_is_seen(faulty):
    def plant(patch):
        paid = signals.SelfCertainty.rewards
        patch.setattr(signals.SelfCertainty, "rewards", lambda self, p: -paid(self, p))

    found = faulty("no-free-lunch", plant)
    assert found["below-base"] != "reproduced" and found["equivalence"] == "refuted"
