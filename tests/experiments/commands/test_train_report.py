"""The table, the text and the JSON object of `train` against plain NumPy."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest

import simulator as sim
from experiments import cli
from experiments.text import recipes
from simulator import rollouts

SEEDS, STEPS, GROUP, LEVEL = 8, 20, 8, 0.461
# The last question has no pattern that is better than the others.
RATES = np.array([[0.9, 0.6, 0.1], [0.2, 0.5, 0.5], [0.4, 0.4, 0.4]])
BASE = np.array([[0.001, 0.749, 0.25], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]])
REFERENCE = np.array([[0.2, 0.3, 0.5], [0.3, 0.3, 0.4], [0.2, 0.3, 0.5]])
BEST = RATES == RATES.max(axis=-1, keepdims=True)
RANKED = [0, 1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The JSON object, the text, and the policies `[S, T, Q, K]` they are made of."""
    folder = tmp_path_factory.mktemp("train")
    questions, target = folder / "questions.toml", folder / "train.json"
    questions.write_text(
        f"success_rates = {RATES.tolist()}\npolicy = {BASE.tolist()}\n"
        f"reference_policy = {REFERENCE.tolist()}\n"
    )
    words = ["train", "--questions", str(questions), "--recipe", "grpo"]
    words += ["--steps", str(STEPS), "--seeds", str(SEEDS), "--group-size", str(GROUP)]
    words += ["--until", f"accuracy={LEVEL}", "--save-every", "1"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.main([*words, "--json", str(target)]) == 0
    result = json.loads(target.read_text())
    run = rollouts.train(
        sim.Problem(RATES, BASE, reference_policy=REFERENCE),
        dataclasses.replace(recipes.load("grpo"), num_steps=STEPS, group_size=GROUP),
        num_seeds=SEEDS,
        save_at=result["steps"][1:],
    )
    first = np.broadcast_to(np.log(BASE), (SEEDS, 1, *BASE.shape))
    saved = np.asarray(run.saved).reshape(SEEDS, -1, *BASE.shape)
    return result, out.getvalue(), np.exp(np.concatenate([first, saved], axis=1))


def measures(policies):
    """Each measure's mean over the questions, `[S, T]`."""
    accuracy = (policies * RATES).sum(axis=-1)
    best = np.where(BEST, policies, 0).sum(axis=-1)[..., RANKED]
    entropy = -(policies * np.log(policies)).sum(axis=-1)
    to_base = (policies * np.log(policies / BASE)).sum(axis=-1)
    to_reference = (policies * np.log(policies / REFERENCE)).sum(axis=-1)
    return {
        "accuracy": accuracy.mean(axis=-1),
        "optimal_probability": best.mean(axis=-1),
        "log10_optimal_probability": np.log10(best.mean(axis=-1)),
        "entropy": entropy.mean(axis=-1),
        "kl_to_base": to_base.mean(axis=-1),
        "kl_to_reference": to_reference.mean(axis=-1),
        "pass_at_8": (1 - (1 - accuracy) ** 8).mean(axis=-1),
    }


def summary(values, name):
    """Over the seeds, step by step; quantiles between neighbours in rank."""
    if name == "mean":
        return values.sum(axis=0) / SEEDS
    if name == "standard_error":
        mean = values.sum(axis=0) / SEEDS
        return np.sqrt(((values - mean) ** 2).sum(axis=0) / SEEDS / SEEDS)
    place = {"q05": 0.05, "q50": 0.5, "q95": 0.95}[name] * (SEEDS - 1)
    low, ranked = int(place), np.sort(values, axis=0)
    return ranked[low] + (place - low) * (ranked[low + 1] - ranked[low])


def test_every_number_of_the_object_is_that_of_the_policies(trained):
    result, _, policies = trained
    right = measures(policies)
    for name, values in right.items():
        assert set(result[name]) == {"mean", "standard_error", "q05", "q50", "q95"}
        for kind, found in result[name].items():
            np.testing.assert_allclose(
                found, summary(values, kind), atol=1e-12, err_msg=f"{name} {kind}"
            )
        ends = result["by_seed"][name]
        np.testing.assert_allclose(ends, values[:, -1], atol=1e-12)
    assert set(result["by_seed"]) == set(right)
    by_question = (policies * RATES).sum(axis=-1)  # [S, T, Q]
    for kind, found in result["by_question"]["accuracy"].items():
        rows = summary(by_question, kind)
        np.testing.assert_allclose(found, rows.T, atol=1e-12, err_msg=kind)
        ends = result["by_question"]["final_accuracy"][kind]
        np.testing.assert_allclose(ends, rows[-1], atol=1e-12, err_msg=kind)
    kinds = {"mean", "standard_error", "q05", "q50", "q95"}
    assert set(result["by_question"]["accuracy"]) == kinds
    mean = policies.mean(axis=0)[-1]
    np.testing.assert_allclose(result["final_policy"], mean, atol=1e-12)
    # On the way again without moving: how often the best would be sampled.
    mass = np.where(BEST, policies[:, -1], 0).sum(axis=-1)[:, RANKED]
    lost = (mass * GROUP * STEPS < 0.01).mean()
    assert result["lost"] == lost
    assert result["outcomes"] == {"horizon": SEEDS}
    assert result["seeds"] == SEEDS and result["questions"] == len(RATES)
    assert result["questions_without_best"] == len(RATES) - len(RANKED)


def test_the_first_step_is_that_of_the_policies(trained):
    result, text, policies = trained
    holds = (policies * RATES).sum(axis=-1).mean(axis=-1) >= LEVEL
    steps = [int(row.argmax()) if row.any() else None for row in holds]
    first = result["first_step"]
    assert first["by_seed"] == steps
    assert first["never"] == steps.count(None) / SEEDS
    assert 0 < first["never"] < 0.9 and len(set(steps)) > 2
    # The first step by which so many of the seeds have got there.
    reached = np.maximum.accumulate(holds, axis=1).mean(axis=0)
    words = []
    for percent in (10, 50, 90):
        there = np.flatnonzero(reached >= percent / 100)
        step = int(there[0]) if there.size else None
        assert first[f"q{percent}"] == step
        words.append("never" if step is None else str(step))
    assert first["until"] == f"accuracy={LEVEL}"
    (line,) = [x for x in text.splitlines() if x.startswith("accuracy=")]
    assert line == (
        f"accuracy={LEVEL} (mean of 3 questions): first at step {', '.join(words)} "
        "(10, 50, 90 % of the seeds); "
        f"{100 * first['never']:.3g} % never in {STEPS} steps"
    )


def test_every_column_of_the_table_is_that_of_the_policies(trained):
    result, text, policies = trained
    lines = text.splitlines()
    right = measures(policies)
    columns = {
        "accuracy": ("accuracy", "mean"),
        "5 %": ("accuracy", "q05"),
        "95 %": ("accuracy", "q95"),
        "pi*": ("optimal_probability", "mean"),
        "entropy": ("entropy", "mean"),
        "KL": ("kl_to_base", "mean"),
        "KL ref": ("kl_to_reference", "mean"),
        "pass@8": ("pass_at_8", "mean"),
    }
    assert lines[0].split() == " ".join(["step", *columns]).split()
    assert result["steps"] == list(range(STEPS + 1))
    rows = range(0, STEPS + 1, 2)  # about ten of them
    for line, row in zip(lines[1:], rows, strict=False):
        shown = [float(word) for word in line.split()]
        assert shown[0] == row
        for number, (name, kind) in zip(shown[1:], columns.values(), strict=True):
            assert abs(number - summary(right[name], kind)[row]) <= 0.51e-4
    rest = "\n".join(lines[1 + len(rows) :])
    lost = 100 * result["lost"]
    assert f"{SEEDS} seeds: all {STEPS} steps taken; the best pattern is lost" in rest
    assert f"lost in {lost:.3g} %" in rest
    blind = len(RATES) - len(RANKED)
    assert f"leave out {blind} of {len(RATES)} questions" in rest
    used, idle = result["groups"]["used"], result["groups"]["idle"]
    # Without redraws every group that was drawn is used, question by question.
    assert used == STEPS * len(RATES)
    assert f"groups: {100 * idle / used:.3g} % idle" in rest
