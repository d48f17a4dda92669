"""Simulated runs for the checks: few compiled programs, shared by all statements.

A run ends at a gap that is given lane by lane: that serves every claim about a state, a
time or a moment on the way.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import simulator as sim
import theory
from experiments.checks.path_integrals import KINDS, Meter
from experiments.checks.per_lane_rules import Menu

# Beyond such a time the quadrature of `theory.clock` (801 nodes) loses digits: measured
# against both engines, 1e-9 at 1e110, 6e-7 at 1e158, 1e-4 at 1e240.
LONGEST = 1e90
FLOOR = 1e-8  # of a residual: below it is rounding
GROUP = 8
FLOW_RULES = (sim.PolicyGradient(), sim.GRPO(GROUP))  # share one program
NEVER = 1e-300  # a gap that no run comes to
MOMENTS = (sim.T0(), sim.Crossing(), sim.LowestOptimalProbability())


class Runs(NamedTuple):
    """Ends of runs `[B]`, `[B, K]`; moments on the way `[B, E]`, `[B, E, K]`.

    `reached`: whether the run ended where it was to stop; `lasted`: whether it went on
    until rest, or through all times. `saved`: log-probabilities `[B, T, K]`.
    """

    reached: np.ndarray
    lasted: np.ndarray
    log_time: np.ndarray
    log_probs: np.ndarray
    log_moments: np.ndarray
    at_moments: np.ndarray
    saved: np.ndarray | None

    @property
    def time(self) -> np.ndarray:
        """May be inf."""
        with np.errstate(over="ignore"):
            return np.exp(self.log_time)


def run(
    rates: np.ndarray,
    log_policy: np.ndarray,
    signal: Any = None,
    update: Any = None,
    *,
    level: Any = None,
    until: Any = None,
    times: Any = None,
    method: str = "exact",
    events: tuple = (),
    kernel: np.ndarray | None = None,
    reference: np.ndarray | None = None,
    progress: Any = None,
    **options: Any,
) -> Runs:
    """Run every lane until its gap is `level` (or `until`), or through `times`.

    Without a signal success rates are paid. The numerical flow takes the policy
    gradient as one of `FLOW_RULES`, so that runs under both share a program.
    """
    if signal is None:
        signal = sim.Verifiable()
        if update is None and method == "flow":
            update = flow_rule(sim.PolicyGradient(), len(rates))
    update = sim.PolicyGradient() if update is None else update
    if level is not None:
        until = sim.Gap(np.asarray(level, dtype=float))
    if times is not None:
        options |= {
            "save_log_times": np.log(times),
            "max_log_time": float(np.log(times[-1])),
            "observe": sim.log_probabilities,
        }
    solver = sim.exact if method == "exact" else sim.flow
    solution = solver(
        sim.Problem(
            rates, logits=log_policy, answer_kernel=kernel, reference_policy=reference
        ),
        signal,
        update,
        until=until,
        events=events,
        progress=progress,
        **options,
    )
    names = solution.outcome_names
    return Runs(
        names == "reached",
        (names == "horizon") | (names == "settled"),
        np.asarray(solution.log_time),
        np.asarray(solution.log_probs),
        np.asarray(solution.event_log_times),
        np.asarray(solution.event_log_probs),
        None if solution.saved is None else np.asarray(solution.saved),
    )


def flow_rule(rule: sim.AbstractUpdate, lanes: int) -> Menu:
    """The rule of `FLOW_RULES` that is of the same kind, for all lanes."""
    kinds: list[type] = [type(known) for known in FLOW_RULES]
    return Menu(FLOW_RULES, np.full(lanes, kinds.index(type(rule))))


def integral(kind, mask, rates, log_policy, level) -> tuple[np.ndarray, np.ndarray]:
    """`int f dt` of `Meter` until the gap is `level`, and whether it is known."""
    meter = Meter(
        np.full(len(rates), float(KINDS.index(kind))),
        np.broadcast_to(mask, rates.shape) * 1.0,
    )
    runs = run(rates, log_policy, update=meter, level=level)
    return runs.time, runs.reached & np.isfinite(runs.time)


def levels(rng, rates, log_policy, decades=(0.1, 6.0)) -> np.ndarray:
    """A gap to reach, log-uniformly below the initial one."""
    first = theory.support.gap(rates, log_policy)
    return first * 10.0 ** -rng.uniform(*decades, size=len(rates))


def past_transition(rates, log_policy) -> np.ndarray:
    """A gap that is reached only after T0 and the crossing, lane by lane.

    With `Delta = s_* - s_r'` the gap is Delta at T0. At the crossing a pattern that is
    not best is as likely as the likeliest of the M best ones, so that all others have
    `1/(M + 1)` of the mass at least, and the gap is at least `Delta/(M + 1)`.
    """
    best = theory.support.is_best(rates, log_policy)
    return 0.8 * separation(rates, log_policy) / (1 + np.sum(best, axis=-1))


def separation(rates, log_policy) -> np.ndarray:
    """`Delta`, what the best patterns are ahead of the next ones: `[B]`."""
    best = theory.support.is_best(rates, log_policy)
    worse = theory.support.is_suboptimal(rates, log_policy)
    lead = np.where(best, rates, -np.inf).max(axis=-1)
    return lead - np.where(worse, rates, -np.inf).max(axis=-1)


def decay(
    log_t1, residual_1, log_t2, residual_2, exponent, floor=FLOOR
) -> tuple[np.ndarray, np.ndarray]:
    """A margin for `residual -> 0` as a power of t, and whether it could be judged.

    Measured exponent over the claimed one, less one half: a limit that is wrong leaves
    a residual that does not fall. Below `floor` rounding is all that is left: there the
    margin is `1 - residual / floor`. Not judged where the residual is still above one
    half but falling.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = np.log(residual_1 / residual_2) / (log_t2 - log_t1)
    small = residual_2 <= floor
    margin = np.where(small, 1 - residual_2 / floor, measured / exponent - 0.5)
    early = (residual_1 > 0.5) & (residual_2 < 0.9 * residual_1) & (margin < 0)
    return margin, small | ~early


