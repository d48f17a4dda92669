r"""The dip: a rare best pattern becomes rarer before it wins, and how rare.

Flow and notation: `theory.intrinsic_time`. From `pi_*' = pi_* (theta_*' - sum_j pi_j
theta_j')` and `theta_k' = pi_k (rho_k - rho_bar)`, exactly and at any state,

    pi_* falls   iff   pi_* (rho_* - rho_bar)  <  sum_j pi_j^2 (rho_j - rho_bar).

The right side is large when a good pattern (not the best) holds most mass.

**Depth.** Let i != * be the dominant pattern, `R_0 = prod_{k != i} a_k`. At any state

    2 pi_i - 1 - pi_*  <=  pi_* a_* R_0  <=  1.                                  (1)

*Proof.* `1/pi_* = u_* Z`, and `R = 1/u_i = pi_i Z` satisfies `R_0 <= R <= R_0 + S`,
`S = sum_{k != i} 1/u_k = (1 - pi_i) Z` (`theory.clock`). Right: `a_* <= u_*`,
`R_0 <= Z`. Left: `a_* R_0 = u_* R_0 - p R_0 >= u_* (R - S) - 1`, as `p R_0 <= p R = 1`,
and `u_* (R - S) = (2 pi_i - 1)/pi_*`.  []  In other words, since `pi_k/pi_* = u_*/u_k`,

    1/pi_*  <=  a_* R_0 + 3 + 2 sum_{k != i,*} u_*/u_k.                          (2)

The product is one of nonnegative linear functions of tau, so its logarithm is concave:
on each piece it has a single maximum, found by bisection. Late, when i = *, there is
nothing to look for. With M the largest maximum, at the lowest pi_* (if * is not the
dominant pattern there), and with no assumption on the hull,

    (2 pi_i - 1 - pi_*)/M  <=  min_t pi_*  <=  1/M.                              (3)

*One edge*, from the most likely pattern i to *: with `D = 1/pi_0(*) - 1/pi_0(i)`, `D_k
= 1/pi_0(k) - 1/pi_0(i)`, `Delta = rho_* - rho_i`, `delta_k = rho_i - rho_k`, and z the
fraction of the edge covered, `a_* = g D (1 - z)` and `a_k = g (D_k + (delta_k/Delta) D
z)`. Since `g^K = prod pi_0`,

    M = (prod pi_0) D^2 max_z (1-z)^2 prod_{k != i,*} (D_k + (delta_k/Delta) D z).

*A rare best pattern.* Let all others be worse than i, `delta_k > 0`, and let pi_0(*) ->
0, their proportions fixed. Then `M min pi_* -> 1`. *Proof.* For K = 2 pi_* never falls
(the criterion above), and `M = pi_0(*) pi_0(i) D^2`. For K >= 3 M grows like D^(K-1).
Where z >= e > 0, `u_*/u_k <= max(1, a_*/a_k) <= max(1, Delta/(delta_k e))` is bounded,
and (2) gives `1/pi_* <= M + O(1)`. Where z <= e, `1/pi_* <= u_*(0) K/p` since u_* falls
and `Z <= K/p`; and either `p >= g`, or `1/p = R(p) <= R(g) = g^(K-1) (1 + D (1 - z))
prod (1 + D_k + (delta_k/Delta) D z)`. As `u_*(0) = g/pi_0(*)`, the first gives at most
`K/pi_0(*) = o(M)`; the second, against M >= (its product at z = 1/2), at most
`4 K (2 e)^(K-2) M (1 + o(1))`. Choose e small; afterwards `pi_* >= 1/K`.  []

*Three patterns.* As `max z (1-z)^2 = 4/27`, with `e = pi_0(*)/pi_0(i)` and
`F = (27/4) (Delta/delta) pi_0(*)^2/(pi_0(i) pi_0(3))`,

    F (1-e)^-3 / (1 + (27/4) (Delta/delta) D_3/D)  <=  1/M  <=  F (1-e)^-3,      (4)

by leaving D_3 out of the maximum, or taking it out at its full size. So also
`min pi_* / F -> 1` as pi_0(*) -> 0.  []

**How many.** While the product in (3) is a good approximation, it allows one dip per
piece, hence at most one per hull edge. For the exact flow we have no proof (status
"formal") and no counterexample: none among 150,000 random problems of 3 to 10 patterns.
The last piece has no dip: `theory.tail`. The sign of the criterion at t = 0 does not
tell whether one comes: some best patterns rise first.

Source: this project. With several best patterns, * is the likeliest of them.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_expit

from theory.answers import push
from theory.entanglement import has_one_edge
from theory.hull import inverse_difference
from theory.intrinsic_time import Event, Path, intrinsic_path, log_probs_at
from theory.support import Bools, Floats, Ints, checked, support
from theory.survivors import survivors

_BISECTIONS = 64
_WIDEST_LOG_ODDS = 700.0
_GRID = np.linspace(-60.0, 60.0, 481)
_GOLDEN_STEPS = 60


def _best(rewards: Floats, log_policy: Floats) -> Ints:
    return np.asarray(np.argmax(survivors(rewards, log_policy), axis=-1))


def dip_margin(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`-(log pi_*)' = sum_j pi_j^2 (rho_j - rho_bar) - pi_* gap` at a state: `[...]`.

    The best pattern loses mass there exactly if it is positive.
    """
    rho, log_pi = checked(rewards, log_policy)
    pushes = push(rho, log_pi)
    best = np.take_along_axis(pushes, _best(rho, log_pi)[..., None], axis=-1)[..., 0]
    return np.asarray(
        np.sum(np.exp(log_pi) * pushes, axis=-1, where=support(log_pi)) - best
    )


