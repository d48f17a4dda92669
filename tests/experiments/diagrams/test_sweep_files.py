"""Diagrams of sweep files: what `[figure]` says, and the defaults."""

import json
import re

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.contour import ContourSet

from experiments import cli
from experiments.diagrams import changes, drawing, preset, saved, sides
from experiments.sweeps import root
from experiments.sweeps.axes import read as read_axis
from experiments.text import toml
from experiments.text.errors import UserError

PLAIN = """record = ["log10_t0", "accuracy"]
until = "t0"
[axes]
gap = {linspace = [0.1, 0.3, 5]}
best_probability = {logspace = [1e-3, 0.1, 4]}
"""
FIGURE = """[figure]
x = "gap"
value = ["accuracy", "log10_t0"]
lines = []
title = "Mine"
labels = {x = "lead"}
scale = {x = "log", y = "linear"}
range = [0.2, 0.8]
cmap = "viridis"
width = 5
"""
CURVES = """record = ["accuracy"]
[axes]
update = ["policy-gradient", "natural-gradient", "grpo"]
best_probability = [0.3, 0.01, 0.1]
[along]
record = ["accuracy", "entropy"]
log10_t = {linspace = [-1, 3, 9]}
"""


@pytest.fixture
def load(tmp_path):
    """The diagram of a text."""

    def of(text, **options):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return changes.load(str(path), **options)

    return of


@pytest.mark.parametrize("name", preset.names())
def test_a_preset_is_a_sweep_file_like_any_other(name, tmp_path):
    path = tmp_path / "copy.toml"
    path.write_text((preset.FOLDER / f"{name}.toml").read_text())
    own, copied = changes.load(name), changes.load(str(path))
    assert own.sweep.digest == copied.sweep.digest
    assert own.figure == copied.figure
    assert changes.text_of(own) == changes.text_of(copied)


def test_without_a_figure_there_are_defaults(load):
    found = load(PLAIN)
    assert (found.x.name, found.y.name) == ("best_probability", "gap")
    assert found.values == ("log10_t0",) and found.lines == ("regime",)
    assert load(PLAIN.replace('["log10_t0", ', "[")).lines == ()
    other = load(PLAIN + '[figure]\nx = "gap"\n')
    assert (other.x.name, other.y.name) == ("gap", "best_probability")
    titled = load('title = "All of it"\n' + PLAIN)
    assert titled.looks.title == "All of it"


def test_a_figure_is_drawn_as_it_says(load):
    found = load(PLAIN + FIGURE)
    table = np.linspace(0, 1, 20).reshape(5, 4)
    columns = {"accuracy": table, "log10_t0": 3 * table}
    first, second = drawing.draw(found, columns)
    assert first.get_xlabel() == second.get_xlabel() == "lead"
    assert (first.get_xscale(), first.get_yscale()) == ("log", "linear")
    assert first.figure.get_suptitle() == "Mine"
    assert first.figure.get_size_inches()[0] == 5
    for panel, values in ((first, table), (second, 3 * table)):
        (mesh,) = (c for c in panel.collections if isinstance(c, QuadMesh))
        assert mesh.get_clim() == (0.2, 0.8) and mesh.cmap.name == "viridis"
        np.testing.assert_array_equal(mesh.get_array(), values.T)
        assert mesh.colorbar.extend == "both"


def test_a_logarithmic_colour_leaves_out_what_has_no_logarithm(load):
    found = load(PLAIN + '[figure]\nvalue = "accuracy"\nscale = {colour = "log"}')
    table = np.linspace(0, 1, 20).reshape(5, 4)
    (panel,) = drawing.draw(found, {"accuracy": table})
    (mesh,) = (c for c in panel.collections if isinstance(c, QuadMesh))
    assert type(mesh.norm).__name__ == "LogNorm" and mesh.get_array().count() == 19
    np.testing.assert_allclose(mesh.get_clim(), (1 / 19, 1))
    texts = [text.get_text() for text in panel.figure.legends[0].get_texts()]
    assert texts == ["0 or less"]


