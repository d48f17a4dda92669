"""The data of papers from few problems, computed once for all tests."""

import functools

import jax
import pytest

from experiments.commands import gallery


@functools.cache
def made(name):
    return gallery.compute(name, True, 0)


@pytest.fixture(scope="session")
def quick():
    """The data of `gallery NAME --quick`."""
    return made


@pytest.fixture
def faulty(monkeypatch):
    """The verdicts of a paper whose model has a planted fault, by claim.

    `faulty(name, plant)`: `plant(monkeypatch)` puts the fault in.
    """

    def run(name, plant):
        plant(monkeypatch)
        jax.clear_caches()  # programs that were traced without the fault
        rows = gallery.judge(name, gallery.compute(name, True, 0), True, 0)
        return {row["claim"]: row["verdict"] for row in rows}

    yield run
    monkeypatch.undo()
    jax.clear_caches()
