"""Every picture from small data: it is drawn, and what it shows is true."""

from pathlib import Path

import numpy as np
import pytest

from experiments.commands import figures, verify
from experiments.pictures import NAMES, picture
from experiments.runtime.keys import generator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    (folder / "data").mkdir()
    return folder


@pytest.fixture(scope="module")
def data(folder):
    """Saved data of a picture by name, computed on first demand."""
    known = {}

    def get(name):
        if name not in known:
            module = picture(name)
            if hasattr(module, "collect"):
                reports = [verify.verify_one(id, 64, seed=3) for id in ("A4", "C7")]
                made = module.collect(reports)
            else:
                rng = generator(1, name)
                made = module.compute(rng, True, lambda done, total: None)
            figures.save_data(made, {"figure": name}, folder, name)
            with np.load(folder / "data" / f"{name}.npz") as saved:
                known[name] = dict(saved)
        return known[name]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_drawn_from_its_saved_data_alone(name, data, folder, monkeypatch):
    data(name)
    module = picture(name)
    for constant in [word for word in vars(module) if word.isupper()]:
        monkeypatch.delattr(module, constant)
    monkeypatch.delattr(module, "theory", raising=False)
    figures.draw(name, folder)
    assert (folder / f"{name}.svg").stat().st_size > 10_000
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_is_the_same_bytes_twice(data, folder):
    data("entanglement")
    figures.draw("entanglement", folder)
    first = (folder / "entanglement.svg").read_bytes()
    figures.draw("entanglement", folder)
    assert (folder / "entanglement.svg").read_bytes() == first


def test_the_flow_rests_at_the_closed_form(data):
    assert max(data("optimum")[f"{n}_pg_error"] for n in ("rlvr", "rlif")) < 1e-5


def test_the_best_pattern_only_rises_in_regime_1(data):
    saved = data("monotone_regime")
    assert (np.diff(saved["optimal_examples"], axis=1) > -1e-12).all()
    assert saved["ratio_max"].max() <= 1 + 1e-9
    assert (saved["hitting"] > 0).all()


def test_the_example_of_regime_2_dips_before_it_crosses(data):
    saved = data("entanglement")
    t0, crossing, dip = saved["event_times"]
    assert dip < t0 < crossing
    assert saved["event_policy"][2, 0] < 0.05


def test_transition_times_span_many_decades_within_their_bounds(data):
    saved = data("transition_time")
    for K in (3, 4, 5):
        log10_t0 = saved[f"log10_t0_{K}"]
        assert abs(log10_t0[0]) < 0.05 and log10_t0[-1] > 8
        slack = 1e-9
        assert (np.log10(saved[f"lower_{K}"]) <= log10_t0 + slack).all()
        assert (log10_t0 <= np.log10(saved[f"upper_{K}"]) + slack).all()
    np.testing.assert_allclose(saved["fixed_gamma"], 6)
    assert np.ptp(saved["fixed_log10_t0"]) > 6


def test_no_transition_exactly_beyond_the_boundary(data):
    saved = data("phase_diagram")
    rare, boundary = saved["rare"], saved["boundary"]
    starts_above = rare[None, :] > boundary[:, None]
    np.testing.assert_array_equal(np.isneginf(saved["log10_t0"]), starts_above)
    assert saved["unresolved"] == 0


def test_certain_draws_end_right_or_wrong(data):
    saved = data("degradation")
    for case in range(3):
        base = saved[f"improved_path_{case}"][2, 0]
        assert saved[f"improved_path_{case}"][2, -1] > base + 0.1
        assert saved[f"degraded_path_{case}"][2, -1] < base - 0.1


@pytest.mark.parametrize("name", ["rlvr", "rlif"])
def test_the_lead_changes_hands_when_the_hull_says(name, data):
    saved = data("hull")
    predicted, measured = saved[f"predicted_{name}"], saved[f"measured_{name}"]
    assert predicted.size == 4
    np.testing.assert_allclose(measured, predicted, rtol=1e-8)


def test_accuracy_stands_on_the_stairs_of_the_hull(data):
    saved = data("hull")
    accuracy = saved["policy"][1] @ saved["rates"][1]
    stairs, ends = saved["staircase"][1], saved["predicted_rlif"]
    middle = np.sqrt(ends[2:-1] * ends[3:])
    at_middle = np.interp(middle, saved["time"], accuracy)
    np.testing.assert_allclose(at_middle, stairs[3:4], atol=1e-3)
    assert accuracy[-1] == pytest.approx(stairs[4], abs=1e-6)


