import numpy as np
import pytest

import theory
from experiments import checks, verify


@pytest.fixture(scope="module")
def reports():
    return verify.verify(("A2", "A3"), 64, seed=3)


def test_true_statements_survive(reports):
    for report in reports:
        assert report["violations"] == 0 and report["problems"] == 64
        assert report["unresolved"] <= 2
        assert np.isfinite(report["worst_margin"])


def test_a_false_bound_is_caught(monkeypatch):
    true = theory.transition_bounds

    def with_one_i(*args, **options):
        law = true(*args, **options)
        # Upper bound with I in place of 2 I.
        return law._replace(upper=law.lower)

    monkeypatch.setattr(theory, "transition_bounds", with_one_i)
    (report,) = verify.verify(("A3",), 64, seed=3)
    assert report["violations"] > 0


def test_a_false_rate_is_caught(monkeypatch):
    true = theory.gap_time_lower
    monkeypatch.setattr(theory, "gap_time_lower", lambda *a: 2 * true(*a))
    (report,) = verify.verify(("A2",), 64, seed=3)
    assert report["violations"] > 0


def test_nan_counts_as_a_violation():
    result = checks.CheckResult("X.y", "nothing", np.array([np.nan, 1.0]))
    assert result.violations == 1
