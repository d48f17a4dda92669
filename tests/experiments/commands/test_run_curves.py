"""`run --at`, `--csv`, `--plot` and `--compare`."""

import csv
import json
import re

import numpy as np
import pytest

from experiments import cli
from experiments.commands import run_report
from experiments.pictures import style
from tests.theory.problems import flow_at

RATES, POLICY = [0.9, 0.6, 0.1], [0.05, 0.70, 0.25]
ONE = ["run", "--success-rates", *map(str, RATES), "--policy", *map(str, POLICY)]
TIMES = [10.0, 50.0, 2000.0]  # the last one is after the event to stop at
CHANGES = ["update=natural-gradient", "beta=0.01", "policy=0.2,0.6,0.2"]


def right(times, policy=POLICY):
    """Policies `[T, K]` by SciPy."""
    found = [flow_at(np.array(RATES), np.log(policy), time) for time in times]
    return np.array(found)


def test_what_is_said_at_times_is_what_scipy_finds(capsys, tmp_path):
    file = tmp_path / "run.json"
    words = [*ONE, "--at", "2000", "10", "50", "--json", str(file)]
    assert cli.main(words) == 0
    rows = json.loads(file.read_text())["at"]
    policies = right(TIMES)
    assert [row["time"] for row in rows] == TIMES
    np.testing.assert_allclose([r["policy"] for r in rows], policies, atol=1e-7)
    accuracies = [row["accuracy"] for row in rows]
    np.testing.assert_allclose(accuracies, policies @ RATES, atol=1e-7)
    lines = capsys.readouterr().out.splitlines()[-3:]
    for line, time, policy in zip(lines, TIMES, policies, strict=True):
        shown = " ".join(f"{x:.4g}" for x in policy)
        accuracy = f"{policy @ RATES:.6g}"
        assert line == f"at t = {time:g}  accuracy {accuracy}, policy {shown}"


@pytest.mark.parametrize("at", [[], TIMES])
def test_the_rows_of_a_table_are_those_of_scipy(at, tmp_path, capsys):
    file = tmp_path / "run.csv"
    words = [*ONE, "--csv", str(file), *(["--at", *map(str, at)] if at else [])]
    assert cli.main(words) == 0
    with file.open() as text:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(text)]
    times = np.array([row["time"] for row in rows])
    log10_times = [row["log10_time"] for row in rows]
    np.testing.assert_allclose(log10_times, np.log10(times), atol=1e-12)
    chosen = slice(None) if at else slice(0, None, 50)
    assert len(rows) == len(at) or 200 <= len(rows) <= 256
    assert times.max() < 759 or at  # where the run ends
    policies = right(times[chosen])
    columns = [[row[f"policy_{k}"] for k in range(3)] for row in rows[chosen]]
    np.testing.assert_allclose(columns, policies, atol=1e-7)
    found = [row["accuracy"] for row in rows[chosen]]
    np.testing.assert_allclose(found, policies @ RATES, atol=1e-7)


