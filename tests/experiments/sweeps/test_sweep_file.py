"""The language of sweep files."""

import dataclasses

import numpy as np
import pytest

from experiments.sweeps import families, grid, layout, run_units
from experiments.sweeps.assembly import assemble
from experiments.text.errors import UserError
from tests.experiments.sweeps import small
from tests.experiments.sweeps.small import read


def first(text, number=3):
    """The first cells of a sweep, assembled."""
    sweep = read(text)
    values = {
        axis.name: axis.values[0]
        if sweep.is_static(i)
        else np.resize(axis.values, number)
        for i, axis in enumerate(sweep.axes)
    }
    return assemble(sweep, values, number)


def test_axes_set_what_they_are_named_after():
    runs = first(
        """
        signal = {name = "noisy-verifier", false_negative = 0.1}
        update = "grpo"
        until = "gap=0.1"
        [axes]
        false_positive = [0.0, 0.2, 0.3]
        group_size = [4, 8]
        level = [0.01, 0.02, 0.03]
        gap = [0.1, 0.2, 0.3]
        """
    )
    np.testing.assert_allclose(runs.roots["signal"].false_positive, [0.0, 0.2, 0.3])
    np.testing.assert_allclose(runs.roots["signal"].false_negative, 0.1)
    assert runs.roots["update"].group_size == 4
    np.testing.assert_allclose(runs.roots["until"].level, [0.01, 0.02, 0.03])
    rates = runs.problem.success_rates
    np.testing.assert_allclose(rates[:, 0] - rates[:, 1], [0.1, 0.2, 0.3])


def test_parts_are_axes_by_name():
    sweep = read('[axes]\nupdate = ["natural-gradient", "pass-at-n"]\nbeta = [0.0]')
    assert sweep.is_static(0) and not sweep.is_static(1)
    runs = first('[axes]\nsignal = ["verifiable"]\nupdate = ["natural-gradient"]')
    assert type(runs.roots["update"]).__name__ == "NaturalGradient"


def test_weights_of_a_mixture_and_what_they_leave():
    runs = first(
        """
        signal = [
          {name = "verifiable", weight = "rest"},
          {name = "fixed-confidence", weight = 0.1},
          {name = "self-certainty", weight = 0.2},
        ]
        [model]
        success_rates = [0.9, 0.6]
        policy = [0.5, 0.5]
        answer_kernel = [[0.9, 0.1], [0.6, 0.4]]
        [axes]
        "fixed-confidence.weight" = [0.0, 0.3, 0.5]
        """.replace(
            '"fixed-confidence", weight',
            '"fixed-confidence", confidence = [0.1, 0.2], weight',
        )
    )
    want = [[0.8, 0, 0.2], [0.5, 0.3, 0.2], [0.3, 0.5, 0.2]]
    np.testing.assert_allclose(runs.roots["signal"].weights, want)


def test_the_model_pays_its_own_confidence():
    runs = first(
        'signal = "fixed-confidence"\n[axes]\noverconfidence = [0.0, 0.1, 0.2]'
    )
    paid = runs.roots["signal"].confidence
    np.testing.assert_allclose(paid[:, 1], [0.6, 0.7, 0.8])
    np.testing.assert_allclose(paid[:, 0], 0.9)


def test_numbers_of_a_recipe():
    runs = first(
        """
        recipe = {estimator = "rloo", penalties = [{name = "kl-loss3", weight = 0.1}]}
        [axes]
        group_size = [4]
        learning_rate = [0.1, 0.2, 0.3]
        "kl-loss3.weight" = [1.0, 2.0, 3.0]
        false_negative = [0.0, 0.1, 0.2]
        estimator = ["grpo", "rloo"]
        """
    )
    recipe = runs.roots["recipe"]
    assert recipe.group_size == 4 and type(recipe.estimator).__name__ == "GRPO"
    np.testing.assert_allclose(recipe.learning_rate, [0.1, 0.2, 0.3])
    assert recipe.penalties[0].weight == 1.0
    assert recipe.feedback.false_negative.shape == (3, 1, 1)


def test_the_name_nearer_to_the_root_wins_and_full_names_are_exact():
    sweep = read('recipe = "pass-at-n"\n[axes]\ngroup_size = [2]')
    assert sweep.places[0].path == ("recipe", "group_size")
    sweep = read("[axes]\nbeta = [0.1]")
    assert sweep.places[0].name == "update.beta"


