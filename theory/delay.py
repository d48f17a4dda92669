r"""B4: how long an event takes, from two sides and without an integral of the flow.

`theory.clock` proves, for any event and any hull,

    L + I  <=  t  <=  L + 2 I,

with L the integral of a piecewise polynomial in the intrinsic time, and I the time lost
to not being decided. Here I is bounded by logarithms, so that both sides become
elementary functions of the base model. Source: this project.

**Bound on I.** On a piece with dominant pattern i, `p <= 1` and `p R(p) = 1` give
`p >= 1/R(1) = 1/prod_{k != i} (1 + a_k)`. Replace each a_k by its larger end value to
get one number P for the piece. Since a_k runs linearly from A_k to B_k while tau
advances by l, `1/u_k <= 1/(P + a_k)` integrates to

    I  <=  sum_{pieces} sum_{k != i} l  log((P + B_k)/(P + A_k)) / (B_k - A_k),

the length of the piece over the logarithmic mean of its ends. P is a power of pi_0(*)
at worst, so I is logarithmic in 1/pi_0(*), while L is a power of it.  []

Events. *Crossing*: the best pattern becomes the most likely one, at the last hull
slope. *T0*: the accuracy passes the second-best rate, where the runner-up's logit
peaks. The events, and the degree of L in 1/pi_0(*): `theory.entanglement`. The dip on
the way: `theory.dip`. A version of the law for tied patterns, where L vanishes:
`theory.tail_bounds`.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.clock import log_piece_length, time_of
from theory.dip import has_deep_edge, has_single_dip_form
from theory.entanglement import TransitionBounds, has_t0
from theory.hull import dominance_hull
from theory.intrinsic_time import UNRESOLVED, Event, Path, log_differences
from theory.statement import Claim, Statement
from theory.support import Bools, Floats, checked
from theory.survivors import has_suboptimal


def lost_time_bound(path: Path, event: Event) -> Floats:
    """The explicit upper bound on I at an event: `[...]`, nan if unresolved."""
    names = np.arange(path.inside.shape[-1])
    at_event = log_differences(path, event)
    total = np.zeros(path.log_mean.shape)
    for q in range(names.size):
        active = event.piece >= q
        start = path.log_starts[..., q, :]
        following = path.log_starts[..., min(q + 1, names.size - 1), :]
        end = np.where((event.piece == q)[..., None], at_event, following)
        dominant = path.hull.vertices[..., q, None]
        others = path.inside & (names != dominant) & active[..., None]
        larger = np.where(others, np.maximum(start, end), -np.inf)
        log_floor = -np.sum(np.logaddexp(0.0, larger), axis=-1)[..., None]
        left = np.logaddexp(log_floor, np.where(others, start, 0.0))
        right = np.logaddexp(log_floor, np.where(others, end, 0.0))
        ratio = np.abs(right - left)
        # Logarithmic mean of e^left and e^right, without cancellation.
        shape = np.where(ratio > 0, ratio, 1.0) / np.where(
            ratio > 0, np.expm1(np.minimum(ratio, 700.0)), 1.0
        )
        log_length = np.where(active, log_piece_length(path, event, q), -np.inf)
        reciprocal = np.exp(log_length[..., None] - np.minimum(left, right)) * shape
        total = total + np.sum(np.where(others, reciprocal, 0.0), axis=-1)
    return np.where(event.piece == UNRESOLVED, np.nan, total)


def delay_bounds(path: Path, event: Event) -> TransitionBounds:
    """`L <= t <= L + 2 (bound on I)`, elementary, and the exact t: `[...]` each."""
    clock = time_of(path, event)
    upper = clock.product + 2 * lost_time_bound(path, event)
    return TransitionBounds(lower=clock.product, upper=upper, exact=clock.time)


def has_crossing(rewards: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Whether the best pattern is not the most likely one at the start: `[...]`."""
    return np.asarray(dominance_hull(*checked(rewards, log_policy)).edges > 0)


STATEMENT = Statement(
    id="B4",
    title="How long: a two-sided law for every event, and the dip on the way",
    words=(
        "The time of any event is known up to the time the model spends undecided, "
        "which is only logarithmic in the rarity of the best pattern. On the way the "
        "best pattern loses mass, by a known factor."
    ),
    formula="L + I <= t <= L + 2 I;  min pi_* <= 1/max(a_* prod_{k != i} a_k)",
    source="this project",
    assumptions="exact softmax policy-gradient flow; fixed rewards",
    proof="a polynomial with nonnegative coefficients; theory/clock.py, "
    "theory/delay.py, theory/dip.py",
    claims=(
        Claim(
            id="B4.law",
            words="Any event takes between L + I and L + 2 I.",
            formula="L + I <= t <= L + 2 I",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B4.crossing",
            words="In particular the time at which the best pattern takes the lead.",
            formula="L + I <= T_cross <= L + 2 I",
            status="proved",
            hypotheses=has_crossing,
        ),
        Claim(
            id="B4.t0",
            words="And the time at which accuracy passes the second-best rate.",
            formula="L + I <= T0 <= L + 2 I",
            status="proved",
            hypotheses=has_t0,
        ),
        Claim(
            id="B4.lost",
            words="The time lost undecided is at most a sum of logarithmic means.",
            formula="I <= sum l log((P + B)/(P + A))/(B - A)",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B4.dip",
            words="When exactly the best pattern loses mass.",
            formula="pi_*' < 0  <=>  "
            "pi_* (rho_* - rho_bar) < sum_j pi_j^2 (rho_j - rho_bar)",
            status="proved",
            hypotheses=has_suboptimal,
        ),
        Claim(
            id="B4.dip-ceiling",
            words="The dip is at least this deep, on any hull.",
            formula="min pi_* <= 1/max(a_* prod_{k != i} a_k)",
            status="proved",
            hypotheses=has_crossing,
        ),
        Claim(
            id="B4.dip-depth",
            words="And not much deeper, if the likeliest pattern then holds nearly all "
            "the mass; it does for one edge, others that are worse, and a rare best "
            "pattern.",
            formula="(2 pi_i - 1 - pi_*)/M <= min pi_* <= 1/M, "
            "M = max(a_* prod_{k != i} a_k);  M min pi_* -> 1 as pi_0(*) -> 0",
            status="proved",
            hypotheses=has_deep_edge,
        ),
        Claim(
            id="B4.dip-three",
            words="With three patterns the dip goes to a multiple of pi_0(*)^2 as the "
            "best one gets rare.",
            formula="min pi_* / ((27/4)(Delta/delta) pi_0(*)^2/(pi_0(i) pi_0(3))) -> 1",
            status="proved",
            hypotheses=has_single_dip_form,
        ),
        Claim(
            id="B4.dips",
            words="There is at most one dip per hand-over.",
            formula="number of local minima of pi_* <= number of hull edges",
            status="formal",
            hypotheses=has_crossing,
        ),
    ),
)
