"""The first step at which an event holds, against policies saved at every step."""

import jax
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro

STEPS, SEEDS = 60, 16
ALL = range(1, STEPS + 1)
RECIPE = ro.Recipe(group_size=4, learning_rate=0.3, num_steps=STEPS)
ONE = sim.Problem([0.9, 0.6, 0.1], [0.2, 0.5, 0.3])
# The last question has no pattern that is better than the others.
MANY = sim.Problem(
    [[0.9, 0.6, 0.1], [0.2, 0.5, 0.5], [0.4, 0.4, 0.4]],
    [[0.2, 0.5, 0.3], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5]],
)


def policies(problem, recipe=RECIPE):
    """`[S, 1 + T, Q, K]`, of a run that is not watched."""
    run = ro.train(problem, recipe, num_seeds=SEEDS, save_at=ALL)
    return run.saved_policies()


def first(holds):
    """`[S, 1 + T]` to `[S]`: the first step, -1 if none."""
    return np.where(holds.any(axis=1), holds.argmax(axis=1), -1)


def accuracy(problem, policy):
    return (policy * np.asarray(problem.success_rates)).sum(axis=-1).mean(axis=-1)


def best(problem, policy):
    """The mean of `pi_*` over the questions that have a best pattern."""
    rates = np.asarray(problem.success_rates).reshape(-1, policy.shape[-1])
    ranked = rates.max(axis=-1) > rates.min(axis=-1)
    mass = np.where(rates == rates.max(axis=-1, keepdims=True), policy, 0).sum(axis=-1)
    return mass[..., ranked].mean(axis=-1)


def right(event, problem, policy):
    """Whether it holds, `[S, 1 + T]`, written out in NumPy."""
    if isinstance(event, sim.Accuracy):
        return accuracy(problem, policy) >= float(event.level)
    if isinstance(event, sim.OptimalProbability):
        return best(problem, policy) >= float(event.level)
    if isinstance(event, sim.SuboptimalMass):
        return 1 - best(problem, policy) <= float(event.level)
    if isinstance(event, sim.T0):
        return accuracy(problem, policy) >= 0.6
    leader = policy[..., 0, :].argmax(axis=-1)
    return leader == (0 if isinstance(event, sim.Crossing) else int(event.pattern))


@pytest.mark.parametrize(
    "problem, event",
    [
        (ONE, sim.Accuracy(0.63)),
        (ONE, sim.Accuracy(0.84)),
        (ONE, sim.Accuracy(0.5)),
        (ONE, sim.Accuracy(0.899)),
        (ONE, sim.OptimalProbability(0.4)),
        (ONE, sim.SuboptimalMass(0.55)),
        (ONE, sim.T0()),
        (ONE, sim.Crossing()),
        (ONE, sim.Leads(0)),
        (ONE, sim.Leads(1)),
        (MANY, sim.Accuracy(0.48)),
        (MANY, sim.OptimalProbability(0.5)),
        (MANY, sim.SuboptimalMass(0.4)),
    ],
    ids=str,
)
def test_the_first_step_is_that_of_policies_saved_at_every_step(problem, event):
    policy = policies(problem)
    run = ro.train(problem, RECIPE, num_seeds=SEEDS, until=event)
    expected = first(right(event, problem, policy))
    np.testing.assert_array_equal(run.first_step, expected)
    # The end is the same to the bit, watched or not.
    np.testing.assert_array_equal(np.exp(run.log_probs), policy[:, -1])


def test_some_get_there_late_some_never_and_some_are_there_from_the_start():
    policy = policies(ONE)
    found = first(right(sim.Accuracy(0.84), ONE, policy))
    assert (found == -1).any() and len(np.unique(found)) > 5
    start = ro.train(ONE, RECIPE, num_seeds=2, until=sim.Accuracy(0.3))
    assert start.first_step.tolist() == [0, 0]
    equal = sim.Problem([0.5, 0.5], [0.2, 0.8])
    start = ro.train(equal, RECIPE, num_seeds=2, until=sim.OptimalProbability(0.5))
    assert start.first_step.tolist() == [0, 0]


