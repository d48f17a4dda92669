"""Options of XLA; most of them have to be set before JAX is imported.

What the user has set in the environment stays.
"""

import functools
import gc
import importlib.util
import os
from collections.abc import Callable
from importlib import metadata

from simulator import programs

# Most programs of these run for less time than they take to compile.
SHORT = ("run", "train", "verify", "falsify", "reproduce")
# The newest jaxlib that each flag was tried with, from 0.10.0 on: XLA documents none of
# them, and ends the process at one that it does not know.
TRIED = {
    "xla_backend_optimization_level": (0, 12, 0, 1),
    "xla_cpu_use_fusion_emitters": (0, 10, 2),
    "xla_cpu_parallel_codegen_split_count": (0, 12, 0, 1),
}


def prepare(command: str) -> None:
    """Set the environment for a command; see benchmarks/README.md for the effects."""
    # XLA runs a program on one core: as many devices as cores share the lanes. Two at
    # least: for one alone XLA compiles another program, with other last digits.
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(max(2, _cores())))
    # Programs are as fast, and compile sooner.
    flag("xla_backend_optimization_level", "1")
    if command in SHORT:
        # Its older way to write loops: programs are slower, and compile sooner still.
        flag("xla_cpu_use_fusion_emitters", "false")
    keep_programs()
    collect_seldom()


def flag(name: str, value: str) -> None:
    """Add to XLA_FLAGS, where nothing speaks against it.

    Not if the user has set the same flag, or XLA_FLAGS is the name of a file; nor with
    a jaxlib that it was not tried with, or where JAX may use anything but CPUs, whose
    XLA is another. Programs then take longer to compile, no more.
    """
    flags = os.environ.get("XLA_FLAGS", "").strip()
    if name in flags or flags[:1] not in ("", "-"):
        return
    if _jaxlib() <= TRIED[name] and _cpu_only():
        os.environ["XLA_FLAGS"] = f"{flags} --{name}={value}".strip()


def fast(function: Callable) -> Callable:
    """`jax.jit` of one that runs much longer than it takes to compile."""

    @functools.cache
    def compiled():
        import jax

        from simulator.numerics import compiler

        options = compiler.cpu_options(
            jax.default_backend(),
            xla_cpu_use_fusion_emitters=True,
            xla_backend_optimization_level=3,
        )
        return jax.jit(function, compiler_options=options)

    return lambda *given: compiled()(*given)


def keep_programs() -> None:
    """Compiled programs are kept in the user's cache, for later commands.

    Where the folder cannot be written, programs are not kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        folder = programs.default_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # without a home
        return
    if os.access(folder, os.W_OK | os.X_OK):
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        key = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
        os.environ.setdefault(key, str(programs.KEPT_FROM))


def collect_seldom() -> None:
    """Tracing makes what lives long: to look for garbage in it takes a twentieth."""
    gc.set_threshold(20_000)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _jaxlib() -> tuple[float, ...]:
    """Its version; later than all others if that cannot be told, or is no release."""
    try:
        return tuple(int(part) for part in metadata.version("jaxlib").split("."))
    except (metadata.PackageNotFoundError, ValueError):
        return (float("inf"),)


def _cpu_only() -> bool:
    """Whether JAX finds nothing but CPUs."""
    if os.environ.get("JAX_PLATFORMS") == "cpu":
        return True
    modules = map(importlib.util.find_spec, ("jax_plugins", "libtpu"))
    return not any(modules) and not metadata.entry_points(group="jax_plugins")
