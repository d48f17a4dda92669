"""Every public function names, in one line, the argument that it cannot take."""

import inspect
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import simulator as sim
from simulator import rollouts as ro
from tests.simulator import test_bandits, test_transfer
from tests.simulator.populations import test_wrong_population_calls

ONE = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
TWO = sim.Problem([[0.9, 0.6, 0.1], [0.2, 0.5, 0.7]], np.full((2, 3), 1 / 3))
RATES, BASE, LOGS = [0.9, 0.6, 0.1], [0.05, 0.70, 0.25], ONE.log_policy
GIVEN = sim.Verifiable()
# Equinox says so itself, before it is refused.
pytestmark = pytest.mark.filterwarnings("ignore:A JAX array is being set as static")

NO_NUMBERS = {
    "text": "x",
    "digits": "0.5",
    "bytes": b"x",
    "texts": ["0.1", "0.2", "0.3"],
    "truth": True,
    "complex": 1j,
    "complex array": np.array([0.1, 0.5 + 1j, 0.4]),
    "ragged": [[0.1], [0.2, 0.3]],
    "with None": [None, 0.5, 0.5],
    "dict": {0: 0.5},
    "set": {0.5},
    "function": len,
    "class": sim.Gap,
    "event": sim.T0(),
    "date": np.datetime64("2026-01-01"),
    "masked": np.ma.array(BASE, mask=[0, 1, 0]),
    "too large": 10**400,
}
NO_NUMBER = NO_NUMBERS | {
    "None": None,
    "array": np.full(3, 0.5),
    "jax": jnp.asarray(0.5),
    "nan": np.nan,
    "-inf": -np.inf,
}
NO_COUNT = NO_NUMBER | {"half": 2.5, "negative": -1, "inf": np.inf}
NO_OBJECT = NO_NUMBERS | {"number": 0.5, "array": np.full(3, 0.5)}


def solve(**options):
    return sim.solve(ONE, GIVEN, **options)


def checked(part, with_this=GIVEN):
    part.check(with_this)


def train(*parts, **options):
    options = {"num_steps": 2} | options
    return sim.train(*(parts or (ONE, GIVEN, None, optax.sgd(0.1))), **options)


