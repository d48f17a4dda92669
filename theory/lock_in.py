r"""C6: how fixed must success rates be? A rival that learns during the plateau.

Two answers, and the answer layer is trained too, at rate alpha: with the log odds
`z_k = log(s_k/(1 - s_k))`,

    theta_k' = pi_k (s_k - ACC),      z_k' = 2 alpha pi_k s_k (1 - s_k).

**The clock of a success rate.** Put `G(s) = z + sinh z`. As `dz/ds = 1/(s (1 - s))` and
`1 + cosh z = 1/(2 s (1 - s))`,

    d/dt G(s_k) = alpha pi_k,   hence   sum_k G(s_k(t)) = sum_k G(s_k(0)) + alpha t:

G measures the training time that a pattern received, whatever moves the policy. In
particular `G(s_k(t)) <= G(s_k(0)) + alpha t`, and no pattern catches up with s_*(0)
while `alpha t < G(s_*(0)) - G(s_k(0))`.  []

**Locked.** Let i have both the largest pi and the largest s. Then it keeps both:
`s_i >= ACC`, so `(theta_i - theta_k)' = pi_i (s_i - ACC) - pi_k (s_k - ACC) >= 0` (the
second term is negative, or smaller in both factors), and
`(G(s_i) - G(s_k))' = alpha (pi_i - pi_k) >= 0`. If i leads strictly in pi, it takes
all: otherwise `pi_k >= p > 0` for some k and all t; both rates tend to 1 with
`1 - s ~ 1/(2 G)`, and G_i/G_k stays above a number > 1, so that
`(theta_i - theta_k)' >= pi_k (s_i - s_k) >= const/t`, whose integral diverges.  []

**Plateau.** Rival r (success rate s, largest among all but *) holds nearly all the mass
and pi_0(*) is small. In the variables `u = exp(-theta)` of `theory.intrinsic_time`,
du_k/dtau = ACC - s_k holds with moving rates too; here ACC = s, `dt = dtau prod u`
(product over all but r), and only s moves (the others get too little time). In units of
u_*(0), with `Delta = s_* - s_r(0)`, `delta_k = s_r(0) - s_k`, `x = Delta sigma`, all
unknowns reduce to s and `v = int (s - s_r(0)) dsigma`, for any K:

    dv/dx = (s - s_r(0))/Delta,     y = 1 - x + v,     w_k = x + v Delta/delta_k,
    dG(s)/dx = C K (K - 1) y prod_k w_k,           v = 0, s = s_r(0) at x = 0.    (1)

y is u_*, w_k the other u_k (divided by delta_k/Delta). At alpha = 0 the crossing
(y = 0) is at x = 1, after the time `int (1 - x) x^(K-2) dx = 1/(K (K - 1))`: so C is
alpha times T_cross. If s reaches s_* before y reaches 0 the rival is locked in.

The right sides of (1) increase in the unknowns and in C, so solutions do (Kamke): there
is one threshold C(s). `alpha_c T_cross -> C(s)` as pi_0(*) -> 0: a formal limit, no
error bound. For (1) itself:

- K = 2: `y dy = -(s_* - s) dG/(2 C Delta)`, in closed form
  `C = (1/Delta) int G(s) ds - G(s_r)` over [s_r, s_*]: the mean of G above its start.
- Every K: `C <= G(s_*) - G(s_r)`. If not locked, x runs to 1 at least with y >= 1 - x,
  w >= x, and G grows by C or more.
- Every K, every m in (s_r, s_*): `C >= (G(m) - G(s_r)) ((s_* - m)/Delta)^(K-1)
  prod_k delta_k/(m - s_k)`. While s <= m, y <= 1 - (s_* - m) sigma and
  w_k delta_k/Delta <= (m - s_k) sigma; for smaller C, G never gets to G(m).  []

So fixed success rates are harmless iff alpha << 1/T_cross. Source: this project.
Limits: two answers; the rival must be the only pattern to dominate for long before *.
"""

import functools

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from theory.entanglement import NO_RIVAL, rival, transition_bounds
from theory.statement import Claim, Statement
from theory.support import Bools, Floats, checked, is_best, is_suboptimal, support

_NEWTON_STEPS = 60
_LEVELS = 200  # values of m in the lower bound
_DEEPEST = 14.0  # how far below its upper bound log C is looked for


def _log_odds(rates: Floats) -> Floats:
    return np.asarray(np.log(rates) - np.log1p(-rates))


def rate_clock(success_rates: ArrayLike) -> Floats:
    """`G(s) = z + sinh z`, `z = log(s/(1 - s))`: same shape; needs 0 < s < 1."""
    s = np.asarray(success_rates, dtype=np.float64)
    if not np.all((s > 0) & (s < 1)):
        raise ValueError(f"`success_rates` must lie inside (0, 1); got {s}.")
    z = _log_odds(s)
    return np.asarray(z + np.sinh(z))


