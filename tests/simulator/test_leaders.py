"""Who leads and from when on: against the hull of the theory, and lines by hand."""

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
import theory
from experiments.checks.random_problems import mixed, moving

LANES, K = 64, 8
LEADS = tuple(sim.Leads(k) for k in range(K))


def problems(rng):
    """Of every family, ties among them: `[LANES, K]` rates and log-probabilities."""
    group = mixed(rng, LANES, K, moving)
    return np.asarray(group.rates), np.asarray(group.log_policy)


def leaders(log_times):
    """Patterns in the order in which they lead, and from when on."""
    order = np.argsort(log_times, kind="stable")
    return [int(k) for k in order if log_times[k] < np.inf], np.sort(log_times)


@pytest.fixture(scope="module")
def walked():
    """Plain gradient with given rewards: all leaders of every problem."""
    rewards, log_policy = problems(np.random.default_rng(3))
    rates = np.random.default_rng(4).uniform(size=rewards.shape)
    solution = sim.exact(
        sim.Problem(rates, logits=log_policy),
        sim.FixedConfidence(rewards),
        events=(*LEADS, sim.Crossing()),
    )
    return rates, rewards, log_policy, solution


def test_all_vertices_of_the_hull_lead_and_nobody_else(walked):
    _, rewards, log_policy, solution = walked
    hull = theory.hull.dominance_hull(rewards, log_policy)
    several = 0
    for lane in range(LANES):
        found, _ = leaders(solution.event_log_times[lane, :K])
        edges = hull.edges[lane]
        assert found == hull.vertices[lane, : edges + 1].tolist()
        several += edges > 1
    assert several > 5


def test_they_take_over_at_the_slopes_of_the_hull(walked):
    _, rewards, log_policy, solution = walked
    hull = theory.hull.dominance_hull(rewards, log_policy)
    inside = log_policy > -np.inf
    log_mean = np.mean(log_policy, axis=-1, where=inside)
    for lane, edge in zip(*np.nonzero(~np.isnan(hull.slopes)), strict=True):
        heir = hull.vertices[lane, edge + 1]
        there = solution.event_log_probs[lane, heir]
        tau = theory.integrability.elapsed(rewards[lane], log_policy[lane], there).tau
        slope = tau / np.exp(log_mean[lane])
        largest = np.exp(-log_policy[lane][inside[lane]].min())
        spread = np.ptp(rewards[lane][inside[lane]])
        wanted = hull.slopes[lane, edge]
        assert abs(slope - wanted) < 1e-11 * (wanted + largest / spread)


def test_the_crossing_is_when_a_best_pattern_first_leads(walked):
    rates, _, log_policy, solution = walked
    best = theory.support.is_best(rates, log_policy)
    leads = np.where(best, solution.event_log_times[:, :K], np.inf).min(axis=-1)
    # A tie at the start is one whoever gains.
    tied = best & (log_policy == log_policy.max(axis=-1, keepdims=True))
    leads[tied.any(axis=-1)] = -np.inf
    np.testing.assert_array_equal(solution.event_log_times[:, K], leads)
    assert 5 < np.isposinf(leads).sum() < LANES - 5


def test_leads_that_are_passed_in_one_stretch_are_seen():
    """Right values: an independent integration of the flow."""
    problem = sim.Problem([0.4, 0.5, 0.8], [0.4, 0.39, 0.21])
    found = sim.plateaus(problem, sim.Verifiable(), until=sim.Gap(1e-3))
    assert [p.pattern for p in found] == [0, 1, 2]
    times = np.exp([p.log_enter for p in found[1:]])
    np.testing.assert_allclose(times, [0.638832, 7.13357], rtol=1e-6)
    problem = sim.Problem([0.9, 0.6, 0.1], logits=[0.05, -0.7, 0.0513])
    paid = sim.FixedConfidence([0.51, 0.78, 0.43])
    solution = sim.solve(problem, paid, until=sim.Crossing())
    np.testing.assert_allclose(np.exp(solution.log_time), 0.0401627, rtol=1e-6)
    found = sim.plateaus(problem, paid, until=sim.Gap(1e-3))
    assert [p.pattern for p in found] == [2, 0, 1]
    np.testing.assert_allclose(np.exp(found[2].log_enter), 9.87088, rtol=1e-6)


