"""Parts that belong together share a name: statement, check, test; picture, caption."""

import re
from pathlib import Path

import numpy as np
import pytest

import theory
from experiments import checks, pictures
from experiments.checks import feedback_classes
from experiments.commands import falsify, schedule, verify
from experiments.runtime.keys import generator

ROOT = Path(__file__).parents[1]
STEMS = {id: module.__name__.split(".")[1] for id, module in theory.MODULES.items()}

# While tests are collected: a statement that is not checked is no test that is missing.
for _id in theory.STATEMENTS:
    checks.check_of(_id)


def stems(folder):
    return {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}


def test_every_module_of_theory_is_listed():
    assert {name for name in theory.__all__ if name.islower()} == stems("theory")


def test_every_file_with_a_statement_is_known():
    holding = {
        path.stem
        for path in (ROOT / "theory").glob("*.py")
        if re.search(r"^STATEMENT\b", path.read_text(), re.MULTILINE)
    }
    assert holding == set(STEMS.values())
    assert verify.statements() == tuple(sorted(theory.STATEMENTS))


@pytest.mark.parametrize("id", theory.STATEMENTS)
def test_a_statement_its_check_and_its_test_have_one_name(id):
    assert checks.check_of(id).__module__ == f"experiments.checks.{STEMS[id]}"
    assert (ROOT / "tests/theory" / f"test_{STEMS[id]}.py").is_file()


def test_a_statement_without_a_check_is_an_error(monkeypatch):
    monkeypatch.setitem(theory.MODULES, "Z1", theory.survivors)
    with pytest.raises(ModuleNotFoundError, match="experiments.checks.survivors"):
        checks.check_of("Z1")


def test_two_statements_of_one_id_are_refused():
    with pytest.raises(ValueError, match="theory.hull and theory.hull both hold B2"):
        theory._by_id([theory.hull, theory.hull])


def test_the_order_of_tasks_names_tasks_and_moves_no_other():
    names = [*verify.statements(), *falsify.claims(), *pictures.NAMES, "agreement"]
    assert set(schedule.BEGIN) <= set(names)
    assert len(set(schedule.BEGIN)) == len(schedule.BEGIN)
    assert schedule.in_order(["new", "C7", "old", "A2"]) == ["A2", "C7", "new", "old"]


@pytest.mark.parametrize("name", pictures.NAMES)
def test_a_picture_is_drawn_from_one_source_and_has_a_caption(name):
    module = pictures.picture(name)
    assert hasattr(module, "compute") != hasattr(module, "collect")
    assert hasattr(module, "draw")
    captions = (ROOT / "figures" / "README.md").read_text()
    (title,) = re.findall(rf"^### \d+\. (.*)\n!\[.*\]\({name}\.svg\)", captions, re.M)
    shown = re.findall(r"\((.*)\)", title)
    assert ", ".join(module.SHOWS) == (shown[0] if shown else "")
    assert set(module.SHOWS) <= set(theory.STATEMENTS)


def test_random_numbers_depend_on_the_name_and_nothing_else():
    first, second = (generator(3, name).random(4) for name in ("C1", "B8"))
    assert not np.isin(first, second).any()
    # As stored results were drawn.
    np.testing.assert_array_equal(
        first, np.random.default_rng([3, 3411217923]).random(4)
    )
    assert not np.isin(first, generator(4, "C1").random(4)).any()


def test_no_new_statement_moves_the_draws_of_another(monkeypatch):
    id = theory.STATEMENTS["C1"].claims[0].id

    def check(job):
        return [checks.CheckResult(id, "", job.rng.random(1))]

    monkeypatch.setattr(feedback_classes, "check", check)
    before = verify.verify_one("C1", 4, 0)["worst_margin"]
    more = {"A0": theory.STATEMENTS["A1"]} | theory.STATEMENTS
    monkeypatch.setattr(theory, "STATEMENTS", more)
    assert verify.verify_one("C1", 4, 0)["worst_margin"] == before
    assert verify.verify_one("C1", 4, 1)["worst_margin"] != before
