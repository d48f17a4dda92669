"""Training from samples: right on average, reproducible, and clear when it fails."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

import simulator as sim
from simulator import rollouts as ro
from simulator.engines import sharing
from simulator.rollouts.step import draw, move, possible_results, start
from tests.simulator.rollouts import by_hand

QUESTION = sim.Problem([0.9, 0.6, 0.1], [0.15, 0.6, 0.25])
ASKED = sim.Problem(
    policy=[0.35, 0.65], answer_kernel=[[0.5, 0.3, 0.2], [0.25, 0.15, 0.6]]
)


MORE_CASES = (
    (QUESTION, ro.Recipe(estimator=ro.Reinforce(0.3), group_size=4)),
    (QUESTION, ro.Recipe(estimator=ro.GroupMean(), group_size=4)),
    (QUESTION, ro.Recipe(estimator=ro.PassAtNReward(3), group_size=4)),
    (QUESTION, ro.Recipe(estimator=ro.PassAtNAdvantage(3), group_size=4)),
    (QUESTION, ro.Recipe(estimator=ro.Delight(), group_size=4)),
    (QUESTION, ro.Recipe(surrogate=ro.NaturalGradient(), group_size=4)),
    (QUESTION, ro.Recipe(surrogate=ro.NormalisedGradient(), group_size=5)),
    (
        QUESTION,
        ro.Recipe(penalties=(ro.EntropyBonus(0.3), ro.KLLoss1(0.3)), group_size=4),
    ),
    (ASKED, ro.Recipe(feedback=ro.SelfConsistency(), group_size=4)),
    (ASKED, ro.Recipe(feedback=ro.SelfConsistency(ro.Teacher()), group_size=4)),
    (ASKED, ro.Recipe(feedback=ro.SelfCertainty(), group_size=4)),
    (ASKED, ro.Recipe(feedback=ro.SequenceLogProbability(), group_size=4)),
    (
        ASKED,
        ro.Recipe(
            feedback=ro.Mixture([ro.Verifier(0.1), ro.MajorityVote()], [0.6, 0.4]),
            group_size=4,
        ),
    ),
)


@pytest.mark.parametrize(
    "question, recipe",
    [
        (QUESTION, ro.Recipe(group_size=4)),
        (QUESTION, ro.Recipe(group_size=4, redraws=2)),
        (QUESTION, ro.Recipe(group_size=2, redraws=1)),
        (QUESTION, ro.Recipe(group_size=3, surrogate=ro.Clipped(epochs=3))),
        (QUESTION, ro.Recipe(group_size=4, feedback=ro.Verifier(0.1, [0.2, 0.3, 0]))),
        (
            QUESTION,
            ro.Recipe(
                group_size=4,
                estimator=ro.RLOO(),
                penalties=(ro.KLLoss3(0.3), ro.KLReward(0.2)),
            ),
        ),
        (ASKED, ro.Recipe(group_size=4, feedback=ro.MajorityVote())),
        (ASKED, ro.Recipe(group_size=4, feedback=ro.AnswerEntropy())),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_CASES),
    ],
)
def test_samples_agree_with_the_exact_mean(question, recipe):
    """Hotelling's T^2 of one step of many seeds, at a learning rate of 0.5."""
    recipe = dataclasses.replace(recipe, num_steps=1, learning_rate=0.5)
    seeds = 20_000
    run = ro.train(question, recipe, num_seeds=seeds)
    log_probs = run.log_probs[:, 0]
    # Logits are known up to a constant; their mean over the patterns is not.
    moved = log_probs - np.asarray(question.log_policy)
    moved = moved - moved.mean(axis=1, keepdims=True)
    wanted = np.asarray(ro.expected_step(question, recipe))
    wanted = wanted - wanted.mean()
    error = (moved.mean(axis=0) - wanted)[:-1]
    covariance = np.cov(moved[:, :-1].T).reshape(len(error), -1) / seeds
    statistic = error @ np.linalg.solve(covariance, error)
    assert stats.chi2.sf(statistic, len(error)) > 1e-3
    assert np.abs(wanted).max() > 5 * np.sqrt(np.diag(covariance)).max()


