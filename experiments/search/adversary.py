"""Gradient search through the exact engine: many restarts as one batch."""

from functools import partial
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax

import simulator as sim
import theory
from experiments.checks.path_integrals import KINDS, Meter
from experiments.checks.random_problems import mixed
from experiments.search.targets import Place, Quantities, Target

K = 5  # patterns at most; problems of two to five are searched
PLACES = get_args(Place)
EVENTS = (sim.T0(), sim.Crossing())  # the places after the first
# The box: log odds of the best rate and of the others relative to it, logits, and the
# decades by which the gap closes.
LARGEST = np.array([8.0] * K + [14.0] * K + [8.0])
SMALLEST = np.array([-8.0] * K + [-14.0] * K + [0.02])
LEARNING_RATE = 0.15
MAX_STEPS = 500  # of the engine; a lane that needs more counts as unresolved


class Lanes(NamedTuple):
    """Points of the search `[B, 2 K + 1]`, and which patterns there are `[B, K]`."""

    x: np.ndarray
    inside: np.ndarray


class Found(NamedTuple):
    """One instance: the problem as floats (pattern 0 is best), and its margin."""

    success_rates: np.ndarray
    log_policy: np.ndarray
    gap: float
    margin: float


class Search(NamedTuple):
    """The result of a search: the extreme instances, and how many were looked at.

    They are None if no point could be settled.
    """

    tightest: Found | None
    loosest: Found | None
    restarts: int
    evaluations: int
    unresolved: int


def decode(x, inside, place) -> tuple[Any, Any, Any]:
    """`rates [K], log_policy [K], level` of a point; pattern 0 is the best one."""
    odds, logits, decades = x[:K], x[K : 2 * K], x[2 * K]
    share = jax.nn.sigmoid(odds)
    rates = jnp.where(jnp.arange(K) == 0, share, share[0] * share)
    log_policy = jax.nn.log_softmax(jnp.where(inside, logits, -jnp.inf))
    short = jnp.where(inside, rates[0] - rates, 0.0)
    gap = jnp.sum(jnp.exp(log_policy) * short)
    lead = jnp.min(jnp.where(inside & (jnp.arange(K) > 0), short, jnp.inf))
    # Below 0.4 of the lead both events are over (see `checks.running`).
    level = jnp.where(place == 0, gap * 10.0**-decades, 0.4 * lead)
    return rates, log_policy, level


@jax.jit
def _decoded(x, inside, place):
    return jax.vmap(decode, in_axes=(0, 0, None))(x, inside, place)


@jax.jit
def _measure(x, inside, kind, place):
    """`log int f dt` up to the place, its gradient, and whether it is known."""

    def one(x, inside):
        rates, log_policy, level = decode(x, inside, place)
        best = jnp.where(jnp.arange(K) == 0, 1.0, 0.0)
        run = sim.exact(
            sim.Problem(rates, logits=log_policy),
            sim.Verifiable(),
            Meter(kind, best),
            until=sim.Gap(level),
            events=EVENTS,
            max_steps=MAX_STEPS,
        )
        logs = jnp.append(run.log_time, run.event_log_times)
        return logs[place], (logs[place], run.outcome)

    slope, (log, outcome) = jax.vmap(jax.jacrev(one, has_aux=True))(x, inside)
    return log, slope, outcome


def _margin(target, place, x, logs, inside):
    rates, log_policy, level = decode(x, inside, place)
    q = Quantities(
        n=jnp.sum(inside) - 1.0,
        leader=jnp.argmax(log_policy),
        rival=jnp.argmax(jnp.where(inside & (jnp.arange(K) > 0), rates, -1.0)),
        rates=rates,
        probs=jnp.exp(log_policy),
        level=level,
        integrals=dict(zip(target.integrals, jnp.exp(logs), strict=True)),
        log=jnp.log,
        positive=lambda x: jnp.maximum(x, 0.0),
    )
    return jnp.min(jnp.stack(target.margin(q)))


def _starts(rng, target: Target, number: int) -> Lanes:
    """Random problems of all families that satisfy the hypotheses."""

    def accept(rates, log_policy):
        alone = theory.support.is_best(rates, log_policy).sum(axis=-1) == 1
        return alone & target.hypotheses(rates, log_policy)

    rates, log_policy = mixed(rng, number, K, accept)
    order = np.argsort(-np.where(log_policy > -np.inf, rates, -1.0), axis=-1)
    rates = np.take_along_axis(rates, order, axis=-1)
    log_policy = np.take_along_axis(log_policy, order, axis=-1)
    inside = log_policy > -np.inf
    best = rates[:, :1]
    share = np.where(np.arange(K) == 0, rates, rates / np.maximum(best, 1e-300))
    share = np.clip(np.where(inside, share, 0.5), 1e-12, 1 - 1e-12)
    logits = log_policy - log_policy.max(axis=-1, keepdims=True) + 7
    decades = rng.uniform(0.1, 6, size=(number, 1))
    odds = np.log(share) - np.log1p(-share)
    x = np.concatenate([odds, np.where(inside, logits, 0.0), decades], axis=-1)
    return Lanes(np.clip(x, SMALLEST, LARGEST), inside)


