"""Cells of a sweep against the same runs by hand, and stores as xarray sees them."""

import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import xarray

import simulator as sim
from experiments.sweeps import grid, observables, run_units, solving
from experiments.sweeps.locks import Shard
from simulator import rollouts
from tests.experiments.sweeps import small
from tests.experiments.sweeps.small import read


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The small sweep, in a store, as xarray reads it."""
    path = tmp_path_factory.mktemp("store") / "small.zarr"
    sweep = small.sweep()
    target = run_units.begin(path, sweep, small.TEXT)
    run_units.march(sweep, target, Shard())
    return xarray.open_zarr(path).load()


def test_every_cell_is_the_run_of_its_coordinates(dataset):
    assert dataset.log10_t0.dims == ("gap", "best_probability")
    problems = small.problems(dataset.gap, dataset.best_probability)
    run = sim.solve(problems, sim.Verifiable(), until=sim.T0())
    want = run.log_time / np.log(10)
    np.testing.assert_allclose(dataset.log10_t0, want, rtol=1e-12)
    # At T0 the accuracy is the rival's rate.
    np.testing.assert_allclose(dataset.accuracy, 0.6, rtol=1e-9)
    assert (dataset.outcome == 0).all()


def test_attributes_say_what_the_numbers_are(dataset):
    assert dataset.log10_t0.units == "log10(t)"
    assert "second-best" in dataset.log10_t0.long_name
    assert dataset.outcome.flag_meanings.split()[0] == "reached"
    assert list(dataset.outcome.flag_values) == list(range(len(sim.OUTCOME_NAMES)))
    assert dataset.attrs["sweep"] == small.TEXT
    stamp = json.loads(dataset.attrs["stamp"])
    for key in ("revision", "dirty", "config", "config_sha256", "seed", "dtype"):
        assert key in stamp
    assert stamp["batch"] == 60 and len(stamp["code_sha256"]) == 64


def only_unit(text):
    """The columns of a sweep of one unit."""
    sweep = read(text)
    (unit,) = grid.cut(sweep).units()
    return solving.unit_columns(sweep, unit)


def test_goals_of_a_model_at_rest_hold_from_the_start_or_never():
    # The verifier says yes to one rollout in ten, whoever is right: accuracy stays.
    found = only_unit(
        'record = ["log10_total_time", "log10_time", "accuracy"]\n'
        'until = "accuracy=0.3"\n[signal]\nname = "noisy-verifier"\n'
        "false_positive = 0.1\nfalse_negative = 0.9\n"
        "[model]\nfamily = 'rival'\ngap = 0.3\nbest_probability = 0.05\n"
        "[axes]\nlevel = [0.3, 0.5, 0.6]\n"
    )
    rates, policy = [0.9, 0.6, 0.1], [0.05, 0.7125, 0.2375]
    assert np.isclose(found["accuracy"], np.dot(rates, policy)).all()
    for name in ("log10_time", "log10_total_time"):
        assert found[name].tolist() == [-np.inf, np.inf, np.inf]


def test_a_goal_out_of_reach_takes_for_ever():
    found = only_unit(
        'record = ["log10_total_time", "log10_time"]\nuntil = "accuracy=0.81"\n'
        "[model]\nrival_rate = 0.5\nbest_probability = 0.05\nfamily = 'rival'\n"
        "[axes]\ngap = [0.2, 0.4]\n"
    )
    never, once = found["log10_total_time"]
    assert never == np.inf and np.isfinite(once)
    assert found["log10_time"].tolist() == [never, once]
    assert sim.OUTCOME_NAMES[found["outcome"][0]] == "unreachable"


@pytest.mark.slow
def test_the_end_of_a_rise_is_no_peak():
    found = only_unit(
        'record = ["log10_peak_time", "peak_gain", "gain", "log10_time"]\n'
        'signal = "fixed-confidence"\nuntil = "gap=1e-3"\n'
        "[model]\nfamily = 'confident'\npatterns = 4\n"
        "[axes]\ncorrelation = [-0.9, 0.0, 0.9]\ndraw = {count = 20}\n"
    )
    peak, rises = found["log10_peak_time"], found["peak_gain"] == found["gain"]
    np.testing.assert_array_equal(peak == np.inf, rises)
    assert (peak[~rises] < found["log10_time"][~rises]).all()
    for kind in (rises, peak == -np.inf, np.isfinite(peak)):
        assert kind.sum() > 5


@pytest.mark.slow
def test_draws_are_numbered_and_shared_by_all_cells():
    sweep = read(
        'record = ["accuracy", "base_accuracy", "entropy"]\n'
        '[model]\nfamily = "random"\npatterns = 4\n'
        "[axes]\ntilt = [0.0, 0.5]\ndraw = {count = 8}\n"
    )
    (unit,) = grid.cut(sweep).units()
    whole = solving.unit_columns(sweep, unit)
    one = solving.cell_columns(
        sweep, {"tilt": np.array([0.5]), "draw": np.array([5.0])}, 1
    )
    for name in sweep.record:
        np.testing.assert_allclose(whole[name][1, 5], one[name][0], rtol=1e-12)
    assert len(np.unique(whole["base_accuracy"])) == 16
    # A tilt towards good patterns makes each of the same draws better.
    assert (whole["base_accuracy"][1] > whole["base_accuracy"][0]).all()


def test_summaries_are_those_of_the_runs_they_stand_for(monkeypatch):
    text = (
        'record = ["accuracy"]\n[model]\nfamily = "random"\npatterns = 4\n'
        "[axes]\ntilt = [0.0, 0.5]\ndraw = {count = 8}\n"
    )
    sweep = read(text)
    (unit,) = grid.cut(sweep).units()
    runs = solving.unit_columns(sweep, unit)["accuracy"]
    summed = read(
        text + '[reduce]\nover = ["draw"]\nstatistics = ["mean", "q50", "max"]\n'
        "histogram = {accuracy = [0, 1, 4]}"
    )
    (unit,) = grid.cut(summed).units()
    for most in (2**16, 6):  # all at once, and three draws at a time
        monkeypatch.setattr(grid, "LANES", most)
        found = solving.unit_columns(summed, unit)
        np.testing.assert_allclose(found["accuracy_mean"], runs.mean(1), rtol=1e-12)
        np.testing.assert_allclose(found["accuracy_q50"], np.median(runs, 1))
        np.testing.assert_allclose(found["accuracy_max"], runs.max(1))
        assert (found["accuracy_histogram"].sum(1) == 8).all()
        assert (found["runs_reached"] == 8).all()
        assert (found["runs_horizon"] == 0).all()


def test_runs_that_fail_are_counted_and_leave_no_number():
    sweep = read("max_steps = 1\n" + small.RARE)
    (unit,) = grid.cut(sweep).units()
    found = solving.unit_columns(sweep, unit)
    assert (found["outcome"] == sim.OUTCOME_NAMES.index("max_steps")).all()
    assert np.isnan(found["log10_t0"]).all() and np.isnan(found["accuracy"]).all()


def test_among_runs_that_fail_the_others_keep_their_numbers():
    sweep = small.sweep(max_steps=1)
    (unit,) = grid.cut(sweep).units()
    found = solving.unit_columns(sweep, unit)
    failed = found["outcome"] == sim.OUTCOME_NAMES.index("max_steps")
    assert failed.any() and not failed.all()
    for column in ("log10_t0", "accuracy"):
        np.testing.assert_array_equal(np.isnan(found[column]), failed)


def test_sampled_cells_are_those_of_train():
    sweep = read(
        'record = ["accuracy"]\n'
        'recipe = {estimator = "rloo", num_steps = 20, group_size = 4}\n'
        "[axes]\nlearning_rate = [0.1, 1.0]\nseed = {count = 4}\n"
    )
    (unit,) = grid.cut(sweep).units()
    found = solving.unit_columns(sweep, unit)["accuracy"]
    policy = [0.05, 0.7125, 0.2375]
    problem = sim.Problem([[0.9, 0.6, 0.1]], [policy])
    recipe = rollouts.Recipe(
        estimator=rollouts.RLOO(), group_size=4, num_steps=20, learning_rate=1.0
    )
    run = rollouts.train(problem, recipe, num_seeds=4)
    accuracy = jax.vmap(sim.accuracy, in_axes=(0, None))
    want = accuracy(run.log_probs[:, 0], problem.success_rates[0])
    np.testing.assert_allclose(found[1], want, rtol=1e-9)
    assert len(np.unique(found)) == 8


@pytest.mark.witness("first_step")
def test_first_steps_are_those_of_policies_saved_at_every_step():
    sweep = read(
        'recipe = {estimator = "rloo", num_steps = 40, group_size = 4}\n'
        'until = "accuracy=0.55"\n'
        "[axes]\nlearning_rate = [0.1, 1.0]\nlevel = [0.3, 0.56, 0.85]\n"
        "seed = {count = 6}\n"
    )
    assert sweep.record == ("accuracy", "optimal_probability", "first_step")
    (unit,) = grid.cut(sweep).units()
    found = solving.unit_columns(sweep, unit)["first_step"]
    rates, policy = np.array([0.9, 0.6, 0.1]), [0.05, 0.7125, 0.2375]
    for i, learning_rate in enumerate([0.1, 1.0]):
        recipe = rollouts.Recipe(
            estimator=rollouts.RLOO(),
            group_size=4,
            num_steps=40,
            learning_rate=learning_rate,
        )
        problem = sim.Problem([rates], [policy])
        run = rollouts.train(problem, recipe, num_seeds=6, save_at=range(1, 41))
        curves = run.saved_policies()[:, :, 0] @ rates
        for j, level in enumerate([0.3, 0.56, 0.85]):
            holds = curves >= level
            never = np.where(holds.any(axis=1), holds.argmax(axis=1), np.inf)
            np.testing.assert_array_equal(found[i, j], never)
    assert (found[:, 0] == 0).all() and (found[0, 2] == np.inf).all()
    assert len(np.unique(found[1, 1])) > 3


def test_first_steps_are_summarised_and_events_are_an_axis():
    text = (
        'record = ["first_step"]\n'
        'recipe = {estimator = "rloo", num_steps = 40, group_size = 4}\n'
        '[axes]\nuntil = ["crossing", "accuracy=0.56"]\nseed = {count = 6}\n'
        "[model]\nbest_probability = 0.3\nfamily = 'rival'\n"
    )
    sweep = read(text)
    units = grid.cut(sweep).units()
    runs = [solving.unit_columns(sweep, unit)["first_step"] for unit in units]
    runs = np.concatenate(runs)
    summed = read(
        text + '[reduce]\nover = ["seed"]\nstatistics = ["q50", "count", "min"]\n'
    )
    parts = [solving.unit_columns(summed, unit) for unit in grid.cut(summed).units()]
    assert runs.shape == (2, 6) and not np.array_equal(*runs)
    counts = np.concatenate([part["first_step_count"] for part in parts])
    np.testing.assert_array_equal(counts, np.isfinite(runs).sum(axis=1))
    least = np.concatenate([part["first_step_min"] for part in parts])
    np.testing.assert_array_equal(least, runs.min(axis=1))


def test_supervised_fine_tuning_is_the_flow_of_cross_entropy():
    data = np.array([0.2, 0.8, 0.0])
    logits = np.array([0.3, -0.2, 0.1])
    length, steps = 1.5, 6000
    theta = logits.copy()
    for _ in range(steps):
        policy = np.exp(theta) / np.exp(theta).sum()
        middle = theta + 0.5 * length / steps * (data - policy)
        policy = np.exp(middle) / np.exp(middle).sum()
        theta = theta + length / steps * (data - policy)
    problem = sim.Problem([0.9, 0.6, 0.1], logits=logits)
    signal = sim.Mixture([sim.Demonstrations(data)], [length])
    run = sim.flow(problem, signal, max_log_time=0.0)
    want = np.exp(theta) / np.exp(theta).sum()
    np.testing.assert_allclose(np.exp(run.log_probs), want, rtol=1e-7)


@pytest.mark.parametrize(
    "data, said",
    [
        ([0.5, 0.5], "2 numbers for 3"),
        ([0.5, 0.6, 0.0], "sum to 1"),
        ([-0.1, 1.1, 0.0], "sum to 1"),
        ([0.5, 0.25, 0.25], "never takes"),
    ],
)
def test_demonstrations_that_make_no_sense_are_refused(data, said):
    problem = sim.Problem([0.9, 0.6, 0.1], [0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match=said):
        sim.solve(problem, sim.Demonstrations(data))


def test_probabilities_are_offered_as_logarithms_too():
    rates, base = np.array([0.9, 0.6, 0.0]), np.log([0.2, 0.5, 0.3])
    names = ("log10_accuracy", "log10_optimal_probability")
    rare = np.array([-1000.0, -2000.0, 0.0])
    found = observables.policies(names)(rare, rates, base)
    np.testing.assert_allclose(found["log10_optimal_probability"], -1000 / np.log(10))
    wanted = np.log10(0.9) - 1000 / np.log(10)
    np.testing.assert_allclose(found["log10_accuracy"], wanted)
    run = SimpleNamespace(
        log_probs=base,
        log_time=np.array(1.0),
        num_steps=np.array(1),
        event_log_times=np.array([0.5]),
        event_log_probs=rare[None],
    )
    lowest = "log10_lowest_optimal_probability"
    assert observables.events([lowest]) == ["LowestOptimalProbability"]
    found = observables.solutions([lowest])(run, rates, base)
    np.testing.assert_allclose(found[lowest], -1000 / np.log(10))


def test_a_model_of_a_family_is_certain_of_two_answers():
    """Its certainty by hand: minus the mean log-probability of right and wrong."""
    text = 'record = ["accuracy", "log10_time"]\nsignal = "self-certainty"\n'
    sweep = read(text + "until = 'gap=1e-2'\n[axes]\ngap = [0.1, 0.3]")
    (unit,) = grid.cut(sweep).units()
    found = solving.unit_columns(sweep, unit)
    rates = np.array([[0.7, 0.6, 0.1], [0.9, 0.6, 0.1]])
    certainty = -(np.log(rates) + np.log(1 - rates)) / 2
    run = sim.solve(
        sim.Problem(rates, [[0.05, 0.7125, 0.2375]] * 2),
        sim.FixedConfidence(certainty),
        until=sim.Gap(1e-2),
    )
    want = np.sum(np.asarray(run.policy) * rates, axis=-1)
    np.testing.assert_allclose(found["accuracy"], want, rtol=1e-9)
    np.testing.assert_allclose(found["log10_time"], run.log_time / np.log(10))


def test_sft_of_length_0_is_the_base_model():
    text = 'record = ["log10_total_time"]\nuntil = "accuracy=0.81"\n[axes]\n'
    plain = read(text + "gap = [0.2, 0.3]\n[model]\nfamily = 'rival'")
    started = read(
        text + "gap = [0.2, 0.3]\n[model]\nfamily = 'warm-start'\nlength = 0"
    )
    times = [
        solving.unit_columns(sweep, grid.cut(sweep).unit(0))["log10_total_time"]
        for sweep in (plain, started)
    ]
    np.testing.assert_allclose(times[1], times[0], rtol=1e-12)
