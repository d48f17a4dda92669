"""`rerun` repeats a result to the same bits, and names what differs."""

import json
import shutil

import numpy as np
import pytest

import simulator as sim
from experiments import cli
from experiments.commands import figures
from experiments.sweeps import grid
from tests.experiments.sweeps import small

ONE = "--success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25".split()
MANY = "--answer-kernel 0.9,0.1 0.6,0.4 0.1,0.9 --policy 0.05 0.70 0.25".split()


def again(capsys, path, code=0):
    """The exit code and the object of `rerun`."""
    assert cli.main(["rerun", str(path), "--json", "-"]) == code
    return json.loads(capsys.readouterr().out)["results"]


@pytest.mark.parametrize(
    "words",
    [
        ["run", *ONE],
        ["run", "--success-rates", "0.9", "0.6", "0.1", "--logits", "-inf", "0.5", "0"]
        + ["--update", "grpo", "--group-size", "inf"],
        ["run", *MANY, "--signal", "verifiable=0.7", "self-certainty=0.3"]
        + ["--precision", "float32", "--until", "rest"],
        ["run", *ONE, "--beta", "0.1", "--max-log10-time", "1"],
        ["run", *ONE, "--attribute", "held-out=0.7,0.4,0.2", "--signal", "sign-rule"]
        + ["--column", "held-out", "--share", "0.2"]
        + ["--until", "attribute-rises=held-out,0.6"],
        ["train", *ONE, "--steps", "20", "--seeds", "8", "--seed", "3"],
        ["train", *ONE, "--steps", "20", "--seeds", "8", "--until", "accuracy=0.51"]
        + ["--save-every", "6"],
        ["verify", "A1", "--problems", "20"],
    ],
)
def test_a_result_is_repeated_to_the_same_bits(words, capsys, tmp_path):
    file = tmp_path / "result.json"
    assert cli.main([*words, "--json", str(file)]) == 0
    capsys.readouterr()
    (found,) = again(capsys, file)
    assert not found["differences"] and not found["made_with"]
    assert found["values"] > 20
    assert found["config"]["command"] == words[0]