def test_full_names_of_model_parameters_mean_the_same():
    text = '[model]\nfamily = "random"\n[axes]\n{0} = [2, 20]\n{1} = [3]'
    plain = read(text.format("patterns", "answers"))
    full = read(text.format('"model.patterns"', '"model.answers"'))
    bare = read(text.format("model.patterns", "model.answers"))
    assert plain.width == full.width == bare.width == 20
    assert full.is_static(1) and not full.is_static(0)
    assert [axis.name for axis in bare.axes] == ["model.patterns", "model.answers"]


def test_a_parameter_twice_is_refused_however_its_name_is_written():
    with pytest.raises(UserError, match="the same parameter"):
        read('[axes]\n"update.beta" = [1.0, 2.0]\nupdate.beta = [3.0, 4.0]')


def test_units_are_boxes_that_cover_the_grid():
    sweep = read(
        "[axes]\nbeta = {linspace = [0, 1, 7]}\n"
        "gap = {linspace = [0.1, 0.3, 300]}\nbad_rate = {linspace = [0, 0.5, 400]}"
    )
    cells = grid.cut(sweep)
    assert cells.chunk == (1, 163, 400)
    seen = np.zeros(cells.shape, int)
    for unit in cells.units():
        seen[unit.region] += 1
        assert cells.unit_of(tuple(s.start for s in unit.region)).index == unit.index
    assert (seen == 1).all()
    unit = cells.unit(3)
    values = grid.cells(sweep, unit)
    np.testing.assert_allclose(
        values["bad_rate"].reshape(unit.shape)[0, 0], sweep.axes[2].values
    )
    np.testing.assert_array_equal(values["beta"], sweep.axes[0].values[1])


def test_summarised_axes_come_last_and_make_no_dimension():
    sweep = read(
        '[model]\nfamily = "random"\n[axes]\ndraw = {count = 5}\ntilt = [0.0, 0.5]\n'
        '[reduce]\nover = ["draw"]'
    )
    assert [axis.name for axis in sweep.axes] == ["tilt", "draw"]
    assert sweep.num_cells == 2 and sweep.lanes_per_cell == 5
    many = grid.with_runs(sweep, {"tilt": np.array([0.0, 0.5])}, 2, 1, 4)
    np.testing.assert_array_equal(many["draw"], [1, 2, 3, 1, 2, 3])
    np.testing.assert_array_equal(many["tilt"], [0, 0, 0, 0.5, 0.5, 0.5])


def test_the_digest_is_of_all_that_decides():
    plain = small.sweep()
    assert small.sweep(title="another name").digest == plain.digest
    assert small.sweep(until="crossing").digest != plain.digest
    assert small.sweep(seed=1).digest != plain.digest
    moved = {"gap": [0.1, 0.2], "best_probability": [0.1]}
    assert small.sweep(axes=moved).digest != plain.digest
    turned = dict(reversed(small.sweep().table["axes"].items()))
    assert small.sweep(axes=turned).digest != plain.digest


def test_the_digest_knows_what_a_file_of_a_recipe_says(tmp_path):
    file = tmp_path / "mine.toml"
    digests = set()
    for steps in (10, 20):
        file.write_text(f"num_steps = {steps}")
        for text in (
            f'recipe = "{file}"\n[axes]\ngap = [0.1]',
            f'recipe = "rloo"\n[axes]\nrecipe = ["{file}", "grpo"]',
        ):
            digests.add(read(text).digest)
    assert len(digests) == 4