def rate_after(success_rates: ArrayLike, received: ArrayLike) -> Floats:
    """The rate with `G = G(s) + received`, `received = alpha int pi_k dt`: `[...]`.

    With `received = alpha t` it bounds s_k(t) from above.
    """
    goal = rate_clock(success_rates) + np.asarray(received, dtype=np.float64)
    z = np.arcsinh(goal)  # beyond the root: Newton comes back monotonically
    for _ in range(_NEWTON_STEPS):
        step = (z + np.sinh(z) - goal) / (1 + np.cosh(z))
        z = z - step
        if np.all(np.abs(step) <= 1e-14 * (1 + np.abs(z))):
            break
    return np.asarray(1 / (1 + np.exp(-z)))


def safe_clock(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """While `alpha t` is below this, the best pattern stays the best one: `[...]`.

    `G(s_*) - max_k G(s_k)` over suboptimal k; inf where there is none.
    """
    s, log_pi = checked(success_rates, log_policy)
    inside = support(log_pi)
    clock = rate_clock(np.where(inside, s, 0.5))
    best = np.max(np.where(inside, clock, -np.inf), axis=-1)
    others = np.where(is_suboptimal(s, log_pi), clock, -np.inf)
    return np.asarray(best - np.max(others, axis=-1))


def is_locked(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """One pattern is the most likely, strictly, and no other is right more often."""
    s, log_pi = checked(success_rates, log_policy)
    modes = log_pi == np.max(log_pi, axis=-1, keepdims=True)
    best = is_best(s, log_pi)
    return np.asarray((modes.sum(axis=-1) == 1) & np.any(modes & best, axis=-1))


def _rates(
    best: ArrayLike, rival: ArrayLike, others: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    b, r = np.broadcast_arrays(
        np.asarray(best, dtype=np.float64), np.asarray(rival, dtype=np.float64)
    )
    low = np.asarray(others, dtype=np.float64)
    low = np.broadcast_to(low, (*b.shape, low.shape[-1]))
    if not (np.all((0 < r) & (r < b) & (b < 1)) and np.all(low < r[..., None])):
        raise ValueError("Rates must satisfy others < rival < best, inside (0, 1).")
    return b, r, low


def lock_in_bounds(
    best: ArrayLike, rival: ArrayLike, others: ArrayLike
) -> tuple[Floats, Floats]:
    """Explicit `lower < C < upper`: `[...]` each; `others` is `[..., K - 2]`."""
    b, r, low = _rates(best, rival, others)
    lower = np.zeros(b.shape)
    for fraction in np.arange(1, _LEVELS) / _LEVELS:
        m = r + (b - r) * fraction
        shrink = np.prod((r[..., None] - low) / (m[..., None] - low), axis=-1)
        shrink = shrink * (1 - fraction) ** (low.shape[-1] + 1)
        lower = np.maximum(lower, (rate_clock(m) - rate_clock(r)) * shrink)
    return lower, rate_clock(b) - rate_clock(r)


def lock_in_constant_two(best: ArrayLike, rival: ArrayLike) -> Floats:
    """C for two patterns, in closed form: `[...]`."""
    b, r, _ = _rates(best, rival, np.empty(0))

    def integral(s: Floats) -> Floats:  # of G
        return np.asarray((s - 0.5) * np.log(s) + (0.5 - s) * np.log1p(-s))

    return np.asarray((integral(b) - integral(r)) / (b - r) - rate_clock(r))


def _miss(log_c: float, best: float, rival: float, others: Floats) -> float:
    """Integrate (1): what is left of y if locked in, else minus what s lacks of s_*."""
    ratio = (best - rival) / (rival - others)
    speed = np.exp(log_c) * (others.size + 2) * (others.size + 1)

    def field(x: float, state: Floats) -> list[float]:
        v, s = state
        growth = speed * (1 - x + v) * np.prod(x + ratio * v)
        return [(s - rival) / (best - rival), 2 * growth * (s * (1 - s)) ** 2]

    def crossing(x: float, state: Floats) -> float:
        return float(1 - x + state[0])

    def locked(x: float, state: Floats) -> float:
        return float(best - state[1])

    crossing.terminal = locked.terminal = True  # type: ignore[attr-defined]
    # Near the threshold both events recede, logarithmically: 500 is out of reach.
    run = solve_ivp(
        field,
        (0.0, 500.0),
        [0.0, rival],
        method="DOP853",
        rtol=1e-10,
        atol=1e-12,
        events=[crossing, locked],
    )
    if run.t_events[1].size:
        return crossing(run.t[-1], run.y[:, -1])
    return -locked(run.t[-1], run.y[:, -1])


@functools.lru_cache(4096)
def _shot(best: float, rival: float, others: tuple[float, ...]) -> float:
    """C of one problem, kept: whoever asks for a rate has often asked for C before."""
    top = np.log(rate_clock(best) - rate_clock(rival))
    arguments = (best, rival, np.array(others))
    root = brentq(_miss, top - _DEEPEST, top, args=arguments, xtol=1e-9)
    return float(np.exp(root))


def lock_in_constant(best: ArrayLike, rival: ArrayLike, others: ArrayLike) -> Floats:
    """`C = lim alpha_c T_cross`: `[...]`; `others` is `[..., K - 2]`, all below rival.

    By shooting on (1), one problem at a time: about 0.2 s each, 8 digits. For K = 2
    see `lock_in_constant_two`.
    """
    b, r, low = _rates(best, rival, others)
    constant = np.empty(b.shape)
    for lane in np.ndindex(b.shape):
        rest = tuple(low[lane].tolist())
        constant[lane] = _shot(float(b[lane]), float(r[lane]), rest)
    return constant


def lock_in_rate(success_rates: ArrayLike, log_policy: ArrayLike) -> Floats:
    """Predicted threshold `alpha_c = C(s)/T_cross`: `[...]`, for small pi_0(*).

    nan unless `has_plateau`. One shooting problem per lane.
    """
    s, log_pi = checked(success_rates, log_policy)
    s, log_pi = np.broadcast_arrays(s, log_pi)
    valid = has_plateau(s, log_pi)
    time = transition_bounds(s, log_pi, event="crossing").exact
    second = np.broadcast_to(rival(s, log_pi), valid.shape)
    rate = np.full(valid.shape, np.nan)
    for lane in (i for i in np.ndindex(valid.shape) if valid[i]):
        inside = support(log_pi[lane])
        r = s[lane][second[lane]]
        others = s[lane][inside & (s[lane] < r)]
        best = np.max(s[lane], where=inside, initial=0.0)
        rate[lane] = lock_in_constant(best, r, others) / time[lane]
    return rate


def has_plateau(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Unique best and second-best rates in (0, 1), the best one not the likeliest."""
    s, log_pi = checked(success_rates, log_policy)
    inside, best = support(log_pi), is_best(s, log_pi)
    second = rival(s, log_pi)
    rate = np.take_along_axis(s, np.maximum(second, 0)[..., None], axis=-1)
    unique = (best.sum(axis=-1) == 1) & (np.sum(inside & (s == rate), axis=-1) == 1)
    top = np.max(log_pi, axis=-1, keepdims=True)
    behind = ~np.any(best & (log_pi == top), axis=-1)
    proper = np.all((s > 0) & (s < 1) | ~inside, axis=-1)
    return np.asarray(unique & behind & proper & (second != NO_RIVAL))


def _proper_rates(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    s, log_pi = checked(success_rates, log_policy)
    return np.asarray(np.all((s > 0) & (s < 1) | ~support(log_pi), axis=-1))


def _proper_and_locked(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    return _proper_rates(success_rates, log_policy) & is_locked(
        success_rates, log_policy
    )


STATEMENT = Statement(
    id="C6",
    title="Lock-in: a rival that learns its way out of being worse",
    words=(
        "If success rates are trained as well, the rival that holds the plateau gets "
        "all the practice. Trained faster than a constant over the plateau's length, "
        "it becomes as good as the best pattern and stays for ever."
    ),
    formula="alpha_c T_cross -> C(s);  sum_k G(s_k) = const + alpha t, G = z + sinh z",
    source="this project",
    assumptions="exact policy-gradient flow of pattern and answer logits; two answers; "
    "success rates inside (0, 1)",
    proof="clock G; comparison for the plateau equation; theory/lock_in.py",
    claims=(
        Claim(
            id="C6.clock",
            words="A success rate is a clock of the training its pattern received.",
            formula="G(s_k(t)) - G(s_k(0)) = alpha int_0^t pi_k",
            status="proved",
            hypotheses=_proper_rates,
        ),
        Claim(
            id="C6.safe",
            words="No worse pattern gets better than the best one before this time.",
            formula="alpha t < G(s_*) - max G(s_k)  =>  s_k(t) < s_*(t), k not best",
            status="proved",
            hypotheses=_proper_rates,
        ),
        Claim(
            id="C6.locked",
            words="A pattern that is both the likeliest and the best stays so and "
            "takes all the mass.",
            formula="pi_i > pi_k, s_i >= s_k for all k  =>  pi_i -> 1",
            status="proved",
            hypotheses=_proper_and_locked,
        ),
        Claim(
            id="C6.constant",
            words="For a rare best pattern the threshold rate is a constant over the "
            "time of crossing, for any number of patterns.",
            formula="alpha_c T_cross -> C(s) as pi_0(*) -> 0",
            status="formal",
            hypotheses=has_plateau,
        ),
        Claim(
            id="C6.bounds",
            words="The constant of the plateau equation lies between explicit bounds.",
            formula="(G(m) - G(s_r)) ((s_* - m)/Delta)^(K-1) prod delta_k/(m - s_k) "
            "<= C <= G(s_*) - G(s_r)",
            status="proved",
            hypotheses=has_plateau,
        ),
    ),
)
