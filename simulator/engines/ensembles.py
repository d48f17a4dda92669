"""Many problems at once: blocks of chunks, and all devices.

A batch is cut into blocks of one shape (the last one padded with copies of its last
lane), so that one compiled program serves any batch size, memory is bounded, and a
lane's result does not depend on how many others there are. A block keeps one chunk of
lanes on their way: a lane that is done makes room for the next one, so that nobody
waits for the slowest.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from simulator.engines import sharing
from simulator.engines.lanes import check_lanes, lane_axes, per_lane
from simulator.numerics.trees import pack, unpacker
from simulator.problem import Problem
from simulator.validation import check_kind, check_whole

__all__ = [
    "block_shape",
    "map_lanes",
]

CPU_WIDTH, ACCELERATOR_WIDTH = 128, 2**15  # lanes on their way at once
BLOCK_CHUNKS = 128  # of the largest width
CHUNK_ELEMENTS = 2**22  # at most this many numbers on their way at once
CACHE_ELEMENTS = 2**15  # and so many on a CPU: with more it waits for its memory
BLOCK_ELEMENTS = 2**25  # and this many kept
DEAL = 128  # lanes that a device gets in its turn
MOST_LANES = 10**15  # more than any machine holds

_small_width = 64  # of batches that need no more


@contextlib.contextmanager
def no_small_programs() -> Iterator[None]:
    """Small batches take the programs of large ones, and nothing has to be compiled.

    For many batches of all sizes; one small batch that is waited for is done sooner by
    its own program. The results agree to rounding.
    """
    global _small_width
    _small_width, before = 0, _small_width
    try:
        yield
    finally:
        _small_width = before


@runtime_checkable
class Walk(Protocol):
    """How one lane is begun, carried on and ended; `walker.running` until it is done.

    All three are for one lane. What `advance` makes of a lane that is done is not used.
    """

    def begin(self, lane: Any) -> Any: ...

    def advance(self, walker: Any) -> Any: ...

    def end(self, walker: Any) -> Any: ...


def block_shape(num_lanes: int, elements: int) -> tuple[int, int]:
    """`(chunks, width)` of a block, one of few, so that few programs are compiled.

    A chunk that only pads costs nothing. Never one lane wide if that can be helped: XLA
    takes two or three times longer to compile the same program for it. `elements` is
    how many numbers one lane on its way consists of.

    Raises `ValueError` unless both are whole numbers from 1.

    >>> sim.block_shape(10, 8)
    (1, 64)
    """
    num_lanes = check_whole("num_lanes", num_lanes, 1, MOST_LANES)
    elements = check_whole("elements", elements, 1, MOST_LANES)
    if jax.default_backend() == "cpu":
        widest, most = CPU_WIDTH, max(CACHE_ELEMENTS, min(2 * elements, CHUNK_ELEMENTS))
    else:
        widest, most = ACCELERATOR_WIDTH, CHUNK_ELEMENTS
    width = _power_of_two_below(min(widest, most // elements))
    if num_lanes <= _small_width <= width:
        return 1, _small_width
    lanes = min(BLOCK_CHUNKS * widest, BLOCK_ELEMENTS // elements)
    return _power_of_two_below(lanes // width), width


def _power_of_two_below(most: int) -> int:
    """The largest that is allowed; at least 1."""
    return 1 << (max(most, 1).bit_length() - 1)


def map_lanes(
    walk: Walk,
    lanes: tuple[Any, ...],
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Any:
    """`walk` every lane to its end; results as NumPy arrays.

    `lanes[0]` is a `Problem` batch; its batch axes are restored in the result. Arrays
    of the other members follow `lane_axes`.

    Raises `ValueError` for what is no walk, or no batch with members that fit it.

    >>> import equinox as eqx
    >>> class Doubling(eqx.Module):
    ...     value: jax.Array
    ...
    ...     @property
    ...     def running(self):
    ...         return self.value < 1
    ...
    >>> class Walk(eqx.Module):
    ...     def begin(self, lane):
    ...         return Doubling(lane[0].success_rates[0])
    ...
    ...     def advance(self, walker):
    ...         return Doubling(2 * walker.value)
    ...
    ...     def end(self, walker):
    ...         return walker.value
    ...
    >>> problems = sim.Problem([[0.5, 0.1], [0.3, 0.1]], np.full((2, 2), 0.5))
    >>> sim.map_lanes(Walk(), (problems,)).tolist()
    [1.0, 1.2]
    """
    check_kind("walk", walk, Walk, "a class with begin, advance and end")
    check_kind("lanes", lanes, tuple, "(problem, signal)")
    check_kind("lanes[0]", (*lanes, None)[0], Problem, "Problem(success_rates, policy)")
    problem = lanes[0]
    check_lanes(problem, **{f"lanes[{i}]": x for i, x in enumerate(lanes) if i})
    shape, total = problem.batch_shape, int(np.prod(problem.batch_shape))
    axes = tuple(lane_axes(member) for member in lanes)
    flat = per_lane(
        lambda x: np.asarray(x).reshape((total, *x.shape[len(shape) :])), lanes, axes
    )
    shared_by = tuple(sharing.devices())
    one = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype) if hasattr(x, "dtype") else x,
        (walk, per_lane(lambda x: x[0], flat, axes)),
    )
    leaves, structure = jax.tree.flatten(one)
    elements = _elements(structure, tuple(leaves))
    chunks, width = block_shape(-(-total // len(shared_by)), elements)
    size = chunks * width * len(shared_by)
    parts = []
    for start in range(0, total, size):
        number = min(size, total - start)
        dealt, wanted = _deal(number, len(shared_by), size, min(DEAL, width))
        lane = start + np.minimum(dealt, number - 1)
        block = per_lane(lambda x, lane=lane: x[lane], flat, axes)
        placed, block = sharing.place((walk, block))
        part = _run_block(placed, block, axes, wanted, chunks, shared_by)
        part = sharing.fetch(part)
        back = np.empty_like(dealt)
        back[dealt] = np.arange(size)
        back = back[:number]
        parts.append(jax.tree.map(lambda x, back=back: x[back], part))
        if progress is not None:
            progress(start + number, total)
    result = jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
    return jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), result)


def _deal(
    lanes: int, devices: int, size: int, at_once: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which lane stands where in a block of `size`, and how many of each device count.

    Neighbours take about the same time: they are dealt in turn, `at_once` to each
    device, so that all devices have as much to do. Who comes first changes from turn
    to turn in the order of Thue and Morse, which no row length of a diagram keeps in
    step with.
    Numbers from `lanes` on only pad.
    """
    place = np.arange(size // devices)
    turn, within = np.divmod(place, at_once)
    who = (np.arange(devices)[:, None] + np.bitwise_count(turn)) % devices
    lane = (turn * devices + who) * at_once + within
    return lane.ravel(), (lane < lanes).sum(axis=1)


@functools.lru_cache(maxsize=256)
def _elements(structure: Any, leaves: tuple[Any, ...]) -> int:
    """How many numbers a walker consists of; tracing takes long, so once per kind."""
    walk, lane = jax.tree.unflatten(structure, leaves)
    return _count(eqx.filter_eval_shape(lambda w, x: w.begin(x), walk, lane))


@eqx.filter_jit
def _run_block(walk, lanes, axes, wanted, chunks, devices):
    if len(devices) == 1:
        return _walk_block(walk, lanes, axes, wanted, chunks)
    mesh = Mesh(np.asarray(devices), ("lanes",))
    along = PartitionSpec("lanes")
    specs = per_lane(lambda leaf: along, lanes, axes, other=PartitionSpec())
    return jax.shard_map(
        lambda block, wanted: _walk_block(walk, block, axes, wanted, chunks),
        mesh=mesh,
        in_specs=(specs, along),
        out_specs=along,
        check_vma=False,
    )(lanes, wanted)


def _walk_block(walk, lanes, axes, wanted, chunks):
    """The results of one block on one device; only the first `wanted` lanes count."""

    def fold(leaf):
        return leaf.reshape(chunks, len(leaf) // chunks, *leaf.shape[1:])

    def flatten(leaf):
        size = leaf.shape[0] * leaf.shape[1]
        return leaf.reshape(size, *leaf.shape[2:])

    rows, shared = eqx.partition(lanes, per_lane(lambda x: True, lanes, axes, False))

    def begin(row):
        return walk.begin(eqx.combine(row, shared))

    # The walkers of a block are rows of one table: cheap to fetch and to put away.
    example = eqx.filter_eval_shape(begin, jax.tree.map(lambda x: x[0], rows))
    arrays, rest = eqx.partition(example, _is_array)
    blank = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), arrays)
    unpack = unpacker(blank)

    def restore(row):
        return eqx.combine(unpack(row), rest)

    table = _chunk_by_chunk(
        lambda row: pack(_arrays(begin(row))), jax.tree.map(fold, rows), wanted[0]
    )
    width = table.shape[1]
    table = _walk_all(
        advance=lambda arrays: _arrays(walk.advance(eqx.combine(arrays, rest))),
        pack=pack,
        unpack=unpack,
        table=flatten(table),
        width=width,
        wanted=wanted[0],
    )
    ends = _chunk_by_chunk(lambda row: walk.end(restore(row)), fold(table), wanted[0])
    return jax.tree.map(flatten, ends)


