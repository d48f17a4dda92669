"""Confront each claim of `theory` with `simulator`, on random problems.

The check of a statement in `theory/X.py` is `check(job)` in `experiments/checks/X.py`.
It returns a margin per problem: positive where the claim holds with room to spare, 0 at
the limit, negative where it fails. What the number measures is said in `measures`.
Lanes that the simulator or the prediction could not settle are counted as unresolved.

Limits are checked as rates: how fast what is left falls over tens of decades of time.
"""

import importlib

import theory
from experiments.checks.result import Check, CheckResult, Job, by_claim

__all__ = ["Check", "CheckResult", "Job", "by_claim", "check_of"]


def check_of(id: str) -> Check:
    """The check of a statement, from the module of the same name as the theory's."""
    stem = theory.MODULES[id].__name__.rpartition(".")[2]
    return importlib.import_module(f"experiments.checks.{stem}").check
