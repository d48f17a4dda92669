"""The devices that share the lanes of a batch."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from simulator.engines.lanes import per_lane


def devices() -> list[jax.Device]:
    """The devices that share the lanes of a batch: those of all processes.

    In JAX's multi-process runtime every process makes the same calls and gets all
    results.
    """
    return jax.devices()


def place(tree: Any) -> Any:
    """Arrays as the arguments of a program that all processes share.

    There they have to be NumPy arrays, equal in all processes.
    """
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda x: np.asarray(x) if eqx.is_array(x) else x, tree)


def fetch(tree: Any) -> Any:
    """Arrays that are shared out over devices, as NumPy arrays, in every process."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)


def width(lanes: int, narrowest: int, widest: int) -> int:
    """Lanes of a device at once: a power of two times `narrowest`, below `widest`.

    So that few programs are compiled, and few lanes only pad.
    """
    found = narrowest
    while found < lanes and 2 * found <= widest:
        found *= 2
    return found


def in_blocks(
    total: int,
    block: Callable[[Any, tuple[jax.Device, ...]], Any],
    rows: Callable[[np.ndarray], Any],
    widest: int,
    narrowest: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> Any:
    """NumPy arrays with a row for each of `total` lanes, block by block.

    `rows(index)`: the arrays of lanes with these numbers; the last lane pads the last
    block. `block(rows, devices)`: their results. `progress`: see `simulator.solve`.
    """
    shared_by = tuple(devices())
    each = -(-total // len(shared_by))
    size, parts = len(shared_by) * width(each, narrowest, widest), []
    for first in range(0, total, size):
        index = np.minimum(np.arange(first, first + size), total - 1)
        parts.append(fetch(block(place(rows(index)), shared_by)))
        if progress is not None:
            progress(min(first + size, total), total)
    return jax.tree.map(lambda *found: np.concatenate(found)[:total], *parts)


def shared_out(
    function: Callable, lanes: Any, axes: Any, devices: tuple[jax.Device, ...] | None
) -> Any:
    """`function` of a block of lanes, of which each device has its share.

    `lanes` are arrays; `function` gives arrays of one row per lane.
    """
    if devices is None or len(devices) == 1:
        return function(lanes)
    along = PartitionSpec("lanes")
    specs = per_lane(lambda leaf: along, lanes, axes, other=PartitionSpec())
    return jax.shard_map(
        function,
        mesh=Mesh(np.asarray(devices), ("lanes",)),
        in_specs=(specs,),
        out_specs=along,
        check_vma=False,
    )(lanes)