CALLS = {
    # what is named: how it is called, with what
    "success_rates": (lambda x: sim.Problem(x, BASE), NO_NUMBERS),
    "policy": (lambda x: sim.Problem(RATES, x), NO_NUMBERS),
    "logits": (lambda x: sim.Problem(RATES, logits=x), NO_NUMBERS),
    "reference_policy": (
        lambda x: sim.Problem(RATES, BASE, reference_policy=x),
        NO_NUMBERS,
    ),
    "answer_kernel": (lambda x: sim.Problem(policy=BASE, answer_kernel=x), NO_NUMBERS),
    "success_rates ": (sim.two_answer_kernel, NO_NUMBERS | {"None": None}),
    "false_positive": (lambda x: sim.NoisyVerifier(x), NO_NUMBERS),
    "false_negative": (lambda x: sim.NoisyVerifier(0.1, x), NO_NUMBERS),
    "confidence": (sim.FixedConfidence, NO_NUMBERS | {"None": None}),
    "data": (sim.Demonstrations, NO_NUMBERS | {"None": None}),
    "weights": (lambda x: sim.Mixture([GIVEN], x), NO_NUMBERS | {"None": None}),
    "signals": (lambda x: sim.Mixture(x, [1.0]), NO_OBJECT | {"None": None}),
    "signals ": (lambda x: sim.Mixture([x], [1.0]), NO_OBJECT | {"None": None}),
    "beta": (sim.PolicyGradient, NO_NUMBERS | {"None": None}),
    "beta ": (sim.NaturalGradient, NO_NUMBERS | {"None": None}),
    "group_size": (lambda x: checked(sim.GroupMean(x)), NO_COUNT | {"inf": 1.0}),
    "group_size ": (lambda x: checked(sim.GRPO(x)), NO_COUNT | {"inf": 10**6}),
    "spread": (lambda x: checked(sim.GRPO(spread=x)), NO_OBJECT),
    "epsilon": (lambda x: checked(sim.GRPO(epsilon=x)), NO_NUMBER),
    "redraw": (
        lambda x: checked(sim.GRPO(redraw=x)),
        NO_OBJECT | {"truth": None, "number": 1},
    ),
    "attempts": (lambda x: checked(sim.PassAtN(x)), NO_COUNT),
    "level": (sim.Gap, NO_NUMBERS | {"None": None}),
    "level ": (sim.Accuracy, NO_NUMBERS | {"None": None, "tiny": 1e-310}),
    "pattern": (sim.Leads, NO_NUMBERS | {"None": None, "half": 0.5}),
    "problem": (lambda x: sim.solve(x, GIVEN), NO_OBJECT | {"None": None}),
    "signal": (lambda x: sim.solve(ONE, x), NO_OBJECT | {"None": None}),
    "update": (lambda x: sim.solve(ONE, GIVEN, x), NO_OBJECT),
    "method": (lambda x: solve(method=x), NO_OBJECT | {"None": None}),
    "until": (lambda x: solve(until=x), NO_OBJECT | {"event": "t0"}),
    "events": (lambda x: solve(events=x), NO_OBJECT | {"None": None}),
    "events ": (lambda x: solve(events=[x]), NO_OBJECT | {"event": sim.Gap([1, 2])}),
    "save_log_times": (
        lambda x: solve(save_log_times=x),
        NO_NUMBERS | {"one": 0.5, "down": [2, 1], "rows": [[1, 2]]},
    ),
    "observe": (
        lambda x: solve(observe=x, save_log_times=[1.0]),
        {k: x for k, x in NO_OBJECT.items() if not callable(x)},
    ),
    "observe ": (
        lambda x: solve(observe=lambda _: x, save_log_times=[1.0]),
        {k: x for k, x in NO_OBJECT.items() if k != "event"} | {"pair": (LOGS, LOGS)},
    ),
    "progress": (
        lambda x: solve(progress=x),
        {k: x for k, x in NO_OBJECT.items() if not callable(x)},
    ),
    "max_log_time": (lambda x: solve(max_log_time=x), NO_NUMBER),
    "max_steps": (lambda x: solve(max_steps=x), NO_COUNT | {"1e20": 10**20}),
    "tolerance": (
        lambda x: solve(tolerance=x),
        NO_NUMBER | {"None": 0.0, "one": 1.0, "below rounding": 1e-17},
    ),
    "tolerance ": (
        lambda x: sim.flow(ONE, GIVEN, tolerance=x),
        NO_NUMBER | {"None": -1.0},
    ),
    "problem ": (lambda x: sim.plateaus(x, GIVEN), NO_OBJECT | {"batch": TWO}),
    "signal ": (lambda x: sim.closed_form(x), NO_OBJECT | {"None": None}),
    "update ": (lambda x: sim.closed_form(GIVEN, x), NO_OBJECT),
    "problem  ": (
        lambda x: sim.Dynamics(x, GIVEN, sim.PolicyGradient()),
        NO_OBJECT | {"batch": TWO},
    ),
    "signal  ": (lambda x: sim.Dynamics(ONE, x, sim.PolicyGradient()), NO_OBJECT),
    "update  ": (lambda x: sim.Dynamics(ONE, GIVEN, x), NO_OBJECT | {"None": None}),
    "log_probs": (
        sim.Dynamics(ONE, GIVEN, sim.PolicyGradient()).point,
        NO_NUMBERS | {"one": 0.5, "lanes": TWO.log_policy},
    ),
    "problem   ": (
        lambda x: train(x, GIVEN, None, optax.sgd(0.1)),
        NO_OBJECT | {"None": None},
    ),
    "signal   ": (
        lambda x: train(ONE, x, None, optax.sgd(0.1)),
        NO_OBJECT | {"None": None},
    ),
    "update   ": (lambda x: train(ONE, GIVEN, x, optax.sgd(0.1)), NO_OBJECT),
    "optimizer": (lambda x: train(ONE, GIVEN, None, x), NO_OBJECT | {"None": None}),
    "num_steps": (lambda x: train(num_steps=x), NO_COUNT),
    "save_every": (lambda x: train(save_every=x), NO_COUNT),
    "until ": (lambda x: train(until=x), NO_OBJECT | {"event": "t0"}),
    "problem    ": (sim.trace, NO_OBJECT | {"None": None}),
    "signal    ": (lambda x: sim.trace(ONE, x), NO_OBJECT | {"None": None}),
    "updates": (lambda x: sim.trace(ONE, GIVEN, x), NO_OBJECT | {"None": None}),
    "updates ": (lambda x: sim.trace(ONE, GIVEN, [x]), NO_OBJECT | {"None": None}),
    "name": (sim.outcome_advice, NO_OBJECT | {"None": None, "typo": "reach"}),
    "event": (
        lambda x: solve().at(x),
        {k: x for k, x in NO_OBJECT.items() if k != "event"} | {"None": None},
    ),
    "outcome": (sim.outcome_codes, NO_OBJECT | {"None": None}),
    "folder": (sim.keep_programs, {"number": 3, "list": ["a"], "table": {}}),
    "num_lanes": (lambda x: sim.block_shape(x, 8), NO_COUNT),
    "elements": (lambda x: sim.block_shape(8, x), NO_COUNT),
    "walk": (lambda x: sim.map_lanes(x, (TWO,)), NO_OBJECT | {"None": None}),
    "n": (lambda x: sim.pass_at_n(LOGS, RATES, x), NO_COUNT),
}
NO_POLICY = NO_NUMBERS | {"None": None, "one": -0.5, "no logarithms": BASE}
NO_VALUES = NO_NUMBERS | {"None": None, "one": 0.5, "short": BASE[:2], "lanes": [BASE]}
for function, of in (
    (sim.accuracy, "success_rates"),
    (sim.mean_value, "values"),
    (sim.log_accuracy, "success_rates"),
    (sim.best_patterns, "values"),
    (sim.best_value, "values"),
    (sim.log_gap, "rewards"),
    (sim.log_optimal_probability, "success_rates"),
    (sim.kl, "log_reference"),
):
    CALLS[f"log_probs of {function.__name__}"] = (
        lambda x, function=function: function(x, RATES),
        NO_POLICY,
    )
    CALLS[f"{of} of {function.__name__}"] = (
        lambda x, function=function: function(LOGS, x),
        NO_VALUES,
    )
