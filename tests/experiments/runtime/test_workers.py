"""Tasks in processes of their own: same results, and none outlives the command."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments.commands import verify
from experiments.runtime import workers
from experiments.text.errors import UserError
from tests.experiments.heeding import HEEDING

# A task that would take minutes, and a process that has no more to do.
SLOW = """
import sys
from experiments import cli
from experiments.commands import reproduce
begin = "import time; print('began\\\\n', end='', flush=True); time.sleep({})"
tasks = {seconds: (exec, (begin.format(seconds),)) for seconds in (100, 0)}
reproduce._tasks = lambda *arguments: tasks
sys.exit(cli.main(["reproduce", "--out", sys.argv[1]]))
"""


@pytest.mark.slow
def test_side_by_side_is_the_same_as_alone():
    tasks = {name: (verify.verify_one, (name, 64, 5)) for name in ("A4", "C4")}
    precision = "__import__('jax').numpy.zeros(1).dtype.name", {}
    beside = workers.run(tasks | {name: (eval, precision) for name in "ab"})
    assert beside.pop("a") == beside.pop("b") == "float64"
    assert set(beside) == set(tasks)
    for name, task in tasks.items():
        alone = workers.run({name: task})[name]
        for claims in zip(beside[name]["claims"], alone["claims"], strict=True):
            np.testing.assert_equal(*claims)
    assert not multiprocessing.active_children()


def test_a_failure_ends_the_other_tasks():
    def ended(name, result):
        raise AssertionError(name)

    started = time.monotonic()
    tasks = {"slow": (time.sleep, (100,)), "wrong": (int, ("x",))}
    with pytest.raises(ValueError, match="'x'"):
        workers.run(tasks, ended)
    assert time.monotonic() - started < 60
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_one_clear_line():
    started = time.monotonic()
    tasks = {"slow": (time.sleep, (100,)), "killed": (os._exit, (9,))}
    with pytest.raises(UserError, match="was killed; is there enough memory"):
        workers.run(tasks, print)
    assert time.monotonic() - started < 60
    assert not multiprocessing.active_children()


def test_an_interrupt_is_for_the_parent_alone():
    interrupted = "__import__('signal').raise_signal(2) or 3"
    tasks = {name: (eval, (interrupted, {})) for name in "ab"}
    assert workers.run(tasks) == {"a": 3, "b": 3}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(number, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HEEDING + SLOW, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert [child.stdout.readline() for _ in range(2)] == ["began\n"] * 2
        time.sleep(0.5)
        if number == signal.SIGINT:  # of a terminal: to all processes
            os.killpg(child.pid, number)
        else:
            child.kill()
        # The output ends when nobody is left who could write to it.
        out, err = child.communicate(timeout=60)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    if number == signal.SIGINT:
        assert child.returncode == 130 and err == "interrupted\n"


@pytest.mark.parametrize("most, times", [(0, 2), (10**9, 0)])
def test_programs_are_forgotten_when_they_take_too_much(most, times, monkeypatch):
    calls = []
    monkeypatch.setattr(workers, "MAPPINGS", most)
    monkeypatch.setattr("jax.clear_caches", lambda: calls.append(1))
    for _ in range(2):
        assert workers.run({"one": (int, ("3",))}) == {"one": 3}
    assert len(calls) == times