def final(recipe, question=QUESTION, seeds=2000):
    return ro.train(question, recipe, num_seeds=seeds).log_probs[:, 0]


def test_small_steps_follow_the_flow_with_fluctuations_of_order_eta_over_g():
    """The mean tends to the flow; the variance is proportional to eta / G.

    A fixed baseline: the noise of a mean over the group is of order 1/G exactly.
    """
    horizon = 8.0
    flow = sim.flow(QUESTION, sim.Verifiable(), max_log_time=np.log(horizon)).log_probs
    variances = []
    sizes = [(0.4, 4), (0.1, 4), (0.025, 4), (0.1, 16), (0.1, 64)]
    for rate, group in sizes:
        recipe = ro.Recipe(
            estimator=ro.Reinforce(0.5),
            group_size=group,
            learning_rate=rate,
            num_steps=round(horizon / rate),
        )
        log_probs = final(recipe)[:, 0]
        variances.append(log_probs.var())
        error = log_probs.mean() - flow[0]
        # Four standard errors, and a bias of the order of the noise.
        spread = log_probs.std() / np.sqrt(len(log_probs))
        assert abs(error) < 4 * spread + rate / group
    ratio = np.log([rate / group for rate, group in sizes])
    slope = np.polyfit(ratio, np.log(variances), 1)[0]
    assert abs(slope - 1) < 0.06


@pytest.mark.slow
def test_a_lane_does_not_depend_on_its_neighbours_or_on_devices(monkeypatch):
    recipe = ro.Recipe(num_steps=20)
    policies = np.random.default_rng(0).dirichlet(np.ones(3), size=(6, 1))
    rates = np.broadcast_to([0.9, 0.6, 0.1], policies.shape)
    all_lanes = ro.train(sim.Problem(rates, policies), recipe, num_seeds=3)
    few = ro.train(sim.Problem(rates[:2], policies[:2]), recipe, num_seeds=3)
    np.testing.assert_array_equal(few.log_probs, all_lanes.log_probs[:2])
    many = ro.train(sim.Problem(rates, policies), recipe, num_seeds=40)
    np.testing.assert_array_equal(many.log_probs[:, :3], all_lanes.log_probs)
    monkeypatch.setattr(sharing, "devices", lambda: jax.local_devices())
    assert len(jax.local_devices()) == 2
    shared = ro.train(sim.Problem(rates, policies), recipe, num_seeds=3)
    np.testing.assert_array_equal(shared.log_probs, all_lanes.log_probs)
    assert all_lanes.log_probs.shape == (6, 3, 1, 3)


def test_what_is_saved_is_what_a_shorter_run_ends_with():
    long = ro.train(QUESTION, ro.Recipe(num_steps=20), num_seeds=4, save_at=[1, 7, 13])
    for row, steps in enumerate([1, 7, 13]):
        short = ro.train(QUESTION, ro.Recipe(num_steps=steps), num_seeds=4)
        np.testing.assert_array_equal(long.saved[:, row], short.log_probs)
    assert (long.saved_steps == [1, 7, 13]).all()


def test_numbers_of_a_recipe_may_differ_by_lane():
    questions = sim.Problem(
        np.tile([0.9, 0.6, 0.1], (2, 1, 1)), np.tile([0.15, 0.6, 0.25], (2, 1, 1))
    )
    rates, noise = (0.1, 0.5), (0.2, 0.01)

    def recipe(rate, noise):
        verifier = ro.Verifier(noise, 0.1)
        return ro.Recipe(num_steps=20, learning_rate=rate, feedback=verifier)

    both = recipe(rates, np.reshape(noise, (2, 1, 1)))
    run = ro.train(questions, both, num_seeds=2)
    for lane in range(2):
        alone = recipe(rates[lane], noise[lane])
        same = ro.train(questions, alone, num_seeds=2)
        np.testing.assert_array_equal(run.log_probs[lane], same.log_probs[lane])


