import jax.numpy as jnp
import numpy as np
import optax
import pytest

import simulator as sim


@pytest.mark.parametrize(
    "policy, steps", [([0.05, 0.01, 0.94], 56), ([0.01, 0.05, 0.94], 7689)]
)
def test_steps_of_mei_et_al_2020(policy, steps):
    run = sim.train(
        sim.Problem([1.0, 0.9, 0.1], policy),
        sim.Verifiable(),
        sim.PolicyGradient(),
        optax.sgd(0.4),
        num_steps=8000,
        save_every=8000,
        until=sim.OptimalProbability(0.9),
    )
    assert int(run.first_step) == steps


def test_sgd_converges_to_the_flow_at_order_one():
    problem = sim.Problem([0.9, 0.6, 0.1], logits=[-1.0, 1.0, 0.3])
    horizon = 20.0
    exact = sim.flow(
        problem, sim.Verifiable(), max_log_time=np.log(horizon), tolerance=1e-11
    ).log_probs
    sizes = 0.4 / 2.0 ** np.arange(4)
    errors = []
    for size in sizes:
        run = sim.train(
            problem,
            sim.Verifiable(),
            sim.PolicyGradient(),
            optax.sgd(size),
            num_steps=round(horizon / size),
            save_every=round(horizon / size),
        )
        errors.append(float(jnp.abs(run.log_probs - exact).max()))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert abs(slope - 1) < 0.1


def test_saving_must_divide_the_run():
    with pytest.raises(ValueError, match="multiple"):
        sim.train(
            sim.Problem([0.9, 0.1], [0.5, 0.5]),
            sim.Verifiable(),
            sim.PolicyGradient(),
            optax.sgd(0.1),
            num_steps=10,
            save_every=3,
        )
