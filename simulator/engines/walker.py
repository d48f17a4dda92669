"""What every engine does while it walks along a solution: watch events, and report.

A `Walker` is one lane on its way. An engine supplies the path, that is how to move;
`begin`, `advance` and `report` are the same for all.
"""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from simulator.dynamics import Dynamics
from simulator.engines.exact.passage import Passage
from simulator.events import AbstractEvent, AbstractExtreme, Point
from simulator.numerics.rootfinding import find_root, seek_positive
from simulator.numerics.trees import select
from simulator.solution import OUTCOME_NAMES, Outcome, Solution

State = Any
RUNNING = -1  # in place of an outcome, while a lane is not done
DOUBT = 0.02  # how far below 0 an event's values are looked at more closely


class Settings(eqx.Module):
    """The settings of a call, shared by all lanes."""

    events: tuple[AbstractEvent, ...]
    save_log_times: Array
    max_log_time: Array
    tolerance: Array
    max_steps: Array
    observe: Any = eqx.field(static=True)


class Move(NamedTuple):
    """One attempt to go on.

    `end` is used only if `accepted`; `passed`: the policies on the way, at the `looks`
    of the path; `passage`: the same in another form, if the path has it. `landed`: it
    is at the time asked for. `hopeless`: no further attempt makes sense. `following`:
    the state to go on from (`end`, perhaps by another name). `pace`: the size that the
    errors allow, which a step that only lands on a time does not change.
    """

    end: State
    passed: Float[Array, "N K"]
    passage: Passage | None
    following: State
    size: Float[Array, ""]
    next_size: Float[Array, ""]
    pace: Float[Array, ""]
    accepted: Array
    landed: Array
    landing: Array
    hopeless: Array


