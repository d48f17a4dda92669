"""`explain`: what is printed is what the theory, the checks and the figures hold."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import theory
from experiments import cli
from experiments.checks import check_of

ROOT = Path(__file__).parents[3]
PAPER = [s for s in theory.STATEMENTS.values() if s.id.startswith("A")]


def said(capsys, *words: str) -> str:
    assert cli.main(["explain", *words]) == 0
    return capsys.readouterr().out


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("id", theory.STATEMENTS)
def test_a_statement_is_told_whole(id, capsys):
    statement, printed = theory.STATEMENTS[id], one_line(said(capsys, id))
    for part in (statement.words, statement.formula, statement.assumptions):
        assert one_line(part) in printed
    assert one_line(theory.MODULES[id].__doc__) in printed
    assert one_line(check_of(id).__doc__) in printed
    for claim in statement.claims:
        assert f"{claim.id}, {claim.status}; last check" in printed
        assert one_line(claim.words) in printed


def test_the_margins_are_those_of_the_last_reproduction(capsys):
    with np.load(ROOT / "figures" / "data" / "tightness.npz") as saved:
        (place,) = np.flatnonzero(saved["claim"] == "A2.upper")
        problems, worst = saved["problems"][place], saved["quantiles"][place].min()
    printed = said(capsys, "A2.upper")
    number, margin = re.search(r"check: ([\d,]+) .* margin (\S+)", printed).groups()
    assert int(number.replace(",", "")) == problems
    np.testing.assert_allclose(float(margin), worst, rtol=0.05)


def test_the_figures_are_those_whose_caption_names_the_statement(capsys):
    captions = (ROOT / "figures" / "README.md").read_text()
    for id in theory.STATEMENTS:
        blocks = re.findall(r"\(([^()]*)\)\n!\[[^]]*\]\((\w+)\.svg\)", captions)
        shown = {
            name
            for ids, name in blocks
            if id in re.split(", | and ", ids) and not name.startswith("phase_")
        }
        printed = said(capsys, id)
        named = set(re.findall(r"figures/(\w+)\.svg", printed))
        assert shown <= named, id


def test_json_holds_the_same(capsys):
    (told,) = json.loads(said(capsys, "B2", "--json", "-"))
    assert told["id"] == "B2" and told["figures"] == ["hull"]
    assert [claim["id"] for claim in told["claims"]] == [
        claim.id for claim in theory.STATEMENTS["B2"].claims
    ]


def test_each_statement_is_listed_with_the_number_of_its_claims(capsys):
    listed = said(capsys)
    assert cli.main(["verify", "--list"]) == 0
    assert capsys.readouterr().out == listed
    counts = re.findall(r"^([A-C]\d)\s+(\d+)", listed, re.M)
    assert counts == [
        (id, str(len(statement.claims))) for id, statement in theory.STATEMENTS.items()
    ]


def test_every_statement_of_the_paper_is_compared_with_it():
    assert all(statement.findings for statement in PAPER)
    refuted = {c.id for s in PAPER for c in s.claims if c.status == "refuted"}
    told = {
        name
        for s in PAPER
        for finding in s.findings
        for name in finding.evidence
        if finding.verdict == "refuted as read"
    }
    assert refuted <= told


def test_the_table_of_the_theory_is_that_of_the_statements():
    page = (ROOT / "theory" / "README.md").read_text(encoding="utf-8")
    rows = [
        f"| {s.id} | {f.reported} | {f.found} | {', '.join(f.evidence)} | {f.verdict} |"
        for s in theory.STATEMENTS.values()
        for f in s.findings
    ]
    assert "\n".join(rows) in page


def test_every_symbol_is_explained_and_in_the_table(capsys):
    page = (ROOT / "theory" / "README.md").read_text(encoding="utf-8")
    page = page.replace("\\|", "|")
    everything = one_line(said(capsys, "--symbol"))
    for name, symbol in theory.symbols.SYMBOLS.items():
        printed = one_line(said(capsys, "--symbol", name))
        assert (
            printed.startswith(f"{name} {symbol.words}") and symbol.formula in printed
        )
        assert printed in everything
        assert f"| `{name}` | {symbol.words} | " in page and symbol.formula in page
        assert set(symbol.statements) <= set(theory.STATEMENTS)


def test_gamma_and_t0_are_those_of_the_example():
    """The formulas of the symbols, computed by themselves."""
    rates, policy = theory.entanglement.example_case()
    gamma = (policy.sum() - policy[1]) / policy[0]
    np.testing.assert_allclose(gamma, 6)
    np.testing.assert_allclose(theory.entanglement.gamma(rates, np.log(policy)), gamma)


def test_a_symbol_is_written_as_json(capsys):
    (told,) = json.loads(said(capsys, "--symbol", "gamma", "--json", "-"))
    symbol = theory.symbols.SYMBOLS["gamma"]
    assert told == {
        "name": "gamma",
        "words": symbol.words,
        "formula": symbol.formula,
        "statements": list(symbol.statements),
    }
    everything = json.loads(said(capsys, "--symbol", "--json", "-"))
    assert [one["name"] for one in everything] == list(theory.symbols.SYMBOLS)
    both = json.loads(said(capsys, "A3", "--symbol", "gamma", "--json", "-"))
    assert [both[0]["id"], both[1]["name"]] == ["A3", "gamma"]
