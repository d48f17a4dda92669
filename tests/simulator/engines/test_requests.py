"""Requests that the engines refuse, in one line, before anything is compiled."""

import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim

ONE = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
TWO = sim.Problem(np.full((2, 3), 0.5), np.full((2, 3), 1 / 3))


@pytest.mark.parametrize("method", ["exact", "flow"])
@pytest.mark.parametrize(
    "options, said",
    [
        ({"save_log_times": [-np.inf, 1.0]}, "finite.*base policy"),
        ({"save_log_times": [np.nan]}, "finite"),
        ({"save_log_times": [2.0, 1.0]}, "increasing"),
        ({"save_log_times": [2.0], "max_log_time": 1.0}, "beyond"),
        ({"max_log_time": np.inf}, "is inf"),
        ({"max_log_time": np.nan}, "is nan"),
        ({"max_steps": 0}, "whole number from 1"),
        ({"max_steps": 5.5}, "is 5.5"),
        ({"max_steps": np.inf}, "is inf"),
        ({"tolerance": 0.0}, "below 1, and at least .*2.2e-16"),
        ({"tolerance": np.nan}, "must be finite"),
        ({"until": "gap=0.1"}, "`until` is 'gap=0.1'"),
        ({"until": sim.T0}, "the class T0"),
        ({"until": sim.Gap(np.nan)}, "level of Gap is nan"),
        ({"until": sim.Gap(-1.0)}, "level of Gap is -1"),
        ({"until": sim.Accuracy(5.0)}, "is 5; .*0 to 1"),
        ({"until": sim.OptimalProbability(2.0)}, "is 2; .*0 to 1"),
        ({"until": sim.SuboptimalMass(-0.1)}, "is -0.1"),
        ({"until": sim.Gap([0.1, 0.2])}, r"`until.level` has shape \(2,\)"),
        ({"events": sim.T0()}, "a list of events"),
        ({"events": None}, "a list of events"),
        ({"events": ["t0"]}, "contains 't0'"),
        ({"events": [sim.Leads(7)]}, "from 0 to 2"),
        ({"events": [sim.Leads(-1)]}, "from 0 to 2"),
        ({"events": [sim.Gap([0.1, 0.2])]}, "list of levels"),
    ],
)
def test_a_call_that_cannot_be_run(method, options, said):
    with pytest.raises(ValueError, match=said):
        sim.solve(ONE, sim.Verifiable(), method=method, **options)


@pytest.mark.parametrize("engine", [sim.solve, sim.exact, sim.flow])
@pytest.mark.parametrize(
    "problem, signal, update, said",
    [
        ([0.9, 0.1], sim.Verifiable(), None, "`problem` is list"),
        (ONE, None, None, "`signal` is None"),
        (ONE, sim.Verifiable, None, "the class Verifiable"),
        (ONE, sim.Verifiable(), "grpo", "`update` is 'grpo'"),
    ],
)
def test_parts_of_another_kind(engine, problem, signal, update, said):
    with pytest.raises(ValueError, match=said):
        engine(problem, signal, update)


@pytest.mark.parametrize("problem", [ONE, TWO])
def test_a_parameter_needs_one_row_per_problem(problem):
    with pytest.raises(ValueError, match=r"`update.beta` has shape \(3,\)"):
        sim.solve(problem, sim.Verifiable(), sim.NaturalGradient(beta=jnp.ones(3)))


def test_a_mixture_of_nothing():
    with pytest.raises(ValueError, match="no signals"):
        sim.Mixture([], [])


def test_a_batch_ends_and_one_problem_has_no_length():
    assert len(TWO) == len(list(TWO)) == 2
    assert [lane.batch_shape for lane in TWO] == [(), ()]
    assert TWO[None].batch_shape == (1, 2) and TWO[np.array([0, 1, 1])].batch_shape
    for index in (2, -3, (0, 0)):
        with pytest.raises(IndexError):
            TWO[index]
    with pytest.raises(TypeError, match="not a batch"):
        len(ONE)
