"""The whole path of problems with fixed rewards, and the times of many clocks along it.

`solve` answers questions (when, and in which state?); `trace` draws. Each of its rows
is a state in closed form, at places that show every hand-over, with its time in every
clock: one small program of fixed shapes, for pages and notebooks that ask again and
again.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from simulator.engines import sharing
from simulator.engines.exact.many_clocks import Clocks, gathered
from simulator.engines.exact.whole_path import (
    MOST_PATTERNS,
    Rows,
    log_times,
    whole_path,
)
from simulator.engines.lanes import check_lanes, lane_axes, per_lane
from simulator.engines.requests import check_parts
from simulator.numerics import compiler
from simulator.paths import Trace, clock_names
from simulator.problem import Problem
from simulator.reporting.display import short
from simulator.rules import AbstractSignal, AbstractUpdate
from simulator.signals import Verifiable
from simulator.updates import PolicyGradient
from simulator.validation import check_kind, shown

__all__ = ["trace"]

FEW, MANY = 4, 256  # lanes of a block, for each device
# XLA's older way to write loops: compiled in half the time, and as fast here.
OPTIONS = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_experimental_ynn_fusion_type": "",
}


def trace(
    problem: Problem,
    signal: AbstractSignal = Verifiable(),
    updates: Sequence[AbstractUpdate] = (PolicyGradient(),),
) -> Trace:
    """The whole path of one problem, or of a batch, with the times of several updates.

    All updates that only change the clock move along one path: that of the plain policy
    gradient. It goes from the base policy to where the patterns that are paid less than
    the best have together at most 1e-4 of the probability (or 1/100 of what they had
    when the best pattern took the lead, if that is less), so that the mean reward is
    within 1e-4 of the spread of the rewards from the best.

    - `problem`: `[K]`, or `[*B, K]` for a batch; up to 64 patterns. To draw problems of
      different K by one compiled program, fill up with probability 0.
    - `signal`: fixed rewards (default `Verifiable()`).
    - `updates`: `PolicyGradient()` and clocks such as `GRPO(8)`. Their numbers, and
      those of the signal, go lane by lane where they have the axes `*B` first.

    Policies are in closed form, to rounding. Log times are those of `exact` in equal
    states to 1e-7 (the worst of 3,900 problems of 13 kinds). A program is compiled for
    each K, number of updates with as many terms, and size of a batch (1, 4 or 256 lanes
    at once). It takes 1 to 2 ms a lane with three patterns, and 6 if all of eight lead.

    Raises `ValueError` for rewards that move with the policy, for updates that leave
    the path (a KL penalty, the natural gradient), for more patterns, and like `solve`.
    There are no derivatives: those of event times are in `solve`.

    >>> problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    >>> path = sim.trace(problem, sim.Verifiable(), [sim.PolicyGradient(), sim.GRPO(8)])
    >>> path
    Trace of one problem, 257 rows
      path             Ends at pattern 0, which is paid the most.
      leaders          1, 0
      accuracy         0.49 -> 0.9
      policy-gradient  up to t = 1.619e+04  (10^4.209)
      grpo=8           up to t = 6968  (10^3.843)
    >>> path.log_probs.shape, path.times("grpo=8").shape
    ((385, 3), (385,))
    """
    check_parts(problem, signal, None)
    _check_signal(problem, signal)
    updates = _checked(updates, signal)
    named = {f"updates[{i}]": update for i, update in enumerate(updates)}
    check_lanes(problem, signal=signal, **named)
    if problem.num_patterns > MOST_PATTERNS:
        raise ValueError(
            f"`problem` has {problem.num_patterns} patterns; a trace takes up to "
            f"{MOST_PATTERNS}: use solve(..., save_log_times=...)."
        )
    shape = problem.batch_shape
    rewards = _paid((problem, signal), lane_axes(signal), len(shape))
    clocks, places = gathered(updates)
    lanes = rewards, problem.log_policy, clocks
    others = tuple(lane_axes(clock) for clock in clocks.others)
    axes = 0, 0, Clocks(jax.tree.map(lambda _: None, clocks.tables), others)
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(lanes))

    paid: Any = rewards if traced else np.asarray(rewards)

    def flat(x):
        x = x if traced else np.asarray(x)
        return x.reshape((-1, *x.shape[len(shape) :]))

    lanes = per_lane(flat, lanes, axes)
    if traced:
        lanes = tuple(map(_no_derivatives, lanes[:2])) + lanes[2:]
        rows = _all_lanes(lanes, axes, math.prod(shape))
    else:
        rows = _blocks(lanes, axes, math.prod(shape), single=not shape)
    rows = jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), rows)
    number = np.arange(rows.log_tau.shape[-1])
    return Trace(
        log_probs=rows.log_probs,
        log_times=log_times(rows.log_gains[..., np.array(places), :]),
        log_tau=rows.log_tau,
        leader=rows.leader,
        kept=number < rows.number[..., None],
        rewards=paid,
        problem=problem,
        names=clock_names(updates),
    )


def _check_signal(problem: Problem, signal: AbstractSignal) -> None:
    """Raise `ValueError` unless this pays fixed rewards, and fits the problem."""
    if not signal.fixed:
        raise ValueError(
            f"`signal` is {type(signal).__name__}, whose rewards move with the policy; "
            "give one of fixed rewards, like Verifiable() or FixedConfidence(rewards), "
            "or use solve(..., save_log_times=...)."
        )
    signal.check(problem)


def _checked(updates: Any, signal: AbstractSignal) -> tuple[AbstractUpdate, ...]:
    """Raise `ValueError` unless all updates move along the path."""
    listed = isinstance(updates, list | tuple)
    if not listed or not updates:
        given = "empty" if listed else shown(updates)
        raise ValueError(
            f"`updates` is {given}; give a list like [PolicyGradient(), GRPO(8)]."
        )
    for update in updates:
        check_kind("updates", update, AbstractUpdate, "[PolicyGradient(), GRPO(8)]")
        update.check(signal)
        if update.closed_form != "orbit":
            raise ValueError(
                f"`updates` has {short(update)}, which does not move along this path; "
                "give PolicyGradient() without KL or clocks like GRPO(8), or use "
                "solve(..., save_log_times=...)."
            )
    return tuple(updates)


@eqx.filter_jit
def _paid(lane, axes, depth):
    """Rewards `[*B, K]`, with `depth` axes of a batch."""

    def paid(problem, signal):
        return signal.paid(problem, problem.log_policy)

    for _ in range(depth):
        paid = jax.vmap(paid, in_axes=(0, axes))
    return paid(*lane)


@jax.custom_jvp
def _no_derivatives(x):
    return x


@_no_derivatives.defjvp
def _refuse(primals, tangents):
    raise ValueError(
        "a trace has no derivatives; take those of event times, as of "
        "solve(..., until=...)."
    )


def _blocks(lanes: Any, axes: Any, total: int, single: bool) -> Rows:
    """Lane by lane, in blocks of few sizes, shared by all devices; NumPy's arrays."""
    devices = None if single else tuple(sharing.devices())
    share = len(devices) if devices else 1
    width = 1 if single else FEW if total <= FEW * share else MANY
    parts = []
    for start in range(0, total, width * share):
        # In turn, so that all devices have as much to do.
        place = start + np.arange(width * share).reshape(width, share).T.ravel()
        wanted = (place < total).reshape(share, width).sum(axis=1)
        index = np.minimum(place, total - 1)
        rows = per_lane(lambda x, index=index: x[index], lanes, axes)
        block = sharing.place((rows, wanted))
        part = sharing.fetch(_program(jax.default_backend())(*block, axes, devices))
        back = np.argsort(place)[: min(total - start, len(place))]
        parts.append(jax.tree.map(lambda x, back=back: x[back], part))
    return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)


@functools.cache
def _program(platform):
    jit: Any = eqx.filter_jit  # hands options on that its annotations leave out
    return jit(_block, compiler_options=compiler.cpu_options(platform, **OPTIONS))


def _block(lanes, wanted, axes, devices):
    """The rows of one block; of each device's share the first `wanted` lanes."""
    numbers, rest = eqx.partition(lanes, eqx.is_array)
    all_axes = (*axes, 0)

    def share(given):
        *numbers, wanted = given
        return _all_lanes(eqx.combine(tuple(numbers), rest), axes, wanted[0])

    return sharing.shared_out(share, (*numbers, wanted), all_axes, devices)


def _all_lanes(lanes, axes, wanted) -> Rows:
    """The rows of the first `wanted` lanes, one after the other."""

    def one(i):
        return whole_path(*per_lane(lambda x: x[i], lanes, axes))

    def put(i, table):
        return jax.tree.map(lambda x, new: x.at[i].set(new), table, one(i))

    number = lanes[0].shape[0]
    blank = jax.tree.map(
        lambda x: jnp.zeros((number, *x.shape), x.dtype), jax.eval_shape(one, 0)
    )
    return jax.lax.fori_loop(0, wanted, put, blank)
