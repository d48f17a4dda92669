"""`phase-diagram --set`: whatever a sweep file says, and lines that are true then."""

import numpy as np
import pytest

import simulator as sim
from experiments.diagrams import changes, lines
from experiments.sweeps import assembly, grid
from experiments.text.errors import UserError
from simulator import rollouts as ro


def roots(name, *fixed, **options):
    """Signal, update and event, or the recipe, of a diagram with changes."""
    return changes.load(name, fixed=fixed, quick=True, **options).sweep.roots


def test_parts_and_their_parameters():
    found = roots("quality", "update=natural-gradient", "signal=self-certainty",
                  "rival_rate=0.4")  # fmt: skip
    assert type(found["update"]) is sim.NaturalGradient
    assert type(found["signal"]) is sim.SelfCertainty
    for words in (("beta=0.01",), ("update.beta=1e-2",)):
        assert float(roots("quality", *words)["update"].beta) == 0.01
    # In any order, the whole part first.
    found = roots("quality", "beta=0.25", "update=natural-gradient")
    assert found["update"].beta == 0.25
    assert type(found["update"]) is sim.NaturalGradient
    table = "update={name='grpo', group_size=4, spread='sample'}"
    grpo = roots("noise", table)["update"]
    assert (grpo.group_size, grpo.spread) == (4, "sample")
    grpo = roots("noise", "update.spread=sample", "redraw=true")["update"]
    assert (grpo.group_size, grpo.spread, grpo.redraw) == (8, "sample", True)
    assert float(roots("quality", "until=gap=1e-4")["until"].level) == 1e-4
    assert float(roots("warm-start", "level=0.7")["until"].level) == 0.7
    assert float(roots("warm-start", "until=accuracy=.7")["until"].level) == 0.7


def test_parts_of_mixtures_and_recipes():
    changed = changes.load(
        "mixture", x="gap=0.1:0.2", fixed=["fixed-confidence.weight=0.25"], quick=True
    )
    signal = changed.sweep.roots["signal"]
    np.testing.assert_allclose(signal.weights, [0, 0.25])  # the rest comes later
    assert changed.sweep.rest == 0 and changed.sweep.own == (1,)
    found = roots("steps", "estimator=grpo", "recipe.num_steps=50")["recipe"]
    assert type(found.estimator) is ro.GRPO and found.num_steps == 50
    found = roots("steps", "recipe.feedback.false_positive=0.1")["recipe"]
    assert float(found.feedback.false_positive) == 0.1
    found = roots("steps", "recipe=dapo")["recipe"]
    assert found.group_size == 16 and found.redraws == 10


def test_keys_tables_and_what_is_taken_away():
    found = changes.load(
        "quality",
        fixed=["max_log10_time=5", "model.family=crowd", "until=", "tolerance=1e-8"],
        y="bad_probability=0.1:0.4",
        cells=4,
    )
    assert found.sweep.max_log10_time == 5 and found.sweep.table["tolerance"] == 1e-8
    assert found.sweep.family.parameters.keys() >= {"bad_probability", "patterns"}
    assert "until" not in found.sweep.table
    found = changes.load(
        "quality",
        fixed=["patterns=5", "model.family=confident", "model.rival_rate="],
        x="correlation=0:1",
        y="entropy=0.1:0.9",
    )
    assert found.sweep.fixed["patterns"] == 5  # of the family that is given after it
    summed = changes.load(
        "self-confidence", fixed=["reduce.statistics=['q50', 'mean']"], quick=True
    )
    assert summed.sweep.reduce.statistics == ("q50", "mean")
    listed = changes.load("quality", fixed=["axes.gap=[0.1, 0.2, 0.3]"], cells=5)
    np.testing.assert_array_equal(listed.y.values, [0.1, 0.2, 0.3])
    drawn = changes.load("quality", fixed=["figure.scale={y='linear'}"])
    assert drawn.scales == {"y": "linear"}


@pytest.mark.parametrize(
    "name, fixed, said",
    [
        ("quality", ["update=natural-gradeint"], "did you mean natural-gradient?"),
        ("quality", ["bta=0.1"], "parameter bta is unknown here"),
        ("quality", ["false_positive=0.1"], "parameter false_positive is unknown here"),
        ("quality", ["beta=low"], "give a number"),
        ("quality", ["update.beta=0.1", "update.beta=0.2"], "given twice"),
        ("quality", ["gap=0.2"], "gap is an axis here"),
        ("quality", ["model.gap=0.2"], "gap is an axis here"),
        ("noise", ["signal.false_positive=0.2"], "false_positive is an axis here"),
        ("steps", ["recipe.group_size=4"], "group_size is an axis here"),
        ("quality", ["recipe=grpo"], "'log10_t0' is unknown here"),
        ("quality", ["=3"], "NAME=VALUE"),
        ("quality", ["axes.gap="], "a diagram has two axes"),
        ("quality", ["beta="], "does not say beta"),
        ("quality", ["model.bad_rat="], "does not say model.bad_rat"),
        ("quality", ["rival_rate=0.1"] * 2, "given twice"),
        ("quality", ["update={name='grpo'"], "unknown"),
        ("quality", ["model.familly=crowd"], "no parameter 'familly'"),
    ],
)
def test_what_cannot_be_set_is_one_line(name, fixed, said):
    with pytest.raises(UserError) as caught:
        changes.load(name, fixed=fixed, quick=True)
    assert said in str(caught.value) and "\n" not in str(caught.value)


