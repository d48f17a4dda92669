r"""From intrinsic to physical time: one quadrature, and two-sided bounds on it.

`t = int Z dtau` with `Z = sum_k 1/u_k` (notation of `theory.intrinsic_time`). Let i be
the dominant pattern, `p = u_i`, `a_k = u_k - p`, and

    L = int prod_{k != i} a_k dtau,       I = int sum_{k != i} 1/u_k dtau.

Then, for every event and with no assumption on the hull,

    L + I  <=  t  <=  L + 2 I.

Proof. `prod_k u_k = 1` gives `1/u_i = prod_{k != i} (p + a_k) = R(p)`, a polynomial in
p with nonnegative coefficients. So `R(0) <= R(p) <= R(0) + p R'(p)`, and
`p R'(p) = sum_{k != i} p R(p)/(p + a_k) = sum_{k != i} 1/u_k` because `p R(p) = 1`.
Now `Z = R(p) + sum_{k != i} 1/u_k` and `R(0) = prod_{k != i} a_k`; integrate.  []
Source: this project. `I = int (1 - max_k pi_k) dt` is the time lost to not being
decided; L is an elementary integral of piecewise polynomials.

Quadrature. On a piece, `x = 1/(1 + e^-y)` and the trapezoidal rule in y (a rule of the
double-ended kind: it converges geometrically for analytic integrands, and a feature of
width w at an end of the piece costs only log(1/w) more range in y, not more
smoothness). The range is chosen lane by lane: it reaches e^-38 below the width of the
hand-over at either end. Measured against 40-digit quadrature: see
tests/theory/test_clock.py.

Limits: times above 1e308 come back as nan. A computed `time` may leave the computed
bounds by rounding (relative 1e-12) where I << L and the bounds coincide.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import log_expit

from theory.intrinsic_time import UNRESOLVED, Event, Path, log_differences, log_smallest
from theory.support import Bools, Floats, Ints, log_sum

_NODES = 801
_REACH = 38.0
_CHUNK = 2**21  # floats in the largest temporary of the quadrature


class Clock(NamedTuple):
    """`time` t, `product` L, `reciprocal` I; all `[...]`, nan if unresolved."""

    time: Floats
    product: Floats
    reciprocal: Floats


def _integrate_piece(
    log_start: Floats,
    log_end: Floats,
    log_length: Floats,
    dominant: Ints,
    inside: Bools,
) -> tuple[Floats, Floats, Floats]:
    """Logs of (t, L, I) over one piece: `[B]` each; ends `[B, K]`, length `[B]`."""

    def reach(log_here: Floats, log_there: Floats) -> Floats:
        steepest = np.max(np.where(inside, log_there, -np.inf), axis=-1)
        width = log_smallest(log_here, inside) - steepest
        return np.asarray(_REACH + np.maximum(0.0, -width))

    left = reach(log_start, log_end)[..., None]
    right = reach(log_end, log_start)[..., None]
    y = -left + (left + right) * np.linspace(0.0, 1.0, _NODES)  # [B, N]
    log_x, log_rest = log_expit(y), log_expit(-y)
    # dtau = length x (1 - x) dy
    log_weight = log_length[..., None] + log_x + log_rest
    log_weight = log_weight + np.log((left + right) / (_NODES - 1))

    log_a = np.logaddexp(
        log_start[:, None, :] + log_rest[..., None],
        log_end[:, None, :] + log_x[..., None],
    )  # [B, N, K]
    log_p = log_smallest(log_a, inside[:, None, :])
    others = inside[:, None, :] & (
        np.arange(inside.shape[-1]) != dominant[:, None, None]
    )
    log_product = np.sum(log_a, axis=-1, where=others)
    log_u = np.logaddexp(log_p[..., None], log_a)
    log_reciprocal = log_sum(np.where(others, -log_u, -np.inf))
    log_z = np.logaddexp(-log_p, log_reciprocal)
    return (
        log_sum(log_weight + log_z),
        log_sum(log_weight + log_product),
        log_sum(log_weight + log_reciprocal),
    )


def log_piece_length(path: Path, event: Event, q: int) -> Floats:
    """Log of the extent in tau of piece q up to the event: `[...]`."""
    slopes = path.hull.slopes
    left = slopes[..., q - 1] if q > 0 else np.zeros(path.log_mean.shape)
    right = slopes[..., q] if q < slopes.shape[-1] else np.full_like(left, np.nan)
    unbounded = path.hull.edges == q
    with np.errstate(divide="ignore", invalid="ignore"):
        log_whole = np.log(right - left)
        log_part = np.where(
            unbounded, event.log_odds, log_whole + log_expit(event.log_odds)
        )
    return np.where(event.piece == q, log_part, log_whole) + path.log_mean


def time_of(path: Path, event: Event) -> Clock:
    """Physical time t of an event, with L and I: `L + I <= t <= L + 2 I`."""
    batch, num_patterns = path.log_mean.shape, path.inside.shape[-1]
    at_event = log_differences(path, event).reshape(-1, num_patterns)
    starts = path.log_starts.reshape(-1, num_patterns, num_patterns)
    inside = path.inside.reshape(-1, num_patterns)
    vertices = path.hull.vertices.reshape(-1, num_patterns)
    last = np.ravel(event.piece)
    lanes_at_once = max(1, _CHUNK // (_NODES * num_patterns))
    totals = np.full((3, last.size), -np.inf)
    for q in range(num_patterns):
        active = np.nonzero(last >= q)[0]
        length = np.ravel(log_piece_length(path, event, q))
        for first in range(0, active.size, lanes_at_once):
            lanes = active[first : first + lanes_at_once]
            stops_here = (last[lanes] == q)[:, None]
            following = starts[lanes, min(q + 1, num_patterns - 1)]
            parts = _integrate_piece(
                log_start=starts[lanes, q],
                log_end=np.where(stops_here, at_event[lanes], following),
                log_length=length[lanes],
                dominant=vertices[lanes, q],
                inside=inside[lanes],
            )
            totals[:, lanes] = np.logaddexp(totals[:, lanes], np.stack(parts))
    with np.errstate(over="ignore"):
        values = np.exp(totals)
    known = np.isfinite(values) & (last != UNRESOLVED)
    time, product, reciprocal = np.where(known, values, np.nan).reshape(3, *batch)
    return Clock(time, product, reciprocal)