def short_steps(rewards, log_policy) -> np.ndarray:
    """How much of the gap closes while no logit moves by 1e-4, 2e-4, 3e-4: `[3, B]`.

    Shares of the gap, to first order, for three short runs (`slope_at_start`).
    """
    inside = log_policy > -np.inf
    excess = theory.support.accuracy_excess(rewards, log_policy)
    speed = np.where(inside, np.exp(log_policy) * excess, 0.0)
    gap = theory.support.gap(rewards, log_policy)
    fastest = np.abs(speed).max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.sum(speed**2, axis=-1) / (fastest * gap)
    return np.array([1e-4, 2e-4, 3e-4])[:, None] * np.where(gap > 0, share, 1.0)


def slope_at_start(times, changes, shares) -> tuple[np.ndarray, np.ndarray]:
    """`(f/t)(0)` from `f` at three short times, `[3, B]` each, and its uncertainty.

    Extrapolated by the parabola; uncertain by the difference to the straight line
    through the first two, and by rounding of f and of the gaps (`shares`) that define
    the times.
    """
    t, g = times, changes / times
    line = (g[0] * t[1] - g[1] * t[0]) / (t[1] - t[0])
    bend = (g[2] - g[1]) / (t[2] - t[1]) - (g[1] - g[0]) / (t[1] - t[0])
    slope = line + bend / (t[2] - t[0]) * t[0] * t[1]
    rounding = 1e-14 / t[0] + (1e-6 + 1e-14 / shares[0]) * np.abs(g).max(axis=0)
    return slope, rounding + np.abs(slope - line) + 1e-12


def lane_values(values, index) -> np.ndarray:
    """`values[b, index[b]]`."""
    return np.take_along_axis(values, np.asarray(index)[:, None], axis=-1)[:, 0]


def blocks(number: int, size: int) -> Iterator[np.ndarray]:
    """All lanes in blocks of one size, for one program; the last lane is repeated."""
    for start in range(0, number, size):
        yield np.minimum(np.arange(start, start + size), number - 1)
