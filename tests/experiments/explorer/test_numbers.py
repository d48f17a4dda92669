"""The numbers that the page prints, against the command that it exports, and SciPy."""

import json
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments import cli
from experiments.explorer import answers, exports, numbers
from experiments.explorer.state import State, to_json
from experiments.text.errors import UserError

START = State()
EQUAL = State(success_rates=(0.5, 0.5, 0.5))
STATES = {
    "rlvr": START,
    "rare": START.changed(logits=(-80.0, -0.35, -1.4)),
    "good": START.changed(logits=(2.0, -0.35, -1.4)),
    "tie of the best": State(success_rates=(0.9, 0.9, 0.1)),
    "never drawn": START.changed(logits=(-math.inf, 0.0, -1.0)),
    "equal rates": EQUAL,
    "after SFT": START.changed(dose=1.5),
    "noise": START.changed(errors=(0.2, 0.3)),
    "no information": START.changed(errors=(0.4, 0.6)),
    "a lying verifier": START.changed(errors=(0.6, 0.7)),
    "mixture": START.changed(run="mixture", weight=0.3),
    "rlif": START.changed(run="rlif"),
    "rlif, rises and falls": State(
        success_rates=(0.9, 0.6, 0.1),
        logits=(-1.0, -3.0, -1.0),
        confidences=(0.6, 0.9, 0.1),
        run="rlif",
    ),
    "kl": START.changed(run="kl", beta=0.05),
    "kl of weight 0": START.changed(run="kl"),
    "grpo": START.changed(clock="grpo-8"),
}
LINES = {
    "accuracy": "accuracy",
    "peak": "accuracy",
    "t0": "T0",
    "t_cross": "crossing",
    "lowest": "lowest pi*",
    "t_below_base": "below base",
    "ended": "ended at",
    "later": "later",
    "leaders": "leaders",
    "time": "time",
}


def printed(state: State, capsys) -> dict[str, str]:
    """What the exported command prints, by the first words of its lines."""
    assert cli.main(exports.words(state)) == 0
    text = capsys.readouterr().out
    return {line[:11].strip(): line[11:] for line in text.splitlines()}


@pytest.mark.parametrize("name", STATES)
def test_rows_are_what_the_exported_command_prints(name, capsys):
    state = STATES[name]
    rows = {row["key"]: row for row in numbers.rows(numbers.found(state))}
    lines = printed(state, capsys)
    for key, line in LINES.items():
        assert (key in rows) == (line in lines), key
        if key not in rows:
            continue
        text = lines[line]
        if key == "accuracy":
            text = text.partition(", peak")[0]
        elif key == "peak":
            text = text.partition(", peak ")[2]
        elif key in ("t0", "t_cross", "t_below_base", "time"):
            text = text.partition("  (")[0]
        shown = rows[key]["text"]
        assert shown.startswith(text + " at ") if key == "lowest" else shown == text
    assert list(rows)[0] == "accuracy"


def test_the_dip_and_its_time_are_those_of_scipy():
    state = START
    rates = np.array(state.success_rates)

    def velocity(t, logits):
        pi = np.exp(logits - logits.max())
        pi /= pi.sum()
        return pi * (rates - pi @ rates)

    times = np.linspace(0, 100, 200_001)
    path = solve_ivp(
        velocity, (0, 100), state.logits, "DOP853", times, rtol=1e-11, atol=1e-11
    ).y
    pi = np.exp(path[0] - np.log(np.exp(path).sum(axis=0)))
    row = next(r for r in numbers.rows(numbers.found(state)) if r["key"] == "lowest")
    depth, _, when = row["text"].partition(" at t = ")
    assert 5 < float(when) < 90
    np.testing.assert_allclose(float(depth), pi.min(), rtol=1e-5)
    np.testing.assert_allclose(float(when), times[pi.argmin()], atol=1e-2)


def test_of_a_run_that_is_stopped_it_is_said_why():
    hard = State(
        success_rates=(0.0, 0.25, 0.5, 0.75, 1.0),
        logits=(0.0, -50.0, -100.0, -150.0, -200.0),
        confidences=(0.5,) * 5,
        run="kl",
        beta=1e-3,
    )
    endless = START.changed(run="kl", beta=1e-12)
    for state, words in ((hard, "too hard"), (endless, "latest"), (START, None)):
        rows = {r["key"]: r["text"] for r in numbers.rows(numbers.found(state))}
        assert ("outcome" in rows) == (words is not None)
        assert words is None or words in rows["outcome"]


def test_an_id_is_echoed():
    kinds = answers.KINDS
    state = json.loads(json.dumps(to_json(START)))
    question = {"state": state, "side": 40, "i": 1, "j": 2}
    answer = kinds["cell"].answer
    assert answer({**question, "id": 2**60})["id"] == 2**60
    assert "id" not in answer(question)
    with pytest.raises(UserError, match="id 'x': give a whole number"):
        answer({**question, "id": "x"})


def test_moments_beyond_floats_are_powers_of_ten():
    rows = {r["key"]: r["text"] for r in numbers.rows(numbers.found(STATES["rare"]))}
    far = START.changed(logits=(-400.0, -0.35, -1.4))
    more = {r["key"]: r["text"] for r in numbers.rows(numbers.found(far))}
    assert float(rows["t0"]) > 1e60
    assert more["t0"].startswith("10^") and float(more["t0"][3:]) > 308


def test_where_t0_is_there_from_the_start_the_title_says_why():
    rows = {r["key"]: r for r in numbers.rows(numbers.found(STATES["good"]))}
    assert rows["t0"]["title"].startswith("no rival to pass")
    rows = {r["key"]: r for r in numbers.rows(numbers.found(START))}
    assert rows["t0"]["title"].startswith("time at which accuracy passes")
