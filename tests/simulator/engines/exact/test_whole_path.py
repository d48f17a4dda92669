"""Traced paths of 3,900 hard problems: states against `theory`, times against `exact`.

Never at equal times: near a hand-over a time says nothing about the state. States are
compared at equal places of the path, by the closed form that `theory` has on its own;
times in equal states, by the engine that looks for an event there.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Int
from scipy.integrate import solve_ivp
from scipy.stats import binom

import simulator as sim
import theory
from simulator import tracing
from tests.oracles import softmax

K, LANES = 8, 300
CLOCKS = {
    "plain": sim.PolicyGradient(),
    "grpo": sim.GRPO(8),
    "infinite": sim.GRPO(np.inf),
    "pass at 8": sim.PassAtN(8),
    "rejection": sim.RejectionSampling(),
}


class OneOfThem(sim.AbstractClock):
    """Clock number `choice` of those above: one program for all of them."""

    choice: Int[Array, "*B"] = eqx.field(converter=jnp.asarray)

    def log_factor(self, log_p, log_q):
        clocks = list(CLOCKS.values())[1:]
        factors = [clock.log_factor(log_p, log_q) for clock in clocks]
        return jnp.stack([jnp.zeros_like(log_p), *factors])[self.choice]


def pairs(rng, values, steps):
    """Every second value next to the one before it."""
    values = values.copy()
    size = values[1::2].shape
    values[1::2] = values[::2][: size[0]] + steps(size[0])
    return values


def close(rng):
    return lambda n: 10.0 ** -rng.uniform(1, 14, n)


def collinear(rng, n):
    """`1/pi_k` on a line over the rates, almost: three take over nearly at once."""
    rates = np.sort(rng.uniform(0.05, 0.95, n))
    off = 1 + 10.0 ** -rng.uniform(2, 15, n) * rng.normal(size=n)
    return rates, -np.log((0.1 + rates) * off)


def ladder(rng, n):
    """Each pattern leads once, on plateaus of any length."""
    rates = np.sort(rng.uniform(size=n))
    return rates, -np.cumsum(rng.uniform(1, rng.choice([4, 40]), n))


def zeros(rng, n):
    logits = rng.normal(size=n) * 3
    logits[rng.permutation(n)[: rng.integers(0, n - 1)]] = -np.inf
    return rng.uniform(size=n), logits


def rare_best(rng, n):
    rates, logits = rng.uniform(size=n), rng.normal(size=n)
    logits[np.argmax(rates)] = -rng.uniform(5, 300)
    return rates, logits


def twins(rng, n):
    rates, logits = rng.uniform(size=n), rng.normal(size=n) * 3
    same = lambda m: np.zeros(m)  # noqa: E731
    return pairs(rng, rates, same), pairs(rng, logits, same)


KINDS = {
    "usual": lambda rng, n: (rng.uniform(size=n), rng.normal(size=n)),
    "rates of all sizes": lambda rng, n: (
        10.0 ** -rng.uniform(0, 12, n),
        rng.normal(size=n) * 3,
    ),
    "hard": lambda rng, n: (rng.uniform(size=n), rng.normal(size=n) * 10),
    "close rates": lambda rng, n: (
        pairs(rng, rng.uniform(0.1, 0.8, n), close(rng)),
        rng.normal(size=n) * 3,
    ),
    "close policies": lambda rng, n: (
        rng.uniform(size=n),
        pairs(rng, rng.normal(size=n) * 3, close(rng)),
    ),
    "tied rates": lambda rng, n: (
        np.round(rng.uniform(size=n), 1),
        rng.normal(size=n) * 3,
    ),
    "tied policies": lambda rng, n: (
        rng.uniform(size=n),
        np.round(rng.normal(size=n)),
    ),
    "twins": twins,
    "zero probabilities": zeros,
    "rare best": rare_best,
    "ladder": ladder,
    "collinear": collinear,
    "certain": lambda rng, n: (
        rng.choice([0.0, 0.3, 1.0], n),
        rng.normal(size=n) * 3,
    ),
}


def problems(kind):
    """`[300, 8]` rates and log policies, of two to eight patterns."""
    rng = np.random.default_rng([*kind.encode()])
    rates, logits = np.zeros((LANES, K)), np.full((LANES, K), -np.inf)
    for i in range(LANES):
        n = rng.integers(2, K + 1)
        rates[i, :n], logits[i, :n] = KINDS[kind](rng, n)
    problem = sim.Problem(rates, logits=logits)
    return problem, rates, np.asarray(problem.log_policy)


@pytest.fixture(scope="module")
def traced():
    """Traces by kind, with the rows of the program behind them."""
    known = {}

    def of(kind):
        if kind not in known:
            with pytest.MonkeyPatch.context() as patch:
                rows, blocks = [], tracing._blocks
                patch.setattr(
                    tracing,
                    "_blocks",
                    lambda *a, **o: rows.append(blocks(*a, **o)) or rows[0],
                )
                problem, rates, log_policy = problems(kind)
                path = sim.trace(problem, sim.Verifiable(), list(CLOCKS.values()))
            known[kind] = rates, log_policy, path, rows[0]
        return known[kind]

    return of


def some_rows(path, rng, each):
    """Lanes `[M]` that move, and rows `[M]` that they keep, besides the first."""
    lanes = np.repeat(np.flatnonzero(path.moves), each)
    number = path.kept.sum(axis=1)[lanes]
    return lanes, 1 + (rng.uniform(size=len(lanes)) * (number - 1)).astype(int)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_theory_at_equal_intrinsic_time(kind, traced, rng):
    rates, log_policy, path, rows = traced(kind)
    lanes, at = some_rows(path, rng, 20)
    known = theory.intrinsic_time.intrinsic_path(rates[lanes], log_policy[lanes])
    piece, log_odds = rows.piece[lanes, at], rows.log_odds[lanes, at]
    last = piece == known.hull.edges
    place = theory.intrinsic_time.Event(
        piece, np.where(last, log_odds - known.log_mean, log_odds)
    )
    leads = np.take_along_axis(known.hull.vertices, piece[:, None], axis=1)[:, 0]
    same = leads == path.leader[lanes, at]
    wanted = np.exp(theory.intrinsic_time.log_probs_at(known, place))
    error = np.abs(wanted - path.policy[lanes, at]).max(axis=1)
    print(f"{kind}: {len(at)} states {error.max():.1e}")
    assert same.all()
    assert error.max() < 1e-11


def solved(rates, log_policy, choice, until):
    """The engine's log times and states at an event of each lane, by blocks."""
    problem = sim.Problem(rates, logits=log_policy)
    return sim.exact(problem, sim.Verifiable(), OneOfThem(choice), until=until)


