"""`recipe`: what it writes, what it says of each setting, and what it refuses."""

import json
import tomllib
from pathlib import Path

import pytest

from experiments import cli
from experiments.imports import converting, reading
from experiments.text import recipes

HERE = Path(__file__).parent
CONFIGS = sorted((HERE / "configs").iterdir())
GRPO = {"name": "grpo", "spread": "sample"}
ADAM = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}


def clip(low, high, epochs=1):
    return {"name": "clipped", "low": low, "high": high, "epochs": epochs}


def rise(warmup, decay, end):
    return {
        "name": "warmup_cosine_decay_schedule",
        "warmup_steps": warmup,
        "decay_steps": decay,
        "end_value": end,
    }


# Written from the configurations, by hand.
RECIPES = {
    "open-r1-grpo": {
        "group_size": 16,
        "num_steps": 200,
        "learning_rate": 1e-6,
        "estimator": GRPO | {"epsilon": 1e-4},
        "surrogate": clip(0.2, 0.28, 2),
        "optimizer": {"name": "adam", **ADAM, "schedule": rise(40, 400, 0.1)},
        "penalties": [{"name": "kl-loss3", "weight": 0.04}],
    },
    "trl-dr-grpo": {
        "group_size": 8,
        "num_steps": 500,
        "learning_rate": 1e-6,
        "estimator": "group-mean",
        "surrogate": clip(0.2, 0.2),
        "optimizer": {"name": "adamw", **ADAM, "b2": 0.95, "weight_decay": 0.1},
    },
    "verl-grpo": {
        "group_size": 5,
        "num_steps": 1000,
        "learning_rate": 1e-6,
        "estimator": GRPO | {"epsilon": 1e-6},
        "surrogate": clip(0.2, 0.2),
        "optimizer": {"name": "adamw", **ADAM, "weight_decay": 0.01},
        "penalties": [{"name": "kl-loss3", "weight": 0.001}],
    },
    "verl-dapo": {
        "group_size": 16,
        "num_steps": 200,
        "learning_rate": 1e-6,
        "redraws": 9,
        "replaced": True,
        "estimator": GRPO | {"epsilon": 1e-6},
        "surrogate": clip(0.2, 0.28),
        "optimizer": {
            "name": "adamw",
            **ADAM,
            "weight_decay": 0.1,
            "schedule": {"name": "warmup_constant_schedule", "warmup_steps": 10},
        },
    },
    "verl-ppo-trainer": {
        "group_size": 4,
        "num_steps": 300,
        "learning_rate": 2e-6,
        "estimator": "rloo",
        "surrogate": clip(0.2, 0.2, 2),
        "optimizer": {"name": "adam", **ADAM, "schedule": rise(60, 600, 0.0)},
        "penalties": [
            {"name": "kl-reward", "weight": 0.01},
            {"name": "entropy-bonus", "weight": 0.001},
        ],
    },
    "verl-ttrl": {
        "group_size": 32,
        "num_steps": 1000,
        "learning_rate": 5e-7,
        "feedback": "majority-vote",
        "estimator": GRPO | {"epsilon": 1e-6},
        "surrogate": clip(0.2, 0.2),
        "optimizer": {
            "name": "adamw",
            **ADAM,
            "weight_decay": 0.01,
            "schedule": rise(30, 1000, 0.0),
        },
        "penalties": [{"name": "kl-loss3", "weight": 0.001}],
    },
    "openrlhf-reinforce": {
        "group_size": 1,
        "num_steps": 1000,
        "learning_rate": 5e-7,
        "estimator": "reinforce",
        "surrogate": clip(0.2, 0.2),
        "optimizer": {"name": "adam", **ADAM, "b2": 0.95},
        "penalties": [
            {"name": "kl-reward", "weight": 0.001},
            {"name": "entropy-bonus", "weight": 0.001},
        ],
    },
    "openrlhf-prorl": {
        "group_size": 16,
        "num_steps": 1000,
        "learning_rate": 2e-6,
        "redraws": 10,
        "replaced": True,
        "estimator": "group-mean",
        "surrogate": clip(0.2, 0.27),
        "optimizer": {"name": "adam", **ADAM, "schedule": rise(50, 1000, 0.1)},
    },
}


