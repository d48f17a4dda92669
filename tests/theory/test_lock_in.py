"""A trained answer layer: the full flow of both layers against the reduced equation."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit

import theory
from tests.oracles import softmax

PRINTED = [
    ((0.9, 0.5, [0.2]), 1.4857),
    ((0.9, 0.8, [0.2]), 1.0942),
    ((0.8, 0.3, [0.1]), 1.5991),
    ((0.9, 0.5, [0.4]), 1.1970),
]


def both_layers(rates, log_pi, alpha, time, events=None):
    """Gradient flow of `J = sum pi_k s_k` in theta and (times alpha) in phi."""
    K = len(rates)

    def field(t, state):
        pi, s = softmax(state[:K]), expit(state[K:])
        # Differences, not s - pi @ s: on a plateau the latter is rounding error.
        excess = (s[:, None] - s) @ pi
        return np.concatenate([pi * excess, 2 * alpha * pi * s * (1 - s)])

    start = np.concatenate([log_pi, logit(rates)])
    return solve_ivp(
        field, (0, time), start, method="LSODA", rtol=1e-9, atol=1e-10, events=events
    )


def locks_in(rates, log_pi, alpha, time):
    """Pattern 0 is the best one, pattern 1 its rival."""
    K = len(rates)

    def crossing(t, state):
        return state[1] - state[0]

    def locked(t, state):
        return state[K] - state[K + 1]

    crossing.terminal = locked.terminal = True
    run = both_layers(rates, log_pi, alpha, time, [crossing, locked])
    assert run.status == 1
    return len(run.t_events[1]) > 0


def threshold(rates, log_pi, guess, digits=1e-3):
    """`alpha_c` by bisection on the outcome of the full flow."""
    low, high = guess / 2, guess * 2
    horizon = 1e3 / guess
    assert not locks_in(rates, log_pi, low, horizon)
    assert locks_in(rates, log_pi, high, horizon)
    while high / low > 1 + digits:
        middle = np.sqrt(low * high)
        if locks_in(rates, log_pi, middle, horizon):
            high = middle
        else:
            low = middle
    return np.sqrt(low * high)


def rare(best, others):
    return np.log([best, *(np.array(others) * (1 - best))])


@pytest.mark.parametrize("rates, wanted", PRINTED)
def test_the_printed_constants_come_out(rates, wanted):
    np.testing.assert_allclose(
        theory.lock_in.lock_in_constant(*rates), wanted, atol=6e-5
    )


def test_the_threshold_of_the_full_flow_tends_to_the_constant():
    rates = np.array([0.9, 0.5, 0.2])
    constant, errors = theory.lock_in.lock_in_constant(0.9, 0.5, [0.2]), []
    for mass in (1e-2, 1e-3):
        log_pi = rare(mass, [0.7, 0.3])
        time = theory.entanglement.transition_bounds(
            rates, log_pi, event="crossing"
        ).exact
        predicted = theory.lock_in.lock_in_rate(rates, log_pi)
        np.testing.assert_allclose(predicted, constant / time, rtol=1e-9)
        found = threshold(rates, log_pi, predicted)
        errors.append(abs(found * time / constant - 1))
    assert errors[1] < 0.01 and errors[1] < errors[0] / 2


@pytest.mark.parametrize(
    "rates, shares",
    [([0.85, 0.5], [1.0]), ([0.9, 0.6, 0.3, 0.1], [0.5, 0.3, 0.2])],
)
def test_the_constant_holds_for_two_and_for_four_patterns(rates, shares):
    log_pi = rare(1e-3, shares)
    time = theory.entanglement.transition_bounds(rates, log_pi, event="crossing").exact
    predicted = theory.lock_in.lock_in_rate(rates, log_pi)
    constant = theory.lock_in.lock_in_constant(rates[0], rates[1], rates[2:])
    np.testing.assert_allclose(predicted * time, constant, rtol=1e-9)
    found = threshold(rates, log_pi, predicted, digits=2e-3)
    np.testing.assert_allclose(found / predicted, 1, atol=0.02)


@pytest.mark.parametrize("others", [[0.1], [0.4, 0.15], [0.3, 0.1, 0.05]])
def test_the_constant_separates_the_fates_of_the_plateau_in_its_own_units(others):
    best, rival, low = 0.8, 0.5, np.array(others)
    K, delta = len(others) + 2, rival - low
    constant = theory.lock_in.lock_in_constant(best, rival, others)

    def ends_locked(C):
        a = C * K * (K - 1) * (best - rival) ** (K - 1) / np.prod(delta)

        def field(sigma, state):
            y, s, w = state[0], state[1], state[2:]
            push = 2 * a * (s * (1 - s)) ** 2 * y * np.prod(w)
            return np.array([s - best, push, *(s - low)])

        events = [lambda sigma, state: state[0], lambda sigma, state: best - state[1]]
        for event in events:
            event.terminal = True
        start = np.array([1.0, rival, *(0 * low)])
        run = solve_ivp(
            field, (0, 500), start, method="Radau", rtol=1e-9, atol=1e-11, events=events
        )
        return run.t_events[1].size > 0

    assert ends_locked(constant * (1 + 1e-5))
    assert not ends_locked(constant * (1 - 1e-5))


@pytest.mark.parametrize("best, rival", [(0.9, 0.5), (0.95, 0.2), (0.4, 0.3)])
def test_two_patterns_have_a_closed_form(best, rival):
    closed = theory.lock_in.lock_in_constant_two(best, rival)
    np.testing.assert_allclose(
        theory.lock_in.lock_in_constant(best, rival, np.empty(0)), closed, rtol=1e-7
    )
    mean = quad(lambda s: theory.lock_in.rate_clock(s).item(), rival, best)[0] / (
        best - rival
    )
    np.testing.assert_allclose(
        closed, mean - theory.lock_in.rate_clock(rival), rtol=1e-9
    )


@pytest.mark.slow
def test_the_explicit_bounds_enclose_the_constant(rng):
    ratios = []
    for size in (0, 1, 2, 3):
        for _ in range(3):
            best, rival, *others = np.sort(rng.uniform(0.05, 0.95, size + 2))[::-1]
            if best - rival < 0.03:
                continue
            lower, upper = theory.lock_in.lock_in_bounds(best, rival, others)
            constant = theory.lock_in.lock_in_constant(best, rival, others)
            assert 0 < lower < constant < upper
            ratios.append((constant / lower, upper / constant))
    assert len(ratios) >= 8 and np.all(np.max(ratios, axis=0) < 200)
    # The lower one is the best of the printed formula over m.
    low = np.array([0.3, 0.1])

    def printed(m):
        gain = theory.lock_in.rate_clock(m) - theory.lock_in.rate_clock(0.6)
        shrink = ((0.9 - m) / 0.3) ** 3 * np.prod((0.6 - low) / (m - low))
        return -gain * shrink

    best = minimize_scalar(printed, bounds=(0.6, 0.9), method="bounded")
    lower, _ = theory.lock_in.lock_in_bounds(0.9, 0.6, low)
    np.testing.assert_allclose(lower, -best.fun, rtol=1e-4)
    # Neither is far off where the rates are close.
    lower, upper = theory.lock_in.lock_in_bounds(0.52, 0.5, [0.05])
    constant = theory.lock_in.lock_in_constant(0.52, 0.5, [0.05])
    assert upper < 3 * constant and constant < 6 * lower


def test_the_clock_is_symbolically_the_time_received():
    s, alpha, pi = sp.symbols("s alpha pi", positive=True)
    z = sp.log(s / (1 - s))
    rate = 2 * alpha * pi * s * (1 - s)  # of z
    clock = sp.diff(z + sp.sinh(z), s) / sp.diff(z, s) * rate
    assert sp.simplify(clock.rewrite(sp.exp) - alpha * pi) == 0


def test_the_clock_runs_with_the_mass_in_the_full_flow(rng):
    rates, alpha = np.array([0.7, 0.35, 0.15, 0.6]), 0.08
    run = both_layers(rates, log_softmax(rng.normal(size=4)), alpha, 60.0)
    s = expit(run.y[4:])
    gained = theory.lock_in.rate_clock(s) - theory.lock_in.rate_clock(rates)[:, None]
    np.testing.assert_allclose(gained.sum(axis=0), alpha * run.t, atol=1e-6)
    mass = log_softmax(run.y[:4], axis=0)
    steps = np.diff(run.t) * np.exp(0.5 * (mass[:, 1:] + mass[:, :-1]))
    np.testing.assert_allclose(gained[:, -1], alpha * steps.sum(axis=1), rtol=1e-2)
    np.testing.assert_allclose(
        theory.lock_in.rate_after(rates, gained[:, -1]), s[:, -1]
    )
    assert np.all(s <= theory.lock_in.rate_after(rates[:, None], alpha * run.t) + 1e-9)


def test_the_clock_can_be_read_backwards():
    s = np.array([1e-6, 0.02, 0.5, 0.73, 0.999])
    for received in (0.0, 1e-3, 0.4, 50.0):
        later = theory.lock_in.rate_after(s, received)
        back = theory.lock_in.rate_clock(later) - received
        np.testing.assert_allclose(
            back, theory.lock_in.rate_clock(s), rtol=1e-9, atol=1e-12
        )
    with pytest.raises(ValueError, match="success_rates"):
        theory.lock_in.rate_clock([0.2, 1.0])


def test_the_best_pattern_is_safe_for_the_predicted_time_and_no_longer():
    rates = np.array([0.6, 0.5, 0.2])
    log_pi = np.log([1e-4, 0.9998, 1e-4])
    safe = theory.lock_in.safe_clock(rates, log_pi)
    for alpha in (0.3, 30.0):
        run = both_layers(rates, log_pi, alpha, 1.02 * safe / alpha)
        s = expit(run.y[3:])
        early = alpha * run.t < safe
        assert np.all(s[0, early] > s[1, early])
        # With nearly all the mass the rival needs hardly longer.
        assert s[1, -1] > s[0, -1]


def test_a_locked_pattern_keeps_both_leads_and_takes_all(rng):
    done = 0
    while done < 4:
        rates, log_pi = rng.uniform(0.1, 0.9, 3), log_softmax(rng.normal(size=3))
        alpha = rng.uniform(0.1, 2)
        if not theory.lock_in.is_locked(rates, log_pi):
            continue
        run = both_layers(rates, log_pi, alpha, 1e4)
        i = log_pi.argmax()
        others = np.arange(3) != i
        for lead in (run.y[i] - run.y[:3][others], run.y[3 + i] - run.y[3:][others]):
            assert np.all(lead > 0)
        assert np.all(np.diff(run.y[i] - run.y[:3][others], axis=1) > -1e-7)
        done += 1
    # Two equally good patterns: the leader's odds grow like t^(1/alpha).
    run = both_layers(np.array([0.6, 0.6]), np.log([0.8, 0.2]), 4.0, 1e8)
    assert log_softmax(run.y[:2, -1])[1] < np.log(0.2) - 3


def test_impossible_orders_of_rates_are_refused_and_no_plateau_has_no_rate():
    for rates in ((0.5, 0.9, [0.2]), (0.9, 0.5, [0.6]), (1.0, 0.5, [0.2])):
        for function in (
            theory.lock_in.lock_in_constant,
            theory.lock_in.lock_in_bounds,
        ):
            with pytest.raises(ValueError, match="rival"):
                function(*rates)
    assert np.isnan(
        theory.lock_in.lock_in_rate([0.9, 0.5, 0.2], np.log([0.6, 0.3, 0.1]))
    )
    assert np.isnan(
        theory.lock_in.lock_in_rate([0.9, 0.5, 0.5], np.log([0.1, 0.6, 0.3]))
    )


def test_patterns_without_mass_change_nothing():
    rates, log_pi = np.array([0.9, 0.5, 0.2]), rare(1e-3, [0.7, 0.3])
    masked = np.insert(rates, 1, 0.95), np.insert(log_pi, 1, -np.inf)
    np.testing.assert_allclose(
        theory.lock_in.lock_in_rate(*masked),
        theory.lock_in.lock_in_rate(rates, log_pi),
        rtol=1e-9,
    )
    assert theory.lock_in.safe_clock(*masked) == theory.lock_in.safe_clock(
        rates, log_pi
    )
    batch = theory.lock_in.lock_in_rate(
        np.stack([masked[0]] * 2), np.stack([masked[1]] * 2)
    )
    assert batch.shape == (2,) and batch[0] == batch[1]
