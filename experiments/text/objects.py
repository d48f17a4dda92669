"""Objects of the simulator as tables of a TOML file, there and back.

An object is a table with a `name` and its parameters, or just the name:

    estimator = "rloo"
    feedback = {name = "verifier", false_positive = 0.1}

A list of feedbacks or signals, each with a `weight`, is a mixture. Names and parameters
are those of the classes in `simulator/`: a new class can be used in files at once.
"""

import dataclasses
import functools
import inspect
from typing import Any, Literal, get_args, get_origin

from experiments.text import catalogue
from experiments.text.errors import UserError, choose_from

# The modules of `simulator/rollouts/` whose classes a recipe is made of.
PARTS = ("feedback", "judges", "estimators", "surrogates", "penalties", "policies")
# The modules of `simulator/` whose classes a flow is made of.
FLOW_PARTS = ("signals", "attribute_signals", "updates")


@functools.cache
def kinds() -> dict[str, dict[str, type]]:
    """Per module of `PARTS` and `FLOW_PARTS`, its final classes by file name."""
    modules = [*(f"rollouts/{part}" for part in PARTS), *FLOW_PARTS]
    return {
        module: {name: e.load() for name, e in catalogue.entries(module).items()}
        for module in modules
    }


def choices(base: type) -> dict[str, type]:
    """The final classes that may stand where `base` is asked for, by name."""
    return {
        name: cls
        for module in kinds().values()
        for name, cls in module.items()
        # A mixture is written as a list.
        if issubclass(cls, base) and name != "mixture"
    }


def fields(cls: type) -> dict[str, Any]:
    """The fields of a class that it is made with, by name."""
    if not dataclasses.is_dataclass(cls):
        return {}
    return {field.name: field for field in dataclasses.fields(cls) if field.init}


