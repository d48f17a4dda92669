"""The numbers of a state of the explorer, found without its modules.

The same problem is solved with `simulator.solve` directly; the rest is NumPy.
"""

import math

import numpy as np

import simulator as sim
from experiments.explorer.arrays import log_base, padded
from experiments.explorer.state import CLOCKS, State

UNIT = math.log(10)
LIMIT = 800 * UNIT
SIZES = {"2": 2, "4": 4, "8": 8, "16": 16, "64": 64, "inf": math.inf}
UPDATES = {
    "policy-gradient": sim.PolicyGradient(),
    "pass-at-8": sim.PassAtN(8),
    "rejection-sampling": sim.RejectionSampling(),
    **{f"grpo-{name}": sim.GRPO(size) for name, size in SIZES.items()},
}
FEW = ("policy-gradient", "grpo-8", "pass-at-8", "grpo-inf")  # each is a program


class Witness:
    """The numbers of a state, found without the modules of the explorer."""

    def __init__(self, state: State):
        self.state = state
        rates, self.K = np.array(state.success_rates), state.num_patterns
        self.logs = log_base(state)
        self.rates = rates
        self.drawn = np.nonzero(self.logs > -np.inf)[0]
        p, w = np.exp(self.logs), state.weight
        positive, negative = state.errors
        self.J = 1 - positive - negative
        self.paid = {
            "mixture": (1 - w) * rates + w * np.array(state.confidences),
            "rlif": np.array(state.confidences),
        }.get(state.run, positive + self.J * rates)
        top = rates[self.drawn].max()
        self.best = [k for k in self.drawn if rates[k] == top]
        below = [rates[k] for k in self.drawn if rates[k] < top]
        self.rival_rate = max(below, default=math.nan)
        self.accuracy, self.mean = p @ rates, p @ self.paid
        self.penalised = state.run == "kl" and state.beta > 0
        update = sim.PolicyGradient()
        if self.penalised:
            update = sim.PolicyGradient(beta=state.beta)
        elif state.run == "rlvr":
            update = UPDATES[state.clock]
        self.run = self.solved(self.paid, update)
        self.lowest_log = float(
            np.logaddexp.reduce(np.asarray(self.run.event_log_probs)[2][self.best])
        )

    def problem(self):
        rates, logits = padded(self.rates, 0.0), padded(self.logs, -np.inf)
        return sim.Problem(rates, logits=logits)

    def solved(self, paid, update, plain=False):
        problem = sim.Problem(
            padded(self.rates, 0.0), logits=padded(self.logs, -np.inf)
        )
        signal = sim.FixedConfidence(padded(paid, 0.0))
        if type(update) is not sim.PolicyGradient:
            signal = sim.NoisyVerifier(*self.state.errors)
        elif self.penalised and not plain:
            signal = sim.NoisyVerifier(*self.state.errors)
            if not any(self.state.errors):
                signal = sim.Verifiable()
        named = (sim.T0(), sim.Crossing(), sim.LowestOptimalProbability())
        named += (sim.PeakAccuracy(), sim.BelowBase())
        # Of a clock the last hand-over is asked for, however near the two.
        until = sim.Gap(1e-9 if plain else 1e-3)
        until = None if self.penalised and not plain else until
        return sim.solve(
            problem,
            signal,
            update,
            until=until,
            events=(*named, *(sim.Leads(k) for k in range(8))),
            max_log_time=LIMIT,
        )

    def time(self, place: int) -> float:
        return float(self.run.event_log_times[place]) / UNIT

    @property
    def end(self) -> float:
        return float(self.run.log_time) / UNIT

    def leads(self, run=None) -> list[tuple[float, int]]:
        """When patterns take the lead, in order; -inf: from the start."""
        run = self.run if run is None else run
        times = np.asarray(run.event_log_times)[5 : 5 + self.K] / UNIT
        first = int(np.argmax(self.logs))
        later = [(float(t), k) for k, t in enumerate(times) if -math.inf < t < math.inf]
        return [(-math.inf, first), *sorted(later)]

    def share(self, k: int) -> float:
        return float(self.logs[k]) / UNIT

    def tilted(self, patterns) -> float:
        logs = self.logs + self.paid / self.state.beta
        logs = logs - np.logaddexp.reduce(logs)
        return float(np.logaddexp.reduce(logs[list(patterns)])) / UNIT

    def by_clock(self, clock: str) -> list[float]:
        """log10 times of the last hand-over of RLVR, or of an accuracy on the way."""
        positive, _ = self.state.errors
        run = self.solved(positive + self.J * self.rates, UPDATES[clock], plain=True)
        return [t for t, _ in self.leads(run)]

    def after(self, paid, clock: str, log10_t: float) -> float:
        """Accuracy of RLVR by a clock, at a time."""
        update = UPDATES[clock]
        problem = self.problem()
        signal = sim.FixedConfidence(padded(paid, 0.0))
        if clock != CLOCKS[0]:
            signal = sim.NoisyVerifier(*self.state.errors)
        solution = sim.solve(problem, signal, update, max_log_time=log10_t * UNIT)
        return float(np.exp(solution.log_probs)[: self.K] @ self.rates)
