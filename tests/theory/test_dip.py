import numpy as np
import pytest
import sympy as sp

import theory
from tests.oracles import qpg
from tests.theory.problems import flow_path, padded_batch, random_problem

THREE = np.array([0.9, 0.6, 0.1])


def rare(e):
    return np.log([e, 0.7, 0.3 - e])


def test_the_criterion_is_the_sign_of_the_velocity_of_the_best_pattern(rng):
    signs = set()
    for _ in range(40):
        s, log_pi = random_problem(rng, 5, 1.5)
        best, pi = s.argmax(), np.exp(log_pi)
        margin = theory.dip.dip_margin(s, log_pi)
        np.testing.assert_allclose(-margin * pi[best], qpg(pi, s)[best], rtol=1e-8)
        signs.add(np.sign(margin))
    assert signs == {-1.0, 1.0}


def test_the_example_case_dips_and_the_search_finds_its_depth():
    s, policy = theory.entanglement.example_case()
    log_pi = np.log(policy)
    lowest = np.exp(theory.dip.lowest_best_mass(s, log_pi))
    np.testing.assert_allclose(lowest, 0.0433989190, rtol=1e-8)
    times = np.linspace(0, 92, 2001)[1:]
    pi, _ = flow_path(s, log_pi, times)
    np.testing.assert_allclose(pi[:, 0].min(), lowest, rtol=1e-6)
    falling = theory.dip.dip_margin(s, np.log(pi)) > 0
    assert np.all(falling == (np.arange(2000) < pi[:, 0].argmin()))
    # Too shallow for the ceiling to say more than the start.
    np.testing.assert_allclose(np.exp(theory.dip.dip_ceiling(s, log_pi)), 0.05)


def test_the_dip_is_never_shallower_than_the_ceiling(rng):
    s, log_pi = padded_batch(rng, lambda *x: True, 400, spread=2.5)
    lowest = theory.dip.lowest_best_mass(s, log_pi)
    ceiling = theory.dip.dip_ceiling(s, log_pi)
    start = log_pi[np.arange(400), np.nanargmax(np.where(log_pi > -50, s, 0), axis=1)]
    assert np.all(lowest <= ceiling + 1e-9) and np.all(ceiling <= start)
    binding = ceiling < start - 0.7
    assert binding.sum() > 20
    assert np.median((ceiling - lowest)[binding]) < 0.02
    edges = theory.hull.dominance_hull(s, log_pi).edges
    assert np.any(edges[binding] > 1)
    assert np.all(ceiling[edges == 0] == start[edges == 0])


def test_two_edges_have_a_ceiling_each():
    # The deepest of both is a product on the first piece, written out by hand.
    s = np.array([0.93, 0.71, 0.42, 0.16])
    log_pi = np.log([1e-5, 4e-3, 0.7, 0.3 - 4e-3 - 1e-5])
    hull = theory.hull.dominance_hull(s, log_pi)
    np.testing.assert_array_equal(hull.vertices, [2, 1, 0, -1])
    depth = []
    for i, left, right in ((2, 0, hull.slopes[0]), (1, *hull.slopes[:2])):
        sigma = np.linspace(left, right, 40_001)[:, None]
        line = np.exp(-log_pi) - s * sigma
        a = line - line[:, [i]]
        product = a[:, 0] * np.prod(np.delete(a, i, axis=1), axis=1)
        depth.append(product.max() * np.exp(log_pi.sum()))
    ceiling = np.exp(-theory.dip.dip_ceiling(s, log_pi))
    np.testing.assert_allclose(ceiling, max(depth), rtol=1e-6)


def test_one_edge_gives_the_printed_product(rng):
    s, log_pi = padded_batch(rng, theory.entanglement.has_one_edge, 60, spread=3.0)
    z = np.linspace(0, 0.9999, 20_001)
    best = np.argmax(np.where(log_pi > -np.inf, s, -1.0), axis=1)
    for lane in range(60):
        inside = np.flatnonzero(log_pi[lane] > -np.inf)
        policy, rates = np.exp(log_pi[lane, inside]), s[lane, inside]
        b, i = rates.argmax(), policy.argmax()
        D, rise = 1 / policy[b] - 1 / policy[i], rates[b] - rates[i]
        product = np.prod(policy) * D**2 * (1 - z) ** 2
        for k in set(range(inside.size)) - {b, i}:
            height = 1 / policy[k] - 1 / policy[i]
            product = product * (height + (rates[i] - rates[k]) / rise * D * z)
        start = log_pi[lane, best[lane]]
        wanted = min(start, -np.log(product.max()))
        ceiling = theory.dip.dip_ceiling(s[lane], log_pi[lane])
        np.testing.assert_allclose(ceiling, wanted, atol=1e-6)
        np.testing.assert_allclose(
            theory.dip.edge_depth(s[lane], log_pi[lane], z[5000]), np.log(product[5000])
        )


