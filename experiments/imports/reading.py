"""From a file to the settings of a trainer: which one it is, and what is set."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from experiments.imports import shell
from experiments.imports.versions import OPENRLHF, OPENRLHF_FLAT, TRL, VERL, Version
from experiments.text import toml
from experiments.text.errors import UserError

TRAINERS = "trl", "verl", "openrlhf"
VERL_KEYS = {"actor_rollout_ref", "algorithm"}
ADVICE = "give the file of a trainer's configuration"
FORMS = {
    "trl": "a YAML or JSON mapping of GRPOConfig",
    "verl": "a nested YAML mapping, or a call of verl.trainer.main_ppo",
    "openrlhf": "a call of openrlhf.cli.train_ppo_ray",
}
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
DEEPEST = 20


def read(path: Path, trainer: str | None) -> tuple[str, Version, dict[str, Any]]:
    """The trainer, its version whose defaults count, and the settings by name.

    Raises `UserError` for a file that cannot be read, that is no configuration, whose
    trainer is not recognised, or that is none of `trainer`.
    """
    text = toml.read(path, ADVICE)
    try:
        return loads(text, trainer)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def loads(text: str, trainer: str | None = None):
    """As `read`, of the text of a file."""
    calls = shell.words(text)
    if trainer is None and len(calls) > 1:
        raise UserError(f"calls of {' and '.join(calls)}; keep one, or give --from.")
    if trainer in calls or (trainer is None and calls):
        trainer = trainer or next(iter(calls))
        words = calls[trainer]
        parsed = shell.overrides if trainer == "verl" else shell.options
        return _checked(trainer, parsed(words))
    table = _mapping(text)
    if table is None:
        asked = FORMS[trainer] if trainer else "; ".join(FORMS.values())
        raise UserError(f"not a mapping, and no call of a trainer; give {asked}.")
    if trainer is None:
        trainer = _recognised(table)
    return _checked(trainer, _flat(table) if trainer != "trl" else table)


def _mapping(text: str) -> dict[str, Any] | None:
    """The mapping of a JSON or YAML text; None if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" (line {mark.line + 1})" if mark else ""
            raise UserError(f"not YAML{where}, and no call of a trainer.") from None
        except (ValueError, RecursionError):
            raise UserError("not YAML that can be read.") from None
    if not isinstance(value, dict):
        return None
    return {str(key): item for key, item in value.items()}


def _recognised(table: dict[str, Any]) -> str:
    nested = any(isinstance(table.get(key), dict) for key in VERL_KEYS)
    if nested or any(key.split(".")[0] in VERL_KEYS for key in table):
        return "verl"
    if set(table) & set(TRL.defaults):
        return "trl"
    raise UserError(
        f"no trainer is recognised by its settings; give --from {', '.join(TRAINERS)}."
    )


def _flat(table: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Nested mappings as names with dots. Raises `UserError` if nested too deeply."""
    if depth > DEEPEST:
        raise UserError(f"mappings in mappings, more than {DEEPEST} deep.")
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            inner = _flat(value, depth + 1)
            found |= {f"{key}.{name}": item for name, item in inner.items()}
        else:
            found[str(key)] = value
    return found


def _checked(trainer: str, given: dict[str, Any]):
    version = {"trl": TRL, "verl": VERL}.get(trainer)
    if version is None:
        dotted = any("." in name for name in given)
        version = OPENRLHF if dotted else OPENRLHF_FLAT
    if not set(given) & set(version.defaults):
        raise UserError(f"no setting of {version} that a recipe has a part for.")
    known = version.defaults | given
    for name, value in given.items():
        reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if reference and reference[1] in known:
            given[name] = known[reference[1]]
    return trainer, version, given