class AbstractPath(eqx.Module):
    """A solution that is walked along; its states are the engine's own business."""

    dynamics: eqx.AbstractVar[Dynamics]
    method: eqx.AbstractClassVar[str]
    first_size: eqx.AbstractClassVar[float]
    looks: ClassVar[np.ndarray] = np.zeros(0)  # fractions of a step, seen in passing

    @abstractmethod
    def start(self) -> State:
        """The base policy."""

    @abstractmethod
    def log_probs(self, state: State) -> Float[Array, " K"]:
        """The policy at a state."""

    @abstractmethod
    def log_time(self, state: State) -> Float[Array, ""]:
        """Log of the physical time at a state."""

    @abstractmethod
    def move(self, walker: "Walker", log_target: Float[Array, ""], tolerance) -> Move:
        """Try a step of `walker.size`; land on a time that is reached or passed."""

    def view(self, start: State, size: Float[Array, ""]) -> Any:
        """What is needed to look into the step from `start`, of `size`."""
        del size
        return start

    @abstractmethod
    def inside(self, view: Any, size: Float[Array, ""]) -> State:
        """The state a smaller step away from the start; its time need not be known."""

    def leader(self, state: State) -> Array | None:
        """Who leads on the piece that a state is on, if the path knows; else None.

        No step goes beyond the end of a piece.
        """
        del state
        return None

    def has_to_look(self, event: AbstractEvent) -> bool:
        """Whether the sign of an event may change and change back within a step."""
        return len(self.looks) > 0 and not event.changes_once(self.dynamics.signal)

    def look_within(
        self, events, walker: "Walker", move: Move, ends: "list[Seen]"
    ) -> "list[Seen]":
        """What is seen of events within a step, whose `ends` are known."""
        looks = jnp.asarray(self.looks, move.size.dtype)

        def one(event) -> Seen:
            quick = None
            if move.passage is not None:
                quick = event.in_passing(self.dynamics.problem, move.passage)
            if quick is None:
                passed = jax.vmap(lambda p: look([event], self.dynamics.point(p)))
                quick = tuple(x[:, 0] for x in passed(move.passed))
            return Seen(looks, *quick)

        looked = [one(event) for event in events]
        firsts = [i for i, event in enumerate(events) if event.keep == "first"]
        if firsts:
            those, theirs = [events[i] for i in firsts], [ends[i] for i in firsts]
            glimpses = jnp.stack([looked[i].values for i in firsts])
            found = self.highest(those, walker, move, theirs, looks, glimpses)
            for i, doubtful, top, f, value in zip(firsts, *found, strict=True):
                fractions, values, scores = looked[i]
                looked[i] = Seen(
                    fractions.at[top].set(jnp.where(doubtful, f, fractions[top])),
                    values.at[top].set(jnp.where(doubtful, value, values[top])),
                    scores,
                )
        return looked

    def highest(
        self,
        events,
        walker: "Walker",
        move: Move,
        ends: "list[Seen]",
        fractions: Float[Array, " N"],
        glimpses: Float[Array, "E N"],
    ) -> "Highest":
        """Look for a place where an event holds within a step, though at no end of it.

        `glimpses`: (about) its values at fractions of the step. Where the largest is
        not far below 0, true states around it are looked at.
        """
        view, size = self.view(walker.state, move.size), move.size
        outside = jnp.stack([jnp.max(seen.values) for seen in ends])
        most, tops = jnp.max(glimpses, axis=1), jnp.argmax(glimpses, axis=1)
        doubtful = move.accepted & (outside <= 0) & (most > outside) & (most > -DOUBT)
        borders = jnp.pad(fractions, 1, constant_values=(0, 1))

        def one(given):
            index, top, doubtful = given

            def value(f):
                return look(events, self.point(self.inside(view, f * size)))[0][index]

            return seek_positive(value, *borders[top + jnp.arange(3)], doubtful)

        found = jax.lax.map(one, (jnp.arange(len(events)), tops, doubtful))
        return Highest(doubtful, tops, *found)

    def known_to_hold(self, event: AbstractEvent, state: State) -> Array | None:
        """Whether an event holds all along a piece, if who leads decides; else None."""
        leader = self.leader(state)
        if leader is None:
            return None
        return event.while_leading(self.dynamics.problem, leader)

    def settle(self, view: Any, size: Float[Array, ""]) -> State:
        """The state a smaller step away from the start, with its time."""
        return self.inside(view, size)

    def at_rest(self, state: State, tolerance) -> Array:
        """First-order condition: no pattern that is left has an advantage any more.

        However rare it is; to `tolerance` in the logits. Advantages fall at some rate
        if logits follow them, so that they are that rate times as large as the logits
        are far from rest. Where they do not fall nothing rests, except exactly; nor at
        a saddle, unless all that leads away from it is rounding.
        """
        point = self.point(state)
        left = (point.log_probs > -jnp.inf) & ~self.extinct(point)
        advantage = jnp.where(left, point.advantage.values(), 0.0)
        rate = self.dynamics.restoring_rate(point.log_probs, advantage)
        small = jnp.max(jnp.abs(advantage)) <= tolerance * jnp.maximum(rate, 0.0)
        if self.dynamics.signal.fixed:
            return small
        # A loop of one round or none: it costs nothing until a lane may be at rest.
        return jax.lax.while_loop(
            lambda carry: carry[0],
            lambda carry: (
                jnp.asarray(False),
                self.dynamics.attracted(point.log_probs, advantage, left, tolerance),
            ),
            (small, jnp.asarray(False)),
        )[1]

    def extinct(self, point: Point) -> Array:
        """Patterns `[K]` that have died out, for all that floats can tell."""
        return jnp.zeros(point.log_probs.shape, bool)

    def point(self, state: State) -> Point:
        return self.dynamics.point(self.log_probs(state))


class Highest(NamedTuple):
    """Whether each event may hold within a step; and if so, where, and its value.

    `top`: the number of the glimpse next to the place `f`.
    """

    doubtful: Bool[Array, " E"]
    top: Int[Array, " E"]
    f: Float[Array, " E"]
    value: Float[Array, " E"]


class Bracket(NamedTuple):
    """For each slot, a step inside which an event happens: its start and its size.

    `start`: the state, in one row of numbers. It happens between `low` and `high`, as
    far from the start; `before` and `after`: the values of the event there.

    An extreme event has several slots, for the steps around its most promising local
    extrema; `score` is the larger of the scores at low and high. The others have one
    slot.
    """

    start: Float[Array, "S N"]
    size: Float[Array, " S"]
    low: Float[Array, " S"]
    high: Float[Array, " S"]
    before: Float[Array, " S"]
    after: Float[Array, " S"]
    found: Array
    score: Float[Array, " S"]


EXTREMA = 3  # local extrema that are located, and compared by their true scores


