"""`pattern-selection train`, and recipes as files."""

import json
import os
import re

import equinox as eqx
import numpy as np
import optax
import pytest

from experiments import cli
from experiments.commands import figures, train_words
from experiments.text import objects, recipes
from experiments.text.errors import UserError
from simulator import rollouts as ro

ONE = "--success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25".split()
SHORT = ["--steps", "20", "--seeds", "8"]


def train(capsys, *words):
    code = cli.main(["train", *words, "--json", "-"])
    return code, json.loads(capsys.readouterr().out)


def test_train_prints_the_contract_as_json(capsys):
    code, result = train(capsys, *ONE, *SHORT, "--recipe", "rloo")
    assert code == 0
    assert result["outcomes"] == {"horizon": 8}
    assert result["steps"] == list(range(0, 21, 2))
    assert result["recipe"]["estimator"] == "rloo"
    assert result["recipe"]["num_steps"] == 20
    for name in ("accuracy", "optimal_probability", "entropy", "pass_at_8"):
        table = result[name]
        assert len(table["mean"]) == 11
        low, middle, high = (np.array(table[q]) for q in ("q05", "q50", "q95"))
        assert (low <= middle).all() and (middle <= high).all()
    np.testing.assert_allclose(result["accuracy"]["mean"][0], 0.49)
    np.testing.assert_allclose(np.sum(result["final_policy"]), 1)
    assert result["stamp"]["seed"] == 0
    ends = result["by_seed"]["accuracy"]
    assert len(ends) == 8
    np.testing.assert_allclose(np.mean(ends), result["accuracy"]["mean"][-1])


def test_seeds_decide(capsys):
    words = [*ONE, *SHORT, "--recipe", "rloo"]
    first, again, other = (
        train(capsys, *words, "--seed", seed)[1]["accuracy"] for seed in "112"
    )
    assert first == again != other


def test_a_rare_best_pattern_is_shown_with_its_size(capsys):
    words = ["train", "--success-rates", "0.9", "0.6", "0.1", *SHORT, "--logits"]
    for logit, shown in (("-1000", "10^-435"), ("-20", "5.5e-10")):
        assert cli.main([*words, logit, "0", "1"]) == 0
        first = capsys.readouterr().out.splitlines()[1].split()
        # -1000 / log 10 - log10(1 + e) = -434.86, and e^-20 / (1 + e) = 5.5e-10.
        assert first[4] == shown


