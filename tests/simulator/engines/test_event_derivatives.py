"""Derivatives of event times against differences of the times themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simulator as sim

K, LANES, STEP = 4, 6, 1e-5
EVENTS = (sim.T0(), sim.Crossing(), sim.LowestOptimalProbability())


def moments(update, rates, logits):
    """Log times of four events, and the final log-probabilities."""
    problem = sim.Problem(rates, logits=logits)
    solution = sim.solve(
        problem, sim.Verifiable(), update, until=sim.Gap(1e-3), events=EVENTS
    )
    times = jnp.append(solution.log_time, solution.event_log_times)
    return jnp.concatenate([times, solution.log_probs])


def differences(function, rates, logits):
    """Central differences, `[lanes, moments, 2 K]`."""
    columns = []
    for argument in range(2):
        for k in range(K):
            h = STEP * np.eye(K)[k]
            ahead = function(
                *(x + h * (i == argument) for i, x in enumerate((rates, logits)))
            )
            behind = function(
                *(x - h * (i == argument) for i, x in enumerate((rates, logits)))
            )
            with np.errstate(invalid="ignore"):
                columns.append((np.asarray(ahead) - np.asarray(behind)) / (2 * STEP))
    return np.stack(columns, axis=-1)


@pytest.fixture(scope="module")
def problems():
    rng = np.random.default_rng(77)
    # The best pattern is rare: plateaus, dips and hand-overs are on the way.
    rates = np.sort(rng.uniform(size=(LANES, K)))[:, ::-1].copy()
    logits = rng.normal(size=(LANES, K))
    logits[:, 0] -= 4
    logits[1, 1:] = 0.3  # a tie for the lead at the start
    return jnp.asarray(rates), jnp.asarray(logits)


@pytest.mark.slow
@pytest.mark.parametrize("update", [sim.GRPO(8), sim.NaturalGradient()])
def test_slopes_equal_differences_in_a_batch_and_alone(problems, update):
    def one(rates, logits):
        return moments(update, rates, logits)

    many = jax.jit(jax.vmap(one))
    wanted = differences(many, *problems)
    slopes = jax.jit(jax.vmap(jax.jacrev(one, argnums=(0, 1))))(*problems)
    got = np.concatenate(slopes, axis=-1)
    known = np.isfinite(wanted)
    assert known.mean() > 0.7 and np.isfinite(got).all()
    scale = np.abs(wanted[known]).max()
    assert scale > 5
    np.testing.assert_allclose(got[known], wanted[known], rtol=1e-5, atol=1e-7 * scale)
    # Events that hold from the start have no time, and no slope.
    assert (got[~known] == 0).all()
    if type(update) is sim.GRPO:
        alone = jax.jit(jax.jacfwd(one, argnums=(0, 1)))(*(x[2] for x in problems))
        np.testing.assert_allclose(
            np.concatenate(alone, axis=-1), got[2], rtol=1e-9, atol=1e-9
        )


@pytest.mark.slow
def test_the_slope_of_a_delay_is_its_degree():
    # Deep in regime 2, T is a power of pi_0(*): the degree is K - 1 here (K = 3).
    def log_crossing(log_rare):
        policy = jnp.stack([log_rare, jnp.log(0.75), jnp.log(0.25)])
        problem = sim.Problem(jnp.array([0.9, 0.6, 0.1]), logits=policy)
        events = (sim.Crossing(),)
        solution = sim.solve(
            problem, sim.Verifiable(), until=sim.Gap(1e-1), events=events
        )
        return solution.event_log_times[0]

    slope = jax.grad(log_crossing)(jnp.log(1e-7))
    np.testing.assert_allclose(slope, -2, atol=1e-3)


@pytest.mark.slow
def test_a_level_and_a_confidence_have_slopes_too():
    def log_time(level, confidence):
        problem = sim.Problem(jnp.array([0.2, 0.8, 0.5]), logits=jnp.zeros(3))
        signal = sim.FixedConfidence(confidence)
        return sim.solve(problem, signal, until=sim.Gap(level)).log_time

    confidence = jnp.array([0.9, 0.3, 0.7])
    by_level, by_confidence = jax.grad(log_time, argnums=(0, 1))(0.01, confidence)
    h = 1e-6
    rise = log_time(0.01 + h, confidence) - log_time(0.01 - h, confidence)
    np.testing.assert_allclose(by_level, rise / (2 * h), rtol=1e-5)
    # A common shift of the rewards changes nothing.
    np.testing.assert_allclose(by_confidence.sum(), 0, atol=1e-9)
    assert by_confidence[0] < -0.5 and by_confidence[2] > 0.5
    with pytest.raises(ValueError, match="first derivatives only"):
        jax.jacfwd(jax.grad(log_time))(0.01, confidence)


@pytest.mark.slow
def test_batches_may_be_transformed_too(problems):
    def log_times(rates, logits):
        found = sim.Problem(rates, logits=logits)
        level = jnp.linspace(0.1, 0.01, len(rates))
        return sim.solve(found, sim.Verifiable(), until=sim.Gap(level)).log_time

    rates, logits = (x[:2] for x in problems)
    plain, inside = log_times(rates, logits), jax.jit(log_times)(rates, logits)
    np.testing.assert_allclose(inside, plain, rtol=1e-12)
    slopes = jax.jacrev(log_times, argnums=1)(rates, logits)
    # Lanes have nothing to do with each other.
    assert (slopes[0, 1] == 0).all() and (slopes[1, 0] == 0).all()
    step = 1e-6 * jnp.zeros_like(logits).at[:, 0].set(1)
    rise = log_times(rates, logits + step) - log_times(rates, logits - step)
    found = slopes[jnp.arange(2), jnp.arange(2), 0]
    np.testing.assert_allclose(found, rise / 2e-6, rtol=1e-5)


def test_what_has_no_slopes_says_so():
    def by(method, **options):
        def log_time(rates):
            problem = sim.Problem(rates, logits=jnp.zeros(2))
            return sim.solve(
                problem, sim.Verifiable(), method=method, **options
            ).log_time

        return jax.grad(log_time)(jnp.array([0.9, 0.1]))

    with pytest.raises(ValueError, match="numerical flow has no derivatives"):
        by("flow", until=sim.Gap(0.1))
    with pytest.raises(ValueError, match="saved states have no derivatives"):
        by("exact", save_log_times=[0.0])


def corners(rates, logits):
    """All that a run tells, in one row."""
    problem = sim.Problem(rates, logits=logits)
    solution = sim.solve(
        problem, sim.Verifiable(), until=sim.Gap(1e-2), events=(sim.Crossing(),)
    )
    times = jnp.append(solution.log_time, solution.event_log_times)
    return jnp.concatenate(
        [times, solution.log_probs, solution.event_log_probs.ravel()]
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", [jax.jacrev, jax.jacfwd])
def test_slopes_where_nothing_happens_are_those_of_the_base_model(mode):
    slopes = jax.jit(mode(corners, argnums=(0, 1)))
    # The time limit comes first, on a plateau of 10^608 or more: nothing moves it.
    for found in slopes(jnp.array([0.9, 0.6, 0.1]), jnp.array([-700.0, 700.0, 0.0])):
        np.testing.assert_array_equal(found[:2], 0)
        assert np.isfinite(found).all()
    # All rates equal, or (a best pattern that has it all but 1e-4) there already.
    for rates, logits in (
        ([0.5, 0.5, 0.5], [0.0, 1.0, -2.0]),
        ([0.9, 0.6, 0.1], [10.0, 0.0, -2.0]),
    ):
        by_rates, by_logits = slopes(jnp.array(rates), jnp.array(logits))
        np.testing.assert_array_equal(by_rates, 0)
        softmax = np.eye(3) - jax.nn.softmax(jnp.array(logits))
        wanted = np.concatenate([np.zeros((2, 3)), softmax, softmax])
        np.testing.assert_allclose(by_logits, wanted, rtol=1e-14)


@pytest.mark.slow
def test_slopes_at_rest_are_those_of_the_optimum():
    """`log pi = log pi_ref + rho / beta`, up to normalisation."""
    beta = 0.5

    def rest(rates):
        problem = sim.Problem(rates, logits=jnp.array([0.3, -0.2, 0.1]))
        update = sim.NaturalGradient(beta=beta)
        events = (sim.PeakAccuracy(),)
        found = sim.solve(problem, sim.Verifiable(), update, events=events)
        return found.log_probs, found.log_time, found.event_log_probs[0]

    rates = jnp.array([0.9, 0.6, 0.1])
    policy = jnp.exp(rest(rates)[0])
    by_rates, by_time, peak = jax.jacrev(rest)(rates)
    for found in (by_rates, peak):
        np.testing.assert_allclose(found, (np.eye(3) - policy) / beta, rtol=1e-6)
    np.testing.assert_array_equal(by_time, 0)


@pytest.mark.slow
def test_an_extremum_at_the_end_moves_with_the_end():
    def times(rates):
        problem = sim.Problem(rates, [0.3, 0.4, 0.3])
        events = (sim.PeakAccuracy(),)
        found = sim.solve(
            problem, sim.Verifiable(), until=sim.Accuracy(0.8), events=events
        )
        return found.log_time, found.event_log_times[0], found.event_log_probs[0]

    end, peak, policy = jax.jacrev(times)(jnp.array([0.9, 0.6, 0.1]))
    assert abs(end[0]) > 0.1
    np.testing.assert_array_equal(peak, end)
    assert np.abs(policy).max() > 0.1


# In 50 digits: states in closed form, times by Gauss-Legendre rules, differences of
# the times at a step of 1e-14. The same for T0 and the crossing, to these digits.
PLATEAU = ([0.83, 0.64, 0.37, 0.12], [-211.3, 97.1, 260.9, -33.7])
BY_RATES = [-15.78947368421, 21.41625431099, -3.703703703704, -1.923076923077]
BY_LOGITS = [-3.0, 1.0, 1.0, 1.0]


def times_and_policies(rates, logits):
    problem = sim.Problem(rates, logits=logits)
    solution = sim.solve(problem, sim.Verifiable(), until=sim.Gap(1e-2), events=EVENTS)
    times = jnp.append(solution.event_log_times, solution.log_time)
    policies = jnp.append(solution.event_log_probs.ravel(), solution.log_probs)
    return jnp.concatenate([times, policies])


@pytest.mark.slow
def test_slopes_on_deep_plateaus():
    rng = np.random.default_rng(2)
    rates = np.sort(rng.uniform(size=(12, K)))[:, ::-1].copy()
    logits = 150 * rng.normal(size=(12, K))
    logits[:, 0] -= 150
    rates[0], logits[0] = PLATEAU
    many = jax.jit(jax.vmap(times_and_policies))
    assert (
        np.nanmax(np.where(many(rates, logits) < np.inf, many(rates, logits), 0)) > 900
    )
    wanted = differences(many, rates, logits)
    known = np.isfinite(wanted)
    assert known.mean() > 0.9
    for mode in (jax.jacrev, jax.jacfwd):
        slopes = mode(times_and_policies, argnums=(0, 1))
        by_rates, by_logits = jax.jit(jax.vmap(slopes))(rates, logits)
        found = np.concatenate([by_rates, by_logits], axis=-1)
        assert np.isfinite(found).all()
        scale = np.maximum(1, np.abs(found).max((1, 2), keepdims=True))
        error = np.where(known, np.abs(found - wanted), 0) / scale
        assert error.max() < 1e-6
        for moment in (0, 1):
            np.testing.assert_allclose(by_rates[0, moment], BY_RATES, rtol=1e-9)
            np.testing.assert_allclose(by_logits[0, moment], BY_LOGITS, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [jax.jacrev, jax.jacfwd])
def test_patterns_that_are_alike_share_the_slopes_of_times(mode):
    # Twice the best pattern, in the limit of a deep plateau: as one of twice the mass.
    def log_times(rates, logits):
        return times_and_policies(rates, logits)[:4]

    rates, logits = (
        jnp.array([0.9, 0.9, 0.6, 0.1]),
        jnp.array([-300.0, -300.0, 300.0, 0]),
    )
    slopes = jax.jit(mode(log_times, argnums=1))(rates, logits)
    np.testing.assert_allclose(
        slopes, np.tile([-1.0, -1.0, 1.0, 1.0], (4, 1)), rtol=1e-9
    )


@pytest.mark.slow
def test_policies_at_a_time_limit_on_a_plateau_have_slopes():
    # On the way to a hand-over that comes later: u_2 = d tau, d = rho_1 - rho_2, u_0 =
    # c_0, and t = c_0 d tau^2 / 2 is given. So pi_0 ~ c_0^(-3/2) d^(-1/2), pi_2 ~ 1/d.
    def log_probs(rates, logits):
        problem = sim.Problem(rates, logits=logits)
        return sim.solve(problem, sim.Verifiable(), until=sim.Gap(1e-2)).log_probs

    rates, logits = jnp.array([0.9, 0.5, 0.1]), jnp.array([-700.0, 700.0, 0.0])
    slopes = jax.jit(jax.jacrev(log_probs, argnums=(0, 1)))
    by_rates, by_logits = slopes(rates, logits)
    wanted = [[0, -1.25, 1.25], [0, 0, 0], [0, -2.5, 2.5]]
    np.testing.assert_allclose(by_rates, wanted, atol=1e-9)
    wanted = [[1, -0.5, -0.5], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(by_logits, wanted, atol=1e-9)


def test_a_pattern_outside_the_support_changes_no_slope():
    """Against the same problem without it."""
    rates, logits = jnp.array([0.9, 0.6, 0.1, 0.5]), jnp.array([-1.0, 0.7, 0.2, 0.0])
    outside = logits.at[3].set(-jnp.inf)

    def log_time(rates, logits):
        problem = sim.Problem(rates, logits=logits)
        return sim.solve(problem, sim.Verifiable(), until=sim.Gap(1e-2)).log_time

    slopes = jax.grad(log_time, argnums=(0, 1))
    with_it, without = slopes(rates, outside), slopes(rates[:3], logits[:3])
    for own, other in zip(with_it, without, strict=True):
        assert own[3] == 0
        np.testing.assert_allclose(own[:3], other, rtol=1e-11)
