import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import simulator as sim
from simulator.engines import sharing


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


RATES = np.array([[0.9, 0.6, 0.1], [0.2, 0.5, 0.7]])
POLICIES = np.array([[0.05, 0.7, 0.25], [0.3, 0.3, 0.4]])


def stepped(rates, policy, size, steps, beta=0.0):
    """Gradient ascent written out: `pi_k (f_k - mean)`, one lane, NumPy."""
    base = np.log(policy)
    logits = base.copy()
    path = [policy]
    for _ in range(steps):
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        f = rates - beta * (np.log(pi) - base)
        logits = logits + size * pi * (f - pi @ f)
        path.append(np.exp(logits - np.logaddexp.reduce(logits)))
    return np.array(path)


def trained(problem, update=None, steps=50, **options):
    optimizer = optax.sgd(0.5)
    return sim.train(
        problem, sim.Verifiable(), update, optimizer, num_steps=steps, **options
    )


def test_lanes_of_a_batch_are_trained_each_by_itself():
    alone = [stepped(*lane, 0.5, 50) for lane in zip(RATES, POLICIES, strict=True)]
    np.testing.assert_allclose(alone[0][-1], [0.0440, 0.9083, 0.0477], atol=5e-5)
    run = trained(sim.Problem(RATES, POLICIES), save_every=10)
    assert run.saved_log_probs.shape == (2, 5, 3)
    np.testing.assert_array_equal(run.saved_steps, [10, 20, 30, 40, 50])
    for lane in range(2):
        np.testing.assert_allclose(np.exp(run.log_probs[lane]), alone[lane][-1])
        np.testing.assert_allclose(
            np.exp(run.saved_log_probs[lane]), alone[lane][10::10]
        )


def test_parameters_and_events_go_lane_by_lane():
    """A batch `[2, 1]`: betas and levels of their own, one step size for all."""
    betas, levels = np.array([0.0, 0.3]), np.array([0.8, 0.52])
    wanted = [
        stepped(*lane, 0.5, 400, beta)
        for *lane, beta in zip(RATES, POLICIES, betas, strict=True)
    ]
    run = trained(
        sim.Problem(RATES[:, None], POLICIES[:, None]),
        sim.PolicyGradient(betas[:, None]),
        steps=400,
        save_every=400,
        until=sim.Accuracy(levels[:, None]),
    )
    assert run.first_step.shape == run.outcome._value.shape == (2, 1)
    assert set(run.outcome_names.ravel()) == {"reached"}
    for lane in range(2):
        np.testing.assert_allclose(np.exp(run.log_probs[lane, 0]), wanted[lane][-1])
        first = np.argmax(wanted[lane] @ RATES[lane] >= levels[lane])
        assert run.first_step[lane, 0] == first > 0


def test_lanes_do_not_depend_on_their_number_or_on_devices(monkeypatch, rng):
    problems = sim.Problem(rng.uniform(size=(20, 3)), rng.dirichlet(np.ones(3), 20))
    many = trained(problems, save_every=50).log_probs
    few = trained(problems[:5], save_every=50).log_probs
    np.testing.assert_array_equal(few, many[:5])
    monkeypatch.setattr(sharing, "devices", lambda: jax.local_devices())
    shared = trained(problems, save_every=50).log_probs
    np.testing.assert_array_equal(shared, many)
    inside = jax.jit(lambda given: trained(given, save_every=50).log_probs)
    np.testing.assert_allclose(inside(problems), many, rtol=1e-12)


def test_weight_decay_pulls_the_exact_training_towards_the_uniform_policy():
    """Equal rates: only the decay moves, by `1 - 0.1 * 0.5` of the logits a step."""
    run = sim.train(
        sim.Problem([0.5, 0.5], [0.2, 0.8]),
        sim.Verifiable(),
        sim.PolicyGradient(),
        optax.adamw(0.1, weight_decay=0.5),
        num_steps=7,
    )
    wanted = 0.95**7 * np.log(0.2 / 0.8)
    np.testing.assert_allclose(run.log_probs[0] - run.log_probs[1], wanted)


