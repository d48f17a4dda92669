"""Discrete training of a batch against steps in NumPy, and against the flow."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import simulator as sim
from tests.differential import problems, recipes, witness
from tests.differential.equations import Law, Rule, log_softmax
from tests.differential.recipes import FIXED, Recipe
from tests.differential.test_engines import SEED

pytestmark = pytest.mark.slow

LANES, STEPS, EVERY, RATE = 16, 40, 20, 0.5
PLANS = (
    Recipe("verifier", "train", ("verifiable",), Rule(), None),
    Recipe("plain", "train", FIXED, Rule(), "Accuracy"),
    Recipe("natural", "train", FIXED, Rule(natural=True), "Accuracy"),
    Recipe("penalty", "train", FIXED, Rule(beta=1), "Accuracy"),
)


def drawn(plan: Recipe):
    rng = np.random.default_rng([SEED, 100 + PLANS.index(plan)])
    return [problems.draw(rng, plan.signals, "Accuracy", True) for _ in range(LANES)]


def trained(plan: Recipe, lanes, rate, steps, every) -> sim.Training:
    until = None
    if plan.until:
        until = sim.Accuracy(np.array([lane.level for lane in lanes]))
    return sim.train(
        *recipes.parts(plan, lanes),
        optax.sgd(jnp.asarray(rate)),
        num_steps=steps,
        save_every=every,
        until=until,
    )


def by_hand(law: Law, rate: float, steps: int) -> np.ndarray:
    """The policy after 0, 1, ... steps of gradient ascent, `[steps + 1, K]`."""
    theta, rows = law.question.log_policy, []
    for _ in range(steps + 1):
        rows.append(log_softmax(theta))
        theta = theta + rate * law.velocity(rows[-1], 0)
    return np.array(rows)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_steps_are_those_of_numpy_in_every_lane(plan):
    lanes = drawn(plan)
    found = trained(plan, lanes, RATE, STEPS, EVERY)
    saved, ends = np.asarray(found.saved_log_probs), np.asarray(found.log_probs)
    first = np.asarray(found.first_step)
    wrong = []
    for i, lane in enumerate(lanes):
        law = problems.law(lane, plan.signals, recipes.rule_of(plan, lane))
        inside = lane.logits > -np.inf
        right = by_hand(law, RATE, STEPS)
        if not np.allclose(ends[i][inside], right[-1], atol=1e-9):
            wrong.append((i, np.exp(ends[i][inside]), np.exp(right[-1])))
        if not np.allclose(saved[i][:, inside], right[EVERY::EVERY], atol=1e-9):
            wrong.append((i, "saved", saved[i][:, inside], right[EVERY::EVERY]))
        excess = np.exp(right) @ (law.question.rates - lane.level)
        after = np.flatnonzero(excess >= 0)
        clear = np.min(np.abs(excess)) > 1e-12
        if plan.until and clear and first[i] != (after[0] if len(after) else -1):
            wrong.append((i, "first step", first[i], after[:1]))
    assert not wrong, wrong


@pytest.mark.parametrize("plan", PLANS[:3], ids=lambda plan: plan.name)
def test_small_steps_extrapolate_to_the_flow(plan):
    """Error c eta + O(eta^2): twice the finer run minus the coarser one."""
    lanes, time = drawn(plan), 2.0
    coarse = trained(plan, lanes, time / 400, 400, 400)
    fine = trained(plan, lanes, time / 800, 800, 800)
    fine, coarse = (np.asarray(x.log_probs) for x in (fine, coarse))
    for i, lane in enumerate(lanes):
        inside = lane.logits > -np.inf
        law = problems.law(lane, plan.signals, recipes.rule_of(plan, lane))
        path = witness.follow(law, np.log(time), lambda *seen: False, False)
        end = 2 * fine[i][inside] - coarse[i][inside]
        assert np.max(np.abs(end - path.policy(np.log(time)))) < 1e-4, lane
