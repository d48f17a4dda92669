"""The objects that a sweep file names: recipe, or signal, update and event."""

from collections.abc import Callable
from typing import Any

from experiments.text import events, objects, recipes as recipe_files, step_events
from experiments.text.errors import UserError

REST = "rest"
MODEL_PAYS = "fixed-confidence"


def roots(table: dict[str, Any]):
    """The objects, and which parts of the signal get a rest or the model's numbers."""
    import simulator as sim
    from simulator import rollouts

    if "recipe" in table:
        recipe = table["recipe"]
        if isinstance(recipe, str):
            recipe = recipe_files.load(recipe)
        else:
            recipe = objects.decode(rollouts.Recipe, recipe, "recipe")
        return {"recipe": recipe, **_watched(table)}, (None, ())
    signal, own = _without_own(table.get("signal", "verifiable"))
    signal, rest = _without_rest(signal)
    return {
        "signal": objects.named(sim.AbstractSignal, signal, "signal"),
        "update": objects.named(
            sim.AbstractUpdate, table.get("update", "policy-gradient"), "update"
        ),
        "until": _until(table.get("until", "gap=1e-3"), events.read),
    }, (rest, own)


def _watched(table: dict[str, Any]) -> dict[str, Any]:
    """The event that sampled training looks for, if any."""
    named = table.get("axes", {}).get("until")
    several = isinstance(named, list) and named and isinstance(named[0], str)
    text = table.get("until", named[0] if several else None)
    return {} if text is None else {"until": _until(text, step_events.read)}


def _until(text: str, read: Callable):
    known = events.entries().get(text)
    if known is not None and events.argument(known) == "LEVEL":
        raise UserError(
            f"until {text}: give a level between 0 and 1, as in '{text}=0.5'; an axis "
            "`level` takes its place."
        )
    return read(text, "until")


def _without_own(signal: Any) -> tuple[Any, tuple[int, ...]]:
    """Numbers for `fixed-confidence` that takes those of the model, and which it is."""
    parts = signal if isinstance(signal, list) else [signal]
    own, filled = [], []
    for i, part in enumerate(parts):
        table = {"name": part} if isinstance(part, str) else part
        named = isinstance(table, dict) and table.get("name") == MODEL_PAYS
        if named and "confidence" not in table:
            own.append(i)
            part = table | {"confidence": [0.0]}
        filled.append(part)
    return filled if isinstance(signal, list) else filled[0], tuple(own)


def _without_rest(signal: Any) -> tuple[Any, int | None]:
    """A mixture with numbers for all weights, and the part that gets the rest."""
    if not isinstance(signal, list):
        return signal, None
    open_ones = [
        i
        for i, part in enumerate(signal)
        if isinstance(part, dict) and part.get("weight") == REST
    ]
    if len(open_ones) > 1:
        raise UserError("signal: only one part of a mixture can get the rest.")
    if not open_ones:
        return signal, None
    (rest,) = open_ones
    closed = list(signal)
    closed[rest] = signal[rest] | {"weight": 0.0}
    return closed, rest