class Evaluation(NamedTuple):
    """Margins `[B]` and their slopes `[B, 2 K + 1]` at one point of every run.

    `allowed`: it satisfies the hypotheses; `good`: and could be settled.
    """

    margin: np.ndarray
    slope: np.ndarray
    allowed: np.ndarray
    good: np.ndarray


class _Evaluator:
    """The margins of one target, by the engine and the chain rule."""

    def __init__(self, target: Target, inside: np.ndarray):
        self.target, self.inside = target, inside
        self.place = PLACES.index(target.place)
        margin = partial(_margin, target, self.place)
        self.margins = jax.jit(jax.vmap(jax.value_and_grad(margin, argnums=(0, 1))))

    def __call__(self, x) -> Evaluation:
        kinds = [KINDS.index(kind) for kind in self.target.integrals]
        runs = [_measure(x, self.inside, kind, self.place) for kind in kinds]
        logs = jnp.stack([log for log, _, _ in runs], axis=-1)
        slopes = jnp.stack([slope for _, slope, _ in runs], axis=1)
        margin, (direct, through) = self.margins(x, logs, self.inside)
        slope = direct + jnp.einsum("bi,bix->bx", through, slopes)
        margin, slope = np.asarray(margin), np.asarray(slope)
        known = np.isfinite(margin) & np.isfinite(slope).all(axis=-1)
        for _, _, outcome in runs:
            known &= np.asarray(outcome == sim.Outcome.reached)
        rates, log_policy, _ = self.problems(x)
        allowed = self.target.hypotheses(rates, log_policy)
        return Evaluation(margin, slope, allowed, known & allowed)

    def problems(self, x) -> tuple[np.ndarray, ...]:
        """Rates, log-policies and levels of points."""
        return tuple(np.asarray(a) for a in _decoded(x, self.inside, self.place))


class Extreme(NamedTuple):
    """The best margin of every run so far `[B]`, and where it was `[B, 2 K + 1]`."""

    margin: np.ndarray
    x: np.ndarray

    def or_else(self, better, here: Evaluation, trial) -> "Extreme":
        """The new point, where it is better."""
        return Extreme(
            np.where(better, here.margin, self.margin),
            np.where(better[:, None], trial, self.x),
        )


def search(target: Target, rng, restarts: int, steps: int, progress=None) -> Search:
    """Adam from `restarts` random starts for either extreme of the margin.

    A step that leaves the hypotheses, or that the engine cannot settle, is taken back
    and halved. All points on the way count, not the last ones only.
    """
    x, inside = _starts(rng, target, 2 * restarts)
    sign = np.repeat([1.0, -1.0], restarts)
    evaluate = _Evaluator(target, inside)
    optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps, 0.02))
    state, scale = optimizer.init(x), np.ones((len(x), 1))
    slope = np.zeros_like(x)
    # Of every run, the points of the smallest and of the largest margin.
    lowest, highest = (Extreme(np.full(len(x), end), x) for end in (np.inf, -np.inf))
    evaluations = unresolved = 0
    trial = x
    for step in range(steps + 1):
        here = evaluate(trial)
        evaluations += int(here.allowed.sum())
        unresolved += int((here.allowed & ~here.good).sum())
        lowest = lowest.or_else(here.good & (here.margin < lowest.margin), here, trial)
        highest = highest.or_else(
            here.good & (here.margin > highest.margin), here, trial
        )
        good = here.good[:, None]
        x, slope = np.where(good, trial, x), np.where(good, here.slope, slope)
        if step:
            scale = np.where(good, np.minimum(1.5 * scale, 1.0), 0.5 * scale)
        change, state = optimizer.update(sign[:, None] * slope, state)
        trial = np.clip(x + scale * np.asarray(change), SMALLEST, LARGEST)
        if progress is not None:
            progress(step, steps)

    def instance(extreme: Extreme, lane) -> Found | None:
        if not np.isfinite(extreme.margin[lane]):
            return None
        rates, log_policy, level = evaluate.problems(extreme.x)
        here = inside[lane]
        return Found(
            rates[lane][here],
            log_policy[lane][here],
            float(level[lane]),
            float(extreme.margin[lane]),
        )

    tightest = instance(lowest, np.argmin(lowest.margin))
    loosest = instance(highest, np.argmax(highest.margin))
    return Search(tightest, loosest, restarts, evaluations, unresolved)
