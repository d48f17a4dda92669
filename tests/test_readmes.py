"""The programs and commands of the READMEs print what the READMEs show."""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import cli

ROOT = Path(__file__).parents[1]
PLATEAU = "train --recipe grpo --success-rates 0.9 0.6"
STALLED = "train --recipe grpo --success-rates 0.9 0 "


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
    ],
)
def test_a_command_prints_what_is_shown(file, command):
    first, _, rest = shown(file, command).partition("\n")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.main(shlex.split(first)[2:]) == 0
    assert out.getvalue() == rest


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


def test_three_penalties_of_one_name_move_as_is_shown(tmp_path):
    program = next(b for b in blocks("simulator/README.md", "python") if "KLLoss3" in b)
    (block,) = [b for b in blocks("simulator/README.md", "") if "KLLoss3" in b]
    assert output(program, tmp_path) == block
