"""Training as it is done: groups of sampled rollouts, estimators, optimizers.

`train(problem, recipe)` runs any number of questions, seeds and recipes at once;
`expected_step` enumerates all groups and gives the exact mean of one step.

The public names are those in `__all__` of each module that `__init__.pyi` lists.
"""

import lazy_loader

from simulator import _public_names

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs=_public_names(__file__)
)
