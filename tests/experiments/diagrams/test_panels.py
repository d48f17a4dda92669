"""A third axis of a sweep: one panel for each value, one colour bar, one legend."""

import itertools
import re
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet

from experiments import cli, diagrams
from experiments.diagrams import changes, places
from experiments.text.errors import UserError

TEXT = """record = ["log10_t0"]
[model]
family = "rival"
rival_rate = 0.5
[axes]
update = ["policy-gradient", "natural-gradient", "grpo"]
gap = {linspace = [0.05, 0.4, 6]}
best_probability = {logspace = [1e-5, 0.9, 8]}
[figure]
lines = ["lower_bound", "regime"]
"""


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("panels") / "updates.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def store(file):
    """The sweep of three updates, made and drawn by the command."""
    words = ["phase-diagram", str(file), "--out", str(file.parent)]
    assert cli.main(words) == 0
    assert (file.parent / "phase_updates.png").exists()
    return file.parent / "data" / "phase_updates.zarr"


def mesh(panel):
    (found,) = (c for c in panel.collections if isinstance(c, QuadMesh))
    return found


def overlaps(figure):
    """Pairs of texts that are drawn one over the other."""
    figure.canvas.draw()
    drawer = figure.canvas.get_renderer()
    texts = [figure._suptitle] if figure._suptitle else []
    for axes in figure.axes:
        sides = [axes.title, axes.xaxis.label, axes.yaxis.label]
        ticks = [
            tick.label1
            for axis in (axes.xaxis, axes.yaxis)
            for tick in axis.get_major_ticks()
            if min(axis.get_view_interval())
            <= tick.get_loc()
            <= max(axis.get_view_interval())
        ]
        texts += [t for t in (*sides, *ticks) if t.get_visible() and t.get_text()]
    for legend in figure.legends:
        texts += legend.get_texts()
    boxes = [(t.get_text(), t.get_window_extent(drawer)) for t in texts]
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if a.overlaps(b)
    ]


def test_panels_share_colours_bar_and_legend_on_one_page(store, capsys):
    data = xarray.open_zarr(store)
    panels = diagrams.draw(store, title="Three updates")
    figure = panels[0].figure
    assert [p.get_title() for p in panels] == data["update"].values.tolist()
    np.testing.assert_allclose(figure.get_size_inches()[0], 7.0)
    assert len(figure.axes) == 4 and len(figure.legends) == 1
    values = data.log10_t0.values
    ends = values[np.isfinite(values)].min(), values[np.isfinite(values)].max()
    for place, panel in enumerate(panels):
        shown = np.ma.masked_invalid(values[place])
        np.testing.assert_array_equal(
            mesh(panel).get_array().filled(9), shown.filled(9)
        )
        np.testing.assert_allclose(mesh(panel).get_clim(), ends)
        assert (panel.get_xscale(), panel.get_yscale()) == ("log", "linear")
    # The first line holds for the policy gradient only, the second one for all.
    drawn = [[c for c in p.collections if isinstance(c, ContourSet)] for p in panels]
    assert [len(contours) for contours in drawn] == [2, 1, 1]
    assert len({tuple(map(str, c[-1].get_linestyles())) for c in drawn}) == 1
    assert [t.get_text() for t in figure.legends[0].get_texts()][-1].startswith("no ")
    assert len(figure.legends[0].get_texts()) == 3
    said = capsys.readouterr().err
    assert said.startswith("note: natural-gradient, grpo: the line lower_bound is left")
    assert said.count("\n") == 1
    assert overlaps(figure) == []
    assert min(p.get_position().width for p in panels) > 0.2


def test_panels_are_cut_out_as_xarray_cuts_them(store):
    """A part of the third axis, its order changed, and another axis as panels."""
    data = xarray.open_zarr(store).isel(update=[2, 0])
    panels = diagrams.draw(data.transpose("gap", ...), cmap="viridis")
    assert [p.get_title() for p in panels] == ["grpo", "policy-gradient"]
    for place, panel in enumerate(panels):
        shown = mesh(panel).get_array().filled(9)
        wanted = np.ma.masked_invalid(data.log10_t0.values[place]).filled(9)
        np.testing.assert_array_equal(shown, wanted)
        assert mesh(panel).cmap.name == "viridis"
    panels = diagrams.draw(store, panels="gap", x="update", lines=[])
    assert [p.get_title() for p in panels][1] == r"$s_* - s_{r'}$ = 0.12"
    shown = mesh(panels[1]).get_array().filled(9)
    wanted = xarray.open_zarr(store).log10_t0.values[:, 1].T
    np.testing.assert_array_equal(shown, np.ma.masked_invalid(wanted).filled(9))
    assert panels[0].get_xlabel() == "" and panels[3].get_xlabel() == "update"


