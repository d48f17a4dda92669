"""Random problems: what one lane of a batch is, and the families it is drawn from."""

from typing import NamedTuple

import numpy as np

from tests.differential.equations import Law, Pay, Question, Rule

WIDTH = 5  # places of a lane; patterns sit in some, the others have logit -inf
ANSWERS = 3
SURE = 0.05  # with kernels that need it, no answer is rarer than about this


class Lane(NamedTuple):
    """The numbers of one lane, `[WIDTH]` where there is one per pattern."""

    family: str
    rates: np.ndarray
    logits: np.ndarray
    kernel: np.ndarray
    reference: np.ndarray
    confidence: np.ndarray
    data: np.ndarray
    false_positive: float
    false_negative: float
    weights: np.ndarray
    beta: float
    level: float


def _ordinary(rng, n):
    return rng.uniform(size=n), rng.normal(size=n)


def _rare_best(rng, n):
    rates, logits = rng.uniform(size=n), rng.normal(size=n)
    logits[np.argmax(rates)] -= rng.uniform(2, 12)
    return rates, logits


def _ties(rng, n):
    """Equal rates and equal logits are common; so are rates of 0 and 1."""
    rates = rng.integers(0, rng.choice([1, 2, 5]), size=n) / 4
    return rates, rng.integers(-1, 2, size=n).astype(float)


def _near_ties(rng, n):
    near = 10.0 ** -rng.uniform(1, 6, size=2)
    rates = rng.uniform(0.1, 0.8) + near[0] * rng.uniform(size=n)
    return rates, near[1] * rng.normal(size=n)


def _single(rng, n):
    """All the mass is on one pattern."""
    logits = np.full(n, -np.inf)
    logits[rng.integers(n)] = 0.0
    return rng.uniform(size=n), logits


FAMILIES = {
    "ordinary": (_ordinary, 0.5),
    "rare best": (_rare_best, 0.15),
    "ties": (_ties, 0.17),
    "near ties": (_near_ties, 0.13),
    "single": (_single, 0.05),
}


def _kernel(rng, rates):
    """Rows with the rates in column 0, and wrong answers that are never very rare."""
    rest = SURE + rng.dirichlet(np.full(ANSWERS - 1, 0.7), size=len(rates))
    rest = rest / rest.sum(axis=-1, keepdims=True)
    return np.concatenate([rates[:, None], (1 - rates)[:, None] * rest], axis=-1)


def _level(rng, until, rates, base):
    if until == "Accuracy":
        low, high = base @ rates, rates[base > 0].max()
        u = rng.choice([rng.uniform(0.02, 0.98), rng.uniform(-1, 0), 1.5])
        return float(np.clip(low + u * max(high - low, 0.1), 0.0, 1.0))
    if until == "Gap":
        return 10.0 ** -rng.uniform(1, 4)
    return rng.uniform(0.05, 0.99)


def draw(rng: np.random.Generator, signals, until: str, positive: bool) -> Lane:
    """One lane; `positive`: every answer of every pattern has some probability."""
    names = list(FAMILIES)
    family = str(rng.choice(names, p=[share for _, share in FAMILIES.values()]))
    n = int(rng.integers(2, WIDTH + 1))
    rates, logits = rng.uniform(size=WIDTH), np.full(WIDTH, -np.inf)
    places = rng.permutation(WIDTH)[:n]
    rates[places], logits[places] = FAMILIES[family][0](rng, n)
    if n > 2 and rng.uniform() < 0.1:
        logits[places[0]] = -np.inf  # even if it is the best
        logits[places[1]] = max(logits[places[1]], 0.0)
    if positive:
        rates = SURE + (1 - 2 * SURE) * rates
    inside = logits > -np.inf
    base = np.where(inside, np.exp(logits - logits[inside].max()), 0.0)
    base /= base.sum()
    false_positive, false_negative = rng.uniform(0, 1, size=2)
    uninformed = rng.uniform() < 0.2
    if uninformed:
        false_positive = rng.integers(1, 20) / 20
        false_negative = 1 - false_positive
    elif rng.uniform() < 0.7:
        false_positive, false_negative = false_positive / 2, false_negative / 2
    weights = rng.uniform(-1, 1, size=len(signals))
    confidence = rng.uniform(size=WIDTH)
    if rng.uniform() < 0.1:
        # What one signal pays the other takes back.
        confidence = rates.copy()
        if {"verifiable", "confidence"} <= set(signals):
            weights[:] = 0.0
            weights[signals.index("verifiable")] = 0.3
            weights[signals.index("confidence")] = -0.3
    some = rng.dirichlet(np.ones(WIDTH)) * inside + 1e-3 * inside
    data = some * (rng.uniform(size=WIDTH) < 0.8)
    data = data if data.any() else some
    return Lane(
        family=family,
        rates=rates,
        logits=logits,
        kernel=_kernel(rng, rates),
        reference=some / some.sum(),
        confidence=confidence,
        data=data / data.sum(),
        false_positive=float(false_positive),
        false_negative=float(false_negative),
        weights=weights,
        beta=float(10.0 ** -rng.uniform(0.3, 1.5)),
        level=_level(rng, until, rates, base),
    )


def law(lane: Lane, signals, rule: Rule) -> Law:
    """The same lane as the witness sees it: without what is outside the support."""
    inside = lane.logits > -np.inf
    shifted = lane.logits[inside] - lane.logits[inside].max()
    log_policy = shifted - np.log(np.exp(shifted).sum())
    log_reference = log_policy
    if rule.beta:
        log_reference = np.log(lane.reference[inside])
    return Law(
        Question(lane.rates[inside], log_policy, log_reference, lane.kernel[inside]),
        Pay(
            dict(zip(signals, lane.weights, strict=True))
            if len(signals) > 1
            else {signals[0]: 1.0},
            lane.false_positive,
            lane.false_negative,
            lane.confidence[inside],
            lane.data[inside],
        ),
        rule,
    )
