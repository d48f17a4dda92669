r"""The approach to the limit, with an error bar: two states that bracket the time t.

Setting: the best pattern is the most likely one and `gap(0) < delta_k = rho_* - rho_k`
for every suboptimal k (`in_tail`). Every flow gets there, and the flow has no memory:
any later state may be taken as the start. Notation of `theory.intrinsic_time`; m best
patterns share the largest initial probability (the *survivors*, `u = p`), the others
have `u_k = p + a_k`, `a_k = A_k + delta_k tau` (constant for the other best ones, the
*losers*). Write `R(p) = prod_{k not a survivor} (p + a_k)` and `R_0 = R(0)`.

**The clock.** `L = int m R_0^(1/m) dtau` is a known function of tau, and with
`I = int S dtau`, `S = sum_{k not a survivor} 1/u_k`, the time off the survivors,

    L + I  <=  t  <=  L + (m + 1) I.                                             (1)

Proof. `p^m R(p) = 1` gives `1/p = f(p) = R(p)^(1/m)` and `Z = m f(p) + S`. For
`x >= y > 0`, `x - y = (x^m - y^m) / sum_j x^j y^(m-1-j) <= (x^m - y^m) / x^(m-1)`. With
`x = f(p)`, `y = f(0)` and, R having coefficients >= 0, `R(p) - R(0) <= p R'(p)`:

    0 <= f(p) - f(0) <= p R'(p) / f(p)^(m-1) = S,

as `p R'(p) = R(p) sum p/(p + a_k) = p S f(p)^m` and `p f(p) = 1`. Now integrate.  []
(m = 1 is the law of `theory.clock`, which says nothing for ties: there R_0 = 0.)

**The lost time** is known too. `u_k' = rho_bar - rho_k = delta_k - gap`, and gap never
rises, so `delta_k - gap(0) <= u_k' <= delta_k`; divide by u_k and integrate. For a
loser `u_l' = -gap <= 0`. Hence, over suboptimal k and losers l,

    sum_k log(u_k/c_k) / delta_k + sum_l tau/c_l  <=  I
        <=  sum_k log(u_k/c_k) / (delta_k - gap(0)) + sum_l tau/u_l.             (2)

**The bracket.** (1) and (2) bound t by two increasing functions of tau, hence tau from
two sides at a given t. Between these two states lies the state at time t. The gap never
rises, so its values there bound `gap(t)`. If * is the only best pattern every other
probability `1/(u_k Z)` falls: u_k rises and so does Z, as `Z' = Z sum_j x_j/u_j` with
`x_j = pi_j (rho_j - rho_bar)`, where only x_* is positive, `sum_j x_j = 0`, and 1/u_*
is the largest weight.  [] The relative width of the bracket is of order I/L: `log(t)/t`
without losers, `t^(-n/(n+m))` with them.

**The rate.** From `(1/gap)' = sum_j (x_j/gap)^2` (`theory.monotone_regime`). Let P be
the mass on all best patterns, `P_m` that on the survivors, and `c = n m/(n + m)` the
limit of t gap. The survivors contribute `P_m^2/m`. The negative x_j are n at most, and
add up to `P_m gap` or more, so they contribute at least `P_m^2/n`. Hence from every
start, with `P_m^2 >= 1 - 2 (1 - P_m)` and I the time off the survivors,

    1/gap(t) - 1/gap(0)  >=  (1/c) int P_m^2 dt  >=  (1/c) (t - 2 I).            (3)

In the tail the negative ones add up to P gap exactly, and by Kantorovich's inequality
their squares to at most `(P gap)^2 (1 + kappa)/n`, `kappa = (r - 1)^2/(4 r)`, r the
largest ratio of two of them. No best pattern is likelier than a survivor, so the best
ones contribute at most `P max pi <= P^2/m`:

    1/gap(t) - 1/gap(0)  <=  t/c + (1/n) int kappa dt.                           (4)

Since `1/|x_k| ~ u_k/(delta_k - gap) = tau + E_k`, where `0 <= E_k <= E = max (c_k + n
c_*)/(delta_k - gap(0))` (from `p + A_k <= c_k` and `tau gap <= n p <= n c_*`), we have
`kappa <= (E/2 tau)^2`, and tau grows like `t^(m/(n+m))`: for a unique best pattern the
error below is of order `t^(-2/K)`, the error above of order `log(t)/t`.  []
Source: this project. Limits: exact flow, fixed rewards; nan outside `in_tail`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_expit

from theory.intrinsic_time import (
    Event,
    Path,
    intrinsic_path,
    log_differences,
    log_probs_at,
    log_smallest,
)
from theory.support import (
    Bools,
    Floats,
    best_reward,
    checked,
    gap,
    is_best,
    is_suboptimal,
    log_sum,
    support,
)
from theory.survivors import survivors

# Trapezoidal rule in the log odds of the fraction covered (see `theory.clock`); its
# relative error is about e^(-2 pi^2 / step) (2 pi / step)^n / n!.
_LOG_ODDS = np.linspace(-42.0, 42.0, 241)
_STEPS = 100
_WIDEST = 700.0
_ROUNDING = 1e-15


class Bracket(NamedTuple):
    """Log-probabilities `[..., K]` certainly reached before and only after a time."""

    early: Floats
    late: Floats


class TailBounds(NamedTuple):
    """`lower <= value <= upper` up to rounding; `[...]`, nan outside the hypotheses."""

    lower: Floats
    upper: Floats


def in_tail(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """A best pattern is the most likely, and only best ones beat the average: `[...]`.

    False where all patterns of the support are best.
    """
    rho, log_pi = checked(rewards, log_policy)
    others = is_suboptimal(rho, log_pi)
    delta = np.where(others, best_reward(rho, log_pi)[..., None] - rho, np.inf)
    leads = np.any(
        is_best(rho, log_pi) & (log_pi == np.max(log_pi, axis=-1, keepdims=True)),
        axis=-1,
    )
    below = gap(rho, log_pi) < np.min(delta, axis=-1)
    return np.asarray(leads & below & np.any(others, axis=-1))


def unevenness(rewards: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`kappa = (r - 1)^2/(4 r)`, r the ratio of extreme falling speeds: `[...]`.

    r compares `pi_k (rho_bar - rho_k)` over suboptimal k; 0 for a single one, nan
    outside `in_tail`.
    """
    rho, log_pi = checked(rewards, log_policy)
    others = is_suboptimal(rho, log_pi)
    known = in_tail(rho, log_pi)
    delta = best_reward(rho, log_pi)[..., None] - rho
    slack = delta - gap(rho, log_pi)[..., None]
    log_speed = log_pi + np.log(np.where(others & known[..., None], slack, 1.0))
    log_ratio = np.max(np.where(others, log_speed, -np.inf), axis=-1) - np.min(
        np.where(others, log_speed, np.inf), axis=-1
    )
    with np.errstate(over="ignore"):
        return np.where(
            known, np.sinh(0.5 * np.where(known, log_ratio, 0)) ** 2, np.nan
        )