@pytest.mark.parametrize(
    "text, said",
    [
        ("x = = 1", "not TOML"),
        ("", r"\[axes\] is missing"),
        ("axis = 3", "'axis' is unknown"),
        ("seed = -1\n[axes]\ngap = [0.1]", "2\\^63"),
        ("signal = 3\n[axes]\ngap = [0.1]", "a name or a table or a list"),
        ("axes = 5", "axes = 5 is of the wrong kind; give a table"),
        ("record = 'gain'\n[axes]\ngap = [0.1]", "give a list"),
        ("[model]\nfamily = 'rival'\ngap = 0.2\n[axes]\ngap = [0.1]", "give it once"),
        ("update = 'grpo'\n[axes]\nupdate = ['grpo']\ngap = [0.1]", "fixed too"),
        ("signal = 'magic'\n[axes]\ngap = [0.1]", "choose from verifiable"),
        ("signal = []\n[axes]\ngap = [0.1]", "at least one"),
        ("signal = [{name = 'verifiable'}]\n[axes]\ngap = [0.1]", "weight"),
        (
            "signal = [{name = 'verifiable', weight = 'rest'}, "
            "{name = 'verifiable', weight = 'rest'}]\n[axes]\ngap = [0.1]",
            "only one part",
        ),
        ("update = ['grpo']\n[axes]\ngap = [0.1]", "wrong kind"),
        ("until = 'never'\n[axes]\ngap = [0.1]", "give one of accuracy=LEVEL"),
        ("until = 'gap=2'\n[axes]\ngap = [0.1]", "between 0 and 1"),
        (
            "until = 'accuracy'\n[axes]\nlevel = [0.7, 0.8]",
            "give a level between 0 and 1, as in 'accuracy=0.5'; an axis `level` takes "
            "its place",
        ),
        ("method = 'magic'\n[axes]\ngap = [0.1]", "auto, exact or flow"),
        ("max_steps = 0\n[axes]\ngap = [0.1]", "max_steps"),
        ("max_log10_time = 1e9\n[axes]\ngap = [0.1]", "max_log10_time"),
        ("recipe = 'grpo'\nsignal = 'verifiable'\n[axes]\ngap = [0.1]", "the flow"),
        ("recipe = 'magic'\n[axes]\ngap = [0.1]", "cannot read"),
        ("record = ['magic']\n[axes]\ngap = [0.1]", "choose from log10_time"),
        ("record = []\n[axes]\ngap = [0.1]", "at least one"),
        ("recipe = 'rloo'\nrecord = ['log10_t0']\n[axes]\ngap = [0.1]", "unknown here"),
        ("[model]\ngap = 0.1\n[axes]\nbad_rate = [0.1]", "family = NAME .rival, warm"),
        ("[model]\n[axes]\ngap = [0.1]", "no family and no base models; give family"),
        ("[model]\nfamily = 'magic'\n[axes]\ngap = [0.1]", "choose from rival"),
        ("[model]\nfamily = 'rival'\nx = 1\n[axes]\ngap = [0.1]", "no parameter 'x'"),
        ("[model]\nfamily = 'rival'\ngap = 'x'\n[axes]\nbad_rate = [0.1]", "a number"),
        ("[model]\nfamily = 'rival'\ngap = 2\n[axes]\nbad_rate = [0.1]", "from 0 to 1"),
        ("[axes]\ngap = [0.1, 1.1]", "axis gap = 1.1"),
        ("[axes]\ngap = ['a']", "give numbers"),
        ("[axes]\nupdate = [1]", "give names"),
        ("[axes]\ntemperature = [1]", "choose from best_probability"),
        ("[axes]\ngap = [0.1]\n'model.gap' = [0.1]", "same parameter"),
        ("[axes]\nseed = {count = 3}", "axis seed is unknown"),
        ("recipe = 'rloo'\n[axes]\nseed = [3, 4]", "count = N"),
        (
            "recipe = 'rloo'\nrecord = ['first_step']\n[axes]\ngap = [0.1]",
            "first_step is that of an event",
        ),
        (
            "recipe = 'rloo'\nuntil = 't0'\nrecord = ['gain']\n[axes]\ngap = [0.1]",
            "first_step is that of an event",
        ),
        ("recipe = 'rloo'\nuntil = 'rest'\n[axes]\ngap = [0.1]", "come to rest"),
        ("recipe = 'rloo'\nuntil = 'accuracy'\n[axes]\ngap = [0.1]", "a level betw"),
        ("record = ['first_step']\n[axes]\ngap = [0.1]", "unknown here"),
        (
            "[axes]\ngap = {linspace = [0.1, 0.2, 1000000]}\n"
            "bad_rate = {linspace = [0, 0.1, 1000000]}",
            "at most",
        ),
        (
            "[axes]\nupdate = ['grpo']\ngap = [0.1]\n[reduce]\nover = ['update']",
            "cannot be summarised",
        ),
        (
            "[axes]\nbad_rate = [0.1]\ngap = [0.1]\n[reduce]\nover = ['gap']\n"
            "histogram = {gain = [0, 1, 3]}",
            "record it",
        ),
    ],
)
def test_bad_files_are_refused_before_anything_runs(text, said):
    with pytest.raises(UserError, match=said):
        read(text)


COLLIDING = """
record = [{record}]
[model]
family = "confident"
[axes]
{axis} = [0.5, 0.7]
draw = [0, 1]
{more}
"""


