"""Many problems at once: chunks of one width, and all local devices.

A batch is cut into chunks of a fixed width (the last one padded with copies of its last
lane), so that one compiled program serves any batch size, memory is bounded, and a
lane's result does not depend on how many others there are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from simulator.problem import Problem

CHUNK_WIDTH = 1024
RETRY_WIDTH = 128
CHUNK_ELEMENTS = 2**20  # at most this many logits in a chunk


def lane_axes(module: Any) -> Any:
    """`0` for each array of `module` that has one row per lane, else `None`.

    A field of a signal, update or event has as many axes as its metadata `ndim` says
    (0 by default); one more is the lane axis. All arrays of a `Problem` have it.
    """
    if module is None:
        return None
    if isinstance(module, Problem):
        return eqx.if_array(0)
    axes = jax.tree.map(lambda leaf: None, module)
    for name, field in module.__dataclass_fields__.items():
        value = getattr(module, name)
        if isinstance(value, tuple):
            new: Any = tuple(lane_axes(child) for child in value)
        elif eqx.is_array(value):
            new = 0 if value.ndim > field.metadata.get("ndim", 0) else None
        else:
            continue
        axes = eqx.tree_at(
            lambda m, name=name: getattr(m, name),
            axes,
            new,
            is_leaf=lambda x: x is None,
        )
    return axes


def chunk_width(num_lanes: int, num_patterns: int) -> int:
    """A power of two: no wider than needed, than memory allows, or than caches like."""
    widest = min(CHUNK_WIDTH, max(1, CHUNK_ELEMENTS // num_patterns))
    needed = 1 << (num_lanes - 1).bit_length()
    return min(needed, 1 << (widest.bit_length() - 1))


def map_lanes(
    run_many: Callable[..., Any],
    passes: Sequence[Any],
    lanes: tuple[Any, ...],
    *,
    unfinished: Callable[[Any], np.ndarray],
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """`run_many(settings, chunk, axes)` over all lanes, chunk by chunk.

    `passes` are settings of growing patience: a chunk lasts as long as its slowest
    lane, so the few lanes that `unfinished(result)` names after one pass are gathered
    into narrower chunks for the next (they start again; a lane's result depends on the
    settings of its last pass only).

    `lanes[0]` is a `Problem` batch; its batch axes are restored in the result. Arrays
    of the other members follow `lane_axes`. Results come back as NumPy arrays.
    """
    problem = lanes[0]
    shape, total = problem.batch_shape, int(np.prod(problem.batch_shape))
    axes = tuple(lane_axes(member) for member in lanes)
    flat = tuple(
        _per_lane(lambda x: x.reshape((total, *x.shape[len(shape) :])), member, axis)
        for member, axis in zip(lanes, axes, strict=True)
    )
    width = chunk_width(total, problem.num_patterns)
    left, answer = np.arange(total), None
    for settings in passes:
        parts = []
        for start in range(0, len(left), width):
            index = left[np.minimum(np.arange(start, start + width), len(left) - 1)]
            chunk = tuple(
                _per_lane(lambda x, index=index: _spread(x[index]), member, axis)
                for member, axis in zip(flat, axes, strict=True)
            )
            parts.append(jax.device_get(run_many(settings, chunk, axes)))
            if progress is not None:
                progress(total - len(left) + min(start + width, len(left)), total)
        result = jax.tree.map(
            lambda *rows, n=len(left): np.concatenate(rows)[:n], *parts
        )
        answer = result if answer is None else _put(left, result, answer)
        left = left[unfinished(result)]
        if not len(left):
            break
        width = min(width, RETRY_WIDTH)
    return jax.tree.map(lambda x: x.reshape((*shape, *x.shape[1:])), answer)


def _put(index, rows, into):
    def put(new, old):
        old[index] = new
        return old

    return jax.tree.map(put, rows, into)


def _spread(array):
    """Lay a chunk out over all local devices, if there are several."""
    devices = jax.local_devices()
    if len(devices) == 1 or array.shape[0] % len(devices):
        return array
    mesh = Mesh(np.asarray(devices), ("lanes",))
    return jax.device_put(array, NamedSharding(mesh, PartitionSpec("lanes")))


def _per_lane(function, member, axes):
    if isinstance(member, Problem):
        return jax.tree.map(function, member)
    return jax.tree.map(
        lambda axis, leaf: leaf if axis is None else function(jnp.asarray(leaf)),
        axes,
        member,
        is_leaf=lambda x: x is None,
    )
