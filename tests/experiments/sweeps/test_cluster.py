"""Sweeps on a Dask cluster whose workers, scheduler and command die: the same bits."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import distributed
import jax
import numpy as np
import pytest

from experiments import cli
from experiments.sweeps import cluster, grid, run_units, solving, sweep_file
from experiments.text.errors import UserError
from tests.experiments.sweeps import many, small
from tests.experiments.sweeps.many import files, no_solver, open_again
from tests.experiments.sweeps.processes import UNITS, finish, process


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(small.TEXT)
    return path


def refused(capsys, *words):
    """The line on stderr of a command that ends with exit code 2, and nothing else."""
    assert cli.main(["sweep", *map(str, words)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1
    return err


def test_without_dask_it_is_said_how_to_install_it(file, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = refused(capsys, file, "--dask", "local")
    assert "pip install 'pattern-selection[dask]'" in said
    assert not file.with_suffix(".zarr").exists()


def test_a_scheduler_that_does_not_answer_is_one_line(file, capsys, monkeypatch):
    assert cluster.PATIENCE == 30
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        taken = silent.getsockname()[1]
        for address in (f"tcp://127.0.0.1:{taken}", "tcp://127.0.0.1:1", "nonsense://"):
            said = refused(capsys, file, "--dask", address)
            assert f"--dask {address}: no scheduler answers in 0.5 s" in said
    assert not file.with_suffix(".zarr").exists()


@pytest.mark.parametrize("address", ["", " "])
def test_an_empty_address_is_refused(file, address, capsys):
    assert "give the tcp://HOST:PORT" in refused(capsys, file, "--dask", address)


@pytest.mark.parametrize(
    "words",
    [
        ["--shard", "0/2"],
        ["--coordinator", "h:1", "--processes", "2", "--process", "0"],
        ["--check"],
        ["--repair"],
        ["--dry-run"],
        ["--redo-unresolved", "--max-steps", "9"],
        ["--cell", "gap=0.1"],
    ],
)
def test_what_does_not_go_with_dask_is_refused(file, words, capsys):
    assert "--dask: compute only" in refused(capsys, file, "--dask", "local", *words)


def test_processes_do_not_share_an_accelerator(file, capsys, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "cannot share a gpu" in refused(capsys, file, "--dask", "local")


def test_a_worker_solves_a_unit_as_the_command_does():
    sweep = small.sweep(seed=5)
    unit = grid.cut(sweep).unit(0)
    found = cluster.unit_columns(cluster._order(sweep), unit.index, unit.region)
    expected = solving.unit_columns(sweep, unit)
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, strict=True)


def test_a_worker_reads_the_same_sweep(tmp_path):
    """Without the files that it names, here of a base model with a logit of -inf."""
    (tmp_path / "m.csv").write_text(
        "base_model,success_rate,logit\na,0.9,0\na,0.6,1e-300\nb,0.9,0.1\nb,0.5,-inf\n"
    )
    file = tmp_path / "m.toml"
    file.write_text('model = {file = "m.csv"}\n[axes]\nlevel = [0.1, 0.7]\n')
    sweep = sweep_file.load(file, seed=7)
    (tmp_path / "m.csv").unlink()
    assert cluster._agreed(cluster._order(sweep)).identity == sweep.identity


def test_a_worker_solves_one_unit_at_a_time(monkeypatch):
    sweep, now, most = small.sweep(), [], []

    def solve(sweep, unit):
        now.append(unit)
        most.append(len(now))
        time.sleep(0.02)
        now.remove(unit)

    monkeypatch.setattr(solving, "unit_columns", solve)
    order = cluster._order(sweep)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: cluster.unit_columns(order, i, ()), range(8)))
    assert most == [1] * 8


@pytest.mark.parametrize("key", run_units.MUST_AGREE)
def test_a_worker_that_would_find_other_bits_is_refused(key):
    order = json.loads(cluster._order(small.sweep()))
    value = order["stamp"][key]
    other = value | {"numpy": "1.0"} if key == "versions" else "other"
    order["stamp"][key] = other
    said = f"{key}: numpy {np.__version__} there, numpy 1.0 here"
    if key != "versions":
        # It computes with the command's precision; with its own without one.
        own = "float32" if key == "dtype" else value
        said = f"{key}: {own} there, other here"
    with pytest.raises(UserError) as error:
        cluster.unit_columns(json.dumps(order), 0, (slice(0, 6), slice(0, 10)))
    assert said in str(error.value)
    assert socket.gethostname() in str(error.value)


@pytest.fixture(scope="module")
def threads():
    """A cluster in this process, for faults that are made up."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
    ) as workers:
        yield workers.scheduler_address


