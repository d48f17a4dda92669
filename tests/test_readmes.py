"""The programs and commands of the READMEs print what the READMEs show."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from experiments import cli
from experiments.sweeps import sweep

ROOT = Path(__file__).parents[1]
PLATEAU = "train --recipe grpo --success-rates 0.9 0.6"
STALLED = "train --recipe grpo --success-rates 0.9 0 "
SLOW = "train --recipe grpo --success-rates 0.8 0.015"


def blocks(file: str, kind: str) -> list[str]:
    """The code blocks of a README of one kind."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.M | re.S)
    return [block for language, block in found if language == kind]


def output(program: str, tmp_path) -> str:
    """What a program prints, run on its own."""
    file = tmp_path / "program.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def shown(file: str, command: str) -> str:
    """What a README shows below `$ pattern-selection COMMAND`."""
    start = f"$ pattern-selection {command}"
    (block,) = [b for b in blocks(file, "") if b.startswith(start)]
    return block


@pytest.mark.parametrize(
    "file, command",
    [
        ("README.md", "run"),
        pytest.param("experiments/README.md", PLATEAU, marks=pytest.mark.slow),
        pytest.param("experiments/README.md", STALLED, marks=pytest.mark.slow),
        pytest.param("experiments/README.md", SLOW, marks=pytest.mark.slow),
        ("experiments/README.md", "run --success-rates 0.9 0.02 0.4"),
        ("experiments/README.md", "run --success-rates 0.9 0.6 0.1"),
        ("experiments/README.md", "run --attribute"),
    ],
)
def test_a_command_prints_what_is_shown(file, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guide").mkdir()
    first, _, rest = shown(file, command).partition("\n")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.main(shlex.split(first)[2:]) == 0
    assert out.getvalue() == rest


def guide(pattern: str) -> list[float]:
    """The numbers in a sentence of the guide."""
    text = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    return [float(number) for number in re.search(pattern, text).groups()]


@pytest.mark.slow
def test_the_guide_tells_how_long_other_runs_take(tmp_path):
    words = shlex.split(shown("experiments/README.md", SLOW).partition("\n")[0])[2:]
    words = words[: words.index("--save-every")]

    def first_step(**changes):
        file = tmp_path / "result.json"
        changed = list(words)
        for name, values in changes.items():
            place = changed.index(f"--{name}") + 1
            changed[place : place + len(values)] = values
        assert cli.main([*changed, "--json", str(file)]) == 0
        return json.loads(file.read_text())["first_step"]

    usual = first_step()
    low, high = guide(r"nine in ten between steps (\d+) and (\d+)")
    steps = np.array(usual["by_seed"])
    assert 0.89 < ((low <= steps) & (steps <= high)).mean() < 0.92
    step, before, rollouts = guide(
        r"the median is step (\d+) instead of (\d+), for ([\d.]+) times"
    )
    more = first_step(**{"group-size": ["32"]})["q50"]
    assert (more, usual["q50"]) == (step, before)
    np.testing.assert_allclose(more * 32 / (before * 8), rollouts, atol=0.05)
    rare = ["0.002", "0.998"]
    assert first_step(policy=rare)["never"] == 1
    (median,) = guide(r"with `--steps 3000` the median is step (\d+)")
    assert first_step(policy=rare, steps=["3000"])["q50"] == median


def test_the_guide_tells_which_share_of_verified_rewards_is_enough():
    (share,) = guide(r"to be paid most, here from ([\d.]+) on")
    kernel = np.array([[0.9, 0.05, 0.05], [0.02, 0.97, 0.01], [0.4, 0.3, 0.3]])
    certainty = -np.log(kernel).mean(axis=1)
    for more, best in ((0, 0), (-0.001, 1)):
        weight = share + more
        paid = weight * kernel[:, 0] + (1 - weight) * certainty
        assert paid.argmax() == best


def test_the_guide_tells_how_much_sft_helps():
    text = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    (table,) = (b for b in blocks("experiments/README.md", "toml") if "warm-start" in b)
    asked = tomllib.loads(table)
    none, units, total = guide(r"it takes (\d+) units .* with (\d+) .*? (\d+) in all")
    share, length, some = 1 / 3, *guide(r"(\d+) units of SFT bring it to (\d+)")
    assert "one demonstration in three" in text
    asked["axes"] = {"length": [0, units, length], "quality": [share, 1]}
    times = 10 ** sweep(asked).log10_total_time
    found = [times.sel(length=n, quality=q) for n, q in ((0, 1), (units, 1))]
    np.testing.assert_allclose([*found, times.sel(length=length, quality=share)],
                               [none, total, some], rtol=0.03)  # fmt: skip
    # Both stops are the best ones, to the accuracy that is given.
    longer = {"length": [0.8 * units, units, 1.25 * units], "quality": [1]}
    assert sweep(asked | {"axes": longer}).log10_total_time.argmin("length") == 1


def test_the_slowest_of_ten_thousand_takes_as_long_as_is_said(tmp_path):
    (program,) = (b for b in blocks("README.md", "python") if "10_000" in b)
    said = float(re.search(r"takes 10\^(\d+)", program)[1])
    counts, slowest = output(program, tmp_path).rsplit(maxsplit=1)
    assert counts == "{'reached': 10000}"
    assert round(float(slowest)) == said


def test_the_solution_looks_as_is_shown(tmp_path):
    program = next(b for b in blocks("simulator/README.md", "python") if "t0" in b)
    precise = 'import jax\njax.config.update("jax_enable_x64", True)\n'
    out = output(precise + program + "print(repr(solution))\n", tmp_path)
    (block,) = [b for b in blocks("simulator/README.md", "") if ">>> solution" in b]
    assert out.endswith(block.removeprefix(">>> solution\n"))


def test_a_tenth_of_the_best_pattern_takes_a_hundred_times_as_long(tmp_path):
    text = (ROOT / "simulator/README.md").read_text(encoding="utf-8")
    said = float(re.search(r"The first entry is (-[\d.]+\d)", text)[1])
    program = next(b for b in blocks("simulator/README.md", "python") if "grad(" in b)
    first = float(output(program, tmp_path).strip("[] \n").split()[0])
    np.testing.assert_allclose(first, said, atol=0.005)


def test_means_of_an_attribute_are_as_is_shown(tmp_path):
    program = next(b for b in blocks("simulator/README.md", "python") if "Sign" in b)
    (block,) = [b for b in blocks("simulator/README.md", "") if "0.551" in b]
    assert output(program, tmp_path) == block


def test_three_penalties_of_one_name_move_as_is_shown(tmp_path):
    program = next(b for b in blocks("simulator/README.md", "python") if "KLLoss3" in b)
    (block,) = [b for b in blocks("simulator/README.md", "") if "KLLoss3" in b]
    assert output(program, tmp_path) == block
