"""Sweeps from Python, and what other tools make of a store."""

import json

import jax
import numpy as np
import pytest
import xarray

import simulator as sim
import theory
from experiments import cli
from experiments.sweeps import outcome_names, sweep
from experiments.text.errors import UserError

TABLE = {
    "record": ["log10_t0", "accuracy"],
    "until": "accuracy=0.7",
    "axes": {"update": ["policy-gradient", "grpo"], "gap": np.array([0.05, 0.2, 0.3])},
}
TEXT = """record = ["log10_t0", "accuracy"]
until = "accuracy=0.7"
[axes]
update = ["policy-gradient", "grpo"]
gap = [0.05, 0.2, 0.3]
"""


@pytest.fixture(scope="module")
def data():
    return sweep(TABLE)


def test_a_table_and_a_file_are_the_same_sweep(data, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(TEXT)
    stored = sweep(file, tmp_path / "s.zarr")
    xarray.testing.assert_equal(stored.load(), data)
    done = []
    again = sweep(file, tmp_path / "s.zarr", progress=lambda *n: done.append(n))
    xarray.testing.assert_equal(again.load(), data)
    assert not done  # all of it was there


def test_the_times_are_those_of_theory(data):
    for gap in data.gap.values:
        rates = [0.6 + gap, 0.6, 0.1]
        policy = np.log([0.05, 0.75 * 0.95, 0.25 * 0.95])
        exact = theory.entanglement.transition_bounds(rates, policy).exact
        found = data.log10_t0.sel(update="policy-gradient", gap=gap)
        if gap > 0.1:
            np.testing.assert_allclose(found, np.log10(exact), rtol=1e-9)
        else:  # 0.65 at most: 0.7 is never reached, and T0 comes long before
            assert outcome_names(data).sel(gap=gap, update="grpo") == "unreachable"


def test_outcomes_have_names_and_summaries_have_none(data):
    names = outcome_names(data)
    assert names.dims == ("update", "gap")
    assert names.values.tolist() == 2 * [["unreachable", "reached", "reached"]]
    with pytest.raises(UserError, match="no outcome of each run"):
        outcome_names(data.drop_vars("outcome"))


def test_axes_say_what_they_are(data):
    attributes = data.gap.attrs
    assert attributes["long_name"] == "success-rate gap" and attributes["units"] == "1"
    assert attributes["symbol"] == "s_* - s_{r'}" and attributes["axis"] == "gap"
    assert "units" not in data["update"].attrs


def test_precision_is_float64_whatever_jax_is_set_to(data):
    jax.config.update("jax_enable_x64", False)
    same = sweep(TABLE | {"axes": {"update": ["grpo"], "gap": [0.05, 0.2, 0.3]}})
    assert not jax.config.jax_enable_x64
    np.testing.assert_array_equal(same.log10_t0, data.log10_t0.sel(update=["grpo"]))
    assert json.loads(same.attrs["stamp"])["dtype"] == "float64"


def test_inputs_are_read_in_float64_too():
    model = {"success_rates": [[0.9, 0.6, 0.1]], "policy": [[0.05, 0.7, 0.25]]}
    jax.config.update("jax_enable_x64", False)
    found = sweep({"record": ["log10_t0"], "model": model})
    right = theory.entanglement.transition_bounds(*theory_case()).exact
    np.testing.assert_allclose(found.log10_t0, np.log10([right]), rtol=1e-13)


def theory_case():
    rates, policy = theory.entanglement.example_case()
    return rates, np.log(policy)


def test_cells_that_are_not_there_have_no_outcome(data, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(TEXT)
    assert cli.main(["sweep", str(file), "--shard", "0/2", "-q"]) == 0
    names = outcome_names(xarray.open_zarr(tmp_path / "s.zarr"))
    assert names.values.tolist() == [["unreachable", "reached", "reached"], [""] * 3]
    masked = outcome_names(data.where(data.gap > 0.1))
    assert masked.values.tolist() == 2 * [["", "reached", "reached"]]


def test_other_tools_take_a_store_as_it_is(data, tmp_path):
    file, store = tmp_path / "s.toml", tmp_path / "s.zarr"
    file.write_text(TEXT)
    assert cli.main(["sweep", str(file), "-q"]) == 0
    opened = xarray.open_zarr(store)
    frame = opened.to_dataframe()
    assert len(frame) == 6 and list(frame.columns) == [
        "accuracy",
        "log10_t0",
        "outcome",
    ]
    frame.to_csv(tmp_path / "s.csv")
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 7
    opened.to_netcdf(tmp_path / "s.nc")
    with xarray.open_dataset(tmp_path / "s.nc") as read:
        np.testing.assert_array_equal(read.log10_t0, opened.log10_t0)
        assert read["update"].values.tolist() == ["policy-gradient", "grpo"]
        assert json.loads(read.attrs["stamp"])["seed"] == 0
    np.testing.assert_allclose(opened.log10_t0, data.log10_t0, rtol=1e-12)


REDUCED = """
record = ["accuracy"]
[axes]
gap = [0.1, 0.2]
best_probability = [0.1, 0.2, 0.3]
rival_rate = {linspace = [0.4, 0.6, 4]}
[reduce]
over = ["rival_rate"]
statistics = ["mean", "max"]
"""


def test_a_summary_is_a_table_with_one_row_for_each_cell(tmp_path):
    """With how many runs ended how; netCDF takes the same."""
    from experiments.text import toml

    data = sweep(toml.parse(REDUCED), tmp_path / "s.zarr")
    frame = data.to_dataframe()
    assert len(frame) == 6 and not frame.index.duplicated().any()
    counts = frame[[f"runs_{name}" for name in sim.OUTCOME_NAMES]]
    assert (counts.sum(axis=1) == 4).all() and (counts.runs_reached == 4).all()
    data.to_netcdf(tmp_path / "s.nc")
    with xarray.open_dataset(tmp_path / "s.nc") as read:
        assert read.sizes == {"gap": 2, "best_probability": 3}
        np.testing.assert_array_equal(read.runs_reached, np.full((2, 3), 4))
        assert read.runs_horizon.attrs["advice"] == sim.outcome_advice("horizon")


CSV = """base_model,success_rate,probability
base,0.9,0.05
base,0.6,0.70
base,0.1,0.25
after SFT,0.9,0.2

after SFT,0.5,0.8
"""


LOGITS = "base_model,success_rate,logit\nbase,0.9,-inf\nbase,0.1,-inf\n"


def of_models(tmp_path, csv=CSV, more="", axes="gap = 1"):
    (tmp_path / "models.csv").write_text(csv)
    file = tmp_path / "m.toml"
    file.write_text(
        f'record = ["log10_time"]\nuntil = "gap=0.01"\n[model]\nfile = "models.csv"\n'
        f"{more}[axes]\n{axes}\n"
    )
    return file


def test_base_models_of_a_file_are_an_axis_with_their_names(tmp_path, capsys):
    file = of_models(tmp_path, axes='update = ["policy-gradient", "grpo"]')
    found = sweep(file, tmp_path / "m.zarr")
    assert found.base_model.values.tolist() == ["base", "after SFT"]
    first = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    second = sim.Problem([0.9, 0.5], [0.2, 0.8])
    for name, problem in (("base", first), ("after SFT", second)):
        for update, rule in (("policy-gradient", None), ("grpo", sim.GRPO())):
            run = sim.solve(problem, sim.Verifiable(), rule, until=sim.Gap(0.01))
            value = found.log10_time.sel(base_model=name, update=update)
            np.testing.assert_allclose(value, run.log10_time, rtol=1e-12)
    (tmp_path / "models.csv").unlink()  # the store knows them
    assert cli.main(["rerun", str(tmp_path / "m.zarr")]) == 0
    assert "the same bits" in capsys.readouterr().out


def test_some_of_the_base_models_by_name_and_by_cell(tmp_path, capsys):
    file = of_models(tmp_path, axes='base_model = ["after SFT"]')
    assert cli.main(["sweep", str(file)]) == 0
    stored = xarray.open_zarr(tmp_path / "m.zarr")
    assert stored.base_model.values.tolist() == ["after SFT"]
    assert cli.main(["sweep", str(file), "--cell", "base_model=after SFT"]) == 0
    assert "--success-rates 0.9 0.5 " in capsys.readouterr().out


def test_one_of_the_base_models_by_name(tmp_path):
    """Fixed in [model], it is no axis; and its number means the same."""
    for given in ('"after SFT"', "1"):
        axes = 'update = ["policy-gradient"]'
        found = sweep(of_models(tmp_path, more=f"base_model = {given}\n", axes=axes))
        assert list(found.sizes) == ["update"]
        run = sim.solve(sim.Problem([0.9, 0.5], [0.2, 0.8]), sim.Verifiable(),
                        until=sim.Gap(0.01))  # fmt: skip
        np.testing.assert_allclose(found.log10_time, [run.log10_time], rtol=1e-12)


def test_an_ensemble_as_arrays(rng):
    rates, policies = rng.uniform(size=(4, 3)), rng.dirichlet(np.ones(3), size=4)
    model = {"success_rates": rates, "policy": policies}
    found = sweep({"record": ["accuracy"], "until": "gap=0.1", "model": model})
    assert found.base_model.values.tolist() == list("0123")
    problems = sim.Problem(rates, policies)
    solved = sim.solve(problems, sim.Verifiable(), until=sim.Gap(0.1))
    np.testing.assert_allclose(found.accuracy, solved.accuracy, rtol=1e-9)


@pytest.mark.parametrize(
    "csv, more, axes, said",
    [
        ("a,b\n1,2\n", "", "", "the first line is a,b"),
        ("", "", "", "the first line is empty"),
        ("base_model,success_rate,probability\n", "", "", "no base models"),
        (CSV.replace("0.70", "x"), "", "", r"models.csv: line 3: 0.6, x; give two"),
        (CSV.replace("base,0.1,0.25", "base,0.1"), "", "", "line 4: give 3 values"),
        (
            CSV.replace("0.70", "0.1"),
            "",
            "",
            "m.toml: .*models.csv: lines 2 to 4, base model base: prob.* sum to 0.4;",
        ),
        (
            CSV.replace("0.5,0.8", "1.5,0.8"),
            "",
            "",
            "models.csv: line 7, base model after SFT: success_rate 1.5; give 0 to 1",
        ),
        (CSV.replace("0.25", "-1"), "", "", "line 4, base model base: probability -1"),
        (
            CSV.replace("prob", "log").replace("0.25", "inf").replace("ability", "it"),
            "",
            "",
            "line 4, base model base: logit inf",
        ),
        (LOGITS, "", "", "lines 2 to 3, base model base: all logits are -inf"),
        (
            CSV,
            'base_model = "bas"\n',
            'update = ["grpo"]',
            "model: .* did you mean base",
        ),
        (CSV, 'names = ["a"]\n', "", "no base models beside it"),
        (f'{CSV}"{"x" * 200_000}', "", "", "models.csv: field larger"),
        (CSV, "", 'base_model = ["bas"]', "bas is unknown; did you mean base"),
        (CSV, "", "base_model = [0, 5]", "from 0 to 1"),
    ],
)
def test_what_is_no_base_model_is_one_line(csv, more, axes, said, tmp_path):
    with pytest.raises(UserError, match=said) as error:
        sweep(of_models(tmp_path, csv, more, axes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "given, said",
    [
        (3, "`source` is 3; give a sweep file, or a table"),
        ({"axes": {}}, "axes. is missing"),
        ({"model": {"names": ["a"], "success_rates": [0.5, 1],
                    "policy": [0.5, 0.5]}}, "several"),
        ({"model": {"success_rates": [[0.5, 1]] * 2, "policy": [[0.5, 0.5]] * 2,
                    "names": ["a", "a"]}}, "2 different texts"),
        ({"model": {"success_rates": [[[0.5]]], "policy": [[[1]]]}}, "number"),
    ],
)  # fmt: skip
def test_other_wrong_sweeps_are_one_line(given, said):
    with pytest.raises(UserError, match=said):
        sweep(given)


def test_an_unknown_precision_is_refused():
    with pytest.raises(UserError, match="give 'float64' or 'float32'"):
        sweep(TABLE, precision="float16")
