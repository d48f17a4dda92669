"""`pattern-selection phase-diagram`: presets, changes, lines, figures."""

import shutil

import numpy as np
import pytest
import xarray
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet

import theory
from experiments import cli
from experiments.diagrams import (
    assumptions,
    changes,
    drawing,
    labels,
    lines,
    preset,
    saved,
    sides,
)
from experiments.sweeps import axis_texts, grid, root, run_units
from experiments.sweeps.axes import Axis
from experiments.sweeps.families import FAMILIES
from experiments.text.errors import UserError


def diagram(*words):
    return cli.main(["phase-diagram", *map(str, words)])


@pytest.mark.parametrize("name", preset.names())
def test_every_preset_can_be_run_and_its_lines_computed(name):
    loaded = changes.load(name, quick=True)
    run_units.check_corners(loaded.sweep)
    assert loaded.lines and not loaded.notes
    assert {loaded.x.name, loaded.y.name} <= set(axis_texts.AXES)
    for value in loaded.values:
        assert value in labels.VALUES
    for which in loaded.lines:
        if not lines.LINES[which].most < 100:  # slow quadratures: see below
            x, y, field = drawing.line(loaded, lines.LINES[which])
            assert field.shape == (len(y), len(x))
            known = field[np.isfinite(field)]
            assert known.min() < 0 < known.max(), which


@pytest.mark.slow
def test_a_diagram_is_drawn_with_its_data_and_goes_on(tmp_path, capsys):
    words = ["quality", "--cells", 6, "--out", tmp_path / "new"]
    assert diagram(*words) == 0
    out = capsys.readouterr().out
    assert "cells      36, all stored" in out and "phase_quality.svg" in out
    folder = tmp_path / "new"
    assert (folder / "phase_quality.png").read_bytes().startswith(b"\x89PNG")
    svg = (folder / "phase_quality.svg").read_bytes()
    data = xarray.open_zarr(folder / "data" / "phase_quality.zarr")
    assert data.log10_t0.shape == (6, 6) and "stamp" in data.attrs
    assert diagram(*words) == 0  # drawn again from the store
    assert (folder / "phase_quality.svg").read_bytes() == svg
    cell = ["--cell", "gap=0.1", "best_probability=1e-3"]
    capsys.readouterr()
    assert diagram(*words, *cell) == 0
    assert "pattern-selection run" in capsys.readouterr().out


def test_other_axes_values_and_parameters():
    loaded = changes.load(
        "quality",
        y="bad_rate=0:0.4",
        value="accuracy",
        fixed=["rival_rate=0.55", "gap=0.2"],
        cells=7,
    )
    assert [axis.name for axis in loaded.sweep.kept] == ["bad_rate", "best_probability"]
    assert loaded.sweep.fixed["rival_rate"] == 0.55 and loaded.sweep.fixed["gap"] == 0.2
    assert loaded.values == ("accuracy",) and "accuracy" in loaded.sweep.record
    assert loaded.lines == ("regime",)
    np.testing.assert_allclose(loaded.sweep.axes[0].values, np.linspace(0, 0.4, 7))
    geometric = changes.load("quality", x="best_probability=1e-3:0.1:log", cells=3)
    np.testing.assert_allclose(geometric.sweep.axes[1].values, [1e-3, 1e-2, 1e-1])
    one_error = changes.load("noise", y="bad_rate=0:0.4", quick=True)
    assert one_error.lines == ("no_information",)  # of the other kind there are none
    summed = changes.load("self-confidence", value="gain_max", quick=True)
    assert summed.sweep.reduce.statistics[-1] == "max"


@pytest.mark.parametrize(
    "values, scale",
    [
        (np.geomspace(0.1, 0.2, 100), "log"),
        (np.geomspace(1e-300, 1e300, 5), "log"),
        (np.linspace(0.001, 1, 100), "linear"),
        (np.linspace(-1, 1, 5), "linear"),
        # Spaced in other ways, and two values: by how far they go.
        (np.array([3, 4, 5, 8, 64.0]), "log"),
        (np.array([3, 4, 5, 8.0]), "linear"),
        (np.array([0.1, 10.0]), "log"),
        (np.array([0.1, 0.2]), "linear"),
        (np.array([0.5]), "linear"),
    ],
)
def test_the_scale_of_an_axis_is_that_of_its_values(values, scale):
    assert sides.is_geometric(Axis("x", values)) is (scale == "log")


