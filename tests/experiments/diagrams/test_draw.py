"""`experiments.diagrams.draw`: any sweep over two axes, on axes of Matplotlib."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet

from experiments import cli, diagrams
from experiments.diagrams import diagram, saved
from experiments.text.errors import UserError

TEXT = """record = ["log10_t0", "accuracy"]
[model]
family = "rival"
rival_rate = 0.5
[axes]
update = ["policy-gradient", "natural-gradient"]
gap = {linspace = [0.05, 0.4, 6]}
best_probability = {logspace = [1e-5, 0.9, 8]}
[along]
record = ["accuracy"]
log10_t = [0, 1, 2]
"""


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A sweep over three axes, made by the command."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "s.toml").write_text(TEXT)
    assert cli.main(["sweep", str(folder / "s.toml")]) == 0
    return folder / "s.zarr"


def mesh(panel):
    (found,) = (c for c in panel.collections if isinstance(c, QuadMesh))
    return found


def lines(panel):
    return [c for c in panel.collections if isinstance(c, ContourSet)]


def test_axes_in_axes_out(store):
    sweep = xarray.open_zarr(store)
    figure, panels = plt.subplots(1, 2)
    part = sweep.sel(update="policy-gradient")
    drawn = diagrams.draw(part, panels[0], cmap="viridis", title="PG", range=[-1, 9])
    assert drawn is panels[0] and len(figure.axes) == 3  # and a colour bar
    assert drawn.get_title() == "PG" and mesh(drawn).get_clim() == (-1, 9)
    shown = np.ma.masked_invalid(part.log10_t0.values)
    np.testing.assert_array_equal(mesh(drawn).get_array().filled(9), shown.filled(9))
    assert mesh(drawn).cmap.name == "viridis" and mesh(drawn).get_array().mask.any()
    assert (drawn.get_xscale(), drawn.get_yscale()) == ("log", "linear")
    assert not panels[1].has_data()


def test_a_selected_axis_is_fixed_there_for_the_lines(store, capsys):
    sweep = xarray.open_zarr(store)
    asked = {"lines": ["regime", "lower_bound"]}
    drawn = diagrams.draw(sweep.sel(update="policy-gradient"), **asked)
    assert len(lines(drawn)) == 2 and capsys.readouterr().err == ""
    drawn = diagrams.draw(sweep.sel(update="natural-gradient"), **asked)
    assert len(lines(drawn)) == 1
    assert "lower_bound is left out" in capsys.readouterr().err
    # At one gap, over updates: T0 of the rates of the file.
    shown, columns = saved.of_dataset(sweep.isel(gap=2))
    assert shown.sweep.fixed["gap"] == sweep.gap.values[2]
    assert [shown.y.name, shown.x.name] == ["update", "best_probability"]
    np.testing.assert_array_equal(columns["log10_t0"], sweep.log10_t0.isel(gap=2))


def test_a_part_of_the_axes_in_another_order(store):
    part = xarray.open_zarr(store).isel(update=0, gap=[4, 1], best_probability=[1, 3])
    drawn = diagrams.draw(part.transpose("best_probability", ...), value="accuracy")
    found = mesh(drawn).get_array()
    np.testing.assert_array_equal(found, part.accuracy.values[::-1])


def test_curves_at_a_time_that_is_given_or_selected(store):
    sweep = xarray.open_zarr(store).isel(update=0)
    wanted = sweep.accuracy_along.sel(log10_t=1).values
    asked = {"value": "accuracy_along"}
    for data, more in ((sweep, {"log10_t": 1.2}), (sweep.sel(log10_t=1), {})):
        panel = diagrams.draw(data, **asked, **more)
        np.testing.assert_array_equal(mesh(panel).get_array(), wanted)
        assert mesh(panel).colorbar.ax.get_ylabel().endswith("$ = 1")


def test_several_values_are_several_panels(made):
    _, path = made("quality", {}, cells=4, value="accuracy")
    drawn = diagrams.draw(path, value=["accuracy", "log10_t0"], width=8, height=3)
    assert len(drawn) == 2 and drawn[0].figure is drawn[1].figure
    np.testing.assert_allclose(drawn[0].figure.get_size_inches(), (8, 3))
    _, own = plt.subplots(2)
    assert diagrams.draw(str(path), own, value=["accuracy", "log10_t0"]) == list(own)
    size = own[0].figure.get_size_inches().copy()
    diagrams.draw(path, own[1], width=3)
    np.testing.assert_array_equal(own[0].figure.get_size_inches(), size)


def test_what_cannot_be_drawn(store, made):
    sweep = xarray.open_zarr(store)
    bad = {
        "this sweep has gap": lambda: diagrams.draw(
            sweep.isel(update=0, best_probability=0)
        ),
        "attributes sweep, stamp": lambda: diagrams.draw(xarray.Dataset()),
        "select one value": lambda: diagrams.draw(
            sweep.mean("update", keep_attrs=True)
        ),
        "did you mean cmap": lambda: diagrams.draw(sweep.isel(update=0), cmaps="magma"),
        "1 axes for 2 panels": lambda: diagrams.draw(
            sweep.isel(update=0), plt.subplots()[1], value=["accuracy", "log10_t0"]
        ),
        "does not exist": lambda: diagrams.draw("none.zarr"),
    }
    for said, call in bad.items():
        with pytest.raises(UserError, match=said):
            call()


def test_our_style_is_that_of_new_figures_only(made):
    _, path = made("quality", {}, cells=4)
    _, panel = plt.subplots()
    default = plt.rcParams["axes.labelsize"], panel.xaxis.label.get_size()
    diagrams.draw(path, panel)
    assert (plt.rcParams["axes.labelsize"], panel.xaxis.label.get_size()) == default
    assert diagrams.draw(path).xaxis.label.get_size() == 8
    styled = diagrams.draw(path, style={"axes.labelsize": "13"})
    assert styled.xaxis.label.get_size() == 13


def test_the_readme_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[3] / "experiments" / "README.md").read_text()
    section = text.partition("\n## phase-diagram")[2].partition("\n## ")[0]
    (file,) = re.findall(r"^```toml\n(.*?)^```", section, re.M | re.S)
    Path("quality.toml").write_text(file)
    from experiments.diagrams import changes

    loaded = changes.load("quality.toml", cells=3)
    assert loaded.lines == ("regime", "lower_bound")
    for key in diagram.KEYS:
        assert key in {*loaded.figure, "x", "y", "scale", "log10_t", "step"} or (
            f"--{key.removesuffix('s')}" in section or f"{key} = " in section
        )
    words = re.search(r"`--set (update=.*)", section)[1].split("`, `")
    for item in words[:3]:
        changes.load("quality.toml", fixed=[item.split("`")[0]], cells=3)
    swept = text.partition("\n## sweep")[2]
    (given, *_) = re.findall(r"^```toml\n(.*?)^```", swept, re.M | re.S)
    Path("quality.toml").write_text(given.replace("60]", "4]").replace("80]", "3]"))
    assert cli.main(["sweep", "quality.toml"]) == 0
    (program,) = re.findall(r"^  ```python\n(.*?)^  ```", section, re.M | re.S)
    scope: dict = {}
    exec(re.sub(r"^  ", "", program, flags=re.M), scope)
    titles = [panel.get_title() for panel in scope["axes"]]
    assert titles == ["policy-gradient", "natural-gradient"]
