"""The stamp of a result: two results with one hash are of the same inputs."""

import jax
import pytest

from experiments import cli
from experiments.commands import train_report
from experiments.runtime.stamp import stamp

BASE = {
    "--success-rates": ["0.9", "0.6", "0.1"],
    "--policy": ["0.05", "0.70", "0.25"],
}
ROWS = 3001  # too many for the text of an array to show all
CHANGES = {
    "--success-rates": {"--success-rates": ["0.9", "0.6", "0.2"]},
    "--policy": {"--policy": ["0.05", "0.71", "0.24"]},
    "--logits": {"--logits": ["0", "1", "0"], "--policy": None},
    "--answer-kernel": {"--answer-kernel": ["0.9,0.1,0", "0.6,0,0.4", "0.1,0,0.9"]},
    "--recipe": {"--recipe": ["rloo"]},
    "--steps": {"--steps": ["3"]},
    "--group-size": {"--group-size": ["4"]},
    "--learning-rate": {"--learning-rate": ["0.3"]},
    "--seeds": {"--seeds": ["9"]},
    "--until": {"--until": ["accuracy=0.5"]},
    "--save-every": {"--save-every": ["2"]},
    "--seed": {"--seed": ["1"]},
    "--precision": {"--precision": ["float32"]},
    "--questions": {"--questions": ["one"], "--success-rates": None, "--policy": None},
    "another reference": {
        **{"--questions": ["other"], "--success-rates": None, "--policy": None}
    },
    "many": {"--questions": ["many"], "--success-rates": None, "--policy": None},
    "many, one number changed": {
        **{"--questions": ["changed"], "--success-rates": None, "--policy": None}
    },
}
# They say where the result goes, or ask for something else.
NO_INPUT = {
    "-q",
    "--quiet",
    "-v",
    "--verbose",
    "--json",
    "--out",
    "--print-recipe",
    "--help",
    "-h",
}


def questions(rates, reference):
    rows = len(rates)
    return (
        f"success_rates = {rates}\npolicy = {[[0.1, 0.7, 0.2]] * rows}\n"
        f"reference_policy = {[reference] * rows}\n"
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    rates = [[0.9, 0.6, 0.1]] * ROWS
    changed = [*rates]
    changed[ROWS // 2] = [0.9, 0.6, 0.2]
    for name, text in {
        "one": questions(rates[:1], [0.2, 0.6, 0.2]),
        "other": questions(rates[:1], [0.2, 0.5, 0.3]),
        "many": questions(rates, [0.2, 0.6, 0.2]),
        "changed": questions(changed, [0.2, 0.6, 0.2]),
    }.items():
        (folder / name).write_text(text)
    return folder


def digest(options, monkeypatch, folder):
    """The hash of `train` with these options."""
    monkeypatch.chdir(folder)
    words = [w for k, v in options.items() if v is not None for w in (k, *v)]
    args = cli.build_parser(["train"]).parse_args(["train", *words])
    jax.config.update("jax_enable_x64", args.precision == "float64")
    seed = args.seed or 0
    args.seed = seed
    config = train_report.inputs(args, train_report.read_recipe(args))
    return stamp(config, seed)["config_sha256"]


def test_the_hash_covers_every_input_of_train(files, monkeypatch):
    monkeypatch.setattr("experiments.runtime.stamp._git", lambda *words: None)
    changes = {"nothing": {}, **CHANGES}
    found = {k: digest(BASE | v, monkeypatch, files) for k, v in changes.items()}
    assert len(set(found.values())) == len(found), found
    assert digest(BASE, monkeypatch, files) == found["nothing"]
    parser = cli.build_parser(["train"])._subparsers._group_actions[0].choices["train"]
    options = {word for action in parser._actions for word in action.option_strings}
    assert options == NO_INPUT | {name for name in CHANGES if name.startswith("--")}
