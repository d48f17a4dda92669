"""Every observable of a sweep against the witness, cell by cell."""

import itertools
import json

import numpy as np
import pytest
import xarray

import simulator as sim
from experiments import cli
from experiments.sweeps import grid, observables, solving
from tests.differential import events, witness
from tests.differential.equations import Law, Pay, Question, Rule
from tests.experiments.sweeps import small
from tests.experiments.sweeps.small import read

OF_FLOW = [name for name, one in observables.TABLE.items() if one.is_known(False)]
RECORD = [*OF_FLOW, "pass_at_4"]
UNIT, NEAR = np.log(10), 1e-7
BESTS, OVER, GAPS = [0.05, 0.3], [0.0, 0.5], [1e-3, 0.1]
TEXT = f"""
record = {RECORD}
signal = "fixed-confidence"
until = "gap=1e-3"
[model]
family = "rival"
gap = 0.3
[axes]
best_probability = {BESTS}
overconfidence = {OVER}
level = {GAPS}
"""
GOALS = [0.3, 0.47, 0.55, 0.7, 0.95]
GOAL = f"""
record = ["log10_time", "log10_total_time"]
signal = "fixed-confidence"
until = "accuracy=0.5"
[model]
family = "rival"
gap = 0.3
best_probability = 0.01
[axes]
overconfidence = {OVER}
level = {GOALS}
"""


def law(best, over):
    """A base model of the family `rival`, from its description."""
    rates = np.array([0.9, 0.6, 0.1])
    log_policy = np.log([best, 0.75 * (1 - best), 0.25 * (1 - best)])
    kernel = np.stack([rates, 1 - rates], axis=-1)
    pay = Pay({"confidence": 1.0}, confidence=rates + np.array([0.0, over, 0.0]))
    return Law(Question(rates, log_policy, log_policy, kernel), pay, Rule())


def columns(text):
    """The columns of a sweep of one unit."""
    sweep = read(text)
    (unit,) = grid.cut(sweep).units()
    return solving.unit_columns(sweep, unit)


def until(law, goal, log_limit):
    """The path until a goal is surely met."""
    return witness.follow(
        law, log_limit, lambda log_t, log_pi: (goal(log_pi) > 1e-5).any(), False
    )


def moment(path, value, end):
    """log10 of the time of a first event before the end, or inf."""
    low, high = witness.first_rises(path, value, NEAR)
    return (low + high) / 2 / UNIT if high <= end else np.inf


def expected(best, over, level):
    """Every observable of a cell, from the witness."""
    one = law(best, over)
    goal = events.gap(one, level)
    path = until(one, goal, 40.0)
    end = np.mean(witness.first_rises(path, goal, 1e-10))
    final, base, rates = path.policy(end), one.question.log_policy, one.question.rates
    pi = np.exp(final)
    optimal, accuracy = events.log_optimal(one), events.accuracy_of(one)
    peak = witness.largest(path, accuracy, end)
    there = accuracy(path.log_pi[path.log_t <= end])
    peak_time = path.log_t[np.argmax(there)]
    fine = np.linspace(*path.sigma[np.clip(np.argmax(there) + [-1, 1], 0, None)], 999)
    log_t, log_pi = path.at(fine)
    peak_time = log_t[np.argmax(np.where(log_t <= end, accuracy(log_pi), -1))]
    if np.argmax(there) == 0:
        peak_time = -np.inf
    elif accuracy(final[None])[0] >= peak - 1e-12:
        peak_time = np.inf  # still rising
    below = np.mean(witness.last_rises(path, events.below_base(one), 1e-9, end))
    return {
        "log10_time": end / UNIT,
        "log10_total_time": end / UNIT,
        "accuracy": pi @ rates,
        "log10_accuracy": np.log10(pi @ rates),
        "base_accuracy": np.exp(base) @ rates,
        "gain": pi @ rates - np.exp(base) @ rates,
        "optimal_probability": pi[0],
        "log10_optimal_probability": final[0] / UNIT,
        "entropy": -np.sum(pi * final),
        "base_entropy": -np.sum(np.exp(base) * base),
        "kl_to_base": np.sum(pi * (final - base)),
        "log10_t0": moment(path, events.t0(one), end),
        "log10_crossing": moment(path, events.crossing(one), end),
        "peak_accuracy": peak,
        "peak_gain": peak - np.exp(base) @ rates,
        "log10_peak_time": peak_time / UNIT,
        "log10_below_base": below / UNIT,
        "lowest_optimal_probability": np.exp(
            -witness.largest(path, lambda log_pi: -optimal(log_pi), end)
        ),
        "log10_lowest_optimal_probability": -witness.largest(
            path, lambda log_pi: -optimal(log_pi), end
        )
        / UNIT,
        "pass_at_4": 1 - (1 - pi @ rates) ** 4,
    }