for function in (sim.probs, sim.log_probabilities, sim.entropy):
    CALLS[f"log_probs of {function.__name__}"] = (function, NO_POLICY)


def test_a_class_of_the_other_package_is_named_with_its_package():
    recipe = ro.Recipe(estimator=sim.GRPO(), num_steps=5)
    said = "`estimator` is simulator.GRPO; give one of simulator.rollouts, like GRPO()."
    with pytest.raises(ValueError) as refused:
        ro.train(ONE, recipe)
    assert str(refused.value) == said
    said = "`update` is simulator.rollouts.GRPO; give one of simulator, like PolicyGra"
    with pytest.raises(ValueError, match=said):
        sim.solve(ONE, GIVEN, ro.GRPO())
    recipe = ro.Recipe(feedback=sim.MajorityVote, num_steps=5)
    with pytest.raises(ValueError, match="the class simulator.MajorityVote; give one"):
        ro.train(ONE, recipe)
    with pytest.raises(ValueError, match="`signal` is T0; give one like Verifiable"):
        sim.solve(ONE, sim.T0())


@pytest.mark.parametrize("what", CALLS)
def test_what_cannot_be_taken_is_named(what):
    call, wrong = CALLS[what]
    name = what.split(" ")[0]
    for kind, value in wrong.items():
        with pytest.raises(ValueError) as refused:
            call(value)
        said = str(refused.value)
        assert f"`{name}" in said or f"{name} of" in said, (kind, said)
        assert "\n" not in said and len(said) < 200, (kind, said)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: sim.Problem(RATES, BASE, success=1), "Problem"),
        (lambda: sim.solve(ONE, GIVEN, unitl=sim.T0()), "solve"),
        (lambda: sim.exact(ONE, GIVEN, unitl=sim.T0()), "exact"),
        (lambda: sim.flow(ONE, GIVEN, unitl=sim.T0()), "flow"),
        (lambda: sim.plateaus(ONE, GIVEN, events=[sim.T0()]), "plateaus"),
        (lambda: sim.GRPO(beta=0.1), "GRPO"),
        (lambda: sim.solve(ONE), "solve.*signal"),
        (lambda: sim.Gap(), "Gap.*level"),
    ],
)
def test_an_unknown_or_missing_argument_names_the_function(call, said):
    with pytest.raises(TypeError, match=said):
        call()


