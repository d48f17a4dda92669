"""Stores that tests may harm."""

import shutil

import pytest

from experiments.sweeps import run_units
from experiments.sweeps.locks import Shard
from tests.experiments.sweeps import many, small
from tests.experiments.sweeps.processes import UNITS, finish, process


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished store of many units, without solving anything."""
    path = tmp_path_factory.mktemp("finished") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        many.cut_small(patch)
        sweep = many.many_units()
        target = run_units.begin(path, sweep, "")
        run_units.march(sweep, target, Shard(), solve=many.no_solver)
    return path


@pytest.fixture
def stored(finished, tmp_path, monkeypatch):
    """A copy of it, to be harmed."""
    many.cut_small(monkeypatch)
    path = tmp_path / "s.zarr"
    shutil.copytree(finished, path)
    return many.many_units(), path


@pytest.fixture(scope="module")
def many_units(tmp_path_factory):
    """A sweep of many short units, and its store by one process on three devices."""
    file = tmp_path_factory.mktemp("many") / "many.toml"
    levels = ", ".join(f'"gap={0.05 + 0.005 * i:.3f}"' for i in range(UNITS))
    text = small.TEXT.replace("0.3, 6]", "0.3, 20]").replace("0.1, 10]", "0.1, 25]")
    text = text.replace('until = "t0"', "")
    file.write_text(text.replace("[axes]", f"[axes]\nuntil = [{levels}]"))
    code, _, err = finish(process(file, devices=3))
    assert code == 0, err
    return file
