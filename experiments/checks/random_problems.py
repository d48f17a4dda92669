"""Random problems that satisfy a statement's hypotheses, padded to a few sizes K.

Every draw mixes the families of `FAMILIES` in fixed proportions, so that a statement
meets all of them: typical base models, extreme ones, and ones built to break it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import theory

Accept = Callable[[np.ndarray, np.ndarray], np.ndarray]
Family = Callable[[np.random.Generator, np.ndarray, float], tuple[np.ndarray, ...]]

MAX_PATTERNS = 8
BULK = 50_000
BULK_PAIRS = 2**23
MAX_BULKS = 400
FAMILY_BULKS = 20

# Padded number of patterns, and the share of problems of that size; every size costs a
# compiled program. Numbers of patterns are uniform from the last size + 1, or 2.
SIZES = ((8, 0.95), (64, 0.05))
SMALL = ((8, 1.0),)
LARGEST = 64  # sizes beyond are left out


def moving(rates: np.ndarray, log_policy: np.ndarray) -> np.ndarray:
    """Whether there is something to gain: the gap is positive. `[B]`."""
    return theory.support.gap(rates, log_policy) > 0


class Group(NamedTuple):
    """Problems of one padded size: both `[B, K]`."""

    rates: np.ndarray
    log_policy: np.ndarray


def _logit_normal(rng, inside, spread):
    return rng.uniform(size=inside.shape), spread * rng.normal(size=inside.shape)


def _dirichlet(rng, inside, spread):
    """Policies of Dirichlet law with concentration 1/2; none below e^-30."""
    del spread
    weights = np.maximum(rng.gamma(0.5, size=inside.shape), 1e-13)
    return rng.uniform(size=inside.shape), np.log(weights)


def _near_corners(rng, inside, spread):
    """One pattern has nearly all the mass; in half of the problems the best one."""
    rates, logits = _logit_normal(rng, inside, spread)
    logits[:, 0] = spread * 2 + rng.uniform(2, 10, size=len(logits))
    best = np.where(inside, rates, -1.0).argmax(axis=-1)
    lucky = np.flatnonzero(rng.uniform(size=len(rates)) < 0.5)
    first, largest = rates[lucky, 0], rates[lucky, best[lucky]]
    rates[lucky, best[lucky]], rates[lucky, 0] = first, largest
    return rates, logits


def _near_ties(rng, inside, spread):
    """Success rates and probabilities that differ by 1e-1 to 1e-6 only."""
    del spread
    near = 10.0 ** -rng.uniform(1, 6, size=(2, len(inside), 1))
    rates = rng.uniform(0.1, 0.8, size=(len(inside), 1))
    rates = rates + near[0] * rng.uniform(size=inside.shape)
    return rates, near[1] * rng.normal(size=inside.shape)


def _exact_ties(rng, inside, spread):
    """Rates are multiples of 1/4, logits whole numbers: many are equal."""
    del spread
    rates = rng.integers(0, 5, size=inside.shape) / 4
    return rates, rng.integers(-2, 3, size=inside.shape).astype(float)


def _adversarial(rng, inside, spread):
    """The best pattern is rare, its rival holds nearly all the mass."""
    del spread
    count = inside.sum(axis=-1)
    rates = np.where(inside, rng.uniform(size=inside.shape), -1.0)
    rates = np.abs(np.sort(rates, axis=-1)[:, ::-1])
    logits = np.log(rng.uniform(0.1, 1, size=inside.shape) / count[:, None])
    logits[:, 0] = -rng.uniform(2, 9, size=len(logits))
    logits[:, 1] = rng.uniform(0, 3, size=len(logits))
    return rates, logits


FAMILIES: dict[str, tuple[Family, float]] = {
    "logit-normal": (_logit_normal, 0.30),
    "Dirichlet": (_dirichlet, 0.25),
    "near corners": (_near_corners, 0.15),
    "near ties": (_near_ties, 0.10),
    "exact ties": (_exact_ties, 0.10),
    "adversarial": (_adversarial, 0.10),
}


def log_normalised(logits: np.ndarray) -> np.ndarray:
    """Log-softmax along the last axis; -inf stays -inf."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def padded(
    patterns: np.ndarray, log_policy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A few patterns, `[B, K]` or `[B, K, A]`, padded to the smallest of `SIZES`.

    The pads are outside the support.
    """
    spare = [(0, 0)] * patterns.ndim
    spare[1] = (0, SIZES[0][0] - patterns.shape[1])
    log_policy = np.pad(log_policy, spare[:2], constant_values=-np.inf)
    return np.pad(patterns, spare, mode="edge"), log_policy


def _family_problems(rng, family: Family, number: int, K: int, spread: float) -> Group:
    """`number` problems from one family, of up to K patterns; a pad has logit -inf."""
    low = 1 + max((size for size, _ in SIZES if size < K), default=1)
    size = rng.integers(low, K + 1, size=number)
    inside = np.arange(K) < size[:, None]
    rates, logits = family(rng, inside, spread)
    return Group(rates, log_normalised(np.where(inside, logits, -np.inf)))


def _quota(number: int, shares: list[float]) -> list[int]:
    """`number` split in proportion to the shares, exactly."""
    ends = np.rint(number * np.cumsum(shares) / np.sum(shares)).astype(int)
    return np.diff(ends, prepend=0).tolist()


def mixed(
    rng: np.random.Generator,
    number: int,
    K: int,
    accept: Accept | None = None,
    spread: float = 2.0,
) -> Group:
    """`number` problems of size K that satisfy `accept`, of all families in proportion.

    Families that cannot (say, ties where the best pattern must be unique) leave their
    share to the one that can best.
    """
    parts: list[Group] = []
    rate: dict[Family, float] = {}
    shares = [share for _, share in FAMILIES.values()]
    for (family, _), wanted in zip(
        FAMILIES.values(), _quota(number, shares), strict=True
    ):
        found = _accepted(rng, family, wanted, K, accept, spread, FAMILY_BULKS)
        parts += found.groups
        rate[family] = found.rate
    missing = number - sum(len(part.rates) for part in parts)
    easiest = max(rate, key=lambda family: rate[family])
    parts += _accepted(rng, easiest, missing, K, accept, spread, MAX_BULKS).groups
    rates, log_policy = (np.concatenate(a) for a in zip(*parts, strict=True))
    if len(rates) < number:
        raise RuntimeError(
            f"only {len(rates)} of {number} problems of {K} patterns satisfy the "
            "hypotheses"
        )
    return Group(rates, log_policy)


class _Found(NamedTuple):
    """Accepted problems, and the share of draws that were."""

    groups: list[Group]
    rate: float


def _accepted(rng, family, wanted, K, accept, spread, bulks) -> _Found:
    """Up to `wanted` accepted problems, after `bulks` attempts at most."""
    kept: list[Group] = []
    tried, good_ones = 0, 0
    for _ in range(bulks):
        if wanted <= 0:
            break
        # Hypotheses compare all pairs of patterns: few problems at once if K is large.
        size = min(4 * wanted + 64, max(BULK_PAIRS // K**2, 64))
        group = _family_problems(rng, family, size, K, spread)
        good = np.ones(size, bool) if accept is None else accept(*group)
        tried, good_ones = tried + size, good_ones + int(good.sum())
        group = Group(*(a[good][:wanted] for a in group))
        wanted -= len(group.rates)
        kept.append(group)
    return _Found(kept, good_ones / max(tried, 1))


def groups(
    rng: np.random.Generator,
    number: int,
    accept: Accept | None = None,
    sizes: tuple[tuple[int, float], ...] = SIZES,
    spread: float = 2.0,
) -> Iterator[Group]:
    """`number` problems that satisfy `accept`, in groups of one padded size."""
    sizes = tuple(size for size in sizes if size[0] <= LARGEST)
    for (K, _), count in zip(
        sizes, _quota(number, [share for _, share in sizes]), strict=True
    ):
        if count:
            yield mixed(rng, count, K, accept, spread)


def random_problems(
    rng: np.random.Generator, number: int, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """`success_rates, log_policy`, both `[number, 8]`, of the logit-normal family."""
    shape = (number, MAX_PATTERNS)
    rates = rng.uniform(size=shape)
    logits = spread * rng.normal(size=shape)
    size = rng.integers(2, MAX_PATTERNS + 1, size=number)
    logits[np.arange(MAX_PATTERNS) >= size[:, None]] = -np.inf
    return rates, log_normalised(logits)


def draw(
    rng: np.random.Generator, number: int, accept: Accept, spread: float = 2.0
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


def kernels(
    rng: np.random.Generator, rates: np.ndarray, answers: int, kind: str = "mixed"
) -> np.ndarray:
    """Answer kernels `[B, K, A]` with success rates near `rates` in column 0.

    Kinds: `mixed` (each lane one of the others), `flat` rows from Dirichlet laws,
    `permuted` (all rows of a lane have the same entries, so the same certainty).
    """
    shape = (*rates.shape, answers - 1)
    rest = rng.dirichlet(np.full(answers - 1, 0.7), size=rates.shape)
    right = np.clip(rates, 1e-3, 1 - 1e-3)[..., None]
    kernel = np.concatenate([right, (1 - right) * rest.reshape(shape)], axis=-1)
    kernel = np.maximum(kernel, 1e-6)
    kernel = kernel / kernel.sum(axis=-1, keepdims=True)
    if kind == "flat":
        return kernel
    same = rng.permuted(np.repeat(kernel[:, :1], rates.shape[1], axis=1), axis=-1)
    if kind == "permuted":
        return same
    pick = rng.uniform(size=len(rates)) < 0.2
    return np.where(pick[:, None, None], same, kernel)
