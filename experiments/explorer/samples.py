"""Sampled training of a state: how far single runs are from the curve of the flow.

Step n of a run is drawn at the time `t = learning rate * n`, which is that of the flow
in the clock of the estimator. There are as many steps for every state, so that one
program serves all that share estimator and group size; patterns that are never drawn
fill up to eight and change no draw.
"""

import math
import shlex
from typing import Any, cast

import numpy as np

import simulator as sim
from experiments.explorer.arrays import problem
from experiments.explorer.curves import SETTLED, updates
from experiments.explorer.exports import start
from experiments.explorer.state import CLOCKS, State, shortest
from experiments.text import recipes
from experiments.text.errors import UserError
from simulator import rollouts

STEPS, EVERY = 1000, 10
MOST_SEEDS = 64
GROUP = 8  # of the policy gradient
QUANTILES = (0.05, 0.5, 0.95)
FASTEST = {"pass-at-8": 0.05}  # learning rates; larger steps are mostly noise
FAST = 0.5


def recipe(state: State) -> rollouts.Recipe:
    """On-policy steps whose mean is the flow of RLVR in the clock of the state.

    RLOO for the policy gradient, GRPO that divides by the population's spread, rewards
    of pass@8. Raises `UserError` where there is none: rejection sampling, and KL.
    """
    if state.run == "kl" and state.beta:
        raise UserError("runs with a KL penalty are not sampled here; set it to 0.")
    size, estimator = GROUP, cast(rollouts.AbstractEstimator, rollouts.RLOO())
    if state.clock == "rejection-sampling":
        raise UserError("rejection sampling is not sampled here; choose another clock.")
    if state.clock == "pass-at-8":
        size, estimator = 16, rollouts.PassAtNReward(attempts=8)
    elif state.clock.startswith("grpo-"):
        name = state.clock.removeprefix("grpo-")
        size = 64 if name == "inf" else int(name)
        estimator = rollouts.GRPO()
    return rollouts.Recipe(
        feedback=rollouts.Verifier(*state.errors),
        estimator=estimator,
        group_size=size,
        learning_rate=learning_rate(state),
        num_steps=STEPS,
    )


def learning_rate(state: State) -> float:
    """With which the steps go as far as RLVR moves, if that is small; two digits."""
    path = sim.trace(problem(state), sim.NoisyVerifier(*state.errors), updates())
    probs = np.exp(np.asarray(path.log_probs))
    to_end = np.abs(probs - probs[-1]).max(axis=1)
    moving = np.nonzero(to_end > SETTLED * to_end[0])[0]
    most = FASTEST.get(state.clock, FAST)
    if not moving.size:
        return most
    log_times = np.asarray(path.log_times)[CLOCKS.index(state.clock)]
    last = float(log_times[min(moving[-1] + 1, len(log_times) - 1)])
    wanted = math.exp(min(last, math.log(most * STEPS))) / STEPS
    return float(f"{max(wanted, 1e-4):.2g}")


def samples(state: State, seeds: int = MOST_SEEDS) -> dict[str, Any]:
    """Quantiles of accuracy over the seeds, at times of the flow.

    - `log10_t` `[n]`: None is the base model. `quantiles[q]` `[n]`.
    - `recipe`: what was done, in words. `command`: that gives the same numbers.

    Raises `UserError` as `recipe` does, and for seeds that are not 1 to 64.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"seeds {seeds}: give 1 to {MOST_SEEDS}.")
    how = recipe(state)
    question = problem(state)
    steps = np.arange(EVERY, STEPS + 1, EVERY)
    run = rollouts.train(
        question, how, num_seeds=seeds, save_at=steps, observe=_accuracy
    )
    base = float(sim.accuracy(question.log_policy, question.success_rates))
    found = np.quantile(np.asarray(run.saved), QUANTILES, axis=0)
    log10_t = np.log10(steps * float(how.learning_rate)).round(6)
    return {
        "log10_t": [None, *log10_t.tolist()],
        "quantiles": {
            str(q): [base, *row.tolist()]
            for q, row in zip(QUANTILES, found, strict=True)
        },
        "recipe": described(how, seeds),
        "command": command(state, how, seeds),
    }


def _accuracy(problem, log_probs):
    """Of the only question; `[Q, K]` with Q = 1."""
    return sim.accuracy(log_probs, problem.success_rates)[0]


def described(how: rollouts.Recipe, seeds: int) -> str:
    """A recipe in words, with the time of a step."""
    name = {"RLOO": "RLOO", "GRPO": "GRPO"}.get(type(how.estimator).__name__, "pass@8")
    rate = float(how.learning_rate)
    return (
        f"{name} with groups of {how.group_size}, {seeds} seeds, {STEPS} steps at "
        f"learning rate {rate:g}: step n is at t = {rate:g} n, up to {rate * STEPS:g}."
    )


def words(state: State, seeds: int) -> list[str]:
    """The arguments of `pattern-selection` that train so, without the recipe."""
    rates = map(shortest, state.success_rates)
    question = ["--success-rates", *rates, "--logits", *start(state)]
    return ["train", *question, "--seeds", str(seeds), "--save-every", str(EVERY)]


def command(state: State, how: rollouts.Recipe, seeds: int) -> str:
    """For a shell; the recipe follows on standard input."""
    line = shlex.join(["pattern-selection", *words(state, seeds)])
    return f"{line} --recipe /dev/stdin <<'END'\n{recipes.dumps(how)}END"
