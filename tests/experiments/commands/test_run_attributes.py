"""`run --attribute`: what is said of means, against SciPy and plain NumPy."""

import csv
import json
import math

import numpy as np
import pytest

from experiments import cli
from tests.theory.problems import flow_at

RATES, POLICY = [0.9, 0.6, 0.1], [0.05, 0.70, 0.25]
COLUMNS = {"held-out": [0.7, 0.4, 0.2], "length": [2.0, 1.0, 3.0]}
ONE = ["run", "--success-rates", *map(str, RATES), "--policy", *map(str, POLICY)]
TWO = [*ONE, "--attribute", "held-out=0.7,0.4,0.2", "--attribute", "length=2,1,3"]


def policy(time):
    """By SciPy."""
    return flow_at(np.array(RATES), np.log(POLICY), time)


def test_means_are_those_of_scipy(capsys, tmp_path):
    file = tmp_path / "run.json"
    words = [*TWO, "--until", "attribute-rises=held-out,0.6", "--json", str(file)]
    assert cli.main([*words, "--at", "7", "150"]) == 0
    result = json.loads(file.read_text())
    shown = capsys.readouterr().out.splitlines()
    times = np.linspace(0, result["time"], 4001)
    policies = np.array([policy(t) for t in times[::40]])
    for name, f in COLUMNS.items():
        row, means = result["attributes"][name], policies @ f
        np.testing.assert_allclose(row["start"], np.dot(POLICY, f), rtol=1e-12)
        np.testing.assert_allclose(row["end"], policies[-1] @ f, rtol=1e-6)
        for key, sign in (("highest", 1), ("lowest", -1)):
            # No place looked at is beyond it, and there it is.
            assert sign * row[key] >= (sign * means).max() - 1e-7
            np.testing.assert_allclose(row[key], policy(row[f"t_{key}"]) @ f, rtol=1e-6)
            if row[f"t_{key}"]:
                log10 = math.log10(row[f"t_{key}"])
                np.testing.assert_allclose(row[f"log10_t_{key}"], log10, rtol=1e-9)
    held, length = (result["attributes"][name] for name in COLUMNS)
    np.testing.assert_allclose(held["end"], 0.6, rtol=1e-9)
    assert (held["t_lowest"], held["log10_t_lowest"]) == (0, None)
    assert held["t_highest"] == length["t_highest"] == result["time"]
    assert 0 < length["t_lowest"] < result["time"]
    lines = [line for line in shown if line.startswith("attribute")]
    assert lines == [
        "attribute  held-out 0.365 -> 0.6, highest 0.6 at the end, lowest 0.365 at the "
        "start",
        f"attribute  length 1.55 -> {length['end']:.6g}, highest {length['end']:.6g} "
        f"at the end, lowest {length['lowest']:.6g} at t = {length['t_lowest']:.6g}",
    ]
    for row, line in zip(result["at"], shown[-2:], strict=True):
        means = {name: policy(row["time"]) @ f for name, f in COLUMNS.items()}
        for name, right in means.items():
            np.testing.assert_allclose(row["attributes"][name], right, rtol=1e-6)
        ending = ", ".join(f"{name} {value:.6g}" for name, value in means.items())
        assert line.endswith(f", {ending}")


def test_a_run_without_attributes_says_nothing_of_them(capsys, tmp_path):
    file = tmp_path / "run.json"
    assert cli.main([*ONE, "--at", "7", "--json", str(file)]) == 0
    assert "attribute" not in capsys.readouterr().out
    result = json.loads(file.read_text())
    assert result["attributes"] == {} and "attributes" not in result["at"][0]


def test_curves_have_a_column_for_each_mean(tmp_path, capsys):
    file = tmp_path / "run.csv"
    change = "attribute=held-out=0.1,0.9,0.5"
    words = [*TWO, "--csv", str(file), "--at", "3", "70", "--compare", change]
    assert cli.main(words) == 0
    with file.open() as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == 4
    for row in rows:
        there = policy(float(row["time"]))
        f = [0.1, 0.9, 0.5] if row["change"] == change else COLUMNS["held-out"]
        found = [float(row[f"attribute_{name}"]) for name in ("held-out", "length")]
        right = [there @ f, there @ COLUMNS["length"]]
        np.testing.assert_allclose(found, right, rtol=1e-6)


def test_a_picture_shows_means_and_says_their_range(monkeypatch, tmp_path, capsys):
    from matplotlib.axes import Axes

    drawn = {}
    plot = Axes.plot

    def spy(self, x, y, *args, **more):
        drawn[more.get("label")] = np.asarray(x), np.asarray(y)
        return plot(self, x, y, *args, **more)

    monkeypatch.setattr(Axes, "plot", spy)
    file = tmp_path / "run.json"
    words = ["--plot", str(tmp_path / "run.svg"), "--json", str(file)]
    assert cli.main([*TWO, *words]) == 0
    end = json.loads(file.read_text())["time"]
    for label, f in (
        ("mean held-out", COLUMNS["held-out"]),
        ("mean length, 1 to 3", (np.array(COLUMNS["length"]) - 1) / 2),
    ):
        x, y = drawn[label]
        right = [policy(min(10**t, end)) @ f for t in x[::50]]
        np.testing.assert_allclose(y[::50], right, rtol=1e-6)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--attribute", "Held=1,2,3"], "'Held' is no name of an attribute"),
        (["--attribute", "f=1,2"], "`f` has shape (2,)"),
        (["--attribute", "f=1,x,3"], "give a number for each pattern"),
        (["--attribute", "f"], "give a number for each pattern"),
        (["--attribute", "f=1,2,nan"], "`f` contains NaN or an infinity"),
        (["--attribute", "length=1,2,3"], "length is given twice"),
        (["--until", "attribute-rises=g,0.5"], "'g' is no attribute"),
        (["--until", "attribute-rises=0.5"], "give attribute-rises=NAME,LEVEL"),
        (["--until", "attribute-falls=length,x"], "give attribute-falls=NAME,LEVEL"),
        (["--until", "attribute-rises=length,3"], "never reached: no pattern"),
        (["--signal", "attribute"], "attribute needs --column"),
        (["--signal", "attribute", "--column", "hold-out"], "did you mean held-out"),
        (["--signal", "sign-rule", "--column", "length"], "sign-rule needs --share"),
        (
            ["--signal", "sign-rule", "--column", "length", "--share", "0.5"],
            "it goes from 1 to 3; give numbers between 0 and 1",
        ),
    ],
)
def test_what_is_wrong_is_one_line(words, said, capsys):
    assert cli.main([*TWO, *words]) == 2
    out, err = capsys.readouterr()
    assert said in err and len(err.splitlines()) == 1 and not out


def test_signals_of_attributes_are_those_of_python(tmp_path, capsys):
    import simulator as sim

    file = tmp_path / "run.json"
    words = [*TWO, "--signal", "verifiable=1", "attribute=0.4", "--column", "held-out"]
    assert cli.main([*words, "--json", str(file)]) == 0
    paid = np.array(RATES) + 0.4 * np.array(COLUMNS["held-out"])
    other = sim.solve(
        sim.Problem(RATES, POLICY), sim.FixedConfidence(paid), until=sim.Gap(1e-3)
    )
    found = json.loads(file.read_text())["time"]
    np.testing.assert_allclose(found, other.time, rtol=1e-10)


def test_an_event_is_written_as_it_is_read():
    from experiments.text import events

    for text in ("attribute-rises=held-out,0.25", "attribute-falls=f,-3.0"):
        assert events.write(events.read(text, "--until")) == text
