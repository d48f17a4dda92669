"""The curves, against the engines that answer one question each, and SciPy."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import simulator as sim
from experiments.explorer import curves
from experiments.explorer.arrays import padded, problem
from experiments.explorer.server import finite
from experiments.explorer.state import CLOCKS, State
from tests.experiments.explorer import drawn

MOST_BYTES = 35_000
PATTERNS = State(
    success_rates=(0.9, 0.6, 0.1, 0.4),
    logits=(-3.0, -0.35, -1.4, -2.0),
    confidences=(0.2, 0.75, 0.6, 0.9),
    weight=0.6,
)
STATES = {
    "plain": PATTERNS,
    "two patterns": State((0.7, 0.4), (-2.0, 0.0), (0.3, 0.9)),
    "noise and SFT": PATTERNS.changed(errors=(0.2, 0.3), dose=1.0),
    "a lying verifier": PATTERNS.changed(errors=(0.6, 0.7)),
    "never drawn": PATTERNS.changed(logits=(-math.inf, -0.35, -1.4, -2.0)),
    "a tie of the best": State((0.9, 0.9, 0.1), (-3.0, -4.0, 0.0), (0.1, 0.2, 0.3)),
    "rare": PATTERNS.changed(logits=(-40.0, -0.35, -1.4, -2.0)),
}


def columns(run: dict) -> tuple[np.ndarray, np.ndarray]:
    """log10 times after the start, and probabilities `[n, K]` there."""
    return np.array(run["log10_t"][1:], float), np.array(run["probs"]).T[1:]


@pytest.mark.parametrize("name", STATES)
def test_every_run_is_where_the_engine_says_it_is_at_its_times(name):
    state = STATES[name]
    found = curves.curves(state)
    question = problem(state)
    for run in ("rlvr", "mixture", "rlif"):
        log10_t, probs = columns(found["runs"][run])
        # At a hand-over of a long plateau all happens within the last digit of a time.
        turns = [t or -math.inf for _, t in found["runs"][run]["leaders"]]
        far = (np.abs(log10_t[:, None] - turns) > 2e-3).all(axis=1)
        some = np.nonzero(far & (np.diff(log10_t, prepend=-math.inf) > 0))[0][:64]
        log_times = log10_t[some] * math.log(10)
        solution = sim.solve(
            question,
            sim.FixedConfidence(padded(state.rewards(run), 0.0)),
            save_log_times=log_times,
            max_log_time=float(log_times[-1]),
        )
        want = np.asarray(solution.saved)[:, : state.num_patterns]
        np.testing.assert_allclose(probs[some], want, atol=5e-4)
        accuracy = np.array(found["runs"][run]["accuracy"][1:])[some]
        np.testing.assert_allclose(accuracy, want @ state.success_rates, atol=5e-4)
        small = (want < 1e-3) & (want > 1e-12)
        got = probs[some][small]
        np.testing.assert_allclose(np.log(got), np.log(want[small]), atol=2e-2)


@pytest.mark.parametrize("name", STATES)
def test_leaders_and_their_times_are_those_of_the_engine(name):
    state = STATES[name]
    found = curves.curves(state)
    for run in ("rlvr", "mixture", "rlif"):
        signal = sim.FixedConfidence(padded(state.rewards(run), 0.0))
        want = sim.plateaus(problem(state), signal, max_log_time=800 * math.log(10))
        got = found["runs"][run]["leaders"]
        assert [k for k, _ in got] == [plateau.pattern for plateau in want]
        assert got[0][1] is None
        np.testing.assert_allclose(
            [log10_t for _, log10_t in got[1:]],
            [plateau.log_enter / math.log(10) for plateau in want[1:]],
            atol=1e-4,
        )
        if run == "rlvr":
            assert found["hull"] == [k for k, _ in got]


def test_the_clock_of_grpo_and_the_run_in_it_are_those_of_the_engine():
    state = PATTERNS.changed(clock="grpo-8", errors=(0.2, 0.3))
    found = curves.curves(state)
    assert found["runs"]["rlvr"]["log10_t"] == found["clocks"]["grpo-8"]
    assert list(found["clocks"]) == list(CLOCKS)
    log10_t, probs = columns(found["runs"]["rlvr"])
    some = np.linspace(0, len(log10_t) - 1, 64).round().astype(int)
    log_times = log10_t[some] * math.log(10)
    solution = sim.solve(
        problem(state),
        sim.NoisyVerifier(0.2, 0.3),
        sim.GRPO(8),
        save_log_times=log_times,
        max_log_time=float(log_times[-1]),
    )
    want = np.asarray(solution.saved)[:, : state.num_patterns]
    np.testing.assert_allclose(probs[some], want, atol=5e-4)


def test_the_run_with_a_penalty_is_that_of_scipy():
    state = PATTERNS.changed(beta=0.03, run="kl")
    found = curves.curves(state)
    log10_t, probs = columns(found["runs"]["kl"])
    rates, first = np.array(state.success_rates), np.array(state.log_policy)

    def velocity(t, logits):
        logs = logits - np.logaddexp.reduce(logits)
        pi = np.exp(logs)
        paid = rates - state.beta * (logs - first)
        return pi * (paid - pi @ paid)

    def states(log10_t):
        times = 10**log10_t
        given = {"t_eval": times, "rtol": 1e-10, "atol": 1e-12, "method": "LSODA"}
        return solve_ivp(velocity, (0, times[-1]), first, **given).y.T

    path = states(log10_t)
    want = np.exp(path - np.logaddexp.reduce(path, axis=1)[:, None])
    np.testing.assert_allclose(probs, want, atol=2e-4)
    leaders = found["runs"]["kl"]["leaders"]
    order = want.argmax(axis=1)
    assert [k for k, _ in leaders] == [k for k, _ in itertools.groupby(order)]
    assert found["hull"] == [k for k, _ in leaders]
    # Where the two are equally likely, on a grid of a thousandth of a decade.
    fine = np.linspace(leaders[1][1] - 0.05, leaders[1][1] + 0.05, 101)
    path = states(fine)
    ahead = path[:, leaders[1][0]] - path[:, leaders[0][0]]
    np.testing.assert_allclose(leaders[1][1], fine[np.argmax(ahead > 0)], atol=5e-3)


@pytest.mark.parametrize("run", ["rlvr", "mixture", "rlif", "kl"])
def test_equal_pay_moves_nothing_and_is_said(run):
    state = State((0.5, 0.5, 0.5), confidences=(0.4, 0.4, 0.4), beta=0.1, run=run)
    found = curves.curves(state)
    assert set(found["still"]) >= {"rlvr", "mixture", "rlif"}
    assert found["runs"]["rlif"]["log10_t"] == [None]
    assert found["window"] == [-1.0, 3.0]
    for row in found["runs"].values():
        assert np.isfinite(np.array(row["probs"], float)).all()
        assert [k for k, _ in row["leaders"]] == [1]


def test_answers_are_small_monotone_and_free_of_nan(rng):
    extreme = [
        PATTERNS.changed(logits=(-700.0, 700.0, 0.0, 600.0)),
        PATTERNS.changed(logits=(0.0, -700.0, -700.0, -700.0)),
        PATTERNS.changed(dose=1000.0),
        State((1.0, 0.0), (-700.0, 700.0), (1.0, 0.0)),
        State((0.5, 0.5 + 1e-9), (0.0, 0.0), (0.5, 0.5)),
    ]
    states = [*extreme, *(drawn.state(rng) for _ in range(60))]
    for state in states:
        found = curves.curves(state)
        text = json.dumps(finite(found), allow_nan=False, separators=(",", ":"))
        assert len(text) < MOST_BYTES, state
        low, high = found["window"]
        assert low < high
        for name, run in found["runs"].items():
            log10_t, probs = columns(run)
            assert run["log10_t"][0] is None and np.isfinite(log10_t).all()
            assert (np.diff(log10_t) >= 0).all()
            everything = np.array(run["probs"])
            assert (everything >= 0).all() and (everything <= 1).all()
            np.testing.assert_allclose(everything.sum(axis=0), 1, atol=3e-3)
            base = found["base"]["policy"]
            np.testing.assert_allclose(everything[:, 0], base, atol=1e-4)
            if name != "kl" and len(log10_t) > 1:
                size = np.abs(probs - base).max()
                seen = (log10_t > low) & (log10_t < high)
                outside = np.abs(np.diff(probs, axis=0)).max(axis=1)[~seen[1:]]
                assert outside.sum() < 0.2 * size + 1e-3
        for row in found["clocks"].values():
            assert len(row) == len(found["runs"]["rlvr"]["log10_t"])
            assert (np.diff(np.array(row[1:], float)) >= 0).all()
