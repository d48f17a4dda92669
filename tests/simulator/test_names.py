"""The names of both packages: they exist, load late, and stay what they are."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import simulator
from experiments import cli
from experiments.text import catalogue, objects
from simulator import rollouts

ROOT = Path(__file__).parents[2]


def printed(script, *arguments):
    """The words that a process of its own prints."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("package", [simulator, rollouts], ids=lambda p: p.__name__)
def test_every_listed_name_exists_and_is_no_module(package):
    assert len(package.__all__) > 30
    for name in package.__all__:
        assert not isinstance(getattr(package, name), type(sys)), name


@pytest.mark.parametrize("package", [simulator, rollouts], ids=lambda p: p.__name__)
def test_the_stub_lists_the_modules_that_have_public_names(package):
    """So a type checker sees the names that there are when the program runs."""
    folder = Path(package.__file__).parent
    body = ast.parse((folder / "__init__.pyi").read_text()).body
    lines = [line for line in body if isinstance(line, ast.ImportFrom)]
    listed = [line.module for line in lines]
    public = [p for p in folder.rglob("*.py") if "\n__all__ = [" in p.read_text()]
    paths = [p.relative_to(folder).with_suffix("") for p in public]
    own = {".".join(p.parts) for p in paths if p.parts[0] != "rollouts"}
    assert listed == sorted(own) and all(n.names[0].name == "*" for n in lines)
    names = []
    for module in listed:
        loaded = importlib.import_module(f"{package.__name__}.{module}")
        assert loaded.__all__ == sorted(loaded.__all__), module
        names += loaded.__all__
        for name in loaded.__all__:
            assert getattr(package, name) is getattr(loaded, name)
    assert sorted(names) == sorted(package.__all__)


def test_the_version_is_that_of_the_command(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pattern-selection {simulator.__version__}\n"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert simulator.__version__ == project["project"]["version"]


PARTS = (
    *objects.FLOW_PARTS,
    "events",
    "means",
    "leading",
    *(f"rollouts.{part}" for part in objects.PARTS),
)


@pytest.mark.parametrize("module", PARTS)
def test_every_final_class_is_public(module):
    loaded = importlib.import_module(f"simulator.{module}")
    for entry in catalogue.entries(module.replace(".", "/")).values():
        assert entry.class_name in loaded.__all__


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="Exact"):
        _ = simulator.Exact
    with pytest.raises(ImportError, match="Exact"):
        from simulator import Exact  # noqa: F401


def test_importing_the_packages_loads_nothing_else():
    script = """
import sys
import simulator.rollouts
print(*(name for name in sys.modules if name.split(".")[0] in sys.argv[1:]))
"""
    heavy = ("simulator", "jax", "equinox", "diffrax", "optax", "numpy")
    assert printed(script, *heavy) == ["simulator", "simulator.rollouts"]


def test_functions_are_not_replaced_by_modules_of_the_same_name():
    """As an import inside of the package would, if nobody took care."""
    script = """
import simulator.rollouts.train as _
from simulator import exact, flow, plateaus, rollouts, solve
print(*(f.__name__ for f in (exact, flow, plateaus, solve, rollouts.train)))
"""
    assert printed(script) == ["exact", "flow", "plateaus", "solve", "train"]


def test_names_may_be_used_first_while_jax_traces():
    """Objects that a module makes when it is loaded are no tracers."""
    script = """
import jax
import simulator
from simulator import rollouts

@jax.jit
def load(x):
    for package in (simulator, rollouts):
        for name in package.__all__:
            getattr(package, name)
    assert rollouts.Verifier() == rollouts.Recipe().feedback
    return x

load(0.0)
recipe = rollouts.Recipe(num_steps=2)
run = rollouts.train(simulator.Problem([0.9, 0.1], [0.5, 0.5]), recipe, num_seeds=2)
print(*run.log_probs.shape)
"""
    assert printed(script) == ["2", "1", "2"]