def by_lines(start, slopes, limit):
    """Leaders along `start + slopes x`, and the x at which each takes over."""
    leader = max(range(len(start)), key=lambda k: (start[k], slopes[k], -k))
    found = [(leader, 0.0)]
    while True:
        later = [
            ((start[leader] - start[k]) / (slopes[k] - slopes[leader]), -slopes[k], k)
            for k in range(len(start))
            if slopes[k] > slopes[leader]
        ]
        if not later or min(later)[0] >= limit:
            return found
        x, _, leader = min(later)
        found.append((leader, x))


@pytest.mark.parametrize(
    "method", ["exact", pytest.param("flow", marks=pytest.mark.slow)]
)
def test_natural_gradient_leaders_follow_straight_lines(rng, method):
    rates, log_policy = problems(rng)
    beta = np.where(np.arange(LANES) % 2, 0.0, 10.0 ** rng.uniform(-2, 1, size=LANES))
    noise = rng.normal(size=rates.shape)
    reference = np.where(log_policy > -np.inf, np.exp(noise), 0.0)
    reference = reference / reference.sum(axis=-1, keepdims=True)
    solution = sim.solve(
        sim.Problem(rates, logits=log_policy, reference_policy=reference),
        sim.Verifiable(),
        sim.NaturalGradient(beta=beta),
        events=LEADS,
        method=method,
        max_log_time=600.0,
    )
    several = 0
    for lane in range(LANES):
        inside = np.flatnonzero(log_policy[lane] > -np.inf)
        base = log_policy[lane, inside]
        pull = beta[lane] * (base - np.log(reference[lane, inside]))
        limit = 1 / beta[lane] if beta[lane] else np.inf
        wanted = by_lines(base.tolist(), (rates[lane, inside] - pull).tolist(), limit)
        found, log_times = leaders(solution.event_log_times[lane])
        assert found == [inside[k] for k, _ in wanted]
        x = np.array([x for _, x in wanted[1:]])
        t = -np.log1p(-beta[lane] * x) / beta[lane] if beta[lane] else x
        np.testing.assert_allclose(log_times[1 : len(wanted)], np.log(t), atol=1e-9)
        several += len(wanted) > 2
    assert several > 5


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_a_goal_that_holds_for_less_than_a_step_stops_the_run(method):
    rates = [0.5561597755338971, 0.24013532830277584, 0.7414216700278128]
    logits = [-0.869908691486754, 0.6339087328148504, 1.0999803725766906]
    problem = sim.Problem(
        [*rates, 0.6743897148867628], logits=[*logits, -2.1802747478378386]
    )
    paid = [0.9397088139990539, 0.09259153933957631]
    paid = sim.FixedConfidence([*paid, 0.32304448508057915, 0.04653963090561464])
    # By a separate integration accuracy peaks at 0.60536871, at log t = 2.417077.
    level = 0.6052687
    solution = sim.solve(
        problem, paid, until=sim.Accuracy(level), max_log_time=12.0, method=method
    )
    assert solution.outcome_names == "reached"
    assert 2 < solution.log_time < 2.417077
    found = np.exp(solution.log_probs) @ np.asarray(problem.success_rates)
    np.testing.assert_allclose(found, level, rtol=1e-9)


def test_patterns_that_stay_equally_likely_go_by_the_first():
    problem = sim.Problem([0.5, 0.9, 0.9], [0.8, 0.1, 0.1])
    found = sim.plateaus(problem, sim.Verifiable(), until=sim.Gap(1e-3))
    assert [p.pattern for p in found] == [0, 1]


def doubled(rng, lanes):
    """Four patterns, two of them alike, good and rare: rates, logits, the pairs."""
    rates = rng.uniform(size=(lanes, 4))
    logits = rng.normal(size=(lanes, 4))
    pairs = np.array([np.sort(rng.permutation(4)[:2]) for _ in range(lanes)])
    for lane, pair in enumerate(pairs):
        rates[lane, pair] = 0.5 + 0.5 * rng.uniform()
        logits[lane, pair] = -1.0 - rng.uniform()
    return rates, logits, pairs


