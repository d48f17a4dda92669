r"""The whole path of one problem, in rows at fixed places, with times of many clocks.

The engine looks for events and goes as closely as each needs; here every piece of an
`Orbit` has as many rows, so that one program of a few milliseconds draws any problem.

Rows. A piece of extent `reach` in v (see `orbit`) is cut into `ROWS` steps of one size,
and the ends of the steps are the rows; before them comes the base policy. The last row
of a piece is a hand-over. The last piece ends where the patterns that are paid less
than its leader have together the probability

    m = min(END, m_0 / 100),     m_0: what they had where the piece began.

It is reached: with p <= p_0 and the smallest lead d, `u_k >= d tau` bounds their mass
by `(K - 1) p_0 / (d tau)`. So the gap to the best reward is at most `END` times the
spread of the rewards.

Times. The time over a step, `int Z / h dtau/dv dv`, is Radau's rule with five nodes,
the end among them: exact for polynomials of degree 8, with positive weights, so that
times cannot run backwards. Where a leader meets K - 1 patterns at once, `p (p + a)^(K -
1) = 1`, its p has a branch point at the distance pi / K from the real v. So a step is
cut into parts of at most 2 / K: the error of a part is of the order 6.4^-9 = 5e-8 of
it, 6.4 being the sum of the half-axes of the largest ellipse without a branch point.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simulator.engines.exact.fast_events import Passage
from simulator.engines.exact.many_clocks import Clocks
from simulator.engines.exact.orbit import Orbit, Piece, asinh_exp, log_shares
from simulator.engines.exact.states import (
    Panel,
    Root,
    log_u,
    log_unit_of_speed,
    panel,
    solve,
)

Scalar = Float[Array, ""]
Values = Float[Array, " K"]
Places = Float[Array, " N"]

ROWS = 128  # of a piece
END = 1e-4  # probability of the losing patterns in the last row
MOST_PATTERNS = 64
AT_ENDS, INSIDE = 9, 3  # iterations, from a rough guess and from an interpolated one
_SEARCH = 32

# Radau's rule on [0, 1] that includes the right end: the roots of P_5 - P_4 there.
_LEGENDRE = np.polynomial.legendre
NODES = (1 + np.sort(_LEGENDRE.legroots([0, 0, 0, 0, -1, 1])).real) / 2
NODES[-1] = 1.0
WEIGHTS = np.linalg.solve(
    np.vander(NODES, increasing=True).T, 1 / np.arange(1, len(NODES) + 1)
)


class Rows(NamedTuple):
    """All rows of one problem; those from `number` on repeat the last that counts.

    - `log_gains`: log of the time since the row before, one line per clock: 0 time for
      the first row and those that repeat. `log_times` adds them up.
    - `log_tau`: log of the intrinsic time.
    - `piece`, `log_odds`: where a row is: log odds of x on that piece, log of the
      intrinsic time since its start on the last one; -inf at its start.
    - `leader`: the most likely pattern up to there.
    """

    log_probs: Float[Array, "N K"]
    log_gains: Float[Array, "C N"]
    log_tau: Places
    log_odds: Places
    piece: Int[Array, " N"]
    leader: Int[Array, " N"]
    number: Int[Array, ""]


class Walk(NamedTuple):
    """Where the next piece begins, and the rows before."""

    leader: Int[Array, ""]
    log_a: Values
    log_p: Scalar
    log_tau: Scalar
    pieces: Int[Array, ""]
    goes_on: Bool[Array, ""]
    rows: Rows


def num_rows(num_patterns: int) -> int:
    """`N`: the base policy, and room for as many pieces as there are patterns."""
    return 1 + num_patterns * ROWS


def log_times(log_gains: Any) -> Any:
    """Log times of all rows `[..., N]`; they never fall.

    In NumPy one by one: `logaddexp(x, y)` is never below x.
    """
    if isinstance(log_gains, np.ndarray):
        return np.logaddexp.accumulate(log_gains, axis=-1)
    sums = jax.lax.cumlogsumexp(log_gains, axis=log_gains.ndim - 1)
    return jax.lax.cummax(sums, axis=sums.ndim - 1)


def whole_path(rewards: Values, log_policy: Values, clocks: Clocks) -> Rows:
    """The rows of one problem, with the times of all clocks.

    Rewards of patterns outside the support do not count. If all others are equal,
    nothing moves and one row is kept.
    """
    inside = log_policy > -jnp.inf
    rewards = jnp.where(inside, rewards, 0.0)
    orbit, patterns, size = (
        Orbit(rewards, log_policy),
        len(rewards),
        num_rows(len(rewards)),
    )
    leader, log_a, log_p = orbit.base()
    none = jnp.full(size, -jnp.inf, log_p.dtype)
    base = jnp.broadcast_to(jax.nn.log_softmax(log_policy), (size, patterns))
    rows = Rows(
        log_probs=base,
        log_gains=jnp.broadcast_to(none, (clocks.number, size)),
        log_tau=none,
        log_odds=none,
        piece=jnp.zeros(size, int),
        leader=jnp.full(size, leader),
        number=jnp.asarray(1),
    )
    highest = jnp.max(jnp.where(inside, rewards, -jnp.inf))
    moves = jnp.any(inside & (rewards < highest))
    start = Walk(leader, log_a, log_p, none[0], jnp.asarray(0), moves, rows)
    rows = jax.lax.while_loop(
        lambda walk: walk.goes_on, lambda walk: _next(orbit, walk, clocks), start
    ).rows
    place = jnp.minimum(jnp.arange(size), rows.number - 1)
    return rows._replace(
        log_probs=rows.log_probs[place],
        log_tau=rows.log_tau[place],
        log_odds=rows.log_odds[place],
        piece=rows.piece[place],
        leader=rows.leader[place],
    )


def _next(orbit: Orbit, walk: Walk, clocks: Clocks) -> Walk:
    """One piece more."""
    piece = orbit.piece(walk.leader, walk.log_a, walk.log_p)
    v, log_gains, log_us, log_ps = _piece_rows(orbit, piece, walk.log_p, clocks)
    log_left, log_right = jax.vmap(lambda v: log_shares(piece, v))(v)
    log_tau = jnp.logaddexp(walk.log_tau, piece.log_length + log_right)
    shown = jnp.where(orbit.inside[:, None], -log_us, -jnp.inf)
    rows, first, q = walk.rows, 1 + walk.pieces * ROWS, walk.pieces

    def put(table, new, axis=0):
        new = jnp.asarray(new, table.dtype)
        return jax.lax.dynamic_update_slice_in_dim(table, new, first, axis)

    return Walk(
        leader=piece.heir,
        log_a=piece.log_b,
        log_p=log_ps[-1],
        log_tau=log_tau[-1],
        pieces=q + 1,
        goes_on=piece.bounded & (q + 1 < len(orbit.rewards)),
        rows=Rows(
            log_probs=put(rows.log_probs, jax.nn.log_softmax(shown, axis=0).T),
            log_gains=put(rows.log_gains, log_gains, axis=1),
            log_tau=put(rows.log_tau, log_tau),
            log_odds=put(rows.log_odds, log_right - log_left),
            piece=put(rows.piece, jnp.full(ROWS, q)),
            leader=put(rows.leader, jnp.full(ROWS, piece.leader)),
            number=rows.number + ROWS,
        ),
    )


def _piece_rows(orbit: Orbit, piece: Piece, log_p: Scalar, clocks: Clocks):
    """Places `[R]`, log times of the steps `[C, R]`, `log u` `[K, R]`, `log p`."""
    step = _reach(orbit, piece, log_p) / ROWS
    patterns = jnp.sum(orbit.inside, dtype=step.dtype)
    parts = jnp.maximum(jnp.ceil(step * patterns / 2), 1)
    size, first = step / parts, step * jnp.arange(ROWS, dtype=step.dtype)

    def part(i, sofar):
        start = first + jnp.asarray(i, step.dtype) * size
        panels = _panels(orbit, piece, start, size)
        ends, log_gains = _gains(orbit, piece, panels, clocks)
        log_ps = panels.log_p + ends.log_q
        return jnp.logaddexp(sofar[0], log_gains), log_u(panels, piece, ends), log_ps

    never = jnp.asarray(-jnp.inf, step.dtype)
    blank = jax.tree.map(
        lambda x: jnp.full(x.shape, never), jax.eval_shape(part, 0, (never,))
    )
    number = parts.astype(jnp.int32)
    log_gains, log_us, log_ps = jax.lax.fori_loop(0, number, part, blank)
    return first + step, log_gains, log_us, log_ps


def _log_a(piece: Piece, v: Scalar) -> Values:
    """`log a_k` at a place."""
    log_left, log_right = log_shares(piece, v)
    return jnp.logaddexp(piece.log_a + log_left, piece.log_b + log_right)


def _panels(orbit: Orbit, piece: Piece, starts: Places, size: Scalar) -> Panel:
    """A panel from each of the starts; its unit of p is a rough guess at its end."""

    def one(v):
        log_p = orbit.rough_root(_log_a(piece, v + size))
        return panel(orbit, piece, v, size, log_p)

    return jax.vmap(one, out_axes=-1)(starts)


def _repeated(panels: Panel, times: int) -> Panel:
    """All panels once more, and again."""
    return jax.tree.map(lambda x: jnp.concatenate([x] * times, axis=-1), panels)


def _at(panels: Panel, shares: list[float]) -> Root:
    """The states at these shares of each panel, from no guess; share by share."""
    many = _repeated(panels, len(shares))
    offset = jnp.concatenate([share * panels.size for share in shares])
    return solve(many, offset, jnp.zeros_like(offset), AT_ENDS)


def _gains(
    orbit: Orbit, piece: Piece, panels: Panel, clocks: Clocks
) -> tuple[Root, Float[Array, "C R"]]:
    """The states at the ends of panels; log of the time over each, in every clock."""
    count, size = panels.size.shape[0], panels.size
    knots = _at(panels, [0.0, 1.0])
    left, right = knots.log_q[:count], knots.log_q[count:]
    rise, fall = knots.drift[:count] * size, knots.drift[count:] * size

    def guess(f):
        """The cubic that has these values and slopes at both ends."""
        g = 1 - f
        bend = g * rise - f * fall + (g - f) * (left - right)
        return left * g + right * f + f * g * bend

    many = _repeated(panels, len(NODES))
    offset = jnp.concatenate([f * size for f in NODES])
    nodes = solve(many, offset, jnp.concatenate([guess(f) for f in NODES]), INSIDE)
    leads = jnp.arange(len(orbit.inside)) == piece.leader
    passage = Passage(
        leads=leads,
        others=orbit.inside & ~leads,
        rewards=orbit.rewards,
        log_size=many.log_p[None, :] - many.scale,
        shape=jnp.exp(nodes.log_q)[None, :] / nodes.m,
    )
    log_rate = jnp.log(nodes.share * nodes.speed) - nodes.log_q
    log_rate = log_rate + log_unit_of_speed(many) - many.log_p
    log_rates = log_rate[None, :] - clocks.log_factors(orbit, passage)
    log_rates = log_rates.reshape(len(log_rates), len(NODES), count)
    log_weights = jnp.log(jnp.asarray(WEIGHTS, size.dtype)[:, None] * size[None, :])
    ends = jax.tree.map(lambda x: x[..., -count:], nodes)
    return ends, jax.nn.logsumexp(log_rates + log_weights[None], axis=1)


def _reach(orbit: Orbit, piece: Piece, log_p: Scalar) -> Scalar:
    """The extent of a piece in v; of the last one as far as its rows go."""
    losing = orbit.inside & (piece.log_b > -jnp.inf)

    def log_lost(log_a, log_p):
        """Log of the mass of those that are paid less, in units of the leader's.

        It rises with `log p`: with a bound of that it is one.
        """
        log_odds = jnp.where(losing, log_p - jnp.logaddexp(log_p, log_a), -jnp.inf)
        return jax.nn.logsumexp(log_odds)

    def search(_):
        first = log_lost(piece.log_a, log_p)
        goal = jnp.minimum(jnp.log(END), first - jnp.log(100.0))
        lead = jnp.min(jnp.where(losing, piece.log_b, jnp.inf))
        number = jnp.sum(losing, dtype=log_p.dtype)
        latest = jnp.log(number) + log_p - lead - goal
        low, high = jnp.zeros_like(log_p), asinh_exp(latest - piece.log_tilt)

        def there(v):
            log_a = _log_a(piece, v)
            return log_lost(log_a, jnp.minimum(orbit.rough_root(log_a), log_p)) <= goal

        def closer(_, between):
            low, high = between
            v = low + (high - low) * jnp.linspace(
                1 / _SEARCH, 1, _SEARCH, dtype=low.dtype
            )
            # The bound says that the last one is there; rounding may not.
            place = jnp.argmax(jax.vmap(there)(v).at[-1].set(True))
            return v[place] - (high - low) / _SEARCH, v[place]

        return jax.lax.fori_loop(0, 2, closer, (low, high))[1]

    return jax.lax.cond(piece.bounded, lambda _: piece.reach, search, None)
