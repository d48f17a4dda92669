"""Options for XLA, set before JAX is imported, and those of the user."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

from experiments import cli
from experiments.runtime import compiling
from simulator.numerics import compiler

LEVEL = "--xla_backend_optimization_level=1"
OLDER = "--xla_cpu_use_fusion_emitters=false"


def prepared(monkeypatch, command, given="", jaxlib="0.10.2"):
    """XLA_FLAGS as a command leaves them."""
    monkeypatch.setenv("XLA_FLAGS", given)
    monkeypatch.setattr(metadata, "version", {"jaxlib": jaxlib}.__getitem__)
    compiling.prepare(command)
    return os.environ["XLA_FLAGS"]


@pytest.mark.parametrize(
    "command, given, wanted",
    [
        ("verify", "", f"{LEVEL} {OLDER}"),
        ("sweep", "", LEVEL),
        ("sweep", "--xla_cpu_max_isa=AVX2", f"--xla_cpu_max_isa=AVX2 {LEVEL}"),
        ("sweep", "--xla_backend_optimization_level=3", None),
        ("run", f"--xla_cpu_use_fusion_emitters=true {LEVEL}", None),
        ("run", "/etc/flags.txt", None),  # XLA reads them from a file
    ],
)
def test_short_programs_compile_soon_unless_the_user_says_otherwise(
    command, given, wanted, monkeypatch
):
    wanted = given if wanted is None else wanted
    assert prepared(monkeypatch, command, given) == wanted


@pytest.mark.parametrize(
    "jaxlib, wanted",
    [
        ("0.10.0", f"{LEVEL} {OLDER}"),
        ("0.11.2", LEVEL),
        ("0.12.0.1", LEVEL),
        ("0.10.3.dev20260101", ""),  # of which nothing is known
        ("9.0", ""),
    ],
)
def test_xla_is_told_nothing_that_it_was_not_tried_with(jaxlib, wanted, monkeypatch):
    assert prepared(monkeypatch, "run", jaxlib=jaxlib) == wanted


@pytest.mark.parametrize("module", ["jax_plugins", "libtpu"])
def test_only_the_xla_for_cpus_is_told(module, monkeypatch, tmp_path):
    (tmp_path / module).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert prepared(monkeypatch, "run") == ""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert prepared(monkeypatch, "run") == f"{LEVEL} {OLDER}"


def test_options_of_the_compiler_are_used_where_they_exist():
    level = {"xla_backend_optimization_level": 3}
    assert compiler.cpu_options("cpu", no_such_option=1, **level) == level
    assert compiler.cpu_options("cuda", **level) == {}
    assert compiler.cpu_options("tpu", **level) == {}


@pytest.mark.slow
def test_this_xla_knows_what_it_is_told():
    """A flag that it does not know would end the process."""
    script = """
from experiments.runtime import compiling
for name in compiling.TRIED:
    compiling.flag(name, "1")
import jax
print(jax.jit(lambda x: x + 1)(1.0))
"""
    given = os.environ | {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, env=given, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "2.0\n"), done.stderr


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
def test_a_program_stored_in_part_is_compiled_again(cache):
    """JAX warns, and goes on without it."""
    words = ["run", "--success-rates", "0.9", "0.1", "--policy", "0.5", "0.5"]

    def run():
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", *words],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0
        return done

    first = run()
    assert first.stderr == ""
    whole = set(cache.rglob("*-cache"))
    assert len(whole) > 0
    for path in whole:
        path.write_bytes(path.read_bytes()[:100])
    again = run()
    assert again.stdout == first.stdout and "persistent compilation" in again.stderr