def slots(events) -> list[int]:
    """The event that each slot belongs to."""
    return [
        i
        for i, event in enumerate(events)
        for _ in range(EXTREMA if event.keep == "extreme" else 1)
    ]


def from_the_start(event: AbstractEvent, value: Float[Array, ""]) -> Array:
    """Whether an event of this first value holds: a level is reached that is met."""
    return value >= 0 if event.keep == "first" else value > 0


def first_brackets(events, start: State, values: Float[Array, " E"]) -> Bracket:
    """Nothing found yet, except what holds from the start (a step of size 0)."""
    owners = np.array(slots(events), int)
    row = ravel_pytree(start)[0]
    starts = jnp.broadcast_to(row, (len(owners), *row.shape))
    lasting = np.array([events[i].keep == "last" for i in owners], bool)
    zeros = jnp.zeros(len(owners), values.dtype)
    holds = lasting & (values[owners] > 0)
    return Bracket(starts, *[zeros] * 5, holds, zeros - jnp.inf)


def look(events, point: Point) -> tuple[Float[Array, " E"], Float[Array, " E"]]:
    """Of each event its value, and the score that it maximises, if any (else 0)."""
    nothing = jnp.zeros((), point.log_probs.dtype)
    if not events:
        return nothing[None][:0], nothing[None][:0]
    return (
        jnp.stack([event.value(point) for event in events]),
        jnp.stack(
            [
                event.score(point) if isinstance(event, AbstractExtreme) else nothing
                for event in events
            ]
        ),
    )


def look_at(path: AbstractPath, events, state: State):
    """`look` at a state. At the ends of pieces the piece of the state counts."""
    values, scores = look(events, path.point(state))
    for i, event in enumerate(events):
        holds = path.known_to_hold(event, state)
        if holds is not None:
            size = jnp.maximum(jnp.abs(values[i]), jnp.finfo(values.dtype).tiny)
            values = values.at[i].set(jnp.where(holds, size, -size))
    return values, scores


class Seen(NamedTuple):
    """An event along a step: its value and its score at fractions of the step."""

    fractions: Float[Array, " M"]
    values: Float[Array, " M"]
    scores: Float[Array, " M"]


def along(path: AbstractPath, events, walker: "Walker", move: Move, new, new_scores):
    """What is seen of each event: the ends of a step, and if need be what is passed."""
    both = jnp.asarray([0.0, 1.0], move.size.dtype)
    found = [
        Seen(both, *ends)
        for ends in zip(
            jnp.stack([walker.values, new], axis=1),
            jnp.stack([walker.scores, new_scores], axis=1),
            strict=True,
        )
    ]
    looked = []
    for i, event in enumerate(events):
        if path.known_to_hold(event, move.end) is not None:
            # Only at the start of a step, where it takes over.
            found[i] = found[i]._replace(fractions=jnp.zeros_like(both))
        elif path.has_to_look(event):
            looked.append(i)
    inner = path.look_within(
        [events[i] for i in looked], walker, move, [found[i] for i in looked]
    )
    for i, within in zip(looked, inner, strict=True):
        found[i] = jax.tree.map(
            lambda x, y: jnp.concatenate([x[:1], y, x[1:]]), found[i], within
        )
    return found


def _change(event: AbstractEvent, seen: Seen):
    """The part of a step in which the event happens: its number, and if it does."""
    up = (seen.values[:-1] <= 0) & (seen.values[1:] > 0)
    happens = jnp.any(up)
    if event.keep == "last":
        # What is undone before the step ends does not last.
        happens = happens & (seen.values[-1] > 0)
    if len(up) == 1:
        return 0, happens
    if event.keep == "last":
        return len(up) - 1 - jnp.argmax(up[::-1]), happens
    if event.keep == "extreme":
        score = jnp.maximum(seen.scores[:-1], seen.scores[1:])
        return jnp.argmax(jnp.where(up, score, -jnp.inf)), happens
    return jnp.argmax(up), happens