@pytest.mark.witness(
    "log10_time",
    "log10_total_time",
    "accuracy",
    "log10_accuracy",
    "base_accuracy",
    "gain",
    "optimal_probability",
    "log10_optimal_probability",
    "entropy",
    "base_entropy",
    "kl_to_base",
    "log10_t0",
    "log10_crossing",
    "peak_accuracy",
    "peak_gain",
    "log10_peak_time",
    "log10_below_base",
    "lowest_optimal_probability",
    "log10_lowest_optimal_probability",
    "num_steps",
)
@pytest.mark.slow
def test_every_observable_is_what_the_witness_finds():
    found = columns(TEXT)
    assert set(found) == {*RECORD, "outcome"}
    assert (found["outcome"] == sim.OUTCOME_NAMES.index("reached")).all()
    cells = itertools.product(BESTS, OVER, GAPS)
    for place, cell in zip(np.ndindex(2, 2, 2), cells, strict=True):
        right = expected(*cell)
        assert {*RECORD} - {*right} == {"num_steps"}, "an observable has no witness"
        for name in set(RECORD) - {"num_steps"}:
            # A flat top is found to the square root of the rest.
            rtol = 1e-4 if name == "log10_peak_time" else 1e-6
            np.testing.assert_allclose(
                found[name][place],
                right[name],
                rtol=rtol,
                atol=1e-7,
                err_msg=f"{name} {cell}",
            )
        run = sim.solve(
            sim.Problem(
                law(*cell[:2]).question.rates,
                np.exp(law(*cell[:2]).question.log_policy),
            ),
            sim.FixedConfidence(law(*cell[:2]).pay.confidence),
            until=sim.Gap(cell[2]),
            events=[getattr(sim, name)() for name in observables.events(RECORD)],
        )
        assert found["num_steps"][place] == run.num_steps


@pytest.mark.slow
def test_goals_that_hold_are_met_or_are_never_met_have_their_times():
    found = columns(GOAL)
    for place, (over, level) in zip(
        np.ndindex(len(OVER), len(GOALS)), itertools.product(OVER, GOALS), strict=True
    ):
        one = law(0.01, over)
        goal = events.accuracy(one, level)
        path = until(one, goal, 60.0)
        right = np.mean(witness.first_rises(path, goal, 1e-10)) / UNIT
        got = found["log10_total_time"][place]
        np.testing.assert_allclose(got, right, rtol=1e-6, err_msg=f"{over} {level}")
        name = sim.OUTCOME_NAMES[found["outcome"][place]]
        assert name == ("reached" if right < np.inf else name)
        if right < np.inf:
            np.testing.assert_allclose(found["log10_time"][place], got, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("signal", ["verifiable", "noisy-verifier"])
def test_a_goal_that_holds_where_nothing_moves(signal):
    """Equal rates, or a verifier that knows nothing: it holds now or never."""
    noise = "false_positive = 0.3\nfalse_negative = 0.7\n" if "noisy" in signal else ""
    rates = [0.5, 0.5] if signal == "verifiable" else [0.8, 0.2]
    found = columns(
        'record = ["log10_time", "log10_total_time"]\nuntil = "accuracy=0.5"\n'
        f'[signal]\nname = "{signal}"\n{noise}'
        f"[model]\nsuccess_rates = {rates}\npolicy = [0.5, 0.5]\n"
        "[axes]\nlevel = [0.3, 0.5, 0.6]\n"
    )
    for name in ("log10_time", "log10_total_time"):
        np.testing.assert_array_equal(found[name], [-np.inf, -np.inf, np.inf])


def test_what_a_sweep_says_is_what_its_store_holds(tmp_path, capsys):
    """Some cells fail, some are not there: counted in the arrays themselves."""
    file = tmp_path / "some.toml"
    file.write_text("max_steps = 1\n" + small.TEXT)
    target = tmp_path / "some.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "LANES", 10)
        words = ["sweep", str(file), "--shard", "1/2", "--json", str(target)]
        assert cli.main(words) == 1
    lines = capsys.readouterr().out.splitlines()
    store = xarray.open_zarr(file.with_suffix(".zarr")).load()
    codes, total = store.outcome.values, store.log10_t0.size
    names = np.array(store.outcome.attrs["flag_meanings"].split())
    there = np.isin(codes, store.outcome.attrs["flag_values"])
    kinds, numbers = np.unique(codes[there], return_counts=True)
    right = dict(zip(names[kinds].tolist(), numbers.tolist(), strict=True))
    failed = right["max_steps"]
    assert 0 < failed < there.sum() < total
    assert np.isnan(store.log10_t0.values[there]).sum() == failed
    missing = total - there.sum()
    said = f"{missing} not stored yet" if missing else "all stored"
    assert lines[0] == f"cells      {total}, {said}"
    said = dict(word.rsplit(" ", 1) for word in lines[1][11:].split(", "))
    assert {name: int(number) for name, number in said.items()} == right
    assert str(file.with_suffix(".zarr")) in lines[2]
    assert any(line.startswith(f"{failed} runs failed") for line in lines)
    result = json.loads(target.read_text())
    assert result["outcomes"] == right and result["unresolved"] == failed
    assert result["cells"] == result["runs"] == total
    assert result["missing"] == total - there.sum()
    assert result["store"] == str(file.with_suffix(".zarr"))