@pytest.mark.parametrize(
    "span, scale",
    [("0.11:0.19:log", "log"), ("0.1:0.2:log", "log"), ("0.01:0.4", "linear")],
)
def test_the_scale_of_an_axis_is_that_asked_for(span, scale):
    loaded = changes.load("quality", y=f"gap={span}", cells=5)
    columns = {"log10_t0": np.arange(25.0).reshape(5, 5)}
    (panel,) = drawing.draw(loaded, columns)
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", scale)
    low, high = panel.get_ylim()
    ticks = panel.yaxis.get_major_locator()()
    labels = panel.yaxis.get_major_formatter().format_ticks(ticks)
    inside = (low <= ticks) & (ticks <= high)
    assert inside.sum() >= 3
    assert all(label for label, here in zip(labels, inside, strict=True) if here)


def test_what_a_preset_fixes_may_become_an_axis():
    other = changes.load("quality", x="rival_rate=0.3:0.45", cells=5)
    assert {axis.name for axis in other.sweep.axes} == {"gap", "rival_rate"}
    assert other.sweep.table["model"] == {"family": "rival"}


def test_slopes_are_those_of_the_stored_times():
    loaded = changes.load("bad-mass", quick=True)
    x = loaded.x.values
    shape = grid.cut(loaded.sweep).shape
    columns = {"log10_crossing": np.broadcast_to(-2.5 * np.log10(x), shape)}
    slope = drawing.value(loaded, "crossing_degree", columns)
    np.testing.assert_allclose(slope, 2.5)


@pytest.mark.parametrize(
    "name, options",
    [
        ("quality", {"y": "gap=0.1:0.2:log", "cells": 12}),
        ("quality", {"y": "bad_rate=0:0.4", "fixed": ["gap=0.2"], "seed": 3}),
        ("quality", {"cells": 7, "value": "accuracy"}),
        ("noise", {"cells": 5, "fixed": ["rival_rate=0.4"]}),
        ("warm-start", {"quick": True}),
        ("self-confidence", {"cells": 4, "value": "gain_max", "quick": True}),
        ("steps", {"quick": True, "x": "learning_rate=0.1:1"}),
        ("bad-mass", {"quick": True}),
    ],
)
def test_a_stored_diagram_is_that_of_its_store(made, name, options):
    """Axes, values and lines are the stored ones, whatever the preset says."""
    loaded, path = made(name, {}, **({"cells": 6} | options))
    found, columns = saved.load(path)
    assert [found.x.name, found.y.name] == [loaded.x.name, loaded.y.name]
    assert (found.values, found.lines) == (loaded.values, loaded.lines)
    assert found.figure == loaded.figure
    assert found.sweep.digest == loaded.sweep.digest
    for mine, theirs in zip(found.sweep.kept, loaded.sweep.kept, strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)
    shape = tuple(len(axis.values) for axis in loaded.sweep.kept)
    assert {column.shape for column in columns.values()} == {shape}


def test_a_stored_diagram_is_drawn_with_its_own_axes_and_boundary(made, tmp_path):
    """The boundary in closed form, of the rates and the share that were set.

    ACC_0 = s_r where pi_* gap = (1 - pi_*) (1 - share) (s_r - s_bad).
    """
    fixed = ["rival_rate=0.6", "bad_rate=0.2", "rival_share=0.5"]
    options = {"y": "gap=0.1:0.2:log", "fixed": fixed, "cells": 40}
    ramp = np.linspace(0, 1, 40 * 40).reshape(40, 40)
    _, path = made("quality", {"log10_t0": ramp}, **options)
    diagram, columns = saved.load(path)
    (panel,) = drawing.draw(diagram, columns)
    half = 2 ** (0.5 / 39)
    np.testing.assert_allclose(panel.get_ylim(), (0.1 / half, 0.2 * half))
    half = (0.95 / 1e-6) ** (0.5 / 39)
    np.testing.assert_allclose(panel.get_xlim(), (1e-6 / half, 0.95 * half))
    mesh = next(c for c in panel.collections if isinstance(c, QuadMesh))
    np.testing.assert_array_equal(mesh.get_array(), ramp)
    (line,) = (c for c in panel.collections if isinstance(c, ContourSet))
    (line_path,) = line.get_paths()
    x, gap = line_path.vertices.T
    np.testing.assert_allclose(x, 1 / (1 + gap / (0.5 * 0.4)), rtol=0.02)
    np.testing.assert_allclose((gap.min(), gap.max()), panel.get_ylim())  # to the frame


