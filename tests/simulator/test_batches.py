"""A batch is as many problems side by side, for every function that takes a problem."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array, Float

import simulator as sim
from simulator.engines.lanes import lane_axes

KERNELS = np.array(
    [
        [[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]],
        [[0.2, 0.5, 0.3], [0.5, 0.1, 0.4], [0.7, 0.2, 0.1]],
    ]
)
POLICIES = np.array([[0.05, 0.70, 0.25], [0.3, 0.3, 0.4]])
BATCH = sim.Problem(policy=POLICIES, answer_kernel=KERNELS)  # rates (.9 .6 .1 ...)
PAY = np.array([[0.3, 0.2, 0.6], [0.1, 0.5, 0.4]])

# A signal, an update, options of `solve`, for lane 0, lane 1 and both (`...`).
WAYS = {
    "exact": lambda i: (
        sim.FixedConfidence(PAY[i]),
        None,
        {"until": sim.Gap(np.array([1e-2, 1e-3])[i])},
    ),
    "replicator": lambda i: (
        sim.NoisyVerifier(np.array([0.1, 0.2])[i]),
        sim.NaturalGradient(np.array([0.3, 0.1])[i]),
        {"max_log_time": 2.0, "save_log_times": [0.5, 1.5]},
    ),
    "flow": lambda i: (
        sim.Mixture(
            [sim.SelfConsistency(), sim.AnswerEntropy()],
            np.array([[1, 0], [0.5, 1]])[i],
        ),
        None,
        {"max_log_time": 3.0, "events": [sim.BelowBase()]},
    ),
    "implicit": lambda i: (
        sim.Verifiable(),
        sim.PolicyGradient(np.array([0.2, 0.4])[i]),
        {"max_log_time": 3.0},
    ),
}


def solutions(way, index, problem):
    signal, update, options = WAYS[way](index)
    return sim.solve(problem, signal, update, **options)


def assert_same(batch, lane, i, rtol=1e-9):
    """Results that do not depend on padding agree to rounding."""
    for a, b in zip(jax.tree.leaves(batch), jax.tree.leaves(lane), strict=True):
        np.testing.assert_allclose(np.asarray(a)[i], b, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize(
    "way",
    [
        "exact",
        *(pytest.param(w, marks=pytest.mark.slow) for w in WAYS if w != "exact"),
    ],
)
def test_solve_goes_lane_by_lane(way):
    both = solutions(way, ..., BATCH).without_labels()
    for i in range(2):
        assert_same(both, solutions(way, i, BATCH[i]).without_labels(), i)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_transformed_solves_are_the_eager_ones(way):
    both = solutions(way, ..., BATCH)

    def times(problem, i):
        solution = solutions(way, i, problem)
        return solution.log_time, solution.log_probs, solution.event_log_times

    inside = jax.jit(lambda problem: times(problem, ...))(BATCH)
    mapped = [jax.jit(jax.vmap(lambda p, i=i: times(p, i)))(BATCH) for i in range(2)]
    wanted = both.log_time, both.log_probs, both.event_log_times
    for found, want, *lanes in zip(inside, wanted, *mapped, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12)
        for i, lane in enumerate(lanes):
            np.testing.assert_allclose(lane[i], want[i], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", ["exact", "replicator", "flow"])
def test_train_goes_lane_by_lane(way):
    def run(index, problem):
        signal, update, options = WAYS[way](index)
        return sim.train(
            problem,
            signal,
            update,
            optax.adam(0.1),
            num_steps=20,
            save_every=10,
            until=options.get("until"),
        )

    both = run(..., BATCH)
    for i in range(2):
        lane = run(i, BATCH[i])
        for field in ("outcome", "first_step", "log_probs", "saved_log_probs"):
            assert_same(getattr(both, field), getattr(lane, field), i)


@pytest.mark.parametrize(
    "function",
    [
        lambda log_probs, rates: sim.probs(log_probs),
        lambda log_probs, rates: sim.log_probabilities(log_probs),
        lambda log_probs, rates: sim.entropy(log_probs),
        sim.accuracy,
        sim.mean_value,
        sim.log_accuracy,
        sim.best_value,
        sim.best_patterns,
        sim.log_gap,
        sim.log_optimal_probability,
        lambda log_probs, rates: sim.kl(log_probs, jnp.log(rates)),
        lambda log_probs, rates: sim.pass_at_n(log_probs, rates, 3),
    ],
)
def test_observables_go_policy_by_policy(function, rng):
    with np.errstate(divide="ignore"):
        policies = np.log(
            [[[0.2, 0.8, 0], [0.1, 0.3, 0.6]], [[1, 0, 0], *POLICIES[:1]]]
        )
    rates = rng.uniform(size=(2, 2, 3))
    many, shared = function(policies, rates), function(policies, rates[0, 0])
    for i, j in np.ndindex(2, 2):
        one = function(policies[i, j], rates[i, j])
        np.testing.assert_allclose(many[i, j], one, rtol=1e-14)
        one = function(policies[i, j], rates[0, 0])
        np.testing.assert_allclose(shared[i, j], one, rtol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 2, 10**9])
@pytest.mark.parametrize("rate", [0.0, 1e-20, 0.3, 1 - 1e-12, 1.0])
def test_pass_at_n_and_its_slope_at_the_ends(rate, n):
    """`1 - (1 - p)^n` and `n (1 - p)^(n - 1)`, by their logarithms."""
    log_probs, miss = np.log([0.5, 0.5]), np.log1p(-rate) if rate < 1 else -np.inf
    wanted = 0.0 if n == 0 else -np.expm1(n * miss)
    found = sim.pass_at_n(log_probs, [rate, rate], n)
    np.testing.assert_allclose(found, wanted, rtol=1e-11)
    slope = jax.grad(lambda p: sim.pass_at_n(log_probs, jnp.stack([p, p]), n))(rate)
    wanted = n if n < 2 else n * np.exp((n - 1) * miss)
    np.testing.assert_allclose(slope, wanted, rtol=1e-9, atol=1e-300)


def test_an_index_of_a_batch_leaves_the_patterns_alone():
    cube = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), BATCH)
    for index in (0, -1, ..., (..., 0), (1, ...), slice(None), [1, 0], None, (0, 1)):
        taken = cube[index]
        lanes = np.arange(4).reshape(2, 2)[index]
        lanes = np.array([0, 1, 1, 0])[lanes]
        np.testing.assert_array_equal(taken.success_rates, KERNELS[lanes][..., 0])
        np.testing.assert_array_equal(taken.answer_kernel, KERNELS[lanes])
    traced = jax.jit(lambda i: BATCH[i].success_rates)(1)
    np.testing.assert_array_equal(traced, KERNELS[1][:, 0])
    with pytest.raises(IndexError):
        cube[0, 0, 0]


@pytest.mark.parametrize("signal", ["MajorityVote", "SelfConsistency", "AnswerEntropy"])
def test_a_signal_pays_one_policy_at_a_time(signal):
    paid = getattr(sim, signal)()
    with pytest.raises(ValueError, match=r"batch shape \(2,\).*jax.vmap"):
        paid(BATCH, BATCH.log_policy)
    each = jax.vmap(paid)(BATCH, BATCH.log_policy)
    np.testing.assert_array_equal(each[1], paid(BATCH[1], BATCH[1].log_policy))


def test_every_function_of_a_problem_is_tested_with_a_batch():
    takes = {
        name
        for name in sim.__all__
        if inspect.isfunction(function := getattr(sim, name))
        and {"problem", "lanes", "log_probs"}
        & set(inspect.signature(function).parameters)
    }
    # Those of one problem refuse a batch (test_wrong_calls); `exact`, `flow` and
    # `map_lanes` are behind `solve`.
    known = {"solve", "train", "exact", "flow", "map_lanes", "plateaus"}
    # In populations/test_population_flow and test_population_runs.
    known |= {"answer_layer", "filtered"}
    known |= {"trace"}  # in test_tracing
    source = inspect.getsource(test_observables_go_policy_by_policy)
    marks = test_observables_go_policy_by_policy.pytestmark[0].args[1]
    source += "".join(getattr(x, "__name__", "") for x in marks)
    source += "".join(" ".join(x.__code__.co_names) for x in marks)
    assert {name for name in takes - known if name not in source} == set()


class PerPattern(sim.AbstractFixedSignal):
    """As a user writes it: the annotation says that one problem has one axis."""

    pay: Float[Array, "*B K"]
    scale: Float[Array, "*B"]

    def rewards(self, problem):
        return problem.success_rates + self.scale * self.pay


class Bare(sim.AbstractFixedSignal):
    """An array of which nothing says what its axes are."""

    pay: jax.Array
    scale: jax.Array

    def rewards(self, problem):
        return self.scale * self.pay


class Said(Bare):
    """It is said by hand."""

    pay: jax.Array = eqx.field(metadata={"ndim": 1})


def test_own_arrays_have_the_lanes_that_their_annotation_leaves():
    one, many = jnp.arange(3.0), jnp.arange(9.0).reshape(3, 3)
    number, three = jnp.asarray(2.0), jnp.arange(3.0)
    for kind in (PerPattern, Said):
        axes = lane_axes(kind(one, number))
        assert (axes.pay, axes.scale) == (None, None)
        assert lane_axes(kind(many, number)).pay == 0
    assert lane_axes(PerPattern(one, three)).scale == 0
    inside = sim.Mixture([PerPattern(many, number), sim.Verifiable()], [1.0, 1.0])
    assert lane_axes(inside).signals[0].pay == 0
    with pytest.raises(ValueError, match=r"`Bare.pay`.*shape \(3,\).*annotate"):
        lane_axes(Bare(one, number))
    with pytest.raises(ValueError, match="`Bare.pay`"):
        sim.solve(BATCH, Bare(one, number))


def test_an_own_array_of_one_number_per_pattern_is_shared_by_a_batch():
    """Three problems with three patterns: not one row of one number for each."""
    pay = jnp.array([0.1, -0.2, 0.3])
    batch = sim.Problem(np.full((3, 3), 0.5), np.full((3, 3), 1 / 3))
    options = {"num_steps": 1, "save_every": 1}
    signal = PerPattern(pay, jnp.asarray(1.0))
    run = sim.train(batch, signal, None, optax.sgd(1.0), **options)
    step = (0.5 + pay - jnp.mean(0.5 + pay)) / 3  # `pi_k (r_k - mean)`
    wanted = jax.nn.log_softmax(step)
    np.testing.assert_allclose(run.log_probs, np.tile(wanted, (3, 1)), rtol=1e-12)
