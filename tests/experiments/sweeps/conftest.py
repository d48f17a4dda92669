"""Stores that tests may harm."""

import shutil

import pytest

from experiments.sweeps import run_units
from experiments.sweeps.locks import Shard
from tests.experiments.sweeps.many import cut_small, many_units, no_solver


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished store of many units, without solving anything."""
    path = tmp_path_factory.mktemp("finished") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        sweep = many_units()
        target = run_units.begin(path, sweep, "")
        run_units.march(sweep, target, Shard(), solve=no_solver)
    return path


@pytest.fixture
def stored(finished, tmp_path, monkeypatch):
    """A copy of it, to be harmed."""
    cut_small(monkeypatch)
    path = tmp_path / "s.zarr"
    shutil.copytree(finished, path)
    return many_units(), path
