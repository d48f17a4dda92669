"""Axes of sweep files."""

import numpy as np
import pytest

from experiments.sweeps import axes
from experiments.text.errors import UserError


def values(given, name="gap", seed=0):
    return axes.read(name, given, seed).values


def test_lists_and_ranges():
    np.testing.assert_array_equal(values([3, 1.5]), [3, 1.5])
    np.testing.assert_allclose(values({"linspace": [0, 1, 5]}), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(values({"logspace": [1e-4, 1, 3]}), [1e-4, 1e-2, 1])
    np.testing.assert_array_equal(values({"count": 3}), [0, 1, 2])
    assert list(values(["grpo", "rloo"])) == ["grpo", "rloo"]


@pytest.mark.parametrize(
    "kind, first, second, mean, deviation",
    [
        ("uniform", 1, 3, 2, 2 / np.sqrt(12)),
        ("loguniform", 1, np.e, np.e - 1, np.sqrt((np.e**2 - 1) / 2 - (np.e - 1) ** 2)),
        ("normal", 5, 2, 5, 2),
        ("beta", 2, 3, 0.4, 0.2),
    ],
)
def test_random_axes_have_their_law(kind, first, second, mean, deviation):
    drawn = values({kind: [first, second, 20_000]})
    error = deviation / np.sqrt(len(drawn))
    assert abs(drawn.mean() - mean) < 4 * error
    np.testing.assert_allclose(drawn.std(), deviation, rtol=0.03)


def test_random_axes_depend_on_seed_and_name_only():
    spec = {"uniform": [0, 1, 5]}
    first = values(spec)
    np.testing.assert_array_equal(first, values(spec))
    assert not np.isin(first, values(spec, seed=1)).any()
    assert not np.isin(first, values(spec, name="bad_rate")).any()


@pytest.mark.parametrize(
    "given, said",
    [
        ([], "empty"),
        ([1, "a"], "numbers, or names"),
        ([True], "numbers, or names"),
        ([1, 1.0], "twice"),
        (["a", "a"], "twice"),
        ([float("nan")], "finite"),
        ([10**400], "too large"),
        (3, "list, or a table"),
        ({}, "list, or a table"),
        ({"linspace": [0, 1]}, "three numbers"),
        ({"linspace": [0, float("inf"), 3]}, "finite"),
        ({"linspace": [0, 1, 0]}, "whole number"),
        ({"linspace": [0, 1, 2.5]}, "whole number"),
        ({"linspace": [0, 1, 10**12]}, "whole number"),
        ({"linspace": [1, 1, 3]}, "twice"),
        ({"logspace": [0, 1, 3]}, "above 0"),
        ({"uniform": [1, 0, 3]}, "below"),
        ({"loguniform": [-1, 1, 3]}, "above 0"),
        ({"normal": [0, 0, 3]}, "standard deviation"),
        ({"beta": [0, 1, 3]}, "above 0"),
        ({"cauchy": [0, 1, 3]}, "choose from linspace"),
        ({"count": -1}, "whole number"),
        ({"count": True}, "whole number"),
    ],
)
def test_bad_axes_are_refused(given, said):
    with pytest.raises(UserError, match=said) as caught:
        values(given)
    assert "axis gap" in str(caught.value)


def test_dimensions_are_python_names():
    assert axes.read("signal.self-certainty.weight", [1.0], 0).dim.isidentifier()
