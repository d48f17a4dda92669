"""Everything that CONTRIBUTING.md adds, in a copy of the project: it works everywhere.

The guide's blocks are put where it says, and its tests and commands are run, with
commands and tests that have nothing to do with what was added.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.M | re.S)
COMMANDS = [
    line.removeprefix("$ ")
    for language, block in BLOCKS
    if language == "console"
    for line in block.splitlines()
]
ONE = "--success-rates 0.9 0.6 0.1 --policy 0.05 0.70 0.25"
# As they were before anything was added.
OLD = (
    f"pattern-selection run {ONE} --signal verifiable=0.7 fixed-confidence=0.3 "
    "--confidence 0.5 0.4 0.1 --until gap=1e-3",
    f"pattern-selection train --recipe grpo {ONE} --steps 50 --seeds 4",
    "pattern-selection sweep old.toml",
    "pattern-selection verify A2 --problems 64",
    "pattern-selection falsify --help",
    "pattern-selection reproduce --help",
)
SWEEP = """record = ["log10_t0", "accuracy"]
[axes]
update = ["policy-gradient", "grpo"]
gap = [0.1, 0.2]
"""
# What says whether a thing is listed, documented and tested as it should be.
CONSISTENCY = (
    "tests/experiments/text",
    "tests/simulator/test_names.py",
    "tests/test_witnesses.py",
    "tests/test_registries.py",
    "tests/test_imports.py",
    "tests/theory/test_statement.py",
    "tests/experiments/diagrams/test_phase_diagram.py::"
    "test_every_preset_can_be_run_and_its_lines_computed",
    "tests/experiments/commands/test_cli.py::"
    "test_the_catalogue_lists_every_final_class",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def placed(guide: str):
    """What the guide puts where: `(file, whether it is new, language, text)`."""
    path, new = "", False
    for part in re.split(r"(^```\w+\n.*?^```$)", guide, flags=re.M | re.S):
        block = re.fullmatch(r"```(\w+)\n(.*)```", part, re.S)
        if block is None:
            for word, name in re.findall(r"(In|New) `([\w/.-]+)`", part):
                path, new = name, word == "New"
        elif block[1] in ("python", "toml", "markdown", "diff"):
            yield path, new, block[1], block[2]


def added(text: str, lines: list[str]) -> str:
    """`text` with the lines of a diff that are new; all others are above them."""
    above = "".join(f"{line[1:]}\n" for line in lines if line[0] == " ")
    below = "".join(f"{line[1:]}\n" for line in lines if line[0] == "+")
    assert above and below and text.count(f"\n{above}") == 1, lines
    return text.replace(f"\n{above}", f"\n{above}{below}")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The copy, and the tests that were added to it."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("simulator", "theory", "experiments", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "figures").mkdir()
    for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml", "figures/README.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "old.toml").write_text(SWEEP)
    tests = []
    for path, new, language, text in placed(GUIDE):
        file = folder / path
        if language == "diff":
            file.write_text(added(file.read_text(), text.splitlines()))
            continue
        assert file.exists() != new, path
        space = "\n\n" if language == "python" and not new else ""
        with file.open("a") as opened:
            opened.write(space + text)
        if path.startswith("tests/"):
            tests += [
                f"{path}::{t}" for t in re.findall(r"^def (test_\w+)", text, re.M)
            ]
    return folder, tests


def process(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """A process in the copy, that sees no other one."""
    environment = dict(os.environ, PYTHONPATH=str(folder))
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_every_kind_has_a_section_that_adds_something():
    titles = re.findall(r"^## (An? .*)$", GUIDE, re.M)
    assert titles == [
        "A signal",
        "An update, or a clock",
        "An event",
        "An estimator",
        "A policy of several questions",
        "A joint signal",
        "An observable of sweeps",
        "A sweep axis",
        "A theorem with its check",
        "A figure",
        "A paper of the gallery",
        "A phase diagram",
    ]
    for section in re.split(r"^## ", GUIDE, flags=re.M):
        if section.split("\n")[0] in titles:
            assert list(placed(section)), section.split("\n")[0]


@pytest.mark.parametrize("command", [*OLD, *COMMANDS])
def test_a_command_works_in_the_copy(copy, command):
    folder, _ = copy
    program, *words = shlex.split(command)
    assert program == "pattern-selection"
    done = process(folder, "experiments.cli", *words)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and done.stdout


def test_the_tests_of_the_guide_pass_in_the_copy(copy):
    folder, tests = copy
    assert len(tests) >= 8
    done = process(folder, "pytest", "-n0", *tests)
    assert done.returncode == 0, done.stdout
    assert f"{len(tests)} passed" in done.stdout


def test_the_copy_is_consistent(copy):
    folder, _ = copy
    done = process(
        folder,
        "pytest",
        "-n0",
        "--deselect",
        "tests/theory/test_statement.py::test_the_readmes_count_the_claims",
        *CONSISTENCY,
    )
    assert done.returncode == 0, done.stdout


def test_the_copy_is_as_clean_as_the_project(copy):
    folder, _ = copy
    for words in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = process(folder, *words)
        assert done.returncode == 0, done.stdout