def test_a_rare_best_pattern_among_three_falls_to_the_printed_multiple_of_its_square():
    misses = []
    for e in (1e-2, 1e-3, 1e-4):
        lowest = theory.dip.lowest_best_mass(THREE, rare(e))
        formal = theory.dip.dip_three(THREE, rare(e))
        np.testing.assert_allclose(formal, 6.75 * 0.6 * e**2 / (0.7 * (0.3 - e)))
        misses.append(abs(np.exp(lowest) / formal - 1))
        ceiling = theory.dip.dip_ceiling(THREE, rare(e))
        assert lowest < ceiling < lowest + 20 * e**1.5
    assert misses[0] < 5e-3 and misses[1] < 1e-3 and misses[2] < 1e-4


def test_the_product_is_one_over_the_best_mass_up_to_the_mass_of_the_others(rng):
    tight = 0
    for _ in range(3000):
        K = rng.integers(2, 8)
        rho = rng.permutation(K) / K
        pi = np.exp(rng.normal(size=K) * rng.uniform(0.3, 6))
        pi /= pi.sum()
        i, best = pi.argmax(), rho.argmax()
        if i == best:
            continue
        u = np.exp(np.mean(np.log(pi))) / pi
        a = u - u[i]
        product = pi[best] * a[best] * np.prod(np.delete(a, i))
        share = theory.dip.dip_share(rho, np.log(pi))
        assert share - 1e-12 < product < 1
        tight += 0.5 < share and product < share + 0.01
    assert tight > 50


@pytest.mark.parametrize("K", [2, 3, 4, 6])
def test_the_depth_comes_to_its_ceiling_as_the_best_pattern_gets_rare(rng, K):
    s = np.array([0.9, 0.6, *rng.uniform(0, 0.5, size=K - 2)])
    rest = np.sort(rng.dirichlet(np.full(K - 1, 3.0)))[::-1]
    short = []
    for e in (1e-2, 1e-4, 1e-6):
        log_pi = np.log(np.concatenate([[e], (1 - e) * rest]))
        assert theory.dip.has_deep_edge(s, log_pi)
        short.append(
            theory.dip.dip_ceiling(s, log_pi) - theory.dip.lowest_best_mass(s, log_pi)
        )
    assert short[0] >= -1e-12 and short[2] < 1e-5
    assert np.all(np.abs(np.diff(short)) <= short[0] + 1e-12)


def test_a_pattern_as_good_as_the_leader_keeps_the_dip_from_its_ceiling():
    # Without a worse pattern there is no dip, and the product stays too small.
    s = np.array([0.9, 0.6, 0.6])
    for e in (1e-3, 1e-5):
        log_pi = np.log([e, 0.7, 0.3 - e])
        assert not theory.dip.has_deep_edge(s, log_pi)
        np.testing.assert_allclose(theory.dip.lowest_best_mass(s, log_pi), np.log(e))
        D, D_3 = 1 / e - 1 / 0.7, 1 / (0.3 - e) - 1 / 0.7
        product = e * 0.7 * (0.3 - e) * D**2 * D_3
        np.testing.assert_allclose(product * e, 0.4, rtol=0.02)  # not 1


def test_the_bounds_for_three_patterns_enclose_the_depth_and_close(rng):
    widths = []
    for e in (1e-2, 1e-3, 1e-4):
        low, high = theory.dip.dip_three_bounds(THREE, rare(e))
        ceiling = theory.dip.dip_ceiling(THREE, rare(e))
        assert low < ceiling < high
        D, D_3 = 1 / e - 1 / 0.7, 1 / (0.3 - e) - 1 / 0.7
        front = 6.75 * 0.6 / (0.7 * e * (0.3 - e) * D**3)
        np.testing.assert_allclose(high, np.log(front))
        np.testing.assert_allclose(high - low, np.log1p(6.75 * 0.6 * D_3 / D))
        widths.append(high - low)
    assert widths[0] < 0.1 and widths[2] < 1e-3
    assert np.all(np.isnan(theory.dip.dip_three_bounds([0.9, 0.6], np.log([0.1, 0.9]))))


