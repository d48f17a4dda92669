"""Which axis of an array is that of the lanes of a batch."""

import functools
import typing
from typing import Any

import equinox as eqx
import jax
import numpy as np

from simulator.problem import Problem

WHOLE = -1  # axes of a table of any rank


@functools.cache
def own_axes(kind: type) -> dict[str, int | None]:
    """How many axes the array of each field of a module has for one lane.

    They are those of its annotation: 0 for `Float[Array, "*B"]` (or a plain number), 1
    for `Float[Array, "*B K"]`. `eqx.field(metadata={"ndim": 1})` says it where the
    annotation cannot; `WHOLE`: all that it has, and none of lanes. None: nothing says
    it.
    """
    try:
        hints = typing.get_type_hints(kind)
    except NameError:  # written as text, of names that are known inside a function only
        hints = {}
    return {
        name: field.metadata.get("ndim", _annotated_axes(hints.get(name, field.type)))
        for name, field in getattr(kind, "__dataclass_fields__", {}).items()
    }


def _annotated_axes(hint: Any) -> int | None:
    if hint in (int, float, bool):
        return 0
    for part in (hint, *typing.get_args(hint)):
        axes = getattr(part, "dim_str", "...").split()
        if "..." not in axes:
            return sum(not axis.startswith("*") for axis in axes)
    return None


def own_ranks(module: Any) -> Any:
    """The number of axes that each leaf of `module` has for one lane; see `own_axes`.

    Raises `ValueError` for an array of which nothing says it.
    """

    def rank(path, leaf):
        owner = module
        for key in path[:-1]:
            attribute = isinstance(key, jax.tree_util.GetAttrKey)
            owner = getattr(owner, key.name) if attribute else owner[_index(key)]
        if not isinstance(owner, eqx.Module) or not eqx.is_array(leaf):
            return np.ndim(leaf)
        own = own_axes(type(owner))[path[-1].name]
        if own is None and leaf.ndim:
            field = f"{type(owner).__name__}.{path[-1].name}"
            raise ValueError(
                f"`{field}` is an array of shape {leaf.shape}, and nothing says which "
                "axes are those of one problem; annotate it, like "
                'Float[Array, "*B K"] for one number per pattern.'
            )
        return leaf.ndim if own == WHOLE else own or 0

    return jax.tree_util.tree_map_with_path(rank, module)


def _index(key: Any) -> Any:
    return key.idx if isinstance(key, jax.tree_util.SequenceKey) else key.key


def lane_axes(module: Any) -> Any:
    """`0` for each array of `module` that has one row per lane, else `None`.

    An array of a signal, update, event or recipe has lanes if it has more axes than for
    one lane (`own_ranks`). All arrays of a `Problem` do.
    """
    if isinstance(module, Problem):
        return jax.tree.map(lambda leaf: 0, module)
    ranks = own_ranks(module)
    return jax.tree.map(lambda x, own: 0 if np.ndim(x) > own else None, module, ranks)


def check_lanes(problem: Problem, **members: Any) -> None:
    """Raise `ValueError` unless parameters with a lane axis have one row per lane."""
    shape = problem.batch_shape
    if 0 in shape:
        raise ValueError("the batch of problems is empty; give at least one.")
    for name, member in members.items():

        def check(path, x, own, name=name):
            lanes = np.shape(x)[: max(np.ndim(x) - own, 0)]
            if lanes and lanes != shape:
                where = name + jax.tree_util.keystr(path)
                raise ValueError(
                    f"`{where}` has shape {np.shape(x)}, and the problems have batch "
                    f"shape {shape}; give one value, or one per problem."
                )

        jax.tree_util.tree_map_with_path(check, member, own_ranks(member))


def per_lane(function, lanes, axes, other=None):
    """`function` of the arrays with a lane axis; the others stay, or become `other`."""

    def leaf(axis, value):
        if axis is not None:
            return function(value)
        return value if other is None else jax.tree.map(lambda _: other, value)

    return jax.tree.map(leaf, axes, lanes, is_leaf=lambda x: x is None)
