"""Implicit steps, where explicit ones would have to be as short as the fastest rate."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
import theory
from simulator.dynamics import Dynamics
from simulator.engines.flow.implicit import StiffPath
from tests.oracles import softmax

WIDTH, PATTERNS = 8, 5
EVENTS = (sim.Crossing(), sim.LowestOptimalProbability())


def run(rates, logits, beta, signal=None, **options):
    """One compiled shape for most tests: `WIDTH` lanes of `PATTERNS` patterns."""
    shape = WIDTH, PATTERNS
    rates, logits = (np.broadcast_to(x, shape) for x in (rates, logits))
    problem = sim.Problem(
        rates, logits=logits, reference_policy=np.full(shape, 1 / PATTERNS)
    )
    update = sim.PolicyGradient(beta=np.broadcast_to(beta, WIDTH))
    signal = sim.Verifiable() if signal is None else signal
    return sim.solve(problem, signal, update, events=EVENTS, **options)


def resting(rates, beta):
    """The closed form of where it ends."""
    reference = np.full((WIDTH, PATTERNS), -np.log(PATTERNS))
    return theory.optimum.optimal_policy(
        np.broadcast_to(rates, reference.shape), reference, beta
    )


@pytest.mark.slow
def test_they_come_to_rest_at_the_optimum_however_small_the_penalty(rng):
    rates = rng.uniform(size=(WIDTH, PATTERNS))
    beta = np.geomspace(1e-3, 3, WIDTH)
    found = run(rates, rng.normal(size=(WIDTH, PATTERNS)), beta)
    assert found.method == "implicit"
    assert (found.outcome_names == "settled").all()
    # Probabilities to exp(-600), each to eight digits of its logarithm.
    assert found.log_probs.min() < -400 and found.log_time.max() > 400
    np.testing.assert_allclose(found.log_probs, resting(rates, beta), atol=2e-8)


def test_two_patterns_take_the_time_of_a_quadrature():
    lead, start, towards = 0.5, -4.0, 1.3
    betas = np.geomspace(0.004, 1.0, WIDTH)
    # x = theta_1 - theta_2: dx/dt = (lead - beta (x - towards)) / (1 + cosh x)
    ends = towards + 0.9 * lead / betas
    problem = sim.Problem(
        np.tile([0.8, 0.8 - lead], (WIDTH, 1)),
        logits=np.tile([start, 0.0], (WIDTH, 1)),
        reference_policy=np.tile(softmax([towards, 0.0]), (WIDTH, 1)),
    )
    found = sim.solve(
        problem,
        sim.Verifiable(),
        sim.PolicyGradient(beta=betas),
        until=sim.SuboptimalMass(1 / (1 + np.exp(ends))),
    )
    assert (found.outcome_names == "reached").all()
    for beta, end, log_time in zip(betas, ends, found.log_time, strict=True):

        def pace(x, beta=beta):
            return (1 + mpmath.cosh(x)) / (lead - beta * (x - towards))

        # Most of the time is spent near the end.
        places = [start, *np.linspace(0, end, 30)]
        wanted = float(mpmath.log(mpmath.quad(pace, places)))
        np.testing.assert_allclose(log_time, wanted, atol=1e-7)


@pytest.mark.slow
def test_they_agree_with_radau_on_the_way():
    rates, logits = np.array([0.9, 0.6, 0.5, 0.1, 0.3]), np.array([-2.0, 2, 0, 1, 0])
    beta, times = 0.04, np.geomspace(0.5, 1e6, 12)

    def field(t, theta):
        pi = softmax(theta)
        pay = rates - beta * np.log(pi * PATTERNS)
        return pi * (pay - pi @ pay)

    peer = solve_ivp(
        field, (0, times[-1]), logits, "Radau", times, rtol=1e-10, atol=1e-11
    )
    found = run(
        rates, logits, beta, save_log_times=np.log(times), max_log_time=np.log(2e6)
    )
    for saved, theta in zip(found.saved[0], peer.y.T, strict=True):
        np.testing.assert_allclose(np.log(saved), np.log(softmax(theta)), atol=2e-7)
    plain = run(rates, logits, beta, max_log_time=np.log(2e6))
    # To land costs a step each time, but not the pace.
    assert 40 < plain.num_steps[0] < found.num_steps[0]
    assert found.num_steps[0] <= plain.num_steps[0] + len(times)


@pytest.mark.slow
def test_events_are_where_explicit_steps_find_them(rng, monkeypatch):
    rates = rng.uniform(size=(WIDTH, PATTERNS))
    logits = rng.normal(size=(WIDTH, PATTERNS))
    logits[np.arange(WIDTH), rates.argmax(axis=1)] -= 3
    beta = np.geomspace(0.2, 1, WIDTH)
    implicit = run(rates, logits, beta)
    monkeypatch.setattr(sim.PolicyGradient, "stiff", lambda update, signal: False)
    explicit = run(rates, logits, beta)
    assert explicit.method == "flow"
    crossed = np.isfinite(explicit.event_log_times[:, 0])
    assert crossed.sum() > 4
    np.testing.assert_allclose(
        implicit.event_log_times[:, 0], explicit.event_log_times[:, 0], atol=2e-7
    )
    lowest = (found.event_log_probs[:, 1] for found in (implicit, explicit))
    best = np.arange(WIDTH), rates.argmax(axis=1)
    np.testing.assert_allclose(*(x[best] for x in lowest), atol=2e-7)


def test_what_has_no_share_keeps_none_and_changes_nothing(rng):
    rates, logits = rng.uniform(size=PATTERNS), rng.normal(size=PATTERNS)
    rates[-1], logits[-1] = 1.0, -np.inf
    problem = sim.Problem(rates, logits=logits)
    fewer = sim.Problem(rates[:-1], logits=logits[:-1])
    found, wanted = (
        sim.solve(x, sim.Verifiable(), sim.PolicyGradient(beta=0.03))
        for x in (problem, fewer)
    )
    assert found.log_probs[-1] == -np.inf
    np.testing.assert_allclose(found.log_probs[:-1], wanted.log_probs, atol=3e-8)
    assert found.num_steps == wanted.num_steps


@pytest.mark.parametrize(
    "signal",
    [
        sim.Verifiable(),
        sim.MajorityVote(),
        sim.Demonstrations(np.array([0.2, 0.1, 0.3, 0.25, 0.15])),
        sim.Mixture((sim.Verifiable(), sim.SequenceLogProbability()), [0.3, 0.7]),
    ],
)
@pytest.mark.parametrize("tied", [False, True])
def test_the_jacobian_is_that_of_the_velocity(signal, tied, rng):
    kernel = rng.dirichlet(np.ones(PATTERNS), size=PATTERNS)
    logits = rng.normal(size=PATTERNS)
    if tied:  # where what the patterns are paid is equal, and how likely they are
        kernel[1], logits[1] = kernel[0], logits[0]
    problem = sim.Problem(kernel[:, 0], logits=logits, answer_kernel=kernel)
    beta = 0.3
    path = StiffPath(
        Dynamics(problem, signal, sim.PolicyGradient(beta=beta)), jnp.zeros(())
    )

    def velocity(theta):
        log_probs = jax.nn.log_softmax(theta)
        pull = log_probs - problem.log_reference
        pay = signal(problem, log_probs) - beta * pull
        policy = jnp.exp(log_probs)
        return policy * (pay - policy @ pay)

    theta = jnp.asarray(logits)
    log_probs = jax.nn.log_softmax(theta)
    found = path._slope(log_probs, path._advantage(log_probs))
    wanted = jax.jacfwd(velocity)(theta)
    np.testing.assert_allclose(
        jnp.exp(log_probs)[:, None] * found, wanted, rtol=1e-12, atol=1e-14
    )


@pytest.mark.slow
def test_supervised_fine_tuning_ends_at_its_data_and_costs_no_time():
    data = np.array([0.7, 0.2999, 1e-4, 0.0, 0.0])
    logits = np.array([0.0, 1.0, 2.0, 0.5, -1.0])
    signal = sim.Demonstrations(data)
    found = run(0.5, logits, 0.0, signal, max_log_time=40.0)
    assert found.method == "implicit"
    assert (found.outcome_names == "horizon").all()
    assert found.num_steps.max() < 1000
    shown = data > 0
    np.testing.assert_allclose(
        found.log_probs[0, shown], np.log(data[shown]), rtol=0, atol=1e-7
    )
    # A pattern that is never shown falls as 1/t.
    np.testing.assert_allclose(found.log_probs[0, ~shown], -40, atol=2)


@pytest.mark.slow
def test_whatever_may_be_stiff_goes_by_implicit_steps():
    kernel = np.tile([[0.9, 0.1], [0.1, 0.9]], (2, 1, 1))
    problem = sim.Problem(kernel[..., 0], [[0.4, 0.6]] * 2, answer_kernel=kernel)
    shown = sim.Demonstrations(np.array([0.6, 0.4]))
    mixed = sim.Mixture((sim.Verifiable(), shown), [0.5, 0.5])
    some = sim.PolicyGradient(beta=np.array([0.0, 0.1]))
    for signal, update, method in (
        (mixed, None, "implicit"),
        (mixed, sim.NaturalGradient(), "flow"),
        (sim.MajorityVote(), some, "implicit"),
        (sim.MajorityVote(), None, "flow"),
    ):
        found = sim.solve(problem, signal, update, max_log_time=0.0)
        assert found.method == method


@pytest.mark.parametrize("late", [0.0, 8.0, 60.0])
@pytest.mark.parametrize("inside", [PATTERNS, PATTERNS - 2])
def test_fixed_rewards_need_no_matrix(late, inside, rng):
    logits = 2 * rng.normal(size=PATTERNS)
    logits[inside:] = -np.inf
    problem = sim.Problem(rng.uniform(size=PATTERNS), logits=logits)
    path = StiffPath(
        Dynamics(problem, sim.Verifiable(), sim.PolicyGradient(beta=0.7)), jnp.zeros(())
    )
    log_probs = problem.log_policy
    used = path.support
    advantage = path._advantage(log_probs)
    moves, stays = jax.nn.sigmoid(log_probs + late), jax.nn.sigmoid(-log_probs - late)
    likeliest = jnp.arange(PATTERNS) == jnp.argmax(log_probs)
    right_side = jnp.where(used & ~likeliest, rng.normal(size=PATTERNS), 0.0)
    found = path._by_parts(log_probs, advantage, moves, stays, likeliest)(right_side)
    wanted = path._whole(log_probs, advantage, moves, stays, likeliest)(right_side)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.slow
def test_many_patterns_go_by_implicit_steps_if_their_pay_is_fixed(rng):
    rates, logits = rng.uniform(size=300), rng.normal(size=300)
    update = sim.PolicyGradient(beta=1.0)
    problem = sim.Problem(rates, logits=logits)
    found = sim.solve(problem, sim.Verifiable(), update, until=sim.Accuracy(0.55))
    assert found.method == "implicit"
    assert str(found.outcome_names) == "reached"
    moving = sim.Demonstrations(softmax(logits))
    assert sim.solve(problem, moving, update, max_log_time=0.0).method == "flow"


@pytest.mark.slow
def test_single_precision_rests_at_the_optimum_too(rng):
    rates = rng.uniform(size=(WIDTH, PATTERNS))
    beta = np.geomspace(0.03, 3, WIDTH)
    wanted = resting(rates, beta)
    with jax.enable_x64(False):
        found = run(rates, rng.normal(size=(WIDTH, PATTERNS)), beta)
        names = found.outcome_names
    assert found.log_probs.dtype == np.float32
    assert (names == "settled").all()
    np.testing.assert_allclose(found.log_probs, wanted, atol=1e-4)


def test_it_lowers_for_cpu_cuda_and_tpu():
    def rest(rates, logits):
        problem = sim.Problem(rates, logits=logits)
        update = sim.PolicyGradient(beta=0.1)
        return sim.flow(problem, sim.Verifiable(), update).log_probs

    given = jnp.asarray([0.9, 0.6, 0.1]), jnp.asarray([-2.0, 1.0, 0.0])
    exported = jax.export.export(jax.jit(rest), platforms=["cpu", "cuda", "tpu"])(
        *given
    )
    assert exported.platforms == ("cpu", "cuda", "tpu")
