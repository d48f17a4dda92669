import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from tests.oracles import hitting_times, softmax

EVENTS = (
    sim.T0(),
    sim.Crossing(),
    sim.LowestOptimalProbability(),
    sim.PeakAccuracy(),
    sim.BelowBase(),
)
WIDTH = 8


def run(rates, logits, **options):
    """One compiled shape for all tests: batches of `WIDTH` lanes of 5 patterns."""
    rates, logits = np.atleast_2d(rates), np.atleast_2d(logits)
    lanes = len(rates)
    missing = 5 - rates.shape[1]
    rates = np.pad(rates, ((0, WIDTH - lanes), (0, missing)), mode="edge")
    logits = np.pad(
        np.pad(logits, ((0, 0), (0, missing)), constant_values=-np.inf),
        ((0, WIDTH - lanes), (0, 0)),
        mode="edge",
    )
    options = {"until": sim.Gap(1e-3), "events": EVENTS} | options
    solution = sim.flow(sim.Problem(rates, logits=logits), sim.Verifiable(), **options)
    return jax.tree.map(lambda leaf: leaf[:lanes], solution)


@pytest.fixture(scope="module")
def problems():
    rng = np.random.default_rng(5)
    return rng.uniform(size=(WIDTH, 5)), 1.5 * rng.normal(size=(WIDTH, 5))


@pytest.fixture(scope="module")
def solved(problems):
    return run(*problems)


def test_hitting_times_agree_with_dop853(problems, solved):
    for lane, (rates, logits) in enumerate(zip(*problems, strict=True)):
        best, second = np.argsort(rates)[::-1][:2]
        functions = [
            lambda pi, r=rates: 1e-3 - pi @ (r.max() - r),
            lambda pi, r=rates, k=second: pi @ r - r[k],
            lambda pi, k=best: pi[k] - np.delete(pi, k).max(),
        ]
        end, t0, cross = hitting_times(rates, logits, functions, 1e7)
        np.testing.assert_allclose(np.exp(solved.log_time[lane]), end, rtol=1e-7)
        pi = softmax(logits)
        for measured, wanted, function in zip(
            np.exp(solved.event_log_times[lane, :2]),
            (t0, cross),
            functions[1:],
            strict=True,
        ):
            wanted = 0 if function(pi) > 0 else wanted
            np.testing.assert_allclose(measured, wanted, rtol=1e-7)


def test_the_example_of_regime_2():
    solution = run([0.9, 0.6, 0.1], np.log([0.05, 0.70, 0.25]))
    t0, cross, dip = np.exp(solution.event_log_times[0, :3])
    np.testing.assert_allclose([t0, cross], [42.683163, 91.857068], rtol=2e-8)
    lowest = np.exp(solution.event_log_probs[0, 2, 0])
    # Agrees with DOP853 on a fine grid: 0.0433989 at t = 17.463.
    np.testing.assert_allclose([dip, lowest], [17.463484, 0.0433989190], rtol=1e-7)


def test_two_patterns_follow_sinh_x_plus_x():
    x0, lead = -7.0, 0.37
    solution = run([0.8, 0.8 - lead], [x0, 0.0])
    log_probs = solution.log_probs[0]
    x = log_probs[0] - log_probs[1]
    t = np.exp(solution.log_time[0])
    np.testing.assert_allclose(x + np.sinh(x) - x0 - np.sinh(x0), lead * t, rtol=1e-7)


def test_a_lane_alone_equals_the_lane_in_its_batch(problems, solved):
    rates, logits = problems
    alone = run(rates[3:4], logits[3:4])
    np.testing.assert_allclose(alone.log_time[0], solved.log_time[3], rtol=1e-13)
    np.testing.assert_allclose(alone.log_probs[0], solved.log_probs[3], rtol=1e-11)


def test_a_single_problem_equals_its_lane(problems, solved):
    rates, logits = problems
    alone = sim.flow(
        sim.Problem(rates[2], logits=logits[2]), sim.Verifiable(), until=sim.Gap(1e-3)
    )
    np.testing.assert_allclose(alone.log_time, solved.log_time[2], rtol=1e-12)


def test_zero_probability_stays_zero_and_changes_nothing():
    rates, logits = [0.9, 0.6, 0.1], [-2.0, 1.0, 0.0]
    plain = run(rates, logits)
    padded = run([0.9, 0.6, 0.1, 0.99], [*logits, -np.inf])
    np.testing.assert_allclose(padded.log_time, plain.log_time, rtol=1e-13)
    assert np.isneginf(padded.log_probs[0, 3])


