import numpy as np
import sympy as sp

import theory
from tests.theory.problems import flow_path, random_problem


def test_two_states_of_one_run_fit_the_law_and_tau_is_an_integral(rng):
    for K in (2, 3, 6):
        s, log_pi = random_problem(rng, K, 1.3)
        times = np.array([0.5, 8.0, 150.0])

        def geometric_mean(pi):
            return np.exp(np.log(pi).mean())

        pi, integrals = flow_path(s, log_pi, times, [geometric_mean])
        tau, misfit = theory.integrability.elapsed(s, log_pi, np.log(pi))
        assert np.all(misfit < 1e-8)
        np.testing.assert_allclose(tau, integrals[:, 0], rtol=1e-7)


def test_states_of_another_flow_do_not_fit(rng):
    s, log_pi = random_problem(rng, 4)
    other = theory.replicator.replicator_policy(s, log_pi, [2.0, 8.0])
    assert np.all(theory.integrability.elapsed(s, log_pi, other).misfit > 1e-3)
    pi, _ = flow_path(s, log_pi, [8.0])
    assert theory.integrability.elapsed(s[::-1], log_pi, np.log(pi[0])).misfit > 1e-3


def test_the_weights_have_product_one_and_invert_the_policy(rng):
    _, log_pi = random_problem(rng, 5, 2.0)
    masked = np.insert(log_pi, 2, -np.inf)
    u = theory.integrability.inverse_weights(masked)
    assert u[2] == np.inf
    u = np.delete(u, 2)
    np.testing.assert_allclose(np.prod(u), 1, rtol=1e-13)
    np.testing.assert_allclose(1 / u / np.sum(1 / u), np.exp(log_pi), rtol=1e-13)


def test_two_patterns_take_the_printed_time():
    s, log_pi = np.array([0.83, 0.35]), np.log([0.12, 0.88])
    times = np.array([0.2, 5.0, 200.0])
    pi, _ = flow_path(s, log_pi, times)
    got = theory.integrability.two_pattern_time(s, log_pi, np.log(pi))
    np.testing.assert_allclose(got, times, rtol=1e-9)
    swapped = theory.integrability.two_pattern_time(
        s[::-1], log_pi[::-1], np.log(pi)[:, ::-1]
    )
    np.testing.assert_allclose(swapped, times, rtol=1e-9)
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    crossing = theory.clock.time_of(
        path, theory.intrinsic_time.crossing_event(path)
    ).time
    even = np.log([0.5, 0.5])
    np.testing.assert_allclose(
        theory.integrability.two_pattern_time(s, log_pi, even), crossing
    )


def test_nothing_is_claimed_where_nothing_moves():
    even = np.log([0.5, 0.5])
    assert np.isnan(theory.integrability.two_pattern_time([0.4, 0.4], even, even))
    assert np.isnan(
        theory.integrability.two_pattern_time(
            [0.4, 0.5, 0.6], np.log([1 / 3] * 3), even
        )
    )
    assert np.all(np.isnan(theory.integrability.elapsed([0.4, 0.4], even, even)))


def test_the_derivatives_of_the_solution_are_right():
    theta, rho = sp.symbols("x1:4"), sp.symbols("r1:4")
    pi = [sp.exp(x) for x in theta]
    Z = sum(pi)  # in the gauge where 1/u_k = exp(theta_k)
    pi = [w / Z for w in pi]
    mean = sum(p * r for p, r in zip(pi, rho, strict=True))
    velocity = [p * (r - mean) for p, r in zip(pi, rho, strict=True)]
    assert sp.simplify(sum(velocity)) == 0
    for x, v, r in zip(theta, velocity, rho, strict=True):
        # du/dtau = Z du/dt, u = exp(-theta).
        assert sp.simplify(-sp.exp(-x) * v * Z - (mean - r)) == 0
    # Two patterns: (1 + cosh x) x' = rho_1 - rho_2.
    x = sp.symbols("x")
    first = 1 / (1 + sp.exp(-x))
    bar = first * rho[0] + (1 - first) * rho[1]
    speed = first * (rho[0] - bar) - (1 - first) * (rho[1] - bar)
    law = (1 + sp.cosh(x)) * speed - (rho[0] - rho[1])
    assert sp.simplify(law.rewrite(sp.exp)) == 0


def test_the_sum_of_logarithms_is_increasing_convex_and_not_negative_at_one():
    y, a = sp.symbols("y", real=True), sp.symbols("a1:3", nonnegative=True)
    F = y + sum(sp.log(sp.exp(y) + x) for x in a)
    slope, bend = sp.diff(F, y), sp.diff(F, y, 2)
    p = sp.exp(y)
    assert sp.simplify(slope - 1 - sum(p / (p + x) for x in a)) == 0
    assert sp.simplify(bend - sum(x * p / (p + x) ** 2 for x in a)) == 0
    assert all(term.is_nonnegative for term in sp.Add.make_args(F.subs(y, 0)))