def test_time_times_gap_reaches_its_limit(data):
    saved = data("tail")
    unique = [saved[f"limit_{i}"] for i in range(len(saved["sizes"]))]
    np.testing.assert_allclose(unique, 1 - 1 / saved["sizes"])
    for i in range(len(saved["sizes"]) + len(saved["ties"])):
        assert np.median(np.abs(saved[f"last_{i}"] - 1)) < 0.02
    few = np.concatenate([saved["last_0"], saved["last_1"]])
    np.testing.assert_allclose(few, 1, atol=1e-3)


def test_the_delay_obeys_its_law_and_the_dip_its_ceiling(data):
    saved = data("delay")
    assert (saved["lower"] <= 1 + 1e-9).all() and (saved["upper"] >= 1 - 1e-9).all()
    degree = (
        np.diff(saved["log10_time"][:, -2:]) / -np.diff(np.log10(saved["rare"]))[-1]
    )
    np.testing.assert_allclose(degree[:, 0], [1, 2, 3, 4, 5], atol=1e-3)
    assert (saved["lowest"] <= saved["ceiling"] + 1e-9).all()
    np.testing.assert_allclose(saved["lowest"][1, -1], saved["dip_three"][1, -1], 1e-6)
    assert (saved["crowd_log10_time"] < saved["crowd_exponential"]).all()


def test_late_accuracy_approaches_the_degradation_law(data):
    saved = data("degradation_law")
    error = np.abs(saved["measured"] / saved["predicted"][:, None] - 1)
    medians = np.median(error, axis=0)
    assert (np.diff(medians) < 0).all() and medians[-1] < 0.02
    assert (saved["predicted"] > 0).any() and (saved["predicted"] < 0).any()


def test_clocks_share_one_path_and_others_leave_it(data):
    saved = data("group_clocks")
    spread = np.abs(saved["at_level"] - saved["at_level"][0])
    assert spread.max() < 1e-6
    outside = np.abs(saved["outside_at_level"] - saved["at_level"][0])
    assert (outside.max(axis=(1, 2)) > 0.02).all()
    # pass@8 is the slowest by far in the end, and starts among the fastest.
    times = saved["time_at_level"]
    assert times[-1].argmax() == 4 and times[-1, 0] < times[0, 0]
    assert times[-1, -1] > 5 * times[0, -1]


def test_every_claim_that_was_checked_has_a_strip(data):
    saved = data("tightness")
    claims = saved["claim"].tolist()
    assert {"A4.rise", "C7.bounds", "C7.aligned"} <= set(claims)
    assert (np.diff(saved["quantiles"], axis=1) >= 0).all()
    assert saved["status"][claims.index("C7.aligned")] == "refuted"


def test_noise_is_proportional_to_the_step_over_the_group(data):
    saved = data("fluctuations")
    ratio = np.log(saved["ratio"].ravel())
    for values in saved["variance"]:
        assert abs(np.polyfit(ratio, np.log(values.ravel()), 1)[0] - 1) < 0.15


def test_the_step_size_that_collapses_grows_with_the_gap_and_the_group(data):
    collapsed = data("collapse")["shares"][:, 2]
    # Small gaps, small groups and large steps are the dangerous ones.
    assert collapsed[0, 0, -1] > 0.3 > 0.05 > collapsed[0, -1, 0]
    assert collapsed[0].mean() > collapsed[1].mean() > collapsed[2].mean()
    np.testing.assert_allclose(data("collapse")["shares"].sum(axis=1), 1)
    line = picture("collapse").published(data("collapse")["gap"])
    np.testing.assert_allclose(line, 4 / 33)  # as figures/README.md says


def test_a_rare_pattern_is_lost_as_predicted(data):
    from experiments.pictures import extinction as picture

    saved = data("extinction")
    natural, plain = saved["by_base"]
    for group, shares in zip(picture.GROUPS, natural, strict=True):
        chance = picture.predicted(picture.BASES, picture.LEARNING_RATE, group)
        noise = np.sqrt(chance * (1 - chance) / saved["seeds"])
        # An estimate of leading order: 0.12 beside the noise.
        assert (np.abs(shares - chance) < 4 * noise + 0.12).all()
    assert plain.max() == 0
    assert (np.abs(saved["twin_mean"]) < 4.5 * saved["twin_error"]).all()
    assert saved["twin_size"][-1] > saved["twin_size"][0] + 1