class _Clock(NamedTuple):
    """Logs of both bounds on t and of `tau d/dtau` of each, all `[...]`."""

    lower: Floats
    upper: Floats
    lower_growth: Floats
    upper_growth: Floats


def _leading_time(path: Path, kept: Bools, y: Floats) -> tuple[Floats, Floats]:
    """Logs of L and of `tau L'` at the slope `e^y`: `[...]` each."""
    others = path.inside & ~kept
    count = np.sum(kept, axis=-1)
    log_x, log_rest = log_expit(_LOG_ODDS), log_expit(-_LOG_ODDS)
    log_slope = y[..., None] + np.append(log_x, 0.0)
    start, growth = path.log_starts[..., 0, None, :], path.log_growth[..., None, :]
    log_a = np.logaddexp(start, growth + log_slope[..., None])  # [..., N + 1, K]
    log_product = np.sum(log_a, axis=-1, where=others[..., None, :])
    log_rate = np.log(count)[..., None] + log_product / count[..., None]
    log_rate = log_rate + (path.log_mean + y)[..., None]
    log_weight = log_x + log_rest + np.log(_LOG_ODDS[1] - _LOG_ODDS[0])
    return log_sum(log_rate[..., :-1] + log_weight), log_rate[..., -1]


def _clock(rho: Floats, log_pi: Floats, path: Path, kept: Bools, y: Floats) -> _Clock:
    """The two functions of tau in (1) and (2)."""
    others, losers = is_suboptimal(rho, log_pi), is_best(rho, log_pi) & ~kept
    delta = np.where(others, best_reward(rho, log_pi)[..., None] - rho, 1.0)
    slack = np.where(others, delta - gap(rho, log_pi)[..., None], 1.0)
    log_c = path.log_mean[..., None] - np.where(path.inside, log_pi, 0.0)
    log_tau = (y + path.log_mean)[..., None]
    event = Event(np.zeros(y.shape, dtype=np.int64), y)
    log_a = log_differences(path, event)
    log_u = np.logaddexp(log_smallest(log_a, path.inside)[..., None], log_a)
    now = gap(rho, log_probs_at(path, event))[..., None]

    moving = others | losers
    held = np.exp(np.where(moving, log_tau - log_c, 0.0))
    held_long = np.exp(np.where(moving, log_tau - log_u, 0.0))
    # log(u/c), also where it is below rounding: delta - gap(0) <= u' <= delta.
    least, largest = np.log1p(slack * held), np.log1p(delta * held)
    grown = np.clip(np.where(others, log_u - log_c, 0.0), least, largest)
    rounding = _ROUNDING * (1 + np.abs(log_c))
    shortest = np.maximum(grown - rounding, least)
    longest = np.minimum(grown + rounding, largest)
    speed = held_long * np.where(others, delta - now, 0.0)
    faster = np.where(longest < largest, speed, delta * held / (1 + delta * held))

    def total(of_losers: Floats, of_others: Floats) -> Floats:
        terms = np.where(losers, of_losers, of_others)
        return np.asarray(np.sum(terms, axis=-1, where=moving))

    lost, lost_growth = total(held, shortest / delta), total(held, speed / delta)
    most = total(held_long, longest / slack)
    most_growth = total(held_long * (1 + held_long * now), faster / slack)
    log_time, log_growth = _leading_time(path, kept, y)
    m = np.sum(kept, axis=-1)

    def plus(log_main: Floats, extra: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.logaddexp(log_main, np.log(extra))

    return _Clock(
        plus(log_time, lost),
        plus(log_time, (m + 1) * most),
        plus(log_growth, lost_growth),
        plus(log_growth, (m + 1) * most_growth),
    )


def _invert(
    rho: Floats, log_pi: Floats, log_time: Floats, kept: Bools, which: str
) -> Floats:
    """`y = log sigma` at which one of the two bounds equals the given time: `[...]`."""
    path = intrinsic_path(rho, log_pi)
    low, high = np.full(log_time.shape, -_WIDEST), np.full(log_time.shape, _WIDEST)
    y = np.zeros(log_time.shape)
    moving = np.ones(log_time.shape, dtype=bool)
    for _ in range(_STEPS):
        clock = _clock(rho, log_pi, path, kept, y)
        value = getattr(clock, which) - log_time
        # d log t / d log tau lies between 0 and n + 1.
        step = -value * np.exp(
            getattr(clock, which) - getattr(clock, which + "_growth")
        )
        low, high = np.where(value < 0, y, low), np.where(value < 0, high, y)
        newton = y + step
        inside = (newton >= low) & (newton <= high)
        following = np.where(inside, newton, 0.5 * (low + high))
        # Each lane stops by itself and never depends on its neighbours.
        y, moved = np.where(moving, following, y), np.abs(following - y)
        moving = moving & (moved > 1e-14 * (1 + np.abs(y)))
        if not np.any(moving):
            break
    return y


def tail_bracket(rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike) -> Bracket:
    """Two states of the flow, one passed before and one after `time > 0`.

    `time` broadcasts with the batch. nan outside `in_tail`.
    """
    rho, log_pi = checked(rewards, log_policy)
    clock = np.asarray(time, dtype=np.float64)
    if not np.all(clock > 0):
        raise ValueError(f"`time` must be positive; got {time!r}.")
    shape = np.broadcast_shapes(clock.shape, rho.shape[:-1])
    log_time = np.broadcast_to(np.log(clock), shape)
    rho, log_pi = (np.broadcast_to(x, (*shape, rho.shape[-1])) for x in (rho, log_pi))
    known = in_tail(rho, log_pi)[..., None]
    # Lanes outside the hypotheses run a harmless problem and are masked.
    inside = support(log_pi)
    even = np.where(inside, -np.log(np.sum(inside, axis=-1, keepdims=True)), -np.inf)
    rho = np.where(known, rho, is_best(rho, log_pi))
    log_pi = np.where(known, log_pi, even)
    kept = survivors(rho, log_pi)
    path = intrinsic_path(rho, log_pi)
    states = []
    for which in ("upper", "lower"):
        y = _invert(rho, log_pi, log_time, kept, which)
        event = Event(np.zeros(shape, dtype=np.int64), y)
        states.append(np.where(known, log_probs_at(path, event), np.nan))
    return Bracket(*states)


def tail_bounds(
    rewards: ArrayLike, log_policy: ArrayLike, time: ArrayLike
) -> TailBounds:
    """Rigorous bounds on `t * gap(t)`, tending to `n m/(n + m)` from both sides.

    `time` broadcasts with the batch; nan outside `in_tail`.
    """
    rho, _ = checked(rewards, log_policy)
    bracket = tail_bracket(rewards, log_policy, time)
    inside = support(np.asarray(log_policy, dtype=np.float64))
    short = np.where(inside, best_reward(rho, _)[..., None] - rho, 0.0)
    early, late = (np.sum(np.exp(x) * short, axis=-1) for x in bracket)
    times = np.asarray(time, dtype=np.float64)
    return TailBounds(times * late, times * early)


def gap_rate_bounds(
    rewards: ArrayLike,
    log_policy: ArrayLike,
    time: ArrayLike,
    time_off: ArrayLike,
    uneven_time: ArrayLike,
) -> TailBounds:
    """(3) and (4) as bounds on `gap(t)`, given two integrals along the run: `[...]`.

    `time_off` is `I = int_0^t (1 - P_m)`, `uneven_time` is `int_0^t kappa`. nan outside
    `in_tail`.
    """
    rho, log_pi = checked(rewards, log_policy)
    known = in_tail(rho, log_pi)
    n = np.maximum(np.sum(is_suboptimal(rho, log_pi), axis=-1), 1)
    rate = 1 / n + 1 / np.sum(survivors(rho, log_pi), axis=-1)
    start = 1 / np.where(known, gap(rho, log_pi), np.nan)
    clock = np.asarray(time, dtype=np.float64)
    least = np.maximum(clock - 2 * np.asarray(time_off), 0.0)
    lower = 1 / (start + rate * clock + np.asarray(uneven_time) / n)
    return TailBounds(lower, 1 / (start + rate * least))
