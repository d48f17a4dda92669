"""Sweeps with attributes, against SciPy and runs one by one."""

import numpy as np
import pytest

import simulator as sim
from experiments.sweeps import grid, observables, solving, sweep_file
from experiments.text import toml
from experiments.text.errors import UserError
from tests.experiments.sweeps.small import read
from tests.theory.problems import flow_at

F = [0.8, 0.3, 0.9]
TEXT = """
record = ["attribute_f-1", "lowest_attribute_f-1", "highest_attribute_f-1", "accuracy"]
until = "gap=1e-2"
[model]
attributes = {f-1 = [0.8, 0.3, 0.9]}
family = "rival"
[along]
record = ["attribute_f-1"]
log10_t = [0, 1.5]
[axes]
gap = [0.2, 0.35]
"""


def columns(sweep):
    (unit,) = grid.cut(sweep).units()
    return solving.unit_columns(sweep, unit)


def test_means_of_a_sweep_are_those_of_scipy():
    found = columns(read(TEXT))
    for i, gap in enumerate((0.2, 0.35)):
        rates = np.array([0.6 + gap, 0.6, 0.1])
        base = np.log([0.05, 0.95 * 0.75, 0.95 * 0.25])
        run = sim.solve(
            sim.Problem(rates, logits=base), sim.Verifiable(), until=sim.Gap(1e-2)
        )
        end = float(run.time)
        means = [flow_at(rates, base, t) @ F for t in np.linspace(0, end, 400)]
        wanted = {"attribute_f-1": means[-1]}
        wanted |= {
            "highest_attribute_f-1": max(means),
            "lowest_attribute_f-1": min(means),
        }
        for name, right in wanted.items():
            np.testing.assert_allclose(found[name].ravel()[i], right, rtol=2e-5)
        assert min(means) < min(means[0], means[-1]) - 0.01
        way = [flow_at(rates, base, t) @ F for t in (1, 10**1.5)]
        curve = found["attribute_f-1_along"].reshape(2, 2)[i]
        np.testing.assert_allclose(curve, way, rtol=1e-6)


def test_attributes_are_paid_and_stopped_at():
    text = TEXT.replace("gap=1e-2", "attribute-rises=f-1,0.6").replace(
        "[model]",
        '[[signal]]\nname = "verifiable"\nweight = 1\n[[signal]]\n'
        'name = "attribute"\ncolumn = "f-1"\nweight = 0.5\n[model]',
    )
    found = columns(read(text))
    np.testing.assert_allclose(found["attribute_f-1"], 0.6, rtol=1e-9)
    for i, gap in enumerate((0.2, 0.35)):
        rates = np.array([0.6 + gap, 0.6, 0.1])
        base = np.log([0.05, 0.95 * 0.75, 0.95 * 0.25])
        asked = sim.Problem(rates, logits=base, attributes={"f": F})
        paid = sim.FixedConfidence(rates + 0.5 * np.array(F))
        run = sim.solve(asked, paid, until=sim.AttributeRises("f", 0.6))
        np.testing.assert_allclose(
            found["accuracy"].ravel()[i], run.accuracy, rtol=1e-9
        )


def test_a_file_of_base_models_has_columns_of_attributes(tmp_path):
    (tmp_path / "models.csv").write_text(
        "base_model,success_rate,held-out,probability\n"
        "a,0.9,0.8,0.05\na,0.6,0.3,0.95\n"
        "b,0.9,0.7,0.2\nb,0.6,-2,0.5\nb,0.1,0.5,0.3\n"
    )
    table = {
        "record": ["attribute_held-out"],
        "max_log10_time": -300.0,
        "until": "rest",
        "model": {"file": "models.csv"},
    }
    sweep = sweep_file.read(table, folder=tmp_path)
    found = columns(sweep)["attribute_held-out"].ravel()
    wanted = [0.05 * 0.8 + 0.95 * 0.3, 0.2 * 0.7 - 0.5 * 2 + 0.3 * 0.5]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    for head, said in (
        ("base_model,success_rate,probability,F", "'F' is no name of an attribute"),
        ("base_model,success_rate,probability,f,f", "give the columns"),
    ):
        (tmp_path / "models.csv").write_text(f"{head}\na,0.9,0.05,1,1\n")
        with pytest.raises(UserError, match=said):
            sweep_file.read(table, folder=tmp_path)


def test_sampled_training_records_means():
    text = """
record = ["attribute_f"]
recipe = {num_steps = 1, learning_rate = 1e-12}
[model]
attributes = {f = [0.8, 0.3, 0.9]}
family = "rival"
[axes]
best_probability = [0.05, 0.3]
"""
    found = columns(read(text))["attribute_f"].ravel()
    for value, best in zip(found, (0.05, 0.3), strict=True):
        policy = np.array([best, 0.75 * (1 - best), 0.25 * (1 - best)])
        np.testing.assert_allclose(value, policy @ F, rtol=1e-9)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("[0.8, 0.3, 0.9]", "[0.8, 0.3]", "give 3 finite numbers"),
        ("[0.8, 0.3, 0.9]", "[0.8, 0.3, nan]", "give 3 finite numbers"),
        ("{f-1 =", "{F =", "'F' is no name of an attribute"),
        ("{f-1 =", "{g =", "f-1 is no attribute; "),
        ("{f-1 = [0.8, 0.3, 0.9]}", "3", "attributes is a table"),
        ('family = "rival"', 'family = "crowd"', "certain number of patterns"),
        ("gap=1e-2", "attribute-falls=g,1", "g is no attribute; choose from f-1"),
        ("gap=1e-2", "attribute-falls", "give attribute-falls=NAME,LEVEL"),
        ("lowest_attribute_f-1", "lowest_attribute_f-2", "did you mean f-1"),
    ],
)
def test_what_is_no_attribute_of_a_sweep_is_one_line(old, new, said):
    with pytest.raises(UserError, match=said):
        read(TEXT.replace(old, new, 1))


def test_the_schema_knows_attributes():
    import jsonschema

    from experiments.sweeps import schema

    jsonschema.validate(toml.parse(TEXT), schema.sweep())
    for old, new in (("attribute_f-1", "attribute_F"), ("0.3, 0.9]", "'x']")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(toml.parse(TEXT.replace(old, new, 1)), schema.sweep())


def test_names_of_observables():
    assert observables.find("attribute_f").of == "policy"
    assert observables.varies("attribute_held-out")
    assert observables.find("highest_attribute_f").events == ("HighestAttribute:f",)
    assert observables.find("attribute_F") is None
