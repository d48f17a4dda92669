"""The exported command and the snippet give the numbers that the page shows."""

import contextlib
import io
import json
import math

import numpy as np
import pytest

import simulator as sim
from experiments import cli
from experiments.explorer import exports, numbers
from experiments.explorer.arrays import log_base
from experiments.explorer.state import State
from tests.experiments.explorer import drawn
from tests.experiments.explorer.test_numbers import LINES, STATES, printed
from tests.experiments.explorer.witness import FEW

NEAR = 1e-6  # relative: what printed numbers of six digits may differ by, and rounding
EVENTS = {
    "t0": sim.T0(),
    "t_cross": sim.Crossing(),
    "t_peak": sim.PeakAccuracy(),
}


def states(part: int, number: int = 12) -> list[State]:
    """Random ones of three patterns: each number of them is a program."""
    rng = np.random.default_rng([20260605, part])
    return [drawn.state(rng, K=3, clock=str(rng.choice(FEW))) for _ in range(number)]


def same_texts(one: str, other: str) -> bool:
    """Equal, but for the last digit of numbers that round the other way."""
    if one == other:
        return True
    words = [text.replace(",", " ").split() for text in (one, other)]
    if len(words[0]) != len(words[1]):
        return False
    for a, b in zip(*words, strict=True):
        if a != b:
            x, y = (float(word.replace("10^", "").strip("()")) for word in (a, b))
            if not math.isclose(x, y, rel_tol=2e-5):
                return False
    return True


@pytest.mark.parametrize("part", range(4))
def test_the_command_prints_every_row_of_random_states(part, capsys):
    for state in states(part):
        rows = {r["key"]: r["text"] for r in numbers.rows(numbers.found(state))}
        lines = printed(state, capsys)
        assert exports.command(state).split()[1:] == exports.words(state)
        for key, line in LINES.items():
            assert (key in rows) == (line in lines), (key, state)
            if key not in rows:
                continue
            text = lines[line].partition("  (")[0]
            if key == "accuracy":
                text = text.partition(", peak")[0]
            elif key == "peak":
                text = text.partition(", peak ")[2]
            shown = rows[key].partition(" at ")[0] if key == "lowest" else rows[key]
            assert same_texts(shown, text), (key, state)


@pytest.mark.parametrize("name", STATES)
def test_the_command_finds_the_numbers_to_rounding(name, capsys):
    state = STATES[name]
    found = numbers.found(state).numbers
    assert cli.main([*exports.words(state), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    for key in ("log10_t0", "log10_t_cross", "log10_time", "log10_t_peak"):
        mine = found[key]
        if mine is None or not math.isfinite(mine):
            assert result[key] in (None, mine)
        else:
            assert mine == pytest.approx(result[key], abs=1e-7)
    for key in ("accuracy", "peak_accuracy", "min_optimal_probability"):
        assert found[key] == pytest.approx(result[key], rel=NEAR)
    np.testing.assert_allclose(found["policy"], result["policy"], rtol=NEAR, atol=1e-15)


@pytest.mark.parametrize("name", STATES)
def test_the_snippet_runs_and_finds_the_numbers(name):
    state = STATES[name]
    found, names = numbers.found(state).numbers, {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(exports.snippet(state), "snippet", "exec"), names)
    assert out.getvalue().startswith("Solution of one problem")
    solution = names["solution"]
    for key, event in EVENTS.items():
        log10_t = float(solution.at(event).log10_time)
        assert log10_t == pytest.approx(found[f"log10_{key}"], abs=1e-6)
    dip = solution.at(sim.LowestOptimalProbability()).log_probs
    lowest = float(sim.log_optimal_probability(dip, state.success_rates))
    want = found["log10_min_optimal_probability"] * math.log(10)
    assert lowest == pytest.approx(want, abs=1e-6)
    np.testing.assert_allclose(solution.policy, found["policy"], rtol=1e-5, atol=1e-12)


def test_logits_after_sft_have_all_digits():
    state = State(dose=1.5, logits=(-3.0, -0.35, -1.4))
    words = exports.words(state)
    first = words.index("--logits") + 1
    assert [float(word) for word in words[first : first + 3]] == log_base(
        state
    ).tolist()
    assert ", ".join(words[first : first + 3]) in exports.snippet(state)


def test_a_pattern_that_is_never_drawn_can_be_pasted():
    state = State(logits=(-math.inf, 0.0, -1.0))
    assert "--logits -inf 0.0 -1.0" in exports.command(state)
    assert "logits=[-math.inf, 0.0, -1.0]" in exports.snippet(state)


@pytest.mark.parametrize("part", range(4))
def test_rates_and_logits_of_the_command_are_those_of_the_state(part):
    for state in states(part):
        words = exports.words(state)
        rates, first = (words.index(w) + 1 for w in ("--success-rates", "--logits"))
        K = state.num_patterns
        assert tuple(map(float, words[rates : rates + K])) == state.success_rates
        logits = np.array(words[first : first + K], float)
        log_policy = logits - np.logaddexp.reduce(logits)
        known = np.isfinite(log_policy)
        np.testing.assert_array_equal(known, np.isfinite(state.logits))
        want = log_base(state)
        np.testing.assert_allclose(log_policy[known], want[known], atol=1e-12)
