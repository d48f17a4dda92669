"""The closed-form engine against 50 digits, against the flow, and in corners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
import theory
from experiments.search.precise import Precise
from simulator.engines.exact.engine import ExactEngine
from simulator.leaders import sequence
from tests.oracles import softmax

EVENTS = (sim.T0(), sim.Crossing())
WIDTH, K = 16, 5


def run(rates, logits, **options):
    """One compiled shape for all tests: `WIDTH` lanes of `K` patterns."""
    rates, logits = np.atleast_2d(rates), np.atleast_2d(logits)
    lanes, missing = len(rates), K - rates.shape[1]
    rates = np.pad(rates, ((0, WIDTH - lanes), (0, missing)), mode="edge")
    logits = np.pad(logits, ((0, 0), (0, missing)), constant_values=-np.inf)
    logits = np.pad(logits, ((0, WIDTH - lanes), (0, 0)), mode="edge")
    options = {"until": sim.Gap(1e-3), "events": EVENTS} | options
    problem = sim.Problem(rates, logits=logits)
    solution = sim.exact(problem, sim.Verifiable(), **options)
    return jax.tree.map(lambda leaf: leaf[:lanes], solution)


def log_normalised(logits):
    return np.asarray(logits) - np.logaddexp.reduce(logits)


CORNERS = {
    "regime 2": ([0.9, 0.6, 0.1], np.log([0.05, 0.70, 0.25])),
    "rare best": ([0.9, 0.55, 0.2], np.log([1e-9, 0.6, 0.4 - 1e-9])),
    "deep": ([0.9, 0.7, 0.5, 0.3, 0.1], [-30.0, 0.0, -1.0, -2.0, -3.0]),
    "near tie": ([0.9, 0.9 - 1e-9, 0.4, 0.4 - 1e-12], [-3.0, 0.0, -0.1, 0.2]),
    "near tie for the lead": ([0.9, 0.6, 0.1], [0.0, 4e-11, -4.3]),
    "tie of the best": ([0.7, 0.7, 0.2], [-1.0, -3.0, 2.0]),
    "tied twins": ([0.7, 0.7, 0.2], [-1.0, -1.0, 2.0]),
    "four edges": ([0.1, 0.3, 0.5, 0.7, 0.9], [0.0, -3.0, -6.0, -9.0, -12.0]),
    "collinear": ([0.2, 0.4, 0.6], -np.log([1.0, 2.0, 3.0])),
    "uniform": ([0.1, 0.35, 0.6, 0.65, 0.9], [0.0] * 5),
    "nearly won": ([0.9, 0.5, 0.2], [5.0, 0.0, 0.0]),
    "late t0": ([0.9, 0.6, 0.1], np.log([0.01, 0.012, 0.978])),
}


def precise_log_time(problem, tau):
    return float(problem.time(tau).log())


@pytest.mark.parametrize("name", CORNERS)
def test_corners_agree_with_50_digits(name):
    rates, logits = CORNERS[name]
    rates, log_policy = np.asarray(rates), log_normalised(logits)
    # Below any gap at which the crossing could still be to come.
    lead = rates.max() - np.max(rates[rates < rates.max()])
    level = min(1e-3, 0.3 * lead)
    solution = run(rates, logits, until=sim.Gap(level))
    reference = Precise(rates, log_policy)
    end = reference.gap(level)
    wanted = precise_log_time(reference, end)
    np.testing.assert_allclose(solution.log_time[0], wanted, rtol=0, atol=1e-10)
    log_probs = solution.log_probs[0, : len(rates)]
    np.testing.assert_allclose(log_probs, reference.log_probs(end), atol=1e-10)
    if len(reference.borders) > 1:
        wanted = precise_log_time(reference, reference.crossing())
        crossing = solution.event_log_times[0, 1]
        np.testing.assert_allclose(crossing, wanted, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_however_little_a_rival_leads_the_run_is_resolved(rng):
    lead = 10.0 ** -np.linspace(1, 17, 64)
    logits = np.stack([0 * lead, lead, np.full_like(lead, -4.3)], axis=-1)
    problem = sim.Problem(np.tile([0.9, 0.6, 0.1], (64, 1)), logits=logits)
    exact = sim.exact(problem, sim.Verifiable(), until=sim.Accuracy(0.81))
    assert (exact.outcome_names == "reached").all()
    flow = sim.flow(problem, sim.Verifiable(), until=sim.Accuracy(0.81))
    np.testing.assert_allclose(exact.log_time, flow.log_time, atol=1e-8)


def test_random_problems_agree_with_50_digits(rng):
    rates = rng.uniform(size=(WIDTH, K))
    logits = 3 * rng.normal(size=(WIDTH, K))
    solution = run(rates, logits)
    assert (solution.outcome_names == "reached").all()
    for lane in range(WIDTH):
        reference = Precise(rates[lane], log_normalised(logits[lane]))
        end = reference.gap(1e-3)
        wanted = precise_log_time(reference, end)
        np.testing.assert_allclose(solution.log_time[lane], wanted, rtol=0, atol=1e-10)
        np.testing.assert_allclose(
            solution.log_probs[lane], reference.log_probs(end), atol=1e-10
        )


def test_the_two_engines_agree_on_states_at_given_times(rng):
    rates, logits = rng.uniform(size=(WIDTH, K)), 2 * rng.normal(size=(WIDTH, K))
    times = np.log(np.geomspace(0.3, 1e5, 7))
    problem = sim.Problem(rates, logits=logits)
    options = {"save_log_times": times, "max_log_time": np.log(1e6)}
    exact = sim.exact(problem, sim.Verifiable(), **options)
    flow = sim.flow(problem, sim.Verifiable(), tolerance=1e-11, **options)
    assert (exact.outcome_names == "horizon").all()
    np.testing.assert_allclose(exact.saved, flow.saved, rtol=1e-7)
    np.testing.assert_allclose(exact.log_probs, flow.log_probs, atol=1e-7)
    # A time costs three stretches; by Newton's method alone it was nine.
    assert exact.num_steps.mean() < 40


@pytest.mark.slow
def test_ten_thousand_patterns(rng):
    rates, logits = rng.uniform(size=10_000), 0.1 * rng.normal(size=10_000)
    exact, flow = (
        sim.solve(
            sim.Problem(rates, logits=logits),
            sim.Verifiable(),
            method=method,
            until=sim.Gap(1e-2),
        )
        for method in ("exact", "flow")
    )
    assert str(exact.outcome_names) == "reached"
    np.testing.assert_allclose(exact.log_time, flow.log_time, rtol=1e-9)
    np.testing.assert_allclose(exact.log_probs, flow.log_probs, rtol=1e-7)
    # One unit of v moves log p by thousands: rounding of v must not be seen.
    gap = np.exp(exact.log_probs) @ (rates.max() - rates)
    np.testing.assert_allclose(gap, 1e-2, rtol=1e-12)


@pytest.mark.slow
def test_a_deeper_dip_beyond_the_end_does_not_hide_one_before_it():
    """The run ends within the stretch in which pi_* dips once more."""
    rates, logits = [0.2, 0.4, 0.6, 0.8], [-2.099, -3.385, -6.013, -7.339]
    until, events = sim.Accuracy(0.58939754), (sim.LowestOptimalProbability(),)
    solution = run(rates, logits, until=until, events=events)
    times = np.linspace(-3, float(solution.log_time[0]), 400)
    problem = sim.Problem(rates, logits=logits)
    path = sim.exact(problem, sim.Verifiable(), save_log_times=times).saved[:, 3]
    assert 0 < np.argmin(path) < len(path) - 1
    lowest = float(solution.event_log_probs[0, 0, 3])
    np.testing.assert_allclose(lowest, np.log(path.min()), atol=1e-4)


@pytest.mark.slow
def test_all_events_agree_with_the_flow_under_misplaced_confidence(rng):
    rates, logits = rng.uniform(size=(WIDTH, K)), 2 * rng.normal(size=(WIDTH, K))
    signal = sim.FixedConfidence(rng.uniform(size=(WIDTH, K)))
    problem = sim.Problem(rates, logits=logits)
    events = (
        sim.PeakAccuracy(),
        sim.BelowBase(),
        sim.LowestOptimalProbability(),
        sim.Accuracy(0.5),
        sim.SuboptimalMass(0.9),
    )
    options = {"until": sim.Gap(1e-4), "events": events}
    exact = sim.exact(problem, signal, **options)
    flow = sim.flow(problem, signal, tolerance=1e-11, **options)
    assert np.isfinite(exact.event_log_times).sum() > 30
    np.testing.assert_allclose(
        exact.event_log_times, flow.event_log_times, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(
        np.exp(exact.event_log_probs), np.exp(flow.event_log_probs), atol=1e-7
    )


@pytest.mark.slow
def test_accuracy_that_falls_at_once_is_below_base_from_the_start():
    problem = sim.Problem([0.9, 0.2], [0.7, 0.3])
    solution = sim.exact(
        problem,
        sim.FixedConfidence([0.1, 0.5]),
        until=sim.Gap(1e-3),
        events=(sim.BelowBase(),),
    )
    assert solution.event_log_times[0] == -np.inf


@pytest.mark.slow
def test_the_deepest_of_several_dips_is_found(rng):
    # Every hand-over on the way to the best pattern makes it dip once more.
    rates = np.tile([0.1, 0.3, 0.5, 0.7, 0.9], (WIDTH, 1))
    logits = np.cumsum(-rng.uniform(0.5, 4, size=(WIDTH, K)), axis=1)
    times = np.linspace(-3, 25, 60)
    problem = sim.Problem(rates, logits=logits)
    solution = sim.exact(
        problem,
        sim.Verifiable(),
        until=sim.Gap(1e-2),
        events=(sim.LowestOptimalProbability(),),
        save_log_times=times,
        observe=lambda log_probs: log_probs[4],
    )
    path = np.asarray(solution.saved)
    dips = (path[:, 1:-1] < path[:, :-2]) & (path[:, 1:-1] < path[:, 2:])
    assert (dips.sum(axis=1) > 1).any()
    lowest = np.asarray(solution.event_log_probs[:, 0, 4])
    wanted = theory.dip.lowest_best_mass(rates, problem.log_policy)
    np.testing.assert_allclose(lowest, wanted, atol=1e-9)


@pytest.mark.parametrize("name", ["four edges", "late t0", "uniform"])
def test_plateaus_are_those_of_50_digits(name):
    rates, logits = CORNERS[name]
    problem = sim.Problem(rates, logits=np.asarray(logits, float))
    found = sim.plateaus(problem, sim.Verifiable(), until=sim.Gap(1e-2))
    assert found[0].log_enter == -np.inf
    assert found[-1].pattern == np.argmax(rates)
    reference = Precise(rates, log_normalised(logits))
    borders = [float(reference.time(b).log()) for b in reference.borders[1:]]
    assert len(found) == 1 + len(borders)
    enters = [plateau.log_enter for plateau in found[1:]]
    np.testing.assert_allclose(enters, borders, rtol=0, atol=1e-10)
    leaves = [plateau.log_leave for plateau in found[:-1]]
    assert leaves == enters
    with pytest.raises(ValueError, match="batch"):
        sim.plateaus(sim.Problem([rates], logits=[logits]), sim.Verifiable())


def test_times_beyond_the_range_of_floats():
    # K = 2: T_cross = (sinh(x) + x) / 0.5 with x the difference of logits.
    solution = run([0.9, 0.4], [-700.0, 700.0])
    expected = 1400 - np.log(2) - np.log(0.5)
    np.testing.assert_allclose(solution.event_log_times[0, 1], expected, rtol=1e-12)


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_a_time_before_anything_moves_is_reached(method):
    base = [-3000.0, 0.0]
    for limit in (-700.0, 23.0, 1800.0, 2900.0):
        problem = sim.Problem([0.9, 0.6], logits=[-3000.0, 0.0])
        early = sim.solve(
            problem,
            sim.Verifiable(),
            until=sim.Gap(1e-3),
            max_log_time=limit,
            method=method,
        )
        assert early.outcome_names == "horizon"
        np.testing.assert_allclose(early.log_time, limit, rtol=1e-12)
        np.testing.assert_allclose(early.log_probs, base, rtol=1e-10)


def test_what_is_saved_before_anything_moves_does_not_change_what_is_later():
    def at(times):
        problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
        return sim.exact(
            problem, sim.Verifiable(), save_log_times=times, max_log_time=3.0
        ).saved

    saved = at([-1000.0, 1.0])
    np.testing.assert_allclose(saved[0], [0.05, 0.70, 0.25], rtol=1e-12)
    np.testing.assert_allclose(saved[1], at([0.5, 1.0])[1], rtol=1e-11)


@pytest.mark.parametrize("update", [sim.PolicyGradient(), sim.NaturalGradient()])
def test_a_state_that_waits_is_later_and_the_same(update):
    problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
    dynamics = sim.Dynamics(problem, sim.Verifiable(), update)
    path = ExactEngine().path(dynamics)
    for walked in (path, ExactEngine().with_derivatives(path)):
        start = walked.start()
        later = walked.waiting(start, jnp.asarray(-40.0))
        np.testing.assert_allclose(walked.log_time(later), -40, rtol=1e-12)
        np.testing.assert_allclose(
            walked.log_probs(later), walked.log_probs(start), rtol=1e-14
        )


def test_who_leads_at_the_end_is_listed_though_the_time_is_the_same_float():
    assert [p.pattern for p in sequence([0.0, 1.0], [942.0, -np.inf], 942.0)] == [1, 0]


def test_the_gap_times_time_tends_to_nm_over_n_plus_m():
    # Two twins survive among three best patterns, two worse ones: 2*2/(2+2) = 1.
    rates, logits = [0.8, 0.8, 0.8, 0.5, 0.2], [0.0, 0.0, -2.0, 1.0, 0.5]
    levels = np.array([1e-4, 1e-8, 1e-12])
    misses = []
    for level in levels:
        time = np.exp(run(rates, logits, until=sim.Gap(level)).log_time[0])
        misses.append(abs(time * level - 1))
    assert misses[0] > 3 * misses[1] > 9 * misses[2] and misses[2] < 1e-3


def test_equal_rewards_leave_no_gap_and_padding_changes_nothing():
    equal = run([0.4, 0.4], [0.0, 1.0])
    assert equal.outcome_names[0] == "reached"
    assert equal.log_time[0] == -np.inf
    plain = run([0.9, 0.6, 0.1], [-2.0, 1.0, 0.0])
    padded = run([0.9, 0.6, 0.1, 0.99], [-2.0, 1.0, 0.0, -np.inf])
    np.testing.assert_allclose(padded.log_time, plain.log_time, rtol=1e-14)
    assert np.isneginf(padded.log_probs[0, 3])


def test_a_lane_alone_equals_the_lane_in_its_batch(rng):
    rates, logits = rng.uniform(size=(WIDTH, K)), 2 * rng.normal(size=(WIDTH, K))
    together = run(rates, logits)
    for lane in (0, 7):
        problem = sim.Problem(rates[lane], logits=logits[lane])
        alone = sim.solve(problem, sim.Verifiable(), until=sim.Gap(1e-3))
        assert alone.method == "exact"
        np.testing.assert_allclose(
            alone.log_time, together.log_time[lane], rtol=0, atol=1e-13
        )


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_natural_gradient_has_its_closed_form(beta):
    rates, logits = np.array([0.9, 0.6, 0.1]), np.array([-2.0, 1.0, 0.0])
    reference = np.array([0.2, 0.3, 0.5])
    problem = sim.Problem(rates, logits=logits, reference_policy=reference)
    times = np.array([0.1, 1.0, 7.0])
    solution = sim.exact(
        problem,
        sim.Verifiable(),
        sim.NaturalGradient(beta=beta),
        save_log_times=np.log(times),
        max_log_time=3.0,
    )
    for t, saved in zip(times, solution.saved, strict=True):
        if beta:
            target = np.log(reference) + rates / beta
            wanted = softmax(target + np.exp(-beta * t) * (logits - target))
        else:
            wanted = softmax(logits + rates * t)
        np.testing.assert_allclose(saved, wanted, rtol=1e-12)


@pytest.mark.slow
def test_the_natural_gradient_crosses_at_the_log_ratio_over_the_lead():
    problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
    update = sim.NaturalGradient()
    events = (sim.Crossing(), sim.T0())
    options = {"until": sim.Gap(1e-3), "events": events}
    exact = sim.exact(problem, sim.Verifiable(), update, **options)
    wanted = np.log(np.log(0.70 / 0.05) / 0.3)
    np.testing.assert_allclose(exact.event_log_times[0], wanted, rtol=1e-13)
    flow = sim.flow(problem, sim.Verifiable(), update, tolerance=1e-11, **options)
    np.testing.assert_allclose(exact.event_log_times, flow.event_log_times, rtol=1e-9)
    np.testing.assert_allclose(exact.log_time, flow.log_time, rtol=1e-9)


MIXED_RATES = np.array([0.9, 0.6, 0.1])


@pytest.mark.slow
def test_a_mixture_of_fixed_rewards_has_its_closed_form_and_slopes():
    kernel = np.stack([MIXED_RATES, 1 - MIXED_RATES], axis=1)
    logits = np.array([-2.0, 1.0, 0.0])

    def time(weights, engine=sim.solve):
        problem = sim.Problem(MIXED_RATES, logits=logits, answer_kernel=kernel)
        signal = sim.Mixture((sim.Verifiable(), sim.SelfCertainty()), weights)
        return engine(problem, signal, until=sim.Gap(1e-2))

    weights = np.array([0.7, 0.2])
    found, flow = time(weights), time(weights, sim.flow)
    assert (found.method, flow.method) == ("exact", "flow")
    np.testing.assert_allclose(found.log_time, flow.log_time, rtol=1e-8)
    np.testing.assert_allclose(found.log_probs, flow.log_probs, atol=1e-7)
    slope = jax.grad(lambda w: time(w).log_time)(jnp.asarray(weights))
    for k in range(2):
        step = 1e-5 * np.eye(2)[k]
        change = time(weights + step).log_time - time(weights - step).log_time
        np.testing.assert_allclose(slope[k], change / 2e-5, rtol=1e-6)
    moving = sim.Mixture((sim.Verifiable(), sim.MajorityVote()), weights)
    assert not sim.closed_form(moving, sim.PolicyGradient())


def test_the_engine_is_chosen_by_what_is_known():
    problem = sim.Problem([0.9, 0.1], [0.5, 0.5])
    penalised = sim.PolicyGradient(beta=0.5)
    assert sim.closed_form(sim.Verifiable(), sim.PolicyGradient())
    assert sim.closed_form(sim.Verifiable(), sim.NaturalGradient(beta=0.5))
    assert not sim.closed_form(sim.Verifiable(), penalised)
    assert sim.solve(problem, sim.Verifiable(), penalised).method == "implicit"
    with pytest.raises(ValueError, match="closed form"):
        sim.solve(problem, sim.Verifiable(), penalised, method="exact")
    with pytest.raises(ValueError, match="magic"):
        sim.solve(problem, sim.Verifiable(), method="magic")


@pytest.mark.slow
def test_float32_has_an_outcome_and_a_known_error(rng):
    rates, logits = rng.uniform(size=(WIDTH, K)), 2 * rng.normal(size=(WIDTH, K))
    double = run(rates, logits)
    with jax.enable_x64(False):
        problem = sim.Problem(
            jnp.asarray(rates, jnp.float32), logits=jnp.asarray(logits, jnp.float32)
        )
        single = sim.exact(problem, sim.Verifiable(), until=sim.Gap(1e-3))
    assert single.log_time.dtype == np.float32
    assert (single.outcome_names == "reached").all()
    np.testing.assert_allclose(single.log_time, double.log_time, atol=1e-3)


# Accuracy rises and falls again, or pi_* falls and rises, within one stretch.
RATES = [
    [0.26, 0.92, 0.73, 0.0],
    [0.68, 0.02, 0.19, 0.67],
    [0.87, 0.11, 0.0, 0.6],
    [0.62, 0.62, 0.49, 0.04],
    [0.85, 0.6, 0.31, 0.64],
    [0.15, 0.78, 0.45, 0.93],
]
CONFIDENCE = [
    [0.76, 0.61, 0.23, 0.54],
    [0.19, 0.96, 0.75, 0.93],
    [0.72, 0.86, 0.3, 0.84],
    [0.48, 0.73, 0.58, 0.14],
    [0.9, 0.78, 0.23, 0.25],
    [0.71, 0.24, 0.36, 0.87],
]
LOGITS = [
    [-0.8, 0.3, 0.4, -0.7],
    [-1.4, -0.5, -0.3, -0.2],
    [-0.3, -1.2, 0.3, -0.6],
    [-0.1, 0.1, 1.6, 0.6],
    [-0.7, 0.7, -0.6, -0.5],
    [1.4, -0.3, 0.4, -0.4],
]
# A fine grid, and one time so early that it stands for the start.
TIMES = np.append(-12.0, np.linspace(-5, 9, 300))


def run_and_watch(update):
    """A run, and what it is compared with: accuracy and pi_* at many times."""
    problem = sim.Problem(RATES, logits=LOGITS)
    signal, rates = sim.FixedConfidence(CONFIDENCE), np.array(RATES)
    events = (
        sim.PeakAccuracy(),
        sim.LowestOptimalProbability(),
        sim.Accuracy(0.65),
        sim.BelowBase(),
    )
    run = sim.exact(problem, signal, update, max_log_time=TIMES[-1], events=events)
    saved = sim.exact(problem, signal, update, save_log_times=TIMES).saved
    best = rates == rates.max(axis=-1, keepdims=True)
    return run, (saved * rates[:, None]).sum(-1), (saved * best[:, None]).sum(-1)


@pytest.fixture(scope="module")
def watched():
    return run_and_watch(sim.PolicyGradient())


def holds_between(run, accuracy, optimal):
    """Peak and dip are those of the fine grid, or a little beyond."""
    rates = np.array(RATES)
    best = rates == rates.max(axis=-1, keepdims=True)
    peak = (np.exp(run.event_log_probs[:, 0]) * rates).sum(-1)
    dip = (np.exp(run.event_log_probs[:, 1]) * best).sum(-1)
    seen, lowest = accuracy.max(-1), optimal.min(-1)
    assert (peak >= seen - 1e-14).all() and (peak <= seen + 1e-4).all()
    assert (dip <= lowest + 1e-14).all() and (dip >= lowest - 1e-4).all()


@pytest.mark.slow
def test_what_happens_and_is_undone_within_a_stretch_is_seen(watched):
    holds_between(*watched)


@pytest.mark.slow
def test_the_natural_gradient_sees_it_too():
    holds_between(*run_and_watch(sim.NaturalGradient()))


@pytest.mark.parametrize("update", [sim.PolicyGradient(), sim.NaturalGradient()])
def test_a_goal_just_below_a_peak_is_reached(update):
    """However short it holds; the peak is known by its slope."""
    rng = np.random.default_rng(5)
    rates, confidence = rng.random((2, 256, 4))
    problem = sim.Problem(rates, logits=rng.normal(size=(256, 4)))
    signal = sim.FixedConfidence(confidence)
    run = sim.exact(problem, signal, update, events=[sim.PeakAccuracy()])
    peak = sim.accuracy(run.event_log_probs[:, 0], rates)
    on_the_way = np.isfinite(run.event_log_times[:, 0])
    for below in (1e-4, 1e-6, 1e-8):
        level = (1 - below) * peak
        first = np.asarray(sim.accuracy(problem.log_policy, rates) < level)
        lanes = (
            first & on_the_way & np.asarray(sim.accuracy(run.log_probs, rates) < level)
        )
        assert lanes.sum() > 30
        goal = sim.exact(problem, signal, update, until=sim.Accuracy(level))
        assert (goal.outcome_names[lanes] == "reached").all()
        reached = sim.accuracy(goal.log_probs, rates)
        np.testing.assert_allclose(reached[lanes], level[lanes], rtol=1e-13)
        assert (goal.log_time < run.event_log_times[:, 0])[lanes].all()


@pytest.mark.slow
def test_the_first_and_the_last_of_several_changes_are_seen(watched):
    run, accuracy, _ = watched
    # The first time above, and the first from which accuracy stays below the base.
    high = TIMES[np.argmax(accuracy[0] > 0.65)]
    assert high - 0.05 <= run.event_log_times[0, 2] <= high
    base = np.exp(sim.Problem(RATES, logits=LOGITS).log_policy) * np.array(RATES)
    above = accuracy >= np.asarray(base).sum(-1)[:, None]
    lost = np.flatnonzero(above.any(-1) & ~above[:, -1])
    assert len(lost) > 1
    last = TIMES[::-1][np.argmax(above[lost, ::-1], axis=-1)]
    late = run.event_log_times[lost, 3] - last
    assert (late >= 0).all() and (late <= 0.05).all()
