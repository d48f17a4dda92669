"""Every number and line that a command prints has a test with an independent witness.

What is printed is read off the source: every event class, every observable of sweeps,
every text with values in it, every key of a JSON object. Each is registered here with
the test that compares it with a value found another way (a closed form, `theory`, an
integration in SciPy, plain NumPy). Something new that is printed fails here until it
has one.
"""

import ast
import functools
import json
from pathlib import Path

import pytest

import experiments
import simulator as sim
from experiments import cli
from experiments.sweeps import observables

TESTS = Path(__file__).parent
SOURCE = Path(experiments.__file__).parent

ENGINES = "differential/test_engines.py::test_an_engine_agrees_with_an_independent_integration"
RUN = "differential/test_commands.py::test_run_prints_what_the_witness_finds"
CELLS = "differential/test_sweeps.py::test_every_observable_is_what_the_witness_finds"
GOALS = (
    "differential/test_sweeps.py::"
    "test_goals_that_hold_are_met_or_are_never_met_have_their_times"
)
REPORT = (
    "experiments/test_train_report.py::"
    "test_every_number_of_the_object_is_that_of_the_policies"
)
TABLE = (
    "experiments/test_train_report.py::"
    "test_every_column_of_the_table_is_that_of_the_policies"
)
CONTRACT = "experiments/test_cli.py::test_run_prints_the_contract_as_json"
COUNTS = "differential/test_sweeps.py::test_what_a_sweep_says_is_what_its_store_holds"
UNRESOLVED = (
    "experiments/sweeps/test_sweep_command.py::"
    "test_unresolved_runs_are_said_and_done_again"
)
SHARDS = "experiments/sweeps/test_sweep_command.py::test_json_and_shards"
DAMAGE = "experiments/sweeps/test_sweep_command.py::test_check_and_repair"
CELL = (
    "experiments/sweeps/test_sweep_command.py::test_a_cell_alone_gives_the_same_number"
)

EVENTS = {
    "T0": ENGINES,
    "Crossing": ENGINES,
    "LowestOptimalProbability": ENGINES,
    "PeakAccuracy": ENGINES,
    "BelowBase": ENGINES,
    "Leads": ENGINES,
    "Gap": ENGINES,
    "Accuracy": ENGINES,
    "OptimalProbability": ENGINES,
    "SuboptimalMass": ENGINES,
}
OBSERVABLES = {name: CELLS for name in ()}


def concrete(kind: type) -> set[type]:
    """All final classes below one, of the package itself."""
    below = {child for k in kind.__subclasses__() for child in {k, *concrete(k)}}
    return {
        k
        for k in below
        if k.__module__.startswith("simulator.")
        and not k.__name__.startswith("Abstract")
    }


def texts(path: str) -> list[str]:
    """Every text with values in it that a module makes, `{}` for a value.

    Errors (in `raise`) and help (`add_arguments`) are left out.
    """
    found: list[str] = []

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.Raise):
            return
        if isinstance(node, ast.FunctionDef) and node.name == "add_arguments":
            return
        if isinstance(node, ast.JoinedStr):
            parts = (
                p.value if isinstance(p, ast.Constant) else "{}" for p in node.values
            )
            found.append("".join(map(str, parts)))
            return
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(ast.parse((SOURCE / path).read_text(encoding="utf-8")))
    return found