def test_every_configuration_has_its_recipe():
    assert sorted(RECIPES) == [path.stem for path in CONFIGS]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_recipe_is_that_of_the_configuration(path, capsys, tmp_path):
    out, kept = tmp_path / "recipe.toml", tmp_path / "found.json"
    assert cli.main(["recipe", str(path)]) == 0
    printed = capsys.readouterr().out
    words = ["recipe", str(path), "--out", str(out), "--json", str(kept)]
    assert cli.main(words) == 0
    table = capsys.readouterr().out
    assert out.read_text() == printed
    assert tomllib.loads(printed) == RECIPES[path.stem]
    assert printed == (HERE / "goldens" / f"{path.stem}.toml").read_text()
    assert all(f"# {line}".rstrip() in printed for line in table.splitlines()[:-1])
    found = json.loads(kept.read_text())
    assert found["recipe"] == RECIPES[path.stem]
    # Nothing that is set goes without a verdict.
    names = {row["setting"] for row in found["settings"] if row["given"]}
    assert names == set(reading.read(path, None)[2])
    for row in found["settings"]:
        assert bool(row["field"]) == (row["verdict"] != "no counterpart")
        assert row["verdict"] == "taken over" or row["why"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_train_takes_the_recipe(path, capsys, tmp_path):
    out = tmp_path / "recipe.toml"
    assert cli.main(["recipe", str(path), "--out", str(out)]) == 0
    model = ["--success-rates", "0.9", "0.1", "--policy", "0.3", "0.7"]
    if "ttrl" in path.stem:
        model += ["--answer-kernel", "0.9,0.1", "0.1,0.9"]
    words = ["train", "--recipe", str(out), *model, "--steps", "3", "--seeds", "2"]
    assert cli.main([*words, "--learning-rate", "0.1", "-q"]) == 0
    assert "all 3 steps taken" in capsys.readouterr().out
    recipe = recipes.load(str(out))
    assert recipes.loads(recipes.dumps(recipe)) == recipe


def found(tmp_path, text: str, trainer: str | None = None):
    path = tmp_path / "config"
    path.write_text(text)
    return converting.convert(path, trainer)


def verdict(result, setting: str) -> tuple[str, str]:
    (row,) = (row for row in result["settings"] if row["setting"] == setting)
    return row["verdict"], row["field"]


A = "actor_rollout_ref.actor."
VERL = "python -m verl.trainer.main_ppo actor_rollout_ref.rollout.n=4 "
OPENRLHF = "python -m openrlhf.cli.train_ppo_ray --n_samples_per_prompt 4 "
NEW = "python -m openrlhf.cli.train_ppo_ray --rollout.n_samples_per_prompt 4 "


@pytest.mark.parametrize(
    ("text", "setting", "expected"),
    [
        ("beta: 0.1\nsync_ref_model: true", "sync_ref_model", "no counterpart"),
        ("epsilon: 0.2\ndelta: 1.5", "delta", "no counterpart"),
        ("beta: 0.1\nuse_bias_correction_kl: false", "beta", "approximated"),
        ("num_generations: 4\nloss_type: cispo", "loss_type", "approximated"),
        ("num_generations: 4\nloss_type: dr_grpo", "loss_type", "no counterpart"),
        (
            "beta: 0.1\nsteps_per_generation: 8",
            "steps_per_generation",
            "no counterpart",
        ),
        ("num_generations: 4\nmystery: 3", "mystery", "no counterpart"),
        ("num_generations: 4\noptim: adafactor", "optim", "no counterpart"),
        ("num_generations: 4\nentropy_coef: 0.1", "entropy_coef", "approximated"),
        (
            f"{VERL}algorithm.adv_estimator=grpo {A}use_kl_loss=True "
            f"{A}kl_loss_type=k2",
            f"{A}kl_loss_type",
            "no counterpart",
        ),
        (
            f"{VERL}algorithm.adv_estimator=rloo {A}policy_loss.loss_mode=gspo",
            f"{A}policy_loss.loss_mode",
            "approximated",
        ),
        (
            f"{VERL}algorithm.adv_estimator=rloo algorithm.use_kl_in_reward=True "
            "algorithm.kl_ctrl.type=adaptive",
            "algorithm.kl_ctrl.type",
            "approximated",
        ),
        (f"{OPENRLHF}--advantage_estimator rloo", "kl_estimator", "taken over"),
        (
            f"{OPENRLHF}--advantage_estimator group_norm",
            "kl_estimator",
            "approximated",
        ),
        (
            f"{OPENRLHF}--advantage_estimator rloo --dual_clip 3",
            "dual_clip",
            "no counterpart",
        ),
        (
            f"{NEW}--algo.advantage.estimator rloo --actor.optim muon",
            "actor.optim",
            "no counterpart",
        ),
    ],
)
def test_verdicts(tmp_path, text, setting, expected):
    assert verdict(found(tmp_path, text), setting)[0] == expected


def test_the_largest_ratio_of_cispo_is_not_a_distance_from_1(tmp_path):
    text = "epsilon: 0.2\nepsilon_high: 5.0\nloss_type: cispo"
    result = found(tmp_path, text)
    assert result["recipe"]["surrogate"] == clip(0.2, 4.0)
    assert verdict(result, "epsilon_high") == ("approximated", "surrogate.high")


def penalties(tmp_path, text):
    return found(tmp_path, text)["recipe"].get("penalties", [])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("beta: 0.25\nuse_bias_correction_kl: false", "kl-loss3"),
        ("beta: 0.25", "kl-loss3"),
        ("beta: 0.25\nscale_rewards: none", "kl-reward"),
        ("beta: 0.0", None),
        ("num_generations: 4", None),
        *(
            (
                f"{VERL}algorithm.adv_estimator=grpo {A}use_kl_loss=True "
                f"{A}kl_loss_coef=0.25 {A}kl_loss_type={given}",
                name,
            )
            for given, name in (
                ("kl", "kl-loss1"),
                ("k1", "kl-loss1"),
                ("k3", "kl-loss3"),
                ("low_var_kl", "kl-loss3"),
                ("mse", None),
                ("abs", None),
                ("k3+", None),
            )
        ),
        *(
            (f"{OPENRLHF}--advantage_estimator rloo --init_kl_coef 0.25 {rest}", name)
            for rest, name in (
                ("", "kl-reward"),
                ("--kl_estimator k2", None),
                ("--use_kl_loss", "kl-loss1"),
                ("--use_kl_loss --kl_estimator k2", None),
                ("--use_kl_loss --kl_estimator k3", "kl-loss3"),
            )
        ),
        (
            f"{NEW}--algo.advantage.estimator rloo --algo.kl.init_coef 0.25 "
            "--algo.kl.use_loss --algo.kl.unbiased_gradient",
            "kl-reward",
        ),
    ],
)
def test_kinds_of_kl(tmp_path, text, name):
    expected = [{"name": name, "weight": 0.25}] if name else []
    assert penalties(tmp_path, text) == expected


