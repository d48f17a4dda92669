"""The map: cells against their own numbers, lines against theory and NumPy."""

import base64
import json
import math

import numpy as np
import pytest

import theory
from experiments import cli
from experiments.explorer import exports, map_lines, maps, numbers, places
from experiments.explorer.arrays import log_base
from experiments.explorer.state import MAPS, State
from experiments.text.errors import UserError

FOUR = State(
    success_rates=(0.8, 0.6, 0.1, 0.4),
    logits=(-3.0, -0.35, -1.4, -2.0),
    confidences=(0.5, 0.75, 0.6, 0.95),
    clock="grpo-8",
)
TIMES = ("quality", "bad-mass", "dose")
TIED = FOUR.changed(success_rates=(0.8, 0.6, 0.8, 0.4))


def at(state: State, x: float, y: float) -> State:
    """The state at any place of its map."""
    kind = places.MAPS[state.map]
    fields = kind.at(state, x, y)
    given = {
        name: tuple(np.asarray(value).tolist()) if np.ndim(value) else float(value)
        for name, value in fields.items()
    }
    return state.changed(run=kind.run, **given)


@pytest.mark.parametrize("state", [FOUR, FOUR.changed(dose=1.0), TIED])
@pytest.mark.parametrize("name", MAPS)
def test_the_value_of_a_cell_is_that_of_its_state(name, state, rng, capsys):
    state = state.changed(map=name)
    z = maps.values(state, 40)["z"]
    seen = 0
    while seen < 4:
        i, j = rng.integers(40, size=2).tolist()
        if np.isnan(z[j, i]):
            with pytest.raises(UserError, match="no base model is there"):
                maps.cell(state, 40, i, j)
            continue
        loaded = maps.cell(state, 40, i, j)
        assert loaded.clock == "policy-gradient"
        if name in TIMES:
            value = numbers.found(loaded).numbers["log10_t0"]
        else:
            words = [*exports.words(loaded), "--at", "10000", "--json", "-"]
            assert cli.main(words) == 0
            value = json.loads(capsys.readouterr().out)["at"][0]["accuracy"]
        np.testing.assert_allclose(z[j, i], value, rtol=1e-7)
        seen += 1


@pytest.mark.parametrize("state", [FOUR, FOUR.changed(errors=(0.2, 0.1)), TIED])
@pytest.mark.parametrize("name", TIMES)
def test_lines_part_what_waits_from_what_does_not(name, state):
    state = state.changed(map=name)
    found = maps.values(state, 40)
    kind = places.MAPS[name]
    x, y = kind.x(state).values(40), kind.y(state).values(40)
    models = places.models(state, x, y[:, None])
    known = ~np.isnan(found["z"])
    from_start = found["z"] == -np.inf
    assert from_start.any() and (known & ~from_start).any()
    no_wait, leads = map_lines.no_wait(models), map_lines.rival_leads(models)
    assert ((no_wait >= 0) == from_start)[known].all()
    hull = theory.hull.dominance_hull(models.rewards, models.log_policy).vertices
    rival = state.success_rates.index(0.6)
    assert ((hull == rival).any(axis=-1) == (leads > 0))[known].all()
    assert (leads > 0)[known].any() and (leads < 0)[known].any()


