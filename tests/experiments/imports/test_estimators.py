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
