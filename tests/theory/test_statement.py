import ast
import re
from pathlib import Path

import numpy as np
import pytest

import theory
from tests.theory.problems import random_problem

CLAIMS = [claim for s in theory.STATEMENTS.values() for claim in s.claims]


def _claim(**changes):
    fields = dict(
        id="A9.x",
        words="w",
        formula="f",
        status="formal",
        hypotheses=theory.entanglement.has_t0,
    )
    return theory.statement.Claim(**(fields | changes))


def _statement(*claims):
    return theory.statement.Statement("A9", "t", "w", "f", "s", "a", "p", claims)


def test_theory_never_imports_the_simulator():
    for path in Path(theory.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(n.split(".")[0] in ("simulator", "jax") for n in names)


def test_every_statement_has_a_proof_and_claims():
    for statement in theory.STATEMENTS.values():
        assert statement.proof and statement.claims and statement.source


@pytest.mark.parametrize("status", ["Proved", "", "proven", None])
def test_an_unknown_status_is_refused(status):
    with pytest.raises(ValueError, match="status"):
        _claim(status=status)


def test_a_claim_must_carry_the_name_of_its_statement():
    assert _statement(_claim()).claims[0].status == "formal"
    for stray in ("A1.x", "A9", "A99.x"):
        with pytest.raises(ValueError, match="A9"):
            _statement(_claim(id=stray))


def test_claims_have_distinct_names_and_only_the_known_ones_are_refuted():
    names = [claim.id for claim in CLAIMS]
    assert len(set(names)) == len(names)
    refuted = {claim.id for claim in CLAIMS if claim.status == "refuted"}
    assert refuted == {
        "A3.gamma-alone",
        "A4.both",
        "C2.same-winner",
        "C2.ratio",
        "C5.grpo",
        "C7.aligned",
        "C7.longer",
    }


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_hypotheses_decide_lane_by_lane(claim, rng):
    problems = [random_problem(rng, 4) for _ in range(6)]
    s, log_pi = map(np.stack, zip(*problems, strict=True))
    log_pi[0], s[0] = np.log(0.25), [0.61, 0.93, 0.55, 0.72]
    log_pi[1] = [-np.inf, np.log(0.4), -np.inf, np.log(0.6)]
    data = {
        "success rates": s,
        "answer kernel": rng.dirichlet(np.ones(3), size=(6, 4)),
        "questions": rng.uniform(size=(6, 5, 4)),
    }[claim.data]
    together = claim.hypotheses(data, log_pi)
    assert together.shape == (6,) and together.dtype == bool
    for lane in range(6):
        assert claim.hypotheses(data[lane], log_pi[lane]) == together[lane]


def test_unknown_data_are_refused():
    with pytest.raises(ValueError, match="data"):
        _claim(data="kernel")


def test_the_readmes_count_the_claims():
    root = Path(theory.__file__).parents[1]
    for file in ("README.md", "theory/README.md"):
        counts = re.findall(r"(\d+) claims", (root / file).read_text())
        assert counts and set(counts) == {str(len(CLAIMS))}, file