@pytest.mark.parametrize(
    "name, options, lines",
    [
        ("quality", {"x": "beta=0:0.1"}, ()),
        ("entanglement", {"x": "beta=0:0.1"}, ()),
        ("self-confidence", {"x": "beta=0:0.1"}, ()),
        ("mixture", {"y": "beta=0:0.1"}, ()),
        ("warm-start", {"x": "level=0.7:0.85"}, ()),
        ("warm-start", {"y": "beta=0:0.1"}, ()),
        ("mixture", {"y": "gap=0.1:0.2"}, ("same_pay",)),
        ("quality", {"y": "bad_rate=0:0.4"}, ("regime",)),
    ],
)
def test_lines_are_drawn_where_they_hold(name, options, lines):
    """Theory's lines know nothing of a penalty, or of a goal that varies."""
    assert changes.load(name, quick=True, **options).lines == lines


def test_a_goal_that_varies_is_no_number_in_a_label():
    loaded = changes.load("warm-start", x="level=0.7:0.85", quick=True)
    assert assumptions.goal(loaded.sweep) == {}
    assert "accuracy 0." not in drawing.shows(loaded, "log10_total_time")


def test_lines_of_confidence_say_no_side():
    """Whichever axis is across: to the left of it may be above it."""
    for name in ("first_move", "final_change"):
        label = lines.LINES[name].label
        assert "left" not in label and "right" not in label


TIMELESS = "no such time, or from the start"
NUMBERLESS = "no number: failed, or nothing to summarise"


@pytest.mark.parametrize(
    "missing, said",
    [
        ([], []),
        ([-np.inf], [TIMELESS]),
        ([np.nan], [NUMBERLESS]),
        ([np.inf, np.nan], [f"{TIMELESS}; {NUMBERLESS}"]),
    ],
)
def test_what_is_missing_in_a_diagram_is_called_what_it_is(made, missing, said):
    values = np.linspace(0, 1, 16).reshape(4, 4)
    values[0, : len(missing)] = missing
    diagram, columns = saved.load(made("quality", {"log10_t0": values}, cells=4)[1])
    (legend,) = drawing.draw(diagram, columns)[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()][1:] == said


def change_root(path, **attributes):
    table = root.read(path)
    table["attributes"] |= attributes
    root.write(path, table)


def test_diagrams_that_cannot_be_drawn_are_refused_in_one_line(made, tmp_path, capsys):
    loaded, path = made("quality", {}, cells=4)
    good = root.read(path)

    def refused() -> str:
        assert cli.main(["figures", "phase_quality", "--out", str(tmp_path)]) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ") and err.count("\n") == 1
        root.write(path, good)
        return err

    usual = changes.text_of(changes.load("quality"))
    change_root(path, sweep=usual)
    assert "made with another sweep than its text" in refused()
    change_root(path, sweep=f"{changes.text_of(loaded)}lenes = []")
    assert "did you mean lines?" in refused()
    table = root.read(path)
    table["consolidated_metadata"]["metadata"].pop("log10_t0")
    root.write(path, table)
    assert "holds no log10_t0" in refused()
    (path / root.FILE).write_text("?")
    assert "--repair" in refused()
    (chunk,) = (c for c in (path / "log10_t0" / "c").rglob("*") if c.is_file())
    chunk.write_bytes(b"?")
    assert "damaged in unit 0 (log10_t0)" in refused()
    target = run_units.begin(path, loaded.sweep, changes.text_of(loaded))
    target.forget(target.grid.unit(0))
    assert "not complete" in refused()
    shutil.rmtree(path)
    assert cli.main(["figures", "phase_quality", "--out", str(tmp_path)]) == 0
    assert "data that come with the program" in capsys.readouterr().err


