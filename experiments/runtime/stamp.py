"""Where a result comes from: enough to get the same bits on the same machine."""

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.runtime.output import plain

PACKAGES = ("pattern-selection", "jax", "jaxlib", "numpy", "scipy", "diffrax", "optax")
FILE = Path(__file__).resolve()
INFINITE = {"inf": float("inf"), "-inf": float("-inf")}


def _git(*arguments: str) -> str | None:
    """The output of git in the folder of this file, or None if it fails."""
    # GIT_DIR and the like would make it speak of another repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(FILE.parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _is_own_repository() -> bool:
    """Whether git's repository here is the package's, and not one around it.

    An installed package may lie inside the repository of another project.
    """
    top = _git("rev-parse", "--show-toplevel")
    own = top is not None and Path(top).resolve() == FILE.parents[2]
    return own and _git("ls-files", "--error-unmatch", FILE.name) is not None


def restored(value: Any) -> Any:
    """The `config` of a stamp with its infinities as numbers again."""
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return INFINITE.get(value, value) if isinstance(value, str) else value


def stamp(config: dict[str, Any], seed: int, batch: int | None = None) -> dict:
    """Revision, dirty flag, versions, device, configuration and hash, seed, dtype.

    `config` holds every input of the command, as plain data and arrays.
    `revision` and `dirty` are those of the package's own repository, None without one.
    `dirty` ignores `figures/`, where results are written.
    """
    import jax

    own = _is_own_repository()
    status = _git("status", "--porcelain", "--", ":/", ":!/figures") if own else None
    # Infinities, which JSON does not have, are the words inf and -inf.
    config = plain(config, str)
    text = json.dumps(config, sort_keys=True)
    return {
        "revision": _git("rev-parse", "HEAD") if own else None,
        "dirty": None if status is None else bool(status),
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "config": config,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "seed": seed,
        "dtype": str(jax.dtypes.canonicalize_dtype(float)),
        "batch": batch,
    }
