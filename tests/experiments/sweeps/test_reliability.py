"""Kills, full disks, damaged chunks, competitors: nothing is lost, and it is said."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments import cli
from experiments.sweeps import grid, locks, making, run_units, store
from experiments.sweeps.locks import Shard
from experiments.text.errors import UserError
from tests.experiments.sweeps import small
from tests.experiments.sweeps.many import (
    UNITS,
    cut_small,
    files,
    many_units,
    no_solver,
    open_again,
)


def slow_solver(sweep, unit):
    time.sleep(0.05)
    return no_solver(sweep, unit)


def work(path: str, solve=no_solver, at_work=None) -> None:
    """Child process: begin or resume. `at_work`: it has stored a unit."""
    grid.LANES = 10
    sweep, begun = many_units(), []

    def watched(sweep, unit):
        if begun and at_work is not None:
            at_work.set()
        begun.append(unit)
        return solve(sweep, unit)

    with locks.claim(Path(path), Shard()):
        target = run_units.begin(Path(path), sweep, "")
        run_units.march(sweep, target, Shard(), solve=watched)


@pytest.fixture(scope="module")
def children():
    """A server that has imported everything, and forks children at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_the_same_store(
    tmp_path, children, monkeypatch
):
    cut_small(monkeypatch)
    whole, torn = tmp_path / "whole.zarr", tmp_path / "torn.zarr"
    child = children.Process(target=work, args=(str(whole),))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    rng, partly = np.random.default_rng(0), 0
    for kill in range(20):
        at_work = children.Event()
        child = children.Process(target=work, args=(str(torn), slow_solver, at_work))
        child.start()
        if kill % 4:
            assert at_work.wait(60)
            time.sleep(rng.uniform(0, 0.15))
        else:  # while it begins
            time.sleep(rng.uniform(0, 0.5))
        child.kill()
        child.join()
        if torn.exists():
            target = store.open_store(torn, many_units(), grid.cut(many_units()))
            number = int(target.done().sum())
            partly += 0 < number < UNITS
            # What says it is done is whole.
            assert run_units.damages(target) == []
    assert partly >= 10  # most kills came in the middle of the work
    child = children.Process(target=work, args=(str(torn),))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    assert files(torn) == files(whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["torn.zarr", "whole.zarr"]


def begin_slowly(path: str, step: str, reached) -> None:
    """Begin again from nothing, and stand still when the new store, or the removal of
    the old one, is on its way.
    """
    grid.LANES = 10
    fill, remove = making._fill, making.shutil.rmtree

    def fill_and_wait(*args):
        fill(*args)
        reached.set()
        time.sleep(60)

    def wait_and_remove(folder, **more):
        if folder.exists():
            reached.set()
            time.sleep(60)
        remove(folder, **more)

    if step == "fill":
        making._fill = fill_and_wait
    else:
        making.shutil.rmtree = wait_and_remove
    with locks.claim(Path(path), Shard()):
        run_units.begin(Path(path), many_units(), "", overwrite=True)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fill", "remove"])
def test_a_kill_while_a_store_is_made_or_removed_leaves_nothing(stored, children, step):
    _, path = stored
    before, reached = files(path), children.Event()
    child = children.Process(target=begin_slowly, args=(str(path), step, reached))
    child.start()
    assert reached.wait(60)
    child.kill()
    child.join()
    assert not path.exists()
    work(str(path))
    assert files(path) == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_who_creates_a_store_waits_for_another_who_does(
    tmp_path, children, monkeypatch
):
    cut_small(monkeypatch)
    path, reached = tmp_path / "s.zarr", children.Event()
    first = children.Process(target=begin_slowly, args=(str(path), "fill", reached))
    first.start()
    assert reached.wait(60)
    second = children.Process(target=make, args=(str(path),))
    second.start()
    second.join(1.5)
    assert second.exitcode is None and not path.exists()
    first.kill()
    first.join()
    second.join(60)
    assert second.exitcode == 0
    made = store.open_store(path, many_units(), grid.cut(many_units()))
    assert not made.done().any()


def make(path: str) -> None:
    """Child process: begin, without a lock."""
    grid.LANES = 10
    run_units.begin(Path(path), many_units(), "")


def test_shards_in_any_order_make_the_same_store(stored, tmp_path):
    sweep, path = stored
    other = tmp_path / "other.zarr"
    for index in (2, 0, 1):
        target = run_units.begin(other, sweep, "")
        run_units.march(sweep, target, Shard(index, 3), solve=no_solver)
    assert files(other) == files(path)


@pytest.mark.parametrize("harm", ["cut", "bit", "lost"])
def test_damaged_chunks_are_found_named_and_mended(stored, harm):
    sweep, path = stored
    before = files(path)
    chunk = path / "accuracy" / "c" / "7" / "0"
    content = bytearray(chunk.read_bytes())
    if harm == "cut":
        chunk.write_bytes(content[: len(content) // 2])
    elif harm == "bit":
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)
    else:
        chunk.unlink()
    target = open_again(sweep, path)
    ((unit, what),) = run_units.damages(target)
    assert unit.index == 7 and str(chunk) in what
    target.forget(unit)
    assert run_units.march(sweep, target, Shard(), solve=no_solver) == 1
    assert files(path) == before


def test_a_damaged_marker_is_named_and_means_not_done(stored):
    sweep, path = stored
    before = files(path)
    marker = path / "units" / "done" / "c" / "3"
    marker.write_bytes(b"?")
    target = open_again(sweep, path)
    assert target.damaged_markers() == [marker]
    assert not target.done()[3]
    assert run_units.march(sweep, target, Shard(), solve=no_solver) == 1
    assert files(path) == before


def test_damaged_coordinates_are_found_and_mended(stored):
    sweep, path = stored
    before = files(path)
    (path / "gap" / "c" / "0").write_bytes(b"?")
    target = open_again(sweep, path)
    assert target.damaged_coordinates() == ["gap"]
    target.write_coordinates()
    assert files(path) == before


def test_leftovers_of_a_kill_are_removed(stored):
    sweep, path = stored
    before = files(path)
    target = open_again(sweep, path)
    target.forget(target.grid.unit(5))
    for place in ("accuracy/c/5/0", "units/done/c/5", "accuracy/c/6/0"):
        (path / f"{place}.0123.partial").write_bytes(b"half")
    run_units.march(sweep, open_again(sweep, path), Shard(), solve=no_solver)
    (path / "accuracy/c/6/0.0123.partial").unlink()  # of a unit that is not ours
    assert files(path) == before


def test_a_second_process_on_the_same_shard_is_refused(tmp_path, children):
    path = tmp_path / "s.zarr"
    with locks.claim(path, Shard(1, 2)):
        for other in (Shard(1, 2), Shard(0, 1), Shard(0, 3)):
            with pytest.raises(UserError, match="another process"):
                with locks.claim(path, other):
                    pass
        with locks.claim(path, Shard(0, 2)):
            pass
    with locks.claim(path, Shard(0, 1)):
        pass
    assert list(tmp_path.iterdir()) == []


def hold(path, claimed) -> None:
    """Child process: take the lock, say so, and wait to be killed."""
    with locks.claim(Path(path), Shard()):
        claimed.set()
        time.sleep(60)


def test_a_killed_process_leaves_no_lock(tmp_path, children):
    path, claimed = tmp_path / "s.zarr", children.Event()
    child = children.Process(target=hold, args=(str(path), claimed))
    child.start()
    assert claimed.wait(60)
    with pytest.raises(UserError, match="another process"):
        with locks.claim(path, Shard()):
            pass
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    with locks.claim(path, Shard()):
        pass


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "1/0", "a/b", "0/1000000"])
def test_shards_that_make_no_sense_are_refused(text):
    with pytest.raises(UserError, match="--shard"):
        locks.read(text)


