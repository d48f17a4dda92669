"""Whatever users write: an answer or one clear line, no traceback, no silent NaN."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import simulator as sim
from experiments import cli
from experiments.sweeps import (
    axes,
    base_models,
    families,
    grid,
    layout,
    observables,
    run_units,
    solving,
    sweep_file,
)
from experiments.text import toml
from experiments.text.errors import UserError

often = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
seldom = settings(often, max_examples=40)

any_number = st.one_of(
    st.floats(),
    st.integers(),
    st.sampled_from([0, 1, -1, 0.5, 1e-12, 1e-300, 1e300, 1 - 1e-16, 10**400]),
)
any_value = st.recursive(
    st.one_of(any_number, st.booleans(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=6), inner, max_size=3),
    ),
    max_leaves=6,
)


def one_line(error: BaseException) -> bool:
    return bool(str(error).strip())


# Files that are nearly right: known words in known places, and one that may be odd.
parameters = {
    name: set(family.parameters) for name, family in families.FAMILIES.items()
}
words = ["beta", "group_size", "level", "signal", "update", "until", "seed", "gap"]
in_range = st.one_of(st.floats(0, 1), st.integers(0, 9))
range_ = st.tuples(st.sampled_from(list(axes.KINDS)), st.floats(0.01, 0.5), in_range)
axis = st.one_of(
    st.lists(in_range, min_size=1, max_size=4, unique=True),
    range_.map(lambda r: {r[0]: [r[1], r[1] + r[2] + 0.01, 3]}),
    st.integers(1, 5).map(lambda n: {"count": n}),
    st.lists(st.sampled_from(["grpo", "verifiable", "gap=0.1", "t0"]), max_size=3),
)


@st.composite
def files(draw):
    family = draw(st.sampled_from(list(families.FAMILIES)))
    names = sorted(parameters[family])
    known = st.dictionaries(st.sampled_from(names), in_range, max_size=2)
    named = st.sampled_from([*names, *names, *words])
    table = {
        "model": {"family": family} | draw(known),
        "axes": draw(st.dictionaries(named, axis, min_size=1, max_size=3)),
    }
    optional = {
        "signal": st.sampled_from(["verifiable", "self-certainty", "fixed-confidence"]),
        "update": st.sampled_from(["grpo", "natural-gradient", "policy-gradient"]),
        "until": st.sampled_from(["t0", "rest", "gap=0.1"]),
        "record": st.lists(st.sampled_from([*observables.TABLE, "pass_at_3"])),
        "seed": st.integers(0, 3),
        "max_steps": st.integers(1, 9),
        "recipe": st.sampled_from(["rloo", "grpo"]),
        "reduce": st.fixed_dictionaries({"over": st.lists(named, max_size=2)}),
    }
    for key in draw(st.sets(st.sampled_from(sorted(optional)), max_size=3)):
        table[key] = draw(optional[key])
    place = draw(st.sampled_from([None, "top", "model", "axes", "reduce"]))
    if place == "top":
        table[draw(st.sampled_from([*sweep_file.KEYS, "x"]))] = draw(any_value)
    elif place in table and isinstance(table[place], dict):
        keys = [*table[place], "x", "statistics", "histogram"]
        table[place][draw(st.sampled_from(keys))] = draw(any_value)
    return table


@pytest.mark.slow
@often
@given(files())
def test_sweep_files_are_read_or_refused(table):
    try:
        sweep = sweep_file.read(table)
    except UserError as error:
        assert one_line(error)
        return
    cells = grid.cut(sweep)
    assert math.prod(cells.shape) == sweep.num_cells > 0
    assert set(layout.coordinates(sweep)) >= {axis.dim for axis in sweep.kept}
    assert len(sweep.digest) == 64
    with contextlib.suppress(UserError):
        run_units.check_corners(sweep)


@often
@given(st.text(max_size=60))
def test_texts_are_toml_or_refused(text):
    with contextlib.suppress(UserError):
        sweep_file.read(toml.parse(text))


def run_command(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(list(arguments))
    return code, out.getvalue(), err.getvalue()


probable = st.one_of(
    st.floats(0, 1, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, 0.5, 1e-12, 1e-300, 1 - 1e-12]),
)


@seldom
@given(
    st.lists(st.one_of(probable, any_number), min_size=3, max_size=3),
    st.lists(st.one_of(st.floats(-700, 700), any_number), min_size=3, max_size=3),
)
def test_runs_end_with_an_outcome_or_one_line(rates, logits):
    numbers = [*map(repr, map(float_or_text, rates))]
    others = [*map(repr, map(float_or_text, logits))]
    code, out, err = run_command(
        "run", "--success-rates", *numbers, "--logits", *others, "--json", "-"
    )
    if code == 2:
        assert err.startswith("error: ") and err.count("\n") == 1
        return
    result = json.loads(out)
    assert result["outcome"] in sim.OUTCOME_NAMES
    assert code == (result["outcome"] in sim.FAILED_OUTCOMES) and err == ""
    if result["outcome"] not in sim.FAILED_OUTCOMES:
        assert 0 <= result["accuracy"] <= 1 + 1e-12
        assert abs(sum(result["policy"]) - 1) < 1e-9
        if result["outcome"] == "reached":
            assert result["log10_time"] is not None or result["time"] == 0


def float_or_text(value):
    try:
        return float(value)
    except OverflowError:
        return math.inf


@pytest.mark.slow
@seldom
@given(
    st.lists(probable, min_size=6, max_size=6),
    st.lists(st.floats(-40, 40), min_size=6, max_size=6),
)
def test_cells_of_a_sweep_are_numbers_or_failed(rates, logits):
    """One compiled program: cells of extreme problems, as a family would make them."""

    def build(v, width, seed):
        table = np.array([rates[:3], rates[3:]])
        return base_models.BaseModels(table, np.array([logits[:3], logits[3:]]))

    family = families.Family(
        "extreme", {"gap": families.Parameter(0, 0, 1, "")}, build, 3
    )
    sweep = sweep_file.read(
        {"axes": {"gap": [0.1, 0.2]}, "record": ["accuracy", "log10_time"]}
    )
    object.__setattr__(sweep, "family", family)
    object.__setattr__(sweep, "fixed", {})
    found = solving.cell_columns(sweep, {"gap": np.array([0.1, 0.2])}, 2)
    failed = np.isin(found["outcome"], solving.failure_codes())
    stationary = found["outcome"] == sim.OUTCOME_NAMES.index("stationary")
    assert (np.isnan(found["accuracy"]) == failed).all()
    assert (np.isnan(found["log10_time"]) <= (failed | stationary)).all()
