"""What is shown, as others can compute it: the command `run`, and Python."""

import math

from experiments.explorer.arrays import log_base
from experiments.explorer.state import State, shortest

UPDATES = {
    "policy-gradient": (["policy-gradient"], "sim.PolicyGradient()"),
    "pass-at-8": (["pass-at-n", "--attempts", "8"], "sim.PassAtN(8)"),
    "rejection-sampling": (["rejection-sampling"], "sim.RejectionSampling()"),
}


def update(state: State) -> tuple[list[str], str]:
    """The rule by which the run moves: words of the command, and Python."""
    if state.run == "kl" and state.beta:
        beta = shortest(state.beta)
        return ["policy-gradient", "--beta", beta], f"sim.PolicyGradient(beta={beta})"
    if state.run != "rlvr":
        return UPDATES["policy-gradient"]
    if state.clock in UPDATES:
        return UPDATES[state.clock]
    size = state.clock.removeprefix("grpo-")
    python = "math.inf" if size == "inf" else size
    return ["grpo", "--group-size", size], f"sim.GRPO({python})"


def signal(state: State) -> tuple[list[str], str]:
    """What the run pays: words of the command, and Python."""
    confidences = [shortest(x) for x in state.confidences]
    trust = f"sim.FixedConfidence([{', '.join(confidences)}])"
    if state.run == "rlif":
        return ["fixed-confidence", "--confidence", *confidences], trust
    if state.run == "mixture":
        right, sure = (repr(x) for x in (1 - state.weight, state.weight))
        words = [f"verifiable={right}", f"fixed-confidence={sure}"]
        parts = f"[sim.Verifiable(), {trust}], [{right}, {sure}]"
        return [*words, "--confidence", *confidences], f"sim.Mixture({parts})"
    if any(state.errors):
        positive, negative = map(shortest, state.errors)
        words = ["--false-positive", positive, "--false-negative", negative]
        python = f"sim.NoisyVerifier({positive}, {negative})"
        return ["noisy-verifier", *words], python
    return ["verifiable"], "sim.Verifiable()"


def logits(state: State) -> list[float]:
    """Those that RL starts from: given ones, or log-probabilities after SFT."""
    if not state.dose:
        return list(state.logits)
    return log_base(state).tolist()


def start(state: State) -> list[str]:
    """The logits as words of a command, with all digits."""
    return [_python(x).replace("-math.inf", "-inf") for x in logits(state)]


def words(state: State) -> list[str]:
    """The arguments of `pattern-selection` that give the numbers shown."""
    pays, rule = signal(state)[0], update(state)[0]
    rates = map(shortest, state.success_rates)
    return [
        *("run", "--success-rates", *rates, "--logits", *start(state)),
        *("--signal", *pays, "--update", *rule),
    ]


def command(state: State) -> str:
    """The same as one line for a shell."""
    return " ".join(["pattern-selection", *words(state)])


def _python(x: float) -> str:
    return "-math.inf" if x == -math.inf else repr(float(x))


def snippet(state: State) -> str:
    """Python that prints the numbers shown."""
    rates = ", ".join(map(shortest, state.success_rates))
    first = ", ".join(_python(x) for x in logits(state))
    rule = update(state)[1]
    until = "" if state.run == "kl" and state.beta else "until=sim.Gap(1e-3), "
    return f"""\
import math

import jax
import simulator as sim

jax.config.update("jax_enable_x64", True)
problem = sim.Problem([{rates}], logits=[{first}])
signal = {signal(state)[1]}
events = (sim.T0(), sim.Crossing(), sim.LowestOptimalProbability(), sim.PeakAccuracy())
solution = sim.solve(
    problem, signal, {rule}, {until}events=events, max_log_time=800 * math.log(10)
)
print(solution)
for event in events:
    print(solution.at(event))
"""