def test_equal_rates_leave_no_gap_and_the_policy_as_it_is():
    solution = run([0.4, 0.4, 0.4], [0.0, 1.0, 2.0])
    assert solution.outcome_names[0] == "reached"
    assert solution.log_time[0] == -np.inf
    np.testing.assert_allclose(np.exp(solution.log_probs[0, :3]), softmax([0, 1, 2.0]))


def test_ties_for_the_best_keep_their_conserved_difference():
    logits = np.array([-1.0, -3.0, 2.0])
    start = np.exp(-(logits - logits.mean()))
    solution = run([0.7, 0.7, 0.2], logits)
    assert solution.outcome_names[0] == "reached"
    final = solution.log_probs[0, :3]
    end = np.exp(-(final - final.mean()))
    np.testing.assert_allclose(end[1] - end[0], start[1] - start[0], rtol=1e-6)


def test_logits_of_seven_hundred_are_ordinary_numbers():
    solution = run([0.9, 0.4], [-700.0, 700.0])
    assert solution.outcome_names[0] == "reached"
    # K = 2: T_cross = (sinh(1400) + 1400) / 0.5, in logarithms.
    expected = 1400 - np.log(2) - np.log(0.5)
    np.testing.assert_allclose(solution.event_log_times[0, 1], expected, rtol=1e-9)


def test_an_event_that_holds_at_the_start_costs_no_time():
    solution = run([0.9, 0.1], [20.0, 0.0])
    assert solution.outcome_names[0] == "reached"
    assert np.isneginf(solution.log_time[0])


