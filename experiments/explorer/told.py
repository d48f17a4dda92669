"""What the sentences under the views speak of, as numbers of one state."""

import math
from typing import Any, NamedTuple

import numpy as np

import simulator as sim
from experiments.explorer.arrays import log_base, problem
from experiments.explorer.curves import LOG10, updates
from experiments.explorer.numbers import Found, found as find
from experiments.explorer.places import bests
from experiments.explorer.state import CLOCKS, State

STILL = 1e-12  # by which rewards differ that move nothing
TOGETHER = 1e-9  # log10 of times: hand-overs at once, as located
OTHER = "grpo-8"  # the clock that the policy gradient's is compared with


class Shift(NamedTuple):
    """A place on the path of RLVR in two clocks: log10 times by each.

    `pattern`: which leads from there on; None: accuracy is half way, at `accuracy`.
    """

    clock: str
    log10_t: float
    log10_plain: float
    pattern: int | None
    accuracy: float


class Told(NamedTuple):
    """One state with the numbers of the run in focus, and of its base model after SFT.

    `log_policy`, `rates`, `paid`: `[K]`. `drawn`: patterns that are ever drawn.
    `best`: the best of them, several where they tie. `rival`: the next one; None if
    there is none.
    """

    state: State
    found: Found
    log_policy: np.ndarray
    rates: np.ndarray
    paid: np.ndarray
    drawn: list[int]
    best: tuple[int, ...]
    rival: int | None

    @property
    def numbers(self) -> dict[str, Any]:
        """The JSON object of `run`."""
        return self.found.numbers

    @property
    def penalised(self) -> bool:
        """Whether there is a KL penalty."""
        return self.state.run == "kl" and self.state.beta > 0

    @property
    def still(self) -> bool:
        """Whether all patterns that are drawn are paid the same."""
        return float(np.ptp(self.paid[self.drawn])) < STILL

    @property
    def verified(self) -> bool:
        """Whether a verifier pays, right answers more than wrong ones or not."""
        return self.state.run in ("rlvr", "kl")

    @property
    def informed(self) -> float:
        """J, what the verifier still tells; negative for one that lies."""
        J = 1 - sum(self.state.errors)
        return 0.0 if abs(J) < STILL else J

    @property
    def policy(self) -> np.ndarray:
        """Probabilities `[K]` of the base model after SFT."""
        return np.exp(self.log_policy)

    @property
    def accuracy(self) -> float:
        """Of the base model after SFT."""
        return float(self.policy @ self.rates)

    @property
    def leaders(self) -> list[tuple[int, float]]:
        """Who leads from which log10 time on; not for no longer than rounding."""
        rows = self.numbers["plateaus"] or []
        return [
            (row["pattern"], row["log10_from"])
            for row in rows
            if row["log10_to"] - row["log10_from"] > TOGETHER or row is rows[-1]
        ]

    @property
    def winner(self) -> int:
        """The pattern that is paid most; the likelier one of equal ones."""
        drawn = sorted(self.drawn, key=lambda k: -self.log_policy[k])
        return max(drawn, key=lambda k: self.paid[k])

    @property
    def clock(self) -> str:
        """Of the run in focus: only RLVR has others than the policy gradient's."""
        return self.state.clock if self.state.run == "rlvr" else CLOCKS[0]

    def half_way(self) -> float | None:
        """log10 time at which RLVR's accuracy is half-way to the best rate.

        None where that is beyond the times that are traced, or accuracy is there.
        """
        state = self.state
        path = sim.trace(problem(state), sim.NoisyVerifier(*state.errors), updates())
        kept = int(np.asarray(path.kept).sum())
        logs = np.asarray(path.log_probs)[:kept, : len(self.rates)]
        accuracy = np.exp(logs) @ self.rates
        half = (self.accuracy + float(self.rates[self.best[0]])) / 2
        row = int(np.searchsorted(accuracy, half))
        if not 0 < row < kept:
            return None
        with np.errstate(over="ignore"):
            times = np.asarray(path.log_times)[CLOCKS.index(self.clock)] / LOG10
        place = (half - accuracy[row - 1]) / (accuracy[row] - accuracy[row - 1])
        low, high = float(times[row - 1]), float(times[row])
        found = low + place * (high - low)
        return found if math.isfinite(found) else None

    def shift(self) -> Shift | None:
        """Where RLVR's leader changes last, or else accuracy is half way, by clocks."""
        state = self.state
        path = sim.trace(problem(state), sim.NoisyVerifier(*state.errors), updates())
        kept = int(np.asarray(path.kept).sum())
        if kept < 2:
            return None
        leader = np.asarray(path.leader)[:kept]
        logs = np.asarray(path.log_probs)[:kept, : len(self.rates)]
        accuracy = np.exp(logs) @ self.rates
        turns = np.nonzero(np.diff(leader))[0]
        if turns.size:
            row, pattern = int(turns[-1]), int(leader[turns[-1] + 1])
        else:
            half = np.abs(accuracy - (accuracy[0] + accuracy[-1]) / 2)
            row, pattern = int(np.argmin(half[1:])) + 1, None
        clock = OTHER if state.clock == CLOCKS[0] else state.clock
        times = np.asarray(path.log_times)[:, row] / LOG10
        both = float(times[CLOCKS.index(clock)]), float(times[0])
        if not all(map(math.isfinite, both)):
            return None
        return Shift(clock, *both, pattern, float(accuracy[row]))


def told(state: State, found: Found | None = None) -> Told:
    """All that is said of a state, `found` being what `numbers` has found."""
    lower = [k for k, x in enumerate(state.logits) if x > -math.inf]
    best = bests(state)
    others = [k for k in lower if k not in best]
    log_policy = log_base(state)
    rates = np.array(state.success_rates)
    return Told(
        state,
        find(state) if found is None else found,
        log_policy,
        rates,
        np.array(state.rewards(state.run)),
        lower,
        best,
        max(others, key=lambda k: (rates[k], log_policy[k]), default=None),
    )
