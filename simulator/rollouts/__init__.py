"""Training as it is done: groups of sampled rollouts, estimators, optimizers.

`train(problem, recipe)` runs any number of questions, seeds and recipes at once;
`expected_step` enumerates all groups and gives the exact mean of one step.

`__init__.pyi` lists the names; each is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
