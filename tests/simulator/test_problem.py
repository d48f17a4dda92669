import jax
import numpy as np
import pytest

import simulator as sim
from simulator import FixedConfidence, Mixture, Problem, SelfCertainty, Verifiable

GOOD = [0.9, 0.6, 0.1]
BASE = [0.05, 0.70, 0.25]


@pytest.mark.parametrize(
    "rates, policy, kernel, said",
    [
        ([0.9, 1.2, 0.1], BASE, None, "1.2"),
        ([0.9, -0.2, 0.1], BASE, None, "-0.2"),
        ([0.9, np.nan, 0.1], BASE, None, "NaN"),
        ([0.9, np.inf, 0.1], BASE, None, "inf"),
        (GOOD, [0.5, 0.7, -0.2], None, "-0.2"),
        (GOOD, [0.05, 0.70, 0.35], None, "sums to 1.1"),
        (GOOD, [0.0, 0.0, 0.0], None, "sums to 0"),
        (GOOD, [0.3, 0.7], None, r"\(2,\)"),
        ([0.9], [1.0], None, "two patterns"),
        (GOOD, BASE, [[0.9, 0.2], [0.6, 0.4], [0.1, 0.9]], "sums to 1.1"),
        (GOOD, BASE, [[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]], "differs"),
        (GOOD, BASE, [[0.9, 0.1], [0.6, 0.4]], "rows"),
        ([[0.9], [0.5, 0.1]], BASE, None, "equal length"),
    ],
)
def test_bad_input_is_named(rates, policy, kernel, said):
    with pytest.raises(ValueError, match=said):
        Problem(rates, policy, answer_kernel=kernel)


def test_base_model_is_given_exactly_once():
    with pytest.raises(ValueError, match="once"):
        Problem(GOOD)
    with pytest.raises(ValueError, match="once"):
        Problem(GOOD, BASE, logits=BASE)


def test_logits_may_exclude_a_pattern_but_not_all():
    inside = Problem(GOOD, logits=[0.0, -np.inf, 1.0])
    assert np.isneginf(inside.log_policy[1])
    with pytest.raises(ValueError, match="-inf"):
        Problem(GOOD, logits=[-np.inf] * 3)


def test_signals_refuse_problems_they_cannot_pay():
    problem = Problem(GOOD, BASE)
    with pytest.raises(ValueError, match="kernel"):
        SelfCertainty().check(problem)
    with pytest.raises(ValueError, match="2 numbers for 3"):
        FixedConfidence([1.0, 2.0]).check(problem)
    with pytest.raises(ValueError, match="one weight per signal"):
        Mixture([Verifiable()], [1.0, 2.0])


def test_reference_must_cover_the_support():
    with pytest.raises(ValueError, match="infinite"):
        Problem(GOOD, BASE, reference_policy=[0.5, 0.5, 0.0])


def test_one_number_of_a_row_may_be_traced():
    def accuracy(rate):
        problem = Problem([rate, 0.6, 0.1], BASE)
        return np.array(BASE) @ problem.success_rates

    assert jax.grad(accuracy)(0.9) == pytest.approx(0.05)


def test_logits_whose_odds_rounding_loses_are_refused():
    # 1e13 apart the odds are known to 1e13 * 2^-52 = 0.2 %.
    assert sim.Problem([0.9, 0.6], logits=[1e13, 0.0]).log_policy[1] == -1e13
    assert sim.Problem([0.9, 0.6, 0.1], logits=[1e308, -np.inf, 1e308]) is not None
    for logits in ([1e308, 0.0], [1e308, -1e308], [0.0, -5e13]):
        with pytest.raises(ValueError, match="4.5e[+]13 apart"):
            sim.Problem([0.9, 0.6], logits=logits)


def test_numbers_that_a_precision_does_not_hold_are_refused():
    jax.config.update("jax_enable_x64", False)
    even = sim.Problem([0.9, 0.6], logits=[1e50, 1e50]).log_policy
    np.testing.assert_allclose(even, np.log(0.5), rtol=1e-6)
    problem = sim.Problem([0.9, 0.6], [1e-300, 1.0])
    np.testing.assert_allclose(problem.log_policy[0], -300 * np.log(10), rtol=1e-6)
    with pytest.raises(ValueError, match="1e-300, which is 0 in float32"):
        sim.Problem([1e-300, 2e-300], [0.5, 0.5])
    with pytest.raises(ValueError, match="`level` is 1e-300, which is 0 in float32"):
        sim.Gap(1e-300)
    with pytest.raises(ValueError, match="`beta` is 1e-50, which is 0"):
        sim.PolicyGradient(beta=1e-50)
    with pytest.raises(ValueError, match="`weights` is 1e[+]50, which is inf"):
        sim.Mixture([sim.Verifiable()], [1e50])
    jax.config.update("jax_enable_x64", True)
    assert sim.Gap(1e-300).level == 1e-300
    # The advice can be followed.
    advice = "1e-310, which is 0 in float64; give at least 2.23e-308, or 0"
    with pytest.raises(ValueError, match=advice):
        sim.Gap(1e-310)  # compiled programs flush it