def test_a_comparison_is_that_of_runs_one_by_one(capsys, tmp_path):
    file, table = tmp_path / "run.json", tmp_path / "run.csv"
    words = [*ONE, "--compare", *CHANGES, "--json", str(file), "--csv", str(table)]
    assert cli.main([*words, "--at", "3"]) == 0
    lines = capsys.readouterr().out.split("\n\n")[1].splitlines()
    compared = json.loads(file.read_text())["compared"]
    assert [one["change"] for one in compared] == CHANGES
    alone = (
        [*ONE, "--update", "natural-gradient"],
        [*ONE, "--beta", "0.01"],
        [*ONE[:5], "--policy", "0.2", "0.6", "0.2"],
    )
    for one, line, given in zip(compared, lines[2:], alone, strict=True):
        assert cli.main([*given, "--at", "3", "--json", "-"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert {k: one[k] for k in result if k != "stamp"} == {
            k: v for k, v in result.items() if k != "stamp"
        }
        assert one["stamp"]["config"] == result["stamp"]["config"]
        cells = line.split()
        assert cells[:2] == [one["change"], result["outcome"]]
        shown = [float(cell) for cell in cells[2:7]]
        names = ("time", "accuracy", "peak_accuracy", "t0", "t_cross")
        np.testing.assert_allclose(shown, [result[n] for n in names], rtol=1e-3)
        until = "rest" if "beta" in one["change"] else "gap=1e-3"
        assert line.split("  ")[-2:] == ["pattern 0, the best", until]
    with table.open() as text:
        rows = list(csv.DictReader(text))
    assert [row["change"] for row in rows] == ["as given", *CHANGES]
    third = [float(rows[3][f"policy_{k}"]) for k in range(3)]
    np.testing.assert_allclose(third, right([3.0], [0.2, 0.6, 0.2])[0], atol=1e-7)
    assert cli.main(["rerun", str(file)]) == 0


@pytest.mark.parametrize("compare", [[], ["--compare", "update=natural-gradient"]])
@pytest.mark.parametrize(
    "kind, start", [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_a_picture_is_drawn_with_its_stamp(kind, start, compare, tmp_path, capsys):
    file = tmp_path / f"run.{kind}"
    assert cli.main([*ONE, "--plot", str(file), *compare, "--json", "-"]) == 0
    stamp = json.loads(capsys.readouterr().out)["stamp"]
    content = file.read_bytes()
    assert content.startswith(start)
    assert stamp["config_sha256"].encode() in content


@pytest.mark.parametrize(
    "words, said",
    [
        (["--at", "-1"], "--at -1: give times from 0 (the base model) on"),
        (["--at", "nan"], "give times from 0"),
        (["--plot", "run.gif"], "ends in .svg, .png, .pdf"),
        (["--compare", "uppdate=3"], "is no option of run"),
        (["--compare", "update=3"], "--update 3 is unknown"),
        (["--compare", "json=3"], "is the same for all runs"),
        (["--compare", "beta=x"], "--beta"),
        (["--compare", "beta=0.1", "confidence=0.1"], "--confidence means nothing"),
    ],
)
def test_what_cannot_be_compared_or_drawn_is_one_line(words, said, capsys):
    assert cli.main([*ONE, *words]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_a_picture_looks_as_is_asked_for(tmp_path, capsys):
    file = tmp_path / "a.svg"
    looks = ["--title", "A rival", "--label", "x=steps", "--width", "4", "--text"]
    assert cli.main([*ONE, "--plot", str(file), *looks]) == 0
    text = file.read_text()
    assert ">A rival</text>" in text and ">steps</text>" in text
    width = float(re.search(r'<svg [^>]*width="([\d.]+)pt"', text)[1])
    assert 4 * 72 <= width < 7 * 72  # the legend stands beside it


@pytest.mark.parametrize(
    "words, said",
    [
        (["--title", "a"], "--title is of the figure; give --plot FILE"),
        (["--csv", "."], "it is a folder"),
        (["--csv", "/proc/none/a.csv"], "choose another folder with --csv"),
        (["--plot", "/proc/none/a.svg"], "choose another folder with --plot"),
        (["--plot", "a.svg", "--width", "0"], "1.5 to 40 inches"),
        (["--plot", "a.svg", "--compare", "title=b"], "the same for all runs"),
    ],
)
def test_files_and_looks_are_checked_before_the_run(words, said, capsys, monkeypatch):
    monkeypatch.setattr(run_report, "solved", None)
    assert cli.main([*ONE, *words]) == 2
    out, err = capsys.readouterr()
    assert said in err and err.count("\n") == 1 and not out


def test_curves_end_where_the_run_does(tmp_path, capsys, monkeypatch):
    """At an event, with a dot; a run that has come to rest stays there."""
    drawn = []
    monkeypatch.setattr(
        style, "rendered", lambda figure, *_: drawn.append(figure) or b""
    )
    file, table = tmp_path / "run.json", tmp_path / "run.csv"
    words = [
        *ONE,
        "--compare",
        "until=t0",
        "beta=0.2",
        "--plot",
        str(tmp_path / "a.svg"),
    ]
    assert cli.main([*words, "--json", str(file), "--csv", str(table)]) == 0
    first = json.loads(file.read_text())
    runs = [first, *first["compared"]]
    (axes,) = drawn[0].axes
    curves = {line.get_label(): line for line in axes.lines}
    dots = [x.get_xydata()[0] for x in axes.lines if len(x.get_xydata()) == 1]
    ends = [(run["log10_time"], run["accuracy"]) for run in runs[:2]]
    np.testing.assert_allclose(dots, ends, atol=1e-9)
    for name, end in zip(("as given", "until=t0"), ends, strict=True):
        np.testing.assert_allclose(curves[name].get_xydata()[-1], end, atol=1e-9)
    assert runs[2]["outcome"] == "settled"
    last = curves["beta=0.2"].get_xydata()[-1]
    assert last[0] == axes.get_xlim()[1] > runs[0]["log10_time"]
    np.testing.assert_allclose(last[1], runs[2]["accuracy"], atol=1e-3)
    assert "the run ends" in [t.get_text() for t in axes.get_legend().get_texts()]
    with table.open() as text:
        rows = list(csv.DictReader(text))
    for name, end in zip(("as given", "until=t0"), ends, strict=True):
        row = [r for r in rows if r["change"] == name][-1]
        shown = float(row["log10_time"]), float(row["accuracy"])
        np.testing.assert_allclose(shown, end, atol=1e-9)


@pytest.mark.parametrize("until", ["accuracy=0.7", "leads=1", "rest"])
def test_each_curve_of_a_picture_has_its_dot(until, tmp_path, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        style, "rendered", lambda figure, *_: drawn.append(figure) or b""
    )
    words = [*ONE, "--until", until, "--plot", str(tmp_path / "a.svg"), "--json", "-"]
    assert cli.main(words) == 0
    result = json.loads(capsys.readouterr().out)
    (axes,) = drawn[0].axes
    dots = [x.get_xydata()[0] for x in axes.lines if len(x.get_xydata()) == 1]
    if until == "rest":  # it ends at 10^868, long after all has happened
        assert result["log10_time"] > 800 and axes.get_xlim()[1] < 20 and not dots
        return
    dots = dots[-4:]  # where a run stops at the start each curve is one point too
    right = [*result["policy"], result["accuracy"]]
    np.testing.assert_allclose([y for _, y in dots], right, atol=1e-9)
    if result["time"]:
        np.testing.assert_allclose([x for x, _ in dots], 4 * [result["log10_time"]])
