"""Solutions and runs know what was asked for, and say it."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

import simulator as sim
from simulator import rollouts as ro

matplotlib.use("Agg")

ONE = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
RATES = np.array([[0.9, 0.6, 0.1], [0.2, 0.5, 0.7], [0.3, 0.3, 0.3]])
BASE = np.array([[0.05, 0.70, 0.25], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
MANY = sim.Problem(RATES, BASE)
EVENTS = (sim.T0(), sim.Leads(0), sim.Leads(1), sim.Accuracy(0.7))
GIVEN = sim.Verifiable()


@pytest.fixture(scope="module")
def one():
    return sim.solve(ONE, GIVEN, until=sim.Gap(1e-2), events=EVENTS)


@pytest.fixture(scope="module")
def many():
    levels = np.array([1e-2, 1e-1, 1e-3])
    return sim.solve(MANY, GIVEN, until=sim.Gap(levels), events=EVENTS)


@pytest.fixture(scope="module")
def mixed():
    return sim.solve(MANY, GIVEN, until=sim.Accuracy(np.array([0.8, 0.6, 0.5])))


def test_events_are_found_by_equal_objects_and_by_name(one):
    for i, (event, name) in enumerate(
        zip(EVENTS, ("t0", "leads=0", "Leads=1", "accuracy"), strict=True)
    ):
        for moment in (one.at(type(event)(*jax.tree.leaves(event))), one[name]):
            assert moment.log_time == one.event_log_times[i]
            assert (moment.log_probs == one.event_log_probs[i]).all()
    assert one["accuracy=0.70"].name == "accuracy=0.7"
    assert one.event_names == ["t0", "leads=0", "leads=1", "accuracy=0.7"]
    assert one.events == EVENTS and one.until == sim.Gap(1e-2)


def test_a_moment_says_when_and_whether(one):
    t0, start = one["t0"], one["leads=1"]
    assert t0.happened and start.happened and start.log_time == -np.inf
    np.testing.assert_allclose(t0.time, 42.6832, rtol=1e-5)
    np.testing.assert_allclose(10**t0.log10_time, t0.time)
    np.testing.assert_allclose(t0.policy.sum(), 1)
    np.testing.assert_allclose(t0.policy @ jnp.array([0.9, 0.6, 0.1]), 0.6)
    never = sim.solve(ONE, GIVEN, events=(sim.Leads(2),))["leads"]
    assert not never.happened and never.log_time == np.inf


def test_the_event_to_stop_at_has_a_moment_too(one):
    for moment in (one["gap"], one["gap=1e-2"], one.at(sim.Gap(1e-2))):
        assert moment.happened and moment.log_time == one.log_time
    late = sim.solve(ONE, GIVEN, until=sim.Gap(1e-2), max_log_time=1.0)
    assert not late["gap"].happened and late["gap"].log_time == np.inf
    assert late.log_time == 1.0


def test_names_that_fit_none_or_several_are_refused(one):
    said = r"`crossing` was not asked for; solve with events=\[Crossing\(\)\]; it has: "
    with pytest.raises(KeyError, match=said + "t0, leads=0, .*gap=0.01."):
        one["crossing"]
    with pytest.raises(KeyError, match=r"events=\[OptimalProbability\(0.5\)\]"):
        one["optimal-probability=0.5"]
    with pytest.raises(KeyError, match=r"events=\[SuboptimalMass\(LEVEL\)\]"):
        one["suboptimal-mass"]
    with pytest.raises(KeyError, match="`crosing` is no event; it has: t0, leads=0"):
        one["crosing"]
    with pytest.raises(KeyError, match="`leads` fits several.*leads=1"):
        one["leads"]
    with pytest.raises(KeyError, match="leads=x"):
        one["leads=x"]
    with pytest.raises(ValueError, match=r"`leads=2` was not .*events=\[Leads\(2\)\]"):
        one.at(sim.Leads(2))
    with pytest.raises(
        ValueError, match=r"`gap=0.02` was not .*events=\[Gap\(0.02\)\]"
    ):
        one.at(sim.Gap(2e-2))


def test_the_same_event_twice_is_found():
    found = sim.solve(ONE, GIVEN, until=sim.T0(), events=(sim.T0(), sim.T0()))
    assert found["t0"].log_time == found.at(sim.T0()).log_time == found.log_time


def test_a_batch_has_its_moments_and_lanes(many):
    assert many["leads=1"].happened.shape == many.batch_shape == (3,) == (len(many),)
    levels = np.array([1e-2, 1e-1, 1e-3])
    np.testing.assert_array_equal(
        many.at(sim.Gap(levels)).happened, many.outcome_names == "reached"
    )
    for i, lane in enumerate(many):
        alone = sim.solve(MANY[i], GIVEN, until=sim.Gap(levels[i]), events=EVENTS)
        assert lane.until == sim.Gap(levels[i]) and lane.batch_shape == ()
        assert lane.outcome_names == alone.outcome_names == many.outcome_names[i]
        np.testing.assert_allclose(lane.log_time, alone.log_time, rtol=1e-12)
        assert (lane.problem.success_rates == RATES[i]).all()
    back = many[::-1]
    assert back.at(sim.Gap(levels[::-1])).log_time[0] == many["gap"].log_time[2]
    mapped = jax.tree.map(lambda leaf: leaf[1], many)
    assert mapped.until == sim.Gap(0.1) and mapped["gap=0.1"].happened
    with pytest.raises(ValueError, match=r"with until=Gap\(\[1 2 3\]\); it has: t0, "):
        many.at(sim.Gap([1.0, 2.0, 3.0]))
    with pytest.raises(IndexError, match="one run"):
        many[0][0]
    with pytest.raises(TypeError, match="no length"):
        len(many[0])


def test_lanes_of_a_batch_without_events_can_be_taken_out():
    batch = sim.solve(MANY, GIVEN, until=sim.Gap(1e-2))
    assert batch.event_log_times.shape == (3, 0)
    ends, inside = np.asarray(batch.log_time), np.array([True, False, True])
    assert batch[1].log_time == ends[1] and batch[-1].batch_shape == ()
    for key in (slice(1, None), [2, 0], inside):
        np.testing.assert_array_equal(batch[key].log_time, ends[key])
        assert batch[key].event_log_probs.shape == (2, 0, 3)
    assert [float(lane.log_time) for lane in batch] == ends.tolist()
    square = sim.Problem(np.stack([RATES, RATES]), np.stack([BASE, BASE]))
    assert sim.solve(square, GIVEN)[1].event_log_times.shape == (3, 0)
    import matplotlib.pyplot as plt

    axes = batch[0].plot(points=20)
    assert [text.get_text() for text in axes.texts] == ["gap=0.01"]
    plt.close()


def test_labels_go_through_jit_vmap_and_derivatives(many):
    def solve(logits, level):
        problem = sim.Problem(jnp.asarray(RATES[0]), logits=logits)
        return sim.solve(problem, GIVEN, until=sim.Gap(level), events=EVENTS)

    logits = jnp.log(BASE[0])
    plain = solve(logits, 0.01)
    inside = jax.jit(solve)(logits, 0.01)
    assert inside["t0"].log_time == plain["t0"].log_time
    # The level was traced: any will do.
    assert inside.at(sim.Gap(0.3)).name == "gap" and inside["gap"].happened
    assert eqx_equal(inside.problem, plain.problem)
    with pytest.raises(ValueError, match="inside of jit"):
        inside.plot()
    several = jax.vmap(solve)(jnp.stack([logits, logits]), jnp.array([0.1, 0.01]))
    np.testing.assert_allclose(several["gap"].log_time[1], plain.log_time, rtol=1e-12)
    assert several[1]["t0"].log_time.shape == ()

    def log_t0(logits):
        return solve(logits, 0.01).at(sim.T0()).log_time

    by_place = jax.grad(lambda x: solve(x, 0.01).event_log_times[0])(logits)
    assert (jax.grad(log_t0)(logits) == by_place).all() and by_place.any()
    _, change = jax.jvp(lambda x: solve(x, 0.01), (logits,), (jnp.ones(3),))
    assert change["t0"].log_time.shape == ()


def eqx_equal(a, b):
    return all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))


def test_labels_add_nothing_to_the_engines_programs(monkeypatch):
    """The program of an engine returns what it did before there were labels."""
    from simulator.engines import run

    seen, whole = [], run.dataclasses.replace

    def replace(solution, **labels):
        seen.append(solution)
        return whole(solution, **labels)

    monkeypatch.setattr(run.dataclasses, "replace", replace)
    found = sim.solve(ONE, GIVEN, until=sim.Gap(1e-2))
    (bare,) = seen
    assert bare.problem is bare.lanes is bare.asked is None
    assert len(jax.tree.leaves(bare)) == 6
    assert jax.tree.structure(found.without_labels()) == jax.tree.structure(bare)
    # What is added are the objects that were given.
    assert found.problem is ONE and not jax.tree.leaves(found.lanes)


def test_outcomes_are_told_apart_by_failure(one, mixed):
    assert one.outcome_counts == {"reached": 1} and not one.failed
    assert mixed.outcome_counts == {"reached": 2, "stationary": 1}
    assert mixed.advice["stationary"] == sim.outcome_advice("stationary")
    assert not mixed.failed.any() and mixed.failed.shape == (3,)
    few = sim.flow(ONE, GIVEN, until=sim.Gap(1e-6), max_steps=3)
    assert few.failed and "max_steps" in few.advice["max_steps"]
    assert jax.jit(lambda x: x.failed)(few)
    assert set(sim.FAILED_OUTCOMES) < set(sim.OUTCOME_NAMES)
    for i, name in enumerate(sim.OUTCOME_NAMES):
        member = getattr(sim.Outcome, name)
        assert sim.outcome_codes(member) == i
        assert sim.outcome_advice(name) == sim.Outcome[member]
    assert len(sim.Outcome) == len(sim.OUTCOME_NAMES)


def test_the_time_limit_has_a_remedy_for_each_kind_of_run(run):
    late = sim.solve(ONE, GIVEN, until=sim.Gap(1e-2), max_log_time=1.0)
    limit = "The time limit came first"
    assert late.advice["horizon"] == f"{limit}; raise the limit or relax the event."
    endless = sim.solve(ONE, GIVEN)
    text = endless.advice["horizon"]
    assert text.startswith(f"{limit}. Without a penalty or bonus the policy only tends")
    assert "stop at an event (`until`), like a gap" in text and text in repr(endless)
    assert "horizon" in endless.without_labels().advice
    assert run.advice == {"horizon": "All steps were taken."}
    rest = sim.solve(ONE, GIVEN, sim.PolicyGradient(0.1))
    assert rest.advice["settled"].startswith("The policy came to rest: no remaining")


def test_times_are_given_in_three_ways(one):
    np.testing.assert_allclose(one.time, np.exp(one.log_time))
    np.testing.assert_allclose(one.log10_time, np.log10(one.time))
    np.testing.assert_allclose(one.accuracy, one.policy @ ONE.success_rates)


def test_a_dataset_has_names(many):
    data = many.to_xarray()
    assert data.attrs == {"method": "exact", "until": "gap"}
    for i, name in enumerate(many.event_names):
        chosen = data.sel(event=name)
        np.testing.assert_array_equal(chosen.event_log_time, many.event_log_times[:, i])
        assert chosen.event_log_probs.dims == ("lane", "pattern")
        np.testing.assert_array_equal(chosen.event_happened, many[name].happened)
    assert data.outcome.values.tolist() == many.outcome_names.tolist()
    np.testing.assert_array_equal(data.success_rate, RATES)
    square = sim.solve(
        sim.Problem(np.stack([RATES, RATES]), np.stack([BASE, BASE])),
        GIVEN,
        save_log_times=[0.0, 1.0],
        observe=lambda x: jnp.max(x),
    ).to_xarray()
    assert square.saved.dims == ("lane_0", "lane_1", "saved_log_time")
    assert square.saved_log_time.values.tolist() == [0.0, 1.0]


def test_the_event_to_stop_at_is_in_datasets_and_tables(one):
    data = one.to_xarray()
    assert data.event.values.tolist() == [*one.event_names, "gap=0.01"]
    stop = data.sel(event="gap=0.01")
    assert stop.event_log_time == one.log_time and stop.event_happened
    np.testing.assert_array_equal(stop.event_log_probs, one.log_probs)
    table = one.to_pandas()
    np.testing.assert_allclose(table["gap=0.01_log10_time"], one.log10_time)
    alone = sim.solve(MANY, GIVEN, until=sim.Gap(1e-2), max_log_time=4.0)
    data = alone.to_xarray()
    assert data.event.values.tolist() == ["gap=0.01"]
    np.testing.assert_array_equal(
        data.event_happened[:, 0], alone.outcome_names == "reached"
    )
    assert (data.event_log_time[:, 0] == np.inf).sum() > 0
    # Once, if it was also asked for.
    twice = sim.solve(ONE, GIVEN, until=sim.T0(), events=[sim.T0()]).to_xarray()
    assert twice.event.values.tolist() == ["t0"]
    assert sim.solve(ONE, GIVEN).to_xarray().sizes["event"] == 0


def test_lanes_and_seeds_are_numbered(many, run, lanes):
    assert many.to_xarray().coords["lane"].values.tolist() == [0, 1, 2]
    assert many.to_xarray().sel(lane=1).log_time == many.log_time[1]
    assert "lane" not in many[0].to_xarray().coords
    assert run.to_xarray().coords["seed"].values.tolist() == [0, 1, 2, 3, 4, 5]
    found = lanes.to_xarray().coords
    assert found["lane"].values.tolist() == [0, 1]
    assert found["seed"].values.tolist() == [0, 1, 2]
    square = sim.Problem(np.stack([RATES, RATES]), np.stack([BASE, BASE]))
    found = sim.solve(square, GIVEN).to_xarray().coords
    assert found["lane_0"].values.tolist() == [0, 1]
    assert found["lane_1"].values.tolist() == [0, 1, 2]


def test_datasets_say_what_was_saved(run, lanes):
    def saved(**options):
        solution = sim.solve(ONE, GIVEN, save_log_times=[0.0, 1.0], **options)
        return solution.to_xarray().saved.attrs["long_name"]

    assert saved() == "pi_k"
    assert saved(observe=sim.log_probabilities) == "log pi_k"
    assert saved(observe=sim.entropy) == "what `entropy` returned"
    assert run.to_xarray().saved.attrs["long_name"] == "log pi_k"
    assert lanes.to_xarray().right.attrs["long_name"] == "what `accuracies` returned"


def test_a_table_has_a_row_per_lane(one, many):
    table = many.to_pandas()
    assert list(table.index) == [0, 1, 2] and table.index.name == "lane"
    assert table.outcome.tolist() == many.outcome_names.tolist()
    np.testing.assert_allclose(
        table["t0_log10_time"], np.asarray(many["t0"].log10_time)
    )
    assert len(one.to_pandas()) == 1
    with pytest.raises(ValueError, match="outside of jit"):
        jax.jit(lambda x: x.to_pandas())(one)


def test_a_plot_goes_into_the_axes_that_are_given():
    import matplotlib.pyplot as plt

    times = np.linspace(-2, 8, 30)
    x = times / np.log(10)
    events = (*EVENTS, sim.Leads(2))
    saved = sim.solve(ONE, GIVEN, events=events, save_log_times=times)
    _, axes = plt.subplots()
    assert saved.plot(axes) is axes
    curves = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_allclose(curves["pattern 0 (right: 0.9)"][:, 0], x)
    np.testing.assert_allclose(
        curves["pattern 1 (right: 0.6)"][:, 1], saved.saved[:, 1]
    )
    np.testing.assert_allclose(
        curves["accuracy"][:, 1], saved.saved @ ONE.success_rates
    )
    marked = {text.get_text(): text.xy[0] for text in axes.texts}
    # Not what holds from the start, and not what never happens.
    assert set(marked) == {"t0", "accuracy=0.7, leads=0"}
    np.testing.assert_allclose(marked["t0"], saved["t0"].log10_time)
    plt.close()


def test_a_plot_computes_what_was_not_saved(one):
    import matplotlib.pyplot as plt

    axes = one.plot(points=40)
    curve = {line.get_label(): line.get_xydata() for line in axes.lines}["accuracy"]
    low, high = axes.get_xlim()
    assert low < one["t0"].log10_time < one["gap"].log10_time < high
    assert len(curve) == 40
    end = float(one.log10_time), float(one.accuracy)
    np.testing.assert_allclose(curve[-1], end, rtol=1e-9)
    np.testing.assert_allclose(curve[0, 1], 0.49, atol=0.01)
    np.testing.assert_allclose(curve[-1, 1], one.accuracy)
    again = one.again([float(one["t0"].log_time)])
    np.testing.assert_allclose(again.saved[0], one["t0"].policy, rtol=1e-8)
    plt.close()


def test_a_plot_shows_no_peak_that_is_only_the_end():
    """Accuracy is highest at the time limit, 10^868, long after all has happened."""
    solution = sim.solve(ONE, GIVEN, events=[*EVENTS, sim.PeakAccuracy()])
    assert solution["peak-accuracy"].log_time == solution.log_time > 1000
    axes = solution.plot(points=40)
    assert solution["t0"].log10_time < axes.get_xlim()[1] < 30
    assert "peak-accuracy" not in {text.get_text() for text in axes.texts}


def test_a_plot_is_of_one_run(many):
    with pytest.raises(ValueError, match="batch of shape .3,."):
        many.plot()
    with pytest.raises(ValueError, match="`points`"):
        many[0].plot(points=1)


def test_solutions_can_be_copied_and_put_together(one):
    again = pickle.loads(pickle.dumps(one))
    assert again["t0"].log_time == one["t0"].log_time and again.asked == one.asked
    assert copy.deepcopy(one).until == one.until
    other = sim.solve(ONE, GIVEN, until=sim.Gap(1e-2), events=EVENTS)
    both = jax.tree.map(lambda *x: np.stack(x), one, other)
    assert both["t0"].log_time.shape == (2,)
    # Not those of other requests.
    other = sim.solve(ONE, GIVEN, until=sim.Gap(2e-2), events=EVENTS)
    with pytest.raises(ValueError, match=r"Gap\(0.01\)"):
        jax.tree.map(lambda *x: np.stack(x), one, other)


def test_problems_and_solutions_are_printed_in_a_few_lines(one, many, mixed):
    assert repr(ONE) == "Problem([0.9 0.6 0.1], policy=[0.05 0.7 0.25])"
    assert repr(MANY) == "3 problems, 3 patterns, success rates 0.1 to 0.9"
    pulled = sim.Problem([RATES[:2]], [BASE[:2]], reference_policy=[BASE[[1, 0]]])
    assert repr(pulled).startswith("1 x 2 problems") and "own reference" in repr(pulled)
    assert repr(MANY[:1]).startswith("1 problem, 3 patterns")
    assert repr(many[:1]).startswith("Solution of 1 problem (exact)")
    kernel = sim.two_answer_kernel(RATES[0])
    full = sim.Problem(policy=BASE[0], answer_kernel=kernel, reference_policy=BASE[1])
    assert "reference_policy=[0.5 0.3 0.2], 2 answers" in repr(full)
    assert full._repr_html_().count("<tr>") == 4
    text = repr(one)
    assert "t0" in text and "42.68" in text and "0.49 -> 0.89" in text
    assert "2 reached, 1 stationary" in repr(mixed) and len(repr(many)) < 1000
    for shown in (one, many, ONE, MANY, one["t0"], many["t0"], sim.Verifiable()):
        assert len(repr(shown)) < 2000 and "Array" not in repr(shown)
    for shown in (one, many, ONE):
        assert shown._repr_html_().startswith("<table>")
    seen = []
    jax.jit(lambda x: seen.extend([repr(x), repr(x.problem), x._repr_html_()]))(one)
    assert all("not known" in text for text in seen)
    assert "not known" in repr(jax.tree.map(lambda x: None, one))


PARTS = {
    "Gap(0.001)": sim.Gap(1e-3),
    "Gap([0.1 0.01])": sim.Gap([0.1, 0.01]),
    "Gap(numbers of shape (200,))": sim.Gap(np.full(200, 0.1)),
    "Leads(2)": sim.Leads(2),
    "T0()": sim.T0(),
    "Verifiable()": sim.Verifiable(),
    "NoisyVerifier(false_positive=0.6, false_negative=0.25)": sim.NoisyVerifier(
        0.6, 0.25
    ),
    "FixedConfidence([0.1 0.2 0.9])": sim.FixedConfidence([0.1, 0.2, 0.9]),
    "Mixture((Verifiable(), MajorityVote()), [0.8 0.2])": sim.Mixture(
        [sim.Verifiable(), sim.MajorityVote()], [0.8, 0.2]
    ),
    "PolicyGradient()": sim.PolicyGradient(),
    "NaturalGradient(beta=0.1)": sim.NaturalGradient(0.1),
    "GRPO(group_size=16, redraw=True)": sim.GRPO(16, redraw=True),
    "GRPO(epsilon=0.001)": ro.GRPO(epsilon=1e-3),
    "Delight(of=GRPO(), temperature=2)": ro.Delight(ro.GRPO(), 2.0),
    "KLLoss3(weight=0.1)": ro.KLLoss3(0.1),
    "Clipped(high=0.28)": ro.Clipped(high=0.28),
    "Optimizer(name='adam')": ro.Optimizer("adam"),
    "Teacher()": ro.Teacher(),
}


@pytest.mark.parametrize("text", PARTS)
def test_parts_are_printed_as_they_are_written(text):
    part = PARTS[text]
    assert repr(part) == text
    inside = []
    jax.jit(lambda x: inside.append(repr(x)))(part)
    assert inside[0].startswith(type(part).__name__) and "Traced" not in inside[0]
    for odd in (None, object(), jax.ShapeDtypeStruct((3,), float)):
        assert repr(jax.tree.map(lambda x, odd=odd: odd, part))


def test_a_part_says_where_its_numbers_are_not_known():
    seen = []
    jax.jit(lambda x: seen.append(repr(sim.Gap(x))))(0.1)
    jax.vmap(lambda x: seen.append(repr(sim.NoisyVerifier(x))) or x)(np.full(2, 0.1))
    assert seen == ["Gap(traced)", "NoisyVerifier(false_positive=traced)"]


RECIPE = ro.Recipe(num_steps=40, penalties=(ro.KLLoss3(0.1),))


@pytest.fixture(scope="module")
def run():
    return ro.train(ONE, RECIPE, num_seeds=6, save_at=[10, 20, 40])


@pytest.fixture(scope="module")
def lanes():
    problem = sim.Problem(RATES[:2, None], BASE[:2, None])
    recipe = ro.Recipe(num_steps=40, learning_rate=[0.1, 0.2])
    return ro.train(problem, recipe, num_seeds=3, observe=accuracies)


def accuracies(problem, log_probs):
    return {"right": sim.accuracy(log_probs, problem.success_rates)}


def test_a_run_knows_its_problem_and_recipe(run, lanes):
    assert run.recipe is RECIPE and run.num_seeds == 6 and run.batch_shape == ()
    assert run.outcome_counts == {"horizon": 6} and not run.failed.any()
    np.testing.assert_allclose(
        run.accuracy[:, 0], np.exp(run.log_probs[:, 0]) @ RATES[0], rtol=1e-12
    )
    one = lanes[1]
    assert one.recipe.learning_rate == 0.2 and one.num_seeds == 3
    np.testing.assert_array_equal(one.log_probs, lanes.log_probs[1])
    np.testing.assert_array_equal(one.saved["right"], lanes.saved["right"][1])
    np.testing.assert_array_equal(one.accuracy, lanes.accuracy[1])
    with pytest.raises(IndexError, match="no lanes"):
        run[0]
    for either in (run, lanes):
        with pytest.raises(KeyError, match="`t0`: a Run has no events.*`save_at`"):
            either["t0"]


def test_runs_become_datasets_and_tables(run, lanes):
    data = run.to_xarray()
    assert data.saved.dims == ("seed", "step", "question", "pattern")
    assert data.step.values.tolist() == [10, 20, 40]
    np.testing.assert_array_equal(data.saved.sel(step=40), run.log_probs)
    data = lanes.to_xarray()
    assert dict(data.right.sizes) == {"lane": 2, "seed": 3, "step": 1, "right_0": 1}
    table = lanes.to_pandas()
    assert table.index.names == ["lane", "seed"] and len(table) == 6
    np.testing.assert_allclose(
        table.loc[1].accuracy, lanes.to_xarray().right[1, :, 0, 0], rtol=1e-12
    )


def test_a_run_is_drawn_as_bands_over_seeds(run, lanes):
    import matplotlib.pyplot as plt

    _, axes = plt.subplots()
    assert run.plot(axes, quantiles=(0.0, 1.0)) is axes
    curves = {line.get_label(): line.get_xydata() for line in axes.lines}
    middle = curves["accuracy, 0 to 100 % of seeds"]
    assert middle[:, 0].tolist() == [0, 10, 20, 40]
    np.testing.assert_allclose(middle[0, 1], 0.49)
    np.testing.assert_allclose(middle[-1, 1], np.median(run.accuracy))
    band = axes.collections[-1].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose(band.max(), (np.exp(run.saved) @ RATES[0]).max())
    assert len(curves) == 4 and len(axes.collections) == 4
    plt.close()
    with pytest.raises(ValueError, match="lanes of shape"):
        lanes.plot()
    with pytest.raises(ValueError, match=r"`save_at`, like range\(1, 41, 1\)"):
        lanes[0].plot()
    long = dataclasses.replace(RECIPE, num_steps=250)
    with pytest.raises(ValueError, match=r"range\(3, 251, 3\)"):
        dataclasses.replace(lanes[0], recipe=long).plot()
    with pytest.raises(ValueError, match=r"`save_at` = range\(0, 60, 20\) must be"):
        ro.train(ONE, RECIPE, save_at=range(0, 60, 20))
    with pytest.raises(ValueError, match="`quantiles`"):
        run.plot(quantiles=(0.9, 0.1))


def test_recipes_and_runs_are_printed_in_a_few_lines(run, lanes):
    text = " ".join(repr(RECIPE).split())
    assert "penalties=(KLLoss3(weight=0.1),)" in text and "num_steps=40" in text
    assert "redraws" not in text and "redraws" in RECIPE._repr_html_()
    assert repr(ro.Recipe(redraws=3)).count("redraws=3") == 1
    assert "6 seeds, 40 steps" in repr(run) and "6 horizon" in repr(run)
    assert "2 lanes x 3 seeds" in repr(lanes)
    assert "1 lane x 3 seeds, 40 steps" in repr(lanes[:1])
    assert "saved      3 times, up to step 40" in repr(run)
    assert "saved      at step 40" in repr(lanes)
    once = dataclasses.replace(run, log_probs=run.log_probs[:1])
    assert "Run: 1 seed, 40 steps" in repr(once)
    assert run._repr_html_().startswith("<table>")


def test_no_lanes_at_all_are_printed():
    problems = sim.Problem([[0.9, 0.6, 0.1]] * 2, [[0.05, 0.7, 0.25]] * 2)
    solution = sim.solve(problems, sim.Verifiable(), until=sim.Gap(1e-2))
    for empty in (solution[[]], solution[2:], problems[0:0]):
        assert "0 problems" in repr(empty) and "0 problems" in empty._repr_html_()
