"""Optax optimizers and schedules by their names, as a recipe writes them."""

import inspect
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import optax

from simulator.reporting.display import Part
from simulator.validation import check_kind, shown

__all__ = [
    "Optimizer",
]

OWN_NOISE = ("noisy_sgd",)
RATE = "the learning rate is the recipe's `learning_rate`"
ELSEWHERE = {"betas": "give b1 and b2", "learning_rate": RATE, "lr": RATE}


class Optimizer(Part):
    """An Optax optimizer by its name, with options, and a schedule by its name.

    `Optimizer("adam", {"b1": 0.9})`, `Optimizer(schedule="cosine_decay_schedule",
    schedule_options={"decay_steps": 1000})`.

    The learning rate is the recipe's, and the schedule multiplies it. Unless given, a
    decay begins at 1 (`init_value`); a warm-up goes from 0 (`init_value`) to 1
    (`peak_value`); both ends of a `linear_schedule` or `polynomial_schedule` have to be
    given. Parameters are what was added to the base model: weight decay (`adamw`,
    `lion`, ...) pulls towards the base model, not towards the uniform policy.

    >>> recipe = ro.Recipe(optimizer=ro.Optimizer("adam"), learning_rate=0.01)
    >>> recipe.optimizer.name
    'adam'
    """

    name: str = eqx.field(default="sgd", static=True)
    options: tuple[tuple[str, Any], ...] = eqx.field(default=(), static=True)
    schedule: str | None = eqx.field(default=None, static=True)
    schedule_options: tuple[tuple[str, Any], ...] = eqx.field(default=(), static=True)

    def __init__(
        self,
        name: str = "sgd",
        options: Mapping[str, Any] | None = None,
        schedule: str | None = None,
        schedule_options: Mapping[str, Any] | None = None,
    ):
        for key, given in (
            ("options", options),
            ("schedule_options", schedule_options),
        ):
            check_kind(key, given, Mapping | None, "{'b1': 0.9}")
            for option in given or ():
                check_kind(key, option, str, "'b1'")
        self.name = name
        self.options = tuple(sorted((options or {}).items()))
        self.schedule = schedule
        self.schedule_options = tuple(sorted((schedule_options or {}).items()))

    def build(self) -> optax.GradientTransformation:
        """The optimizer at learning rate 1.

        Raises `ValueError` for a name or an option that Optax does not know.
        """
        if self.name in OWN_NOISE:
            raise ValueError(
                f"{self.name!r} draws random numbers of its own, the same for every "
                "seed; take another optimizer."
            )
        return _call("optimizer", self.name, (self.factor(),), dict(self.options))

    def factor(self) -> Any:
        """The factor of the learning rate: 1, or a function of the update's number.

        Raises `ValueError` for a schedule or an option that Optax does not know.
        """
        if self.schedule is None:
            return 1.0
        known = _parameters("schedule", self.schedule)
        given = _usual_values(known) | dict(self.schedule_options)
        return _call("schedule", self.schedule, (), given)


def _usual_values(known: Mapping[str, inspect.Parameter]) -> dict[str, float]:
    """Where a schedule begins, and its peak, as multiples of the learning rate."""
    if "peak_value" in known:
        warm_up = {"init_value": 0.0, "peak_value": 1.0}
        return {name: value for name, value in warm_up.items() if name in known}
    end = known.get("end_value")
    open_end = end is None or end.default is not inspect.Parameter.empty
    return {"init_value": 1.0} if "init_value" in known and open_end else {}


def _parameters(kind: str, name: Any) -> Mapping[str, inspect.Parameter]:
    known = isinstance(name, str) and not name.startswith("_")
    function = getattr(optax, name, None) if known else None
    if not inspect.isfunction(function):
        example = "adam" if kind == "optimizer" else "cosine_decay_schedule"
        raise ValueError(
            f"{kind} {shown(name)} is unknown to Optax; give a name like {example!r}."
        )
    return inspect.signature(function).parameters


def _call(kind: str, name: str, rate: tuple, options: dict) -> Any:
    parameters = _parameters(kind, name)
    if kind == "optimizer":
        first = next(iter(parameters), None)
        if first != "learning_rate" or name.startswith("scale_by_"):
            raise ValueError(
                f"{name!r} of Optax is not an optimizer with a learning rate."
            )
    allowed = [option for option in parameters if option != "learning_rate"]
    for option in options:
        if option not in allowed:
            hint = ELSEWHERE.get(option) if kind == "optimizer" else None
            raise ValueError(
                f"{kind} {name!r} has no option {option!r}; "
                f"{f'{hint}: ' if hint else ''}choose from {', '.join(allowed)}."
            )
    try:
        return getattr(optax, name)(*rate, **options)
    except Exception as error:  # whatever Optax raises for odd options
        raise ValueError(f"{kind} {name!r} refuses its options: {error}") from None
