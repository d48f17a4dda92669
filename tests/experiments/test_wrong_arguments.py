"""Python functions of sweeps and diagrams name, in one line, what they cannot take."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from experiments import diagrams
from experiments.diagrams import diagram
from experiments.sweeps import outcome_names, run_units, sweep
from experiments.sweeps.sweep_file import KEYS
from experiments.text.errors import UserError
from tests.simulator.test_wrong_calls import NO_NUMBER

TABLE = {
    "record": ["accuracy"],
    "axes": {"gap": [0.1, 0.2], "best_probability": [0.1, 0.2]},
}
WRONG = {name: x for name, x in NO_NUMBER.items() if name != "None"} | {
    "half": 2.5,
    "negative": -1,
    "tuple": (1, 2),
    "nested": {"a": {"b": None}},
}
NO_TEXT = {name: x for name, x in WRONG.items() if not isinstance(x, str)}
NO_PATH = {name: x for name, x in NO_TEXT.items() if not isinstance(x, dict)}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return sweep(TABLE)


def refused(call, wrong, named):
    for kind, value in wrong.items():
        with pytest.raises(UserError) as error:
            call(value)
        said = str(error.value)
        assert named in said and "\n" not in said, (kind, said)


CALLS = {
    "source": (lambda x: sweep(x), NO_PATH),
    "out": (lambda x: sweep(TABLE, x), NO_TEXT),
    "seed": (lambda x: sweep(TABLE, seed=x), WRONG),
    "overwrite": (
        lambda x: sweep(TABLE, overwrite=x),
        {k: x for k, x in WRONG.items() if k != "truth"},
    ),
    "precision": (lambda x: sweep(TABLE, precision=x), WRONG | {"None": None}),
    "progress": (
        lambda x: sweep(TABLE, progress=x),
        {k: x for k, x in WRONG.items() if not callable(x)},
    ),
    "data": (outcome_names, WRONG | {"None": None}),
    "source ": (diagrams.draw, NO_TEXT | {"None": None}),
}


@pytest.mark.parametrize("what", CALLS)
def test_what_cannot_be_taken_is_named(what, monkeypatch, tmp_path):
    def march(*_, **__):
        raise AssertionError("solved before it was checked")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_units, "march", march)
    call, wrong = CALLS[what]
    refused(call, wrong, f"`{what.strip()}`")
    assert not list(tmp_path.iterdir())


# What is right for some key: it is left out there.
RIGHT = {
    "max_log10_time": ("half", "negative", "jax"),
    "figure": ("dict",),  # phase-diagram reads it
}
RIGHT_LOOKS = {
    "title": ("text", "digits"),
    "text": ("truth",),
    "width": ("half",),
    "height": ("half",),
    "range": ("tuple",),
}


def without(right):
    return {kind: x for kind, x in WRONG.items() if kind not in right}


@pytest.mark.parametrize("key", [*KEYS, "unknown"])
def test_what_a_key_of_a_table_cannot_be_is_one_line(key):
    right = RIGHT.get(key, ("text", "digits") if key == "title" else ())
    refused(lambda x: sweep(TABLE | {key: x}), without(right), "")


@pytest.mark.parametrize("key", [*diagram.KEYS, "unknown"])
def test_what_a_figure_cannot_have_is_one_line(key, data):
    right = RIGHT_LOOKS.get(key, ())
    refused(lambda x: diagrams.draw(data, **{key: x}), without(right), "")


def test_axes_are_those_of_matplotlib(data):
    refused(lambda x: diagrams.draw(data, x), WRONG, "`axes`")
    refused(lambda x: diagrams.draw(data, [x]), WRONG, "`axes`")


def test_numbers_of_other_kinds_are_taken(data):
    found = sweep(TABLE, seed=np.int64(3), precision="float64", overwrite=np.True_)
    assert isinstance(found, xarray.Dataset)
    panel = diagrams.draw(data, range=np.array([0.0, 1.0]), lines=())
    assert panel.collections[0].get_clim() == (0, 1)
