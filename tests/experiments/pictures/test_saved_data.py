"""`draw` and `summary` look at saved data, and at nothing else of their module."""

import ast
import inspect

import numpy as np
import pytest

from experiments.commands import figures
from experiments.pictures import NAMES, picture, with_part
from experiments.text.errors import UserError

OURS = ("theory", "simulator", "experiments")
STYLE = "experiments.pictures.style"


def reached(tree):
    """The functions that `draw` and `summary` call, and they themselves."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    found, waiting = {}, ["draw", "summary"]
    while waiting:
        name = waiting.pop()
        if name in functions and name not in found:
            found[name] = functions[name]
            waiting += [n.id for n in ast.walk(functions[name]) if named(n)]
    return found.values()


def named(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def looked_at(source):
    """What drawing takes from the module, or from our packages, besides its data."""
    tree = ast.parse(source)
    own = set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            own |= {n.id for t in targets for n in ast.walk(t) if hasattr(n, "id")}
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or node.names[0].name
            if module.split(".")[0] in OURS:
                own |= {alias.asname or alias.name for alias in node.names}
    found = set()
    for function in reached(tree):
        for node in ast.walk(function):
            if named(node) and node.id in own:
                found.add(node.id)
            if isinstance(node, ast.Import):
                found |= {a.name for a in node.names if a.name.split(".")[0] in OURS}
            if isinstance(node, ast.ImportFrom) and node.module != STYLE:
                found |= {node.module} if node.module.split(".")[0] in OURS else set()
    return found


@pytest.mark.parametrize("name", [*NAMES, "train"])
def test_drawing_looks_at_nothing_but_saved_data(name):
    # `bands` is how a picture shows quantiles; it is shared by two of them.
    allowed = {"bands", "experiments.pictures.monotone_regime"}
    assert looked_at(inspect.getsource(picture(name))) <= allowed


@pytest.mark.parametrize(
    "line, seen",
    [
        ("print(GROUPS)", {"GROUPS"}),
        ("helper()", {"GROUPS"}),
        ("theory.hull", {"theory"}),
        ("import simulator as sim", {"simulator"}),
        ("from experiments.checks import runs", {"experiments.checks"}),
        (f"from {STYLE} import BLUE", set()),
        ("GROUPS = 2", set()),
    ],
)
def test_a_look_at_something_else_is_seen(line, seen):
    source = (
        "import theory\nGROUPS = (2, 8)\ndef helper():\n    return GROUPS\n"
        f"def compute():\n    return GROUPS\ndef draw(data):\n    {line}\n"
    )
    assert looked_at(source) == seen


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(picture(n), "compute")])
def test_data_of_another_kind_are_refused_in_one_line(name, tmp_path):
    figures.save_data({"other": np.zeros(2)}, {}, tmp_path, name)
    with pytest.raises(UserError, match="does not hold what the picture shows") as said:
        figures.draw(name, tmp_path)
    message = str(said.value)
    command = "reproduce --all"
    if name in with_part("compute"):
        command = f"reproduce {name}"
    assert f"pattern-selection {command} --out" in message
    assert "\n" not in message
