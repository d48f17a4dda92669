"""The flow of populations against SciPy, policy by policy and signal by signal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro
from tests.simulator.populations.reference import (
    grpo_clock,
    integrate,
    policy_gradient,
    softmax,
)

Q, K = 6, 3
TIMES = np.array([0.5, 4.0, 30.0])


def bank(seed=3):
    """Success rates and base logits of the questions, nothing symmetric."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.05, 0.95, (Q, K)), rng.normal(0, 1, (Q, K))


def solved(policy, signal, update=None, rates=None, logits=None, **options):
    given = bank()
    rates = given[0] if rates is None else rates
    logits = given[1] if logits is None else logits
    population = sim.Population(sim.Problem(rates, logits=logits), policy)
    return sim.solve_population(
        population,
        signal,
        update,
        save_log_times=np.log(TIMES),
        max_log_time=np.log(TIMES[-1]),
        **options,
    )


def followed(change, pull, size, rewards=None, clock=None, free=None):
    """The policies at the times, of parameters that start at 0."""
    rates, logits = bank()

    def field(x):
        pi = softmax(logits + change(x))
        if free is not None:
            return pull(free(pi), x)
        paid = rates if rewards is None else rewards(pi)
        moves = policy_gradient(pi, paid)
        if clock is not None:
            moves = clock(np.sum(pi * rates, axis=-1))[:, None] * moves
        return pull(moves, x)

    states = integrate(field, np.zeros(size), TIMES)
    return np.array([softmax(logits + change(x)) for x in states])


def agrees(run, policies, bound=2e-8):
    assert run.outcome_names == "horizon"
    np.testing.assert_allclose(run.saved, policies, rtol=0, atol=bound)


def test_clusters_with_the_clock_of_groups():
    cluster = np.array([0, 1, 0, 1, 1, 0])
    members = [np.flatnonzero(cluster == c) for c in (0, 1)]
    run = solved(ro.Clusters(cluster), sim.Verifiable(), sim.GRPO(4))
    expected = followed(
        lambda x: x.reshape(2, K)[cluster],
        lambda g, x: np.array([g[m].mean(axis=0) for m in members]).ravel(),
        2 * K,
        clock=lambda p: grpo_clock(p, 4),
    )
    agrees(run, expected)


def test_one_cluster_is_shared_and_as_many_as_questions_are_per_question():
    for left, right in (
        (ro.Clusters(np.zeros(Q)), ro.Shared()),
        (ro.Clusters(np.arange(Q)), ro.PerQuestion()),
    ):
        one, other = (solved(x, sim.Verifiable()) for x in (left, right))
        np.testing.assert_allclose(one.saved, other.saved, rtol=1e-12)


def test_each_question_by_itself_is_the_problem():
    rates, logits = bank()
    run = solved(ro.PerQuestion(), sim.Verifiable(), sim.GRPO(8))
    alone = sim.solve(
        sim.Problem(rates, logits=logits),
        sim.Verifiable(),
        sim.GRPO(8),
        save_log_times=np.log(TIMES),
        max_log_time=np.log(TIMES[-1]),
    )
    agrees(run, np.moveaxis(np.asarray(alone.saved), 0, 1))


def test_answer_kernels_of_each_question():
    """Rewards that move with the answers of the policy: those of each question."""
    rng = np.random.default_rng(9)
    kernel = rng.dirichlet(np.ones(4), (Q, K))
    problem = sim.Problem(answer_kernel=kernel, logits=bank()[1])
    options = {"save_log_times": np.log(TIMES), "max_log_time": np.log(TIMES[-1])}
    run = sim.solve_population(
        sim.Population(problem), sim.SelfConsistency(), **options
    )
    alone = sim.solve(problem, sim.SelfConsistency(), **options)
    agrees(run, np.moveaxis(np.asarray(alone.saved), 0, 1))
    shared = sim.solve_population(
        sim.Population(problem, ro.Shared()), sim.SelfConsistency(), **options
    )

    def rewards(pi):
        return np.einsum("qka,qa->qk", kernel, np.einsum("qk,qka->qa", pi, kernel))

    expected = followed(
        lambda x: np.broadcast_to(x, (Q, K)),
        lambda g, x: g.mean(axis=0),
        K,
        rewards=rewards,
    )
    agrees(shared, expected)


