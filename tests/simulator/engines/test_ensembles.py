from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim
from simulator.engines import ensembles, sharing
from simulator.engines.lanes import lane_axes

LANES = 21
MANY = 4  # steps that some lanes need, and others do not


@pytest.fixture(scope="module", autouse=True)
def devices():
    """Here batches are shared by two devices."""
    assert len(sharing.devices()) == 2


@pytest.fixture
def batch(rng):
    rates = rng.uniform(size=(LANES, 4))
    return sim.Problem(rates, logits=2 * rng.normal(size=(LANES, 4)))


def solve(problem, **options):
    options = {"until": sim.Gap(1e-3)} | options
    return sim.exact(problem, sim.Verifiable(), **options)


def assert_same(first, second, rtol=1e-12):
    assert (first.outcome_names == second.outcome_names).all()
    np.testing.assert_allclose(first.log_time, second.log_time, rtol=rtol)
    np.testing.assert_allclose(first.log_probs, second.log_probs, rtol=1e-9)


@pytest.mark.slow
def test_results_do_not_depend_on_width_blocks_and_devices(batch, monkeypatch):
    whole = solve(batch)
    steps = np.asarray(whole.num_steps)
    assert steps.max() > 2 * steps.min()  # so that lanes do make room for others
    monkeypatch.setattr(ensembles, "CPU_WIDTH", 2)
    monkeypatch.setattr(ensembles, "BLOCK_CHUNKS", 4)
    here = jax.local_devices()
    monkeypatch.setattr(sharing, "devices", lambda: here[:1])
    assert_same(solve(batch), whole)


def test_small_batches_have_programs_of_their_own_unless_they_are_many():
    assert ensembles.block_shape(5, 100) == (1, 64)
    with ensembles.no_small_programs():
        assert ensembles.block_shape(5, 100) == ensembles.block_shape(10**6, 100)
    assert ensembles.block_shape(5, 100) == (1, 64)


@pytest.mark.slow
def test_a_lane_that_exhausts_every_pass_says_so(batch):
    run = solve(batch, max_steps=MANY)
    late = run.outcome_names == "max_steps"
    assert 2 < late.sum() < LANES
    np.testing.assert_array_equal(np.asarray(run.num_steps)[late], MANY)


def test_batch_axes_come_back_and_order_is_kept(batch):
    whole = solve(batch)
    folded = jax.tree.map(lambda x: x.reshape(3, 7, *x.shape[1:]), batch)
    solution = solve(folded)
    assert solution.log_probs.shape == (3, 7, 4)
    np.testing.assert_allclose(solution.log_time.ravel(), whole.log_time, rtol=1e-12)


@pytest.mark.slow
def test_parameters_with_a_lane_axis_go_lane_by_lane(batch):
    levels = np.geomspace(1e-2, 1e-4, LANES)
    betas = np.linspace(0.5, 3, LANES)
    solution = solve(batch, until=sim.Gap(levels))
    for lane in (0, 20):
        alike = solve(batch, until=sim.Gap(levels[lane]))
        assert solution.log_time[lane] == alike.log_time[lane]
    update = sim.NaturalGradient(beta=betas)
    solution = sim.exact(batch, sim.Verifiable(), update)
    wanted = batch.log_policy + batch.success_rates / betas[:, None]
    wanted = wanted - jax.nn.logsumexp(wanted, axis=-1, keepdims=True)
    np.testing.assert_allclose(solution.log_probs, wanted, atol=1e-6)


def test_levels_per_lane_are_refused_where_events_are_shared(batch):
    with pytest.raises(ValueError, match="only `until`"):
        solve(batch, events=(sim.Gap(np.full(LANES, 0.1)),))


