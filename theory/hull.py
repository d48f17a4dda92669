r"""Which patterns ever dominate: a walk along a convex hull.

Under the flow `theta_k' = pi_k (rho_k - rho_bar)` with fixed rewards rho, the
differences of `u_k = exp(-theta_k)` are linear in the intrinsic time tau (see
`theory.intrinsic_time`): with `tau = g sigma`, g the geometric mean of pi_0,

    u_k - u_j = g [(1/pi_0(k) - 1/pi_0(j)) - (rho_k - rho_j) sigma].

The most likely pattern has the smallest u, so at sigma it is the pattern that minimises
the line `1/pi_0(k) - rho_k sigma`. The minimum of lines is a concave, piecewise linear
function; its successive pieces belong to the vertices of the lower convex hull of the
points `(rho_k, 1/pi_0(k))`, and two neighbours i, j hand over at

    sigma_ij = (1/pi_0(j) - 1/pi_0(i)) / (rho_j - rho_i),   the slope of their edge.

At sigma = 0 the smallest line is the most likely pattern; as sigma grows the largest
reward wins. Source: this project.

Ties. Start: among equally likely patterns the larger reward (it leads from the first
instant on). Along the way: collinear points are skipped, the larger reward is taken.
End: among best patterns the most likely one. Of patterns with equal reward only the
likeliest can be a vertex; equal in both, they keep equal mass for ever.

Limit: rewards must stay fixed in time, and "dominant" means most likely, not "more than
one half".
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Statement
from theory.support import Bools, Floats, Ints, checked, support


class Hull(NamedTuple):
    """Dominant patterns in order, and the slopes at which they hand over.

    - `vertices` `[..., K]`: pattern indices, padded with `PADDING`.
    - `slopes` `[..., K - 1]`: `slopes[q]` is the hand-over from vertex q to q + 1, in
      units of `sigma = tau / g`, nondecreasing; padded with nan.
    - `edges` `[...]`: how many hand-overs there are.
    """

    vertices: Ints
    slopes: Floats
    edges: Ints


PADDING = -1


def inverse_difference(log_policy: Floats, reference: Ints) -> Floats:
    """`1/pi_0(k) - 1/pi_0(i)` for every k, `i = reference [...]`: `[..., K]`.

    Through `expm1`, so that nearly equal probabilities keep their difference. Zero
    outside the support.
    """
    log_i = np.take_along_axis(log_policy, reference[..., None], axis=-1)
    inside = support(log_policy)
    return np.exp(-log_i) * np.expm1(log_i - np.where(inside, log_policy, log_i))


def first_dominant(rewards: Floats, log_policy: Floats) -> Ints:
    """The most likely pattern; among equals the one with the larger reward: `[...]`."""
    top = np.max(log_policy, axis=-1, keepdims=True)
    leaders = np.where(log_policy == top, rewards, -np.inf)
    return np.asarray(np.argmax(leaders, axis=-1))


def _next_vertex(
    rewards: Floats, log_policy: Floats, current: Ints
) -> tuple[Ints, Floats, Bools]:
    """The end of the flattest rising edge, its slope, and whether there is one."""
    rise = rewards - np.take_along_axis(rewards, current[..., None], axis=-1)
    candidate = support(log_policy) & (rise > 0)
    height = inverse_difference(log_policy, current)
    slope = np.where(candidate, height / np.where(candidate, rise, 1.0), np.inf)
    flattest = np.min(slope, axis=-1, keepdims=True)
    tied = candidate & (slope == flattest)
    return (
        np.argmax(np.where(tied, rewards, -np.inf), axis=-1),
        flattest[..., 0],
        np.any(candidate, axis=-1),
    )


def dominance_hull(rewards: ArrayLike, log_policy: ArrayLike) -> Hull:
    """Walk the hull from the most likely pattern to the best one.

    `rewards` and `log_policy` are `[..., K]`; the rewards are success rates for RLVR,
    confidences for RLIF. Slopes that overflow float64 (some `1/pi_0` above 1e308) come
    back as inf.
    """
    rho, log_pi = checked(rewards, log_policy)
    num_patterns = rho.shape[-1]
    vertices = np.full(rho.shape, PADDING, dtype=np.int64)
    slopes = np.full((*rho.shape[:-1], num_patterns - 1), np.nan)
    edges = np.zeros(rho.shape[:-1], dtype=np.int64)
    current = first_dominant(rho, log_pi)
    vertices[..., 0] = current
    latest = np.zeros(rho.shape[:-1])
    for q in range(num_patterns - 1):
        with np.errstate(over="ignore"):
            following, slope, moved = _next_vertex(rho, log_pi, current)
        # Nearly collinear points can come out of order by a rounding error.
        latest = np.where(moved, np.maximum(latest, slope), latest)
        vertices[..., q + 1] = np.where(moved, following, PADDING)
        slopes[..., q] = np.where(moved, latest, np.nan)
        edges += moved
        current = np.where(moved, following, current)
    return Hull(vertices, slopes, edges)


def values_along(hull: Hull, values: ArrayLike) -> Floats:
    """`values` `[..., K]` at the dominant patterns in order: `[..., K]`, nan after.

    For a model paid by confidence, success rates along the hull of the confidences are
    the staircase that its accuracy climbs and descends.
    """
    numbers = np.asarray(values, dtype=np.float64)
    numbers = np.broadcast_to(numbers, hull.vertices.shape)
    read = np.take_along_axis(numbers, np.maximum(hull.vertices, 0), axis=-1)
    return np.where(hull.vertices == PADDING, np.nan, read)


def _any_problem(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, log_pi = checked(rewards, log_policy)
    return np.asarray(np.any(support(log_pi), axis=-1))


def _several_vertices(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    return np.asarray(dominance_hull(rewards, log_policy).edges > 0)


STATEMENT = Statement(
    id="B2",
    title="Which patterns dominate, and in which order: a convex hull",
    words=(
        "The patterns that are ever the most likely are the vertices of a convex hull "
        "in the plane of reward and inverse probability, visited in the order of their "
        "rewards from the most likely to the best."
    ),
    formula="argmax pi at tau = argmin_k (c_k - rho_k tau);  "
    "hand-over at the slope of the edge",
    source="this project",
    assumptions="exact softmax policy-gradient flow; fixed rewards",
    proof="the lower envelope of lines; theory/hull.py",
    claims=(
        Claim(
            id="B2.vertices",
            words="A pattern is the only most likely one at some time only if it is a "
            "vertex, and then during one interval.",
            formula="argmax_k pi_k(t) is a vertex, at every t without a tie",
            status="proved",
            hypotheses=_any_problem,
        ),
        Claim(
            id="B2.hand-over",
            words="Neighbouring vertices hand over at the slope of their edge.",
            formula="tau_ij = g (1/pi_0(j) - 1/pi_0(i))/(rho_j - rho_i)",
            status="proved",
            hypotheses=_several_vertices,
        ),
        Claim(
            id="B2.ends",
            words="The first is the most likely pattern (the better one in a tie), the "
            "last the best one (the likelier one in a tie).",
            formula="first: argmax (pi_0, rho);  last: argmax (rho, pi_0)",
            status="proved",
            hypotheses=_any_problem,
        ),
    ),
)
