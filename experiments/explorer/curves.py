"""The curves of a state: where each run takes the policy, and by which clock."""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

import simulator as sim
import theory
from experiments.explorer.arrays import padded, problem
from experiments.explorer.state import CLOCKS, State

LOG10 = math.log(10)
FIXED = ("mixture", "rlif")  # in the time of the policy gradient
EARLIEST, LATEST = -9.0, 800.0  # log10 of times that are drawn
HEIGHT, WIDTH = (
    250.0,
    900.0,
)  # pixels, about, of a unit of probability, and of all times
DECADE = 60.0  # pixels of a decade at most
STEP = 2.0  # pixels between points at least
NUMBERS = 4200  # of an answer at most, about; 7 bytes each
SETTLED = 0.01  # of all that a run moves: what is not seen before and after the window
POINTS = 121  # of the run with a KL penalty


class Rows(NamedTuple):
    """A run at N places: `log10_t` is -inf at the base policy.

    `leaders`: pairs of a pattern and the log10 time from which it is the most likely.
    """

    log10_t: Float[np.ndarray, " N"]
    probs: Float[np.ndarray, "N K"]
    leaders: list[tuple[int, float]]


@functools.cache
def updates() -> tuple[sim.AbstractUpdate, ...]:
    """The clocks of RLVR, in the order of `CLOCKS`."""
    groups = [sim.GRPO(size) for size in (2, 4, 8, 16, 64, math.inf)]
    return (sim.PolicyGradient(), *groups, sim.PassAtN(8), sim.RejectionSampling())


def curves(state: State) -> dict[str, Any]:
    """All that is drawn on axes of time, as plain numbers.

    - `base`: policy `[K]` from which RL starts (after SFT), and its accuracy.
    - `runs[name]`: `log10_t` `[n]` (None: the base policy, from the start), `probs`
      `[K][n]`, `accuracy` `[n]`, `leaders`: pairs of a pattern and the log10 time from
      which it is the most likely (None: from the start). A run that does not move has
      one row.
    - `clocks[name]`: `log10_t` `[n]` of the points of `runs.rlvr` by each clock.
    - `hull`: patterns that ever lead in the run in focus, in order.
    - `still`: runs that do not move, for all patterns that are drawn are paid the same.
    - `window`: log10 of the times between which all runs do nearly all they do.

    Times are those of `simulator.trace`, to 1e-4 in log10; T0 is not read off these
    curves, see `numbers`.
    """
    question = problem(state)
    rates = np.asarray(state.success_rates)
    runs, clocks = _closed(state, question)
    window = _window(runs)
    if state.beta:
        runs["kl"] = _penalised(state, question, window)
    log_policy = np.asarray(question.log_policy)
    policy = np.exp(log_policy[: len(rates)])
    if state.run == "kl" and state.beta:
        hull = [k for k, _ in runs["kl"].leaders]
    else:
        focus = padded(state.rewards(state.run), 0.0)
        with np.errstate(invalid="ignore"):  # 1/pi_0 beyond floats
            vertices = theory.hull.dominance_hull(focus, log_policy).vertices
        hull = [int(k) for k in vertices if k >= 0]
    return {
        "base": {"policy": policy.tolist(), "accuracy": float(policy @ rates)},
        "runs": {name: _shown(rows, rates) for name, rows in runs.items()},
        "clocks": {name: _short(row) for name, row in clocks.items()},
        "hull": hull,
        "still": [name for name, rows in runs.items() if len(rows.log10_t) == 1],
        "window": window,
    }


def _closed(
    state: State, question: sim.Problem
) -> tuple[dict[str, Rows], dict[str, Float[np.ndarray, " n"]]]:
    """The runs whose path is known in closed form, and the clocks of RLVR."""
    K = state.num_patterns
    most = NUMBERS // (len(CLOCKS) + (len(FIXED) + 1 + bool(state.beta)) * (K + 2))
    base = [np.asarray(row) for row in (question.success_rates, question.log_policy)]
    rlvr = sim.trace(question, sim.NoisyVerifier(*state.errors), updates())
    twice = [np.stack([row] * len(FIXED)) for row in base]
    pays = padded([state.rewards(name) for name in FIXED], 0.0)
    fixed = sim.trace(
        sim.Problem(twice[0], logits=twice[1]),
        sim.FixedConfidence(pays),
        (sim.PolicyGradient(),),
    )
    log_times = np.asarray(rlvr.log_times) / LOG10
    chosen = CLOCKS.index(state.clock)
    runs = {}
    runs["rlvr"], use = _run(rlvr, log_times[chosen], K, most)
    clocks = {name: log_times[i][use] for i, name in enumerate(CLOCKS)}
    for i, name in enumerate(FIXED):
        one = fixed[i]
        runs[name], _ = _run(one, np.asarray(one.log_times)[0] / LOG10, K, most)
    return runs, clocks