KERNEL = sim.Problem(
    policy=[[0.35, 0.65], [0.5, 0.5]],
    answer_kernel=[[[0.5, 0.3, 0.2], [0.25, 0.15, 0.6]]] * 2,
)


@pytest.mark.parametrize(
    "recipe",
    [
        ro.Recipe(group_size=4, num_steps=STEPS, redraws=3, replaced=True),
        ro.Recipe(
            group_size=4, num_steps=STEPS, surrogate=ro.Clipped(0.2, 0.3, epochs=3)
        ),
        ro.Recipe(
            group_size=5,
            num_steps=STEPS,
            feedback=ro.MajorityVote(),
            penalties=(ro.KLLoss3(0.1),),
            policy=ro.Shared(),
        ),
    ],
    ids=["replaced", "epochs", "shared"],
)
def test_what_is_watched_and_saved_changes_no_bit(recipe):
    plain = ro.train(KERNEL, recipe, num_seeds=SEEDS)
    watched = ro.train(
        KERNEL, recipe, num_seeds=SEEDS, save_at=[7, 40], until=sim.Accuracy(0.4)
    )
    for name in ("log_probs", "outcome", "groups"):
        one, other = (jax.tree.leaves(getattr(run, name)) for run in (plain, watched))
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)
    saved = ro.train(KERNEL, recipe, num_seeds=SEEDS, save_at=ALL).saved
    np.testing.assert_array_equal(watched.saved, saved[:, [6, 39]])


def test_lanes_have_levels_of_their_own():
    lanes = sim.Problem(
        np.tile([0.9, 0.6, 0.1], (3, 1, 1)), np.tile([0.2, 0.5, 0.3], (3, 1, 1))
    )
    levels = [0.3, 0.6, 0.99]
    run = ro.train(lanes, RECIPE, num_seeds=4, until=sim.Accuracy(levels))
    assert run.first_step.shape == (3, 4)
    assert (run.first_step[0] == 0).all() and (run.first_step[2] == -1).all()
    assert (run.first_step[1] > 0).all()
    assert float(run[1].until.level) == 0.6
    np.testing.assert_array_equal(run[1].first_step, run.first_step[1])
    with pytest.raises(ValueError, match="a number of `until` has shape"):
        ro.train(lanes, RECIPE, until=sim.Accuracy([0.3, 0.6]))


def test_a_run_shows_its_first_steps():
    run = ro.train(ONE, RECIPE, num_seeds=SEEDS, until=sim.Accuracy(0.63))
    there = run.first_step[run.first_step >= 0]
    assert f"in {len(there)} of {SEEDS}, step {there.min()} to" in repr(run)
    data = run.to_xarray()
    np.testing.assert_array_equal(data.first_step, run.first_step)
    assert data.attrs["until"] == "accuracy=0.63"
    assert run.to_pandas().first_step.tolist() == run.first_step.tolist()
    plain = ro.train(ONE, RECIPE, num_seeds=2)
    assert plain.first_step is None and "first_step" not in plain.to_xarray()


@pytest.mark.parametrize(
    "problem, event, said",
    [
        (ONE, sim.Gap(0.1), "looks at `rewards` of the flow"),
        (ONE, sim.PeakAccuracy(), "give one like Accuracy"),
        (ONE, "accuracy=0.5", "give one like Accuracy"),
        (MANY, sim.Crossing(), "is of one question, and there are 3"),
        (MANY, sim.T0(), "is of one question, and there are 3"),
        (ONE, sim.Leads(3), "numbered from 0 to 2"),
        (ONE, sim.Accuracy(1.5), "level"),
    ],
    ids=str,
)
def test_what_has_no_meaning_at_a_step_is_refused(problem, event, said):
    with pytest.raises(ValueError, match=said):
        ro.train(problem, RECIPE, until=event)


def test_an_event_of_the_velocity_is_refused():
    class Rising(sim.AbstractFirst):
        def value(self, point):
            return point.direction[0]

    with pytest.raises(ValueError, match="looks at `direction` of the flow"):
        ro.train(ONE, RECIPE, until=Rising())