def test_train_draws_what_it_saw(capsys, tmp_path):
    code = cli.main(["train", *ONE, *SHORT, "--out", str(tmp_path / "new")])
    assert code == 0
    out = capsys.readouterr().out
    assert "accuracy" in out and "8 seeds: all " in out
    assert (tmp_path / "new" / "train.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "new" / "data" / "train.npz").is_file()
    _, stamp = figures.saved_data(tmp_path / "new" / "data" / "train.npz")
    assert "epsilon" in stamp["config"]["recipe"]
    for kind in ("svg", "png"):
        picture = (tmp_path / "new" / f"train.{kind}").read_bytes()
        assert stamp["config_sha256"].encode() in picture


def test_several_questions_from_a_file(capsys, tmp_path):
    file = tmp_path / "questions.toml"
    file.write_text(
        "success_rates = [[0.9, 0.1], [0.2, 0.8]]\npolicy = [[0.5, 0.5], [0.4, 0.6]]\n"
    )
    code, result = train(capsys, "--questions", str(file), *SHORT)
    assert code == 0 and result["questions"] == 2
    np.testing.assert_allclose(result["accuracy"]["mean"][0], (0.5 + 0.56) / 2)


def test_a_hopeless_question_is_left_out_of_what_it_has_no_part_in(capsys, tmp_path):
    """It has no best pattern: `pi*` at the start is 0.5, not (0.5 + 1)/2."""
    file = tmp_path / "questions.toml"
    file.write_text(
        "success_rates = [[0.9, 0.1], [0.0, 0.0]]\npolicy = [[0.5, 0.5], [0.4, 0.6]]\n"
        "reference_policy = [[0.3, 0.7], [0.4, 0.6]]\n"
    )
    words = ["--questions", str(file), *SHORT, "--recipe", "dapo"]
    code, result = train(capsys, *words)
    assert code == 0 and result["questions_without_best"] == 1
    np.testing.assert_allclose(result["optimal_probability"]["mean"][0], 0.5)
    np.testing.assert_allclose(result["accuracy"]["mean"][0], 0.25)
    # The penalty's reference is not the base model: KL to both, by hand.
    apart = 0.5 * np.log(0.5 / 0.3) + 0.5 * np.log(0.5 / 0.7)
    np.testing.assert_allclose(result["kl_to_reference"]["mean"][0], apart / 2)
    assert result["kl_to_base"]["mean"][0] == 0
    groups = result["groups"]
    # The second question is replaced in each of the 20 steps, and nothing is idle.
    assert groups["used"] == 40 and groups["redrawn"] >= 20 and groups["idle"] < 1
    assert cli.main(["train", *words]) == 0
    out = capsys.readouterr().out
    assert "KL ref" in out and "leave out 1 of 2 questions" in out
    assert "redrawn per group used" in out


def test_where_no_pattern_is_best_nothing_is_said_of_it(capsys):
    words = ["--success-rates", "0.5", "0.5", "0.5", *ONE[4:], *SHORT]
    code, result = train(capsys, *words, "--recipe", "rloo")
    assert code == 0 and result["lost"] is None
    assert result["optimal_probability"]["mean"] == [None] * 11
    assert cli.main(["train", *words, "--recipe", "rloo"]) == 0
    out = capsys.readouterr().out
    assert "nan" not in out and "lost in" not in out and "KL ref" not in out


def test_votes_need_answers(capsys):
    """One wrong answer is not ten: success rates alone do not say which it is."""
    words = ["--success-rates", "0.45", "0.2", "--policy", "0.5", "0.5", *SHORT]
    assert cli.main(["train", *words, "--recipe", "ttrl"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "needs an answer kernel" in said


@pytest.mark.slow
def test_one_wrong_answer_wins_a_vote_that_ten_would_lose(capsys):
    ends = []
    for wrong in (1, 10):
        rows = [
            ",".join([str(s), *[str((1 - s) / wrong)] * wrong]) for s in (0.45, 0.2)
        ]
        words = ["--answer-kernel", *rows, "--policy", "0.5", "0.5", "--recipe", "ttrl"]
        _, result = train(capsys, *words, "--steps", "200", "--seeds", "8")
        ends.append(result["accuracy"]["mean"][-1])
    # The leading answer is the wrong one, and the right one.
    assert ends[0] < 0.25 and ends[1] > 0.4


def test_divergence_is_said_with_advice(capsys):
    words = [*ONE, *SHORT, "--recipe", "rloo", "--learning-rate", "1e6"]
    assert cli.main(["train", *words]) == 1
    out = capsys.readouterr().out
    assert "8 seeds: 8 oversized" in out and "lower the learning rate" in out
    assert "nan" not in out


def test_runs_that_fail_are_counted_apart(capsys):
    _, result = train(capsys, *ONE, *SHORT)
    result["outcomes"] = {"horizon": 5, "oversized": 2, "nonfinite": 1}
    steps = result["steps"][-1]
    said = f"8 seeds: all {steps} steps taken by 5, 2 oversized, 1 nonfinite; the best"
    assert said in train_words.lines(result)


@pytest.mark.parametrize("name", recipes.names())
def test_recipes_that_come_along_make_the_round_trip(name):
    recipe = recipes.load(name)
    assert eqx.tree_equal(recipes.loads(recipes.dumps(recipe)), recipe)


def test_a_recipe_with_everything_makes_the_round_trip():
    recipe = ro.Recipe(
        feedback=ro.Mixture(
            [ro.Verifier(0.1, [0.2, 0.3]), ro.MajorityVote(ro.Teacher())], [0.7, 0.3]
        ),
        estimator=ro.Delight(of=ro.GRPO("sample", 1e-4), temperature=0.5),
        surrogate=ro.Clipped(0.1, 0.3, epochs=3),
        penalties=(ro.KLReward(0.1), ro.KLLoss1(0.2), ro.EntropyBonus(0.3)),
        policy=ro.Linear(np.arange(8.0).reshape(2, 2, 2)),
        group_size=12,
        redraws=3,
        teacher_decay=0.9,
        optimizer=ro.Optimizer(
            "adam", {"b1": 0.8}, "cosine_decay_schedule", {"decay_steps": 50}
        ),
        learning_rate=0.25,
        num_steps=77,
    )
    text = recipes.dumps(recipe)
    assert eqx.tree_equal(recipes.loads(text), recipe)
    assert not eqx.tree_equal(recipes.loads(text.replace("0.25", "0.26")), recipe)


def test_a_schedule_in_pieces_makes_the_round_trip():
    pieces = {"boundaries_and_scales": {5: 0.1, 50: 0.5}}
    recipe = ro.Recipe(
        optimizer=ro.Optimizer("sgd", {}, "piecewise_constant_schedule", pieces)
    )
    again = recipes.loads(recipes.dumps(recipe))
    assert again.optimizer.schedule_options == recipe.optimizer.schedule_options
    again.check_alone()


def test_what_toml_cannot_hold_is_said():
    with pytest.raises(UserError, match="cannot be written"):
        recipes.dumps(ro.Recipe(optimizer=optax.adam(1.0)))


def test_every_part_can_be_named_in_a_file():
    names = {name for kind in objects.kinds().values() for name in kind}
    assert {"kl-loss3", "pass-at-n-reward", "own-group", "shared"} <= names
    for name in ("reinforce", "group-mean", "rloo", "grpo", "delight"):
        recipe = recipes.loads(f'estimator = "{name}"')
        assert re.sub("-", "", name) == type(recipe.estimator).__name__.lower()


@pytest.mark.parametrize(
    "text, said",
    [
        ("group_size = 'x'", "whole number"),
        ("group_size = 2.5", "whole number"),
        ("group_size = true", "whole number"),
        ("group_sise = 8", "did you mean group_size"),
        ("estimator = 'magic'", "choose from reinforce"),
        ("estimator = 3", "unknown"),
        ("estimator = {epsilon = 1}", "unknown"),
        ("estimator = {name = 'grpo', spread = 'robust'}", "'population'"),
        ("estimator = {name = 'grpo', eps = 1}", "did you mean epsilon"),
        ("surrogate = {name = 'clipped', low = 'x'}", "number"),
        ("penalties = 'kl-reward'", "list"),
        ("feedback = [{name = 'verifier'}]", "weight"),
        ("feedback = []", "at least one"),
        ("feedback = 'mixture'", "unknown"),
        ("optimizer = 3", "Optax"),
        ("optimizer = {name = 'adam', schedule = 3}", "schedule"),
        ("policy = {name = 'linear', features = 'x'}", "number"),
        ("policy = 'linear'", "needs 'features'"),
        ("learning_rate = 'x'", "number"),
        ("learning_rate = [[1], 2]", "one number"),
        (
            "policy = {name = 'linear', features = [[[1], 2]]}",
            "rows of equal length",
        ),
        ("x = = 1", "not TOML"),
        ("learning_rate = [0.1, 0.2]", "one number, not a list"),
        ("learning_rate = 1" + 400 * "0", "too large"),
        ("teacher_decay = []", "not a list"),
        ("feedback = [{name = 'verifier', weight = [1, 0]}]", "one number"),
        ("feedback = {name = 'verifier', false_positive = []}", "empty list"),
        ("feedback = 'own-group'", "choose from verifier"),
        ("penalties = [{name = 'kl-loss3', weight = [1]}]", "one number"),
        ("estimator = {name = 'grpo', epsilon = [1.0]}", "one number"),
        ("estimator = {name = ['grpo']}", "unknown"),
        ("surrogate = {name = 'policy-gradient', epochs = 4}", "it has none"),
        ("optimizer = {name = 'adam', schedule = {decay_steps = 3}}", "needs the name"),
    ],
)
def test_bad_files_are_refused(text, said):
    with pytest.raises(UserError, match=said):
        recipes.loads(text)


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "base model once"),
        ([*ONE, "--seeds", "0"], "--seeds 0"),
        ([*ONE, "--steps", "0"], "num_steps"),
        ([*ONE, "--group-size", "1"], "at least 2"),
        ([*ONE, "--learning-rate", "nan"], "learning_rate"),
        ([*ONE, "--recipe", "magic"], "choose from dapo"),
        ([*ONE, "--recipe", "/"], "cannot read"),
        ([*ONE, "--questions", "none.toml"], "not both"),
        (["--questions", "none.toml"], "No such file"),
        ([*ONE, "--out", "/proc/none"], "cannot write"),
        ([*ONE, "--json", "/none/x"], "/none/x"),
        (["--success-rates", "0.9", "1.5", "--policy", "0.5", "0.5"], "1.5"),
        ([*ONE, "--recipe", "grpo", "--steps", "0"], "--recipe grpo --steps 0: "),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(capsys, words, said):
    assert cli.main(["train", *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and said in captured.err
    assert captured.out == ""


PIECEWISE = (
    "{name = 'piecewise_constant_schedule', init_value = 1, "
    "boundaries_and_scales = {'²' = 0.5}}"
)


@pytest.mark.parametrize(
    "text, said",
    [
        ("optimizer = 'lbfgs'", "the value of the loss (for a line search, say)"),
        ("optimizer = 'noisy_sgd'", "random numbers of its own"),
        ("optimizer = {name = 'adam', b1 = 'x'}", "cannot take a step"),
        ("optimizer = {name = 'sgd', schedule = 'identity'}", "take a step"),
        (f"optimizer = {{name = 'sgd', schedule = {PIECEWISE}}}", "the key '²'; keys"),
        ("feedback = {name='verifier', false_positive=[0.1, 0.2]}", "per pattern"),
        ("policy = {name = 'linear', features = [[[1], [0]]]}", "features"),
        ("optimizer = 'sgdd'", "unknown to Optax"),
        ("optimizer = {name = 'adam', betas = [0.9, 0.99]}", "give b1 and b2"),
        ("optimizer = {name = 'adam', learning_rate = 1}", "recipe's `learning_rate`"),
        ("optimizer = 'scale_by_rprop'", "not an optimizer"),
        (
            "surrogate = {name = 'clipped', low = -0.2}",
            "`low` is -0.2; it must be positive, or inf.",
        ),
        ("replaced = true", "`redraws` is 0"),
        ("feedback = 'majority-vote'", "answer kernel"),
    ],
)
def test_recipes_that_cannot_train_are_refused(capsys, tmp_path, text, said):
    file = tmp_path / "recipe.toml"
    file.write_text(text + "\n")
    out = tmp_path / "new"
    words = ["--recipe", str(file), "--out", str(out)]
    assert cli.main(["train", *ONE, *SHORT, *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and said in captured.err
    assert str(file) in captured.err
    assert captured.out == "" and not out.exists()


def test_a_recipe_may_have_no_clip(capsys, tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text("surrogate = {name = 'clipped', high = inf, epochs = 2}\n")
    assert recipes.load(file).surrogate.high == np.inf
    again = recipes.loads(recipes.dumps(recipes.load(file)))
    assert again.surrogate == recipes.load(file).surrogate
    code, result = train(capsys, *ONE, *SHORT, "--recipe", str(file))
    assert code == 0 and result["outcomes"] == {"horizon": 8}


def test_whole_numbers_can_be_features(capsys, tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text("policy = {name = 'linear', features = [[[1], [0], [2]]]}\n")
    code, result = train(capsys, *ONE, *SHORT, "--recipe", str(file))
    assert code == 0 and result["outcomes"] == {"horizon": 8}


@pytest.mark.parametrize("steps", range(1, 7))
def test_few_steps_are_all_shown(capsys, steps):
    words = [*ONE, "--seeds", "8", "--recipe", "rloo", "--steps", str(steps)]
    assert train(capsys, *words)[1]["steps"] == list(range(steps + 1))


def test_json_goes_through_links_and_into_pipes(capsys, tmp_path):
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    target.write_text("old")
    link.symlink_to(target)
    words = ["train", *ONE, *SHORT, "--recipe", "rloo", "--json"]
    assert cli.main([*words, str(link)]) == 0
    assert link.is_symlink() and json.loads(target.read_text())["seeds"] == 8
    os.mkfifo(pipe)
    # Opened for both, so that nobody waits.
    handle = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    assert cli.main([*words, str(pipe)]) == 0
    assert os.read(handle, 10).startswith(b"{")
    os.close(handle)


def test_print_recipe_gives_a_file_that_can_be_used(capsys, tmp_path):
    assert cli.main(["train", "--recipe", "dapo", "--print-recipe"]) == 0
    file = tmp_path / "mine.toml"
    file.write_text(capsys.readouterr().out)
    code, result = train(capsys, *ONE, *SHORT, "--recipe", str(file))
    assert code == 0 and result["recipe"]["redraws"] == 10
    assert result["recipe"]["replaced"] is True


@pytest.mark.parametrize(
    "words, said",
    [
        (["--group-size", "1"], "group"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--steps", "0"], "num_steps"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_not_printed(words, said, capsys):
    assert cli.main(["train", "--print-recipe", *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and said in shown.err


@pytest.mark.parametrize(
    "schedule, said",
    [
        (
            '{name = "cosine_decay_schedule", decay_steps = 10}',
            "after 10 of 20 updates",
        ),
        ('{name = "cosine_decay_schedule", decay_steps = 20}', ""),
        ('{name = "warmup_constant_schedule", warmup_steps = 10}', ""),
        ('{name = "cosine_decay_schedule", decay_steps = 9, alpha = 0.1}', ""),
    ],
)
def test_a_schedule_that_ends_before_the_run_is_noted(schedule, said, capsys, tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text(f'optimizer = {{name = "sgd", schedule = {schedule}}}\n')
    assert cli.main(["train", *ONE, *SHORT, "--recipe", str(file)]) == 0
    notes = [n for n in capsys.readouterr().err.splitlines() if "note:" in n]
    assert len(notes) == bool(said) and said in "".join(notes)
