"""The contract between an engine and the walk: how a solution is moved along.

An engine supplies a path (`AbstractPath`); walking along it, watching events and
reporting are the same for all engines (`walker`, `watch`, `report`).
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from simulator.dynamics import Dynamics, Point, alike
from simulator.numerics.rootfinding import seek_positive
from simulator.numerics.trees import only_if
from simulator.recording import AbstractEvent

State = Any
DOUBT = 0.02  # how far below 0 an event's values are looked at more closely


class Stride(NamedTuple):
    """Where the next attempt starts, and its size.

    `pace`: the size that the errors allow, which a step that only lands on a time does
    not change. `landing`: the step tries to land on a time asked for.
    """

    state: State
    size: Float[Array, ""]
    pace: Float[Array, ""]
    landing: Array


class Target(NamedTuple):
    """The log time at which a step has to land; `many`: whether there are others."""

    log_time: Float[Array, ""]
    many: bool


class Move(NamedTuple):
    """One attempt to go on.

    `end` is used only if `accepted`, and `next` is the attempt after this one, whether
    accepted or not. `passed`: the policies on the way, at the `looks` of the path;
    `hints`: what else `AbstractPath.glimpse` reads. `landed`: it is at the time
    asked for. `hopeless`: no further attempt makes sense.
    """

    end: State
    next: Stride
    size: Float[Array, ""]
    accepted: Array
    landed: Array
    hopeless: Array
    passed: Float[Array, "N K"]
    hints: Any = None


class Seen(NamedTuple):
    """An event along a step: its value and its score at fractions of the step."""

    fractions: Float[Array, " M"]
    values: Float[Array, " M"]
    scores: Float[Array, " M"]


class Highest(NamedTuple):
    """Whether each event may hold within a step; and if so, where, and its value.

    `top`: the number of the glimpse next to the place `f`.
    """

    doubtful: Bool[Array, " E"]
    top: Int[Array, " E"]
    f: Float[Array, " E"]
    value: Float[Array, " E"]


def look(events, point: Point) -> tuple[Float[Array, " E"], Float[Array, " E"]]:
    """Of each event its value, and the score that it maximises, if any (else 0)."""
    nothing = jnp.zeros((), point.log_probs.dtype)
    if not events:
        return nothing[None][:0], nothing[None][:0]
    return (
        jnp.stack([event.value(point) for event in events]),
        jnp.stack([event.score(point) for event in events]),
    )


class AbstractPath(eqx.Module):
    """A solution that is walked along; its states are the engine's own business."""

    if TYPE_CHECKING:

        @property
        def dynamics(self) -> Dynamics: ...

    else:
        dynamics: eqx.AbstractVar[Dynamics]
    method: eqx.AbstractClassVar[str]
    first_size: eqx.AbstractClassVar[float]
    looks: ClassVar[np.ndarray] = np.zeros(0)  # fractions of a step, seen in passing

    @abstractmethod
    def start(self) -> State:
        """The base policy."""

    def first(self) -> Point:
        """What can be said about the start."""
        return self.dynamics.point(self.dynamics.problem.log_policy)

    @abstractmethod
    def log_probs(self, state: State) -> Float[Array, " K"]:
        """The policy at a state."""

    @abstractmethod
    def log_time(self, state: State) -> Float[Array, ""]:
        """Log of the physical time at a state."""

    @abstractmethod
    def move(self, stride: Stride, target: Target, tolerance) -> Move:
        """Try a step of `stride.size`; land on a time that is reached or passed."""

    def view(self, start: State, size: Float[Array, ""]) -> Any:
        """Data for looking into the step from `start`, of `size`."""
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

    def glimpse(self, event: AbstractEvent, move: Move) -> Seen:
        """An event at the `looks` of a step."""
        passed = jax.vmap(lambda p: look([event], self.dynamics.point(p)))
        values, scores = passed(move.passed)
        return Seen(
            jnp.asarray(self.looks, move.size.dtype), values[:, 0], scores[:, 0]
        )

    def look_within(
        self, events, start: State, move: Move, ends: list[Seen]
    ) -> list[Seen]:
        """Values of events within a step, whose `ends` are known."""
        looked = [self.glimpse(event, move) for event in events]
        brief = [i for i, event in enumerate(events) if event.counts_if_undone]
        if brief:
            those, theirs = [events[i] for i in brief], [ends[i] for i in brief]
            glimpses = jnp.stack([looked[i].values for i in brief])
            fractions = looked[brief[0]].fractions
            found = self.highest(those, start, move, theirs, fractions, glimpses)
            for i, doubtful, top, f, value in zip(brief, *found, strict=True):
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
        start: State,
        move: Move,
        ends: list[Seen],
        fractions: Float[Array, " N"],
        glimpses: Float[Array, "E N"],
    ) -> "Highest":
        """Look for a place where an event holds within a step, though at no end of it.

        `glimpses`: (about) its values at fractions of the step. Where the largest is
        not far below 0, true states around it are looked at.
        """
        view, size = self.view(start, move.size), move.size
        outside = jnp.stack([jnp.max(seen.values) for seen in ends])
        most, tops = jnp.max(glimpses, axis=1), jnp.argmax(glimpses, axis=1)
        doubtful = move.accepted & (outside <= 0) & (most > outside) & (most > -DOUBT)
        borders = jnp.pad(fractions, 1, constant_values=(0, 1))

        def one(given):
            index, top, doubtful = given

            def value(f):
                return look(events, self.point(self.inside(view, f * size)))[0][index]

            low, middle, high = borders[top + jnp.arange(3)]
            return seek_positive(value, low, middle, high, doubtful)

        found = jax.lax.map(one, (jnp.arange(len(events)), tops, doubtful))
        return Highest(doubtful, tops, *found)

    def known_to_hold(self, event: AbstractEvent, state: State) -> Array | None:
        """Whether an event holds all along a piece, if who leads decides; else None."""
        leader = self.leader(state)
        if leader is None:
            return None
        traits = self.dynamics.traits
        leaders = alike(traits, jnp.arange(traits.shape[1]) == leader)
        return event.while_leading(self.dynamics.problem, leaders)

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
        exact = jnp.all(advantage == 0)
        asked = small & ~exact

        def attracted(given):
            log_probs, advantage = given
            return self.dynamics.attracted(log_probs, advantage, left, asked)

        given = point.log_probs, advantage
        return only_if(asked, attracted, given, small & exact)

    def extinct(self, point: Point) -> Array:
        """Patterns `[K]` that have died out, for all that floats can tell."""
        return jnp.zeros(point.log_probs.shape, bool)

    def point(self, state: State) -> Point:
        return self.dynamics.point(self.log_probs(state))
