"""The shift of a small model in a large one: NumPy, batches, wrong calls."""

import numpy as np
import pytest
from scipy.special import log_softmax

import simulator as sim


@pytest.fixture
def models():
    rng = np.random.default_rng(0)
    rates, large, small, trained = rng.uniform(0.1, 0.9, (4, 3, 5))
    return (
        sim.Problem(rates, logits=4 * large),
        sim.Problem(rates, logits=4 * small),
        log_softmax(4 * trained, axis=-1),
    )


def test_the_shift_is_added_in_strength(models):
    large, small, trained = models
    strength = np.array([0.0, 0.5, 2.0])
    shift = trained - np.asarray(small.log_policy)
    wanted = log_softmax(large.log_policy + strength[:, None] * shift, axis=-1)
    found = sim.transferred(large, small, trained, strength)
    np.testing.assert_allclose(found.log_policy, wanted, rtol=1e-13)
    np.testing.assert_array_equal(found.log_reference, large.log_reference)
    one = sim.transferred(large[1], small[1], trained[1], 0.5)
    np.testing.assert_allclose(one.log_policy, wanted[1], rtol=1e-13)


def test_a_pattern_outside_the_support_of_the_large_model_stays_outside():
    large = sim.Problem([0.9, 0.5, 0.1], [0.5, 0.5, 0.0])
    small = sim.Problem([0.9, 0.5, 0.1], [0.4, 0.3, 0.3])
    found = sim.transferred(large, small, np.log([0.8, 0.1, 0.1]))
    odds = (0.8 / 0.4) / (0.1 / 0.3)
    np.testing.assert_allclose(
        np.exp(found.log_policy), [odds / (1 + odds), 1 / (1 + odds), 0], rtol=1e-13
    )


@pytest.mark.parametrize(
    "change, said",
    [
        ({"small": sim.Problem([0.5, 0.5], [0.5, 0.5])}, "`small` has shape"),
        ({"small_trained": np.zeros(2)}, "`small_trained` has shape"),
        ({"strength": [1.0, 2.0]}, "`strength` has shape"),
        ({"strength": np.inf}, "strength"),
        ({"small_trained": [0.7, 0.2, 0.1]}, "log-probabilities"),
        ({"small_trained": np.array([0.0, -np.inf, -np.inf])}, "no finite shift"),
        ({"large": 3}, "large"),
    ],
)
def test_wrong_calls_say_what_is_allowed(change, said):
    problem = sim.Problem([0.9, 0.5, 0.1], [0.2, 0.4, 0.4])
    given = {"large": problem, "small": problem, "small_trained": problem.log_policy}
    with pytest.raises((ValueError, TypeError), match=said):
        sim.transferred(**(given | change))
