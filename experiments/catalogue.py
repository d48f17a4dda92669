"""Which signals and updates exist, read from their source without importing JAX.

`--help` has to be fast and complete: a class added to `simulator/signals.py` or
`simulator/updates.py` is offered on the command line at once.
"""

import ast
import importlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A final class: its name on the command line, in Python, and what it does."""

    name: str
    class_name: str
    summary: str
    fields: tuple[str, ...]


def _kebab(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", class_name).lower()


def entries(module: str, base_prefix: str) -> dict[str, Entry]:
    """The final classes of `simulator.<module>` whose base starts with the prefix."""
    root = importlib.util.find_spec("simulator").submodule_search_locations[0]
    tree = ast.parse((Path(root) / f"{module}.py").read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("Abstract"):
            continue
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        if not any(base.startswith(base_prefix) for base in bases):
            continue
        fields = tuple(
            item.target.id for item in node.body if isinstance(item, ast.AnnAssign)
        )
        summary = (ast.get_docstring(node) or "").split("\n")[0]
        found[_kebab(node.name)] = Entry(_kebab(node.name), node.name, summary, fields)
    return found


def signals() -> dict[str, Entry]:
    """Signals by command-line name; mixtures are written as weights instead."""
    found = entries("signals", "Abstract")
    del found["mixture"]
    return found


def updates() -> dict[str, Entry]:
    """Updates by command-line name."""
    return entries("updates", "AbstractUpdate")


def build(entry: Entry, options: dict[str, object]):
    """Make the object, giving each field the option of the same name, if given."""
    import simulator

    given = {f: options[f] for f in entry.fields if options.get(f) is not None}
    missing = [f for f in entry.fields if f not in given]
    if missing and entry.class_name == "FixedConfidence":
        raise ValueError(
            f"--signal {entry.name} needs --{missing[0].replace('_', '-')}: one "
            "number per pattern."
        )
    return getattr(simulator, entry.class_name)(**given)