WRONG = {
    "list": ("- a\n- b", None, ["not a mapping", "GRPOConfig"]),
    "yaml": ("a: [1", None, ["not YAML", "line"]),
    "nobody": ("alpha: 1", None, ["no trainer is recognised", "--from trl"]),
    "other": ("beta: 0.1", "verl", ["no setting of verl 0.9.1"]),
    "kind": ("beta: much", None, ["beta = 'much'", "number"]),
    "negative": ("beta: -1", None, ["beta = -1", "from 0 on"]),
    "infinite": ("learning_rate: .inf", None, ["learning_rate = inf"]),
    "half": ("num_generations: 2.5", None, ["num_generations = 2.5", "whole"]),
    "truth": ("num_generations: true", None, ["num_generations = True", "number"]),
    "one": ("num_generations: 1", None, ["num_generations = 1", "from 2 on"]),
    "scale": ("scale_rewards: twice", None, ["scale_rewards", "group, batch, none"]),
    "loss": ("beta: 0\nloss_type: mine", None, ["loss_type", "dr_grpo"]),
    "quote": (f"{VERL} data.x='a", None, ["quote"]),
    "twice": (f"{VERL}\n{VERL}", None, ["several calls of verl"]),
    "both": (f"{VERL}\n{OPENRLHF}", None, ["verl and openrlhf", "--from"]),
    "unset": (
        f"{VERL} algorithm.adv_estimator=grpo {A}optim.lr=$LR",
        None,
        [f"{A}optim.lr", "$LR", "does not set that variable"],
    ),
    "critic": (VERL, None, ["algorithm.adv_estimator = gae", "value network", "rloo"]),
    "passk": (
        f"{VERL} algorithm.adv_estimator=grpo_passk",
        None,
        ["grpo_passk", "nearest is grpo"],
    ),
    "unknown": (
        f"{VERL} algorithm.adv_estimator=grop",
        None,
        ["algorithm.adv_estimator = 'grop'", "did you mean grpo"],
    ),
    "alone": (
        "python -m verl.trainer.main_ppo algorithm.adv_estimator=grpo",
        None,
        ["actor_rollout_ref.rollout.n = 1", "at least 2"],
    ),
    "gae": (OPENRLHF, None, ["advantage_estimator = gae", "value network"]),
    "choice": (
        f"{OPENRLHF} --advantage_estimator rloo --kl_estimator k4",
        None,
        ["kl_estimator = 'k4'", "k1, k2, k3"],
    ),
    "pair": (
        f"{OPENRLHF} --advantage_estimator rloo --eps_clip_low_high 0.2",
        None,
        ["eps_clip_low_high = 0.2", "two numbers"],
    ),
    "clip": ("epsilon: 0", None, ["low", "positive"]),
    "call": ("num_generations: 4", "openrlhf", ["no setting of OpenRLHF"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_one_line(case, tmp_path, capsys):
    text, trainer, expected = WRONG[case]
    path, out = tmp_path / "config", tmp_path / "out.toml"
    path.write_text(text)
    asked = ["--from", trainer] if trainer else []
    assert cli.main(["recipe", str(path), "--out", str(out), *asked]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    for words in [str(path), *expected]:
        assert words in printed.err
    assert not out.exists()


def test_files_that_are_not_there(tmp_path, capsys):
    here = str(tmp_path)
    config = str(CONFIGS[0])
    for words, expected in (
        ([str(tmp_path / "none")], "cannot read"),
        ([config, "--from", "mine"], "invalid choice: 'mine'"),
        ([config, "--out", here], "a folder"),
        ([config, "--out", f"{config}/x.toml"], "cannot write"),
    ):
        assert cli.main(["recipe", *words]) == 2
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1


def test_the_trainer_may_be_said(tmp_path):
    path = tmp_path / "both"
    rloo = f"{OPENRLHF}--advantage_estimator rloo"
    path.write_text(f"{VERL}algorithm.adv_estimator=rloo\n{rloo}\n")
    assert converting.convert(path, "verl")["trainer"] == "verl"
    assert converting.convert(path, "openrlhf")["trainer"] == "OpenRLHF"


def test_names_that_a_comment_cannot_hold(tmp_path):
    path = tmp_path / "odd"
    path.write_text('num_generations: 4\n"a\\u001b[31mb": 1\n')
    text = converting.file(converting.convert(path), "odd\nname = 1")
    assert tomllib.loads(text)["group_size"] == 4
    assert "\x1b" not in text
