"""The curves of a state: where each run takes the policy, and by which clock."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

import simulator as sim
import theory
from experiments.explorer.arrays import padded, problem
from experiments.explorer.state import CLOCKS, State

LOG10 = math.log(10)
FIXED = ("mixture", "rlif")  # in the time of the policy gradient
EARLIEST, LATEST = -9.0, 40.0  # log10 of times that are drawn
WIDTH = 250.0  # pixels, about, of a unit of probability
DECADE = 60.0  # and of a decade
STEP = 2.0  # pixels between points
SETTLED = 0.01  # of all that a run moves: what is not seen before and after the window
POINTS = 121  # of the run with a KL penalty


class Rows(NamedTuple):
    """A run at N places: `log10_t` is -inf at the base policy."""

    log10_t: Float[np.ndarray, " N"]
    probs: Float[np.ndarray, "N K"]
    leader: Int[np.ndarray, " N"]


def updates() -> tuple[sim.AbstractUpdate, ...]:
    """The clocks of RLVR, in the order of `CLOCKS`."""
    groups = [sim.GRPO(size) for size in (2, 4, 8, 16, 64, math.inf)]
    return (sim.PolicyGradient(), *groups, sim.PassAtN(8), sim.RejectionSampling())


def curves(state: State) -> dict[str, Any]:
    """All that is drawn on axes of time, as plain numbers.

    - `base`: policy `[K]` from which RL starts (after SFT), and its accuracy.
    - `runs[name]`: `log10_t` `[n]` (None: the base policy, from the start), `probs`
      `[K][n]`, `accuracy` `[n]`, `leaders`: pairs of a pattern and the log10 time from
      which it is the most likely (None: from the start).
    - `clocks[name]`: `log10_t` `[n]` of the points of `runs.rlvr` by each clock.
    - `hull`: patterns that ever lead in the run in focus, in order; `hand_overs` not.
    - `window`: log10 of the times between which all runs do nearly all they do.
    """
    question = problem(state)
    rates = np.asarray(state.success_rates)
    runs, clocks = _closed(state, question)
    if state.beta:
        runs["kl"] = _penalised(state, question, _window(runs, rates))
    policy = np.exp(np.asarray(question.log_policy)[: len(rates)])
    focus = padded(state.rewards(state.run), 0.0)
    hull = theory.hull.dominance_hull(focus, np.asarray(question.log_policy))
    return {
        "base": {"policy": policy.tolist(), "accuracy": float(policy @ rates)},
        "runs": {name: _shown(rows, rates) for name, rows in runs.items()},
        "clocks": {name: _short(row) for name, row in clocks.items()},
        "hull": [int(k) for k in hull.vertices if k >= 0],
        "window": _window(runs, rates),
    }


def _closed(state: State, question: sim.Problem) -> tuple[dict[str, Rows], dict]:
    """The runs whose path is known in closed form, and the clocks of RLVR."""
    K = state.num_patterns
    rlvr = sim.trace(question, sim.NoisyVerifier(*state.errors), updates())
    pays = padded([state.rewards(name) for name in FIXED], 0.0)
    fixed = sim.trace(question, sim.FixedConfidence(pays), (sim.PolicyGradient(),))
    log_times = np.asarray(rlvr.log_times) / LOG10
    kept = np.asarray(rlvr.kept)
    probs, leader = np.exp(rlvr.log_probs)[:, :K], np.asarray(rlvr.leader)
    chosen = CLOCKS.index(state.clock)
    use = _worth(Rows(log_times[chosen], probs, leader), kept)
    runs = {"rlvr": Rows(log_times[chosen][use], probs[use], leader[use])}
    clocks = {name: log_times[i][use] for i, name in enumerate(CLOCKS)}
    for i, name in enumerate(FIXED):
        log10_t = np.asarray(fixed.log_times)[i, 0] / LOG10
        rows = Rows(
            log10_t, np.exp(fixed.log_probs[i])[:, :K], np.asarray(fixed.leader[i])
        )
        use = _worth(rows, np.asarray(fixed.kept[i]))
        runs[name] = Rows(*(column[use] for column in rows))
    return runs, clocks


def _worth(rows: Rows, kept: Bool[np.ndarray, " N"]) -> Int[np.ndarray, " n"]:
    """The rows that pixels show: the first, the last, and one for every few pixels."""
    log10_t = rows.log10_t
    use = kept & ((log10_t > EARLIEST) & (log10_t < LATEST) | (log10_t == -np.inf))
    use = np.nonzero(use)[0]
    if len(use) < 3:
        return use
    across = np.diff(np.maximum(log10_t[use], EARLIEST)) * DECADE
    up = np.abs(np.diff(rows.probs[use], axis=0)).max(axis=1) * WIDTH
    far = np.floor(np.cumsum(np.hypot(across, up)) / STEP)
    new = np.concatenate([[True], np.diff(far, prepend=-1) > 0])
    new[[0, 1, -1]] = True
    return use[new]


def _penalised(state: State, question: sim.Problem, window: list[float]) -> Rows:
    """RLVR with a KL penalty to the policy that it starts from."""
    low, high = window
    log_times = np.linspace(low - 1, high + 1, POINTS) * LOG10
    solution = sim.solve(
        question,
        sim.NoisyVerifier(*state.errors),
        sim.PolicyGradient(beta=state.beta),
        save_log_times=log_times,
        max_log_time=float(log_times[-1]),
    )
    K = state.num_patterns
    start = np.exp(np.asarray(question.log_policy))[:K]
    saved = np.asarray(solution.saved_policies())
    probs = np.concatenate([start[None], saved[:, :K]])
    log10_t = np.concatenate([[-np.inf], log_times / LOG10])
    return Rows(log10_t, probs, probs.argmax(axis=1))


def _window(runs: dict[str, Rows], rates: np.ndarray) -> list[float]:
    """From where runs begin to move to where they have come, in whole decades."""
    lows, highs = [], []
    for rows in runs.values():
        from_start = np.abs(rows.probs - rows.probs[0]).max(axis=1)
        to_end = np.abs(rows.probs - rows.probs[-1]).max(axis=1)
        size = from_start.max()
        if size > 0 and len(rows.log10_t) > 2:
            lows.append(rows.log10_t[np.argmax(from_start > SETTLED * size)])
            highs.append(rows.log10_t[np.argmax(to_end < SETTLED * size)])
    if not lows:
        return [-1.0, 3.0]
    return [
        math.floor(min(lows)),
        max(math.ceil(max(highs)), math.floor(min(lows)) + 2),
    ]


def _shown(rows: Rows, rates: np.ndarray) -> dict[str, Any]:
    leads = [0, *np.nonzero(np.diff(rows.leader))[0] + 1]
    return {
        "log10_t": _short(rows.log10_t),
        "probs": [_short(column) for column in rows.probs.T],
        "accuracy": _short(rows.probs @ rates),
        "leaders": [
            [int(rows.leader[i]), _short(rows.log10_t[i : i + 1])[0]] for i in leads
        ],
    }


def _short(values: np.ndarray) -> list[float | None]:
    rounded = np.round(values, 4).tolist()
    return [x if math.isfinite(x) else None for x in rounded]
