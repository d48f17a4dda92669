"""Many problems at once: chunks of one width, and all local devices.

A batch is cut into chunks of a fixed width (the last one padded with copies of its last
lane), so that one compiled program serves any batch size, memory is bounded, and a
lane's result does not depend on how many others there are.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from simulator.problem import Problem

CHUNK_WIDTH = 1024
CHUNK_ELEMENTS = 2**20  # at most this many logits in a chunk


def lane_axes(module: Any) -> Any:
    """`0` for each array of `module` that has one row per lane, else `None`.

    A field of a signal or an update has as many axes as its metadata `ndim` says (0 by
    default); one more is the lane axis. All arrays of a `Problem` have it.
    """
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
    settings: Any,
    lanes: tuple[Any, ...],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """`run_many(settings, chunk, axes)` over all lanes, chunk by chunk.

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
    results = []
    for start in range(0, total, width):
        index = np.minimum(np.arange(start, start + width), total - 1)
        chunk = tuple(
            _per_lane(lambda x, index=index: _spread(x[index]), member, axis)
            for member, axis in zip(flat, axes, strict=True)
        )
        results.append(jax.device_get(run_many(settings, chunk, axes)))
        if progress is not None:
            progress(min(start + width, total), total)

    def join(*parts):
        joined = np.concatenate(parts)[:total]
        return joined.reshape((*shape, *joined.shape[1:]))

    return jax.tree.map(join, *results)


def _spread(array):
    """Lay a chunk out over all local devices, if there are several."""
    devices = jax.local_devices()
    if len(devices) == 1 or array.shape[0] % len(devices):
        return array
    mesh = Mesh(np.asarray(devices), ("lanes",))
    return jax.device_put(array, NamedSharding(mesh, PartitionSpec("lanes")))


def _per_lane(function, member, axes):
    if callable(axes):
        return jax.tree.map(function, member)
    return jax.tree.map(
        lambda axis, leaf: leaf if axis is None else function(jnp.asarray(leaf)),
        axes,
        member,
        is_leaf=lambda x: x is None,
    )