@pytest.mark.parametrize(
    "call, said",
    [
        # Arrays that a batch would broadcast, mix or leave out.
        (lambda: sim.solve(TWO, sim.NoisyVerifier(np.full((2, 3), 0.1))), "positive"),
        (lambda: sim.solve(TWO, sim.NoisyVerifier([[0.1], [0.2]])), "positive"),
        (lambda: sim.solve(TWO, GIVEN, sim.NaturalGradient([[0.1], [0.2]])), "beta"),
        (lambda: sim.solve(TWO, GIVEN, until=sim.Gap([0.1, 0.2, 0.3])), "level"),
        (lambda: sim.solve(TWO, sim.FixedConfidence(np.ones((2, 2, 3)))), "confidence"),
        (lambda: sim.solve(ONE, sim.Mixture([GIVEN], [[1.0]])), "weights"),
        (lambda: sim.map_lanes(None, (ONE,)), "walk"),
        (lambda: sim.solve(TWO[:0], GIVEN), "empty"),
        (lambda: sim.accuracy(TWO.log_policy[None], TWO.success_rates), "shape"),
        (lambda: solve(observe=sim.probs), "`save_log_times`, and there are none"),
        # What is traced, where a known number is needed.
        (lambda: jax.jit(lambda x: solve(max_log_time=x))(1.0), "`max_log_time`.*tr"),
        (
            lambda: jax.jit(lambda x: solve(tolerance=x))(1e-9),
            "`tolerance` is a traced",
        ),
        (lambda: jax.jit(lambda x: solve(max_steps=x))(9), "`max_steps` is a traced"),
        (lambda: jax.jit(lambda x: solve(save_log_times=[x]))(1.0), "traced value"),
        (
            lambda: jax.grad(lambda x: checked(sim.GRPO(epsilon=x)))(0.1),
            "`epsilon`.*tr",
        ),
        (lambda: jax.jit(lambda x: checked(sim.PassAtN(x)))(8), "`attempts`.*traced"),
        (lambda: jax.vmap(lambda x: sim.plateaus(x, GIVEN))(TWO), "`problem` is a tr"),
        (lambda: jax.jit(sim.outcome_codes)(sim.Outcome.reached), "`outcome`.*outside"),
    ],
)
def test_a_batch_and_a_traced_value_where_they_do_not_belong(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_numbers_of_other_kinds_are_taken_as_they_are():
    policy = sim.Problem([Fraction(9, 10), 0, 1], np.float32([0.25, 0.25, 0.5]))
    np.testing.assert_array_equal(policy.success_rates, [0.9, 0.0, 1.0])
    np.testing.assert_array_equal(
        sim.FixedConfidence(np.int8([1, 2])).confidence, [1, 2]
    )
    assert sim.FixedConfidence([1, 2]).confidence.dtype == float
    assert sim.Leads(2.0).pattern.dtype == int
    checked(sim.GRPO(group_size=np.int64(8), epsilon=Fraction(1, 8), redraw=np.True_))


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.float32, Fraction])
def test_a_small_kind_of_number_is_the_number(kind):
    """The square of `np.int8(100)` is 16: such a group ran 25 times too fast."""
    log_p, log_q = jnp.log(0.3), jnp.log(0.7)
    for update in (sim.GRPO, sim.GroupMean, sim.PassAtN):
        small, usual = update(kind(100)), update(100)
        found, wanted = (x.log_factor(log_p, log_q) for x in (small, usual))
        assert found == wanted
    if kind is np.int8:
        batch = sim.Problem(np.full((2, 1, 2), 0.5), np.full((2, 1, 2), 0.5))
        run = ro.train(batch, ro.Recipe(group_size=2, num_steps=1), num_seeds=kind(100))
        assert run.log_probs.shape == (2, 100, 1, 2)


def test_a_policy_is_kept_where_floats_lose_it():
    """log 1e-310 = -310 log 10, which floats that round 1e-310 to 0 do not know."""
    problem = sim.Problem([0.9, 0.6], [1e-310, 1.0], reference_policy=[1e-310, 1.0])
    np.testing.assert_allclose(problem.log_policy[0], -310 * np.log(10), rtol=1e-12)
    np.testing.assert_allclose(problem.log_reference[0], -310 * np.log(10), rtol=1e-12)
    with jax.enable_x64(False):
        problem = sim.Problem([0.9, 0.6], [1e-50, 1.0])
        np.testing.assert_allclose(problem.log_policy[0], -50 * np.log(10), rtol=1e-6)
        with pytest.raises(ValueError, match="`level` is 1e-300, .*0 in float32"):
            sim.Gap(1e-300)


def test_thirds_of_six_digits_are_a_policy():
    problem = sim.Problem(RATES, [0.333333] * 3)
    np.testing.assert_allclose(jnp.exp(problem.log_policy), 1 / 3, rtol=1e-15)
    with pytest.raises(ValueError, match="sums to 0.9999; .* divide by the sum"):
        sim.Problem(RATES, [0.3333] * 3)


def test_every_public_function_is_in_the_table():
    """Whoever adds one adds its wrong calls."""
    functions = {name for name in sim.__all__ if inspect.isfunction(getattr(sim, name))}
    tables = (
        inspect.getmodule(solve),
        test_bandits,
        test_transfer,
        test_wrong_population_calls,
    )
    table = "".join(map(inspect.getsource, tables))
    assert {name for name in functions if f"sim.{name}" not in table} == set()
