"""Programs are compiled once: for other numbers of the same kind, and for ever."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim

COMPILED = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: (
        COMPILED.append(event) if event.endswith("backend_compile_duration") else None
    )
)


def solved(update=None, method="auto", **options):
    problem = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25])
    return sim.solve(
        problem, sim.Verifiable(), update, until=sim.T0(), method=method, **options
    )


@pytest.mark.parametrize("method", ["exact", "flow"])
@pytest.mark.parametrize(
    "first, others",
    [
        (sim.GRPO(8), [sim.GRPO(16), sim.GRPO(5, spread="sample", epsilon=1e-4)]),
        (sim.PassAtN(4), [sim.PassAtN(8), sim.GroupMean(4), sim.RejectionSampling()]),
        (sim.GRPO(4, redraw=True), [sim.GRPO(9, redraw=True)]),
    ],
)
def test_group_sizes_share_a_program(first, others, method):
    solved(first, method)
    before = len(COMPILED)
    times = [float(solved(other, method).log_time) for other in others]
    assert len(COMPILED) == before
    assert len({*times, float(solved(first, method).log_time)}) == len(others) + 1


def test_numbers_of_saved_times_share_a_program():
    def saved(number):
        times = np.linspace(0, 3, number)
        return solved(save_log_times=times, max_log_time=4.0).saved

    saved(10)
    before = len(COMPILED)
    coarse, fine = saved(7), saved(13)
    # To cut off what fills up takes a tiny program of its own.
    assert len(COMPILED) - before <= 2
    assert coarse.shape == (7, 3) and fine.shape == (13, 3)
    np.testing.assert_allclose(coarse, fine[::2], rtol=1e-10)


@pytest.mark.parametrize("method", ["exact", "flow"])
def test_numbers_of_events_of_the_same_kinds_share_a_program(method):
    levels = [0.55, 0.5, 0.58, 0.52]
    each = [sim.Accuracy(level) for level in levels]
    alone = [
        solved(None, method, events=[event])[f"accuracy={event.level}"]
        for event in each
    ]
    four = solved(None, method, events=[*each, sim.Crossing()])
    # To drop and sort what was found takes two tiny programs of its own.
    jnp.take(four.event_log_times, np.arange(4), axis=-1)
    jnp.take(four.event_log_probs, np.arange(4), axis=-2)
    before = len(COMPILED)
    three = solved(None, method, events=[*each[:2], sim.Crossing(), each[2]])
    assert len(COMPILED) == before
    assert three.event_names == [
        *("accuracy=0.55", "accuracy=0.5", "crossing", "accuracy=0.58")
    ]
    assert three.event_log_times.shape == (4,)
    assert three.event_log_probs.shape == (4, 3)
    order = np.array([0, 1, 4, 2])
    np.testing.assert_array_equal(three.event_log_times, four.event_log_times[order])
    np.testing.assert_array_equal(three.event_log_probs, four.event_log_probs[order])
    right = [float(moment.log_time) for moment in alone]
    np.testing.assert_allclose(four.event_log_times[:4], right, rtol=1e-9)
    batch = sim.solve(
        sim.Problem([[0.9, 0.6, 0.1]] * 2, [[0.05, 0.7, 0.25]] * 2),
        sim.Verifiable(),
        until=sim.T0(),
        events=[*each[:3]],
        method=method,
    )
    np.testing.assert_allclose(batch.event_log_times, [right[:3]] * 2, rtol=1e-9)


def test_they_are_kept_where_it_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    try:
        assert sim.keep_programs(tmp_path / "own") == tmp_path / "own"
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
        assert sim.keep_programs().parent == tmp_path / "pattern-selection" / "xla"
        (tmp_path / "file").write_text("")
        with pytest.raises(ValueError, match="give a folder that can be written"):
            sim.keep_programs(tmp_path / "file")
        with pytest.raises(ValueError, match="give the path of a folder"):
            sim.keep_programs(3)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
