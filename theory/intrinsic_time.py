r"""The policy-gradient flow with fixed rewards, solved: one scalar root per state.

Flow: `theta_k' = pi_k (rho_k - rho_bar)`. Put `u_k = exp(-theta_k)` in the gauge
`sum_k theta_k = 0`, `Z = sum_k 1/u_k` (so `pi_k = 1/(u_k Z)`) and the intrinsic time
`dtau = dt / Z`. Then

    du_k/dtau = rho_bar - rho_k,   hence   u_k - u_j = const - (rho_k - rho_j) tau.

All differences are known; only a common shift is missing, and the conserved product
`prod_k u_k = 1` supplies it. With i the dominant pattern (smallest u), `p = u_i` and
`a_k = u_k - u_i >= 0`, the shift is the root of

    F(log p) = sum_k log(p + a_k) = 0,   0 < p <= 1.

Proof. `u_k' = -u_k theta_k' = -(rho_k - rho_bar)/Z` since `u_k pi_k = 1/Z`;
`sum_k theta_k' = 0`. F increases in log p with slope `sum_k p/(p + a_k)` between 1 and
K, is convex (each term is), and `F(0) >= 0`: one root, and Newton started at any point
right of it descends to it monotonically.  []  Source: this project.

How it is computed. Between two hand-overs of the hull (`theory.hull`) i is fixed and
each `a_k` is linear in tau, from a value `A_k >= 0` on the left to `B_k >= 0` on the
right; the two patterns that trade places have a difference of exactly 0 there. So

    a_k = (1 - x) A_k + x B_k,   x in (0, 1),

is free of cancellation if x and 1 - x are both known to full relative accuracy. A place
inside a piece is therefore named by the log odds `y = log(x / (1 - x))`: a hand-over of
relative width 1e-40 is as easy to resolve as one of width 1e-4. On the last, unbounded
piece `a_k = A_k + (rho_* - rho_k) g e^y`, so y is the log of the slope beyond the last
hand-over. Everything is kept in logs.

Limits: `1/pi_0` must fit into float64. Data near a triple hand-over (three points of
the hull nearly on one line) lose digits in `A_k`, `B_k` as any method would: a relative
error of 1e-16 in pi_0 moves them by as much.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_expit

from theory.hull import Hull, dominance_hull, inverse_difference
from theory.support import (
    Bools,
    Floats,
    Ints,
    best_reward,
    checked,
    log_sum,
    support,
)

UNRESOLVED = -1
_NEWTON_STEPS = 60
# Bisection over log odds: x or 1 - x down to e^-700, to 700 * 2^-63 of absolute error.
_WIDEST_LOG_ODDS = 700.0
_BISECTIONS = 64


class Path(NamedTuple):
    """All states that a batch of problems will pass through.

    - `log_starts` `[..., K, K]`: `log a_k` at the left end of piece q, axes (q, k);
      `-inf` where `a_k = 0`. The right end of piece q is the left end of piece q + 1.
    - `log_growth` `[..., K]`: log of `g (rho_* - rho_k)`, for the last piece.
    - `log_mean` `[...]`: `log g`, the mean of log pi_0 over the support.
    - `inside` `[..., K]`: the support. `hull`: see `theory.hull`.
    """

    hull: Hull
    log_starts: Floats
    log_growth: Floats
    log_mean: Floats
    inside: Bools


class Event(NamedTuple):
    """A place on a `Path`: the piece `[...]` and the log odds `[...]` inside it.

    `log_odds = inf` is the right end of a bounded piece. `piece == UNRESOLVED` means
    that the event does not happen.
    """

    piece: Ints
    log_odds: Floats


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values)


def intrinsic_path(rewards: ArrayLike, log_policy: ArrayLike) -> Path:
    """Precompute the end values of every piece; `rewards`, `log_policy` `[..., K]`."""
    rho, log_pi = checked(rewards, log_policy)
    inside = support(log_pi)
    hull = dominance_hull(rho, log_pi)
    log_mean = np.mean(log_pi, axis=-1, where=inside)
    starts = np.zeros((*rho.shape, rho.shape[-1]))
    with np.errstate(over="ignore", invalid="ignore"):
        starts[..., 0, :] = inverse_difference(log_pi, hull.vertices[..., 0])
        for q in range(1, rho.shape[-1]):
            arrives = q <= hull.edges
            old = np.where(arrives, hull.vertices[..., q - 1], 0)
            new = np.where(arrives, hull.vertices[..., q], 0)
            slope = np.where(arrives, hull.slopes[..., q - 1], 0.0)[..., None]
            rise = rho - np.take_along_axis(rho, old[..., None], axis=-1)
            height = inverse_difference(log_pi, old) - rise * slope
            # Never below zero except by rounding: these two lines are the lowest.
            height = np.maximum(height, 0.0)
            np.put_along_axis(height, old[..., None], 0.0, axis=-1)
            np.put_along_axis(height, new[..., None], 0.0, axis=-1)
            starts[..., q, :] = height
    growth = best_reward(rho, log_pi)[..., None] - rho
    return Path(
        hull=hull,
        log_starts=_log(np.where(inside[..., None, :], starts, 1.0))
        + log_mean[..., None, None],
        log_growth=_log(np.where(inside, growth, 0.0)) + log_mean[..., None],
        log_mean=log_mean,
        inside=inside,
    )


def log_smallest(log_a: Floats, inside: Bools) -> Floats:
    """`log p` with `sum_{k inside} log(p + a_k) = 0`, `log_a` is `[..., K]`: `[...]`.

    Newton, started from an upper bound of the root: for every set S of patterns
    `1 = prod u_k >= p^|S| prod_{k not in S} a_k`; the sharpest of these bounds uses the
    |S| smallest a. nan if not converged.
    """
    ordered = np.sort(np.where(inside, log_a, np.inf), axis=-1)
    ordered = np.where(ordered == np.inf, 0.0, ordered)
    tails = np.cumsum(ordered[..., ::-1], axis=-1)[..., ::-1]
    sizes = np.arange(1, ordered.shape[-1])
    log_p = np.minimum(0.0, np.min(-tails[..., 1:] / sizes, axis=-1, initial=0.0))
    moving = np.isfinite(log_p)
    for _ in range(_NEWTON_STEPS):
        log_u = np.logaddexp(log_p[..., None], log_a)
        value = np.sum(log_u, axis=-1, where=inside)
        slope = np.sum(np.exp(log_p[..., None] - log_u), axis=-1, where=inside)
        step = np.where(moving, -value / slope, 0.0)
        log_p = log_p + step
        # Each element stops by itself, so a lane never depends on its neighbours. The
        # error after a step is at most K/8 step^2, below rounding once this stops.
        moving = moving & (np.abs(step) > 1e-8)
        if not np.any(moving):
            break
    return np.where(moving, np.nan, log_p)


def log_differences(path: Path, event: Event) -> Floats:
    """`log a_k` at an event: `[..., K]`."""
    last = event.piece == path.hull.edges
    piece = np.clip(event.piece, 0, path.inside.shape[-1] - 1)[..., None, None]
    following = np.minimum(piece + 1, path.inside.shape[-1] - 1)
    start = np.take_along_axis(path.log_starts, piece, axis=-2)[..., 0, :]
    end = np.take_along_axis(path.log_starts, following, axis=-2)[..., 0, :]
    y = event.log_odds[..., None]
    bounded = np.logaddexp(start + log_expit(-y), end + log_expit(y))
    with np.errstate(
        invalid="ignore"
    ):  # -inf + inf on lanes that take the other branch
        unbounded = np.logaddexp(start, path.log_growth + y)
    return np.where(last[..., None], unbounded, bounded)


def log_probs_at(path: Path, event: Event) -> Floats:
    """The policy at an event, `[..., K]` log-probabilities; nan if unresolved."""
    log_a = log_differences(path, event)
    log_p = log_smallest(log_a, path.inside)
    weights = np.where(path.inside, -np.logaddexp(log_p[..., None], log_a), -np.inf)
    log_probs = weights - log_sum(weights)[..., None]
    return np.where((event.piece == UNRESOLVED)[..., None], np.nan, log_probs)


def event_at_slope(path: Path, slope: ArrayLike) -> Event:
    """The event at a given `sigma = tau / g >= 0`: `[...]`.

    Convenient, but a hand-over is too narrow for sigma in float64: prefer
    `find_event` close to one.
    """
    batch = path.log_mean.shape
    sigma = np.broadcast_to(np.asarray(slope, dtype=np.float64), batch)
    if not np.all(sigma >= 0):
        raise ValueError(f"`slope` must be nonnegative; got {slope!r}.")
    ends = np.where(np.isnan(path.hull.slopes), np.inf, path.hull.slopes)
    zero, infinity = np.zeros((*batch, 1)), np.full((*batch, 1), np.inf)
    borders = np.concatenate([zero, ends, infinity], axis=-1)
    piece = np.sum(ends <= sigma[..., None], axis=-1)
    left = np.take_along_axis(borders, piece[..., None], axis=-1)[..., 0]
    right = np.take_along_axis(borders, piece[..., None] + 1, axis=-1)[..., 0]
    unbounded = np.isinf(right)
    to_right = _log(np.where(unbounded, 1.0, right - sigma))
    return Event(piece, _log(sigma - left) - to_right)


def find_event(path: Path, rising: Callable[[Floats], Floats]) -> Event:
    """Where a quantity that only rises along the flow passes through zero.

    `rising` maps log-probabilities `[..., K]` to `[...]`. UNRESOLVED where it is not
    negative at the start, or still negative at the largest slope of float64 range.
    Bisection on the log odds inside the piece that brackets the sign change.
    """
    batch = path.log_mean.shape
    num_patterns = path.inside.shape[-1]

    def value(piece: Ints, log_odds: Floats) -> Floats:
        return rising(log_probs_at(path, Event(piece, log_odds)))

    # Lanes without any edge have only the unbounded piece, which starts at y = -inf.
    started = value(np.zeros(batch, dtype=np.int64), np.full(batch, -np.inf)) >= 0
    piece = path.hull.edges.copy()
    for q in reversed(range(num_patterns - 1)):
        exists = q < path.hull.edges
        ends = value(np.where(exists, q, UNRESOLVED), np.full(batch, np.inf))
        piece = np.where(exists & (ends >= 0), q, piece)
    low = np.full(batch, -_WIDEST_LOG_ODDS)
    high = np.full(batch, _WIDEST_LOG_ODDS)
    reached = (piece < path.hull.edges) | (value(piece, high) >= 0)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        above = value(piece, middle) >= 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    resolved = reached & ~started
    return Event(np.where(resolved, piece, UNRESOLVED), np.where(resolved, high, 0.0))


def crossing_event(path: Path) -> Event:
    """Where the best pattern becomes the most likely one: the last hand-over.

    UNRESOLVED where it is the most likely from the start.
    """
    edges = path.hull.edges
    happens = edges > 0
    return Event(
        np.where(happens, edges - 1, UNRESOLVED), np.where(happens, np.inf, 0.0)
    )
