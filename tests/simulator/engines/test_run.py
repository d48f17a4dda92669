"""Requests that differ in nothing that is computed share one compiled program."""

from typing import ClassVar

import equinox as eqx
import jax
import numpy as np
import pytest
from jaxtyping import Array, Float

import simulator as sim
from simulator.engines import run
from simulator.rules import AbstractFixedSignal

RATES = np.array([[0.9, 0.6, 0.1], [0.8, 0.5, 0.3]])
POLICY = np.array([[0.05, 0.7, 0.25], [0.2, 0.3, 0.5]])


class Doubled(AbstractFixedSignal):
    """Given numbers, one for all lanes or one per lane, times given rates."""

    exact: ClassVar[bool] = True
    share: Float[Array, "*B"] = eqx.field(converter=jax.numpy.asarray)

    def rewards(self, problem):
        return self.share * problem.success_rates


@pytest.mark.parametrize("lane", [slice(None), 0])
def test_signals_that_pay_given_numbers_share_one_program(monkeypatch, lane):
    problem = sim.Problem(RATES[lane], POLICY[lane])
    options = {"until": sim.Gap(1e-3), "events": [sim.Crossing()]}
    first = sim.exact(problem, sim.Verifiable(), **options)

    def compiles(self, lane):
        raise AssertionError("another program is compiled")

    monkeypatch.setattr(run._Walk, "begin", compiles)
    second = sim.exact(problem, sim.FixedConfidence(RATES[lane]), **options)
    third = sim.exact(problem, Doubled(1.0), **options)
    for other in (second, third):
        np.testing.assert_array_equal(other.log_probs, first.log_probs)
        np.testing.assert_array_equal(other.event_log_times, first.event_log_times)
    with pytest.raises(AssertionError, match="another program"):
        sim.exact(problem, sim.NoisyVerifier(0.01, 0.0), **options)


@pytest.mark.parametrize("share", [2.0, [[1.0, 2.0], [3.0, 4.0]]])
def test_numbers_are_those_of_their_lane(share):
    problem = sim.Problem(np.stack([RATES] * 2), np.stack([POLICY] * 2))
    numbers = run.as_numbers(problem, Doubled(share))
    assert type(numbers) is sim.FixedConfidence
    expected = np.broadcast_to(share, (2, 2))[..., None] * problem.success_rates
    np.testing.assert_array_equal(numbers.confidence, expected)


@pytest.mark.parametrize(
    "signal, events",
    [
        (sim.NoisyVerifier(0.1, 0.1), ()),
        (sim.Mixture([sim.Verifiable()], [1.0]), ()),
        # Accuracy only rises where success is paid: fewer looks are needed.
        (sim.Verifiable(), (None, sim.Accuracy(0.5))),
        (sim.Verifiable(), (sim.T0(),)),
    ],
)
def test_other_signals_stay_what_they_are(signal, events):
    problem = sim.Problem(RATES, POLICY)
    assert run.as_numbers(problem, signal, events) is signal
