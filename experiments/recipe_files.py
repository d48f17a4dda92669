"""Training recipes as TOML files, there and back.

Every part of a recipe is a table with a `name` and its parameters, or just the name:

    group_size = 16
    estimator = "rloo"
    feedback = {name = "verifier", false_positive = 0.1}

A list of feedbacks, each with a `weight`, is a mixture. Names and parameters are those
of the classes in `simulator/rollouts/`: a new class can be used in files at once.
"""

import functools
import inspect
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from experiments import catalogue
from experiments.errors import UserError

FOLDER = Path(__file__).parent / "recipes"
# The modules of `simulator/rollouts/` whose classes a recipe is made of.
PARTS = ("feedback", "judges", "estimators", "surrogates", "penalties", "policies")


def names() -> dict[str, str]:
    """The recipes that come with the program, with what they are."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        found[path.stem] = first.lstrip("# ")
    return found


def load(name: str):
    """The recipe of a file, or of the name of one that comes with the program.

    Raises `UserError` with the file, the key and what is allowed.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(
            f"--recipe {name}: cannot read {path} ({reason}); give a TOML file or one "
            f"of {', '.join(names())}."
        ) from None
    try:
        return loads(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def loads(text: str):
    """The recipe written in TOML."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"not TOML: {error}.") from None
    return _decode(_classes().Recipe, table, "recipe")


def dumps(recipe) -> str:
    """The recipe as TOML; `loads` gives an equal one."""
    import tomli_w

    return tomli_w.dumps(_encode_fields(recipe))


@functools.cache
def _classes():
    from simulator import rollouts

    return rollouts


@functools.cache
def kinds() -> dict[str, dict[str, type]]:
    """Per module of `simulator/rollouts/`, its final classes by file name."""
    found = {}
    for module in PARTS:
        entries = catalogue.entries(f"rollouts/{module}")
        found[module] = {
            name: getattr(_classes(), entry.class_name)
            for name, entry in entries.items()
        }
    return found


def _choices(base: type) -> dict[str, type]:
    """The final classes that may stand where `base` is asked for."""
    return {
        name: cls
        for module in kinds().values()
        for name, cls in module.items()
        # A mixture is written as a list.
        if issubclass(cls, base) and name != "mixture"
    }


def _fields(cls: type) -> dict[str, Any]:
    return {n: f for n, f in cls.__dataclass_fields__.items() if f.init}


def _decode(cls: type, table: dict[str, Any], where: str):
    """An object of a final class from a table of its fields."""
    fields, given = _fields(cls), {}
    parameters = inspect.signature(cls).parameters
    for key, value in table.items():
        if key not in fields:
            known = f"choose from {', '.join(fields)}" if fields else "it has none"
            raise UserError(f"{where} has no parameter {key!r}; {known}.")
        given[key] = _value(fields[key], value, key)
    for key in fields:
        if key not in given and parameters[key].default is inspect.Parameter.empty:
            raise UserError(f"{where} needs {key!r}.")
    try:
        return cls(**given)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _value(field, value: Any, key: str):
    import equinox as eqx

    kind = field.type
    if key == "optimizer":
        return _optimizer(value)
    if key == "feedback" and isinstance(value, list):
        return _mixture(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise UserError(f"{key} must be a list of tables, [[{key}]].")
        return tuple(_named(get_args(kind)[0], item, key) for item in value)
    if isinstance(kind, type) and issubclass(kind, eqx.Module):
        return _named(kind, value, key)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            allowed = ", ".join(map(repr, get_args(kind)))
            raise UserError(f"{key} = {value!r}; choose from {allowed}.")
        return value
    if kind is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UserError(f"{key} = {value!r}; give a whole number.")
        return value
    return numbers(value, key, field.metadata.get("ndim", 0))


def numbers(value: Any, key: str, depth: int) -> Any:
    """A number, or lists of numbers in lists, at most `depth` deep.

    Raises `UserError` for anything else.
    """
    if not isinstance(value, list):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UserError(f"{key} = {_brief(value)}; give a number.")
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"{key} is too large a number.") from None
    if depth == 0:
        raise UserError(f"{key} = {_brief(value)}; give one number, not a list.")
    if not value:
        raise UserError(f"{key} is or holds an empty list; give numbers.")
    if len({len(i) if isinstance(i, list) else None for i in value}) > 1:
        raise UserError(
            f"{key} = {_brief(value)}; numbers come in rows of equal length."
        )
    return [numbers(item, key, depth - 1) for item in value]


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _named(base: type, value: Any, key: str):
    table = _table(value)
    allowed = _choices(base)
    given = table.get("name") if isinstance(table, dict) else table
    if not isinstance(table, dict) or given not in list(allowed):
        raise UserError(
            f"{key} {given!r} is unknown; choose from {', '.join(allowed)}."
        )
    own = {k: v for k, v in table.items() if k != "name"}
    return _decode(allowed[table["name"]], own, f"{key} {table['name']!r}")


def _mixture(items: list[Any]):
    rollouts = _classes()
    if not items:
        raise UserError("feedback is an empty list; give at least one.")
    parts, weights = [], []
    for item in items:
        if not isinstance(item, dict) or "weight" not in item:
            raise UserError(
                "a list of feedbacks is a mixture: give each a name and a weight."
            )
        own = {k: v for k, v in item.items() if k != "weight"}
        parts.append(_named(rollouts.AbstractFeedback, own, "feedback"))
        weights.append(numbers(item["weight"], "weight", 0))
    return rollouts.Mixture(parts, weights)


def _optimizer(value: Any):
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
    return _classes().Optimizer(
        table["name"], own, schedule.pop("name", None), schedule
    )


def _encode(value: Any):
    import equinox as eqx

    rollouts = _classes()
    if isinstance(value, rollouts.Optimizer):
        schedule = {"name": value.schedule, **dict(value.schedule_options)}
        rest = {"schedule": schedule} if value.schedule else {}
        return _short({"name": value.name, **dict(value.options), **rest})
    if isinstance(value, rollouts.Mixture):
        weights = value.weights.tolist()
        tables = [_table(_encode(part)) for part in value.parts]
        return [t | {"weight": w} for t, w in zip(tables, weights, strict=True)]
    if isinstance(value, eqx.Module):
        names = {cls: name for m in kinds().values() for name, cls in m.items()}
        return _short({"name": names[type(value)], **_encode_fields(value)})
    if isinstance(value, tuple):
        return [_table(_encode(item)) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _table(value: Any) -> Any:
    """A part that is written as its name alone, as a table."""
    return {"name": value} if isinstance(value, str) else value


def _short(table: dict[str, Any]):
    return table["name"] if len(table) == 1 else table


def _encode_fields(module) -> dict[str, Any]:
    values = {name: getattr(module, name) for name in _fields(type(module))}
    return {k: _encode(v) for k, v in values.items() if not (v is None or _is_empty(v))}


def _is_empty(value: Any) -> bool:
    return isinstance(value, tuple) and not value
