"""The pictures: one module each, `compute(rng, quick, progress)` and `draw(data)`.

A module here is a picture, and needs no other entry. `compute` returns named arrays;
they are saved, and `draw` sees nothing else. A picture that is made of the report of
`verify` has `collect(reports)` instead. `SHOWS` names the statements that it is about.
What a picture says in numbers, its `summary(data)`, `reproduce` prints.
"""

import importlib
import pkgutil
from types import ModuleType

PAPER = "A"  # with which the ids of the paper's statements begin; others are ours
OTHERS = (
    "looks",
    "narrow",
    "style",
    "train",
)  # of all pictures; the picture of `train`
NAMES = tuple(m.name for m in pkgutil.iter_modules(__path__) if m.name not in OTHERS)


def picture(name: str) -> ModuleType:
    """The module of a picture."""
    return importlib.import_module(f"{__name__}.{name}")


def of_paper(name: str) -> bool:
    """Whether a picture shows statements of the paper, and no others."""
    shown = picture(name).SHOWS
    return bool(shown) and all(id.startswith(PAPER) for id in shown)


def with_part(part: str) -> list[str]:
    """The pictures that have `compute`, or `collect`, or `summary`."""
    return [name for name in NAMES if hasattr(picture(name), part)]
