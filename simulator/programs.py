"""Compiled programs, kept on disk for later sessions.

JAX is not imported with this module: commands set its environment first.
"""

import hashlib
import os
import platform
from pathlib import Path

__all__ = ["keep_programs"]

KEPT_FROM = 0.5  # seconds of compiling


def keep_programs(folder: str | os.PathLike | None = None) -> Path:
    """Keep compiled programs for later sessions, in JAX's persistent cache.

    In `folder`, or where the commands keep theirs: in `JAX_COMPILATION_CACHE_DIR` if
    that is set, else in `pattern-selection/xla` of the user's cache, apart for every
    kind of processor. Call it before the first solution. Returns the folder.

    Raises `ValueError` if the folder cannot be written.

    >>> sim.keep_programs().is_dir()
    True
    """
    import jax

    from simulator.validation import shown

    if not isinstance(folder, str | os.PathLike | None):
        raise ValueError(f"`folder` is {shown(folder)}; give the path of a folder.")
    given = folder or os.environ.get("JAX_COMPILATION_CACHE_DIR")
    try:
        place = Path(given) if given else default_folder()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # no home: a RuntimeError
        raise ValueError(
            f"compiled programs cannot be kept in {given!r} ({error}); give a folder "
            "that can be written."
        ) from None
    if not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(f"{place} cannot be written; give another folder.")
    jax.config.update("jax_compilation_cache_dir", str(place))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", KEPT_FROM)
    return place


def default_folder() -> Path:
    """In the user's cache; apart for every kind of processor, as homes may be shared.

    Raises `RuntimeError` without a home.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pattern-selection" / "xla" / _processor()


def _processor() -> str:
    """A short name for what this processor can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        known = {x for x in lines if x.startswith(("model name", "flags", "Features"))}
        text = "\n".join(sorted(known))
    except OSError:
        text = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