def test_the_update_need_not_be_given():
    problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
    signal, optimizer = sim.Verifiable(), optax.sgd(0.5)
    plain = sim.PolicyGradient()
    given = sim.train(problem, signal, plain, optimizer, num_steps=20)
    left_out = sim.train(problem, signal, optimizer=optimizer, num_steps=20)
    np.testing.assert_array_equal(left_out.log_probs, given.log_probs)
    with pytest.raises(ValueError, match="`optimizer` is None; give one of Optax"):
        sim.train(problem, signal, num_steps=20)


def test_training_is_printed_in_a_few_lines():
    problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.70, 0.25])
    optimizer = optax.sgd(0.5)

    def train(problem, **options):
        return sim.train(
            problem, sim.Verifiable(), optimizer=optimizer, num_steps=200, **options
        )

    run = train(problem, until=sim.T0())
    lines = repr(run).splitlines()
    assert lines[0] == "Training of one problem, 200 steps"
    assert "reached: The event happened; all steps were taken." in lines[1]
    assert lines[2].split() == ["first", "step", "86"]
    assert "[0.7166 0.2647 0.0187]" in lines[3] and lines[4].endswith(
        "200 times, up to step 200"
    )
    assert run._repr_html_().startswith("<table>")
    early = train(problem, save_every=200)
    assert "first step" not in repr(early) and "at step 200" in repr(early)
    assert early.advice == {"horizon": "All steps were taken."}
    many = sim.Problem(np.full((3, 2), [0.9, 0.1]), np.full((3, 2), 0.5))
    text = repr(train(many, until=sim.Accuracy(0.6)))
    assert "Training of 3 problems, 200 steps" in text and "3 reached" in text
    assert "Array" not in text and "f64" not in text
    seen = []
    jax.jit(lambda x: seen.append(repr(x)))(run)
    assert "not known" in seen[0]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"num_steps": 10, "save_every": 3}, "multiple"),
        ({"num_steps": 0}, "num_steps"),
        ({"num_steps": 2.0}, "whole number"),
        ({"num_steps": "x"}, "whole number"),
        ({"save_every": 0}, "save_every"),
        ({"update": sim.PolicyGradient(-1.0)}, "0 or positive"),
        ({"update": sim.PolicyGradient(np.nan)}, "0 or positive"),
        ({"update": sim.PolicyGradient([0.1, 0.2])}, "one per problem"),
        ({"update": sim.GRPO(1)}, "at least 2"),
        ({"update": sim.GRPO(), "signal": sim.FixedConfidence([1.0, 2.0])}, "0 or 1"),
        ({"update": "x"}, "update"),
        ({"signal": sim.SelfCertainty()}, "answer kernel"),
        ({"signal": sim.NoisyVerifier(2.0)}, "between 0 and 1"),
        ({"signal": None}, "signal"),
        ({"problem": [0.9, 0.1]}, "problem"),
        ({"optimizer": None}, "optimizer"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"optimizer": optax.sgd}, "optimizer"),
        ({"optimizer": optax.lbfgs()}, "needs the value of the loss"),
        ({"optimizer": optax.polyak_sgd()}, "for example sgd, adam or lion"),
        ({"until": "x"}, "until"),
        ({"until": sim.Accuracy(2.0)}, "level"),
        ({"until": sim.Accuracy([0.5, 0.6])}, "one per problem"),
        ({"until": sim.Leads(7)}, "numbered from 0"),
    ],
)
def test_bad_calls_are_refused(change, message):
    given = {
        "problem": sim.Problem([0.9, 0.1], [0.5, 0.5]),
        "signal": sim.Verifiable(),
        "update": sim.PolicyGradient(),
        "optimizer": optax.sgd(0.1),
        "num_steps": 10,
    }
    with pytest.raises(ValueError, match=message):
        sim.train(**(given | change))
