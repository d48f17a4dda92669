"""Dynamics of RL post-training as selection among reasoning patterns.

`Problem -> signal, update -> engine -> Solution -> observables`.

The public names are those in `__all__` of each module that `__init__.pyi` lists. They
are loaded at first use, so that `import simulator` does not import JAX.

Examples in docstrings start from

    import jax, optax, numpy as np, jax.numpy as jnp
    import simulator as sim
    from simulator import rollouts as ro

    jax.config.update("jax_enable_x64", True)
"""

import re
from pathlib import Path

import lazy_loader


def _public_names(file: str) -> dict[str, list[str]]:
    """The names in `__all__` by module, for the modules in the stub of a package.

    Read from the source, since importing the modules would import JAX.
    """
    stub = Path(file).with_suffix(".pyi")
    modules = re.findall(r"^from \.([\w.]+) import \*$", stub.read_text("utf-8"), re.M)
    names = {}
    for module in modules:
        path = stub.parent.joinpath(*module.split(".")).with_suffix(".py")
        text = path.read_text("utf-8")
        listed = re.search(r"^__all__ = \[(.*?)\]", text, re.M | re.S)
        if listed is None:
            raise ImportError(f"{path} has no list `__all__` of its public names.")
        names[module] = re.findall(r'"(\w+)"', listed[1])
    return names


_public, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs=_public_names(__file__)
)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("pattern-selection")
    return _public(name)
