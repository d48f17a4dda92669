"""A family of base models, and one of its parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from experiments.sweeps.base_models import BaseModels, Numbers
from experiments.text.errors import UserError


@dataclass(frozen=True)
class Parameter:
    """Its default and range; `whole` numbers only, or any."""

    default: float
    low: float
    high: float
    text: str
    whole: bool = False


@dataclass(frozen=True)
class Family:
    """`build(values, width, seed)`, where `width` is the number of patterns.

    `names`: of base models that are given one by one; `given`: in full. `attributes`:
    the names of theirs.
    """

    summary: str
    parameters: Mapping[str, Parameter]
    build: Callable[[Mapping[str, Numbers], int, int], BaseModels]
    patterns: int | None  # None: the parameter `patterns`
    names: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    given: bool = False


def check(parameter: Parameter, name: str, values: Numbers) -> None:
    """Raise `UserError` for values outside the parameter's range."""
    good = (values >= parameter.low) & (values <= parameter.high)
    if parameter.whole:
        good &= values == np.floor(values)
    if not good.all():
        kind = "a whole number" if parameter.whole else "a number"
        raise UserError(
            f"{name} = {values[~good][0]:g}; give {kind} from {parameter.low:g} to "
            f"{parameter.high:g}."
        )
