"""Success rates and base policies from a few numbers, for many cells at once.

Each function takes arrays `[n]`, one entry per cell, and gives `BaseModels`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

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
    attributes: Mapping[str, Table] | None = None


def _three_rates(v) -> Table:
    rival = v["rival_rate"]
    return np.stack([rival + v["gap"], rival, v["bad_rate"]], axis=-1)


def _three_policies(v) -> Table:
    best, share = v["best_probability"], v["rival_share"]
    return np.stack([best, share * (1 - best), (1 - share) * (1 - best)], axis=-1)


def log(x) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(x)


def rival(v, width, seed) -> BaseModels:
    rates = _three_rates(v)
    confidence = rates.copy()
    confidence[:, 1] += v.get("overconfidence", 0.0)
    return BaseModels(rates, log(_three_policies(v)), confidence=confidence)


def _crowded(v, width, best, rival, bad) -> BaseModels:
    """The best pattern, its rival, and `patterns - 2` bad ones that share `bad`."""
    number = np.arange(width)
    inside = number < v["patterns"][:, None]
    each = bad / np.maximum(v["patterns"] - 2, 1)
    policy = np.where(number == 0, best[:, None], each[:, None])
    policy = np.where(number == 1, rival[:, None], policy)
    rates = np.where(number == 0, v["best_rate"][:, None], v["bad_rate"][:, None])
    rates = np.where(number == 1, v["rival_rate"][:, None], rates)
    return BaseModels(rates, np.where(inside, log(policy), -np.inf))


def crowd(v, width, seed) -> BaseModels:
    best, bad = v["best_probability"], v["bad_probability"]
    bad = np.where(v["patterns"] > 2, bad, 0.0)
    rival = 1 - best - bad
    if not (rival > 0).all():
        raise UserError(
            "best_probability + bad_probability must stay below 1: the rest is the "
            "rival's."
        )
    return _crowded(v, width, best, rival, bad)


def entangled(v, width, seed) -> BaseModels:
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


def random(v, width, seed) -> BaseModels:
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


def confident(v, width, seed) -> BaseModels:
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


def warm_start(v, width, seed) -> BaseModels:
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
    end = np.asarray(trained.log_probs)
    return BaseModels(rates, end, log_before=log(v["length"]))
