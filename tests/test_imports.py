"""Which module imports which, while it is loaded."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("simulator", "theory", "experiments")


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree):
    """Imports at module level, as `(module, names)`."""
    blocks = [tree.body]
    while blocks:
        for node in blocks.pop():
            if isinstance(node, ast.Import):
                yield from ((alias.name, []) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, "relative import"
                yield node.module, [alias.name for alias in node.names]
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                    continue
                blocks += [
                    value
                    for field in ("body", "orelse", "finalbody")
                    if isinstance(value := getattr(node, field, None), list)
                ]


def graph(root, packages=PACKAGES):
    """The modules that each module imports while it is loaded: `{name: names}`."""
    trees = {
        module_name(path, root): ast.parse(path.read_text())
        for package in packages
        for path in (root / package).rglob("*.py")
    }
    edges = {name: set() for name in trees}
    for name, tree in trees.items():
        for module, listed in imports_of(tree):
            modules = {f"{module}.{x}" for x in listed} & trees.keys()
            # What a package is asked for itself, and not a module of it.
            if len(modules) < max(len(listed), 1) and module in trees:
                modules.add(module)
            edges[name] |= modules - {name}
    return edges


def order(edges):
    return list(graphlib.TopologicalSorter(edges).static_order())


def test_no_module_imports_itself_in_a_circle():
    found = order(graph(ROOT))
    assert len(found) > 100 and "theory.hull" in found


def test_only_experiments_import_the_other_packages():
    for name, imported in graph(ROOT).items():
        own = name.split(".")[0]
        if own != "experiments":
            assert {other.split(".")[0] for other in imported} <= {own}, name


@pytest.mark.parametrize("line", ["import a.x", "from a import x", "from a.x import y"])
def test_a_circle_is_seen(tmp_path, line):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "__init__.py").write_text("")
    (tmp_path / "a" / "x.py").write_text(
        "try:\n    from a import z\nfinally:\n    pass"
    )
    (tmp_path / "a" / "z.py").write_text(f"def late():\n    {line}\n")
    assert order(graph(tmp_path, ["a"]))[-1] == "a.x"
    (tmp_path / "a" / "z.py").write_text(line)
    with pytest.raises(graphlib.CycleError):
        order(graph(tmp_path, ["a"]))