def test_the_largest_value_of_the_cubic_is_four_over_twenty_seven():
    z = sp.symbols("z", positive=True)
    cubic = z * (1 - z) ** 2
    inner = [r for r in sp.solve(sp.diff(cubic, z), z) if 0 < r < 1]
    assert [cubic.subs(z, r) for r in inner] == [sp.Rational(4, 27)]
    # (4) bounds the ceiling from above, whatever D_3 >= 0.
    for e in (1e-2, 1e-3):
        D = 1 / e - 1 / 0.7
        bound = 6.75 * 0.6 / (0.7 * e * (0.3 - e) * D**3)
        assert np.exp(theory.dip.dip_ceiling(THREE, rare(e))) < bound


def test_the_derivative_behind_the_criterion_is_right():
    rho, u = sp.symbols("rho1:4"), sp.symbols("u1:4", positive=True)
    Z = sum(1 / x for x in u)
    mean = sum(r / x for r, x in zip(rho, u, strict=True)) / Z
    # u_k' = rho_bar - rho_k in intrinsic time, dt = Z dtau.
    drift = [mean - r for r in rho]
    log_best = -sp.log(u[0]) - sp.log(Z)
    rate = sum(sp.diff(log_best, x) * v for x, v in zip(u, drift, strict=True)) / Z
    pi = [1 / (x * Z) for x in u]
    margin = sum(p**2 * (r - mean) for p, r in zip(pi, rho, strict=True))
    margin -= pi[0] * (rho[0] - mean)
    assert sp.simplify(rate + margin) == 0


def number_of_dips(s, log_pi):
    """Sign changes of the criterion, from falling to rising, on a grid of states."""
    path = theory.intrinsic_time.intrinsic_path(s, log_pi)
    dips = np.zeros(len(s), dtype=int)
    latest = np.zeros(len(s))
    for piece in range(int(path.hull.edges.max()) + 1):
        for y in np.linspace(-40, 40, 161):
            exists = path.hull.edges >= piece
            where = np.where(exists, piece, path.hull.edges)
            log_probs = theory.intrinsic_time.log_probs_at(
                path, theory.intrinsic_time.Event(where, np.full(len(s), y))
            )
            margin = theory.dip.dip_margin(s, log_probs)
            sign = np.where(exists & (np.abs(margin) > 1e-12), -np.sign(margin), 0)
            dips += (sign > 0) & (latest < 0)
            latest = np.where(sign != 0, sign, latest)
    return dips, path.hull.edges


def test_no_more_dips_than_hand_overs_were_found(rng):
    s, log_pi = padded_batch(rng, lambda *x: True, 150, spread=3.0)
    dips, edges = number_of_dips(s, log_pi)
    assert np.all(dips <= edges)
    assert np.any(dips == 2) and np.any((dips == 0) & (edges > 0))


def test_the_sign_at_the_start_does_not_tell_whether_a_dip_comes(rng):
    s, log_pi = padded_batch(rng, theory.entanglement.has_one_edge, 400, spread=2.0)
    later = (theory.dip.dip_margin(s, log_pi) < 0) & (number_of_dips(s, log_pi)[0] > 0)
    assert later.sum() > 0


@pytest.mark.parametrize(
    "s, policy",
    [
        ([0.9, 0.6, 0.1], [0.8, 0.15, 0.05]),  # the best one leads
        ([0.9, 0.6, 0.1], [0.1, 0.09, 0.81]),  # the worst one leads
        ([0.9, 0.8, 0.6, 0.1], [0.05, 0.05, 0.7, 0.2]),  # four patterns
        ([0.9, 0.6], [0.05, 0.95]),  # two
    ],
)
def test_the_form_for_three_patterns_abstains(s, policy):
    assert np.isnan(theory.dip.dip_three(s, np.log(policy)))


def test_a_pattern_without_mass_changes_no_depth():
    log_pi = rare(1e-3)
    masked = np.insert(THREE, 1, np.nan), np.insert(log_pi, 1, -np.inf)
    for function in (
        theory.dip.dip_ceiling,
        theory.dip.dip_three,
        theory.dip.dip_margin,
    ):
        np.testing.assert_allclose(function(*masked), function(THREE, log_pi))
    np.testing.assert_allclose(
        theory.dip.lowest_best_mass(*masked), theory.dip.lowest_best_mass(THREE, log_pi)
    )