def _chunk_by_chunk(function, chunks, wanted):
    """`function` of every row of every chunk; zeros for chunks that only pad."""
    number, width = jax.tree.leaves(chunks)[0].shape[:2]
    many = jax.jit(jax.vmap(function))  # is traced once, though it is called twice

    def chunk(i):
        return jax.tree.map(lambda x: x[i], chunks)

    def fill(i, filled):
        return jax.tree.map(lambda x, new: x.at[i].set(new), filled, many(chunk(i)))

    blank = jax.tree.map(
        lambda x: jnp.zeros((number, *x.shape), x.dtype), jax.eval_shape(many, chunk(0))
    )
    return jax.lax.fori_loop(0, -(-wanted // width), fill, blank)


def _walk_all(advance, pack, unpack, table, width, wanted):
    """The rows of the table once `advance` has left none of the walkers running.

    `width` of them are on their way at a time; one that is done is put away, and the
    next one takes its place.
    """
    advance, pack, unpack = jax.vmap(advance), jax.vmap(pack), jax.vmap(unpack)
    end = len(table)

    def step(carry):
        table, packed, place, following = carry
        chunk = unpack(packed)
        moved = advance(chunk)
        # A lane may be done when it comes in; then its row stays as it is.
        goes = chunk.running & (place < end)
        table = table.at[jnp.where(goes, place, end)].set(pack(moved), mode="drop")
        done = ~(goes & moved.running)
        fresh = following + jnp.cumsum(done) - 1
        place = jnp.where(done, jnp.where(fresh < wanted, fresh, end), place)
        return table, rows(table, place), place, following + jnp.sum(done)

    def rows(table, place):
        return table.at[place].get(mode="clip")

    first = jnp.arange(width)
    place = jnp.where(first < wanted, first, end)
    carry = (table, rows(table, place), place, jnp.asarray(width))
    return jax.lax.while_loop(lambda c: jnp.any(c[2] < end), step, carry)[0]


def _arrays(walker):
    return eqx.filter(walker, eqx.is_array)


def _is_array(leaf) -> bool:
    return eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def _count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree) if _is_array(leaf))