def test_random_rewards_move_log_odds_only_through_reuse_and_clips(data):
    from experiments.pictures import random_rewards as picture

    saved = data("random_rewards")
    logit = dict(zip(picture.NAMES, saved["exact"][:, 0], strict=True))
    for name in ("REINFORCE", "RLOO", "GRPO", "natural gradient", "GRPO with Adam"):
        assert abs(logit[name]) < 1e-10
    assert logit["... upper clip only"] > 0.01
    assert logit["... lower clip only"] < logit["GRPO, 4 epochs, no clip"] < -0.01
    off = saved["first"] - saved["exact"]
    assert (np.abs(off) < 4.5 * saved["first_error"]).all()


def test_training_for_pass_at_n_moves_the_crossing_out(data):
    saved = data("several_questions")
    assert (saved["trained"][:3, :, 0] > saved["base"][:, 0]).all()
    # The picture that is shown: a quick one has too few runs.
    folder = Path(__file__).parents[3] / "figures" / "data"
    with np.load(folder / "several_questions.npz") as shown:
        crossing = shown["crossing"]
    middle = np.nanmedian(crossing, axis=2)
    never = np.isnan(crossing).mean(axis=2)
    plain, pass_at_8 = middle[:3], middle[3]
    assert (pass_at_8[3:] > 3 * plain[:, 3:]).all()
    assert (never[:3, 3:] == 0).all() and (never[3, 2:] > 0.2).all()
    # The more questions differ, the earlier.
    assert (plain[:, -1] < 0.25 * plain[:, 2]).all()


def test_a_crossing_is_where_the_base_model_takes_the_lead_for_good():
    from experiments.pictures.several_questions import ATTEMPTS, crossing

    n, base = np.log(ATTEMPTS), np.zeros(len(ATTEMPTS))
    assert np.isclose(crossing(base, np.log(50) - n), 50)
    assert crossing(base, -1 - n) == 1
    assert np.isnan(crossing(base, 1 + n))
    # A lead at first only is none; one that comes back counts from there.
    assert np.isnan(crossing(base, n - np.log(50)))
    twice = -(n - np.log(2)) * (n - np.log(30)) * (n - np.log(500))
    assert np.isclose(crossing(base, twice), 500, rtol=0.01)
    # Where both solve everything, the last lead counts.
    assert np.isclose(crossing(base, np.where(n > 8, 0, np.log(50) - n)), 50)
    assert np.isnan(crossing(base, np.where(n > 8, 0, n)))


def test_the_noise_model_is_better_than_a_constant_on_runs_it_has_not_seen(data):
    saved = data("verifier_noise")
    assert len(saved["fit_accuracy"]) == 92 and len(saved["test_accuracy"]) == 24
    for name, limit in (("fit", 0.5), ("test", 0.7)):
        off = saved[f"{name}_predicted"] - saved[f"{name}_accuracy"]
        constant = saved[f"{name}_accuracy"] - saved["fit_accuracy"].mean()
        assert np.sqrt(np.mean(off**2)) < limit * np.sqrt(np.mean(constant**2))
    # Where the reward says nothing, the model stays at its base accuracy.
    rate, base, _ = saved["numbers"]
    nothing = np.isclose(saved["fit_wrong"] + saved["fit_right"], 1)
    np.testing.assert_allclose(
        saved["fit_predicted"][nothing & (saved["fit_wrong"] == 0.5)], rate * base
    )


def test_small_groups_of_votes_lead_elsewhere_than_the_flow(data):
    saved = data("majority_vote")
    answers = saved["answers"]
    assert answers[0].argmax() == 0 and answers[-1].argmax() == 1
    np.testing.assert_allclose(saved["flip"], 469.31, atol=0.02)
    group, taught = saved["share"][0], saved["share"][1]
    assert (saved["group"][1:] == [64, 1024]).all()
    assert group[1] > 0.9 > 0.1 > group[2]
    assert taught[1:].max() < 0.1


def test_summaries_say_what_the_pictures_rest_on(data):
    said = picture("verifier_noise").summary(data("verifier_noise"))
    assert "fit: 92 runs, error 0.058" in said and "test: 24 runs, error 0.064" in said
    said = picture("collapse").summary(data("collapse"))
    assert said.count("at G = ") == 3
