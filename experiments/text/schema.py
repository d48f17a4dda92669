"""JSON Schemas of the TOML files, for editors that complete and check them.

A schema knows names, kinds and ranges that the code declares. What depends on several
keys is checked by the commands only.
"""

from typing import Any, Literal, get_args, get_origin

from experiments.text import catalogue, objects

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NUMBER: Schema = {"type": "number"}
WEIGHT = 'of this part in the mixture; in a sweep "rest": what the others leave of 1'
# The optimizers and schedules of Optax are too many to be listed.
OPTIMIZER: Schema = {"type": ["string", "object"], "description": "one of Optax"}


def nested(depth: int) -> Schema:
    """A number, or lists of numbers in lists, at most `depth` deep."""
    found = NUMBER
    for _ in range(depth):
        found = {"anyOf": [found, {"type": "array", "items": found, "minItems": 1}]}
    return found


def described(of: Schema, text: str) -> Schema:
    """The same with a description."""
    return {**of, "description": text}


def one_of(names: Any) -> Schema:
    """One of these texts."""
    return {"enum": list(names)}


def table(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """A table of these keys and no others."""
    found: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return found | ({"required": list(required)} if required else {})


def of_class(cls: type, defined: dict[str, Schema]) -> dict[str, Schema]:
    """The parameters of a final class; see `part`."""
    texts = _texts(cls)
    return {
        name: _of_field(cls, name, field.type, defined) | texts.get(name, {})
        for name, field in objects.fields(cls).items()
    }


def _texts(cls: type) -> dict[str, Schema]:
    """What is said of each parameter, from the docstring below it."""
    if cls.__name__ == "Recipe":
        found = catalogue.texts("rollouts/recipe", "Recipe")
        return {name: {"description": text} for name, text in found.items()}
    for module in (*objects.PARTS, *objects.FLOW_PARTS):
        room = "rollouts/" if module in objects.PARTS else ""
        for entry in catalogue.entries(f"{room}{module}").values():
            if entry.class_name == cls.__name__ and entry.load() is cls:
                return {f.name: {"description": f.text} for f in entry.fields if f.text}
    return {}


def _of_field(cls: type, name: str, kind: Any, defined: dict[str, Schema]) -> Schema:
    import equinox as eqx

    from simulator.engines.lanes import own_axes

    if name == "optimizer":
        return OPTIMIZER
    if get_origin(kind) is tuple:
        return {"type": "array", "items": part(get_args(kind)[0], defined)}
    if isinstance(kind, type) and issubclass(kind, eqx.Module):
        return part(kind, defined)
    if get_origin(kind) is Literal:
        return one_of(get_args(kind))
    if kind is bool:
        return {"type": "boolean"}
    if kind is int:
        return {"type": "integer"}
    if kind is str:
        return {"type": "string"}
    return nested(own_axes(cls)[name] or 0)


def part(base: type, defined: dict[str, Schema]) -> Schema:
    """An object of a final class of `base`: a name, a table, or a mixture of them.

    What it may be is put into `defined`, the `$defs` of a schema, as parts hold parts.
    """
    if base.__name__ not in defined:
        defined[base.__name__] = {}
        defined[base.__name__] = _part(base, defined)
    return {"$ref": f"#/$defs/{base.__name__}"}


def _part(base: type, defined: dict[str, Schema]) -> Schema:
    classes = objects.choices(base)
    own = {
        name: {"name": {"const": name}, **of_class(cls, defined)}
        for name, cls in classes.items()
    }
    found = [one_of(classes), *(table(one, ("name",)) for one in own.values())]
    if objects.mixture(base) is not None:
        kind = {"type": ["number", "string"], "description": WEIGHT}
        weight = {"weight": kind}
        weighted = [table(one | weight, ("name", "weight")) for one in own.values()]
        items = {"anyOf": weighted}
        found.append({"type": "array", "minItems": 1, "items": items})
    return {"anyOf": found}


def recipe() -> Schema:
    """Of a recipe of sampled training, a file of `train --recipe`."""
    from simulator import rollouts

    defined: dict[str, Schema] = {}
    whole = table(of_class(rollouts.Recipe, defined))
    title = "a recipe of pattern-selection"
    return {"$schema": DRAFT, "title": title, **whole, "$defs": defined}
