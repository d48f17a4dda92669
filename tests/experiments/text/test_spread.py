"""`run` and `train` say by which spread GRPO divides, and how to get the other's."""

import math
import re

import numpy as np

import simulator as sim
from experiments import cli
from experiments.commands import run
from experiments.text import objects, recipes, spread
from simulator import rollouts as ro

RATES, POLICY, GROUP = np.array([0.9, 0.2]), np.array([0.3, 0.7]), 4
ONE = "--success-rates 0.9 0.2 --policy 0.3 0.7 --group-size 4".split()
TRAIN = ["train", *ONE, "--steps", "20", "--seeds", "8", "--recipe"]
RUN = ["run", *ONE, "--update", "grpo"]
P = POLICY @ RATES


def speed(text):
    """`h(p)` with the spread that `text` tells: all groups of 0/1 rewards, in NumPy."""
    kind, epsilon = re.search(
        r"(sample|population) standard deviation \+ ([\d.e-]+)", text
    ).groups()
    total = 0.0
    for wins in range(1, GROUP):
        rewards = np.repeat([1.0, 0.0], [wins, GROUP - wins])
        divisor = np.std(rewards, ddof=int(kind == "sample")) + float(epsilon)
        chance = math.comb(GROUP, wins) * P**wins * (1 - P) ** (GROUP - wins)
        total += chance * rewards.mean() * (1 - rewards.mean()) / divisor
    return total / (P * (1 - P))


def speed_of_estimator(estimator):
    """How far the mean of one step goes, in units of the policy gradient."""
    recipe = ro.Recipe(estimator=estimator, group_size=GROUP, learning_rate=1.0)
    gradient = POLICY[0] * (RATES[0] - P)
    step = np.asarray(ro.expected_step(sim.Problem(RATES, POLICY), recipe))
    return step[0] / gradient


def update_of(words):
    return run.inputs(cli.build_parser(["run"]).parse_args(words))["update"]


def speed_of_update(words):
    update = objects.named(sim.AbstractUpdate, update_of(words), "update")
    return np.exp(update.log_factor(np.log(P), np.log1p(-P)))


def said(capsys, words):
    """The line that tells the spread, without its name."""
    assert cli.main(words) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "deviation" in x]
    return re.sub(r"^(spread     |GRPO divides by the |update=grpo: spread )", "", line)


def test_the_spread_that_is_said_is_the_one_that_training_divides_by(capsys, tmp_path):
    in_train, in_run = said(capsys, [*TRAIN, "grpo"]), said(capsys, RUN)
    usual = recipes.load("grpo").estimator
    np.testing.assert_allclose(speed_of_estimator(usual), speed(in_train), rtol=1e-9)
    np.testing.assert_allclose(speed_of_update(RUN), speed(in_run), rtol=1e-9)
    assert abs(speed(in_train) / speed(in_run) - 1) > 0.1
    compared = [*RUN[:-1], "group-mean", "--compare", "update=grpo"]
    assert said(capsys, compared) == in_run
    # What each advises gives the other's speed, and the same words.
    words = [*RUN, *re.search(r"add (.*)", in_run)[1].split()]
    np.testing.assert_allclose(speed_of_update(words), speed(in_train), rtol=1e-9)
    as_in_train = in_train.split(";")[0] + ", as in train --recipe grpo"
    assert spread.in_run(update_of(words)) == as_in_train
    file = tmp_path / "recipe.toml"
    lines = re.search(r"set (.*) in the recipe", in_train)[1].split(", ")
    file.write_text("\n".join(["[estimator]", 'name = "grpo"', *lines]))
    advised = recipes.load(file)
    speed_now = speed_of_estimator(advised.estimator)
    np.testing.assert_allclose(speed_now, speed(in_run), rtol=1e-9)
    as_in_run = in_run.split(";")[0] + ", as in run --update grpo"
    assert spread.in_train(advised) == as_in_run


def test_where_nothing_is_divided_nothing_is_said():
    for name in ("rloo", "delight", "dr-grpo", "pass-at-n"):
        assert spread.in_train(recipes.load(name)) is None
    for update in ("policy-gradient", {"name": "group-mean"}):
        assert spread.in_run(update) is None


def test_grpo_inside_of_another_estimator_is_found():
    recipe = recipes.loads('estimator = {name = "delight", of = {name = "grpo"}}')
    assert spread.in_train(recipe).startswith("population standard deviation + 0,")
