"""Watching events along a walk: which steps to look into, and where events happen."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulator.engines.path import AbstractPath, Move, Seen, State, look
from simulator.numerics.rootfinding import find_root
from simulator.numerics.trees import only_if, pack, unpacker


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


def slots(events) -> list[int]:
    """The event that each slot belongs to."""
    return [i for i, event in enumerate(events) for _ in range(event.slots)]


def first_brackets(events, start: State, values: Float[Array, " E"]) -> Bracket:
    """Nothing found yet, except what holds from the start (a step of size 0)."""
    owners = np.array(slots(events), int)
    row = pack(start)
    starts = jnp.broadcast_to(row, (len(owners), *row.shape))
    zeros = jnp.zeros(len(owners), values.dtype)
    lasts = np.array([events[i].lasts for i in owners], bool)
    holds = jnp.logical_and(lasts, values[owners] > 0)
    never = zeros - jnp.inf
    return Bracket(starts, zeros, zeros, zeros, zeros, zeros, holds, never)


def look_at(path: AbstractPath, events, state: State):
    """`look` at a state. At the ends of pieces the piece of the state counts."""
    values, scores = look(events, path.point(state))
    for i, event in enumerate(events):
        holds = path.known_to_hold(event, state)
        if holds is not None:
            size = jnp.maximum(jnp.abs(values[i]), jnp.finfo(values.dtype).tiny)
            values = values.at[i].set(jnp.where(holds, size, -size))
    return values, scores


def along(path: AbstractPath, events, start: State, move: Move, before, after):
    """Values of each event along a step: at its ends, and within it where needed.

    `before`, `after`: values and scores at both ends, as `look_at` gives them.
    """
    both = jnp.asarray([0.0, 1.0], move.size.dtype)
    found = [
        Seen(both, *ends)
        for ends in zip(
            *(jnp.stack(pair, axis=1) for pair in zip(before, after, strict=True)),
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
        [events[i] for i in looked], start, move, [found[i] for i in looked]
    )
    for i, within in zip(looked, inner, strict=True):
        found[i] = jax.tree.map(
            lambda x, y: jnp.concatenate([x[:1], y, x[1:]]), found[i], within
        )
    return found


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
        part, crossed = event.change(seen[i].values, seen[i].scores)
        low, before, left = (x[part] for x in seen[i])
        high, after, right = (x[part + 1] for x in seen[i])
        score = jnp.maximum(left, right)
        taken = accept & crossed & event.replaces(had, brackets.score[mine], score)
        had = had & ~(accept & event.forgets(seen[i].values[-1]))
        take.append(taken)
        found.append(had | taken)
        new.append(jnp.stack([size, size * low, size * high, before, after, score]))
    taking, newest = jnp.concatenate(take), jnp.stack(new, axis=1)[:, owners]
    old = jnp.stack([*brackets[1:6], brackets.score])
    size, low, high, before, after, score = jnp.where(taking[None, :], newest, old)
    start = jnp.where(taking[:, None], pack(state)[None], brackets.start)
    return Bracket(start, size, low, high, before, after, jnp.concatenate(found), score)


def locate(path: AbstractPath, events, brackets: Bracket) -> State:
    """The states at the events, slot by slot, by root finding inside a step.

    A true state of the engine is computed for every trial (not an interpolant), so
    events are as accurate as the engine. Where nothing was found it is the start.
    """
    state = unpacker(path.start())
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
        begin = state(start)
        return only_if(found, lambda start: one(index, start, *bracket), begin, begin)

    owners = jnp.asarray(slots(events))
    return jax.lax.map(if_found, (owners, *brackets[:6], brackets.found))