def test_our_panels_on_axes_of_somebody_else(store):
    _, own = plt.subplots(1, 3, layout="constrained", figsize=(7, 3))
    assert diagrams.draw(store, own) == list(own)
    with pytest.raises(UserError, match="2 axes for 3 panels; give one for each"):
        diagrams.draw(store, own[:2])


def test_drawn_one_by_one_there_is_one_legend_and_no_collapse(store):
    data = xarray.open_zarr(store)
    figure, own = plt.subplots(1, 3, layout="constrained", figsize=(7, 3))
    for update, panel in zip(data["update"].values, own, strict=True):
        diagrams.draw(data.sel(update=update), panel, title=update)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    assert len(figure.legends) == 1 and len(figure.legends[0].get_texts()) == 3
    assert not any(panel.get_legend() for panel in own)
    assert min(panel.get_position().width for panel in own) > 0.1


def test_the_number_of_cells_is_not_that_of_panels(tmp_path):
    text = TEXT.replace('["policy-gradient", "natural-gradient", "grpo"]', '["grpo"]')
    text = text.replace("[axes]", "[axes]\nbad_rate = {linspace = [0, 0.4, 3]}")
    text = text.replace('update = ["grpo"]\n', "")
    path = tmp_path / "rates.toml"
    path.write_text(text)
    found = changes.load(str(path), cells=5, x="best_probability=1e-3:0.1:log")
    assert [len(axis.values) for axis in found.sweep.kept] == [3, 5, 5]
    assert found.across is not None and found.across.name == "bad_rate"
    assert [part.title for part in found.parts] == [
        "bad_rate = 0",
        "bad_rate = 0.2",
        "bad_rate = 0.4",
    ]
    assert [part.diagram.sweep.fixed["bad_rate"] for part in found.parts] == [
        0,
        0.2,
        0.4,
    ]
    assert len(changes.load(str(path), cells=5, quick=True).parts) == 3


@pytest.mark.parametrize(
    "figure, named, found",
    [
        ({}, "ab", ("b", "a", None)),
        ({"x": "a"}, "ab", ("a", "b", None)),
        ({}, "abc", ("c", "b", "a")),
        ({}, "aBc", ("c", "a", "B")),
        ({"panels": "c"}, "aBc", ("B", "a", "c")),
        ({"x": "B"}, "aBc", ("B", "c", "a")),
        ({"y": "c", "x": "a"}, "abc", ("a", "c", "b")),
    ],
)
def test_places_of_axes(figure, named, found):
    """Capital letters are axes of names."""
    assert places.of(figure, {name: name.isupper() for name in named}) == found


@pytest.mark.parametrize(
    "text, said",
    [
        ('panels = "gapp"', "panels = 'gapp' is no axis; did you mean gap"),
        ('panels = "gap"\nx = "gap"', "x and panels are both gap"),
        ('panels = "best_probability"', "at most 12 panels"),
        ('value = ["accuracy", "log10_t0"]', "show one value; give one"),
    ],
)
def test_what_cannot_be_panels(text, said, tmp_path, capsys):
    path = tmp_path / "wrong.toml"
    many = TEXT.replace("0.9, 8]", "0.9, 13]").replace('["log10', '["accuracy", "log10')
    path.write_text(many + text)
    assert cli.main(["phase-diagram", str(path), "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


@pytest.mark.parametrize("axes", ["gap", "gap best_probability bad_rate rival_share"])
def test_one_axis_or_four_are_no_diagram(axes, tmp_path, capsys):
    listed = "\n".join(f"{name} = [0.1, 0.2]" for name in axes.split())
    (tmp_path / "s.toml").write_text(f"[axes]\n{listed}")
    assert cli.main(["phase-diagram", str(tmp_path / "s.toml")]) == 2
    assert "two axes, and panels for a third" in capsys.readouterr().err


def test_the_example_of_the_readme_has_three_panels(tmp_path):
    text = (Path(__file__).parents[3] / "experiments" / "README.md").read_text()
    (block,) = re.findall(r"^  ```toml\n(.*?)^  ```", text, re.M | re.S)
    (tmp_path / "updates.toml").write_text(re.sub("^  ", "", block, flags=re.M))
    found = changes.load(str(tmp_path / "updates.toml"), cells=3)
    assert [part.title for part in found.parts] == [
        "policy-gradient",
        "grpo",
        "natural-gradient",
    ]
    assert [len(part.diagram.lines) for part in found.parts] == [2, 1, 1]
