"""Curves along a run, against the same runs by hand."""

import jax
import numpy as np
import pytest
import xarray

import simulator as sim
from experiments import cli
from experiments.sweeps import grid, solving
from experiments.text.errors import UserError
from simulator import rollouts
from tests.experiments.sweeps import small
from tests.experiments.sweeps.small import read

TIMES = np.array([-0.5, 0.7, 1.9, 3.1])
ALONG = """
[along]
record = ["accuracy", "entropy", "pass_at_4"]
log10_t = [-0.5, 0.7, 1.9, 3.1]
"""
DRAWS = (
    'record = ["accuracy"]\nuntil = "rest"\nmax_log10_time = 4\n'
    '[model]\nfamily = "random"\npatterns = 4\n[axes]\ntilt = [0.0, 0.5]\n'
    "draw = {count = 8}\n" + ALONG
)


def columns(sweep):
    (unit,) = grid.cut(sweep).units()
    return solving.unit_columns(sweep, unit)


def by_hand(gaps, bests):
    """Saved policies of the small sweep's problems, and their success rates."""
    problems = small.problems(gaps, bests)
    options = {"until": sim.T0(), "save_log_times": TIMES * np.log(10)}
    run = sim.solve(problems, sim.Verifiable(), **options)
    return run, np.asarray(problems.success_rates)


@pytest.mark.slow
def test_curves_of_the_flow_are_those_of_solve(tmp_path):
    file = tmp_path / "curves.toml"
    file.write_text(small.TEXT + ALONG)
    assert cli.main(["sweep", str(file)]) == 0
    stored = xarray.open_zarr(tmp_path / "curves.zarr").load()
    assert stored.accuracy_along.dims == ("gap", "best_probability", "log10_t")
    assert stored.entropy_along.units == "nat"
    assert "on the way" in stored.pass_at_4_along.long_name
    np.testing.assert_array_equal(stored.log10_t, TIMES)
    run, rates = by_hand(stored.gap, stored.best_probability)
    over = TIMES > np.asarray(run.log10_time)[..., None]
    saved = np.where(over[..., None], np.nan, run.saved)
    want = np.sum(saved * rates[:, :, None], axis=-1)
    np.testing.assert_allclose(stored.accuracy_along, want, rtol=1e-10)
    entropy = -np.sum(saved * np.log(saved), axis=-1)
    np.testing.assert_allclose(stored.entropy_along, entropy, rtol=1e-9)
    np.testing.assert_allclose(stored.pass_at_4_along, 1 - (1 - want) ** 4, rtol=1e-10)
    # The curve of a run ends with it, at T0.
    ended = stored.log10_t > stored.log10_t0
    assert ended.any() and not ended.all()
    assert (stored.accuracy_along.isnull() == ended).all()


@pytest.mark.slow
def test_a_run_at_rest_stays_there_and_its_curve_goes_on():
    along = {"record": ["accuracy"], "log10_t": [*TIMES.tolist(), 60.0]}
    model = {"update": {"name": "policy-gradient", "beta": 0.5}, "until": "rest"}
    record = ["log10_time", "accuracy"]
    found = columns(small.sweep(**model, along=along, record=record))
    codes = found["outcome"]
    assert (codes == sim.OUTCOME_NAMES.index("settled")).all()
    assert (found["log10_time"] < 60).all()
    ends = found["accuracy"]
    np.testing.assert_allclose(found["accuracy_along"][..., -1], ends, rtol=1e-9)


@pytest.mark.slow
def test_curves_are_summarised_time_by_time():
    runs = columns(read(DRAWS))["accuracy_along"]
    text = DRAWS + '[reduce]\nover = ["draw"]\nstatistics = ["mean", "q50", "count"]'
    summed = columns(read(text))
    assert runs.shape == (2, 8, 4)
    np.testing.assert_allclose(summed["accuracy_along_mean"], runs.mean(1), rtol=1e-12)
    np.testing.assert_allclose(summed["accuracy_along_q50"], np.median(runs, axis=1))
    assert (summed["accuracy_along_count"] == 8).all()


