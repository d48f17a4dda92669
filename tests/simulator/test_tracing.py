"""`trace` in corners; how exact it is: engines/exact/test_whole_path.py."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import simulator as sim

UPDATES = [
    sim.PolicyGradient(),
    sim.GRPO(8),
    sim.GRPO(np.inf),
    sim.PassAtN(8),
    sim.RejectionSampling(),
]
K = 8  # of all problems here: they share a program


def padded(rates, policy):
    """With patterns of probability 0."""
    missing = (0, K - len(rates))
    return sim.Problem(np.pad(rates, missing), np.pad(policy, missing))


USUAL = padded([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])


@pytest.fixture(scope="module")
def path():
    return sim.trace(USUAL, sim.Verifiable(), UPDATES)


def test_the_rows_go_from_the_base_policy_over_the_hand_over_to_the_end(path):
    kept = np.flatnonzero(path.kept)
    np.testing.assert_array_equal(kept, np.arange(257))  # two pieces
    np.testing.assert_allclose(path.policy[0], np.exp(USUAL.log_policy), rtol=1e-12)
    assert np.isneginf(path.log_times[:, 0]).all() and np.isneginf(path.log_tau[0])
    assert (path.policy[:, 3:] == 0).all()
    np.testing.assert_array_equal(path.leader[kept], [1] * 129 + [0] * 128)
    np.testing.assert_allclose(path.policy[128, 0], path.policy[128, 1], rtol=1e-9)
    # The losers' share of the last row, as it is promised.
    lost = 1 - path.policy[-1, 0]
    assert 0.5e-4 < lost <= 1e-4
    for table in (path.log_probs.T, path.log_times, path.log_tau[None]):
        assert (table[:, 256:] == table[:, 256:257]).all()
    assert (np.diff(path.log_times[:, 1:257]) > 0).all()
    assert (np.diff(path.log_tau[1:257]) > 0).all()


@pytest.mark.parametrize(
    "rates, policy, said",
    [
        ([0.4, 0.4, 0.4], [0.2, 0.3, 0.5], "Nothing moves: all patterns of the base"),
        ([0.4, 0.9], [1, 0], "Nothing moves: the base model has pattern 0 only. Pat"),
        ([0.9, 0.9, 0.1], [0.2, 0.3, 0.5], "patterns 0 and 1, .* leave all to their"),
        ([0.9, 0.9, 0.1], [0.3, 0.3, 0.4], "patterns 0 and 1, .* stay equally likely"),
        (
            [0.5, 0.9, 0.1, 0.8],
            [0.5, 0, 0.5, 0],
            "Ends at pattern 0, .* Patterns 1 and 3 are paid more, but never tried",
        ),
        ([0.3, 0.2], [0.5, 0.5], "Ends at pattern 0, which is paid the most."),
    ],
)
def test_ties_and_zeros_are_said_in_words(rates, policy, said):
    problem = padded(rates, policy)
    path = sim.trace(problem, sim.Verifiable(), UPDATES)
    outside = np.isneginf(problem.log_policy)
    assert (np.isneginf(path.log_probs) == outside).all()
    assert not np.isnan(path.log_times).any() and not np.isnan(path.policy).any()
    assert re.search(said, str(path.notes)), path.notes
    still = str(path.notes).startswith("Nothing moves")
    assert bool(path.moves) != still and (path.kept.sum() == 1) == still
    if still:
        assert (path.log_times == -np.inf).all()
    # Of two that are paid the same the likelier one gains, or none does.
    if "patterns 0 and 1" in said:
        odds = path.log_probs[:, 1] - path.log_probs[:, 0]
        gains = np.diff(odds) >= -1e-12
        assert gains.all() and (odds[-1] > odds[0] + 1e-3) == ("leave" in said)


def test_a_batch_is_as_many_problems_side_by_side():
    rates = [[0.9, 0.6, 0.1] + [0] * 5, [0.2, 0.7, 0.5] + [0] * 5]
    policy = [[0.05, 0.7, 0.25] + [0] * 5, [0.5, 0, 0.5] + [0] * 5]
    many = sim.Problem(np.tile(rates, (3, 1)), np.tile(policy, (3, 1)))
    pay = sim.NoisyVerifier(np.linspace(0, 0.4, 6))
    paths = sim.trace(many, pay, UPDATES)
    assert paths.batch_shape == (6,) and len(list(paths)) == 6
    for i, path in enumerate(paths):
        alone = sim.trace(many[i], sim.NoisyVerifier(pay.false_positive[i]), UPDATES)
        np.testing.assert_allclose(path.log_times, alone.log_times, rtol=1e-12)
        np.testing.assert_allclose(path.log_probs, alone.log_probs, atol=1e-12)
        np.testing.assert_array_equal(path.kept, alone.kept)
        np.testing.assert_array_equal(path.leader, alone.leader)
    table = jax.tree.map(lambda x: x.reshape(2, 3, K), many)
    folded = sim.trace(table, sim.NoisyVerifier(np.reshape(pay.false_positive, (2, 3))))
    np.testing.assert_array_equal(folded[1, 2].log_tau, paths[5].log_tau)


@pytest.mark.slow
def test_lanes_do_not_depend_on_devices_and_blocks(monkeypatch):
    from simulator import tracing
    from simulator.engines import sharing

    rng = np.random.default_rng(3)
    many = sim.Problem(rng.uniform(size=(11, K)), logits=3 * rng.normal(size=(11, K)))
    one = sim.trace(many)
    monkeypatch.setattr(sharing, "devices", lambda: jax.local_devices()[:2])
    monkeypatch.setattr(tracing, "MANY", 4)
    two = sim.trace(many)
    np.testing.assert_array_equal(one.kept, two.kept)
    np.testing.assert_allclose(one.log_times, two.log_times, rtol=1e-12)
    np.testing.assert_allclose(one.log_probs, two.log_probs, rtol=1e-11, atol=1e-11)


@pytest.mark.slow
def test_inside_of_jit_and_vmap_it_is_the_same_and_has_no_derivatives(path):
    def times(problem):
        return sim.trace(problem, sim.Verifiable(), UPDATES).log_times

    np.testing.assert_allclose(jax.jit(times)(USUAL), path.log_times, rtol=1e-12)
    two = jax.tree.map(lambda x: jnp.stack([x, x]), USUAL)
    mapped = jax.jit(jax.vmap(times))(two)
    np.testing.assert_allclose(mapped[1], path.log_times, rtol=1e-12)

    def end(rates):
        return times(sim.Problem(rates, logits=USUAL.log_policy))[0, -1]

    with pytest.raises(ValueError, match="no derivatives; .* solve"):
        jax.grad(end)(USUAL.success_rates)


@pytest.mark.slow
def test_float32_is_as_good_as_its_digits(path):
    with jax.enable_x64(False):
        single = sim.trace(padded([0.9, 0.6, 0.1], [0.05, 0.7, 0.25]))
        assert single.log_times.dtype == np.float32
    np.testing.assert_allclose(single.log_times[0], path.log_times[0], atol=1e-3)


class Squared(sim.AbstractClock):
    """A clock that is not counted."""

    def log_factor(self, log_p, log_q):
        return 2 * log_p


def test_other_clocks_and_their_names(path):
    updates = [Squared(), sim.GRPO(8, spread="sample"), sim.GRPO(4), sim.GroupMean(2)]
    names = ("squared", "grpo=8,spread=sample", "grpo=4", "group-mean=2")
    other = sim.trace(USUAL, sim.Verifiable(), updates)
    assert other.names == names
    np.testing.assert_array_equal(other.log_probs, path.log_probs)
    plain = path.times("policy-gradient")[1:]
    half = other.times(sim.GroupMean(2))[1:] - plain
    np.testing.assert_allclose(half, np.log(2), rtol=1e-9)
    sample = other.times("grpo=8,spread=sample")[1:] - path.times(sim.GRPO(8))[1:]
    np.testing.assert_allclose(sample, 0.5 * np.log(8 / 7), rtol=1e-9)
    squared = other.times("squared")[1:] - plain
    assert (squared > -2 * np.log(0.9)).all()  # as h = p^2 never gets there
    np.testing.assert_allclose(squared[0], -2 * np.log(0.49), atol=1e-2)
    with pytest.raises(ValueError, match="`update` is 'grpo', which fits several"):
        other.times("grpo")
    with pytest.raises(ValueError, match="`update` is 'pass-at-n=8', which was not"):
        other.times(sim.PassAtN(8))


class Faster(sim.AbstractClock):
    """A clock with a number of each problem."""

    factor: Float[Array, "*B"]

    def log_factor(self, log_p, log_q):
        return jnp.log(self.factor)


def test_clocks_that_differ_are_told_apart():
    """Where their names are cut or hold no numbers, the first was taken for each."""
    near = sim.PassAtN(20_001), sim.PassAtN(20_002)
    path = sim.trace(USUAL, updates=near)
    assert path.names == ("pass-at-n=20001", "pass-at-n=20002")
    for i, update in enumerate(near):
        np.testing.assert_array_equal(path.times(update), path.log_times[i])
    assert path.log_times[0, -1] != path.log_times[1, -1]
    one, two = Faster(jnp.arange(1.0, 21.0)), Faster(jnp.arange(2.0, 22.0))
    lanes = jax.tree.map(lambda x: jnp.broadcast_to(x, (20, *x.shape)), USUAL)
    batch = sim.trace(lanes, updates=[one, two, one])
    assert len(set(batch.names)) == 2 and batch.names[0] == batch.names[2]
    np.testing.assert_array_equal(batch.times(batch.names[1]), batch.log_times[:, 1])
    for update in (one, two, "faster"):
        with pytest.raises(ValueError, match="fits several"):
            batch.times(update)


def test_mixtures_of_fixed_rewards_are_traced():
    signal = sim.Mixture([sim.Verifiable(), sim.FixedConfidence(np.eye(K)[2])], [1, 1])
    path = sim.trace(USUAL, signal)
    assert str(path.notes) == "Ends at pattern 2, which is paid the most."
    np.testing.assert_allclose(path.rewards[:3], [0.9, 0.6, 1.1])


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: sim.trace(USUAL, sim.Demonstrations(np.eye(K)[0])), "move with the p"),
        (
            lambda: sim.trace(USUAL, sim.Mixture([sim.MajorityVote()], [1])),
            "`signal` is Mixture, .*solve",
        ),
        (
            lambda: sim.trace(USUAL, updates=[sim.PolicyGradient(0.1)]),
            r"`updates` has PolicyGradient\(beta=0.1\), .*solve",
        ),
        (lambda: sim.trace(USUAL, updates=[sim.NaturalGradient()]), "NaturalGradient"),
        (
            lambda: sim.trace(USUAL, sim.FixedConfidence(np.ones(K)), [sim.GRPO()]),
            "needs rewards that are 0 or 1",
        ),
        (lambda: sim.trace(USUAL, updates=[]), "`updates` is empty"),
        (lambda: sim.trace(USUAL, updates=[sim.GRPO(1)]), "at least 2"),
        (
            lambda: sim.trace(sim.Problem(np.full(65, 0.5), logits=np.zeros(65))),
            "65 patterns; a trace takes up to 64",
        ),
        (lambda: sim.trace(USUAL, sim.SelfCertainty()), "needs an answer kernel"),
    ],
)
def test_what_leaves_the_path_is_refused_in_one_line(call, said):
    with pytest.raises(ValueError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 230


def test_tables_and_plots_show_the_kept_rows(path):
    table = path.to_pandas()
    assert len(table) == 257 and table["leader"].iloc[-1] == 0
    np.testing.assert_allclose(
        table["log10_t grpo=8"], path.times("grpo=8")[:257] / np.log(10)
    )
    axes = path.plot(update=sim.GRPO(8))
    line = axes.lines[-1]
    assert line.get_label() == "accuracy"
    np.testing.assert_allclose(line.get_ydata(), path.accuracy[:257])
    np.testing.assert_allclose(
        line.get_xdata()[100:], path.times("grpo=8")[100:257] / np.log(10)
    )
    assert np.isfinite(line.get_xdata()).all()
    still = sim.trace(padded([0.5, 0.5], [0.2, 0.8]), sim.Verifiable(), UPDATES)
    assert still.plot().lines and "Nothing moves" in repr(still)
    batch = sim.trace(jax.tree.map(lambda x: x[None], USUAL))
    assert repr(batch).startswith("Trace of 1 problem, ")
    for wrong in (batch.plot, batch.to_pandas):
        with pytest.raises(ValueError, match=r"batch of shape \(1,\); take one path"):
            wrong()