def test_a_broken_lane_has_an_outcome_and_spoils_no_other(problems, solved):
    rates, logits = problems
    problem = sim.Problem(rates, logits=logits)
    confidence = rates.copy()
    confidence[4, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        sim.flow(problem, sim.FixedConfidence(confidence))

    class Unchecked(sim.AbstractFixedSignal):
        """Made only when the run starts, so that nobody can refuse it before."""

        def rewards(self, problem):
            first = problem.success_rates[0] == rates[4, 0]
            return jnp.where(first, jnp.nan, problem.success_rates)

    run = sim.flow(problem, Unchecked(), until=sim.Gap(1e-3))
    names = run.outcome_names
    assert names[4] == "nonfinite" and (np.delete(names, 4) == "reached").all()
    others = np.delete(run.log_time, 4)
    np.testing.assert_allclose(others, np.delete(solved.log_time, 4), rtol=1e-12)


@pytest.mark.parametrize("rule", [sim.PolicyGradient, sim.NaturalGradient])
def test_penalised_flows_rest_at_the_tilted_reference(rule):
    betas = np.geomspace(0.3, 5, WIDTH)
    rates = np.tile([0.9, 0.6, 0.1], (WIDTH, 1))
    logits = np.tile([-2.0, 1.0, 0.0], (WIDTH, 1))
    problem = sim.Problem(rates, logits=logits)
    solution = sim.flow(problem, sim.Verifiable(), rule(beta=betas))
    assert (solution.outcome_names == "settled").all()
    wanted = jax.nn.log_softmax(jnp.asarray(logits + rates / betas[:, None]))
    np.testing.assert_allclose(solution.log_probs, wanted, atol=5e-8)


def test_natural_gradient_has_its_closed_form_at_saved_times():
    rates, logits, beta = np.array([0.9, 0.6, 0.1]), np.array([-2.0, 1.0, 0.0]), 0.2
    times = np.array([0.1, 1.0, 7.0])
    reference = np.array([0.2, 0.3, 0.5])
    problem = sim.Problem(rates, logits=logits, reference_policy=reference)
    solution = sim.flow(
        problem,
        sim.Verifiable(),
        sim.NaturalGradient(beta=beta),
        save_log_times=np.log(times),
        max_log_time=3.0,
    )
    target = np.log(reference) + rates / beta
    for t, saved in zip(times, solution.saved, strict=True):
        wanted = softmax(target + np.exp(-beta * t) * (logits - target))
        np.testing.assert_allclose(saved, wanted, rtol=1e-7)


@pytest.mark.slow
def test_ten_thousand_patterns(rng):
    problem = sim.Problem(rng.uniform(size=10_000), logits=rng.normal(size=10_000))
    solution = sim.flow(problem, sim.Verifiable(), until=sim.Accuracy(0.9))
    assert str(solution.outcome_names) == "reached"
    accuracy = sim.accuracy(solution.log_probs, problem.success_rates)
    np.testing.assert_allclose(accuracy, 0.9, rtol=1e-9)


@pytest.mark.slow
def test_float32_stays_near_float64(problems, solved):
    rates, logits = (jnp.asarray(x, jnp.float32) for x in problems)
    with jax.enable_x64(False):
        single = sim.flow(
            sim.Problem(rates, logits=logits), sim.Verifiable(), until=sim.Gap(1e-3)
        )
        names = single.outcome_names
    assert single.log_time.dtype == np.float32
    assert (names == "reached").all()
    np.testing.assert_allclose(single.log_time, solved.log_time, atol=1e-3)


CONFIDENT = (
    # Rates, confidence, logits; the first visits accuracies 0.5, 0.8, 0.2, 0.9.
    ([0.5, 0.8, 0.2, 0.9], [0.1, 0.4, 0.7, 1.0], [0.0, -3.0, -7.0, -12.0]),
    ([0.6, 0.9, 0.2, 0.3], [0.7, 0.6, 0.8, 0.1], [1.0, 0.0, -3.0, 0.5]),
    ([0.9, 0.2, 0.5, 0.5], [0.1, 0.5, 0.2, 0.2], np.log([0.7, 0.3, 1e-30, 1e-30])),
)


def run_confident(last_time):
    """The three problems above, with what they visit at 100 times to `last_time`."""
    rates, confidence, logits = (np.array(x) for x in zip(*CONFIDENT, strict=True))
    problems = sim.Problem(rates, logits=logits)
    times = np.geomspace(0.1, last_time, 100)
    solution = sim.flow(
        problems,
        sim.FixedConfidence(confidence),
        events=(sim.Accuracy(0.6), sim.BelowBase(), sim.PeakAccuracy()),
        save_log_times=np.log(times),
        max_log_time=np.log(last_time),
    )
    paths = np.einsum("btk,bk->bt", solution.saved, rates)
    base = np.sum(np.exp(problems.log_policy) * rates, axis=1)
    return times, paths, base, solution


@pytest.mark.slow
@pytest.mark.parametrize("last_time, stays_below", [(1e13, False), (1e8, True)])
def test_first_and_last_crossings_of_an_accuracy_that_goes_up_and_down(
    last_time, stays_below
):
    # The second time is on the plateau below the base.
    times, paths, base, solution = run_confident(last_time)
    step = times[1] / times[0]
    first = times[np.flatnonzero(paths[0] > 0.6)[0]]
    accuracy, below = np.exp(solution.event_log_times[0, :2])
    assert first / step < accuracy <= first
    if stays_below:
        gone = times[np.flatnonzero(paths[0] > base[0])[-1]]
        assert gone <= below < gone * step
    else:
        assert below == np.inf


@pytest.mark.slow
def test_accuracy_peaks_and_falls_below_base_under_misplaced_confidence():
    times, paths, base, solution = run_confident(1e7)
    rates = jnp.asarray(CONFIDENT[1][0])
    peak = float(sim.accuracy(solution.event_log_probs[1, 2], rates))
    assert peak >= paths[1].max() - 1e-12 and peak - paths[1].max() < 1e-3
    below = float(np.exp(solution.event_log_times[1, 1]))
    last_above = times[np.flatnonzero(paths[1] >= base[1])[-1]]
    assert last_above <= below <= last_above * (times[1] / times[0])


def test_accuracy_that_falls_at_once_is_below_base_from_the_start():
    _, _, _, solution = run_confident(1e7)
    assert solution.event_log_times[2, 1] == -np.inf


def test_accuracy_that_rises_and_falls_within_the_first_step_is_not_below_base_before():
    rates = [0.75772278, 0.75772278, 0.50894618, 0.79761069]
    logits = [-0.89517441, -1.20690048, -1.48431185, 1.11316295]
    paid = sim.FixedConfidence([0.07731448, 0.75989089, 0.94684869, 0.58956865])
    problem, events = sim.Problem(rates, logits=logits), [sim.BelowBase()]
    solution = sim.flow(problem, paid, events=events, max_log_time=np.log(60))
    # The closed form; a separate integration has the change of sign at 0.37 to 0.40.
    np.testing.assert_allclose(np.exp(solution.event_log_times), 0.38198619, rtol=1e-6)