def test_curves_of_training_are_those_of_train():
    sweep = read(
        'recipe = {estimator = "rloo", num_steps = 20, group_size = 4}\n'
        "[axes]\nlearning_rate = [0.1, 1.0]\nseed = {count = 4}\n"
        "[along]\nstep = [1, 5, 20]\n"
    )
    found = columns(sweep)
    problem = sim.Problem([[0.9, 0.6, 0.1]], [[0.05, 0.7125, 0.2375]])
    recipe = rollouts.Recipe(
        estimator=rollouts.RLOO(), group_size=4, num_steps=20, learning_rate=1.0
    )
    run = rollouts.train(problem, recipe, num_seeds=4, save_at=[1, 5, 20])
    rates = problem.success_rates[0]
    want = jax.vmap(jax.vmap(lambda row: sim.accuracy(row, rates)))(run.saved[:, :, 0])
    np.testing.assert_allclose(found["accuracy_along"][1], want, rtol=1e-9)
    np.testing.assert_array_equal(found["accuracy_along"][..., -1], found["accuracy"])


@pytest.mark.slow
def test_curves_of_runs_that_fail_are_no_numbers():
    along = {"record": ["accuracy"], "log10_t": TIMES.tolist()}
    found = columns(small.sweep(max_steps=1, along=along))
    assert np.isnan(found["accuracy_along"]).all()


def test_units_are_smaller_where_runs_hand_back_more(monkeypatch):
    monkeypatch.setattr(grid, "NUMBERS", 120)
    assert grid.lanes_per_unit(small.sweep()) == 40
    along = {"log10_t": TIMES.tolist()}
    assert grid.lanes_per_unit(small.sweep(along=along)) == 10


@pytest.mark.parametrize("reduce", ["", '[reduce]\nover = ["draw"]\n'])
def test_a_cell_alone_has_the_same_curve(reduce, tmp_path, capsys):
    file = tmp_path / "draws.toml"
    file.write_text(DRAWS + reduce)
    assert cli.main(["sweep", str(file)]) == 0
    cell = ["tilt=0.5"] if reduce else ["tilt=0.5", "draw=3"]
    capsys.readouterr()
    assert cli.main(["sweep", str(file), "--cell", *cell]) == 0
    label = "largest difference"
    lines = capsys.readouterr().out.splitlines()
    (line,) = (x for x in lines if x.startswith(label))
    parts = line.removeprefix(label).split(", ")
    differences = [float(part.split(" = ")[1]) for part in parts]
    assert len(differences) == (18 if reduce else 3)
    assert max(differences) < 1e-12


@pytest.mark.parametrize(
    "table, said",
    [
        ("log10_t = [0, 1]\nstep = [1]", "the flow has no step; give log10_t"),
        ("record = ['accuracy']", "give log10_t"),
        ("log10_t = [1, 0]", "numbers that rise"),
        ("log10_t = ['a', 'b']", "numbers that rise"),
        ("log10_t = [0, 900]", "beyond max_log10_time = 800"),
        ("log10_t = {linspace = [0, 1, 10001]}", "from 1 to 10,000"),
        ("log10_t = [-1e300, 0]", "from -1e.300; give -250 or more"),
        ("log10_t = 3", "axis log10_t: give a list"),
        ("log10_t = [0]\nrecord = ['log10_t0']", "cannot be recorded on the way"),
        ("log10_t = [0]\nrecord = [3]", "cannot be recorded on the way"),
        ("log10_t = [0]\nrecord = []", "must be a list"),
        ("log10_t = [0]\nwhen = 3", "along has no 'when'"),
    ],
)
def test_what_cannot_be_recorded_is_refused(table, said):
    with pytest.raises(UserError, match=said):
        read(small.TEXT + "[along]\n" + table)


@pytest.mark.parametrize(
    "step, said",
    [
        ("[0, 1]", "whole numbers from 1"),
        ("[1.5]", "whole numbers from 1"),
        ("[1, 30]", "goes to 30, and training has 20 steps"),
    ],
)
def test_steps_that_are_none_are_refused(step, said, tmp_path, capsys):
    file = tmp_path / "steps.toml"
    file.write_text(
        "recipe = {num_steps = 20}\n[axes]\nlearning_rate = [0.1]\n"
        f"[along]\nstep = {step}\n"
    )
    assert cli.main(["sweep", str(file)]) == 2
    assert said in capsys.readouterr().err
