"""Where a result comes from: enough to get the same bits on the same machine."""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("pattern-selection", "jax", "jaxlib", "numpy", "scipy", "diffrax", "optax")


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def stamp(config: dict[str, Any], seed: int, batch: int | None = None) -> dict:
    """Revision, dirty flag, versions, device, configuration and hash, seed, dtype.

    `config` holds every input of the command, as plain data and arrays.
    `dirty` ignores `figures/`, where results are written.
    """
    import jax

    status = _git("status", "--porcelain", "--", ":/", ":!/figures")
    text = json.dumps(config, sort_keys=True, default=lambda array: array.tolist())
    return {
        "revision": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "config": config,
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "seed": seed,
        "dtype": "float64" if jax.config.jax_enable_x64 else "float32",
        "batch": batch,
    }