def update_brackets(
    events, brackets: Bracket, seen: list[Seen], state: State, size, accept
) -> Bracket:
    """Remember, slot by slot, the step that has to be looked into.

    `seen`: each event along the step of `size` that starts in `state`; nothing changes
    unless the step is accepted.
    """
    if not events:
        return brackets
    owners = np.array(slots(events))
    take, found, new = [], [], []
    for i, event in enumerate(events):
        (mine,) = np.nonzero(owners == i)
        had = brackets.found[mine]
        part, crossed = _change(event, seen[i])
        low, before, left = (x[part] for x in seen[i])
        high, after, right = (x[part + 1] for x in seen[i])
        score = jnp.maximum(left, right)
        taken = jnp.broadcast_to(accept & crossed, mine.shape)
        if event.keep == "first":
            taken = taken & ~had
        elif event.keep == "last":
            had = had & ~(accept & (seen[i].values[-1] < 0))
        else:
            # The least promising makes room.
            weakest = jnp.arange(len(mine)) == jnp.argmin(brackets.score[mine])
            taken = taken & weakest & (score > brackets.score[mine])
        take.append(taken)
        found.append(had | taken)
        new.append(jnp.stack([size, size * low, size * high, before, after, score]))
    take, new = jnp.concatenate(take), jnp.stack(new, axis=1)[:, owners]
    old = jnp.stack([*brackets[1:6], brackets.score])
    *kept, score = jnp.where(take, new, old)
    start = jnp.where(take[:, None], ravel_pytree(state)[0], brackets.start)
    return Bracket(start, *kept, jnp.concatenate(found), score)


def locate(path: AbstractPath, events, brackets: Bracket) -> State:
    """The states at the events, slot by slot, by root finding inside a step.

    A true state of the engine is computed for every trial (not an interpolant), so
    events are as accurate as the engine. Where nothing was found it is the start.
    """
    state = ravel_pytree(path.start())[1]
    if not events:
        return jax.vmap(state)(brackets.start)

    def one(index, start, size, low, high, before, after):
        view = path.view(start, size)

        def value(h):
            return look(events, path.point(path.inside(view, h)))[0][index]

        h = find_root(value, low, high, before, after)
        return path.settle(view, h)

    def if_found(slot):
        index, start, *bracket, found = slot
        # A loop of one round or none: lanes at once skip a slot that none of them has.
        return jax.lax.while_loop(
            lambda carry: carry[0],
            lambda carry: (jnp.asarray(False), one(index, carry[1], *bracket)),
            (found, state(start)),
        )[1]

    owners = jnp.asarray(slots(events))
    return jax.lax.map(if_found, (owners, *brackets[:6], brackets.found))


class Walker(NamedTuple):
    """One lane on its way: where it is, what it has seen, and whether it is done."""

    path: AbstractPath
    until: AbstractEvent | None
    state: State
    size: Float[Array, ""]
    pace: Float[Array, ""]
    landing: Array
    values: Float[Array, " E"]
    scores: Float[Array, " E"]
    brackets: Bracket
    next_save: Array
    saved: Array
    status: Array
    steps: Array

    @property
    def running(self) -> Array:
        return self.status == RUNNING


def begin(run: Settings, path: AbstractPath, until: AbstractEvent | None) -> Walker:
    """A walker at the base policy."""
    events = watched(run, until)
    start = path.start()
    log_policy = path.dynamics.problem.log_policy
    first = path.dynamics.point(log_policy)
    first_values, first_scores = look_at(path, events, start)
    status = jnp.asarray(RUNNING)
    status = jnp.where(
        path.at_rest(start, run.tolerance), code(Outcome.settled), status
    )
    status = jnp.where(first.log_speed > -jnp.inf, status, code(Outcome.stationary))
    if until is not None:
        holds = from_the_start(until, first_values[0])
        status = jnp.where(holds, code(Outcome.reached), status)
    finite = jnp.all(jnp.isfinite(first.rewards)) & ~jnp.isnan(first.log_speed)
    status = jnp.where(finite, status, code(Outcome.nonfinite))
    shape = jax.eval_shape(run.observe, log_policy).shape
    return Walker(
        path=path,
        until=until,
        state=start,
        size=jnp.asarray(path.first_size, log_policy.dtype),
        pace=jnp.asarray(path.first_size, log_policy.dtype),
        landing=jnp.asarray(False),
        values=first_values,
        scores=first_scores,
        brackets=first_brackets(events, start, first_values),
        next_save=jnp.asarray(0),
        saved=jnp.zeros((len(run.save_log_times), *shape), log_policy.dtype),
        status=status,
        steps=jnp.asarray(0),
    )