def _log_products(path: Path, best: Ints) -> Floats:
    """Largest `log(a_* prod_{k != i} a_k)` on each bounded piece: `[..., K - 1]`.

    -inf for pieces that do not exist.
    """
    start, end = path.log_starts[..., :-1, :], path.log_starts[..., 1:, :]
    num_patterns = path.inside.shape[-1]
    names = np.arange(num_patterns)
    dominant = path.hull.vertices[..., :-1, None]
    count = (path.inside[..., None, :] & (names != dominant)).astype(np.float64)
    count = count + (names == best[..., None, None])
    exists = np.arange(num_patterns - 1) < path.hull.edges[..., None]

    def log_a(y: Floats) -> Floats:
        left, right = log_expit(-y)[..., None], log_expit(y)[..., None]
        return np.logaddexp(start + left, end + right)

    low = np.full(exists.shape, -_WIDEST_LOG_ODDS)
    high = np.full(exists.shape, _WIDEST_LOG_ODDS)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        here = log_a(middle)
        # Slope in x of sum count log a. A tie, a = 0 throughout, has none.
        here = np.where(here > -np.inf, here, 0.0)
        rise = np.where(count > 0, np.exp(end - here) - np.exp(start - here), 0.0)
        rising = np.sum(count * rise, axis=-1) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    top = np.where(count > 0, log_a(0.5 * (low + high)), 0.0)
    return np.where(exists, np.sum(count * top, axis=-1), -np.inf)


