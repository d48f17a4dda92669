"""Which signals, updates, events and parts of recipes there are.

Read from the source, since `--help` has to be fast: JAX is not imported. A class added
to `simulator/signals.py` or `simulator/updates.py` is offered on the command line at
once, with an option for each of its fields.
"""

import ast
import functools
import importlib
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

SIMULATOR = Path(__file__).parents[2] / "simulator"
# Where else there is what an option of `run` stands for.
ELSEWHERE = {"beta": " Recipes of `train` have KL with every estimator."}


def option(field_name: str) -> str:
    """The option that gives a field its value."""
    return "--" + field_name.replace("_", "-")


@dataclass(frozen=True)
class Field:
    """A parameter: its name in Python, its text and argparse settings in `--help`.

    The text is the docstring below the field, with its default.
    """

    name: str
    text: str
    settings: dict[str, Any]
    required: bool

    @property
    def option(self) -> str:
        return option(self.name)


@dataclass(frozen=True)
class Entry:
    """A final class: its name on the command line, in Python, and what it does.

    `module`: its path in `simulator`; `bases`: the names of its base classes, and of
    theirs where they are in the same module.
    """

    name: str
    module: str
    class_name: str
    summary: str
    fields: tuple[Field, ...]
    bases: frozenset[str]

    def load(self) -> type:
        """The class itself; imports JAX."""
        path = self.module.replace("/", ".")
        return getattr(importlib.import_module(f"simulator.{path}"), self.class_name)


def _kebab(class_name: str) -> str:
    words = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    return re.sub(words, "-", class_name).lower()


def _settings(annotation: ast.expr) -> dict[str, Any]:
    """How to read a field of this type from the command line."""
    text = ast.unparse(annotation)
    if text.startswith("Literal["):
        words = map(_literal, ast.walk(annotation))
        return {"choices": [word for word in words if word is not None]}
    if text == "bool":
        return {"action": "store_true", "default": None}
    if text == "int":
        return {"type": int, "metavar": "N"}
    if text == "str":
        return {"metavar": "NAME"}
    many = {"nargs": "+"} if "K" in text.rpartition("'*B")[2] else {}
    return {"type": float, "metavar": "X"} | many


def _literal(node: ast.AST) -> str | None:
    """The text that a node is, if it is one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _fields(node: ast.ClassDef) -> tuple[Field, ...]:
    return tuple(
        Field(
            item.target.id,
            _text(following, item.value),
            _settings(item.annotation),
            _is_required(item.value),
        )
        for item, following in zip_longest(node.body, node.body[1:])
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not ast.unparse(item.annotation).startswith("ClassVar")
        and "init=False" not in ast.unparse(item)
    )


def _text(following: ast.stmt | None, default: ast.expr | None) -> str:
    """The docstring below a field, if it has one, and its default."""
    below = _literal(following.value) if isinstance(following, ast.Expr) else None
    text = (below or "").rstrip(".")
    for word in default.keywords if isinstance(default, ast.Call) else ():
        if word.arg == "default" and ast.unparse(word.value) not in ("False", "None"):
            text += f" (default {_plain(word.value)})"
    return text.strip()


def _plain(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else ast.unparse(value)


def _is_required(default: ast.expr | None) -> bool:
    """Whether a field has no default, be it an `eqx.field(...)` or not."""
    if default is None:
        return True
    if not isinstance(default, ast.Call) or ast.unparse(default.func) != "eqx.field":
        return False
    return all(word.arg != "default" for word in default.keywords)


@functools.cache
def entries(module: str) -> dict[str, Entry]:
    """The final classes of `simulator/<module>.py`, by command-line name."""
    tree = ast.parse((SIMULATOR / f"{module}.py").read_text(encoding="utf-8"))
    bases: dict[str, frozenset[str]] = {}
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        own = frozenset(b.id for b in node.bases if isinstance(b, ast.Name))
        bases[node.name] = own.union(*(bases.get(base, ()) for base in own))
        abstract = any(base.startswith("Abstract") for base in bases[node.name])
        if node.name.startswith("Abstract") or not abstract:
            continue
        summary = (ast.get_docstring(node) or "").split("\n")[0]
        name, fields = _kebab(node.name), _fields(node)
        entry = Entry(name, module, node.name, summary, fields, bases[node.name])
        found[name] = entry
    return found


def texts(module: str, class_name: str) -> dict[str, str]:
    """What is said of each field of a class in `simulator/<module>.py`."""
    tree = ast.parse((SIMULATOR / f"{module}.py").read_text(encoding="utf-8"))
    (node,) = (
        one
        for one in tree.body
        if isinstance(one, ast.ClassDef) and one.name == class_name
    )
    return {field.name: field.text for field in _fields(node)}


def signals() -> dict[str, Entry]:
    """Signals by command-line name; mixtures are written as weights instead."""
    return entries("signals") | entries("attribute_signals")


def updates() -> dict[str, Entry]:
    """Updates by command-line name."""
    return entries("updates")


def events() -> dict[str, Entry]:
    """Events by command-line name."""
    return entries("means") | entries("events") | entries("leading")


def options() -> dict[str, tuple[Field, list[str]]]:
    """Every field of every signal and update, with the names of its owners."""
    found: dict[str, tuple[Field, list[str]]] = {}
    for entry in (*signals().values(), *updates().values()):
        for field in entry.fields:
            known, owners = found.setdefault(field.name, (field, []))
            if known.settings != field.settings:
                raise TypeError(
                    f"`{field.name}` of {entry.name} is of another type than that of "
                    f"{owners[0]}, and both are the option {field.option}; rename it."
                )
            owners.append(entry.name)
    return found


def table(entry: Entry, given: dict[str, object]) -> dict[str, object]:
    """The name and the given options of a class, as the table of a TOML file.

    Raises `ValueError` for a required option that is not given.
    """
    own = {f.name: given[f.name] for f in entry.fields if given.get(f.name) is not None}
    for field in entry.fields:
        if field.required and field.name not in own:
            raise ValueError(f"{entry.name} needs {field.option}.")
    return {"name": entry.name, **own}


def check_used(chosen: list[Entry], given: dict[str, object]) -> None:
    """Raise `ValueError` for an option that none of the chosen classes has."""
    used = {field.name for entry in chosen for field in entry.fields}
    for name, (field, owners) in options().items():
        if given.get(name) is not None and name not in used:
            raise ValueError(
                f"{field.option} means nothing to {', '.join(e.name for e in chosen)}; "
                f"it belongs to {', '.join(owners)}.{ELSEWHERE.get(name, '')}"
            )