def test_names_and_lists_in_any_order_are_drawn_in_order(load):
    found = load(CURVES + '[figure]\nvalue = "accuracy"')
    table = np.arange(9.0).reshape(3, 3)
    (panel,) = drawing.draw(found, {"accuracy": table})
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["policy-gradient", "natural-gradient", "grpo"]
    (mesh,) = (c for c in panel.collections if isinstance(c, QuadMesh))
    np.testing.assert_array_equal(mesh.get_array(), table[:, [1, 2, 0]])
    assert found.lines == ()


def test_curves_are_drawn_at_one_of_their_times(load):
    text = CURVES + '[figure]\nvalue = "accuracy_along"\n'
    found = load(text + "log10_t = 1.1")
    table = np.arange(81.0).reshape(3, 3, 9)
    (panel,) = drawing.draw(found, {"accuracy_along": table})
    (mesh,) = (c for c in panel.collections if isinstance(c, QuadMesh))
    # The times are -1, -0.5, ..., 3.
    np.testing.assert_array_equal(mesh.get_array(), table[:, [1, 2, 0], 4])
    assert mesh.colorbar.ax.get_ylabel().endswith(r"$\log_{10} t$ = 1")
    assert load(text).time == 8


MODELS = """base_model,success_rate,probability
base,0.9,0.05
base,0.6,0.95
after SFT,0.9,0.2
after SFT,0.6,0.8
"""


def test_base_models_of_ones_own_are_named_and_have_no_lines(load, tmp_path):
    from experiments import diagrams, sweeps

    (tmp_path / "models.csv").write_text(MODELS)
    text = 'record = ["log10_t0"]\n[model]\nfile = "models.csv"\n[axes]\n'
    text += "temperature = [0.5, 1, 2]\n"
    found = load(text + '[figure]\nlines = ["regime"]')
    assert found.lines == () and "for each base_model" in found.notes[0]
    (panel,) = drawing.draw(found, {"log10_t0": np.arange(6.0).reshape(2, 3)})
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["base", "after SFT"]
    again = toml.parse(changes.text_of(found))
    assert again["model"]["success_rates"] == [[0.9, 0.6], [0.9, 0.6]]
    fixed = load(text, fixed=["axes.base_model=['after SFT', 'base']"])
    assert list(fixed.y.shown) == ["after SFT", "base"]
    data = sweeps.sweep(
        {
            "record": ["log10_t0"],
            "model": toml.parse(changes.text_of(found))["model"],
            "axes": {"temperature": [0.5, 1, 2], "update": ["grpo", "policy-gradient"]},
        }
    )
    shown, columns = saved.of_dataset(data.sel(base_model="after SFT"))
    assert shown.sweep.fixed["base_model"] == 1 and shown.x.name == "update"
    want = data.log10_t0.sel(base_model="after SFT")
    np.testing.assert_array_equal(columns["log10_t0"], want)
    (mesh,) = (
        c
        for c in diagrams.draw(data.sel(update="grpo")).collections
        if isinstance(c, QuadMesh)
    )
    assert mesh.get_array().shape == (2, 3)


@pytest.mark.parametrize(
    "spec, scale",
    [
        ({"logspace": [0.1, 0.2, 2]}, "log"),
        ({"logspace": [0.1, 0.2, 5]}, "log"),
        ({"loguniform": [0.1, 0.2, 5]}, "log"),
        ({"linspace": [0.001, 10, 2]}, "linear"),
        ({"uniform": [0.001, 10, 5]}, "linear"),
        ({"count": 100}, "linear"),
    ],
)
@pytest.mark.parametrize("name", ["gap", "length", "beta"])
def test_the_scale_of_an_axis_is_what_it_says(name, spec, scale):
    assert sides.side(read_axis(name, spec, 0)).scale == scale


def test_cells_are_whole_up_to_the_frame():
    log = sides.side(read_axis("gap", [1.0, 4.0, 16.0], 0), "log")
    np.testing.assert_allclose(log.edges, [0.5, 2, 8, 32])
    linear = sides.side(read_axis("gap", [4.0, 1.0, 3.0], 0))
    np.testing.assert_allclose(linear.edges, [0, 2, 3.5, 4.5])
    named = sides.side(read_axis("update", ["a", "b"], 0))
    np.testing.assert_allclose(named.edges, [-0.5, 0.5, 1.5])
    wide = sides.side(read_axis("gap", {"logspace": [1e-300, 1e300, 5]}, 0))
    assert np.isfinite(wide.edges).all() and (np.diff(wide.edges) > 0).all()


