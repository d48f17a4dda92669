"""Events of means, against a dense integration of the flow by SciPy."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize_scalar

import simulator as sim
from tests.oracles import softmax

LAST, LANES, K = 300.0, 10, 4


@pytest.fixture(scope="module")
def lanes():
    """Rates, logits, attribute, and the way of each lane as a function of log time."""
    rng = np.random.default_rng(5)
    rates, f = rng.random((LANES, K)), rng.normal(size=(LANES, K))
    logits = rng.normal(size=(LANES, K)) - 4 * rates  # the best ones are rare

    def way(lane):
        def field(t, theta):
            pi = softmax(theta)
            return pi * (rates[lane] - pi @ rates[lane])

        run = solve_ivp(
            field,
            (0, LAST),
            logits[lane],
            "DOP853",
            dense_output=True,
            rtol=1e-12,
            atol=1e-13,
        )

        def mean(t):
            weights = np.exp(run.sol(t))
            return f[lane] @ weights / weights.sum(axis=0)

        return mean

    return rates, logits, f, [way(lane) for lane in range(LANES)]


def solved(lanes, events, method, **more):
    rates, logits, f, _ = lanes
    asked = sim.Problem(rates, logits=logits, attributes={"held-out": f})
    return sim.solve(
        asked,
        sim.Verifiable(),
        events=events,
        method=method,
        max_log_time=np.log(LAST),
        **more,
    )


def first(way, level, sign):
    """The time at which `sign * (mean - level)` first becomes positive."""
    times = np.linspace(0, LAST, 30_001)
    values = sign * (way(times) - level)
    if values[0] >= 0:
        return 0.0
    if not (values > 0).any():
        return np.inf
    i = np.argmax(values > 0)
    return brentq(lambda t: way(t) - level, times[i - 1], times[i], xtol=1e-13)


@pytest.mark.witness("AttributeRises", "AttributeFalls")
@pytest.mark.parametrize("method", ["exact", "flow"])
def test_a_mean_passes_a_level_when_scipy_says(lanes, method):
    levels = (-0.3, 0.1, 0.6)
    kinds = {sim.AttributeRises: 1, sim.AttributeFalls: -1}
    events = [kind("held-out", level) for kind in kinds for level in levels]
    run = solved(lanes, events, method)
    wanted = [
        [first(way, level, sign) for sign in kinds.values() for level in levels]
        for way in lanes[3]
    ]
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(
            run.event_log_times, np.log(wanted), rtol=1e-7, atol=1e-7
        )
    moved = np.isfinite(wanted) & (np.array(wanted) > 0)
    assert (moved[:, :3].sum() > 5) and (moved[:, 3:].sum() > 5)
    assert (np.isinf(wanted)).any() and (np.array(wanted) == 0).any()


@pytest.mark.witness("HighestAttribute", "LowestAttribute")
@pytest.mark.parametrize("method", ["exact", "flow"])
def test_a_mean_is_highest_and_lowest_where_scipy_says(lanes, method):
    events = [sim.HighestAttribute("held-out"), sim.LowestAttribute("held-out")]
    run = solved(lanes, events, method)
    times = np.geomspace(1e-4, LAST, 5000)
    inner = 0
    for lane, way in enumerate(lanes[3]):
        values = way(times)
        for event, sign in enumerate((1, -1)):
            i = int(np.argmax(sign * values))
            log_time = float(run.event_log_times[lane, event])
            found = run.attribute("held-out", run.event_log_probs[:, event])[lane]
            if 0 < i < len(times) - 1:
                best = minimize_scalar(
                    lambda t, way=way, sign=sign: -sign * way(t),
                    bounds=(times[i - 1], times[i + 1]),
                    options={"xatol": 1e-9},
                )
                np.testing.assert_allclose(found, sign * -best.fun, rtol=1e-9)
                np.testing.assert_allclose(log_time, np.log(best.x), atol=1e-4)
                inner += 1
            elif i == 0:
                assert log_time == -np.inf
            else:
                np.testing.assert_allclose(log_time, np.log(LAST), rtol=1e-9)
    assert inner >= 6


def test_a_level_that_no_policy_has_is_never_reached(lanes):
    f = lanes[2]
    rises = solved(
        lanes, [], "exact", until=sim.AttributeRises("held-out", f.max(axis=1))
    )
    falls = solved(
        lanes, [], "exact", until=sim.AttributeFalls("held-out", f.min(axis=1))
    )
    for run in (rises, falls):
        assert set(run.outcome_names) == {"unreachable"}


def test_one_attribute_is_not_another():
    columns = {"a": [0.1, 0.9, 0.3], "b": [0.8, 0.2, 0.4]}
    asked = sim.Problem([0.9, 0.6, 0.1], [0.05, 0.7, 0.25], attributes=columns)
    events = [sim.HighestAttribute("a"), sim.HighestAttribute("b")]
    run = sim.solve(asked, sim.Verifiable(), events=events, until=sim.Gap(1e-3))
    assert run["highest-attribute=a"].log_time < run["highest-attribute=b"].log_time
    with pytest.raises(KeyError, match="fits several events.*highest-attribute=a"):
        run["highest-attribute"]
    with pytest.raises(KeyError, match="solve with events=.AttributeRises..a., 0.5."):
        run["attribute-rises=a,0.5"]


def test_a_mean_of_several_questions_passes_a_level_in_training():
    asked = sim.Problem(
        [[0.9, 0.1], [0.2, 0.8]],
        [[0.5, 0.5], [0.4, 0.6]],
        attributes={"f": [[0.2, 0.6], [1.0, 2.0]]},
    )
    mean = (0.5 * 0.2 + 0.5 * 0.6 + 0.4 * 1.0 + 0.6 * 2.0) / 2
    for event, level, holds in (
        (sim.AttributeRises, mean - 0.01, True),
        (sim.AttributeRises, mean + 0.01, False),
        (sim.AttributeFalls, mean - 0.01, False),
        (sim.AttributeFalls, mean + 0.01, True),
    ):
        value = event("f", level).in_training(asked, asked.log_policy)
        assert bool(value >= 0) is holds
