"""What is said to XLA before JAX is imported, and what the user said first."""

import os
import subprocess
import sys

import pytest

from experiments import cli, compiling

LEVEL = "--xla_backend_optimization_level=1"
OLDER = "--xla_cpu_use_fusion_emitters=false"


@pytest.mark.parametrize(
    "command, given, wanted",
    [
        ("verify", "", f"{LEVEL} {OLDER}"),
        ("sweep", "", LEVEL),
        ("sweep", "--xla_cpu_max_isa=AVX2", f"--xla_cpu_max_isa=AVX2 {LEVEL}"),
        ("sweep", "--xla_backend_optimization_level=3", None),
        ("run", f"--xla_cpu_use_fusion_emitters=true {LEVEL}", None),
    ],
)
def test_short_programs_compile_soon_unless_the_user_says_otherwise(
    command, given, wanted, monkeypatch
):
    monkeypatch.setenv("XLA_FLAGS", given)
    compiling.prepare(command)
    assert os.environ["XLA_FLAGS"] == (given if wanted is None else wanted)


def test_every_command_says_it(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    assert cli.main(["verify", "Z9"]) == 2
    assert LEVEL in os.environ["XLA_FLAGS"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_programs_are_kept_in_the_users_cache(cache):
    compiling.keep_programs()
    (folder,) = (cache / "pattern-selection" / "xla").iterdir()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(folder)


def test_programs_are_kept_where_the_user_says(cache, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    compiling.keep_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == ""
    assert not list(cache.iterdir())


def test_programs_are_not_kept_where_there_is_no_place(cache):
    (cache / "pattern-selection").write_text("a file")
    compiling.keep_programs()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


@pytest.mark.slow
def test_a_program_stored_in_part_is_stored_again(cache):
    words = ["run", "--success-rates", "0.9", "0.1", "--policy", "0.5", "0.5"]

    def run():
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", *words],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and done.stderr == ""
        return set(cache.rglob("*-cache"))

    whole = run()
    assert len(whole) > 0
    for path in whole:
        path.write_bytes(path.read_bytes()[:100])
    assert run() == whole
    assert all(path.stat().st_size > 1000 for path in whole)
