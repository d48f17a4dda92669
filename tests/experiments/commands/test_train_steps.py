"""`train --save-every` and `--until`, and that neither changes any other number."""

import json

import numpy as np
import pytest

from experiments import cli
from experiments.commands import figures, train_measures
from experiments.pictures import train as picture
from experiments.text import recipes

KERNEL = "--answer-kernel 0.9,0.1 0.6,0.4 0.1,0.9 --policy 0.05 0.70 0.25".split()
SHORT = [*KERNEL, "--steps", "20", "--seeds", "8"]


def train(capsys, *words):
    assert cli.main(["train", *SHORT, *words, "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def numbers(result, steps):
    """All that a result says, of its curves only what they are at these steps."""
    at = [result["steps"].index(step) for step in steps]
    apart = ("stamp", "steps", "first_step")
    rest = {k: v for k, v in result.items() if k not in apart}
    for name in train_measures.MEASURES:
        rest[name] = {k: [v[i] for i in at] for k, v in result[name].items()}
    rows = rest["by_question"]["accuracy"].items()
    rows = {k: [[v[i] for i in at] for v in rows] for k, rows in rows}
    rest["by_question"] = rest["by_question"] | {"accuracy": rows}
    return rest


OTHERS = [pytest.param(n, marks=pytest.mark.slow) for n in recipes.names()]


@pytest.mark.parametrize(
    "recipe", ["grpo", *(p for p in OTHERS if p.values[0] != "grpo")]
)
def test_curves_are_saved_at_every_nth_step_and_nothing_else_changes(recipe, capsys):
    usual = train(capsys, "--recipe", recipe)
    for every, steps in ((7, [0, 7, 14, 20]), (5, [0, 5, 10, 15, 20]), (20, [0, 20])):
        words = ["--save-every", str(every), "--until", "accuracy=0.5"]
        found = train(capsys, "--recipe", recipe, *words)
        assert found["steps"] == steps
        both = [step for step in steps if step in usual["steps"]]
        assert numbers(found, both) == numbers(usual, both)
        assert len(found["accuracy"]["q05"]) == len(steps)
        assert found["stamp"]["config"]["save_every"] == every
        assert len(found["first_step"]["by_seed"]) == 8 and not usual["first_step"]


def test_the_picture_and_its_data_have_these_steps(capsys, tmp_path):
    words = ["--save-every", "3", "--until", "accuracy=0.53", "--recipe", "grpo"]
    words += ["--out", str(tmp_path)]
    result = train(capsys, *words)
    data, _ = figures.saved_data(tmp_path / "data" / "train.npz")
    steps = [0, 3, 6, 9, 12, 15, 18, 20]
    assert data["steps"].tolist() == result["steps"] == steps
    for kind, values in result["by_question"]["accuracy"].items():
        np.testing.assert_array_equal(data[f"accuracy_by_question_{kind}"], values)
    left, right, last = picture.draw(data).axes
    (line,) = left.lines
    np.testing.assert_array_equal(line.get_xdata(), steps)
    np.testing.assert_array_equal(line.get_ydata(), result["accuracy"]["mean"])
    assert [len(line.get_xdata()) for line in right.lines] == 3 * [len(steps)]
    first = result["first_step"]
    known = [-1 if step is None else step for step in first["by_seed"]]
    assert data["first_step"].tolist() == known
    # The line is at the share of seeds that have got there by each step.
    (line,) = last.lines
    x, share = line.get_data()
    for step in range(21):
        there = np.mean([0 <= one <= step for one in known])
        assert share[np.flatnonzero(x <= step)[-1]] == there
    assert last.get_title() == "accuracy=0.53" and share[-1] == 1 - first["never"]
    assert 0 < first["never"] < 1
    assert cli.main(["rerun", str(tmp_path / "data" / "train.npz")]) == 0


@pytest.mark.parametrize(
    "every, shown", [(1, [*range(0, 21, 2)]), (3, [0, 3, 6, 9, 12, 15, 18, 20])]
)
def test_the_table_shows_about_ten_of_them(every, shown, capsys):
    assert cli.main(["train", *SHORT, "--save-every", str(every)]) == 0
    lines = capsys.readouterr().out.splitlines()[1 : 1 + len(shown)]
    assert [int(line.split()[0]) for line in lines] == shown


@pytest.mark.parametrize(
    "words, said",
    [
        (["--until", "gap=0.1"], "looks at `rewards` of the flow"),
        (["--until", "rest"], "does not come to rest; give one of accuracy=LEVEL"),
        (["--until", "accuracy"], "leads=N, with a level between 0 and 1"),
        (["--until", "leads=3"], "patterns are numbered from 0 to 2"),
        (["--until", "accuracy=0.9"], "never gets there; give a level just below"),
        (["--until", "accuracy=0.95"], "no pattern of the base model is right more"),
        (["--save-every", "0"], "--save-every 0: give 1 to 20"),
        (["--save-every", "21"], "--save-every 21: give 1 to 20"),
        (["--save-every", "x"], "--save-every"),
        (
            ["--steps", "100000", "--seeds", "10000", "--save-every", "1"],
            "would take 88 GB of memory",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_at_once(words, said, capsys):
    try:
        code = cli.main(["train", *SHORT, *words])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2 and said in printed.err and not printed.out
    assert printed.err.count("\n") == 1


QUESTIONS = {
    "two": ([[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.4, 0.6]]),
    "equal": ([[0.5, 0.5], [0.2, 0.2]], [[0.5, 0.5], [0.4, 0.6]]),
}


@pytest.mark.parametrize(
    "name, event, said",
    [
        ("two", "crossing", "is of one question, and there are 2; give one of acc"),
        ("two", "t0", "is of one question, and there are 2"),
        ("two", "accuracy=0.86", "is right more often than 0.85"),
        ("equal", "optimal-probability=0.4", "no question has a pattern that is"),
        ("equal", "suboptimal-mass=0.4", "no question has a pattern that is"),
    ],
)
def test_what_says_nothing_of_the_questions_is_refused(
    name, event, said, capsys, tmp_path
):
    rates, policy = QUESTIONS[name]
    file = tmp_path / "questions.toml"
    file.write_text(f"success_rates = {rates}\npolicy = {policy}\n")
    assert cli.main(["train", "--questions", str(file), "--until", event]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and not printed.out
    assert printed.err.count("\n") == 1
