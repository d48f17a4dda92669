"""Tasks in processes of their own: same results, and none outlives the command."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments import verify, workers
from experiments.errors import UserError

# Two tasks that would take minutes; said when both are under way.
SLOW = """
import sys
from experiments import cli, reproduce
begin = "import time; print('began', flush=True); time.sleep(100)"
tasks = {name: (exec, (begin,)) for name in "ab"}
reproduce._tasks = lambda *arguments: tasks
sys.exit(cli.main(["reproduce", "--out", sys.argv[1]]))
"""


def test_side_by_side_is_the_same_as_alone():
    tasks = {name: (verify.verify_one, (name, 64, 5)) for name in ("C5", "A4", "C2")}
    beside, alone = {}, {}
    workers.each(tasks, beside.__setitem__)
    for name, task in tasks.items():
        workers.each({name: task}, alone.__setitem__)
    assert set(beside) == set(alone) == set(tasks)
    for name in tasks:
        for claims in zip(beside[name]["claims"], alone[name]["claims"], strict=True):
            np.testing.assert_equal(*claims)
    assert not multiprocessing.active_children()


def test_a_failure_ends_the_other_tasks():
    def ended(name, result):
        raise AssertionError(name)

    started = time.monotonic()
    tasks = {"slow": (time.sleep, (100,)), "wrong": (int, ("x",))}
    with pytest.raises(ValueError, match="'x'"):
        workers.each(tasks, ended)
    assert time.monotonic() - started < 60
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_one_clear_line():
    tasks = {"slow": (time.sleep, (100,)), "killed": (os._exit, (9,))}
    with pytest.raises(UserError, match="was killed; is there enough memory"):
        workers.each(tasks, print)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(number, tmp_path):
    heeding = "import signal; signal.signal(2, signal.default_int_handler)\n"
    child = subprocess.Popen(
        [sys.executable, "-c", heeding + SLOW, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert [child.stdout.readline() for _ in "ab"] == ["began\n"] * 2
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
        workers.each({"one": (int, ("3",))}, lambda name, result: None)
    assert len(calls) == times
