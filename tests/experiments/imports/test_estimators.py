"""An imported recipe moves logits as the trainer's formulas do, summed over all groups.

The formulas are those of the trainers, in NumPy; the sum is over every group of three
rollouts of two patterns, and every outcome of the verifier.
"""

import itertools

import numpy as np
import pytest

import simulator as sim
from experiments.imports import converting
from experiments.text import recipes
from simulator import rollouts as ro

RATES, POLICY = np.array([0.9, 0.2]), np.array([0.3, 0.7])
SIZE = 3
VERL = f"python -m verl.trainer.main_ppo actor_rollout_ref.rollout.n={SIZE} "
OPENRLHF = f"python -m openrlhf.cli.train_ppo_ray --n_samples_per_prompt {SIZE} "
TRL = f"num_generations: {SIZE}\n"


def divided(epsilon):
    return lambda r: (r - r.mean()) / (r.std(ddof=1) + epsilon)


def others(r):
    return r - (r.sum() - r) / (len(r) - 1)


def centred(r):
    return r - r.mean()


def plain(r):
    return r


def verl(name):
    return f"{VERL}algorithm.adv_estimator={name}"


def openrlhf(name):
    return f"{OPENRLHF}--init_kl_coef 0 --advantage_estimator {name}"


CASES = {
    "trl": (TRL, divided(1e-4)),
    "trl true": (f"{TRL}scale_rewards: true", divided(1e-4)),
    "trl false": (f"{TRL}scale_rewards: false", centred),
    "trl batch": (f"{TRL}scale_rewards: batch", centred),
    "verl grpo": (verl("grpo"), divided(1e-6)),
    "verl no std": (
        verl("grpo") + " algorithm.norm_adv_by_std_in_grpo=False",
        centred,
    ),
    "verl rloo": (verl("rloo"), others),
    "verl reinforce_plus_plus": (verl("reinforce_plus_plus"), plain),
    "verl baseline": (verl("reinforce_plus_plus_baseline"), centred),
    "verl remax": (verl("remax"), plain),
    "verl opo": (verl("opo"), centred),
    "openrlhf group_norm": (openrlhf("group_norm"), divided(1e-9)),
    "openrlhf rloo": (openrlhf("rloo"), others),
    "openrlhf dr_grpo": (openrlhf("dr_grpo"), centred),
    "openrlhf reinforce": (openrlhf("reinforce"), plain),
    "openrlhf baseline": (openrlhf("reinforce_baseline"), centred),
}


def mean_step(advantages) -> np.ndarray:
    """The mean over groups of `(1/G) sum_i A_i grad log pi(pattern_i)`."""
    total = np.zeros(2)
    for patterns in itertools.product((0, 1), repeat=SIZE):
        for rewards in itertools.product((0.0, 1.0), repeat=SIZE):
            rates = RATES[list(patterns)]
            right = np.array(rewards) == 1
            chance = np.prod(POLICY[list(patterns)] * np.where(right, rates, 1 - rates))
            scores = np.eye(2)[list(patterns)] - POLICY
            total += chance * advantages(np.array(rewards)) @ scores / SIZE
    return total


@pytest.mark.parametrize("case", CASES)
def test_the_mean_step_is_that_of_the_formula(case, tmp_path):
    text, advantages = CASES[case]
    path = tmp_path / "config"
    path.write_text(text)
    table = converting.convert(path)["recipe"]
    recipe = recipes.loads(converting.toml(table))
    plain = ro.Recipe(
        estimator=recipe.estimator,
        surrogate=recipe.surrogate,
        penalties=recipe.penalties,
        group_size=recipe.group_size,
        learning_rate=1.0,
    )
    step = ro.expected_step(sim.Problem(RATES, POLICY), plain)
    np.testing.assert_allclose(step, mean_step(advantages), rtol=1e-9)


KL = {
    "verl in the reward": (
        verl("rloo")
        + " algorithm.use_kl_in_reward=True algorithm.kl_ctrl.kl_coef=0.25",
        "reverse",
    ),
    "openrlhf in the reward": (
        f"{OPENRLHF}--advantage_estimator rloo --init_kl_coef 0.25",
        "reverse",
    ),
    "openrlhf, minus the mean": (
        f"{OPENRLHF}--advantage_estimator dr_grpo --init_kl_coef 0.25",
        "reverse, times (G - 1)/G",
    ),
    "trl with correction": (
        f"{TRL}beta: 0.25\nscale_rewards: false",
        "reverse, times (G - 1)/G",
    ),
    "trl without": (f"{TRL}beta: 0.25\nuse_bias_correction_kl: false", "forward"),
    "verl in the loss": (
        verl("grpo") + " actor_rollout_ref.actor.use_kl_loss=True "
        "actor_rollout_ref.actor.kl_loss_coef=0.25",
        "forward",
    ),
    "k1 in the loss": (
        f"{OPENRLHF}--advantage_estimator rloo --init_kl_coef 0.25 --use_kl_loss",
        "none",
    ),
}


@pytest.mark.parametrize("case", KL)
def test_the_kl_pulls_as_is_said(case, tmp_path):
    text, kind = KL[case]
    path = tmp_path / "config"
    path.write_text(text)
    recipe = recipes.loads(converting.toml(converting.convert(path)["recipe"]))
    reference = np.array([0.6, 0.4])
    logs = np.log(POLICY / reference)
    pulls = {
        "reverse": POLICY * (logs - POLICY @ logs),
        "forward": POLICY - reference,
        "none": np.zeros(2),
    }
    pull = pulls[kind.partition(",")[0]]
    share = (SIZE - 1) / SIZE if "times" in kind else 1.0
    problem = sim.Problem(np.array([0.0, 0.0]), POLICY, reference_policy=reference)
    estimator = ro.GroupMean() if kind == "forward" else recipe.estimator
    plain = ro.Recipe(
        estimator=estimator,
        penalties=recipe.penalties,
        group_size=SIZE,
        learning_rate=1.0,
    )
    step = ro.expected_step(problem, plain)
    np.testing.assert_allclose(step, -0.25 * share * pull, rtol=1e-9, atol=1e-12)
