"""XLA's undocumented compiler options, each only where it exists."""

import functools
from typing import Any

import jax


def cpu_options(platform: str, **wanted: Any) -> dict[str, Any]:
    """Those of `wanted` that programs for `platform` can be compiled with.

    For CPUs only, as they were measured there. Options come and go with XLA's versions,
    and an unknown one raises: each is tried on an empty program, once per process.
    """
    if platform != "cpu":
        return {}
    return {name: value for name, value in wanted.items() if _exists(name, value)}


@functools.cache
def _exists(name: str, value: Any) -> bool:
    given = jax.device_put(0.0, jax.local_devices(backend="cpu")[0])
    try:
        jax.jit(lambda x: x + 1, compiler_options={name: value}).lower(given).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
