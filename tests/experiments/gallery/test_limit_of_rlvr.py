"""The limit of RLVR: its numbers against SciPy, and a planted fault."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments.gallery import limit_of_rlvr
from experiments.gallery.models import question_banks, question_runs
from experiments.runtime.keys import generator

CLUSTERS, ATTEMPTS = 30, 256


@pytest.fixture(scope="module")
def bank():
    """Rates and base policy of the first large bank of the quick run."""
    rng = generator(0, "gallery limit-of-rlvr")
    rates, logits = question_banks.banks(rng, 16, question_runs.LARGE)
    return rates[0, :, :48], np.exp(logits[0]) / np.exp(logits[0]).sum()


def test_the_path_is_that_of_the_gradient_of_each_cluster(bank, quick):
    """Every question's own gradient, averaged over its cluster."""
    rates, base = bank
    place = np.arange(len(rates)) % CLUSTERS
    members = (place == np.arange(CLUSTERS)[:, None]) / 8

    def policies(flat):
        logits = flat.reshape(CLUSTERS, -1)
        pi = np.exp(logits - logits.max(axis=1, keepdims=True))
        return pi / pi.sum(axis=1, keepdims=True)

    def field(t, flat):
        pi = policies(flat)[place]
        mean = np.sum(pi * rates, axis=1, keepdims=True)
        return (members @ (pi * (rates - mean))).ravel()

    start = np.tile(np.log(base), CLUSTERS)
    times = question_runs.TIMES[[2, 5]]
    found = solve_ivp(field, (0, times[-1]), start, t_eval=times, rtol=1e-8, atol=1e-10)
    for flat, row in zip(
        found.y.T, quick("limit-of-rlvr")["path"][[3, 6]], strict=True
    ):
        p = np.sum(policies(flat)[place] * rates, axis=1)
        wanted = p.mean(), np.mean(1 - (1 - p) ** ATTEMPTS)
        np.testing.assert_allclose(row, wanted, atol=1e-6)


def test_reheating_has_the_entropy_of_the_base(bank):
    rng = np.random.default_rng(1)
    cold, base = rng.dirichlet(np.full(6, 0.1), (2, 3)), rng.dirichlet(np.ones(6), 2)
    hot = question_runs._reheated(cold, base)
    entropy = -np.sum(hot * np.log(hot), axis=-1).mean(axis=1)
    np.testing.assert_allclose(entropy, -np.sum(base * np.log(base), axis=-1), 1e-8)


def test_reported_numbers_are_those_of_the_page():
    page = (limit_of_rlvr.__file__).replace("limit_of_rlvr.py", "README.md")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for row in limit_of_rlvr.REPORTED:
        assert "| {} / {} |".format(*row) in text


@pytest.mark.slow
def test_a_wrong_sign_of_the_reward_is_seen(faulty):
    def plant(patch):
        means = question_banks.cluster_means
        patch.setattr(question_runs, "cluster_means", lambda *given: 1 - means(*given))

    assert faulty("limit-of-rlvr", plant)["crossover"] != "reproduced"