def advance(run: Settings, walker: Walker) -> Walker:
    """The walker after one attempt to move; it must not be done."""
    path, events = walker.path, watched(run, walker.until)
    targets = jnp.append(run.save_log_times, run.max_log_time)
    move = path.move(walker, targets[walker.next_save], run.tolerance)
    accepted = move.accepted
    new, new_scores = look_at(path, events, move.end)
    brackets = update_brackets(
        events,
        walker.brackets,
        along(path, events, walker, move, new, new_scores),
        walker.state,
        move.size,
        accepted,
    )
    status, steps = walker.status, walker.steps + 1
    last = walker.next_save == len(run.save_log_times)
    status = jnp.where(move.landed & last, code(Outcome.horizon), status)
    resting = accepted & path.at_rest(move.end, run.tolerance)
    status = jnp.where(resting, code(Outcome.settled), status)
    if walker.until is not None:
        # What is undone before the step ends has happened all the same.
        within = brackets.found[0] & (walker.until.keep == "first")
        happens = accepted & ((new[0] > 0) | within)
        status = jnp.where(happens, code(Outcome.reached), status)
    running = status == RUNNING
    late = running & (steps >= run.max_steps)
    status = jnp.where(late, code(Outcome.max_steps), status)
    broken = accepted & jnp.any(jnp.isnan(path.log_probs(move.end)))
    broken = broken | (running & move.hopeless)
    status = jnp.where(broken, code(Outcome.nonfinite), status)
    saved = walker.saved
    if len(run.save_log_times):
        row = jnp.minimum(walker.next_save, len(run.save_log_times) - 1)
        now = run.observe(path.log_probs(move.end))
        saved = saved.at[row].set(jnp.where(move.landed & ~last, now, saved[row]))
    return walker._replace(
        state=select(accepted, move.following, walker.state),
        size=move.next_size,
        pace=move.pace,
        landing=move.landing,
        values=jnp.where(accepted, new, walker.values),
        scores=jnp.where(accepted, new_scores, walker.scores),
        brackets=brackets,
        next_save=jnp.where(move.landed, walker.next_save + 1, walker.next_save),
        saved=saved,
        status=status,
        steps=steps,
    )


class Ends(NamedTuple):
    """Where a walk that is done ended, and where its events are.

    For each event: its log time (see `Solution`), the state there, and whether that is
    a place on the way (not an end of the walk).
    """

    ended: State
    log_times: list[Float[Array, ""]]
    states: list[State]
    on_the_way: list[Array]


def ends(run: Settings, walker: Walker) -> Ends:
    """Locate everything that the walk has seen."""
    path, until = walker.path, walker.until
    events, start = watched(run, until), path.start()
    first_values, _ = look_at(path, events, start)
    ended, found = walker.state, walker.brackets.found
    located = locate(path, events, walker.brackets)
    owners = np.array(slots(events), int)

    def at(slot):
        return jax.tree.map(lambda x: x[slot], located)

    if until is not None:
        reached = (walker.status == code(Outcome.reached)) & found[0]
        ended = select(reached, at(0), ended)
    result = Ends(ended, [], [], [])
    skip = 0 if until is None else 1
    for i, event in list(enumerate(events))[skip:]:
        (mine,) = np.nonzero(owners == i)
        slot = mine[0]
        from_start = from_the_start(event, first_values[i])
        if event.keep == "last":
            from_start = found[slot] & (walker.brackets.size[slot] == 0)
        scores = None
        if event.keep == "extreme":
            scores = _scores(path, event, [*map(at, mine), start, ended], found[mine])
            slot = mine[0] + jnp.argmax(scores[:-2])
        log_time, state, on_the_way = _occurrence(
            path, event, start, from_start, found[slot], at(slot), ended, scores
        )
        result.log_times.append(log_time)
        result.states.append(state)
        result.on_the_way.append(on_the_way)
    return result


def _scores(path, event, states: list[State], found):
    """Scores of located extrema (-inf of those not on the way), start and end."""
    many = stacked(states)
    scores = jax.vmap(lambda state: event.score(path.point(state)))(many)
    log_times = jax.vmap(path.log_time)(many)
    counts = jnp.append(found & (log_times[:-2] <= log_times[-1]), jnp.full(2, True))
    return jnp.where(counts, scores, -jnp.inf)


