"""Random problems that satisfy a statement's hypotheses, padded to one K."""

from collections.abc import Callable

import numpy as np

MAX_PATTERNS = 8
BULK = 50_000
MAX_BULKS = 400


def random_problems(
    rng: np.random.Generator, number: int, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """`success_rates, log_policy`, both `[number, 8]`, with K = 2..8 patterns each.

    Rates are uniform on [0, 1], logits normal with standard deviation `spread`;
    patterns beyond K have logit -inf.
    """
    shape = (number, MAX_PATTERNS)
    rates = rng.uniform(size=shape)
    logits = spread * rng.normal(size=shape)
    size = rng.integers(2, MAX_PATTERNS + 1, size=number)
    logits[np.arange(MAX_PATTERNS) >= size[:, None]] = -np.inf
    return rates, log_normalised(logits)


def log_normalised(logits: np.ndarray) -> np.ndarray:
    """Log-softmax along the last axis; -inf stays -inf."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def draw(
    rng: np.random.Generator,
    number: int,
    accept: Callable[[np.ndarray, np.ndarray], np.ndarray],
    spread: float = 2.0,
) -> tuple[np.ndarray, np.ndarray]:
    """`number` random problems for which `accept(success_rates, log_policy)` holds."""
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for _ in range(MAX_BULKS):
        rates, log_policy = random_problems(rng, BULK, spread)
        good = accept(rates, log_policy)
        kept.append((rates[good], log_policy[good]))
        count += int(good.sum())
        if count >= number:
            rates, log_policy = (np.concatenate(a) for a in zip(*kept, strict=True))
            return rates[:number], log_policy[:number]
    raise RuntimeError(
        f"only {count} of {number} problems satisfy the hypotheses after "
        f"{MAX_BULKS * BULK} draws"
    )
