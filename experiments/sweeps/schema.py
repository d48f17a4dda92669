"""The JSON Schema of a sweep file."""

from experiments.sweeps import (
    attributes,
    axes,
    families,
    given_models,
    observables,
    reduction,
)
from experiments.sweeps.sweep_file import KEYS
from experiments.text import schema
from experiments.text.schema import Schema, one_of, table

TEXTS: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
AXIS: Schema = {"$ref": "#/$defs/axis"}
ROOTS = ("model", "signal", "update", "until", "recipe")  # of full names of parameters
KINDS = {dict: "object", list: "array", str: "string", int: "integer", float: "number"}


def sweep() -> Schema:
    """Of a sweep file, also with `[figure]` for `phase-diagram`."""
    import simulator as sim
    from simulator import rollouts

    defined: dict[str, Schema] = {"axis": _axis(), "axes": _axes()}
    kinds = {key: {"type": _kinds(kind)} for key, kind in KEYS.items()}
    recipe = table(schema.of_class(rollouts.Recipe, defined))
    record = {"type": "array", "items": _observable(), "minItems": 1}
    times = {"anyOf": [_numbers(), _laws()]}
    own = {
        "signal": schema.part(sim.AbstractSignal, defined),
        "update": schema.part(sim.AbstractUpdate, defined),
        "method": one_of(["auto", "exact", "flow"]),
        "recipe": {"anyOf": [{"type": "string"}, recipe]},
        "record": record,
        "model": _model(),
        "axes": table({root: _axes() for root in ROOTS})
        | {"additionalProperties": AXIS},
        "along": table({"record": record, "log10_t": times, "step": times}),
        "reduce": table(
            {
                "over": TEXTS,
                "statistics": {"type": "array", "items": _statistic()},
                "histogram": {"type": "object", "additionalProperties": _bins()},
            },
            ("over",),
        ),
    }
    return {
        "$schema": schema.DRAFT,
        "title": "a sweep of pattern-selection",
        **table({**kinds, **own}),
        "$defs": defined,
    }


def _kinds(kind: type | tuple[type, ...]) -> list[str]:
    return [KINDS[one] for one in (kind if isinstance(kind, tuple) else (kind,))]


def _observable() -> Schema:
    known = {
        "anyOf": [
            one_of(observables.TABLE),
            {"pattern": rf"^(pass_at_\d+|{attributes.NAME})$"},
        ]
    }
    return {"type": "string"} | known


def _statistic() -> Schema:
    return {"anyOf": [one_of(reduction.PLAIN), {"pattern": r"^q\d\d$"}]}


def _numbers() -> Schema:
    return {"type": "array", "items": {"type": "number"}, "minItems": 1}


def _bins() -> Schema:
    return {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "number"}}


def _laws() -> Schema:
    """`{linspace = [low, high, number]}` and the like, or `{count = number}`."""
    laws = [table({kind: _bins()}, (kind,)) for kind in axes.KINDS]
    count = table({"count": {"type": "integer", "minimum": 1}}, ("count",))
    return {"anyOf": [*laws, count]}


def _axis() -> Schema:
    """Values, or a law."""
    return {"anyOf": [_numbers(), TEXTS, _laws()]}


def _axes() -> Schema:
    """An axis, or a table of them: `model.gap` without quotes is one."""
    inner = {"anyOf": [AXIS, {"$ref": "#/$defs/axes"}]}
    return {"anyOf": [AXIS, {"type": "object", "additionalProperties": inner}]}


def _columns(depth: int) -> Schema:
    """Attributes by name."""
    return {"type": "object", "additionalProperties": schema.nested(depth)}


def _model() -> Schema:
    """A family with parameters in their ranges, or base models that are given."""
    found = []
    for name, family in families.FAMILIES.items():
        properties: dict[str, Schema] = {"family": {"const": name}}
        for key, parameter in family.parameters.items():
            properties[key] = {
                "type": "integer" if parameter.whole else "number",
                "minimum": parameter.low,
                "maximum": parameter.high,
                "default": parameter.default,
                "description": parameter.text,
            }
        if family.patterns is not None:
            properties[attributes.KEY] = _columns(1)
        found.append(table(properties, ("family",)))
    given = {
        key: schema.nested(given_models.DEPTHS.get(key, 2))
        for key in given_models.GIVEN
    }
    temperature = {"temperature": {"type": "number"}, given_models.AXIS: schema.NUMBER}
    given[attributes.KEY] = _columns(2)
    found.append(table({"names": TEXTS, **given, **temperature}, ("success_rates",)))
    found.append(table({"file": {"type": "string"}, **temperature}, ("file",)))
    return {"anyOf": found}
