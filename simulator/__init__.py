"""Dynamics of RL post-training as selection among reasoning patterns.

`Problem -> signal, update -> engine -> Solution -> observables`.

`__init__.pyi` lists the names; each is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
