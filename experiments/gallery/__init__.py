"""The gallery: related papers as experiments of this model, each with its verdicts.

One module a paper: `compute(rng, quick, progress)` returns named arrays, which are
saved; `findings(data)` judges each of the module's `CLAIMS` by them, and `draw(data)`
draws its one figure. Both see nothing else. `TITLE` and `SOURCE` say which paper it is.
A module here is an experiment, and needs no other entry. Where one would be longer than
200 lines, base models and runs are in `models`, figures in `drawings`.
"""

import importlib
import pkgutil
from types import ModuleType

OTHERS = ("drawings", "models", "verdict")
MODULES = tuple(m.name for m in pkgutil.iter_modules(__path__) if m.name not in OTHERS)
NAMES = tuple(name.replace("_", "-") for name in MODULES)


def paper(name: str) -> ModuleType:
    """The module of a paper, by its name on the command line."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