def dip_ceiling(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`log` of the right side of (3), or of pi_0(*) where that is smaller: `[...]`.

    The best pattern's log-probability falls to this value or below it.
    """
    rho, log_pi = checked(rewards, log_policy)
    best = _best(rho, log_pi)
    start = np.take_along_axis(log_pi, best[..., None], axis=-1)[..., 0]
    products = _log_products(intrinsic_path(rho, log_pi), best)
    return np.minimum(start, -np.max(products, axis=-1, initial=-np.inf))


def dip_share(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`2 pi_i - 1 - pi_*` at a state, i its most likely pattern: `[...]`.

    Where i is not the best pattern, pi_* at this state is at least `1/M` times this.
    """
    rho, log_pi = checked(rewards, log_policy)
    lead = np.max(log_pi, axis=-1)
    best = np.take_along_axis(log_pi, _best(rho, log_pi)[..., None], axis=-1)[..., 0]
    return np.asarray(2 * np.exp(lead) - 1 - np.exp(best))


def dip_three(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`F = (27/4) (Delta/delta) pi_0(*)^2 / (pi_0(i) pi_0(3))`: `[...]`.

    The limit of the depth, for three patterns and a rare best one. nan unless
    `has_single_dip_form`.
    """
    rho, log_pi = checked(rewards, log_policy)
    known = has_single_dip_form(rho, log_pi)
    if rho.shape[-1] < 3:
        return np.full(known.shape, np.nan)
    order = np.argsort(np.where(support(log_pi), rho, -np.inf), axis=-1)
    low, middle, high = (order[..., -3 + j, None] for j in range(3))

    def at(values: Floats, index: Ints) -> Floats:
        return np.take_along_axis(values, index, axis=-1)[..., 0]

    ratio = at(rho, high) - at(rho, middle)
    ratio = ratio / np.where(known, at(rho, middle) - at(rho, low), 1.0)
    log_pi = np.where(support(log_pi), log_pi, 0.0)
    scale = np.exp(2 * at(log_pi, high) - at(log_pi, middle) - at(log_pi, low))
    return np.where(known, 6.75 * ratio * scale, np.nan)


def dip_three_bounds(
    rewards: ArrayLike, log_policy: ArrayLike
) -> tuple[Floats, Floats]:
    """The two sides of (4), bounds on 1/M, as logarithms: `[...]` each.

    nan unless `has_single_dip_form`.
    """
    rho, log_pi = checked(rewards, log_policy)
    with np.errstate(divide="ignore"):
        scale = np.log(dip_three(rho, log_pi))
    known = np.isfinite(scale)
    inside = support(log_pi)
    best, first = _best(rho, log_pi)[..., None], np.argmax(log_pi, axis=-1)[..., None]
    names = np.arange(rho.shape[-1])
    third = np.argmax(inside & (names != best) & (names != first), axis=-1)[..., None]

    def at(values: Floats, index: Ints) -> Floats:
        return np.take_along_axis(values, index, axis=-1)[..., 0]

    height = inverse_difference(log_pi, first[..., 0])
    D, D_3 = (np.where(known, at(height, k), 1.0) for k in (best, third))
    rise = at(rho, best) - at(rho, first)
    ratio = rise / np.where(known, at(rho, first) - at(rho, third), 1.0)
    share = np.where(known, np.exp(at(log_pi, best) - at(log_pi, first)), 0.5)
    upper = scale - 3 * np.log1p(-share)
    return upper - np.log1p(np.where(known, 6.75 * ratio * D_3 / D, 0.0)), upper


def has_deep_edge(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """One edge, and all patterns but the best are worse than the likeliest: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    leader = np.argmax(log_pi, axis=-1)[..., None]
    above = rho >= np.take_along_axis(rho, leader, axis=-1)
    rivals = np.sum(support(log_pi) & above, axis=-1)
    return np.asarray(has_one_edge(rho, log_pi) & (rivals == 2))


def has_single_dip_form(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Three patterns, one edge, from the middle one to the best: `[...]`."""
    rho, log_pi = checked(rewards, log_policy)
    inside = support(log_pi)
    three = np.sum(inside, axis=-1) == 3
    leader = np.argmax(log_pi, axis=-1)[..., None]
    lowest = np.min(np.where(inside, rho, np.inf), axis=-1)
    above = np.take_along_axis(rho, leader, axis=-1)[..., 0] > lowest
    return np.asarray(three & has_one_edge(rho, log_pi) & above)


def lowest_best_mass(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """Smallest `log pi_*` along the whole flow, from the exact states: `[...]`.

    Grid and golden-section search on every piece; no bound, but a measurement. Where
    there are several dips, each would have to be wider than the grid (a quarter of a
    unit of the log odds) to be seen.
    """
    rho, log_pi = checked(rewards, log_policy)
    path, best = intrinsic_path(rho, log_pi), _best(rho, log_pi)[..., None]

    def value(piece: int, y: Floats) -> Floats:
        pieces = np.where(path.hull.edges >= piece, piece, path.hull.edges)
        log_probs = log_probs_at(path, Event(pieces, y))
        return np.take_along_axis(log_probs, best, axis=-1)[..., 0]

    batch = path.log_mean.shape
    lowest = np.take_along_axis(log_pi, best, axis=-1)[..., 0]
    ratio = (np.sqrt(5.0) - 1) / 2
    for piece in range(int(np.max(path.hull.edges, initial=0))):
        values = np.stack([value(piece, np.full(batch, y)) for y in _GRID])
        centre = _GRID[np.argmin(values, axis=0)]
        low, high = centre - (_GRID[1] - _GRID[0]), centre + (_GRID[1] - _GRID[0])
        for _ in range(_GOLDEN_STEPS):
            left, right = high - ratio * (high - low), low + ratio * (high - low)
            smaller = value(piece, left) < value(piece, right)
            low, high = np.where(smaller, low, left), np.where(smaller, right, high)
        lowest = np.minimum(lowest, value(piece, 0.5 * (low + high)))
    return lowest


def edge_depth(rewards: ArrayLike, log_policy: ArrayLike, z: ArrayLike) -> Floats:
    """`log` of the product for one edge at the fraction z of it: `[...]`.

    `(prod pi_0) D^2 (1-z)^2 prod (D_k + (delta_k/Delta) D z)`; nan unless
    `has_one_edge`. Its maximum over z is what `dip_ceiling` is one over.
    """
    rho, log_pi = checked(rewards, log_policy)
    known = has_one_edge(rho, log_pi)
    first, best = np.argmax(log_pi, axis=-1), _best(rho, log_pi)
    at_first, at_best = first[..., None], best[..., None]
    height = inverse_difference(log_pi, first)
    D = np.take_along_axis(height, at_best, axis=-1)
    rise = np.take_along_axis(rho, at_best, axis=-1)
    rise = rise - np.take_along_axis(rho, at_first, axis=-1)
    delta = np.take_along_axis(rho, at_first, axis=-1) - rho
    names = np.arange(rho.shape[-1])
    others = support(log_pi) & (names != at_first) & (names != at_best)
    share = np.asarray(z, dtype=np.float64)[..., None]
    factors = height + delta / np.where(known[..., None], rise, 1.0) * D * share
    log_factors = np.log(np.where(others & known[..., None], factors, 1.0))
    front = np.log(np.where(known, D[..., 0], 1.0)) + np.log1p(-share[..., 0])
    total = np.sum(log_pi, axis=-1, where=support(log_pi)) + 2 * front
    return np.where(known, total + np.sum(log_factors, axis=-1), np.nan)
