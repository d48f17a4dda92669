"""`train --save-every`: where curves are saved, and that nothing else changes."""

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
    rest = {k: v for k, v in result.items() if k not in ("stamp", "steps")}
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
        found = train(capsys, "--recipe", recipe, "--save-every", str(every))
        assert found["steps"] == steps
        both = [step for step in steps if step in usual["steps"]]
        assert numbers(found, both) == numbers(usual, both)
        assert len(found["accuracy"]["q05"]) == len(steps)
        assert found["stamp"]["config"]["save_every"] == every


def test_the_picture_and_its_data_have_these_steps(capsys, tmp_path):
    words = ["--save-every", "3", "--out", str(tmp_path), "--recipe", "grpo"]
    result = train(capsys, *words)
    data, _ = figures.saved_data(tmp_path / "data" / "train.npz")
    steps = [0, 3, 6, 9, 12, 15, 18, 20]
    assert data["steps"].tolist() == result["steps"] == steps
    for kind, values in result["by_question"]["accuracy"].items():
        np.testing.assert_array_equal(data[f"accuracy_by_question_{kind}"], values)
    left, right = picture.draw(data).axes
    (line,) = left.lines
    np.testing.assert_array_equal(line.get_xdata(), steps)
    np.testing.assert_array_equal(line.get_ydata(), result["accuracy"]["mean"])
    assert [len(line.get_xdata()) for line in right.lines] == 3 * [len(steps)]
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
        (["--save-every", "0"], "--save-every 0: give 1 to 20"),
        (["--save-every", "21"], "--save-every 21: give 1 to 20"),
        (["--save-every", "x"], "--save-every"),
        (
            ["--steps", "100000", "--seeds", "10000", "--save-every", "1"],
            "would take 88 GB of memory",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_at_once(words, said, capsys):
    try:
        code = cli.main(["train", *SHORT, *words])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2 and said in printed.err and not printed.out
    assert printed.err.count("\n") == 1