def merged(rewards, logits, pair, natural, beta, log_end):
    """Log times at which each pattern takes the lead, from SciPy.

    Three patterns, one of which counts twice; the second of the pair has none.
    """
    kept = np.delete(np.arange(4), pair[1])
    counts = np.where(kept == pair[0], 2, 1)
    base = logits[kept] - np.log(np.exp(logits).sum())

    def slope(t, theta):
        pi = np.exp(theta - theta.max())
        pi /= counts @ pi
        drive = rewards[kept] - beta * (np.log(pi) - base)
        advantage = drive - (counts * pi) @ drive
        return advantage if natural else pi * advantage

    def passes(k):
        def lead(t, theta):
            return theta[k] - np.delete(theta, k).max()

        lead.direction = 1
        return lead

    path = solve_ivp(
        slope,
        (0, np.exp(log_end)),
        base,
        method="DOP853",
        rtol=1e-12,
        atol=1e-12,
        events=[passes(k) for k in range(3)],
    )
    times = np.full(4, np.inf)
    for k, found in zip(kept, path.t_events, strict=True):
        times[k] = np.log(found[0]) if len(found) else np.inf
    times[kept[np.argmax(base)]] = -np.inf
    return times


@pytest.mark.witness("Leads", "Crossing")
@pytest.mark.parametrize(
    "update, method",
    [
        (sim.PolicyGradient(), "exact"),
        (sim.PolicyGradient(), "flow"),
        (sim.PolicyGradient(0.05), "auto"),
        (sim.NaturalGradient(0.1), "exact"),
        (sim.NaturalGradient(0.1), "flow"),
    ],
    ids=str,
)
def test_of_two_that_are_alike_the_first_leads_when_they_take_over(update, method):
    """And a best pattern crosses with its equal, in both orders."""
    rng, log_end = np.random.default_rng(8), 5.0
    rewards, logits, pairs = doubled(rng, 24)
    rates = rng.uniform(size=rewards.shape)
    natural, beta = isinstance(update, sim.NaturalGradient), float(update.beta)
    right = np.stack(
        [
            merged(*lane, natural, beta, log_end)
            for lane in zip(rewards, logits, pairs, strict=True)
        ]
    )
    lanes, best = np.arange(24), rates.argmax(axis=-1)
    with_second = best == pairs[:, 1]
    crossing = right[lanes, np.where(with_second, pairs[:, 0], best)]
    assert np.isfinite(right[lanes, pairs[:, 0]]).sum() > 5
    assert np.isfinite(crossing[with_second]).sum() > 1
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        solution = sim.solve(
            sim.Problem(rates[:, order], logits=logits[:, order]),
            sim.FixedConfidence(rewards[:, order]),
            update,
            events=(*LEADS[:4], sim.Crossing()),
            max_log_time=log_end,
            method=method,
        )
        found = solution.event_log_times
        leads = right[:, order]
        if order[0]:
            leads[lanes[:, None], 3 - pairs] = leads[lanes[:, None], 3 - pairs[:, ::-1]]
        np.testing.assert_allclose(found[:, :4], leads, atol=1e-6)
        np.testing.assert_allclose(found[:, 4], crossing, atol=1e-6)


@pytest.mark.parametrize(
    "update", [None, sim.NaturalGradient(), sim.NaturalGradient(0.1)]
)
@pytest.mark.parametrize("method", ["exact", "flow"])
@pytest.mark.parametrize("rates", [[0.9, 0.1, 0.3], [0.1, 0.9, 0.3]])
def test_a_best_pattern_tied_with_another_at_the_start_has_crossed(
    update, method, rates
):
    """Whether the tie lasts, the best one gains, or the other one."""
    paid = np.array([[0.8, 0.8, 0.2], [0.8, 0.7, 0.2], [0.7, 0.8, 0.2]])
    solution = sim.solve(
        sim.Problem([rates] * 3, logits=[[0.0, 0.0, -1.0]] * 3),
        sim.FixedConfidence(paid),
        update,
        until=sim.Crossing(),
        method=method,
    )
    assert solution.outcome_names.tolist() == ["reached"] * 3
    assert solution.log_time.tolist() == [-np.inf] * 3


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_the_second_of_two_that_are_alike_is_said_never_to_lead(method):
    problem = sim.Problem([0.9, 0.9, 0.1], logits=[-1.0, -1.0, 0.0])
    for pattern, outcome in enumerate(["reached", "unreachable"]):
        goal = sim.Leads(pattern)
        solution = sim.solve(
            problem, sim.Verifiable(), until=goal, max_log_time=9.0, method=method
        )
        assert solution.outcome_names == outcome