def marched(address, path):
    """The store of many units, with the solver of `cluster.unit_columns`."""
    sweep = many.many_units()
    target = run_units.begin(path, sweep, "")
    with cluster.joined(address) as elsewhere:
        run_units.march(sweep, target, run_units.Shard(), elsewhere=elsewhere)


def fault(index):
    """The error on a worker over this unit, if any; to be replaced by tests."""


def made_up(order, index, region):
    """Instead of `cluster.unit_columns`: workers find it, and `fault`, by name."""
    error = fault(index)
    if error is not None:
        raise error
    return no_solver(many.many_units(), grid.Unit(index, region))


def faked(monkeypatch, replaced):
    monkeypatch.setattr(sys.modules[__name__], "fault", replaced)
    monkeypatch.setattr(cluster, "unit_columns", made_up)


def test_units_are_stored_as_they_come(stored, threads, tmp_path, monkeypatch):
    """In another order; and few are solved that are not stored, if storing is slow."""
    begun, order, ahead, write = [], [], [], run_units.store.Store.write

    def count(index):
        begun.append(index)
        time.sleep(0.2 if index == 0 else 0)

    def counted(self, unit, columns):
        time.sleep(0.02)
        ahead.append(len(begun) - len(order))
        order.append(unit.index)
        write(self, unit, columns)

    faked(monkeypatch, count)
    monkeypatch.setattr(run_units.store.Store, "write", counted)
    marched(threads, tmp_path / "other.zarr")
    assert files(tmp_path / "other.zarr") == files(stored[1])
    assert sorted(order) == list(range(many.UNITS)) != order
    assert 2 < max(ahead) <= 2 * cluster.AHEAD


def test_a_unit_that_dask_gives_up_is_handed_out_again(
    stored, threads, tmp_path, monkeypatch
):
    left = dict.fromkeys(range(0, 120, 7), cluster.ATTEMPTS - 1)

    def die(index):
        if left.get(index, 0):
            left[index] -= 1
            return distributed.KilledWorker(str(index), SimpleNamespace(address=""), 3)

    faked(monkeypatch, die)
    marched(threads, tmp_path / "other.zarr")
    assert files(tmp_path / "other.zarr") == files(stored[1])
    left[3] = cluster.ATTEMPTS
    with pytest.raises(UserError, match="again and again over unit 3;.* same command"):
        marched(threads, tmp_path / "third.zarr")


@pytest.mark.parametrize(
    "error, said",
    [
        (UserError("no."), "no."),
        (ModuleNotFoundError("No module\n..."), r"unit 80 failed .*: No module\);.*"),
        (OSError(5, "Input/output error"), "unit 80 failed .*Input/output error"),
    ],
)
def test_an_error_on_a_worker_ends_the_command(
    error, said, stored, threads, monkeypatch
):
    sweep, path = stored
    target = open_again(sweep, path)
    for index in (5, 80):
        target.forget(target.grid.unit(index))
    faked(monkeypatch, lambda index: error if index == 80 else None)
    with pytest.raises(UserError, match=said):
        marched(threads, path)
    assert not open_again(sweep, path).done()[80]


# Processes of their own.