@pytest.mark.parametrize("kind", ["shared", "linear"])
def test_shared_parameters_climb_the_mean_over_questions(kind):
    """Against autodiff of the mean accuracy; each question is almost noiseless."""
    rng = np.random.default_rng(3)
    rates = rng.uniform(size=(2, 3))
    base = rng.dirichlet(np.ones(3), size=2)
    features = rng.normal(size=(2, 3, 4))
    policy = ro.Shared() if kind == "shared" else ro.Linear(features)

    def mean_accuracy(parameters):
        change = parameters if kind == "shared" else features @ parameters
        policy = jax.nn.softmax(jnp.log(base) + change)
        return jnp.mean(jnp.sum(policy * rates, axis=-1))

    size = 3 if kind == "shared" else 4
    wanted = jax.grad(mean_accuracy)(jnp.zeros(size))
    rate = 1e-3
    recipe = ro.Recipe(
        policy=policy,
        estimator=ro.RLOO(),
        group_size=100_000,
        learning_rate=rate,
        num_steps=1,
    )
    run = ro.train(sim.Problem(rates, base), recipe, num_seeds=50)
    moved = (run.log_probs - np.log(base)).mean(axis=0) / rate
    change = wanted if kind == "shared" else features @ wanted
    change = np.broadcast_to(change, base.shape)
    centred = change - np.sum(base * change, axis=-1, keepdims=True)
    moved = moved - np.sum(base * moved, axis=-1, keepdims=True)
    np.testing.assert_allclose(moved, centred, atol=2e-3)


def test_a_frozen_teacher_keeps_voting_for_its_answer():
    """The base model's answer 2 leads; a frozen teacher never changes its mind."""
    kernel = [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]
    question = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    recipe = ro.Recipe(
        feedback=ro.MajorityVote(ro.Teacher()),
        estimator=ro.RLOO(),
        teacher_decay=1.0,
        learning_rate=0.5,
        num_steps=200,
    )
    assert np.exp(final(recipe, question, seeds=50)[:, 1]).min() > 0.9


def test_a_moving_teacher_lags_behind():
    def certain(decay):
        recipe = ro.Recipe(
            feedback=ro.SequenceLogProbability(),
            estimator=ro.RLOO(),
            teacher_decay=decay,
            group_size=64,
            num_steps=200,
        )
        return np.exp(final(recipe, ASKED, seeds=50).max(axis=1)).mean()

    # The model pays itself for what it already does; an old copy pays less of it.
    assert certain(0.0) > certain(0.99) > certain(1.0)


def test_the_teacher_is_the_moving_average_of_the_new_parameters():
    recipe = ro.Recipe(teacher_decay=0.75, learning_rate=1.0, group_size=8)
    question = jax.tree.map(lambda leaf: leaf[None], QUESTION)
    old = start(question, recipe)
    outcomes = possible_results(question, recipe)
    new = move(
        question,
        recipe,
        old,
        draw(jax.random.key(1), 0, question, outcomes, recipe, old),
    )
    assert np.abs(new.parameters).max() > 0.1
    np.testing.assert_allclose(new.teacher, 0.25 * new.parameters, rtol=1e-12)


def test_no_two_groups_of_a_run_share_their_randomness():
    """Three questions that are alike: nine different groups in three steps."""
    question = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), QUESTION)
    recipe = ro.Recipe(group_size=2000)
    state = start(question, recipe)
    outcomes = possible_results(question, recipe)
    drawn = [
        draw(jax.random.key(1), step, question, outcomes, recipe, state).counts
        for step in range(3)
    ]
    tables = np.reshape(np.stack(drawn), (9, -1))
    assert len(np.unique(tables, axis=0)) == 9