def test_lane_axes_follow_the_declared_number_of_axes():
    one = sim.FixedConfidence([0.1, 0.2])
    many = sim.FixedConfidence([[0.1, 0.2], [0.3, 0.4]])
    assert lane_axes(one).confidence is None
    assert lane_axes(many).confidence == 0
    mixed = sim.Mixture([one, many], [0.5, 0.5])
    axes = lane_axes(mixed)
    assert axes.weights is None
    assert [part.confidence for part in axes.signals] == [None, 0]


def test_progress_reaches_the_end(batch):
    seen = []
    solve(batch, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (LANES, LANES)


class Countdown(eqx.Module):
    """A walk of which everything is known: as many steps as the lane's first rate."""

    class Walker(NamedTuple):
        left: jax.Array
        steps: jax.Array

        @property
        def running(self):
            return self.left > 0

    def begin(self, lane):
        (problem,) = lane
        return self.Walker(problem.success_rates[0] * 1000, jnp.asarray(0))

    def advance(self, walker):
        return self.Walker(walker.left - 1, walker.steps + 1)

    def end(self, walker):
        return walker.steps


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("lanes", [1, 5, 64, 333])
@pytest.mark.parametrize("first", ["long", "done"])
def test_every_lane_is_walked_to_its_end_whatever_the_devices(
    rng, monkeypatch, devices, lanes, first
):
    here = jax.local_devices()
    assert len(here) == 2
    monkeypatch.setattr(sharing, "devices", lambda: here[:devices])
    monkeypatch.setattr(ensembles, "CPU_WIDTH", 8)
    monkeypatch.setattr(ensembles, "BLOCK_CHUNKS", 4)
    steps = rng.integers(0, 60, size=lanes)
    steps[lanes // 8 : lanes // 2] = 0  # more than a chunk, done before they begin
    steps[0 if first == "long" else -1] = 900
    steps[: lanes // 8] *= first == "long"
    rates = np.stack([steps / 1000, np.zeros(lanes)], axis=-1)
    problem = sim.Problem(rates, logits=np.zeros((lanes, 2)))
    # Steps of 0.001 with a rounding error: a lane may take one more.
    walked = ensembles.map_lanes(Countdown(), (problem,))
    assert walked.shape == (lanes,) and (np.abs(walked - steps) <= 1).all()


@pytest.mark.parametrize("devices", [2, 3, 8])
@pytest.mark.parametrize("row", [100, 256, 512, 1000])
def test_all_devices_get_their_share_of_each_part_of_a_diagram(devices, row):
    size, lanes = devices * 2**14, devices * 2**14 - 900
    dealt, wanted = ensembles._deal(lanes, devices, size, 128)
    np.testing.assert_array_equal(np.sort(dealt), np.arange(size))
    cost = 1 + np.arange(size) % row / row  # the ends of all rows take longer
    shares = []
    for mine, number in zip(dealt.reshape(devices, -1), wanted, strict=True):
        assert (mine[number:] >= lanes).all()
        shares.append(cost[mine[:number]].sum())
    assert max(shares) < 1.03 * np.mean(shares)


@pytest.mark.parametrize(
    "lanes, elements, shape",
    [
        (1, 50, (1, 64)),
        (64, 50, (1, 64)),
        (65, 50, (128, 128)),
        (10**6, 50, (128, 128)),
        (10**6, 2000, (1024, 16)),
        (64, 2000, (1024, 16)),
        (10**6, 10**6, (16, 2)),
        (3, 10**9, (1, 1)),
    ],
)
def test_blocks_have_few_shapes_within_memory(lanes, elements, shape):
    assert sim.block_shape(lanes, elements) == shape


@pytest.mark.slow
def test_a_confidence_shared_by_all_lanes_is_not_cut_into_lanes(batch):
    confidence = np.array([0.2, 0.9, 0.4, 0.1])
    shared = sim.exact(batch, sim.FixedConfidence(confidence), until=sim.Gap(1e-2))
    each = np.tile(confidence, (LANES, 1))
    own = sim.exact(batch, sim.FixedConfidence(each), until=sim.Gap(1e-2))
    assert_same(shared, own)