@contextlib.contextmanager
def running(folder):
    """A function that starts `dask scheduler` or `dask worker`; all end afterwards."""
    started = []
    # It is the task that sets it, before JAX is there.
    set_by_nobody = {k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"}

    def start(what, *words, **environment):
        program = [sys.executable, "-m", f"distributed.cli.dask_{what}"]
        words = [*map(str, words), "--host", "127.0.0.1", "--no-dashboard"]
        with (folder / f"{what}-{len(started)}.log").open("wb") as log:
            child = subprocess.Popen(
                [*program, *words], env=set_by_nobody | environment, stderr=log
            )
        started.append(child)
        return child

    try:
        yield start
    finally:
        for child in started:
            child.kill()
            child.wait(20)


@pytest.fixture
def start(tmp_path):
    with running(tmp_path) as start:
        yield start


def scheduler(start, tmp_path, **environment):
    """The process and its address."""
    told = tmp_path / "scheduler.json"
    told.unlink(missing_ok=True)
    words = ["--port", "0", "--scheduler-file", told]
    child = start("scheduler", *words, **environment)
    until = time.monotonic() + 60
    while not told.exists():
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    return child, json.loads(told.read_text())["address"]


def worker(start, tmp_path, address, *words, **environment):
    words = ["--no-nanny", "--local-directory", tmp_path / "dask", *words]
    return start("worker", address, *words, **environment)


def wait_for_units(store, number, child):
    until = time.monotonic() + 100
    while len(list(store.glob("units/done/c/*"))) < number:
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_workers_on_this_machine_find_the_same_bits(many_units, tmp_path):
    """Two of them, as of four devices; interrupted in the middle."""
    store = tmp_path / "s.zarr"
    words = [many_units, "--out", store, "--dask", "local"]
    child = process(*words, devices=4)
    wait_for_units(store, 3, child)
    child.send_signal(signal.SIGINT)
    code, out, err = finish(child)
    assert (code, err) == (130, "interrupted\n")
    assert "the same command goes on" in out
    assert 3 <= len(list(store.glob("units/done/c/*"))) < UNITS
    code, out, err = finish(process(*words, devices=4))
    assert (code, err) == (0, "") and "all stored" in out
    assert files(store) == files(many_units.with_suffix(".zarr"))
    assert [path.name for path in tmp_path.iterdir()] == ["s.zarr"]


@pytest.mark.slow
def test_workers_come_and_go(many_units, tmp_path, start):
    """Killed in the middle, with a unit on it that the scheduler then gives up."""
    store = tmp_path / "s.zarr"
    _, address = scheduler(
        start, tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0"
    )
    child = process(many_units, "--out", store, "--dask", address)
    said = f"--dask {address}: no workers yet; waiting for some\n"
    assert child.stderr.readline() == said
    first = worker(start, tmp_path, address, "--nthreads", 3)
    wait_for_units(store, 3, child)
    first.kill()
    worker(start, tmp_path, address, "--nthreads", 1)
    second = worker(start, tmp_path, address, "--nthreads", 1)
    wait_for_units(store, 20, child)
    second.kill()
    assert len(list(store.glob("units/done/c/*"))) < UNITS
    code, out, err = finish(child)
    assert (code, err) == (0, "") and "all stored" in out
    assert files(store) == files(many_units.with_suffix(".zarr"))


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_command_and_another_goes_on(
    many_units, tmp_path, start
):
    store = tmp_path / "s.zarr"
    first, address = scheduler(start, tmp_path)
    words = ["--nthreads", 1, "--death-timeout", 5]
    old = worker(start, tmp_path, address, *words)
    child = process(many_units, "--out", store, "--dask", address, "-q")
    wait_for_units(store, 3, child)
    first.kill()
    code, out, err = finish(child)
    assert code == 2 and err.count("\n") == 1, err
    assert f"--dask {address}: the connection to the scheduler is lost" in err
    assert "safe: the same command goes on" in err
    before = len(list(store.glob("units/done/c/*")))
    assert 3 <= before < UNITS
    old.kill()
    _, address = scheduler(start, tmp_path)
    child = process(many_units, "--out", store, "--dask", address, "-q")
    time.sleep(5)  # nor does it say that there are none
    worker(start, tmp_path, address, *words)
    assert finish(child)[::2] == (0, "")
    assert files(store) == files(many_units.with_suffix(".zarr"))


@pytest.mark.slow
def test_a_worker_with_another_number_of_devices_is_refused(file, tmp_path, start):
    _, address = scheduler(start, tmp_path)
    worker(start, tmp_path, address, JAX_NUM_CPU_DEVICES="1")
    code, out, err = finish(process(file, "--dask", address, "-q"))
    assert code == 2 and err.count("\n") == 1, err
    assert "(devices: one there, several here)" in err
