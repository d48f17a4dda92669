"""The parameters of an object of the simulator by their paths, and how to set them.

    signal.false_positive    recipe.group_size    recipe.feedback.majority-vote.weight

Numbers may be arrays with one entry per cell. Static parameters (whole numbers, names,
whole parts) are the same for all cells that are solved together.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from experiments.text import objects
from experiments.text.errors import UserError, choose_from
from simulator.engines.lanes import own_axes

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Slot:
    """Where a parameter is; `kind`: `number`, `static` or `part` (a whole object)."""

    name: str
    path: Path
    kind: str
    value: Any


def _is_mixture(module) -> bool:
    return "weights" in getattr(module, "__dataclass_fields__", {})


def find(root: eqx.Module, name: str, path: Path = ()) -> list[Slot]:
    """All slots of an object that is called `name`."""
    found = []
    for field, info in objects.fields(type(root)).items():
        value, here = getattr(root, field), (*path, field)
        if isinstance(value, tuple) and all(isinstance(v, eqx.Module) for v in value):
            for i, part in enumerate(value):
                kind = objects.name_of(part)
                found += find(part, f"{name}.{kind}", (*here, i))
                if _is_mixture(root):
                    weight = (*path, "weights", i)
                    label = f"{name}.{kind}.weight"
                    found.append(Slot(label, weight, "number", None))
        elif isinstance(value, eqx.Module):
            label = f"{name}.{field}"
            if not info.metadata.get("static", False):
                found.append(Slot(label, here, "part", value))
                found += find(value, label, here)
        elif info.metadata.get("static", False):
            if isinstance(value, int | float | str | bool):
                found.append(Slot(f"{name}.{field}", here, "static", value))
        elif (eqx.is_array(value) and value.ndim == 0) or (
            value is None and "ndim" in info.metadata
        ):
            found.append(Slot(f"{name}.{field}", here, "number", value))
    return found


def resolve(slots: list[Slot], name: str, what: str = "axis") -> Slot:
    """The one slot that `name` means: its full name, or the end of it.

    Raises `UserError` if there is none, or more than one; `what` was given.
    """
    ends = [s for s in slots if s.name == name or s.name.endswith(f".{name}")]
    exact = [s for s in ends if s.name == name]
    # Nearer to the root wins: `group_size` is the recipe's own.
    if len(ends) > 1 and not exact:
        depth = min(s.name.count(".") for s in ends)
        ends = [s for s in ends if s.name.count(".") == depth]
    chosen = exact or ends
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        allowed = ", ".join(s.name for s in chosen)
        raise UserError(f"{what} {name} may mean {allowed}; say which.")
    allowed = choose_from(name, (s.name for s in slots))
    raise UserError(f"{what} {name} is unknown here; {allowed}.")


def put(root: Any, path: Path, value: Any) -> Any:
    """A copy of `root` with `value` at the path.

    Raises `UserError` if there is no such place, or it does not take the value.
    """
    head, *rest = path
    if head == "weights" and rest and isinstance(rest[0], int):
        return _put_weight(root, rest[0], value)
    inside = isinstance(head, int) and isinstance(root, tuple) and head < len(root)
    if not inside and head not in objects.fields(type(root)):
        kind = type(root).__name__
        raise UserError(f"{kind} has no parameter {head!r}; change the axes.")
    old = root[head] if isinstance(head, int) else getattr(root, head)
    if rest:
        new = put(old, tuple(rest), value)
    else:
        owner: Any = type(root)
        name = str(head)
        if isinstance(old, eqx.Module):
            new = objects.field_value(owner, name, value)
        else:
            new = _converted(old, value, own_axes(owner)[name] or 0)
    if isinstance(head, int):
        return (*root[:head], new, *root[head + 1 :])
    try:
        return dataclasses.replace(root, **{head: new})
    except ValueError as error:
        raise UserError(str(error)) from None


def _put_weight(mixture, index: int, value):
    weights = jnp.asarray(mixture.weights)
    value = jnp.asarray(value, dtype=float)
    weights = jnp.broadcast_to(weights, (*value.shape, weights.shape[-1]))
    return dataclasses.replace(mixture, weights=weights.at[..., index].set(value))


def _converted(old: Any, value: Any, ndim: int) -> Any:
    """`value` as the kind of number that stood there; arrays get `ndim` more axes."""
    if isinstance(old, bool) or isinstance(value, str) or isinstance(old, str):
        if type(old) is not type(value):
            raise UserError(f"{value!r} cannot stand for {old!r}.")
        return value
    if isinstance(old, int):
        if value != int(value):
            raise UserError(f"{value:g} must be a whole number.")
        return int(value)
    if isinstance(old, float):
        return float(value)
    numbers = np.asarray(value, dtype=float)
    return numbers.reshape(*numbers.shape, *(1,) * ndim) if numbers.ndim else numbers
