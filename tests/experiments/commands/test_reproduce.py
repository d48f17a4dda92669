"""`reproduce`: the theorems of the paper, or all there is."""

import json

import pytest

import theory
from experiments import cli
from experiments.commands import falsify, figures, reproduce
from experiments.pictures import with_part
from experiments.runtime import workers

OF_PAPER = {
    *("A1", "A2", "A3", "A4", "optimum", "monotone_regime", "entanglement"),
    *("transition_time", "phase_diagram", "degradation"),
}


def tasks(*names, whole=False):
    wanted = reproduce._wanted(names, whole)
    return set(reproduce._tasks(wanted, whole, 10, True, 0))


def test_the_default_is_the_theorems_of_the_paper_and_its_six_figures():
    assert tasks() == OF_PAPER


def test_names_are_what_is_computed_and_a_statement_brings_its_figures():
    assert tasks("entanglement") == {"entanglement"}
    assert tasks("A2", "hull") == {"A2", "monotone_regime", "hull"}
    assert tasks("A3") >= {"A3", "entanglement", "transition_time"}


def test_all_is_all_there_is():
    everything = {*theory.STATEMENTS, *falsify.claims(), *with_part("compute")}
    assert tasks(whole=True) == everything | {"agreement"}


@pytest.fixture
def asked(monkeypatch):
    """The tasks of a run whose statements have as many violations as `wrong` says."""
    asked = {"wrong": 0, "drawn": []}

    def run(tasks, ended):
        asked["tasks"] = set(tasks)
        for name in set(tasks) - set(theory.STATEMENTS):
            ended(name, {})
        claims = {"claims": [], "cells": None}
        return {id: claims | {"violations": asked["wrong"]} for id in theory.STATEMENTS}

    monkeypatch.setattr(workers, "run", run)
    monkeypatch.setattr(figures, "draw", lambda name, _: asked["drawn"].append(name))
    return asked


def test_the_figures_are_drawn_and_their_page_is_named(asked, tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("# The figures\n")
    report = tmp_path / "report.json"
    words = ["reproduce", "--out", str(tmp_path), "--json", str(report)]
    assert cli.main(words) == 0
    assert asked["tasks"] == OF_PAPER
    assert set(asked["drawn"]) == OF_PAPER - set(theory.STATEMENTS)
    assert capsys.readouterr().out.splitlines()[-1] == f"Figures: {page}"
    found = json.loads(report.read_text())
    assert set(found) == {"stamp", "statements"} and len(found["statements"]) == 4
    assert not found["stamp"]["config"]["all"]


def test_without_a_page_the_folder_is_named(asked, tmp_path, capsys):
    asked["wrong"] = 1
    assert cli.main(["reproduce", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == f"Figures: {tmp_path}"
    assert captured.err.splitlines()[-1] == "4 violations"