def test_features_with_questions_held_out():
    features = np.random.default_rng(5).normal(size=(Q, 4))
    weights = np.array([2.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    run = solved(ro.Weighted(ro.Features(features), weights), sim.Verifiable())
    expected = followed(
        lambda x: features @ x.reshape(K, 4).T,
        lambda g, x: ((weights[:, None] * g).T @ features / Q).ravel(),
        4 * K,
    )
    agrees(run, expected)


def test_two_layers_that_learn_at_their_own_rates():
    rng = np.random.default_rng(6)
    inputs = rng.normal(size=(Q, 4))
    top, bottom = rng.normal(size=(K, 2)), rng.normal(size=(2, 4))
    policy = ro.TrainedFeatures(inputs, top, bottom, 0.7, 1.3)

    def parts(x):
        return top + x[: top.size].reshape(top.shape), bottom + x[top.size :].reshape(
            bottom.shape
        )

    def change(x):
        new_top, new_bottom = parts(x)
        return inputs @ (new_top @ new_bottom - top @ bottom).T

    def pull(g, x):
        new_top, new_bottom = parts(x)
        down = g.T @ (inputs @ new_bottom.T) / Q
        up = new_top.T @ g.T @ inputs / Q
        return np.concatenate([0.7 * down.ravel(), 1.3 * up.ravel()])

    agrees(
        solved(policy, sim.Verifiable()),
        followed(change, pull, top.size + bottom.size),
    )


def test_latent_depth_with_a_leak():
    depths = np.arange(1, Q + 1)
    gains = (1 - 0.9**depths) / 0.1
    run = solved(ro.LatentDepth(depths, 0.9), sim.Verifiable())
    expected = followed(
        lambda x: gains[:, None] * x,
        lambda g, x: gains @ g / Q,
        K,
    )
    agrees(run, expected)


def test_demonstrations_of_each_question():
    data = softmax(np.random.default_rng(7).normal(size=(Q, K)))
    run = solved(ro.Shared(), sim.Demonstrations(data))
    expected = followed(
        lambda x: np.broadcast_to(x, (Q, K)),
        lambda g, x: g.mean(axis=0),
        K,
        free=lambda pi: data - pi,
    )
    agrees(run, expected)


def test_demonstrations_come_to_rest_at_the_data():
    data = softmax(np.random.default_rng(7).normal(size=(Q, K)))
    population = sim.Population(sim.Problem(bank()[0], logits=bank()[1]))
    run = sim.solve_population(population, sim.Demonstrations(data))
    assert run.outcome_names == "settled"
    np.testing.assert_allclose(run.policy, data, atol=1e-8)


def test_a_penalty_of_each_question():
    rates, logits = bank()
    base = np.log(softmax(logits))
    beta = np.linspace(0.01, 0.3, Q)
    run = solved(ro.Shared(), sim.Verifiable(), sim.PolicyGradient(beta))
    expected = followed(
        lambda x: np.broadcast_to(x, (Q, K)),
        lambda g, x: g.mean(axis=0),
        K,
        rewards=lambda pi: rates - beta[:, None] * (np.log(pi) - base),
    )
    agrees(run, expected)


def test_natural_gradient():
    rates, logits = bank()

    def free(pi):
        return rates - np.sum(pi * rates, axis=-1, keepdims=True)

    run = solved(ro.PerQuestion(), sim.Verifiable(), sim.NaturalGradient())
    expected = followed(
        lambda x: x.reshape(Q, K), lambda g, x: g.ravel(), Q * K, free=free
    )
    agrees(run, expected)
    with pytest.raises(ValueError, match="PerQuestion"):
        solved(ro.Shared(), sim.Verifiable(), sim.NaturalGradient())


def levels(number=5, width=1.5):
    """Features of levels that share by a Gaussian kernel, one parameter per level."""
    place = np.arange(number)
    kernel = np.exp(-((place[:, None] - place) ** 2) / (2 * width**2))
    values, vectors = np.linalg.eigh(kernel)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    features = np.zeros((number, 2, number))
    features[:, 0] = root
    return features, kernel


def test_chain_of_levels_that_share_features():
    features, kernel = levels()
    theta = np.array([2.0, 1.0, 0.0, -1.0, -1.5])
    problem = sim.Problem(
        [[1.0, 0.0]] * 5, logits=np.stack([theta, np.zeros(5)], axis=1)
    )
    tasks = np.tril(np.ones((5, 5)))[1:]
    for clock in (None, sim.GRPO(8)):
        run = sim.solve_population(
            sim.Population(problem, ro.Linear(features)),
            sim.Chain(tasks, clock=clock),
            save_log_times=np.log(TIMES),
            max_log_time=np.log(TIMES[-1]),
        )

        def field(x, clock=clock):
            right = 1 / (1 + np.exp(-x))
            success = np.array([np.prod(right[row > 0]) for row in tasks])
            speed = 1.0 if clock is None else grpo_clock(success, 8)
            return kernel @ ((speed * success) @ tasks / 4 * (1 - right)) / 5

        states = integrate(field, theta, TIMES)
        np.testing.assert_allclose(
            np.asarray(run.saved)[..., 0], 1 / (1 + np.exp(-states)), atol=2e-8
        )
        right = np.asarray(run.policy)[:, 0]
        expected = [np.prod(right[row > 0]) for row in tasks]
        np.testing.assert_allclose(run.success, expected, rtol=1e-10)


def test_chain_of_imperfect_choices_follows_its_objective():
    rates, logits = bank()
    tasks = [[1, 1, 0, 1, 0, 0], [0, 1, 1, 1, 1, 0]]
    weights = jnp.array([0.7, 0.3])
    chain = sim.Chain(tasks, weights)

    def objective(z):
        p = jnp.sum(jax.nn.softmax(z) * rates, axis=-1)
        return weights @ jnp.stack([jnp.prod(p[np.array(t) > 0]) for t in tasks])

    problem = sim.Problem(rates, logits=logits)
    log_probs = problem.log_policy
    rewards = chain.rewards(problem, log_probs, jnp.zeros((0, K)))
    moves = policy_gradient(np.exp(log_probs), np.asarray(rewards))
    np.testing.assert_allclose(moves, jax.grad(objective)(log_probs), rtol=1e-12)
    assert float(weights @ chain.success(problem, log_probs)) == pytest.approx(
        float(objective(log_probs)), rel=1e-13
    )


def test_chain_with_a_level_that_never_comes_out_right():
    """Only its own level could help the task; all others still learn."""
    problem = sim.Problem([[0.9, 0.3], [0.0, 0.0], [0.5, 0.7]], np.full((3, 2), 0.5))
    log_probs, chances = problem.log_policy, np.array([0.6, 0.0, 0.6])
    for clock, speed in (None, 1.0), (sim.GRPO(8), grpo_clock(0.6, 8)):
        chain = sim.Chain([[1, 1, 1], [1, 0, 0]], [0.5, 0.5], clock)
        found = chain.rewards(problem, log_probs, jnp.zeros((0, 2)))
        wanted = np.zeros((3, 2))
        wanted[0] = 0.5 * speed * np.array([0.9, 0.3])
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        assert chain.success(problem, log_probs)[0] == np.prod(chances)


def test_chain_near_certainty_goes_on_by_its_clock():
    """With h = 1/sqrt(P (1 - P)) and one level, z' = sqrt(p (1 - p)): log-odds z."""
    problem = sim.Problem([[1.0, 0.0]], [[0.5, 0.5]])
    chain = sim.Chain([[1]], clock=sim.GRPO(np.inf))
    run = sim.solve_population(sim.Population(problem), chain, max_log_time=60.0)
    # dz/dt = 2 sqrt(p (1 - p)) = 1/cosh(z/2): sinh(z/2) = t/2.
    wanted = -2 * np.arcsinh(np.exp(60.0) / 2)
    np.testing.assert_allclose(run.log_probs[0, 1], wanted, atol=1e-6)


@pytest.mark.parametrize("number", [2, 3])
def test_success_table_follows_its_objective(number):
    rng = np.random.default_rng(8)
    rates = jnp.asarray(rng.uniform(0, 1, (K,) * number))
    logits = jnp.asarray(rng.normal(size=(number, K)))
    problem = sim.Problem(np.full((number, K), 0.5), logits=logits)
    table = sim.SuccessTable(rates)

    def objective(z):
        total = rates
        for row in reversed(jax.nn.softmax(z)):
            total = total @ row
        return total

    log_probs = problem.log_policy
    rewards = table.rewards(problem, log_probs, jnp.zeros((0, K)))
    moves = policy_gradient(np.exp(log_probs), np.asarray(rewards))
    np.testing.assert_allclose(moves, jax.grad(objective)(log_probs), rtol=1e-12)
    success = float(table.success(problem, log_probs)[0])
    assert success == pytest.approx(float(objective(log_probs)), rel=1e-13)


def test_choices_that_are_paid_by_a_table():
    table = np.array([[0.34, 0.42], [0.58, 0.54]])
    base, times = np.array([[0.8, 0.2], [0.75, 0.25]]), np.array([1.0, 20.0, 300.0])

    def field(x):
        first, second = softmax(x[:2]), softmax(x[2:])
        rows = policy_gradient(first, table @ second)
        return np.concatenate([rows, policy_gradient(second, first @ table)])

    states = integrate(field, np.log(base).ravel(), times)
    run = sim.solve_population(
        sim.Population(sim.Problem(np.full((2, 2), 0.5), base)),
        sim.SuccessTable(table),
        save_log_times=np.log(times),
        max_log_time=np.log(times[-1]),
    )
    np.testing.assert_allclose(run.saved[:, 0], softmax(states[:, :2]), atol=2e-8)
    np.testing.assert_allclose(run.saved[:, 1], softmax(states[:, 2:]), atol=2e-8)


def test_trained_answers_move_success_rates():
    rates, base, alpha = np.array([0.9, 0.5, 0.2]), np.array([0.05, 0.7, 0.25]), 0.3
    times = np.array([1.0, 10.0, 60.0])

    def field(x):
        pi, s = softmax(x[:3]), 1 / (1 + np.exp(-x[3:]))
        return np.concatenate([policy_gradient(pi, s), 2 * alpha * pi * s * (1 - s)])

    start = np.concatenate([np.log(base), np.log(rates / (1 - rates))])
    states = integrate(field, start, times)
    run = sim.solve_population(
        sim.answer_layer(sim.Problem(rates, base), alpha),
        sim.TrainedAnswers(),
        save_log_times=np.log(times),
        max_log_time=np.log(60.0),
        until=sim.Accuracy(0.9),
    )
    seen = np.asarray(run.saved)
    np.testing.assert_allclose(seen[:2, 0], softmax(states[:2, :3]), atol=2e-8)
    s = 1 / (1 + np.exp(-states[:2, 3:]))
    np.testing.assert_allclose(seen[:2, 1:, 0], s, atol=2e-8)
    assert run.outcome_names == "reached"
    assert float(run.success[0]) == pytest.approx(0.9, abs=1e-9)


def test_what_is_observed_may_join_questions():
    """`observe` sees the policies of all questions at once."""
    problem = sim.Problem([[0.9, 0.1], [0.2, 0.6]], [[0.3, 0.7], [0.5, 0.5]])
    asked = {"save_log_times": [0.0, 1.0], "max_log_time": 1.0}
    population = sim.Population(problem)
    plain = sim.solve_population(population, sim.Verifiable(), **asked)
    run = sim.solve_population(
        population,
        sim.Verifiable(),
        observe=lambda logs: jnp.exp(logs[0, 1] + logs[1, 0]),
        **asked,
    )
    wanted = plain.saved[:, 0, 1] * plain.saved[:, 1, 0]
    np.testing.assert_allclose(run.saved, wanted, rtol=1e-12)


def test_a_batch_of_problems_with_trained_answers_is_each_of_them():
    rates = np.array([[0.9, 0.5, 0.2], [0.8, 0.6, 0.1]])
    problems = sim.Problem(rates, [[0.05, 0.7, 0.25]] * 2)
    alphas = np.array([0.0, 0.3])
    signal, until = sim.TrainedAnswers(), sim.Accuracy(0.79)
    together = sim.solve_population(
        sim.answer_layer(problems, alphas), signal, until=until
    )
    for lane, alpha in enumerate(alphas):
        alone = sim.answer_layer(problems[lane], alpha)
        run = sim.solve_population(alone, signal, until=until)
        np.testing.assert_allclose(together.log_time[lane], run.log_time, rtol=1e-12)
        np.testing.assert_allclose(together.policy[lane], run.policy, rtol=1e-10)


@pytest.mark.parametrize("update", [None, sim.NaturalGradient()])
def test_count_bonus(update):
    rates, base, weight = np.array([0.9, 0.5, 0.2]), np.array([0.01, 0.73, 0.26]), 0.5
    times = np.array([1.0, 5.0, 20.0])

    def field(x):
        pi = softmax(x[:3])
        paid = rates + weight / np.sqrt(1 + x[3:])
        moves = paid - pi @ paid
        return np.concatenate([moves if update else pi * moves, pi])

    states = integrate(field, np.concatenate([np.log(base), np.zeros(3)]), times)
    run = sim.solve_population(
        sim.Population(sim.Problem(rates[None], base[None])),
        sim.CountBonus(sim.Verifiable(), weight),
        update,
        save_log_times=np.log(times),
        max_log_time=np.log(times[-1]),
    )
    np.testing.assert_allclose(run.saved[:, 0], softmax(states[:, :3]), atol=2e-8)


def test_count_bonus_of_each_question():
    """As many questions as patterns; each has the weight of its own."""
    rates = np.array([[0.9, 0.2], [0.3, 0.6]])
    problem = sim.Problem(rates, [[0.1, 0.9], [0.4, 0.6]])
    weights = np.array([0.0, 2.0])
    together, *alone = (
        sim.solve_population(
            sim.Population(problem[rows]),
            sim.CountBonus(sim.Verifiable(), weights[rows]),
            max_log_time=1.5,
        ).policy
        for rows in (slice(None), slice(0, 1), slice(1, 2))
    )
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-6)
