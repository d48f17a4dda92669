"""Attributes of the patterns: kept, read, and refused in one line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim

RATES, BASE = [0.9, 0.6, 0.1], [0.05, 0.70, 0.25]
COLUMNS = {"held-out": [0.7, 0.8, -2.0], "factuality": [0.1, 0.7, 0.2]}


def problem(**more):
    return sim.Problem(RATES, BASE, attributes=COLUMNS | more)


@pytest.mark.parametrize(
    "columns, said",
    [
        ({"Held": RATES}, "'Held' is no name of an attribute"),
        ({"": RATES}, "'' is no name"),
        ({"a b": RATES}, "'a b' is no name"),
        ({"a\n": RATES}, "is no name"),
        ({3: RATES}, "3 is no name"),
        ({"f": [0.1, 0.2]}, r"`f` has shape \(2,\).*one number per pattern"),
        ({"f": 0.5}, r"`f` has shape \(\)"),
        ({"f": [0.1, np.nan, 0.2]}, "`f` contains NaN"),
        ({"f": [0.1, np.inf, 0.2]}, "`f` contains NaN or an infinity"),
        ({"f": [0.1, "x", 0.2]}, "`f` is list; give real numbers"),
        ([0.1, 0.2, 0.3], "`attributes` is list"),
    ],
)
def test_what_is_no_attribute_is_named(columns, said):
    with pytest.raises(ValueError, match=said):
        sim.Problem(RATES, BASE, attributes=columns)


def test_an_unknown_attribute_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="'factualty' is no attribute; did you mean f"):
        problem().attribute("factualty")
    with pytest.raises(ValueError, match="choose from factuality, held-out"):
        problem().attribute("zzz")
    with pytest.raises(ValueError, match="the problem has none"):
        sim.Problem(RATES, BASE).attribute("factuality")
    for part in (
        sim.Attribute("fact"),
        sim.CorrectBonus("fact", 1),
        sim.SignRule("fact", 1),
    ):
        with pytest.raises(ValueError, match="'fact' is no attribute"):
            sim.solve(problem(), sim.Mixture([sim.Verifiable(), part], [1, 1]))
    for event in (
        sim.AttributeRises("fact", 0.5),
        sim.AttributeFalls("fact", 0.5),
        sim.HighestAttribute("fact"),
        sim.LowestAttribute("fact"),
    ):
        with pytest.raises(ValueError, match="'fact' is no attribute"):
            sim.solve(problem(), sim.Verifiable(), events=[event])


def test_numbers_that_mean_nothing_are_refused():
    with pytest.raises(
        ValueError, match="from -2 to 0.8; give numbers between 0 and 1"
    ):
        sim.SignRule("held-out", 0.5).check(problem())
    with pytest.raises(ValueError, match="`share` must lie between 0 and 1"):
        sim.SignRule("factuality", 1.5).check(problem())
    with pytest.raises(ValueError, match="`bonus` contains NaN"):
        sim.CorrectBonus("factuality", np.nan).check(problem())
    with pytest.raises(ValueError, match="`level` contains NaN"):
        sim.AttributeRises("factuality", np.inf).check(problem())


def test_lanes_and_programs_keep_attributes():
    rng = np.random.default_rng(0)
    rates, logits, f = rng.random((3, 2, 4, 5))
    batch = sim.Problem(rates, logits=logits, attributes={"f": f})
    assert batch[1, 2].attribute("f").tolist() == f[1, 2].tolist()
    assert batch[1].attribute("f").shape == (4, 5)
    jitted = jax.jit(lambda problem: problem.attribute("f") + 1)(batch)
    np.testing.assert_allclose(jitted, f + 1)
    mapped = jax.vmap(lambda problem: problem.attribute("f") @ jnp.arange(5.0))(
        batch[0]
    )
    np.testing.assert_allclose(mapped, f[0] @ np.arange(5.0))
    stacked = jax.tree.map(lambda *rows: jnp.stack(rows), batch[0, 1], batch[1, 3])
    np.testing.assert_array_equal(stacked.attribute("f"), [f[0, 1], f[1, 3]])


def test_how_attributes_are_written():
    shown = "policy=[0.05 0.7 0.25], factuality=[0.1 0.7 0.2], held-out=[0.7 0.8 -2])"
    assert repr(problem()).endswith(shown)
    table = problem()._repr_html_()
    assert "factuality" in table and "-2" in table
    many = sim.Problem([RATES] * 4, [BASE] * 4, attributes={"f": [RATES] * 4})
    assert repr(many).endswith(", f")
    assert repr(sim.AttributeRises("f", 0.5)) == "AttributeRises('f', 0.5)"


def test_a_problem_without_attributes_is_the_same_arrays():
    assert len(jax.tree.leaves(sim.Problem(RATES, BASE))) == 3
    assert len(jax.tree.leaves(problem())) == 5


def test_means_at_the_end_on_the_way_and_of_saved_policies():
    rng = np.random.default_rng(1)
    rates, logits, f = rng.random((3, 4, 5))
    batch = sim.Problem(rates, logits=logits, attributes={"f": f - 0.5})
    times = np.log([0.5, 2.0, 8.0])
    run = sim.solve(
        batch,
        sim.Verifiable(),
        until=sim.Gap(0.1),
        save_log_times=times,
        events=[sim.T0()],
    )
    wanted = np.einsum("bk,bk->b", np.exp(run.log_probs), f - 0.5)
    np.testing.assert_allclose(run.attribute("f"), wanted, rtol=1e-13)
    one = sim.mean_value(run[2].log_probs, batch[2].attribute("f"))
    np.testing.assert_allclose(one, wanted[2], rtol=1e-13)
    way = run.attribute("f", jnp.log(run.saved))
    np.testing.assert_allclose(
        way, np.einsum("btk,bk->bt", run.saved, f - 0.5), rtol=1e-12
    )
    at = run.attribute("f", run["t0"].log_probs)
    there = np.exp(run.event_log_probs[:, 0])
    np.testing.assert_allclose(at, np.einsum("bk,bk->b", there, f - 0.5), rtol=1e-13)


def test_derivatives_by_an_attribute_are_quotients_of_differences():
    def end(f):
        columns = {"f": [0.3, 1.2, f]}
        asked = sim.Problem(RATES, BASE, attributes=columns)
        signal = sim.Mixture([sim.Verifiable(), sim.Attribute("f")], [1.0, 0.4])
        run = sim.solve(asked, signal, max_log_time=np.log(9.0), events=[event])
        return run.attribute("f") + run.event_log_times[0]

    event = sim.AttributeRises("f", 1.0)
    step = 1e-5
    quotient = (end(0.5 + step) - end(0.5 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(end)(0.5), quotient, rtol=1e-6)
    assert abs(quotient) > 0.1
