"""Rewards that move with the policy, followed by the flow: one compiled program."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import simulator as sim
from experiments.checks.per_lane_rules import SignalMenu
from experiments.checks.runs import NEVER, Runs, run

ANSWERS = 3
SAVED = 15  # times


class ThroughSelfCertainty(sim.AbstractSignal):
    """Pay whose detached policy gradient is self-certainty differentiated through.

    `pi_k (1 - 1/(K pi_k)) = pi_k - 1/K` is the pull that the derivative adds, and the
    mean of `1 - 1/(K pi_k)` is 0.
    """

    def __call__(self, problem, log_probs):
        inside = log_probs > -jnp.inf
        pull = jnp.exp(-jnp.where(inside, log_probs, 0.0)) / jnp.sum(inside)
        return sim.SelfCertainty().rewards(problem) - pull


SIGNALS = (ThroughSelfCertainty(), sim.SequenceLogProbability(), sim.MajorityVote())


def follow(
    kernel: np.ndarray,
    log_policy: np.ndarray,
    signal: sim.AbstractSignal,
    times: np.ndarray,
    level: Any = NEVER,
    **options: Any,
) -> Runs:
    """One of `SIGNALS`, through `SAVED` times or until the gap is `level`."""
    return run(
        kernel[..., 0],
        log_policy,
        SignalMenu.of_one(SIGNALS, signal, len(kernel)),
        kernel=kernel,
        times=times,
        level=np.broadcast_to(level, len(kernel)),
        method="flow",
        **options,
    )