def decode(cls: type, table: dict[str, Any], where: str):
    """An object of a final class from a table of its fields."""
    known_fields, given = fields(cls), {}
    parameters = inspect.signature(cls).parameters
    for key, value in table.items():
        if key not in known_fields:
            known = choose_from(key, known_fields) if known_fields else "it has none"
            raise UserError(f"{where} has no parameter {key!r}; {known}.")
        given[key] = field_value(cls, key, value)
    for key in known_fields:
        if key not in given and parameters[key].default is inspect.Parameter.empty:
            raise UserError(f"{where} needs {key!r}.")
    try:
        return cls(**given)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def field_value(cls: type, key: str, value: Any):
    """The value of a class's field `key`, for `value` as TOML gives it."""
    import equinox as eqx

    from simulator.engines.lanes import own_axes

    kind = fields(cls)[key].type
    if key == "optimizer":
        return _optimizer(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise UserError(f"{key} must be a list of tables, [[{key}]].")
        return tuple(named(get_args(kind)[0], item, key) for item in value)
    if isinstance(kind, type) and issubclass(kind, eqx.Module):
        return named(kind, value, key)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            allowed = ", ".join(map(repr, get_args(kind)))
            raise UserError(f"{key} = {value!r}; choose from {allowed}.")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise UserError(f"{key} = {brief(value)}; give true or false.")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise UserError(f"{key} = {brief(value)}; give a name.")
        return value
    if kind is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UserError(f"{key} = {value!r}; give a whole number.")
        return value
    return numbers(value, key, own_axes(cls)[key] or 0)


def numbers(value: Any, key: str, depth: int) -> Any:
    """A number, or lists of numbers in lists, at most `depth` deep.

    Raises `UserError` for anything else.
    """
    if not isinstance(value, list):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UserError(f"{key} = {brief(value)}; give a number.")
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{key} is too large a number.") from None
    if depth == 0:
        raise UserError(f"{key} = {brief(value)}; give one number, not a list.")
    if not value:
        raise UserError(f"{key} is or holds an empty list; give numbers.")
    if len({len(i) if isinstance(i, list) else None for i in value}) > 1:
        raise UserError(
            f"{key} = {brief(value)}; numbers come in rows of equal length."
        )
    return [numbers(item, key, depth - 1) for item in value]


def brief(value: Any) -> str:
    """A value in a message, cut if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def named(base: type, value: Any, key: str):
    """An object of one of the final classes of `base`, from its name or its table."""
    if isinstance(value, list):
        return _mixture(base, value, key)
    table = _table(value)
    allowed = choices(base)
    given = table.get("name") if isinstance(table, dict) else table
    if not isinstance(table, dict) or given not in list(allowed):
        raise UserError(f"{key} {given!r} is unknown; {choose_from(given, allowed)}.")
    own = {k: v for k, v in table.items() if k != "name"}
    return decode(allowed[table["name"]], own, f"{key} {table['name']!r}")


def mixture(base: type) -> type | None:
    """The class of weighted lists of them; None if there are none."""
    import simulator
    from simulator import rollouts

    mixtures: dict[type, type] = {
        rollouts.AbstractFeedback: rollouts.Mixture,
        simulator.AbstractSignal: simulator.Mixture,
    }
    return mixtures.get(base)


def _mixture(base: type, items: list[Any], key: str):
    mixed = mixture(base)
    if mixed is None:
        raise UserError(f"{key} = {brief(items)}; give one of them, not a list.")
    if not items:
        raise UserError(f"{key} is an empty list; give at least one.")
    parts, weights = [], []
    for item in items:
        if not isinstance(item, dict) or "weight" not in item:
            raise UserError(
                f"a list for {key} is a mixture: give each a name and a weight."
            )
        own = {k: v for k, v in item.items() if k != "weight"}
        parts.append(named(base, own, key))
        weights.append(numbers(item["weight"], "weight", 0))
    return mixed(parts, weights)


def _optimizer(value: Any):
    from simulator import rollouts

    table = _table(value)
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise UserError("optimizer needs the name of one of Optax, for example 'adam'.")
    own = {k: v for k, v in table.items() if k not in ("name", "schedule")}
    schedule = _table(table.get("schedule"))
    if schedule is not None and not isinstance(schedule, dict):
        raise UserError("schedule needs the name of one of Optax and its options.")
    schedule = dict(schedule or {})
    if schedule and not isinstance(schedule.get("name"), str):
        raise UserError("schedule needs the name of one of Optax and its options.")
    schedule = {name: _by_update(name, value) for name, value in schedule.items()}
    return rollouts.Optimizer(table["name"], own, schedule.pop("name", None), schedule)


def _by_update(name: str, option: Any) -> Any:
    """TOML has text for keys, Optax's piecewise schedules want numbers of updates."""
    if not isinstance(option, dict):
        return option
    for key in option:
        if not key.isdecimal():
            raise UserError(
                f"schedule: {name} has the key {key!r}; keys are numbers of updates, "
                "as in {100 = 0.1}."
            )
    return {int(key): value for key, value in option.items()}


def encode(value: Any):
    """The name or the table of an object; `named` gives an equal object."""
    import equinox as eqx

    import simulator
    from simulator import rollouts

    if isinstance(value, rollouts.Optimizer):
        schedule = {"name": value.schedule, **encode(dict(value.schedule_options))}
        rest = {"schedule": schedule} if value.schedule else {}
        return _short({"name": value.name, **dict(value.options), **rest})
    if isinstance(value, rollouts.Mixture | simulator.Mixture):
        weights = value.weights.tolist()
        parts = value.parts if hasattr(value, "parts") else value.signals
        tables = [_table(encode(part)) for part in parts]
        return [t | {"weight": w} for t, w in zip(tables, weights, strict=True)]
    if isinstance(value, eqx.Module):
        return _short({"name": name_of(value), **encode_fields(value)})
    if isinstance(value, tuple):
        return [_table(encode(item)) for item in value]
    if isinstance(value, dict):
        return {str(k): encode(v) for k, v in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def name_of(module) -> str:
    """The name of an object's class in files; of others, that of the class."""
    names = {cls: name for m in kinds().values() for name, cls in m.items()}
    return names.get(type(module), type(module).__name__)


def _table(value: Any) -> Any:
    """A part that is written as its name alone, as a table."""
    return {"name": value} if isinstance(value, str) else value


def _short(table: dict[str, Any]):
    return table["name"] if len(table) == 1 else table


def encode_fields(module) -> dict[str, Any]:
    """The fields of an object as a table; `decode` gives an equal object."""
    values = {name: getattr(module, name) for name in fields(type(module))}
    return {k: encode(v) for k, v in values.items() if not (v is None or _is_empty(v))}


def _is_empty(value: Any) -> bool:
    return isinstance(value, tuple) and not value
