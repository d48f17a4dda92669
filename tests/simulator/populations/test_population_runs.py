"""Events, batches, continuations and phases of populations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import simulator as sim
from simulator import rollouts as ro
from tests.simulator.populations.reference import integrate, policy_gradient, softmax

Q, K = 3, 3
RNG = np.random.default_rng(11)
RATES, LOGITS = RNG.uniform(0.05, 0.95, (4, Q, K)), RNG.normal(0, 1, (4, Q, K))
FEATURES = RNG.normal(size=(Q, 2))
RLVR = sim.Verifiable()


def population(index):
    problem = sim.Problem(RATES[index], logits=LOGITS[index])
    return sim.Population(problem, ro.Features(FEATURES))


def policies(index, times, paid=None):
    """The policies `[T, Q, K]` at the times."""
    paid = RATES[index] if paid is None else paid

    def logits(x):
        return LOGITS[index] + FEATURES @ x.reshape(K, 2).T

    def field(x):
        moves = policy_gradient(softmax(logits(x)), paid)
        return (moves.T @ FEATURES / Q).ravel()

    states = integrate(field, np.zeros(2 * K), np.asarray(times), rtol=1e-12)
    return np.array([softmax(logits(x)) for x in states])


def first_time(index, value, horizon=60.0):
    """The first time at which `value(policies)` rises through 0."""
    times = np.linspace(0.01, horizon, 4000)
    values = np.array([value(pi) for pi in policies(index, times)])
    place = np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))[0]
    return brentq(
        lambda t: value(policies(index, [t])[0]), times[place], times[place + 1]
    )


EVENTS = [
    sim.Accuracy(0.6),
    sim.of_question(sim.Accuracy(0.62), 1),
]


def followed(index, **options):
    return sim.solve_population(
        population(index), RLVR, events=EVENTS, max_log_time=np.log(60.0), **options
    )


def test_events_are_of_the_mean_or_of_one_question():
    index = 0
    run = followed(index)
    rates = RATES[index]
    mean = first_time(index, lambda pi: np.mean(np.sum(pi * rates, axis=1)) - 0.6)
    assert float(run["accuracy=0.6"].time) == pytest.approx(mean, rel=1e-8)
    own = first_time(index, lambda pi: pi[1] @ rates[1] - 0.62)
    name = "accuracy=0.62 of question 1"
    assert float(run[name].time) == pytest.approx(own, rel=1e-8)
    assert float(run[name].policy[1] @ rates[1]) == pytest.approx(0.62, abs=1e-10)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_peaks_of_the_mean_and_of_one_question(index):
    """Paid for something else, accuracy comes and goes."""
    start = softmax(LOGITS[index])[None]
    paid = np.random.default_rng(20 + index).normal(size=(Q, K))
    times = np.exp(np.linspace(-5, np.log(200.0), 4000))
    times = np.concatenate([[0.0], times])
    found = np.concatenate([start, policies(index, times[1:], paid)])
    accuracy = np.sum(found * RATES[index], axis=-1)
    run = sim.solve_population(
        population(index),
        sim.FixedConfidence(paid),
        events=[sim.PeakAccuracy(), sim.of_question(sim.PeakAccuracy(), 2)],
        max_log_time=np.log(200.0),
    )
    curves = [accuracy.mean(axis=1), accuracy[:, 2]]
    tops = [int(np.argmax(curve)) for curve in curves]
    for name, curve, top in zip(run.event_names, curves, tops, strict=True):
        rates = RATES[index] if name == "peak-accuracy" else RATES[index][2]
        policy = run[name].policy if name == "peak-accuracy" else run[name].policy[2]
        height = float(np.mean(np.sum(policy * rates, axis=-1)))
        assert height == pytest.approx(curve[top], abs=1e-6)
        if 0 < top < len(times) - 1:
            assert float(run[name].time) == pytest.approx(times[top], rel=5e-3)
    assert any(0 < top < len(times) - 1 for top in tops)


def test_a_batch_is_its_populations():
    batch = sim.Population(sim.Problem(RATES, logits=LOGITS), ro.Features(FEATURES))
    until = sim.Accuracy(0.6)
    options = {"max_log_time": np.log(60.0), "events": EVENTS[1:]}
    many = sim.solve_population(batch, RLVR, until=until, **options)
    assert many.log_probs.shape == (4, Q, K)
    for index in range(4):
        one = sim.solve_population(population(index), RLVR, until=until, **options)
        assert one.outcome_names == many.outcome_names[index]
        np.testing.assert_allclose(many.log_probs[index], one.log_probs, atol=1e-9)
        np.testing.assert_allclose(
            many.event_log_times[index], one.event_log_times, atol=1e-9
        )


def test_a_batch_may_have_its_own_policies_and_rewards():
    features = np.stack([FEATURES, 2 * FEATURES, FEATURES, -FEATURES])
    paid = RNG.normal(size=(4, Q, K))
    options = {"max_log_time": np.log(5.0)}
    many = sim.solve_population(
        sim.Population(sim.Problem(RATES, logits=LOGITS), ro.Features(features)),
        sim.FixedConfidence(paid),
        **options,
    )
    one = sim.solve_population(
        sim.Population(
            sim.Problem(RATES[1], logits=LOGITS[1]), ro.Features(features[1])
        ),
        sim.FixedConfidence(paid[1]),
        **options,
    )
    np.testing.assert_allclose(many.log_probs[1], one.log_probs, atol=1e-9)
    # One row per question, for all populations.
    same = sim.solve_population(
        sim.Population(sim.Problem(RATES, logits=LOGITS), ro.Features(features)),
        sim.FixedConfidence(paid[1]),
        **options,
    )
    np.testing.assert_allclose(same.log_probs[1], one.log_probs, atol=1e-9)


def test_going_on_equals_one_long_run():
    whole = sim.solve_population(population(1), RLVR, max_log_time=np.log(50.0))
    first = sim.solve_population(population(1), RLVR, max_log_time=np.log(20.0))
    there = population(1).at(first)
    second = sim.solve_population(there, RLVR, max_log_time=np.log(30.0))
    np.testing.assert_allclose(second.log_probs, whole.log_probs, atol=1e-7)
    np.testing.assert_allclose(there.log_probs(), first.log_probs, atol=1e-13)


def test_a_mean_above_the_best_rates_is_unreachable():
    highest = RATES[0].max(axis=1).mean()
    for level, name in ((highest + 1e-3, "unreachable"), (highest - 1e-3, "reached")):
        problem = sim.Problem(RATES[0], logits=LOGITS[0])
        run = sim.solve_population(
            sim.Population(problem), RLVR, until=sim.Accuracy(level)
        )
        assert run.outcome_names == name
        assert (run.log_time == np.inf) == (name == "unreachable")


def test_what_does_not_move_is_stationary():
    problem = sim.Problem(np.full((2, 2), 0.4), [[0.3, 0.7], [0.5, 0.5]])
    run = sim.solve_population(
        sim.Population(problem, ro.Shared()), RLVR, until=sim.Accuracy(0.5)
    )
    assert run.outcome_names == "stationary" and run.log_time == np.inf


def test_phases_of_a_problem():
    """SFT, then RL: `theta' = d - pi`, then the policy gradient of what is left."""
    rates, base = np.array([0.9, 0.5, 0.2]), np.array([0.01, 0.7, 0.29])
    data = np.array([0.3, 0.5, 0.2])
    problem = sim.Problem(rates, base)
    sft = sim.Phase(sim.Demonstrations(data), duration=6.0)
    found = sim.train_in_phases(problem, [sft, sim.Phase(RLVR, duration=25.0)])
    logits = integrate(lambda x: data - softmax(x), np.log(base), [6.0])[-1]
    np.testing.assert_allclose(found[0].policy, softmax(logits), atol=1e-8)
    logits = integrate(lambda x: policy_gradient(softmax(x), rates), logits, [25.0])[-1]
    np.testing.assert_allclose(found[1].policy, softmax(logits), atol=1e-8)


def test_a_phase_cut_in_two_is_the_same_path():
    problem = sim.Problem(RATES[2], logits=LOGITS[2])
    for start in (problem, population(2)):
        for signal in (RLVR, sim.Demonstrations(softmax(LOGITS[0]))):
            (whole,) = sim.train_in_phases(start, [sim.Phase(signal, duration=12.0)])
            parts = [sim.Phase(signal, duration=x) for x in (5.0, 7.0)]
            last = sim.train_in_phases(start, parts)[-1]
            np.testing.assert_allclose(last.log_probs, whole.log_probs, atol=2e-7)


def test_a_penalty_pulls_to_the_first_base_model_in_all_phases():
    problem = sim.Problem(RATES[0], logits=LOGITS[0])
    update = sim.PolicyGradient(beta=0.5)
    phases = [
        sim.Phase(sim.Demonstrations(softmax(LOGITS[1])), duration=5.0),
        sim.Phase(RLVR, update, duration=1e6),
    ]
    pull = softmax(LOGITS[0]) * np.exp(RATES[0] / 0.5)
    optimum = pull / pull.sum(axis=-1, keepdims=True)
    for start in (problem, sim.Population(problem)):
        last = sim.train_in_phases(start, phases)[-1]
        np.testing.assert_allclose(last.policy, optimum, atol=1e-7)


def test_own_data_and_a_curriculum():
    seen = []

    def own(problem):
        seen.append(np.exp(problem.log_policy))
        return sim.Demonstrations(sim.filtered(problem))

    first = ro.Weighted(ro.Features(FEATURES), [3.0, 0.0, 0.0])
    phases = [
        sim.Phase(RLVR, duration=4.0, policy=first),
        sim.Phase(own, until=sim.Accuracy(0.65), duration=50.0),
    ]
    one, two = sim.train_in_phases(population(3), phases)
    np.testing.assert_allclose(seen[0], one.policy, atol=1e-12)
    kept = seen[0] * RATES[3]
    np.testing.assert_allclose(
        sim.filtered(sim.Problem(RATES[3], jnp.exp(one.log_probs))),
        kept / kept.sum(axis=-1, keepdims=True),
        rtol=1e-12,
    )
    # Only question 0 was trained: W moved along its features.
    parameters = np.asarray(one.parameters).reshape(K, 2)
    across = parameters @ np.array([-FEATURES[0, 1], FEATURES[0, 0]])
    np.testing.assert_allclose(across, np.zeros(K), atol=1e-12)
    assert two.outcome_names in ("reached", "horizon", "settled")


@pytest.mark.parametrize(
    "policy",
    [
        ro.Clusters([0, 1, 0]),
        ro.Features(FEATURES),
        ro.TrainedFeatures(FEATURES, np.ones((K, 2)), np.eye(2)),
        ro.LatentDepth([1.0, 2.0, 4.0], 0.9),
        ro.Weighted(ro.Shared(), [1.0, 2.0, 0.0]),
    ],
)
def test_sampled_training_steps_as_the_flow_on_average(policy):
    """One step of many groups is the velocity of the flow at the start."""
    problem = sim.Problem(RATES[0], logits=LOGITS[0])
    step = 1e-3
    recipe = ro.Recipe(
        estimator=ro.RLOO(),
        policy=policy,
        group_size=16,
        learning_rate=step,
        num_steps=1,
    )
    run = ro.train(problem, recipe, num_seeds=20_000)
    moved = np.mean(np.asarray(run.log_probs), axis=0) - problem.log_policy
    flow = sim.solve_population(
        sim.Population(problem, policy), RLVR, max_log_time=np.log(step)
    )
    wanted = np.asarray(flow.log_probs) - problem.log_policy
    error = np.std(np.asarray(run.log_probs), axis=0) / np.sqrt(20_000)
    assert np.abs(wanted).max() > 20 * error.max()
    np.testing.assert_array_less(np.abs(moved - wanted), 5 * error + 1e-9)


def test_a_batch_inside_jit_is_the_same():
    rates = np.random.default_rng(4).uniform(size=(2, 3, 2))

    def policies(rates):
        problem = sim.Problem(rates, logits=jnp.zeros((2, 3, 2)))
        population = sim.Population(problem, ro.Shared())
        return sim.solve_population(
            population, sim.Verifiable(), max_log_time=1.0
        ).policy

    np.testing.assert_allclose(jax.jit(policies)(rates), policies(rates), rtol=1e-12)


def test_own_samples_of_rare_patterns():
    problem = sim.Problem([0.5, 0.25, 0.0], logits=[-800.0, -800.0, 0.0])
    np.testing.assert_allclose(sim.filtered(problem), [2 / 3, 1 / 3, 0], rtol=1e-12)
    inside = jax.jit(sim.filtered)(problem)
    np.testing.assert_allclose(inside, [2 / 3, 1 / 3, 0], rtol=1e-12)
