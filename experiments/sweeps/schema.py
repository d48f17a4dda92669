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
from experiments.text.schema import NUMBER, Schema, described, one_of, table

TEXTS: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}
AXIS: Schema = {"$ref": "#/$defs/axis"}
ROOTS = ("model", "signal", "update", "until", "recipe")  # of full names of parameters
KINDS = {dict: "object", list: "array", str: "string", int: "integer", float: "number"}


TEXTS_OF = {
    "title": "of the store and of diagrams",
    "seed": "of all that is random (default 0)",
    "signal": "what patterns are paid: a name, a table, or a mixture as a list",
    "update": "how rewards move the policy: a name, or a table",
    "recipe": "of sampled training, in place of signal and update",
    "until": "the event to stop at, as gap=1e-3; in training that of first_step",
    "record": "the observables to store, see sweep --help",
    "method": "of the flow: auto, exact or flow (default auto)",
    "max_log10_time": "log10 of the time limit of the flow (default 800)",
    "max_steps": "step limit of the solver (default 20000)",
    "tolerance": "error tolerance of the solver",
    "model": "the base models: a family with parameters, lists of one's own, or a file",
    "axes": "what is varied, by name: values, or a law",
    "along": "curves on the way",
    "reduce": "summaries over axes, as over draws or seeds",
    "figure": "what phase-diagram draws, see phase-diagram --help",
}
LAWS = {
    "linspace": "low, high and how many, evenly spaced",
    "logspace": "low, high and how many, in equal ratios",
    "uniform": "random: low, high and how many",
    "loguniform": "random, with uniform logarithms: low, high and how many",
    "normal": "random: mean, standard deviation and how many",
    "beta": "random: the two parameters and how many",
    "count": "the numbers 0, 1, ... below this",
}
FIGURE = {
    "x": "the axis along x (default: the last one)",
    "y": "the axis along y (default: the first one)",
    "panels": "a third axis, a panel for each value",
    "value": "what is in colour, or a list: a panel for each",
    "lines": "lines of theory (default: those about the value)",
    "scale": "linear or log, of x, y and colour",
    "range": "of the colours, low and high",
    "log10_t": "the time at which curves are shown",
    "step": "the step at which curves of training are shown",
    "title": "above the figure",
    "labels": "of x, y and colour",
    "cmap": "a colour map of Matplotlib",
    "width": "inches",
    "height": "inches",
    "style": "a .mplstyle file, or a table of settings of Matplotlib",
    "text": "keep text as text in SVG and PDF",
    "format": "files to write: svg, png, pdf",
}
GIVEN_TEXTS = {
    "success_rates": "of each pattern, a row for each base model",
    "policy": "probability of each pattern, a row for each base model",
    "logits": "of each pattern, instead of policy",
    "answer_kernel": "how often each pattern gives each answer, the correct one first",
    attributes.KEY: "numbers of each pattern, by name",
    "names": "of several base models",
    "temperature": "divides the logits (default 1)",
    given_models.AXIS: "one of several, by name or number",
    "file": "a CSV file with a row for each pattern",
}


def sweep() -> Schema:
    """Of a sweep file, also with `[figure]` for `phase-diagram`."""
    import simulator as sim
    from simulator import rollouts

    defined: dict[str, Schema] = {"axis": _axis(), "axes": _axes()}
    kinds = {key: {"type": _kinds(kind)} for key, kind in KEYS.items()}
    recipe = table(schema.of_class(rollouts.Recipe, defined))
    record = {"type": "array", "items": _observable(), "minItems": 1}
    times = {"anyOf": [_numbers(), _laws()]}
    roots = {r: described(_axes(), f"parameters of {r}, by name") for r in ROOTS}
    own = {
        "signal": schema.part(sim.AbstractSignal, defined),
        "update": schema.part(sim.AbstractUpdate, defined),
        "method": one_of(["auto", "exact", "flow"]),
        "recipe": {"anyOf": [{"type": "string"}, recipe]},
        "record": record,
        "model": _model(),
        "axes": table(roots) | {"additionalProperties": AXIS},
        "figure": table({key: described({}, text) for key, text in FIGURE.items()}),
        "along": table(
            {
                "record": described(record, "observables of a policy"),
                "log10_t": described(times, "log10 of times of the flow"),
                "step": described(times, "steps of sampled training"),
            }
        ),
        "reduce": table(
            {
                "over": described(TEXTS, "axes that are summarised"),
                "statistics": {
                    "type": "array",
                    "items": _statistic(),
                    "description": "mean, std, min, max, count, quantiles as q05",
                },
                "histogram": {
                    "type": "object",
                    "additionalProperties": _bins(),
                    "description": "of an observable: low, high, number of bins",
                },
            },
            ("over",),
        ),
    }
    whole = {
        key: described(one, TEXTS_OF[key]) for key, one in ({**kinds, **own}).items()
    }
    return {
        "$schema": schema.DRAFT,
        "title": "a sweep of pattern-selection",
        **table(whole),
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
    laws = [table({k: described(_bins(), LAWS[k])}, (k,)) for k in axes.KINDS]
    number = {"type": "integer", "minimum": 1, "description": LAWS["count"]}
    count = table({"count": number}, ("count",))
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
        properties: dict[str, Schema] = {
            "family": {"const": name, "description": family.summary}
        }
        for key, parameter in family.parameters.items():
            properties[key] = {
                "type": "integer" if parameter.whole else "number",
                "minimum": parameter.low,
                "maximum": parameter.high,
                "default": parameter.default,
                "description": parameter.text,
            }
        if family.patterns is not None:
            columns = _columns(1)
            properties[attributes.KEY] = described(columns, GIVEN_TEXTS[attributes.KEY])
        found.append(table(properties, ("family",)))
    given = {
        key: schema.nested(given_models.DEPTHS.get(key, 2))
        for key in given_models.GIVEN
    }
    given[attributes.KEY] = _columns(2)
    one = {"temperature": NUMBER, given_models.AXIS: {"type": ["string", "number"]}}
    texts = {"type": "string"}
    for properties, required in (
        ({"names": TEXTS, **given, **one}, "success_rates"),
        ({"file": texts, **one}, "file"),
    ):
        known = {k: described(kind, GIVEN_TEXTS[k]) for k, kind in properties.items()}
        found.append(table(known, (required,)))
    return {"anyOf": found}