def _run(
    path: sim.Trace, log10_t: Float[np.ndarray, " N"], K: int, most: int
) -> tuple[Rows, Int[np.ndarray, " n"]]:
    """At most about `most` rows of a path, and their places on it."""
    probs = np.exp(np.asarray(path.log_probs))[:, :K]
    leader, kept = np.asarray(path.leader), np.asarray(path.kept)
    # The leader changes after the row in which two are equally likely.
    handing = np.nonzero(kept[1:] & (np.diff(leader) != 0))[0]
    leaders = [(int(leader[0]), -math.inf)]
    leaders += [(int(leader[i + 1]), float(log10_t[i])) for i in handing]
    drawn = (log10_t > EARLIEST) & (log10_t < LATEST) | (log10_t == -np.inf)
    use = _worth(log10_t, probs, np.nonzero(kept & drawn)[0], most)
    return Rows(log10_t[use], probs[use], leaders), use


def _worth(
    log10_t: Float[np.ndarray, " N"],
    probs: Float[np.ndarray, "N K"],
    use: Int[np.ndarray, " m"],
    most: int,
) -> Int[np.ndarray, " n"]:
    """Of the rows in `use` the first, the last, and one for every few pixels."""
    if len(use) < 3:
        return use
    across = np.diff(np.maximum(log10_t[use], EARLIEST))
    across[0] = 0.0
    decade = min(DECADE, WIDTH / max(across.sum(), 1e-9))
    up = np.abs(np.diff(probs[use], axis=0)).max(axis=1)
    length = np.cumsum(np.hypot(across * decade, up * HEIGHT))
    far = np.floor(length / max(STEP, length[-1] / most))
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
        observe=sim.log_probabilities,
    )
    K = state.num_patterns
    start = np.asarray(question.log_policy)[None, :K]
    logs = np.concatenate([start, np.asarray(solution.saved)[:, :K]])
    log10_t = np.concatenate([[-np.inf], log_times / LOG10])
    return Rows(log10_t, np.exp(logs), _leaders(log10_t, logs))


def _leaders(
    log10_t: Float[np.ndarray, " N"], logs: Float[np.ndarray, "N K"]
) -> list[tuple[int, float]]:
    """Who leads from when on; between two rows by a straight line."""
    leader = logs.argmax(axis=1)
    found = [(int(leader[0]), -math.inf)]
    for i in np.nonzero(np.diff(leader))[0].tolist():
        old, new = int(leader[i]), int(leader[i + 1])
        before, after = (logs[j, new] - logs[j, old] for j in (i, i + 1))
        part = before / (before - after) if i else 0.0
        first, second = log10_t[max(i, 1)], log10_t[i + 1]
        found.append((new, float(first + part * (second - first))))
    return found


def _window(runs: dict[str, Rows]) -> list[float]:
    """From where runs begin to move to where they have come, in whole decades."""
    lows, highs = [], []
    for rows in runs.values():
        from_start = np.abs(rows.probs - rows.probs[0]).max(axis=1)
        to_end = np.abs(rows.probs - rows.probs[-1]).max(axis=1)
        size = from_start.max()
        if size > 0 and len(rows.log10_t) > 2:
            lows.append(rows.log10_t[np.argmax(from_start > SETTLED * size)])
            moving = np.nonzero(to_end >= SETTLED * size)[0]
            highs.append(rows.log10_t[moving[-1] + 1])
    if not lows:
        return [-1.0, 3.0]
    low = math.floor(min(lows))
    return [low, max(math.ceil(max(highs)), low + 2)]


def _shown(rows: Rows, rates: np.ndarray) -> dict[str, Any]:
    return {
        "log10_t": _short(rows.log10_t),
        "probs": [_significant(column) for column in rows.probs.T],
        "accuracy": _short(rows.probs @ rates),
        "leaders": [
            [k, round(log10_t, 6) if log10_t > -math.inf else None]
            for k, log10_t in rows.leaders
        ],
    }


def _short(values: np.ndarray) -> list[float | None]:
    rounded = np.round(values, 4).tolist()
    return [x if math.isfinite(x) else None for x in rounded]


def _significant(values: np.ndarray) -> list[float]:
    """To 4 decimals, and small ones to 3 digits, for they are drawn by their logs."""
    with np.errstate(divide="ignore"):
        size = np.floor(np.log10(values))
    size = np.where(np.isfinite(size), np.clip(size, -300, -2), -2)
    scale = 10.0 ** (2 - size)
    return (np.round(values * scale) / scale).tolist()