def test_a_changed_number_is_named(capsys, tmp_path):
    file = tmp_path / "result.json"
    assert cli.main(["run", *ONE, "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    t0, result["t0"] = result["t0"], float(np.nextafter(result["t0"], 0))
    result["stamp"]["versions"]["jax"] = "0.0.1"
    file.write_text(json.dumps(result))
    capsys.readouterr()
    (found,) = again(capsys, file, 1)
    change = {"name": "t0", "stored": result["t0"], "now": t0}
    assert found["differences"] == [change]
    assert list(found["made_with"]) == ["versions"]
    assert cli.main(["rerun", str(file)]) == 1
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.endswith("1 differ") and second.startswith("  t0: ")
    assert third.startswith("  made with versions")


def test_a_changed_input_gives_other_numbers(capsys, tmp_path):
    file = tmp_path / "result.json"
    assert cli.main(["run", *ONE, "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    result["stamp"]["config"]["success_rates"][1] = 0.5
    file.write_text(json.dumps(result))
    capsys.readouterr()
    (found,) = again(capsys, file, 1)
    assert {"time", "t0", "accuracy"} <= {one["name"] for one in found["differences"]}
    assert cli.main(["rerun", str(file)]) == 1
    first, *listed, last = capsys.readouterr().out.splitlines()
    number = len(found["differences"])
    assert first.endswith(f"{number} differ") and len(listed) == 10
    assert last == f"  and {number - 10} more"


def test_the_data_of_a_figure_are_repeated(capsys, tmp_path):
    words = ["train", *ONE, "--steps", "20", "--seeds", "8", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    capsys.readouterr()
    path = tmp_path / "data" / "train.npz"
    (found,) = again(capsys, path)
    assert not found["differences"] and found["values"] > 5
    data, stamp = figures.saved_data(path)
    data["policy"] = data["policy"] + 1e-16
    figures.save_data(data, stamp, tmp_path, "train")
    (found,) = again(capsys, path, 1)
    assert [one["name"] for one in found["differences"]] == ["policy"]


def test_a_sweep_is_repeated(capsys, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(small.TEXT)
    assert cli.main(["sweep", str(file)]) == 0
    capsys.readouterr()
    (found,) = again(capsys, tmp_path / "small.zarr")
    assert not found["differences"] and not found["made_with"]
    assert list(tmp_path.iterdir()) != []
    shutil.rmtree(tmp_path / "small.zarr" / "accuracy")
    assert cli.main(["rerun", str(tmp_path / "small.zarr")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


RECIPE = 'estimator = "rloo"\nnum_steps = 5\ngroup_size = 4\n'
SUMMARY = """
record = ["accuracy"]
recipe = "{}"
title = "Seeds"
[model]
success_rates = [[0.9, 0.1], [0.6, 0.2]]
logits = [[-inf, 0.0], [0.0, 1.0]]
[axes]
learning_rate = [0.5, 0.1]
seed = {{count = 4}}
[reduce]
over = ["seed"]
statistics = ["mean"]
"""


def test_the_object_of_a_sweep_is_repeated_without_its_files(capsys, tmp_path):
    """Table, seed and recipe are in its stamp, and every array is compared."""
    file, recipe, target = (tmp_path / name for name in ("s.toml", "r.toml", "s.json"))
    recipe.write_text(RECIPE)
    file.write_text(SUMMARY.format(recipe))
    assert cli.main(["sweep", str(file), "--seed", "7", "--json", str(target)]) == 0
    written = json.loads(target.read_text())
    assert written["stamp"]["seed"] == written["stamp"]["config"]["seed"] == 7
    counts = {f"runs_{name}" for name in sim.OUTCOME_NAMES}
    assert set(written["arrays"]) == {"accuracy_mean", *counts}
    for path in (file, recipe):
        path.unlink()
    shutil.rmtree(tmp_path / "s.zarr")
    capsys.readouterr()
    (found,) = again(capsys, target)
    assert not found["differences"] and not found["made_with"] and found["values"] > 5
    written["stamp"]["config"]["model"]["logits"][1] = [0.0, 1.1]
    target.write_text(json.dumps(written))
    (found,) = again(capsys, target, 1)
    assert [one["name"] for one in found["differences"]] == ["arrays.accuracy_mean"]


def test_the_object_of_a_diagram_is_repeated(capsys, tmp_path):
    file, target = tmp_path / "small.toml", tmp_path / "d.json"
    file.write_text(small.TEXT + "[figure]\nlines = []\n")
    words = ["phase-diagram", str(file), "--set", "bad_rate=0.2", "--cells", "3"]
    words += ["--out", str(tmp_path / "o"), "--width", "5", "--json", str(target)]
    assert cli.main(words) == 0
    stamp = json.loads(target.read_text())["stamp"]
    assert stamp["figure"] == {"lines": [], "width": 5.0}
    assert stamp["config"]["model"]["bad_rate"] == 0.2
    capsys.readouterr()
    (found,) = again(capsys, target)
    assert not found["differences"] and found["config"] == stamp["config"]


def test_what_is_not_complete_cannot_be_repeated(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "LANES", 10)
    file, target = tmp_path / "small.toml", tmp_path / "half.json"
    file.write_text(small.TEXT)
    words = ["sweep", str(file), "--shard", "0/2", "--json", str(target)]
    assert cli.main(words) == 0
    assert json.loads(target.read_text())["arrays"] == {}
    capsys.readouterr()
    assert cli.main(["rerun", str(target)]) == 2
    said = capsys.readouterr().err
    assert "was not complete" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("none.json", None, "does not exist"),
        ("text.json", "so what", "no JSON"),
        ("other.json", '{"a": 1}', "no result with a stamp"),
        ("stamp.json", '{"stamp": {"config": {}}}', "does not say what it is of"),
        (
            "lacking.json",
            '{"stamp": {"config": {"command": "run"}, "seed": 0, "dtype": "float64"}}',
            "does not say what it is of (KeyError: 'signal')",
        ),
        ("odd.json", '{"stamp": {"config": {"command": "dance"}}}', "'dance'"),
        ("data.npz", "so what", "is damaged or no data"),
        ("no.zarr", None, "does not exist"),
    ],
)
def test_what_is_no_result_is_one_line(name, text, said, capsys, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    assert cli.main(["rerun", str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1 and not printed.out