def test_any_optax_optimizer_and_schedule():
    named = ro.Optimizer("adam", {"b1": 0.5})
    given = optax.adam(1.0, b1=0.5)
    common = {"num_steps": 20, "learning_rate": 0.05}
    np.testing.assert_array_equal(
        final(ro.Recipe(optimizer=named, **common), seeds=5),
        final(ro.Recipe(optimizer=given, **common), seeds=5),
    )
    decay = ro.Optimizer(
        "sgd", {}, "exponential_decay", {"transition_steps": 1, "decay_rate": 1e-9}
    )
    first = final(ro.Recipe(num_steps=1), seeds=5)
    # Only the first step counts.
    np.testing.assert_allclose(
        final(ro.Recipe(num_steps=20, optimizer=decay), seeds=5), first, atol=1e-8
    )


SCHEDULES = {
    "warmup_constant_schedule": (
        {"warmup_steps": 10, "peak_value": 1.0},
        [0, 0.1, 0.2],
    ),
    "warmup_cosine_decay_schedule": (
        {"warmup_steps": 10, "decay_steps": 50},
        [0, 0.1, 0.2],
    ),
    "warmup_exponential_decay_schedule": (
        {"warmup_steps": 4, "transition_steps": 5, "decay_rate": 0.5, "peak_value": 2},
        [0, 0.5, 1.0],
    ),
    "linear_schedule": (
        {"init_value": 0.2, "end_value": 1, "transition_steps": 4},
        [0.2, 0.4, 0.6],
    ),
    "exponential_decay": (
        {"transition_steps": 1, "decay_rate": 0.5},
        [1.0, 0.5, 0.25],
    ),
    "constant_schedule": ({"value": 0.7}, [0.7, 0.7, 0.7]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_multiplies_the_learning_rate_from_its_beginning(name):
    options, wanted = SCHEDULES[name]
    optimizer = ro.Optimizer("sgd", {}, name, options).build()
    state, moved = optimizer.init(jnp.zeros(1)), []
    for _ in wanted:
        change, state = optimizer.update(jnp.ones(1), state)
        moved.append(-float(change[0]))
    np.testing.assert_allclose(moved, wanted, rtol=1e-6, atol=1e-12)  # rates in float32


def test_weight_decay_pulls_towards_the_base_model():
    """Rewards that are all equal: from the base model, decay alone moves nothing."""
    question = sim.Problem([0.0, 0.0], [0.2, 0.8])
    decay = ro.Optimizer("adamw", {"weight_decay": 0.5})
    run = ro.train(question, ro.Recipe(optimizer=decay, num_steps=50), num_seeds=2)
    np.testing.assert_allclose(np.exp(run.log_probs[:, 0]), [[0.2, 0.8]] * 2)


# Groups of equal rewards, drawn again or replaced by those of another question.

PAIR = sim.Problem([[0.9, 0.6, 0.1], [0.97, 0.9, 0.2]], [[0.15, 0.6, 0.25]] * 2)
BESIDE_HOPELESS = sim.Problem(
    [[0.9, 0.6, 0.1], [0.0, 0.0, 0.0]], [[0.15, 0.6, 0.25]] * 2
)


def equal_and_gradient(rates, policy, size):
    """The chance of a group of equal rewards, and the mean step of one group."""
    p = policy @ rates
    chance = np.stack([rates, 1 - rates], axis=-1)
    reward = np.array([[1, 0]] * len(rates))
    step = by_hand.mean_step(policy, chance, reward, by_hand.rloo, size)
    return p**size + (1 - p) ** size, step


@pytest.mark.parametrize(
    "policy", [ro.PerQuestion(), pytest.param(ro.Shared(), marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("problem", [PAIR, BESIDE_HOPELESS], ids=["pair", "hopeless"])
def test_a_replaced_group_is_of_any_question(problem, policy):
    """By hand: from slot i, an equal group (chance e_i) makes place for any question.

    The mean step of question j is `G_j (1 + (1 + e + ... + e^(r-1)) sum_i e_i / Q)`,
    e the mean of e_i and G_j the mean step of one group of it.
    """
    size, redraws, rate, seeds = 4, 2, 0.01, 20_000
    base = np.exp(problem.log_policy)
    known = [
        equal_and_gradient(np.asarray(problem.success_rates[q]), base[q], size)
        for q in range(2)
    ]
    equal, steps = np.array([e for e, _ in known]), np.stack([g for _, g in known])
    mean = equal.mean()
    tries = 1 + mean
    wanted = steps * (1 + tries * mean)
    if isinstance(policy, ro.Shared):
        wanted = np.broadcast_to(wanted.mean(axis=0), wanted.shape)
    recipe = ro.Recipe(
        estimator=ro.RLOO(),
        policy=policy,
        group_size=size,
        redraws=redraws,
        replaced=True,
        learning_rate=rate,
        num_steps=1,
    )
    run = ro.train(problem, recipe, num_seeds=seeds)
    moved = (run.log_probs - np.asarray(problem.log_policy)) / rate
    moved = moved - moved.mean(axis=-1, keepdims=True)  # a step sums to 0
    error = np.abs(moved.mean(axis=0) - wanted)
    # The logits' change is seen up to second order in the rate only.
    assert (error <= 5 * moved.std(axis=0) / np.sqrt(seeds) + 1e-9).all()
    assert (run.groups.used == 2).all()
    for seen, right in (
        (run.groups.redrawn, equal.sum() * tries),
        (run.groups.idle, equal.sum() * mean**redraws),
    ):
        assert abs(seen.mean() - right) < 5 * seen.std() / np.sqrt(seeds)


@pytest.mark.slow
def test_beside_a_hopeless_question_dapo_trains_as_with_two_groups_of_the_other():
    """Replaced to the end, both groups of a step are mixed ones of the first."""
    common = {
        "policy": ro.Shared(),
        "group_size": 16,
        "redraws": 1000,
        "surrogate": ro.Clipped(epochs=2),
        "num_steps": 20,
        "learning_rate": 0.2,
    }
    twice = sim.Problem([[0.9, 0.6, 0.1]] * 2, [[0.15, 0.6, 0.25]] * 2)
    ends = {}
    for name, problem, replaced in (
        ("twice", twice, False),
        ("replaced", BESIDE_HOPELESS, True),
        ("redrawn", BESIDE_HOPELESS, False),
    ):
        recipe = ro.Recipe(**common | {"redraws": 50 if not replaced else 1000})
        recipe = dataclasses.replace(recipe, replaced=replaced)
        run = ro.train(problem, recipe, num_seeds=1000)
        ends[name] = np.exp(run.log_probs[:, 0])
    spread = np.hypot(ends["twice"].std(axis=0), ends["replaced"].std(axis=0))
    apart = ends["twice"].mean(axis=0) - ends["replaced"].mean(axis=0)
    assert (np.abs(apart) < 5 * spread / np.sqrt(1000)).all()
    assert ends["replaced"].mean(axis=0)[0] - ends["redrawn"].mean(axis=0)[0] > 0.1


def test_idle_groups_are_counted_without_redraws_too():
    """GRPO: the share of groups that teach nothing, `p^G + (1 - p)^G`."""
    run = ro.train(QUESTION, ro.Recipe(group_size=4, num_steps=1), num_seeds=20_000)
    p = 0.15 * 0.9 + 0.6 * 0.6 + 0.25 * 0.1
    number = int(run.groups.idle.sum())
    right = stats.binom(20_000, p**4 + (1 - p) ** 4)
    assert min(right.sf(number - 1), right.cdf(number)) > stats.norm.sf(5)
    assert not run.groups.redrawn.any()


def test_inf_is_no_clip():
    """Two epochs at a large step: unclipped upwards, clipped downwards by a hair."""
    wide = ro.Clipped(low=10.0, high=1e9, epochs=2)
    none = ro.Clipped(low=np.inf, high=np.inf, epochs=2)
    steps = [
        np.asarray(
            ro.expected_step(
                QUESTION, ro.Recipe(group_size=3, learning_rate=3.0, surrogate=s)
            )
        )
        for s in (wide, none, ro.Clipped(epochs=2))
    ]
    np.testing.assert_array_equal(steps[0], steps[1])
    assert np.abs(steps[0] - steps[2]).max() > 0.01


def test_oversized_steps_and_infinite_rewards_are_outcomes():
    wild = ro.Recipe(learning_rate=1e6, num_steps=20)
    run = ro.train(QUESTION, wild, num_seeds=20)
    assert set(run.outcome_names) == {"oversized"}
    assert np.isfinite(run.log_probs).all()
    certain = sim.Problem([0.0, 0.5], [1e-3, 0.999], answer_kernel=None)
    broken = ro.Recipe(
        estimator=ro.Reinforce(), optimizer=optax.scale(jnp.nan), num_steps=3
    )
    run = ro.train(certain, broken, num_seeds=2)
    assert set(run.outcome_names) == {"nonfinite"}
    assert np.isfinite(run.log_probs).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"group_size": 1}, "at least 2"),
        ({"group_size": 0}, "group_size"),
        ({"group_size": 2.5}, "whole"),
        ({"estimator": ro.GRPO(epsilon=-1.0)}, "epsilon"),
        ({"estimator": ro.GRPO(spread="robust")}, "spread"),
        ({"estimator": ro.PassAtNReward(9)}, "attempts"),
        ({"estimator": ro.PassAtNReward(1.5)}, "attempts"),
        ({"estimator": ro.Delight(temperature=0.0)}, "temperature"),
        (
            {"estimator": ro.PassAtNAdvantage(), "feedback": ro.SelfCertainty()},
            "0 or 1",
        ),
        ({"surrogate": ro.Clipped(low=0.0)}, "positive"),
        ({"surrogate": ro.Clipped(high=-1.0)}, "positive"),
        ({"surrogate": ro.Clipped(epochs=0)}, "epochs"),
        ({"surrogate": ro.Clipped(epochs=10**12)}, "epochs"),
        ({"surrogate": ro.Clipped(epochs=True)}, "epochs"),
        ({"surrogate": ro.Clipped(low="x")}, "`low`"),
        ({"surrogate": ro.Clipped(low=np.nan)}, "positive"),
        ({"surrogate": ro.Clipped(high=-np.inf)}, "positive"),
        (
            {"surrogate": ro.NormalisedGradient(), "penalties": (ro.KLLoss3(0.1),)},
            "KLReward",
        ),
        (
            {"estimator": ro.PassAtNReward(3), "penalties": (ro.KLReward(0.1),)},
            "0 or 1",
        ),
        (
            {
                "estimator": ro.Delight(ro.PassAtNAdvantage(3)),
                "penalties": (ro.KLReward(0.1),),
            },
            "0 or 1",
        ),
        ({"estimator": "grpo"}, "GRPO"),
        ({"estimator": ro.GRPO}, "the class GRPO"),
        ({"estimator": ro.Delight("rloo")}, "RLOO"),
        ({"estimator": ro.Reinforce("x")}, "baseline"),
        ({"estimator": ro.GRPO(epsilon=None)}, "epsilon"),
        ({"feedback": None}, "feedback"),
        ({"feedback": ro.MajorityVote("x")}, "OwnGroup"),
        ({"feedback": ro.Mixture([], [])}, "at least one"),
        (
            {"feedback": ro.Mixture([ro.Mixture([ro.Verifier(0.5)], [1.0])], [1.0])},
            "in a mixture",
        ),
        ({"surrogate": "clipped"}, "surrogate"),
        ({"policy": 3}, "policy"),
        ({"penalties": ("x",)}, "penalties"),
        ({"penalties": (ro.KLLoss3("x"),)}, "weight"),
        ({"penalties": (ro.KLLoss3(-1.0),)}, "weight"),
        ({"policy": ro.Linear(np.ones((2, 3, 1)))}, "features"),
        ({"policy": ro.Linear(np.ones(3))}, "features"),
        ({"policy": ro.Linear(np.full((1, 3, 1), np.nan))}, "NaN"),
        ({"policy": ro.Shared(), "surrogate": ro.NaturalGradient()}, "PerQuestion"),
        ({"feedback": ro.Verifier(1.5)}, "between 0 and 1"),
        ({"feedback": ro.Verifier([0.1, 0.2])}, "one per pattern"),
        ({"feedback": ro.Mixture([ro.Verifier(), ro.Verifier()], [1, 1])}, "one"),
        ({"learning_rate": np.nan}, "learning_rate"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"teacher_decay": 2.0}, "teacher_decay"),
        ({"redraws": -1}, "redraws"),
        ({"replaced": True}, "`redraws` is 0"),
        ({"replaced": "x", "redraws": 1}, "replaced"),
        ({"redraws": 1000, "num_steps": 10**7}, "2\\^31"),
        ({"feedback": ro.MajorityVote()}, "needs an answer kernel"),
        ({"feedback": ro.MajorityVote(ro.Teacher())}, "needs an answer kernel"),
        ({"feedback": ro.SelfConsistency()}, "needs an answer kernel"),
        ({"feedback": ro.AnswerEntropy()}, "needs an answer kernel"),
        ({"feedback": ro.SelfCertainty()}, "needs an answer kernel"),
        ({"feedback": ro.SequenceLogProbability()}, "needs an answer kernel"),
        (
            {"feedback": ro.Mixture([ro.MajorityVote()], [1.0])},
            "needs an answer kernel",
        ),
        ({"num_steps": 0}, "num_steps"),
        ({"optimizer": ro.Optimizer("sgdd")}, "unknown"),
        ({"optimizer": ro.Optimizer("apply_updates")}, "not an optimizer"),
        ({"optimizer": ro.Optimizer("adam", {"b3": 1})}, "choose from b1, b2, eps"),
        ({"optimizer": ro.Optimizer("adam", {"betas": 1})}, "'betas'; give b1 and b2"),
        (
            {"optimizer": ro.Optimizer("adam", {"lr": 1})},
            "the recipe's `learning_rate`",
        ),
        (
            {"optimizer": ro.Optimizer("sgd", {"learning_rate": 1})},
            "the recipe's `learning_rate`",
        ),
        ({"optimizer": ro.Optimizer("scale_by_rprop")}, "not an optimizer"),
        ({"optimizer": ro.Optimizer("scale_by_learning_rate")}, "not an optimizer"),
        ({"optimizer": ro.Optimizer(None)}, "None is unknown"),
        (
            {
                "optimizer": ro.Optimizer(
                    "sgd",
                    {},
                    "linear_schedule",
                    {"end_value": 1, "transition_steps": 9},
                )
            },
            "init_value",
        ),
        ({"optimizer": ro.Optimizer("sgd", {}, "cosine")}, "unknown"),
    ],
)
def test_bad_recipes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ro.train(QUESTION, ro.Recipe(**change))