def test_a_full_disk_is_said_and_nothing_is_lost(stored, monkeypatch):
    sweep, path = stored
    before = files(path)
    target = open_again(sweep, path)
    target.forget(target.grid.unit(9))

    class Full:
        def __setitem__(self, key, value):
            raise OSError(errno.ENOSPC, "No space left on device")

    broken = open_again(sweep, path)
    broken._opened = {name: Full() for name in broken._names}
    with pytest.raises(UserError, match="No space left.*same command again"):
        broken.write(broken.grid.unit(9), no_solver(sweep, broken.grid.unit(9)))
    assert not open_again(sweep, path).done()[9]
    run_units.march(sweep, open_again(sweep, path), Shard(), solve=no_solver)
    assert files(path) == before


FILL = """
import os, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from tests.experiments.sweeps import test_reliability as t
from experiments.text.errors import UserError
from experiments.sweeps import locks, run_units
path = Path("/tmp/small-disk/s.zarr")
Path("/tmp/small-disk/fat").write_bytes(bytes(2_000_000))
try:
    t.work(str(path))
except UserError as error:
    assert "No space left" in str(error), error
else:
    sys.exit("the disk was not full")
Path("/tmp/small-disk/fat").unlink()
t.work(str(path))
t.work(sys.argv[1])
assert t.files(path) == t.files(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path):
    mount = (
        "mkdir -p /tmp/small-disk && mount -t tmpfs -o size=3300k none /tmp/small-disk"
    )
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        allowed = subprocess.run([*inside, mount], capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this system does not let a test mount a small disk")
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    done = subprocess.run(
        [*inside, f"{mount} && {sys.executable} {script} {tmp_path}/other.zarr"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys, monkeypatch):
    file = tmp_path / "sweep.toml"
    file.write_text(small.TEXT)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(locks.os, "open", refuse)
    assert cli.main(["sweep", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: cannot write beside") and said.count("\n") == 1
    monkeypatch.undo()
    monkeypatch.setattr(making, "_fill", refuse)
    assert cli.main(["sweep", str(file)]) == 2
    assert "choose another place with --out" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.toml"]


def test_clocks_decide_nothing(tmp_path, monkeypatch):
    """Time may jump: no file is compared by its age, no name made of the time."""
    cut_small(monkeypatch)
    sweep, jumps = many_units(), iter(range(10**6, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    first, second = tmp_path / "a.zarr", tmp_path / "b.zarr"
    for path in (first, second):
        target = run_units.begin(path, sweep, "")
        run_units.march(sweep, target, Shard(0, 2), solve=no_solver)
        for file in path.rglob("*"):
            os.utime(file, (0, 0))
        run_units.march(
            sweep, run_units.begin(path, sweep, ""), Shard(), solve=no_solver
        )
    assert files(first) == files(second)
