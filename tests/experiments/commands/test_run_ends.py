"""What `run` says of its end: who led, whether it is the best, and who wins later."""

import json

import numpy as np
import pytest

from experiments import cli
from tests.theory.problems import flow_at

RATES, POLICY = np.array([0.9, 0.6, 0.1]), np.array([0.05, 0.70, 0.25])
ONE = ["run", "--success-rates", *map(str, RATES), "--policy", *map(str, POLICY)]
LATE = 5000.0  # by then all is decided
PAID = np.array([0.5, 0.6, 0.9])  # the worst pattern most
PAYING = ["--signal", "fixed-confidence", "--confidence", *map(str, PAID)]
KERNEL = ["0.9,0.1", "0.6,0.4", "0.1,0.9"]


def run(capsys, tmp_path, *words):
    """The JSON object, and the lines by label."""
    file = tmp_path / "run.json"
    assert cli.main([*words, "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    return json.loads(file.read_text()), {x[:11].strip(): x[11:] for x in lines}


def is_said(result, lines, rewards, leader, winner, words):
    """That pattern `winner` takes over from `leader`, in the text and in the object."""
    assert result["final_pattern"] == leader
    right = {"pattern": winner, "wins_later": True}
    found = result["paid_more"]
    assert {name: found[name] for name in right} == right
    told = found["reward"], found["reward_of_final"]
    np.testing.assert_allclose(told, rewards[[winner, leader]], rtol=1e-9)
    shown = f"pattern {winner} is paid more ("
    assert lines["later"].startswith(shown) and lines["later"].endswith(words)
    numbers = f"{rewards[winner]:.6g}; pattern {leader}: {rewards[leader]:.6g})"
    assert f"{numbers} and wins later" in lines["later"]


@pytest.mark.parametrize(
    "until, words",
    [
        ("gap=0.31", "stopped on a plateau"),
        ("t0", "stopped on a plateau"),
        ("accuracy=0.55", "stopped before"),
        ("optimal-probability=0.06", "stopped on a plateau"),
        ("suboptimal-mass=0.93", "stopped on a plateau"),
        ("leads=1", "stopped before"),
        ("rest", "stopped before"),
    ],
)
def test_every_event_that_holds_on_a_plateau_says_who_wins_later(
    until, words, capsys, tmp_path
):
    given = ["--until", until, *(["--max-log10-time", "1"] if until == "rest" else [])]
    result, lines = run(capsys, tmp_path, *ONE, *given)
    assert result["outcome"] == ("horizon" if until == "rest" else "reached")
    end = flow_at(RATES, np.log(POLICY), result["time"])
    assert words.endswith("plateau") == (end.max() > 0.9)
    late = flow_at(RATES, np.log(POLICY), LATE)
    is_said(result, lines, RATES, int(end.argmax()), int(late.argmax()), words)
    assert ", not the best (pattern 0, success rate 0.9)" in lines["ended at"]
    crossed = LATE > result["time"] > 91.857
    assert ("t_cross" in result["not_before_the_end"]) != crossed
    assert lines["crossing"].startswith("not before the end")


def test_the_best_is_not_the_last_word_if_another_is_paid_more(capsys, tmp_path):
    policy = np.array([0.7, 0.2, 0.1])
    words = ["run", "--success-rates", *map(str, RATES), "--policy", *map(str, policy)]
    words += [*PAYING, "--until", "gap=0.35"]
    result, lines = run(capsys, tmp_path, *words)
    end, late = (flow_at(PAID, np.log(policy), t) for t in (result["time"], LATE))
    is_said(result, lines, PAID, int(end.argmax()), int(late.argmax()), "before")
    assert result["final_pattern_is_best"] and ", the best (" in lines["ended at"]
    # At the end of all, the winner is called what it is.
    result, lines = run(capsys, tmp_path, *words[:-1], "gap=0.001")
    assert result["final_pattern"] == late.argmax() == 2
    assert result["paid_more"] is None and "later" not in lines
    assert not result["final_pattern_is_best"] and "not the best" in lines["ended at"]


def test_patterns_that_are_equally_likely_are_all_named(capsys, tmp_path):
    for until in ("crossing", "leads=0"):
        result, lines = run(capsys, tmp_path, *ONE, "--until", until)
        assert (
            result["final_patterns"] == [0, 1] and not result["final_pattern_is_best"]
        )
        assert result["final_pattern"] == 0 and result["paid_more"] is None
        end = flow_at(RATES, np.log(POLICY), result["time"])
        shown = f"patterns 0, 1 with probability {end[0]:.4g} each, the best among them"
        assert lines["ended at"].startswith(shown)


@pytest.mark.parametrize("beta, winner", [(0.05, 0), (1.0, 1)])
def test_with_a_penalty_the_winner_is_that_at_rest(beta, winner, capsys, tmp_path):
    rest = POLICY * np.exp(RATES / beta)
    assert rest.argmax() == winner
    words = ["--beta", str(beta), "--until", "accuracy=0.5"]
    result, lines = run(capsys, tmp_path, *ONE, *words)
    assert result["final_pattern"] == 1
    if winner == 1:
        # Pattern 0 has the higher success rate, and never more than pattern 1.
        assert result["paid_more"] is None and "later" not in lines
        return
    net = RATES - beta * (np.array(result["log_policy"]) - np.log(POLICY))
    numbers = result["paid_more"]["reward"], result["paid_more"]["reward_of_final"]
    np.testing.assert_allclose(numbers, net[[0, 1]], rtol=1e-9)
    assert result["paid_more"]["wins_later"] is True
    assert lines["later"].startswith("pattern 0 is paid more (net of KL, ")


def test_where_rewards_move_nobody_is_said_to_win(capsys, tmp_path):
    words = ["run", "--policy", "0.05", "0.85", "0.1", "--answer-kernel", *KERNEL]
    words += ["--signal", "majority-vote", "--until", "accuracy=0.58"]
    result, lines = run(capsys, tmp_path, *words)
    # The majority is right, and pattern 0 most often so.
    assert np.array(result["policy"]) @ RATES > 0.5
    assert result["paid_more"]["pattern"] == 0
    assert result["paid_more"]["wins_later"] is None
    assert lines["later"] == (
        "pattern 0 is paid more (0.9; pattern 1: 0.6) for now; --until rest shows "
        "whether it wins"
    )


def test_what_never_happens_is_told_from_what_has_not_happened_yet(capsys, tmp_path):
    equal = ["--signal", "fixed-confidence", "--confidence", "0.5", "0.5", "0.5"]
    result, lines = run(capsys, tmp_path, *ONE, *equal, "--until", "accuracy=0.55")
    assert result["outcome"] == "stationary" and not result["not_before_the_end"]
    assert lines["T0"].startswith("never") and lines["crossing"].startswith("never")
    result, lines = run(capsys, tmp_path, *ONE, "--until", "accuracy=0.55")
    assert result["not_before_the_end"] == ["t0", "t_cross", "t_below_base"]
    assert lines["T0"].startswith("not before the end")


def test_a_comparison_says_where_each_run_stopped(capsys, tmp_path):
    changes = ["until=t0", "beta=0.01", "update=natural-gradient"]
    assert cli.main([*ONE, "--compare", *changes]) == 0
    rows = capsys.readouterr().out.split("\n\n")[1].splitlines()
    stops = [row.split()[-1] for row in rows]
    assert stops == ["until", "gap=1e-3", "t0", "rest", "gap=1e-3"]
    assert "pattern 1, not the best; pattern 0 wins later" in rows[2]
    assert "not yet" in rows[2]
    assert cli.main([*ONE, "--compare", "update=natural-gradient"]) == 0
    assert "until" not in capsys.readouterr().out.split("\n\n")[1]


def test_options_joined_by_commas_change_together(capsys, tmp_path):
    file = tmp_path / "run.json"
    changes = {
        "update=grpo,group-size=4": ["--update", "grpo", "--group-size", "4"],
        "policy=0.2,0.6,0.2,until=t0": ["--policy", "0.2", "0.6", "0.2"]
        + ["--until", "t0"],
        "signal=verifiable=0.7,noisy-verifier=0.3,false-positive=0.1": ["--signal"]
        + ["verifiable=0.7", "noisy-verifier=0.3", "--false-positive", "0.1"],
    }
    assert cli.main([*ONE, "--compare", *changes, "--json", str(file)]) == 0
    capsys.readouterr()
    for one, words in zip(
        json.loads(file.read_text())["compared"], changes.values(), strict=True
    ):
        start = ONE if "--policy" not in words else ONE[:5]
        assert cli.main([*start, *words, "--json", "-"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert one["stamp"]["config"] == alone["stamp"]["config"]
        assert one["policy"] == alone["policy"] and not one["changes_nothing"]
    assert cli.main(["rerun", str(file)]) == 0


@pytest.mark.parametrize(
    "change, same",
    [
        ("signal=noisy-verifier", True),
        ("signal=noisy-verifier,false-positive=1e-6", False),
        ("signal=fixed-confidence,confidence=0.9,0.6,0.1", True),
        ("until=gap=0.001", True),
        ("success-rates=0.9,0.6,0.1001", False),
        ("learning-rate=0.1", False),
    ],
)
def test_a_change_that_changes_nothing_is_named(change, same, capsys, tmp_path):
    file = tmp_path / "run.json"
    assert cli.main([*ONE, "--compare", change, "--json", str(file)]) == 0
    line = f"{change}: changes nothing; all numbers are those of the first run"
    assert (line in capsys.readouterr().out.splitlines()) == same
    (found,) = json.loads(file.read_text())["compared"]
    assert found["changes_nothing"] == same


def test_time_0_is_the_base_model(capsys, tmp_path):
    table = tmp_path / "run.csv"
    times = ["0", "0.1", "0.3", "7"]
    words = [*ONE, "--at", *times, "--csv", str(table)]
    result, _ = run(capsys, tmp_path, *words)
    assert [row["time"] for row in result["at"]] == [float(t) for t in times]
    np.testing.assert_allclose(result["at"][0]["policy"], POLICY, rtol=1e-15)
    assert result["at"][0]["accuracy"] == pytest.approx(POLICY @ RATES)
    for row, time in zip(result["at"][1:], times[1:], strict=True):
        right = flow_at(RATES, np.log(POLICY), float(time))
        np.testing.assert_allclose(row["policy"], right, atol=1e-9)
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    assert [float(row[1]) for row in rows] == [float(t) for t in times]
    assert rows[0][0] == "-inf"
    result, _ = run(capsys, tmp_path, *ONE, "--at", "0")
    np.testing.assert_allclose(result["at"][0]["policy"], POLICY, rtol=1e-15)


@pytest.mark.parametrize(
    "until, said",
    [
        ("leads=2", "some other pattern is always more likely than this one"),
        ("leads=3", "patterns are numbered from 0 to 2"),
        ("leads=0.5", "the number of a pattern, from 0 on"),
        ("leads", "leads=N"),
    ],
)
def test_a_pattern_that_never_leads_is_refused(until, said, capsys):
    assert cli.main([*ONE, "--until", until]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