KEPT = [
    ("quality", "update=natural-gradient", {"regime"}),
    ("quality", "beta=0.1", {"regime"}),
    ("entanglement", "beta=0.1", set()),
    ("entanglement", "beta=0", {"lower_bound"}),
    ("entanglement", "update=natural-gradient", set()),
    ("entanglement", "update=grpo", set()),
    ("entanglement", "signal={name='noisy-verifier', false_positive=0.1}", set()),
    ("bad-mass", "update=pass-at-n", {"regime"}),
    ("bad-mass", "signal=token-entropy", {"regime"}),
    ("self-confidence", "update=natural-gradient", set()),
    ("self-confidence", "beta=0.1", set()),
    ("self-confidence", "signal=verifiable", set()),
    ("mixture", "update=natural-gradient", {"same_pay"}),
    ("mixture", "beta=0.1", set()),
    ("mixture", "signal=[{name='self-certainty', weight='rest'}, "
     "{name='fixed-confidence', weight=0.5}]", set()),
    ("noise", "update=policy-gradient", {"no_information"}),
    ("steps", "estimator=grpo", set()),
    ("steps", "recipe.feedback.false_positive=0.1", set()),
    ("steps", "model.success_rates=[0.6, 0.4]", {"step_size"}),
    ("steps", "num_steps=10", {"step_size"}),
    ("warm-start", "update=natural-gradient", {"data_regime"}),
    ("warm-start", "signal={name='noisy-verifier', false_positive=0.1}",
     {"data_regime"}),
    ("warm-start", "until=gap=1e-2", set()),
]  # fmt: skip


@pytest.mark.parametrize("name, item, kept", KEPT)
def test_a_line_that_is_not_true_is_left_out_and_said(name, item, kept):
    usual = changes.load(name, quick=True)
    found = changes.load(name, quick=True, fixed=[item])
    assert set(found.lines) == kept
    left = [line for line in usual.lines if line not in kept]
    assert len(found.notes) == len(left)
    for line, note in zip(left, found.notes, strict=True):
        assert note.startswith(f"the line {line} is left out: it ")


def test_every_line_has_a_name_a_sentence_and_assumptions_in_words():
    for name, line in lines.LINES.items():
        assert name.isidentifier() and line.text and "\n" not in line.text
        assert all(one.words for one in line.assumes)


@pytest.mark.parametrize(
    "signal, update",
    [
        (sim.Verifiable(), sim.NaturalGradient()),
        (sim.Verifiable(), sim.PolicyGradient(beta=0.01)),
        (sim.SelfCertainty(), sim.PolicyGradient()),
    ],
)
def test_beyond_the_regime_there_is_no_wait_whatever_is_paid(signal, update):
    """Where ACC_0 passes s_r, by hand: T0 is from the start on the one side only."""
    gap, share, rival, bad = 0.2, 0.75, 0.6, 0.1
    edge = (1 - share) * (rival - bad) / (gap + (1 - share) * (rival - bad))
    best = edge * np.array([0.999, 1.001])
    policy = np.stack([best, share * (1 - best), (1 - share) * (1 - best)], axis=-1)
    rates = np.array([[rival + gap, rival, bad]] * 2)
    kernel = np.stack([rates, 1 - rates], axis=-1)
    problem = sim.Problem(rates, policy, answer_kernel=kernel)
    solution = sim.solve(problem, signal, update, events=[sim.T0()], max_log_time=5.0)
    before, beyond = np.asarray(solution["t0"].log_time)
    assert before > -np.inf and beyond == -np.inf


def test_the_rival_wins_beyond_equal_pay_under_the_natural_gradient_too():
    rates, confidence = np.array([[0.9, 0.6, 0.1]] * 2), np.array([0.9, 1.0, 0.1])
    even = 0.3 / 0.4  # (1 - w) 0.3 = w 0.1
    weights = np.array([even - 0.02, even + 0.02])
    paid = (1 - weights[:, None]) * rates + weights[:, None] * confidence
    for update in (sim.PolicyGradient(), sim.NaturalGradient()):
        problem = sim.Problem(rates, [[0.05, 0.7, 0.25]] * 2)
        solution = sim.solve(problem, sim.FixedConfidence(paid), update)
        assert list(np.argmax(solution.policy, axis=-1)) == [0, 1]


MODELS = """base_model,success_rate,probability
base,0.9,0.05
base,0.6,0.95
after SFT,0.9,0.2
after SFT,0.6,0.8
"""
OF_MODELS = """record = ["log10_t0"]
[model]
success_rates = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]
policy = [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]
names = ["a", "b", "c"]
[axes]
update = ["policy-gradient", "grpo"]
temperature = [1.0, 2.0]
"""


def test_base_models_are_set_by_name_and_by_file(tmp_path):
    file, models = tmp_path / "m.toml", tmp_path / "models.csv"
    file.write_text(OF_MODELS)
    models.write_text(MODELS)

    def kept(*fixed):
        sweep = changes.load(str(file), fixed=fixed).sweep
        rates = []
        for unit in grid.cut(sweep).units():
            runs = assembly.assemble(sweep, grid.cells(sweep, unit), unit.num_cells)
            rates += runs.base.success_rates[:, 0].tolist()
        return [axis.name for axis in sweep.kept], rates

    both = ["update", "temperature"]
    for item in ("base_model=b", "model.base_model=b", "base_model=1"):
        assert kept(item) == (both, 4 * [0.8])
    other = f"model.file={models}"
    names, rates = kept(other)
    assert names == ["base_model", *both] and rates == 8 * [0.9]
    policy = changes.load(str(file), fixed=[other]).sweep.table["model"]["policy"]
    assert policy == [[0.05, 0.95], [0.2, 0.8]]
    assert kept("base_model=after SFT", other) == (both, 4 * [0.9])
    assert kept("update=grpo")[0] == ["base_model", "temperature"]
    for item, said in (
        ("base_model=d", "d is unknown; choose from a, b, c"),
        ("model.file=none.csv", "cannot read none.csv"),
    ):
        with pytest.raises(UserError, match=said):
            kept(item)
