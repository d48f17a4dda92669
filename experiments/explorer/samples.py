"""Sampled training of a state: how far single runs are from the curve of the flow.

Step n of a run is drawn at the time `t = learning rate * n`, which is that of the flow
in the clock of the estimator. Steps are as many as reach the flow's end, or three times
its last change of lead, at a learning rate with which samples follow it; at most as
many as are drawn in about a second. All lengths have as many rows, so that one program
serves all states that share estimator and group size; patterns that are never drawn
fill up to eight and change no draw.
"""

import math
import shlex
from typing import Any, NamedTuple, cast

import numpy as np

import simulator as sim
from experiments.explorer.arrays import problem, ranked
from experiments.explorer.curves import SETTLED, updates
from experiments.explorer.exports import start
from experiments.explorer.places import bests
from experiments.explorer.state import CLOCKS, State, shortest
from experiments.explorer.wording import time
from experiments.text import recipes
from experiments.text.errors import UserError
from experiments.text.objects import brief
from simulator import rollouts

LENGTHS = (1000, 2000, 5000, 10_000)  # steps of a run
ROWS = 100  # of a run that are drawn
DRAWS = 320_000  # of one run at most: steps times group size
PAST = 3.0  # times of the last change of lead, for single runs are later than the flow
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
    rate, steps = lengths(state, size)
    return rollouts.Recipe(
        feedback=rollouts.Verifier(*state.errors),
        estimator=estimator,
        group_size=size,
        learning_rate=rate,
        num_steps=steps,
    )


class Ends(NamedTuple):
    """When RLVR has moved nearly all it moves, and its leader changes last; logs.

    -inf where it does not move, or the leader stays.
    """

    settled: float
    last_lead: float


def ends(state: State) -> Ends:
    """Both of the flow, in the clock of the state."""
    path = sim.trace(problem(state), sim.NoisyVerifier(*state.errors), updates())
    kept = int(np.asarray(path.kept).sum())
    probs = np.exp(np.asarray(path.log_probs))[:kept]
    log_times = np.asarray(path.log_times)[CLOCKS.index(state.clock)][:kept]
    to_end = np.abs(probs - probs[-1]).max(axis=1)
    moving = np.nonzero(to_end > SETTLED * to_end[0])[0]
    turns = np.nonzero(np.diff(np.asarray(path.leader)[:kept]))[0]
    return Ends(
        float(log_times[min(moving[-1] + 1, kept - 1)]) if moving.size else -math.inf,
        float(log_times[turns[-1]]) if turns.size else -math.inf,
    )


def lengths(state: State, group_size: int) -> tuple[float, int]:
    """The learning rate, of two digits, and the number of steps.

    With them a run goes as far as RLVR moves, and three times as far as to the last
    change of lead; if that is too far, as far as it can.
    """
    most = FASTEST.get(state.clock, FAST)
    settled, last_lead = ends(state)
    last = max(settled, last_lead + math.log(PAST))
    if last == -math.inf:
        return most, LENGTHS[0]
    allowed = [n for n in LENGTHS if n * group_size <= DRAWS]
    far = [n for n in allowed if math.log(most * n) >= last]
    steps = far[0] if far else allowed[-1]
    wanted = math.exp(min(last, math.log(most * steps))) / steps
    return float(f"{max(wanted, 1e-4):.2g}"), steps


def samples(state: State, seeds: int = MOST_SEEDS) -> dict[str, Any]:
    """Quantiles of accuracy over the seeds, at times of the flow.

    - `log10_t` `[n]`: None is the base model. `quantiles[q]` `[n]`.
    - `until`: log10 of the time up to which runs are sampled.
    - `sentence`: what the band is, and how many runs have taken off by then.
    - `recipe`: what was done, in words. `command`: that gives the same numbers.

    Raises `UserError` as `recipe` does, and for seeds that are not 1 to 64.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"seeds {brief(seeds)}: give 1 to {MOST_SEEDS}.")
    how = recipe(state)
    question = problem(state)
    every = how.num_steps // ROWS
    steps = np.arange(every, how.num_steps + 1, every)
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
        "until": float(log10_t[-1]),
        "sentence": sentence(state, how, run),
        "recipe": described(how, seeds),
        "command": command(state, how, seeds),
    }


def _accuracy(problem, log_probs):
    """Of the only question; `[Q, K]` with Q = 1."""
    return sim.accuracy(log_probs, problem.success_rates)[0]


def _name(how: rollouts.Recipe) -> str:
    kind = type(how.estimator).__name__
    return {"RLOO": "RLOO", "GRPO": "GRPO"}.get(kind, "pass@8")


def described(how: rollouts.Recipe, seeds: int) -> str:
    """A recipe in words, with the time of a step."""
    rate, steps = float(how.learning_rate), how.num_steps
    return (
        f"{_name(how)} with groups of {how.group_size}, {seeds} seeds, {steps:,} steps "
        f"at learning rate {rate:g}: step n is at t = {rate:g} n, up to "
        f"{rate * steps:,g}."
    )


def sentence(state: State, how: rollouts.Recipe, run: rollouts.Run) -> str:
    """What the band is, how many runs have taken off, and what differs from the flow.

    Counted is the last step: accuracy above the rival's rate, and the best pattern, or
    one of equal ones, in the lead.
    """
    rate, steps = float(how.learning_rate), how.num_steps
    K = state.num_patterns
    probs = np.exp(np.asarray(run.log_probs))[:, 0, :K]
    seeds, rates = len(probs), np.array(state.success_rates)
    first = _name(how) if _name(how) != "pass@8" else "training for pass@8"
    text = (
        f"{seeds} run{'s' * (seeds > 1)} of {first} with groups of {how.group_size}, "
        f"learning rate {rate:g}, {steps:,} steps (t = {rate * steps:,g}): median, 5 "
        "and 95 %."
    )
    rival = ranked(state).rival
    if rival is not None:
        passed = int((probs @ rates > rates[rival]).sum())
        lead = int(np.isin(probs.argmax(axis=1), bests(state)).sum())
        text += f" By then accuracy is above the rival's rate in {passed} of {seeds},"
        text += f" and the best pattern leads in {lead}."
    last = ends(state).last_lead
    if last > math.log(rate * steps):
        text += " In the flow the lead changes last after that, at t = "
        text += f"{time(last / math.log(10))}."
    if state.clock == CLOCKS[0]:
        text += " On average a small step of RLOO is one of the policy gradient."
    if state.clock == "grpo-inf":
        text += f" Groups of {how.group_size} stand for very large ones."
    if state.run in ("mixture", "rlif"):
        text += " The reward is RLVR's."
    return text


def words(state: State, how: rollouts.Recipe, seeds: int) -> list[str]:
    """The arguments of `pattern-selection` that train so, without the recipe."""
    rates = map(shortest, state.success_rates)
    question = ["--success-rates", *rates, "--logits", *start(state)]
    every = str(how.num_steps // ROWS)
    return ["train", *question, "--seeds", str(seeds), "--save-every", every]


def command(state: State, how: rollouts.Recipe, seeds: int) -> str:
    """For a shell; the recipe follows on standard input."""
    line = shlex.join(["pattern-selection", *words(state, how, seeds)])
    return f"{line} --recipe /dev/stdin <<'END'\n{recipes.dumps(how)}END"