def stacked(trees: list[Any]) -> Any:
    """Trees of one structure as one, with a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def report(run: Settings, walker: Walker) -> Solution:
    """The solution of a lane that is done."""
    return solution(run, walker, ends(run, walker))


def solution(run: Settings, walker: Walker, found: Ends) -> Solution:
    """What is reported of a walk and its ends."""
    path, ended = walker.path, found.ended
    status = verdict(walker, found)
    base = path.dynamics.problem.log_policy
    still = status == code(Outcome.stationary)
    final_log_probs = jnp.where(still, base, path.log_probs(ended))
    saved = None
    if len(run.save_log_times):
        rest = run.observe(final_log_probs)
        after = run.save_log_times > path.log_time(ended)
        saved = jnp.where(after.reshape((-1,) + (1,) * rest.ndim), rest, walker.saved)
    log_time = path.log_time(ended)
    # A limit so early that the path has no number for it.
    early = (status == code(Outcome.horizon)) & (log_time == -jnp.inf)
    log_time = jnp.where(early, run.max_log_time, log_time)
    never = status == code(Outcome.unreachable)
    if walker.until is not None:
        never = never | still
    log_time = jnp.where(never, jnp.inf, log_time)
    nothing = jnp.zeros((0, *base.shape), base.dtype)
    states = found.states
    return Solution(
        outcome=as_outcome(status),
        log_time=log_time,
        log_probs=final_log_probs,
        event_log_times=jnp.stack(found.log_times) if states else nothing[:, 0],
        event_log_probs=jax.vmap(path.log_probs)(stacked(states))
        if states
        else nothing,
        saved=saved,
        num_steps=walker.steps,
        method=path.method,
    )


def verdict(walker: Walker, found: Ends) -> Array:
    """The outcome of a walk that is done, with all that is known at its end.

    No NaN leaves an engine with an outcome that is not a failure.
    """
    path, status, until = walker.path, walker.status, walker.until
    if until is not None:
        dynamics, leads = path.dynamics, None
        if dynamics.rewards is not None:
            lines = dynamics.update.lines(dynamics.problem, dynamics.rewards)
            leads = None if lines is None else lines.ever()
        waited = (status == code(Outcome.horizon)) | (status == code(Outcome.settled))
        never = waited & until.impossible(dynamics.problem, leads)
        status = jnp.where(never, code(Outcome.unreachable), status)
    ends = [found.ended, *found.states]
    numbers = [x for end in ends for x in (path.log_probs(end), path.log_time(end))]
    broken = [jnp.any(jnp.isnan(x)) for x in (*numbers, *found.log_times)]
    return jnp.where(jnp.any(jnp.stack(broken)), code(Outcome.nonfinite), status)


def watched(run: Settings, until: AbstractEvent | None) -> tuple[AbstractEvent, ...]:
    """The events of a walk; the one to stop at, if any, comes first."""
    return (() if until is None else (until,)) + run.events


def _occurrence(path, event, start, from_start, found, here, ended, scores):
    """`(log_time, state, on_the_way)` of one event; see `Ends`."""
    # Events beyond the located end of the run did not happen in it.
    happened = found & (path.log_time(here) <= path.log_time(ended))
    time = jnp.where(happened, path.log_time(here), jnp.inf)
    missing = ended
    if event.keep == "extreme":
        # No interior extremum: one of the ends.
        first, last = scores[-2], scores[-1]
        happened &= jnp.max(scores[:-2]) >= jnp.maximum(first, last)
        from_start = ~happened & (first >= last)
        missing = select(first >= last, start, ended)
        time = path.log_time(select(happened, here, ended))
    time = jnp.where(from_start, -jnp.inf, time)
    state = select(from_start, start, select(happened, here, missing))
    return time, state, happened & ~from_start


def code(outcome: Outcome) -> Array:
    """The number of an outcome, to compute with."""
    return outcome._value


def as_outcome(status: Array) -> Outcome:
    """The outcome of a number; a lane still running, of which there is none, failed."""
    outcome = Outcome.nonfinite
    for name in OUTCOME_NAMES:
        member = getattr(Outcome, name)
        outcome = Outcome.where(status == code(member), member, outcome)
    return outcome