def test_other_base_models_are_no_settings_that_may_be_mixed(made):
    """The lines would be of the one, the colours of the other."""
    _, path = made("quality", {}, cells=4)
    other = changes.load("quality", cells=4, fixed=["bad_rate=0.2"])
    with pytest.raises(UserError, match="model.bad_rate was not given, is 0.2"):
        run_units.begin(path, other.sweep, changes.text_of(other), force=True)


def base_of(family, **values):
    number = max(np.size(v) for v in values.values())
    known = {k: p.default for k, p in FAMILIES[family].parameters.items()} | values
    columns = {
        name: np.broadcast_to(np.asarray(value, float), (number,))
        for name, value in known.items()
    }
    width = FAMILIES[family].patterns or int(columns["patterns"].max())
    return FAMILIES[family].build(columns, width, 0), columns


def test_the_line_without_sft_is_where_times_are_equal():
    base, values = base_of("warm-start", quality=[1e-5, 0.5], length=[3.0, 3.0])
    worse, better = lines.LINES["without_sft"].function(base, values | {"goal": 0.81})
    assert worse > 0 > better


def at(which, family, given=None, **values):
    base, known = base_of(family, **values)
    return lines.LINES[which].function(base, known | (given or {}))


def test_lines_are_where_theory_says():
    """Each changes sign there: a little to the one side, a little to the other."""
    errors = {
        "false_positive": np.array([0.3, 0.3, 0.3]),
        "false_negative": np.array([0.69, 0.7, 0.71]),
    }
    found = at("no_information", "rival", errors, gap=[0.1, 0.1, 0.1])
    np.testing.assert_allclose(np.sign(np.round(found, 12)), [1, 0, -1])

    # 4 gap G: at gap 0.1 and G = 8 that is 3.2.
    steps = {"learning_rate": np.array([3.1, 3.2, 3.3]), "group_size": np.full(3, 8.0)}
    found = at("step_size", "rival", steps, gap=[0.1, 0.1, 0.1])
    np.testing.assert_allclose(np.sign(np.round(found, 12)), [-1, 0, 1])

    # pi_0(k) delta_k = pi_0(*) Delta, by hand from the base model.
    base, values = base_of("crowd", patterns=[3] * 3, bad_probability=[0.1, 0.2, 0.3])
    found = lines.LINES["hard_side"].function(base, values)
    rates, policy = base.success_rates, np.exp(base.log_policy)
    best, rival, bad = rates[:, 0], rates[:, 1], rates[:, 2]
    wanted = policy[:, 2] * (rival - bad) / (policy[:, 0] * (best - rival))
    np.testing.assert_allclose(np.exp(found), wanted)

    # The rival is paid as much as the best pattern.
    base, values = base_of("rival", gap=[0.2])
    base = base._replace(confidence=np.array([[0.1, 0.4, 0.0]]))
    best, rival = base.success_rates[0, :2]
    even = (best - rival) / (best - rival + 0.3)
    for weight, sign in ((even - 0.01, 1), (even, 0), (even + 0.01, -1)):
        own = {"fixed-confidence.weight": np.array([weight])}
        found = lines.LINES["same_pay"].function(base, values | own)
        assert np.sign(np.round(found, 12)) == sign

    # Demonstrations alone reach an accuracy of 0.8 at a quality of 0.75.
    base, values = base_of("warm-start", quality=[0.74, 0.75, 0.76], length=3.0)
    best, rival = base.success_rates[0, :2]
    reached = {"goal": 0.75 * best + 0.25 * rival}
    found = lines.LINES["data_regime"].function(base, values | reached)
    np.testing.assert_allclose(np.sign(np.round(found, 12)), [-1, 0, 1])

    # Accuracy starts at the rival's rate.
    base, values = base_of("rival", best_probability=[0.01, 0.99])
    before, beyond = lines.LINES["regime"].function(base, values)
    assert before < 0 < beyond


def test_the_lines_of_confidence_are_slopes_and_ends():
    base, values = base_of("confident", draw=np.arange(50.0), patterns=4)
    policy = np.exp(base.log_policy)
    start = np.sum(policy * base.success_rates, axis=-1)
    paid = base.confidence - np.sum(policy * base.confidence, axis=-1, keepdims=True)
    slope = np.sum(policy**2 * paid * (base.success_rates - start[:, None]), axis=-1)
    found = lines.LINES["first_move"].function(base, values)
    np.testing.assert_array_equal(found, np.sign(slope))
    winner = np.argmax(np.where(policy > 0, base.confidence, -1), axis=-1)
    end = np.take_along_axis(base.success_rates, winner[:, None], axis=-1)[:, 0]
    found = lines.LINES["final_change"].function(base, values)
    np.testing.assert_allclose(found, end - start, atol=1e-12)


