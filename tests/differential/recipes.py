"""The programs that are compared: engine, signals, update and event, one shape each."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import simulator as sim
from tests.differential.equations import Rule
from tests.differential.problems import WIDTH, Lane

CLASSES = {
    "verifiable": lambda b: sim.Verifiable(),
    "noisy": lambda b: sim.NoisyVerifier(b.false_positive, b.false_negative),
    "confidence": lambda b: sim.FixedConfidence(b.confidence),
    "self-certainty": lambda b: sim.SelfCertainty(),
    "token-entropy": lambda b: sim.TokenEntropy(),
    "sequence": lambda b: sim.SequenceLogProbability(),
    "majority": lambda b: sim.MajorityVote(),
    "consistency": lambda b: sim.SelfConsistency(),
    "answer-entropy": lambda b: sim.AnswerEntropy(),
    "demonstrations": lambda b: sim.Demonstrations(b.data),
}
CLOCKS = {
    "group-mean": lambda n: sim.GroupMean(**n),
    "grpo": lambda n: sim.GRPO(**n),
    "pass-at-n": lambda n: sim.PassAtN(**n),
    "rejection-sampling": lambda n: sim.RejectionSampling(),
}
# Events are the same for all lanes; the one to stop at has a level per lane.
LEVELS = {
    "Gap": 0.05,
    "Accuracy": 0.5,
    "OptimalProbability": 0.4,
    "SuboptimalMass": 0.2,
}
WATCHED = {
    "run": (
        sim.T0(),
        sim.Crossing(),
        sim.LowestOptimalProbability(),
        sim.PeakAccuracy(),
        sim.BelowBase(),
        *(sim.Leads(k) for k in range(WIDTH)),
    ),
    "levels": tuple(getattr(sim, name)(level) for name, level in LEVELS.items()),
}


class Recipe(NamedTuple):
    """One program. `rule.beta` > 0 stands for a random weight per lane.

    `log_limit`: the time limit. `stiff`: how the witness has to step. `accurate`: how
    near the engine's log times have to be.
    """

    name: str
    engine: str
    signals: tuple[str, ...]
    rule: Rule
    until: str | None
    watch: str = "levels"
    log_limit: float = 60.0
    stiff: bool = False
    accurate: float = 1e-6


PLAIN, NATURAL = Rule(), Rule(natural=True)
BETA, NATURAL_BETA = Rule(beta=1), Rule(natural=True, beta=1)
FIXED = ("verifiable", "noisy", "confidence", "self-certainty", "token-entropy")
MOVING = ("verifiable", "consistency", "answer-entropy")
SHARP = ("verifiable", "sequence")


GRPO = Rule(clock="grpo", numbers={"group_size": 8})
SAMPLES = Rule(
    clock="grpo",
    numbers={"group_size": 4, "spread": "sample", "epsilon": 0.1, "redraw": True},
)
INFINITE = Rule(clock="grpo", numbers={"group_size": float("inf")})
MEAN = Rule(clock="group-mean", numbers={"group_size": 4})
PASS = Rule(clock="pass-at-n", numbers={"attempts": 4})
REJECTION = Rule(clock="rejection-sampling")

RECIPES = (
    Recipe("verifier", "solve", ("verifiable",), PLAIN, "Gap", "run"),
    Recipe("confidence", "solve", ("confidence",), PLAIN, "Crossing", "run"),
    Recipe("mixture", "solve", FIXED, PLAIN, "Accuracy", "run"),
    Recipe("noisy verifier", "solve", ("noisy",), PLAIN, "OptimalProbability"),
    Recipe("T0", "solve", ("verifiable",), PLAIN, "T0"),
    Recipe("few left", "solve", ("confidence",), PLAIN, "SuboptimalMass"),
    Recipe("natural", "solve", FIXED, NATURAL, "Accuracy", "run"),
    Recipe("natural rest", "solve", ("noisy",), NATURAL, None, log_limit=2000.0),
    Recipe("natural beta", "solve", ("noisy",), NATURAL_BETA, None, stiff=True),
    Recipe("GRPO", "solve", ("noisy",), GRPO, "Gap", "run"),
    Recipe("GRPO of samples", "solve", ("verifiable",), SAMPLES, "Accuracy"),
    Recipe("infinite groups", "solve", ("verifiable",), INFINITE, "Gap"),
    Recipe("group mean", "solve", ("noisy",), MEAN, "Gap"),
    Recipe("pass at n", "solve", ("verifiable",), PASS, "Accuracy"),
    Recipe("rejection", "solve", ("verifiable",), REJECTION, "Crossing"),
    Recipe("flow", "flow", ("noisy",), PLAIN, "Accuracy", "run"),
    Recipe("flow, natural", "flow", FIXED, NATURAL, "Gap"),
    Recipe("moving", "solve", MOVING, PLAIN, "Accuracy", "run", 20.0, True),
    Recipe("sharpening", "solve", SHARP, NATURAL, None, "levels", 12.0, True),
    Recipe("sharpening, plain", "solve", SHARP, PLAIN, None, "run", 12.0, True),
    Recipe("vote", "solve", ("majority",), PLAIN, "Gap", "run", 30.0),
    Recipe("penalty", "solve", ("noisy",), BETA, None, "run", stiff=True),
    Recipe("penalty, moving", "solve", MOVING, BETA, "Accuracy", "levels", 20.0, True),
    Recipe(
        "data", "solve", ("demonstrations",), PLAIN, "Accuracy", "levels", 8.0, True
    ),
)
BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def positive(recipe: Recipe) -> bool:
    """Whether the kernels must have no zeros."""
    return bool({*recipe.signals} - {"verifiable", "noisy", "confidence"})


def rule_of(recipe: Recipe, lane: Lane) -> Rule:
    """The rule of one lane."""
    beta = lane.beta if recipe.rule.beta else 0.0
    return Rule(recipe.rule.natural, beta, recipe.rule.clock, recipe.rule.numbers)


def parts(recipe: Recipe, lanes: list[Lane]):
    """`problem, signal, update` of a batch."""
    batch = Lane(*(np.stack(values) for values in zip(*lanes, strict=True)))
    problem = sim.Problem(
        batch.rates,
        logits=batch.logits,
        answer_kernel=batch.kernel,
        reference_policy=batch.reference if recipe.rule.beta else None,
    )
    signals = [CLASSES[name](batch) for name in recipe.signals]
    signal = signals[0] if len(signals) == 1 else sim.Mixture(signals, batch.weights)
    if recipe.rule.clock:
        return problem, signal, CLOCKS[recipe.rule.clock](recipe.rule.numbers)
    kind = sim.NaturalGradient if recipe.rule.natural else sim.PolicyGradient
    return problem, signal, kind(jnp.asarray(batch.beta) if recipe.rule.beta else 0.0)


def solve(recipe: Recipe, lanes: list[Lane]) -> sim.Solution:
    """The engine's answer for a batch."""
    until = None
    if recipe.until is not None:
        kind = getattr(sim, recipe.until)
        levelled = "level" in kind.__dataclass_fields__
        until = kind(np.array([lane.level for lane in lanes])) if levelled else kind()
    return getattr(sim, recipe.engine)(
        *parts(recipe, lanes),
        until=until,
        events=WATCHED[recipe.watch],
        max_log_time=recipe.log_limit,
    )