@pytest.mark.parametrize(
    "paid",
    [
        sim.MajorityVote(),
        sim.SequenceLogProbability(),
        sim.Demonstrations([0.2, 0.3, 0.3, 0.2]),
        sim.Mixture([sim.MajorityVote(), sim.FixedConfidence([0.0, 1, 1, 1])], [1, 1]),
    ],
    ids=lambda paid: type(paid).__name__,
)
def test_moving_rewards_keep_alike_who_answers_alike(paid):
    """Pattern 3 is paid for the majority like 1 and 2, for another answer not."""
    rows = [[0.1, 0.8, 0.1], [0.3, 0.5, 0.2], [0.3, 0.5, 0.2], [0.2, 0.5, 0.3]]
    problem = sim.Problem(policy=[0.1, 0.3, 0.3, 0.3], answer_kernel=rows)
    for beta in (0.0, 0.1):
        dynamics = sim.Dynamics(problem, paid, sim.PolicyGradient(beta))
        traits = np.asarray(dynamics.traits)
        same = (traits[:, :, None] == traits[:, None]).all(axis=0)
        assert np.argwhere(np.triu(same, 1)).tolist() == [[1, 2]]


@pytest.mark.parametrize("beta, pairs", [(0.0, 1), (0.1, 0)])
def test_references_tell_patterns_apart_that_are_drawn_to_them(beta, pairs):
    policy, reference = [0.4, 0.3, 0.3], [0.4, 0.4, 0.2]
    problem = sim.Problem([0.1, 0.9, 0.9], policy, reference_policy=reference)
    dynamics = sim.Dynamics(problem, sim.Verifiable(), sim.PolicyGradient(beta))
    traits = np.asarray(dynamics.traits)
    assert (traits[:, 1] == traits[:, 2]).all() == pairs


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_whoever_never_leads_is_said_to_be_unreachable(method):
    rates = np.array([[0.9, 0.6, 0.1], [0.9, 0.6, 0.1], [0.2, 0.5, 0.9]])
    policy = np.array([[0.05, 0.70, 0.25], [0.3, 0.4, 0.3], [0.4, 0.1, 0.5]])
    confidence = np.array([[0.1, 0.5, 0.2], [0.6, 0.5, 0.2], [0.4, 0.1, 0.5]])
    solution = sim.solve(
        sim.Problem(rates, policy),
        sim.FixedConfidence(confidence),
        until=sim.Crossing(),
        method=method,
    )
    names = solution.outcome_names
    # The first ends at pattern 1; in the second 0 overtakes; in the third 2 leads.
    assert names.tolist() == ["unreachable", "reached", "reached"]
    assert solution.log_time[0] == np.inf and solution.log_time[2] == -np.inf
    np.testing.assert_allclose(np.exp(solution.log_probs[0, 1]), 1, atol=1e-9)


def test_a_goal_that_holds_from_the_start_is_reached_whoever_is_paid():
    policy = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [1.0, 0.0], [0.9, 0.1]])
    rates = np.array([[0.5, 0.5]] * 3 + [[0.9, 0.1], [0.9, 0.1]])
    level = np.array([0.3, 0.5, 0.6, 0.5, 0.95])
    solution = sim.solve(
        sim.Problem(rates, policy), sim.Verifiable(), until=sim.Accuracy(level)
    )
    names = solution.outcome_names.tolist()
    assert names == ["reached", "reached", "stationary", "reached", "unreachable"]
    assert solution.log_time.tolist() == [-np.inf, -np.inf, np.inf, -np.inf, np.inf]


def test_an_accuracy_that_never_moves_never_falls_below_that_of_the_base_model():
    problem = sim.Problem([0.5, 0.5], [0.3, 0.7])
    paid = sim.FixedConfidence([1.0, 0.0])
    solution = sim.solve(
        problem, paid, until=sim.BelowBase(), events=[sim.BelowBase()], max_log_time=9.0
    )
    assert solution.outcome_names == "horizon"
    assert solution.event_log_times[0] == np.inf


@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_the_natural_gradient_never_ends_in_nan(width):
    with jax.enable_x64(width == np.float64):
        problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
        solution = sim.solve(problem, sim.Verifiable(), sim.NaturalGradient())
    assert solution.log_probs.dtype == width
    assert np.exp(solution.log_probs).tolist() == [1, 0, 0]
    # They stay patterns of the model, as rare as a float can say.
    largest = np.finfo(width).max
    assert (solution.log_probs[1:] <= -largest / 8).all()
    assert np.isfinite(solution.log_probs).all()
    assert solution.outcome_names == "horizon"
