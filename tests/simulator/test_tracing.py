"""Whole paths against the engine that looks for events, and in corners."""

import numpy as np

import simulator as sim

UPDATES = [
    sim.PolicyGradient(),
    sim.GRPO(8),
    sim.GRPO(np.inf),
    sim.PassAtN(8),
    sim.RejectionSampling(),
]


def padded(rates, policy, patterns=8):
    """With patterns of probability 0, so that all tests share a program."""
    missing = (0, patterns - len(rates))
    return sim.Problem(np.pad(rates, missing), np.pad(policy, missing))


def test_the_end_is_where_the_engine_says_that_the_gap_is_as_small():
    problem = padded([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    path = sim.trace(problem, sim.Verifiable(), UPDATES)
    gap = 0.9 - np.asarray(path.accuracy)
    row = np.flatnonzero(path.kept & (gap > 1e-3))[-1]
    for update, name in zip(UPDATES, path.names, strict=True):
        until = sim.Gap(gap[row])
        solution = sim.solve(problem, sim.Verifiable(), update, until=until)
        np.testing.assert_allclose(solution.log_time, path.times(name)[row], atol=1e-9)
        np.testing.assert_allclose(
            solution.log_probs[:3], path.log_probs[row, :3], atol=1e-9
        )


def test_a_batch_is_as_many_problems_side_by_side():
    rates, policy = (
        [[0.9, 0.6, 0.1], [0.2, 0.7, 0.5]],
        [[0.05, 0.7, 0.25], [0.5, 0, 0.5]],
    )
    many = sim.Problem(np.tile(rates, (3, 1)), np.tile(policy, (3, 1)))
    pay = sim.NoisyVerifier(np.linspace(0, 0.4, 6))
    paths = sim.trace(many, pay, UPDATES)
    for i, path in enumerate(paths):
        alone = sim.trace(many[i], sim.NoisyVerifier(pay.false_positive[i]), UPDATES)
        np.testing.assert_allclose(path.log_times, alone.log_times, rtol=1e-12)
        np.testing.assert_allclose(path.log_probs, alone.log_probs, atol=1e-12)
        np.testing.assert_array_equal(path.kept, alone.kept)