@pytest.mark.parametrize("name", TIMES)
def test_points_of_lines_are_where_theory_says(name):
    state = FOUR.changed(map=name)
    labels = set()
    for line in map_lines.lines(state):
        points = np.array(line["points"])
        labels.add(line["label"])
        assert len(points) >= 4
        for x, y in points[2 : -2 : max(len(points) // 12, 1)]:
            there = at(state, x, y)
            most = 0.4 if name == "quality" else 0.9
            if line["label"].startswith("T0"):
                accuracy = np.exp(log_base(there)) @ there.success_rates
                np.testing.assert_allclose(accuracy, 0.6, atol=5e-4)
            else:
                around = [
                    at(state, x * (1 + dx), min(y * (1 + dy), most))
                    for dx in (-0.06, 0, 0.06)
                    for dy in (-0.06, 0, 0.06)
                ]
                ever = {
                    1
                    in theory.hull.dominance_hull(
                        one.rewards("rlvr"), log_base(one)
                    ).vertices
                    for one in around
                }
                assert ever == {True, False}
    assert labels == {"T0 = 0 beyond", "the rival never leads beyond"}


def test_lines_of_the_mixture_part_its_winners():
    state = FOUR.changed(map="mixture")
    rates = np.array(state.success_rates)
    labels = set()
    for line in map_lines.lines(state):
        i, j = (int(k) for k in line["label"].removeprefix("in the end ").split(" | "))
        labels.add((i, j))
        for w, c in line["points"]:
            paid = (1 - w) * rates + w * np.array([0.5, c, 0.6, 0.95])
            np.testing.assert_allclose(paid[[i, j]], paid.max(), atol=2e-3)
    grid = np.linspace(0, 1, 201)
    paid = [
        ((1 - w) * rates + w * np.array([0.5, c, 0.6, 0.95])).argmax()
        for w in grid
        for c in grid
    ]
    winners = np.array(paid).reshape(201, 201)
    pairs = [*zip(winners[1:].ravel(), winners[:-1].ravel(), strict=True)]
    pairs += zip(winners[:, 1:].ravel(), winners[:, :-1].ravel(), strict=True)
    # Beyond corners of three, where a row of the grid jumps over one of them.
    common = {p for p in {tuple(sorted(pair)) for pair in pairs} if p[0] != p[1]}
    assert labels == {(int(i), int(j)) for i, j in common}


def test_a_verifier_without_information_is_a_straight_line():
    (line,) = map_lines.lines(FOUR.changed(map="noise"))
    np.testing.assert_allclose(np.sum(line["points"], axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("state", [FOUR, TIED])
@pytest.mark.parametrize("name", MAPS)
def test_the_state_is_where_the_map_says_it_is(name, state):
    state = state.changed(map=name, dose=1.0, errors=(0.2, 0.1), weight=0.3)
    x, y = places.own_place(state)
    there = at(state, x, y)
    for field in ("success_rates", "errors", "weight", "confidences", "dose"):
        np.testing.assert_allclose(getattr(there, field), getattr(state, field))
    np.testing.assert_allclose(there.log_policy, state.log_policy, atol=1e-12)


def test_a_state_beyond_the_axes_is_not_on_the_map():
    assert places.own_place(FOUR.changed(map="dose")) is None
    rare = FOUR.changed(logits=(-20.0, -0.35, -1.4, -2.0))
    assert places.own_place(rare) is None


def test_the_answer_holds_the_values_in_few_bytes():
    found = maps.diagram(FOUR, 40)
    z = np.frombuffer(base64.b64decode(found["z"]), "<f4").reshape(40, 40)
    np.testing.assert_array_equal(z, maps.values(FOUR, 40)["z"].astype("f4"))
    assert len(json.dumps([found["lines"], found["here"]])) < 15_000
    np.testing.assert_allclose(found["here"], [math.exp(FOUR.log_policy[0]), 0.2])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State((0.5, 0.5), (0.0, 0.0), (0.5, 0.5)), "all rates are equal"),
        (State((0.9, 0.5), (0.0, 0.0), (0.5, 0.5), map="bad-mass"), "three patterns"),
    ],
)
def test_a_state_without_a_map_is_one_line(state, words):
    with pytest.raises(UserError, match=words):
        maps.diagram(state, 40)


@pytest.mark.parametrize("kind", ["quality", "dose"])
def test_paid_to_be_wrong_a_run_takes_off_at_once_or_never(kind):
    """It was waited for: for 9 to 18 seconds a map."""
    state = State(errors=(0.6, 0.7), map=kind)
    z = maps.values(state, 40)["z"]
    assert {-math.inf, math.inf} <= set(z[~np.isnan(z)].tolist())
    for j, i in ((3, 2), (3, 38), (20, 20), (20, 36), (38, 30)):
        cell = maps.cell(state, 40, i, j)
        found = numbers.found(cell).numbers["log10_t0"]
        assert found == z[j, i] and not math.isfinite(found)