def test_weights_may_be_traced_in_a_list():
    def weights(share):
        parts = [ro.Verifier(), ro.SelfCertainty()]
        return ro.Mixture(parts, [share, 1 - share]).weights

    np.testing.assert_allclose(jax.jit(weights)(0.25), [0.25, 0.75])


def test_bad_calls_are_refused():
    with pytest.raises(ValueError, match="num_seeds"):
        ro.train(QUESTION, ro.Recipe(), num_seeds=0)
    for steps in (
        [],
        [0, 3],
        [3, 3],
        [5, 11],
        [2.5],
        [[1]],
        "x",
        [None],
        [[1], [2, 3]],
    ):
        with pytest.raises(ValueError, match="save_at"):
            ro.train(QUESTION, ro.Recipe(num_steps=10), save_at=steps)
    with pytest.raises(ValueError, match="weights"):
        ro.Mixture([ro.Verifier()], [1, 2])
    with pytest.raises(ValueError, match="recipe"):
        ro.train(QUESTION, "grpo")
    for seed in ("x", -1, 2**70):
        with pytest.raises(ValueError, match="seed"):
            ro.train(QUESTION, ro.Recipe(), seed=seed)
    for keys in ("x", [[1, 2]], jax.random.PRNGKey(0), jax.random.key(0)):
        with pytest.raises(ValueError, match="`keys` is"):
            ro.train(QUESTION, ro.Recipe(), keys=keys)
    for name in ("observe", "progress"):
        with pytest.raises(ValueError, match=f"`{name}` is 'x'; give a function"):
            ro.train(QUESTION, ro.Recipe(), **{name: "x"})
    with pytest.raises(ValueError, match="`observe` returns 'text'"):
        ro.train(QUESTION, ro.Recipe(), observe=lambda problem, log_probs: "text")
    for shape in ((0, 3), (0, 2, 3), (2, 0, 3)):
        with pytest.raises(ValueError, match="empty"):
            ro.train(sim.Problem(np.ones(shape), np.ones(shape) / 3), ro.Recipe())
    with pytest.raises(ValueError, match="one question"):
        ro.expected_step(sim.Problem(np.ones((2, 3)), np.ones((2, 3)) / 3), ro.Recipe())
    with pytest.raises(ValueError, match="give a function"):
        ro.expected_step(QUESTION, ro.Recipe(), "x")
    with pytest.raises(ValueError, match="problem"):
        ro.results(None)
    for seed, lanes in (("x", 0), (-1, 0), (2**70, 0), (0, 0.5), (0, "x")):
        with pytest.raises(ValueError, match="whole number|real number"):
            ro.seed_keys(seed, lanes, jnp.arange(2))
    for parts in (None, "x", ro.Verifier(), [ro.Verifier]):
        with pytest.raises(ValueError, match="`parts` is"):
            ro.Mixture(parts, [1.0])
    for options in ("x", [1], {1: 2}):
        with pytest.raises(ValueError, match="`options` is"):
            ro.Optimizer("adam", options)
    for rate in (None, "x", [1.0, "x"], 1j):
        with pytest.raises(
            ValueError, match="`learning_rate` is .*; give real numbers"
        ):
            ro.Recipe(learning_rate=rate)
    three = sim.Problem(np.full((3, 1, 2), 0.5), np.full((3, 1, 2), 0.5))
    for rates in ([0.1, 0.2], [0.1, 0.2, 0.3, 0.4]):
        with pytest.raises(ValueError, match="one per lane"):
            ro.train(three, ro.Recipe(learning_rate=rates))
    with pytest.raises(ValueError, match="one per lane"):
        ro.expected_step(QUESTION, ro.Recipe(learning_rate=[0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match="Optimizer"):
        ro.train(QUESTION, ro.Recipe(optimizer="adam"))
    alone = ro.Recipe(
        feedback=ro.SelfConsistency(), estimator=ro.Reinforce(), group_size=1
    )
    with pytest.raises(ValueError, match="at least 2"):
        ro.train(ASKED, alone)


@pytest.mark.parametrize("under", [jax.jit, jax.vmap, jax.grad])
def test_training_is_no_part_of_a_traced_program(under):
    def end(rates):
        problem = sim.Problem(rates, policy=[0.5, 0.5])
        return jnp.sum(ro.train(problem, ro.Recipe(num_steps=1)).log_probs)

    given = np.full((2, 2), 0.3) if under is jax.vmap else np.full(2, 0.3)
    with pytest.raises(ValueError, match="outside of `jit`, `vmap` and `grad`"):
        under(end)(given)


@pytest.mark.slow
def test_single_precision_trains_the_same_on_average():
    recipe = {"estimator": ro.RLOO(), "num_steps": 100, "group_size": 256}
    double = np.exp(final(ro.Recipe(**recipe), seeds=200)).mean(axis=0)
    jax.config.update("jax_enable_x64", False)
    question = sim.Problem([0.9, 0.6, 0.1], [0.15, 0.6, 0.25])
    run = ro.train(question, ro.Recipe(**recipe), num_seeds=200)
    assert run.log_probs.dtype == np.float32
    single = np.exp(run.log_probs[:, 0])
    spread = single.std(axis=0) / np.sqrt(200)
    assert (np.abs(single.mean(axis=0) - double) < 6 * spread).all()
    assert set(run.outcome_names) == {"horizon"}