def test_a_goal_that_is_changed_moves_colours_and_lines_together():
    usual = changes.load("warm-start", quick=True)
    assert assumptions.goal(usual.sweep) == {"goal": 0.81}
    assert "accuracy 0.81" in drawing.shows(usual, "log10_total_time")


def test_a_slope_along_a_logarithm_needs_numbers_above_0():
    with pytest.raises(UserError, match="above 0"):
        changes.load("bad-mass", x="bad_rate=0:0.5", quick=True)


def test_the_lower_bound_is_below_the_time_and_above_half_of_it():
    base, values = base_of("entangled", gamma=[3.0, 30.0], patterns=5)
    bound = lines.LINES["lower_bound"].function(base, values)
    exact = theory.entanglement.transition_bounds(
        base.success_rates, base.log_policy
    ).exact
    assert (bound <= np.log10(exact)).all() and (bound > np.log10(exact / 2)).all()


def test_families_keep_their_promises():
    base, _ = base_of("entangled", gamma=[6.0], patterns=5, rival_probability=0.7)
    np.testing.assert_allclose(
        theory.entanglement.gamma(base.success_rates, base.log_policy), 6
    )
    np.testing.assert_allclose(np.exp(base.log_policy).sum(-1), 1)
    base, _ = base_of("crowd", patterns=[2, 4], bad_probability=0.3)
    np.testing.assert_allclose(np.exp(base.log_policy).sum(-1), 1)
    assert (base.log_policy[0, 2:] == -np.inf).all()
    base, _ = base_of("confident", entropy=[0.2, 0.6, 0.95], patterns=[4, 8, 8])
    policy = np.exp(base.log_policy)
    inside = policy > 0
    entropy = -np.sum(policy * np.log(np.where(inside, policy, 1)), axis=-1)
    want = np.array([0.2, 0.6, 0.95]) * np.log([4, 8, 8])
    np.testing.assert_allclose(entropy, want, rtol=1e-9)
    draws = np.arange(20_000.0)
    base, _ = base_of("confident", draw=draws, patterns=2, correlation=0.6)
    found = np.corrcoef(base.success_rates[:, 0], base.confidence[:, 0])[0, 1]
    assert abs(found - 6 / np.pi * np.arcsin(0.3)) < 0.02  # of the ranks
    base, _ = base_of("random", draw=draws, patterns=2, tilt=0.5, spread=2)
    # Mean of the density 1 + c (2 s - 1): 1/2 + c/6.
    assert abs(base.success_rates.mean() - (0.5 + 0.5 / 6)) < 0.005
    assert abs(base.log_policy[:, 0].std() - base.log_policy[:, 1].std()) < 0.05
    np.testing.assert_allclose(base.kernel[..., 0], base.success_rates)


@pytest.mark.parametrize(
    "words, said",
    [
        (["magic"], "choose from bad-mass"),
        (["quality", "--cells", "1"], "2 to 20,000"),
        (["quality", "--cells", "0"], "2 to 20,000"),
        (["quality", "--set", "gap=0.2"], "gap is an axis here"),
        (["quality", "--x", "gap"], "NAME=LOW:HIGH"),
        (["quality", "--x", "gap=1:0"], "NAME=LOW:HIGH"),
        (["quality", "--x", "gap=0.1:0.2"], "are both gap"),
        (["quality", "--y", "magic=0:1"], "unknown here"),
        (["quality", "--y", "gap=0.1:0.9"], "at gap"),
        (["quality", "--set", "gap"], "NAME=VALUE"),
        (["quality", "--set", "magic=1"], "parameter magic is unknown here"),
        (["quality", "--value", "magic"], "hoose from"),
        (["self-confidence", "--value", "gain"], "gain_mean"),
        (["quality", "--out", "/proc/x"], "cannot write"),
        (["quality", "--cell", "gap=1", "--out", "/tmp/none"], "does not exist"),
    ],
)
def test_bad_calls_are_one_line(words, said, capsys):
    assert diagram(*words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and said in err