@pytest.mark.parametrize(
    "record, axis, more, said",
    [
        ('"entropy"', "entropy", "", 'called entropy; .*full name, "model.entropy"'),
        (
            '"entropy"',
            "entropy",
            '[along]\nrecord = ["accuracy"]\nlog10_t = [1]',
            '"model.entropy"',
        ),
        (
            '"accuracy"',
            "entropy",
            '[reduce]\nover = ["draw"]\nhistogram = {accuracy = [0, 1, 5]}',
            None,
        ),
        ('"entropy"', '"model.entropy"', "", None),
        ('"entropy"', "entropy", '[reduce]\nover = ["draw"]', None),
    ],
)
def test_names_that_collide_in_the_store_are_refused(record, axis, more, said):
    text = COLLIDING.format(record=record, axis=axis, more=more)
    if said is None:
        sweep = read(text)
        names = [*layout.variables(sweep), *layout.coordinates(sweep)]
        assert len(set(names)) == len(names)
        return
    with pytest.raises(UserError, match=said):
        read(text)


NAMES = ["outcome", "runs_reached", "units", "accuracy_mean", "accuracy_along",
         "accuracy_along_mean", "accuracy_histogram", "accuracy_bin", "log10_t",
         "accuracy", "signal_odd"]  # fmt: skip


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_whatever_an_axis_is_called_no_two_things_are_called_alike(
    name, reduced, monkeypatch
):
    """A family of somebody's own may have parameters of any name."""
    family = families.FAMILIES["rival"]
    odd = dataclasses.replace(
        family,
        parameters=family.parameters | {name: families.Parameter(0.5, 0, 1, "odd")},
    )
    monkeypatch.setitem(families.FAMILIES, "rival", odd)
    text = (
        f'record = ["accuracy"]\n[axes]\n{name} = [0.1, 0.2]\ngap = [0.1, 0.2]\n'
        '[along]\nrecord = ["accuracy"]\nlog10_t = [1, 2]\n'
    )
    if reduced:
        text += '[reduce]\nover = ["gap"]\nhistogram = {accuracy = [0, 1, 5]}'
    try:
        sweep = read(text)
    except UserError as error:
        assert f"two things called {name}" in str(error)
        full = text.replace(f"{name} = [", f'"model.{name}" = [', 1)
        read(full)  # as it says
        return
    store = [*layout.variables(sweep), *layout.coordinates(sweep), "units"]
    assert len(set(store)) == len(store) and name in store


@pytest.mark.parametrize(
    "text, said",
    [
        ("[axes]\ngap = [0.1, 0.9]", "gap = 0.9.*1.5"),
        ("[model]\nfamily = 'crowd'\n[axes]\nbad_probability = [0.1, 1.0]", "below 1"),
        (
            "signal = 'self-certainty'\n[model]\nsuccess_rates = [0.9, 0.5]\n"
            "policy = [0.5, 0.5]\n[axes]\ntemperature = [1.0]",
            "kernel",
        ),
        (
            "signal = 'fixed-confidence'\n[model]\nfamily = 'crowd'\n"
            "[axes]\nbest_rate = [0.9]",
            "family with confidences",
        ),
        ("[axes]\nbeta = [0.0, -1.0]", "beta"),
        ("update = 'grpo'\n[axes]\ngroup_size = [1, 2]", "at least 2"),
        ("[axes]\nupdate = ['policy-gradient', 'grpo']\nbeta = [0.1]", "no parameter"),
        ("update = {name = 'policy-gradient', beta = 0.1}\nmethod = 'exact'\n"
         "[axes]\ngap = [0.1]", "no closed form"),
        ("recipe = 'rloo'\n[axes]\nlearning_rate = [0.1, -1]", "learning_rate"),
        ("recipe = 'rloo'\nuntil = 'gap=0.1'\n[axes]\ngap = [0.1]", "no meaning at a"),
        ("recipe = 'rloo'\n[axes]\ngroup_size = [2, 2.5]", "whole number"),
    ],
)  # fmt: skip
def test_corners_that_cannot_be_run_are_named(text, said):
    with pytest.raises(UserError, match=said) as caught:
        run_units.check_corners(read(text))
    assert str(caught.value).startswith("at ")


@pytest.mark.parametrize(
    "text, said",
    [
        ("recipe = {estimator = 'rloo'}", "All steps were taken."),
        ("until = 'rest'", "stop at an event"),
        ("until = 'crossing'", "raise the limit or relax the event"),
    ],
)
def test_the_advice_of_the_time_limit_fits_the_runs(text, said):
    record = "accuracy" if "recipe" in text else "log10_time"
    sweep = read(f"record = [{record!r}]\n{text}\n[axes]\ngap = [0.1]")
    given = layout.advice(sweep, ["horizon"])["horizon"]
    assert said in given
    stored = layout.variables(sweep)["outcome"].attributes["advice"]
    assert f"horizon: {given}" in stored.splitlines()
