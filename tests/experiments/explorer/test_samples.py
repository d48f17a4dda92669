"""Sampled training: the command gives the same numbers, and the flow their middle."""

import json
import math
import re

import numpy as np
import pytest

import simulator as sim
from experiments import cli
from experiments.explorer import samples
from experiments.explorer.arrays import log_base
from experiments.explorer.state import State
from experiments.text import recipes
from experiments.text.errors import UserError
from simulator import rollouts

START = State()
RARE = START.changed(logits=tuple(np.log([0.01, 0.73, 0.26]).tolist()))
STATES = {
    "rloo": START,
    "a rare best pattern": RARE,
    "grpo": START.changed(clock="grpo-8", errors=(0.0, 0.6)),
    "sft, one never drawn": State(
        (0.9, 0.6, 0.1, 0.95),
        (-3.0, -0.35, -1.4, -math.inf),
        (0.5,) * 4,
        dose=1.0,
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_the_command_gives_the_same_quantiles(name, capsys, tmp_path):
    state = STATES[name]
    found = samples.samples(state, 16)
    line, _, text = found["command"].partition("\n")
    assert line.startswith("pattern-selection train --success-rates 0.9 0.6 0.1")
    assert "--seeds 16 --save-every" in line
    assert line.endswith(" --recipe /dev/stdin <<'END'")
    assert text.endswith("END")
    file = tmp_path / "recipe.toml"
    file.write_text(text.removesuffix("END"))
    words = line.removesuffix(" --recipe /dev/stdin <<'END'").split()[1:]
    assert cli.main([*words, "--recipe", str(file), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    rate = result["recipe"]["learning_rate"]
    assert f"learning rate {rate:g}" in found["recipe"]
    times = np.array(result["steps"][1:]) * rate
    np.testing.assert_allclose(found["log10_t"][1:], np.log10(times), atol=1e-6)
    assert found["until"] == found["log10_t"][-1] and len(times) == samples.ROWS
    for q, key in (("0.05", "q05"), ("0.5", "q50"), ("0.95", "q95")):
        np.testing.assert_allclose(
            found["quantiles"][q], result["accuracy"][key], rtol=1e-12
        )


@pytest.mark.parametrize("name", STATES)
def test_the_flow_is_in_their_middle(name):
    state = STATES[name]
    found = samples.samples(state)
    low, middle, high = (np.array(row) for row in found["quantiles"].values())
    log_times = np.array(found["log10_t"][1:]) * math.log(10)
    flow = sim.solve(
        sim.Problem(state.success_rates, logits=log_base(state)),
        sim.NoisyVerifier(*state.errors),
        sim.GRPO(8) if name == "grpo" else sim.PolicyGradient(),
        save_log_times=log_times,
        max_log_time=float(log_times[-1]),
    )
    want = np.asarray(flow.saved) @ np.array(state.success_rates)
    # Single runs take off early or late, in one steep step, with the flow among them.
    assert ((want > low[1:] - 0.02) & (want < high[1:] + 0.02)).all()
    assert ((want > low[1:]) & (want < high[1:])).mean() > 0.95
    assert np.abs(middle[1:] - want).mean() < 0.02
    assert np.exp(log_base(state)) @ state.success_rates == pytest.approx(low[0])
    assert low[0] == high[0] and found["log10_t"][0] is None


@pytest.mark.parametrize(
    "clock", ["policy-gradient", "grpo-2", "grpo-64", "grpo-inf", "pass-at-8"]
)
def test_recipes_of_all_clocks_can_be_read_again(clock):
    how = samples.recipe(START.changed(clock=clock))
    again = recipes.loads(recipes.dumps(how))
    assert recipes.dumps(again) == recipes.dumps(how)
    assert 1e-4 <= float(how.learning_rate) <= 0.5
    assert ("64" in samples.described(how, 8)) == (clock in ("grpo-64", "grpo-inf"))


@pytest.mark.parametrize(
    ("fields", "seeds", "words"),
    [
        ({"run": "kl", "beta": 0.1}, 4, "KL penalty"),
        ({"clock": "rejection-sampling"}, 4, "choose another clock"),
        ({}, 65, "give 1 to 64"),
        ({}, 0, "give 1 to 64"),
    ],
)
def test_what_is_not_sampled_is_one_line(fields, seeds, words):
    with pytest.raises(UserError, match=words):
        samples.samples(START.changed(**fields), seeds)


SENTENCE = re.compile(
    r"(\d+) runs of (.+) with groups of (\d+), learning rate ([\d.]+), ([\d,]+) steps "
    r"\(t = ([\d,.]+)\): median, 5 and 95 %\. By then accuracy is above the "
    r"rival's rate in (\d+) of (\d+), and the best pattern leads in (\d+)\.(.*)"
)


def plain(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_sentence_counts_the_runs_of_the_engine():
    found = samples.samples(RARE)["sentence"]
    said = SENTENCE.fullmatch(found)
    seeds, size, rate, steps, end, passed, of, lead = map(
        plain, (said[i] for i in (1, 3, 4, 5, 6, 7, 8, 9))
    )
    assert said[2] == "RLOO" and seeds == of == 64 and end == rate * steps
    recipe = rollouts.Recipe(
        rollouts.Verifier(),
        rollouts.RLOO(),
        group_size=int(size),
        learning_rate=rate,
        num_steps=int(steps),
    )
    question = sim.Problem(RARE.success_rates, logits=RARE.logits)
    probs = np.exp(rollouts.train(question, recipe, num_seeds=64).log_probs)[:, 0]
    assert passed == (probs @ np.array([0.9, 0.6, 0.1]) > 0.6).sum() > 32
    assert lead == (probs.argmax(axis=1) == 0).sum()


@pytest.mark.parametrize(
    ("policy", "clock"),
    [
        ([0.05, 0.7, 0.25], "policy-gradient"),
        ([0.01, 0.73, 0.26], "policy-gradient"),
        ([0.01, 0.73, 0.26], "grpo-8"),
        ([0.01, 0.73, 0.26], "grpo-64"),
        ([0.6, 0.3, 0.1], "policy-gradient"),
    ],
)
def test_samples_reach_past_the_crossing_of_the_flow(policy, clock):
    state = START.changed(logits=tuple(np.log(policy).tolist()), clock=clock)
    how = samples.recipe(state)
    size = clock.removeprefix("grpo-")
    update = sim.GRPO(int(size)) if size != clock else sim.PolicyGradient()
    flow = sim.solve(
        sim.Problem(state.success_rates, policy),
        sim.NoisyVerifier(0.0, 0.0),
        update,
        until=sim.Crossing(),
    )
    end = float(how.learning_rate) * how.num_steps
    assert end > 1.5 * float(flow.time)
    assert float(how.learning_rate) <= 0.5


def test_what_differs_from_the_flow_is_said():
    far = START.changed(logits=(-12.0, -0.35, -1.4))
    said = samples.samples(far, 8)["sentence"]
    crossing = sim.solve(
        sim.Problem(far.success_rates, logits=far.logits),
        sim.Verifiable(),
        until=sim.Crossing(),
    )
    when = re.search(r"after that, at t = 10\^([\d.]+)\.", said)[1]
    assert float(when) == pytest.approx(
        float(crossing.log_time) / math.log(10), rel=2e-4
    )
    assert "in 0 of 8, and the best pattern leads in 0." in said
    assert "RLOO is one of the policy gradient" in said
    groups = samples.samples(START.changed(clock="grpo-inf", run="rlif"), 8)["sentence"]
    assert "Groups of 64 stand for very large ones." in groups
    assert groups.endswith("The reward is RLVR's.") and "after that" not in groups


def test_a_state_that_does_not_move_is_sampled_too():
    found = samples.samples(State((0.5, 0.5, 0.5)), 8)
    np.testing.assert_allclose(list(found["quantiles"].values()), 0.5)
    assert "rival" not in found["sentence"]
