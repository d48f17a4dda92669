"""Families of base models: a few numbers become success rates and a base policy.

A family is a function of arrays `[n]`, one entry per cell, that gives `BaseModels`. Its
parameters with their defaults and ranges are listed in `FAMILIES`; each can be an axis
of a sweep.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from experiments.text import base_model
from experiments.text.errors import UserError

Numbers = np.ndarray  # [n]
Table = np.ndarray  # [n, K]
ENTROPY_STEPS = 60  # bisections; the interval shrinks to its last digit


class BaseModels(NamedTuple):
    """`[n, K]` each; `kernel` `[n, K, A]`.

    `confidence`: what a model pays itself (the signal `fixed-confidence` without
    numbers). `log_before`: log of the time that was spent before, 0 time if None.
    """

    success_rates: Table
    log_policy: Table
    kernel: np.ndarray | None = None
    confidence: Table | None = None
    log_before: Numbers | None = None


@dataclass(frozen=True)
class Parameter:
    """Its default and range; `whole` numbers only, or any."""

    default: float
    low: float
    high: float
    text: str
    whole: bool = False


@dataclass(frozen=True)
class Family:
    """`build(values, width, seed)`, where `width` is the number of patterns."""

    summary: str
    parameters: Mapping[str, Parameter]
    build: Callable[[Mapping[str, Numbers], int, int], BaseModels]
    patterns: int | None  # None: the parameter `patterns`


def _three_rates(v) -> Table:
    rival = v["rival_rate"]
    return np.stack([rival + v["gap"], rival, v["bad_rate"]], axis=-1)


def _three_policies(v) -> Table:
    best, share = v["best_probability"], v["rival_share"]
    return np.stack([best, share * (1 - best), (1 - share) * (1 - best)], axis=-1)


def _log(x) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(x)


def _rival(v, width, seed) -> BaseModels:
    rates = _three_rates(v)
    confidence = rates.copy()
    confidence[:, 1] += v.get("overconfidence", 0.0)
    return BaseModels(rates, _log(_three_policies(v)), confidence=confidence)


def _crowded(v, width, best, rival, bad) -> BaseModels:
    """The best pattern, its rival, and `patterns - 2` bad ones that share `bad`."""
    number = np.arange(width)
    inside = number < v["patterns"][:, None]
    each = bad / np.maximum(v["patterns"] - 2, 1)
    policy = np.where(number == 0, best[:, None], each[:, None])
    policy = np.where(number == 1, rival[:, None], policy)
    rates = np.where(number == 0, v["best_rate"][:, None], v["bad_rate"][:, None])
    rates = np.where(number == 1, v["rival_rate"][:, None], rates)
    return BaseModels(rates, np.where(inside, _log(policy), -np.inf))


def _crowd(v, width, seed) -> BaseModels:
    best, bad = v["best_probability"], v["bad_probability"]
    bad = np.where(v["patterns"] > 2, bad, 0.0)
    rival = 1 - best - bad
    if not (rival > 0).all():
        raise UserError(
            "best_probability + bad_probability must stay below 1: the rest is the "
            "rival's."
        )
    return _crowded(v, width, best, rival, bad)


def _entangled(v, width, seed) -> BaseModels:
    rest, gamma = 1 - v["rival_probability"], v["gamma"]
    gamma = np.where(v["patterns"] > 2, gamma, 1.0)
    best = rest / gamma
    return _crowded(v, width, best, v["rival_probability"], rest - best)


@functools.cache
def _rows(law: str, width: int) -> Callable:
    """The compiled program from a key and draws `[n]` to numbers `[n, width]`."""
    import jax

    function = {"uniform": jax.random.uniform, "normal": jax.random.normal}[law]

    def row(key, draw):
        return function(jax.random.fold_in(key, draw), (width,))

    return jax.jit(jax.vmap(row, in_axes=(None, 0)))


def _random_numbers(draws: Numbers, seed: int, width: int, law: str, stream: int):
    """`[n, width]`: row by row a function of `seed` and the number of the draw."""
    import jax

    key = jax.random.fold_in(jax.random.key(seed), stream)
    # Whole blocks, so that few programs are compiled.
    size = 1 << (len(draws) - 1).bit_length()
    padded = np.resize(draws, size).astype(np.uint32)
    return np.asarray(_rows(law, width)(key, padded), dtype=float)[: len(draws)]


def _random(v, width, seed) -> BaseModels:
    import theory

    inside = np.arange(width) < v["patterns"][:, None]
    uniform = _random_numbers(v["draw"], seed, width, "uniform", 0)
    normal = _random_numbers(v["draw"], seed, width, "normal", 1)
    rates = theory.degradation.quantile(uniform, v["tilt"][:, None])
    logits = normal * (v["spread"] / v["temperature"])[:, None]
    answers = int(v["answers"][0])
    wrong = np.repeat((1 - rates)[..., None] / (answers - 1), answers - 1, axis=-1)
    kernel = np.concatenate([rates[..., None], wrong], axis=-1)
    return BaseModels(rates, np.where(inside, logits, -np.inf), kernel)


def _entropy(log_policy: Table) -> Numbers:
    from scipy.special import entr

    return entr(np.exp(log_policy)).sum(axis=-1)


def _of_entropy(logits: Table, entropy: Numbers) -> Table:
    """`log softmax(b logits)` with b > 0 such that the entropy is the one given."""
    from experiments.checks.random_problems import log_normalised

    low, high = np.full((2, len(logits)), [[-12.0], [12.0]])
    for _ in range(ENTROPY_STEPS):
        middle = (low + high) / 2
        flat = _entropy(log_normalised(np.exp(middle)[:, None] * logits)) > entropy
        low, high = np.where(flat, middle, low), np.where(flat, high, middle)
    return log_normalised(np.exp(low)[:, None] * logits)


def _confident(v, width, seed) -> BaseModels:
    from scipy.special import ndtr

    inside = np.arange(width) < v["patterns"][:, None]
    skill, other, logits = (
        _random_numbers(v["draw"], seed, width, "normal", stream) for stream in range(3)
    )
    r = v["correlation"][:, None]
    confidence = ndtr(r * skill + np.sqrt(1 - r**2) * other)
    entropy = v["entropy"] * np.log(v["patterns"])
    log_policy = _of_entropy(np.where(inside, logits, -np.inf), entropy)
    return BaseModels(ndtr(skill), log_policy, confidence=confidence)


def _warm_start(v, width, seed) -> BaseModels:
    """SFT for the time `length`, on demonstrations of the best pattern and rival."""
    import simulator as sim

    rates, policy = _three_rates(v), _three_policies(v)
    good = v["quality"]
    data = np.stack([good, 1 - good, np.zeros_like(good)], axis=-1)
    # One time limit for all: a unit of time at the speed `length`.
    trained = sim.flow(
        sim.Problem(rates, policy),
        sim.Mixture([sim.Demonstrations(data)], v["length"][:, None]),
        max_log_time=0.0,
    )
    if np.any(trained.failed):
        raise UserError("SFT did not finish for some cells; shorten its length.")
    return BaseModels(rates, trained.log_probs, log_before=_log(v["length"]))


_SHARE = (0.0, 1.0)
_RATES = {
    "best_rate": Parameter(0.9, *_SHARE, "success rate of the best pattern"),
    "rival_rate": Parameter(0.6, *_SHARE, "success rate of its rival"),
    "bad_rate": Parameter(0.1, *_SHARE, "success rate of the others"),
}
_THREE = {
    "best_probability": Parameter(0.05, *_SHARE, "pi_0 of the best pattern"),
    "gap": Parameter(0.3, *_SHARE, "lead of its success rate over the rival's"),
    "rival_rate": _RATES["rival_rate"],
    "bad_rate": _RATES["bad_rate"],
    "rival_share": Parameter(0.75, *_SHARE, "the rival's share of the other mass"),
}
_PATTERNS = Parameter(8, 2, 10_000, "number of patterns K", whole=True)
_DRAW = Parameter(0, 0, 2**32 - 1, "number of the random draw", whole=True)

FAMILIES: dict[str, Family] = {
    "rival": Family(
        "three patterns: the best one, a rival, a bad one",
        _THREE
        | {
            "overconfidence": Parameter(
                0.0, -1, 1, "the model's confidence in the rival, beyond its rate"
            )
        },
        _rival,
        3,
    ),
    "crowd": Family(
        "a best pattern, a rival and K - 2 bad ones, by their probabilities",
        {
            "patterns": _PATTERNS,
            "best_probability": Parameter(0.01, *_SHARE, "pi_0 of the best pattern"),
            "bad_probability": Parameter(0.2, *_SHARE, "pi_0 of all bad ones together"),
            **_RATES,
        },
        _crowd,
        None,
    ),
    "entangled": Family(
        "the same by the entanglement gamma (for K = 2 it is 1)",
        {
            "patterns": _PATTERNS,
            "gamma": Parameter(6, 1, 1e300, "(1 - pi_0 of the rival)/pi_0 of the best"),
            "rival_probability": Parameter(0.7, *_SHARE, "pi_0 of the rival"),
            **_RATES,
        },
        _entangled,
        None,
    ),
    "random": Family(
        "random success rates and logits; wrong answers equally likely",
        {
            "patterns": _PATTERNS,
            "spread": Parameter(2, 0, 300, "standard deviation of the logits"),
            "tilt": Parameter(0, -1, 1, "c of the rates' density 1 + c (2 s - 1)"),
            "temperature": Parameter(1, 1e-3, 1e3, "divides the logits"),
            "answers": Parameter(2, 2, 1000, "number of answers", whole=True),
            "draw": _DRAW,
        },
        _random,
        None,
    ),
    "confident": Family(
        "random patterns whose confidence correlates with their success rate",
        {
            "patterns": _PATTERNS,
            "correlation": Parameter(0.5, -1, 1, "of confidence and rate (normal)"),
            "entropy": Parameter(0.7, 0, 1, "base entropy, as a share of log K"),
            "draw": _DRAW,
        },
        _confident,
        None,
    ),
    "warm-start": Family(
        "`rival` after supervised fine-tuning on demonstrations",
        _THREE
        | {
            "quality": Parameter(
                0.5, *_SHARE, "share of demonstrations of the best pattern; rest: rival"
            ),
            "length": Parameter(1, 1e-12, 1e9, "learning rate times steps of SFT"),
        },
        _warm_start,
        3,
    ),
}
STATIC = ("answers",)  # they decide on shapes
GIVEN = ("success_rates", "policy", "logits", "answer_kernel")


def _given(table: Mapping[str, Any]) -> Family:
    """One base model in full; its temperature can be varied."""
    import simulator as sim

    try:
        problem = sim.Problem(**{k: v for k, v in table.items() if k in GIVEN})
    except ValueError as error:
        raise UserError(f"model: {error}") from None
    if problem.batch_shape:
        raise UserError("model: give one base model, a list of numbers each.")
    if "policy" in table:
        base_model.note_sums("model: policy", table["policy"])
    rates = np.asarray(problem.success_rates, float)
    logits = np.asarray(problem.log_policy, float)
    kernel = problem.answer_kernel

    def build(v, width, seed):
        n = len(v["temperature"])
        repeated = None if kernel is None else np.stack([np.asarray(kernel)] * n)
        return BaseModels(
            np.tile(rates, (n, 1)), logits / v["temperature"][:, None], repeated
        )

    temperature = Parameter(1, 1e-3, 1e3, "divides the logits")
    return Family("given in full", {"temperature": temperature}, build, len(rates))


def read(table: Any) -> tuple[Family, dict[str, float]]:
    """The family of the table `[model]`, and the values that it fixes.

    Raises `UserError` with what is allowed.
    """
    from experiments.text import objects

    if not isinstance(table, dict):
        raise UserError("[model] must be a table with a family and its parameters.")
    own = dict(table)
    if "family" in own:
        name = own.pop("family")
        if not isinstance(name, str) or name not in FAMILIES:
            allowed = ", ".join(FAMILIES)
            raise UserError(f"family {name!r} is unknown; choose from {allowed}.")
        family = FAMILIES[name]
    else:
        for key in GIVEN:
            if key in own:
                objects.numbers(own[key], key, 2)
        family = _given(own)
        own = {k: v for k, v in own.items() if k not in GIVEN}
    values = {}
    for key, value in own.items():
        if key not in family.parameters:
            allowed = ", ".join(family.parameters)
            raise UserError(f"model has no parameter {key!r}; choose from {allowed}.")
        values[key] = objects.numbers(value, key, 0)
        check(family.parameters[key], key, np.array([values[key]]))
    defaults = {name: p.default for name, p in family.parameters.items()}
    return family, defaults | values


def check(parameter: Parameter, name: str, values: Numbers) -> None:
    """Raise `UserError` for values outside the parameter's range."""
    good = (values >= parameter.low) & (values <= parameter.high)
    if parameter.whole:
        good &= values == np.floor(values)
    if not good.all():
        kind = "a whole number" if parameter.whole else "a number"
        raise UserError(
            f"{name} = {values[~good][0]:g}; give {kind} from {parameter.low:g} to "
            f"{parameter.high:g}."
        )