def test_every_cell_of_a_diagram_has_its_size(load):
    found = load(PLAIN)
    (panel,) = drawing.draw(found, {"log10_t0": np.zeros((5, 4))})
    (mesh,) = (c for c in panel.collections if isinstance(c, QuadMesh))
    corners = mesh.get_coordinates()
    width = np.diff(np.log(corners[0, :, 0]))
    np.testing.assert_allclose(width, np.log(100) / 3)
    np.testing.assert_allclose(np.diff(corners[:, 0, 1]), 0.05)
    np.testing.assert_allclose(panel.get_xlim(), corners[0, [0, -1], 0])
    np.testing.assert_allclose(panel.get_ylim(), corners[[0, -1], 0, 1])


def test_lines_go_on_straight_to_the_frame(load):
    found = load(PLAIN)
    x, y = found.x.values, found.y.values
    field = 2 * np.log(x) - 3 * y[:, None]
    wide, high, longer = drawing.to_the_frame(found, x, y, field)
    np.testing.assert_allclose(longer, 2 * np.log(wide) - 3 * high[:, None])
    np.testing.assert_allclose(
        wide[[0, -1]], [x[0] / 10 ** (1 / 3), 0.1 * 10 ** (1 / 3)]
    )
    np.testing.assert_allclose(high[[0, -1]], [0.075, 0.325])


MISTAKES = [
    (PLAIN + "[figure]\nlabel = 3", "figure: 'label' is unknown; did you mean labels?"),
    (PLAIN + "[figure]\nx = 'gaps'", "did you mean gap?"),
    (PLAIN + "[figure]\nx = ['gap']", "is no axis"),
    (PLAIN + "[figure]\nx = 'gap'\ny = 'gap'", "both gap"),
    (PLAIN + "[figure]\nvalue = 'acuracy'", "did you mean accuracy?"),
    (PLAIN + "[figure]\nvalue = 'gain'", "not recorded"),
    (PLAIN + "[figure]\nvalue = 'outcome'", "not recorded"),
    (PLAIN + "[figure]\nvalue = []", "give a name, or a list"),
    (PLAIN + "[figure]\nvalue = [['accuracy']]", "not recorded"),
    (PLAIN + "[figure]\nlines = ['regimes']", "did you mean regime?"),
    (PLAIN + "[figure]\nlines = [['regime']]", "is unknown"),
    (PLAIN + "[figure]\nlines = 'regime'", "a list of names"),
    (PLAIN + "[figure]\nscale = 'log'", "give a table"),
    (PLAIN + "[figure]\nscale = {z = 'log'}", "choose from x, y, colour"),
    (PLAIN + "[figure]\nscale = {x = 'logs'}", "did you mean log?"),
    (PLAIN + "[figure]\nrange = [1, 0]", "two rising numbers"),
    (PLAIN + "[figure]\nrange = [0, 1]\nscale = {colour = 'log'}", "above 0"),
    (PLAIN + "[figure]\nlog10_t = 1", "is of curves"),
    (PLAIN + "[figure]\ncmap = 'virids'", "did you mean viridis?"),
    (PLAIN + "[figure]\ntitle = 3", "give a text"),
    (
        PLAIN + "[figure]\nvalue = ['accuracy', 'log10_t0']\nlabels = {colour = 'a'}",
        "several panels",
    ),
    (PLAIN + "[figure]\nwidth = 0.1", "inches"),
    (PLAIN + "[figure]\nstyle = 'none.mplstyle'", "cannot read"),
    (PLAIN + "[figure]\nstyle = {'font.sise' = 3}", "did you mean font.size?"),
    (PLAIN + "figure = 3", "figure"),
    (
        PLAIN.replace("0.1, 0.3, 5", "0, 0.3, 5") + "[figure]\nscale = {y = 'log'}",
        "abov",
    ),
    (CURVES + "[figure]\nvalue = 'accuracy_along'\nlog10_t = 4", "go from -1 to 3"),
    (CURVES + "[figure]\nvalue = 'accuracy_along'\nstep = 4", "are along log10_t"),
    (CURVES + "[figure]\nscale = {y = 'log'}", "needs numbers above 0"),
    (PLAIN + "bad_rate = [0.1]\nrival_share = [0.1]", "a diagram has two axes"),
    (PLAIN.replace("gap = {linspace = [0.1, 0.3, 5]}", "gap = [0.1]"), "one value"),
    ("[axes]\ngap = [0.1, 0.2]", "a diagram has two axes"),
]