def peak_before(values):
    """The highest of the values `[B, N]` up to the last row from which they fell."""
    falls = values[:, 1:] < values[:, :-1]
    places = np.where(falls, np.arange(falls.shape[1]), -1)
    last = np.maximum.accumulate(
        np.pad(places, ((0, 0), (1, 0)), constant_values=-1), axis=1
    )
    highest = np.maximum.accumulate(values, axis=1)
    return np.where(last < 0, -np.inf, np.take_along_axis(highest, last, axis=1))


def pit_after(values):
    """The lowest of the values `[B, N]` from the first row on to which they fell."""
    return -peak_before(-values[:, ::-1])[:, ::-1]


def changes(path, level, lanes, at, choice):
    """By how much a level changes per unit of log time, up to a row; 0 if by little."""
    at = np.minimum(at, level.shape[1] - 1)
    change = np.abs(level[lanes, at] - level[lanes, at - 1])
    step = path.log_times[lanes, choice, at] - path.log_times[lanes, choice, at - 1]
    return np.where(change > 1e-6, change / np.clip(step, 1e-9, 1), 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_times_are_those_of_the_exact_engine_in_equal_states(kind, traced, rng):
    rates, log_policy, path, _ = traced(kind)
    assert (path.log_times[..., 1:] >= path.log_times[..., :-1]).all()
    inside = log_policy > -np.inf
    top = np.max(np.where(inside, rates, -1), axis=1, keepdims=True)
    best = inside & (rates == top)
    lead = np.where(inside, top - rates, 0.0)
    with np.errstate(divide="ignore"):
        log_gap = np.log(np.einsum("bnk,bk->bn", path.policy, lead))
        chosen = np.where(best[:, None], path.log_probs, -np.inf)
    log_best = np.logaddexp.reduce(chosen, axis=-1)
    for what, level, kind_of in (
        ("gap", log_gap, sim.Gap),
        ("optimal probability", log_best, sim.OptimalProbability),
    ):
        lanes, at = some_rows(path, rng, 12)
        choice = rng.integers(0, len(CLOCKS), len(lanes))
        here = level[lanes, at]
        # A level that hardly moves, or comes twice, says nothing about the time.
        slope = np.minimum(
            *(changes(path, level, lanes, at + i, choice) for i in (0, 1))
        )
        rising = level if what != "gap" else -level
        once = (peak_before(rising) + 0.05 < rising)[lanes, at]
        once &= (rising < pit_after(rising) - 0.05)[lanes, at]
        # The engine's limit of log time is 2000.
        early = path.log_times[lanes, choice, at] < 1900
        told = (slope > 1e-3) & once & (here > -700) & early
        lanes, at, choice, slope = (x[told] for x in (lanes, at, choice, slope))
        assert len(lanes) > 500
        solution = solved(
            rates[lanes], log_policy[lanes], choice, kind_of(np.exp(here[told]))
        )
        error = np.abs(solution.log_time - path.log_times[lanes, choice, at])
        states = np.abs(solution.policy - path.policy[lanes, at]).max(axis=1)
        print(f"{kind}, {what}: {len(at)} times {error.max():.1e} {states.max():.1e}")
        assert (solution.outcome_names == "reached").all()
        assert error.max() < 1e-6 and states.max() < 1e-10


def h_of(name, p):
    """The clocks once more, from their definitions."""
    if name == "grpo":
        wins = np.arange(1, 8)
        chance = binom.pmf(wins[:, None], 8, p)
        return np.sqrt(wins * (8 - wins) / 64) @ chance / (p * (1 - p))
    return {
        "plain": np.ones_like(p),
        "infinite": 1 / np.sqrt(p * (1 - p)),
        "pass at 8": 8 * (1 - p) ** 7,
        "rejection": 1 / p,
    }[name]


def test_states_and_times_are_those_of_a_numerical_integration(rng):
    """SciPy's, in plain time; the other clocks by their definitions."""
    rates, logits = rng.uniform(0.05, 0.95, K), rng.normal(size=K)
    path = sim.trace(sim.Problem(rates, logits=logits), updates=list(CLOCKS.values()))
    at = np.flatnonzero(path.kept & (path.log_times[0] < np.log(300)))[1:]

    def field(t, x):
        pi = softmax(x[:K])
        p = pi @ rates
        h = [h_of(name, np.array([p])).item() for name in CLOCKS]
        return np.append(pi * (rates - p), 1 / np.array(h))

    times = np.exp(path.log_times[0, at])
    start, options = np.append(logits, np.zeros(5)), {"rtol": 1e-11, "atol": 1e-12}
    run = solve_ivp(field, (0, times[-1]), start, "DOP853", times, **options)
    policies = np.array([softmax(x) for x in run.y[:K].T])
    np.testing.assert_allclose(path.policy[at], policies, atol=1e-9)
    np.testing.assert_allclose(path.log_times[:, at], np.log(run.y[K:]), atol=1e-7)
