"""Events from ratios of probabilities, against the same from log-probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from simulator.engines.exact.engine import ExactEngine
from simulator.engines.exact.fast_events import drift, in_passing
from simulator.engines.path import look
from simulator.numerics import logspace

LANES, PATTERNS = 24, 6
EVENTS = (
    sim.LowestOptimalProbability(),
    sim.PeakAccuracy(),
    sim.Accuracy(0.4),
    sim.OptimalProbability(0.3),
    sim.SuboptimalMass(0.2),
    sim.T0(),
    sim.BelowBase(),
)


def problems(kind, rng):
    """Rates, logits, and what is paid: not the rates, so that accuracy may fall."""
    shape = (LANES, PATTERNS)
    rates, rewards = rng.uniform(size=shape), rng.uniform(size=shape)
    logits = {"plain": 1.0, "wide": 10.0, "extreme": 300.0, "paid alike": 600.0}.get(
        kind, 2.0
    )
    logits = logits * rng.normal(size=shape)
    if kind in ("ties", "paid alike"):
        rewards = np.round(rewards)
    if kind == "ties":
        rates, logits = np.round(3 * rates) / 3, np.round(logits)
    if kind == "outside":
        logits[:, 1] = -np.inf
    return rates, logits, rewards


def dynamics(rates, logits, rewards):
    problem = sim.Problem(rates, logits=logits)
    return sim.Dynamics(problem, sim.FixedConfidence(rewards), sim.PolicyGradient())


def go(given, state, size):
    """One stretch; and the state after it, on the next piece if it got there."""
    path = ExactEngine().path(dynamics(*given))
    state = path.start() if state is None else state
    room = path.border(state) - path.place(state)
    stretch = path.stretch(state, jnp.minimum(size, room))
    return stretch, path.hand_over(stretch.end, size >= room)


def looked_at(event, here, policies):
    """An event's values and scores from log-probabilities."""
    values, scores = jax.vmap(lambda p: look([event], here.point(p)))(policies)
    return values[:, 0], scores[:, 0]


def both(given, state, size):
    """`{name: (in passing, from log-probabilities)}` on a stretch, and its end."""
    stretch, state = go(given, state, size)
    policies, here, at = stretch.passed, stretch.passage, dynamics(*given)
    pairs = {}
    for event in EVENTS:
        own, other = in_passing(event, at.problem, here), looked_at(event, at, policies)
        name = type(event).__name__
        pairs[name] = own[0], other[0]
        pairs[f"{name}, score"] = own[1], other[1]
    means = jax.vmap(lambda p: logspace.log_sum(p, given[2]))(policies)
    pairs["log mean"] = here.log_mean(given[2]), means
    direction = jax.vmap(lambda p: at.point(p).direction)(policies)
    ahead = direction - jnp.sum(jnp.where(here.leads, direction, 0), 1)[:, None]
    ahead = jnp.where(here.others, ahead, 0.0)
    pairs["gains"] = drift(here).gains.T.ravel(), ahead.ravel()
    return pairs, state


many = jax.jit(jax.vmap(both, in_axes=(0, 0, None)))


@pytest.mark.parametrize(
    "kind", ["plain", "wide", "extreme", "ties", "paid alike", "outside"]
)
@pytest.mark.slow
def test_what_is_passed_looks_the_same_in_both_forms(kind, rng):
    given = problems(kind, rng)
    state = jax.vmap(lambda *one: ExactEngine().path(dynamics(*one)).start())(*given)
    for size in (0.3, 1.0, 2.0):
        pairs, state = many(given, state, size)
        for name, (own, other) in pairs.items():
            own, other = np.asarray(own), np.asarray(other)
            assert np.isfinite(own).all(), name
            # A sum may cancel to rounding; on plateaus all of it is tiny. Logarithms
            # near 0 are of numbers near 1.
            log = name.endswith("score") or name.startswith("log")
            least = 1.0 if log else np.finfo(float).tiny
            largest = np.abs(other).max(axis=-1, keepdims=True)
            error = np.abs(own - other) / np.maximum(largest, least)
            assert error.max() < 1e-10, (name, size)


def test_signs_are_right_where_the_best_pattern_is_as_rare_as_can_be():
    # e^-900 is no number. The rival grows faster at first.
    rates = np.array([0.5, 0.4, 0.9])
    logits = np.array([0.0, -5.0, -900.0])
    at = dynamics(rates, logits, rates)
    stretch, _ = jax.jit(go)((rates, logits, rates), None, 1.0)
    values, scores = in_passing(EVENTS[0], at.problem, stretch.passage)
    expected = looked_at(EVENTS[0], at, stretch.passed)
    np.testing.assert_allclose(values, expected[0], rtol=1e-12)
    np.testing.assert_allclose(scores, expected[1], rtol=1e-14)
    assert scores.max() > 899