@pytest.mark.parametrize("text, said", MISTAKES)
def test_mistakes_are_one_line_with_the_file(load, text, said):
    with pytest.raises(UserError, match=f"mine.toml: .*{re.escape(said)}"):
        load(text)


def test_a_file_is_drawn_stored_and_drawn_again(tmp_path, monkeypatch, capsys):
    """Computed, resumed, drawn again from the store with other looks, and repeated."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-own.toml").write_text(PLAIN)
    words = ["phase-diagram", "my-own.toml"]
    assert cli.main(words) == 0
    assert "results/phase_my_own.svg" in capsys.readouterr().out
    store = tmp_path / "results" / "data" / "phase_my_own.zarr"
    (chunk,) = (f for f in (store / "log10_t0" / "c").rglob("*") if f.is_file())
    written = chunk.stat().st_mtime_ns
    picture = tmp_path / "results" / "phase_my_own.svg"
    plain = picture.read_bytes()
    assert cli.main([*words, "--title", "Once more", "--lines"]) == 0
    assert chunk.stat().st_mtime_ns == written
    titled = picture.read_bytes()
    assert titled != plain
    assert cli.main(["figures", "--out", "results"]) == 0  # as it was drawn last
    assert picture.read_bytes() == titled
    figure = toml.parse(root.attributes(store)["sweep"])["figure"]
    assert figure == {"title": "Once more", "lines": []}
    described = re.search(rb"<dc:description>(.*?)</dc:description>", titled, re.S)
    stamp = json.loads(described[1].decode().replace("&quot;", '"'))
    assert stamp["figure"] == figure and stamp["config"]["until"] == "t0"
    assert cli.main(words) == 0
    assert picture.read_bytes() == plain
    capsys.readouterr()
    assert cli.main(["rerun", str(store)]) == 0
    assert "the same bits" in capsys.readouterr().out
    assert cli.main([*words, "--set", "bad_rate=0.2"]) == 2
    assert "bad_rate" in capsys.readouterr().err


def test_a_name_that_a_figure_has_is_refused(tmp_path, capsys):
    path = tmp_path / "diagram.toml"
    path.write_text(PLAIN)
    assert cli.main(["phase-diagram", str(path), "--out", str(tmp_path)]) == 2
    assert "phase_diagram is a figure already" in capsys.readouterr().err


def test_sweeps_take_a_figure_and_do_not_count_it(tmp_path, load):
    from experiments.sweeps import sweep_file

    plain, drawn = (toml.parse(text) for text in (PLAIN, PLAIN + FIGURE))
    assert sweep_file.read(plain).digest == sweep_file.read(drawn).digest


def test_lines_of_a_stored_file_are_on_its_cells(made, tmp_path):
    """ACC_0 = s_r in closed form, for the rates and the share of the file."""
    path = tmp_path / "mine.toml"
    model = '[model]\nfamily = "rival"\nrival_rate = 0.6\nbad_rate = 0.2\n'
    wide = PLAIN.replace("1e-3, 0.1, 4", "1e-3, 0.9, 60").replace("0.3, 5", "0.3, 40")
    path.write_text(wide.replace("[axes]", model + "rival_share = 0.5\n[axes]"))
    _, store = made(str(path), {"log10_t0": np.zeros((40, 60))})
    (panel,) = drawing.draw(*saved.load(store))
    (line,) = (c for c in panel.collections if isinstance(c, ContourSet))
    x, gap = line.get_paths()[0].vertices.T
    np.testing.assert_allclose(x, 1 / (1 + gap / (0.5 * 0.4)), rtol=0.02)
