"""The vote against a stepped flow that locates every flip as an event."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import log_softmax

import theory
from tests.oracles import softmax
from tests.theory.problems import flow_at


def vote_flow(P, log_pi, horizon):
    """`(times, theta [T, K], leaders, flips)`: one integration per leading answer."""
    theta, now, leaders, flips = np.array(log_pi), 0.0, [], []
    times, states = [0.0], [theta]
    leader = int(np.argmax(softmax(theta) @ P))
    while now < horizon:

        def field(t, theta, a=leader):
            p = softmax(theta)
            return p * (P[:, a] - p @ P[:, a])

        def overtaken(t, theta, a=leader):
            q = softmax(theta) @ P
            return q[a] - np.max(np.delete(q, a)) + 1e-13

        overtaken.terminal, overtaken.direction = True, -1
        run = solve_ivp(
            field,
            (now, horizon),
            theta,
            method="DOP853",
            rtol=1e-10,
            atol=1e-12,
            events=overtaken,
        )
        times.extend(run.t[1:])
        states.extend(run.y.T[1:])
        theta, now = run.y[:, -1], run.t[-1]
        leaders.append(leader)
        if run.status == 1:
            flips.append(now)
            q = softmax(theta) @ P
            q[leader] = -1.0
            leader = int(np.argmax(q))
    return np.array(times), np.array(states), leaders, flips


def random_case(rng, K=3, A=3):
    return rng.dirichlet(np.ones(A), size=K), log_softmax(rng.normal(size=K))


def test_the_printed_instance_flips_once_at_the_printed_times():
    P, policy = theory.majority_vote.flip_instance()
    log_pi = np.log(policy)
    time = theory.majority_vote.flip_time_two_patterns(P, log_pi)
    np.testing.assert_allclose(time, 469.31, atol=0.005)
    _, states, leaders, flips = vote_flow(P, log_pi, 2e5)
    assert leaders == [0, 1]
    np.testing.assert_allclose(flips, [time], rtol=1e-7)
    np.testing.assert_allclose(softmax(states[-1]) @ P, P[0], atol=1e-4)
    assert theory.majority_vote.must_flip(P, log_pi)
    assert list(theory.majority_vote.champions(P, log_pi)) == [True, False]


def test_the_instance_with_its_second_pattern_split_flips_later():
    P, policy = theory.majority_vote.flip_instance()
    P, log_pi = P[[0, 1, 1]], np.log([policy[0], policy[1] / 2, policy[1] / 2])
    _, _, leaders, flips = vote_flow(P, log_pi, 2e3)
    assert leaders == [0, 1]
    np.testing.assert_allclose(flips, [625.747], atol=5e-4)
    # Without steps: the fixed reward of answer 0, up to where answer 1 is level.
    path = theory.intrinsic_time.intrinsic_path(P[:, 0], log_pi)
    level = theory.intrinsic_time.find_event(
        path, lambda lp: np.exp(lp) @ (P[:, 1] - P[:, 0])
    )
    np.testing.assert_allclose(theory.clock.time_of(path, level).time, flips, rtol=1e-7)


@pytest.mark.parametrize("right", [True, False])
def test_with_two_answers_the_vote_is_rlvr_or_rlvr_upside_down(rng, right):
    done = 0
    while done < 4:
        P, log_pi = random_case(rng, A=2)
        s = P[:, 0]
        if (np.exp(log_pi) @ s > 0.5) != right:
            continue
        _, states, leaders, flips = vote_flow(P, log_pi, 50.0)
        assert not flips and leaders == [0 if right else 1]
        np.testing.assert_allclose(
            softmax(states[-1]),
            flow_at(s if right else 1 - s, log_pi, 50.0),
            atol=1e-8,
        )
        np.testing.assert_allclose(
            theory.majority_vote.vote_rewards(s, log_pi), s if right else 1 - s
        )
        limit = theory.majority_vote.vote_limit_accuracy(s, log_pi)
        assert limit == (s.max() if right else s.min())
        accuracy = softmax(vote_flow(P, log_pi, 1e5)[1][-1]) @ s
        np.testing.assert_allclose(accuracy, limit, atol=1e-3)
        done += 1


def test_at_one_half_exactly_nothing_moves():
    s, log_pi = np.array([0.75, 0.25]), np.log([0.5, 0.5])
    np.testing.assert_array_equal(theory.majority_vote.vote_rewards(s, log_pi), 0.5)
    assert theory.majority_vote.vote_limit_accuracy(s, log_pi) == 0.5


def test_the_leading_share_grows_at_the_printed_speed_and_faster_after_each_flip(rng):
    flipped = 0
    while flipped < 4:
        P, log_pi = random_case(rng)
        if not theory.majority_vote.must_flip(P, log_pi):
            continue
        times, states, leaders, flips = vote_flow(P, log_pi, 3e4)
        log_p = log_softmax(states, axis=-1)
        share = theory.majority_vote.majority_share(P, log_p)
        assert np.all(np.diff(share) > -1e-12)
        middle = len(times) // 3
        step = flow_at(P[:, leaders[0]], log_pi, 1e-4) @ P[:, leaders[0]] - share[0]
        np.testing.assert_allclose(
            theory.majority_vote.majority_speed(P, log_pi), step / 1e-4, rtol=1e-3
        )
        assert middle and flips  # the flip was bound to happen
        for n, time in enumerate(flips):
            here = log_p[times == time][0]
            a, b = leaders[n : n + 2]
            before, after = lead_speeds(P, np.exp(here), a, b)
            assert before > -1e-9 and after > before
            got = theory.majority_vote.lead_speeds(P, here, b)
            if theory.feedback_classes.majority(P, here) == a:
                np.testing.assert_allclose(got, (before, after), atol=1e-12)
        champions = theory.majority_vote.champions(P, log_pi)
        assert champions[int(log_p[-1].argmax())]
        flipped += 1


def lead_speeds(P, p, a, b):
    """The same rates from the derivative of the softmax, matrix by matrix."""
    jacobian = np.diag(p) - np.outer(p, p)
    lead = P[:, b] - P[:, a]
    return tuple(lead @ jacobian @ (jacobian @ P[:, c]) for c in (a, b))


def test_lead_speeds_are_those_of_the_softmax_derivative(rng):
    for _ in range(20):
        P, log_pi = random_case(rng, K=5, A=4)
        a = int(theory.feedback_classes.majority(P, log_pi))
        for b in set(range(4)) - {a}:
            np.testing.assert_allclose(
                theory.majority_vote.lead_speeds(P, log_pi, b),
                lead_speeds(P, np.exp(log_pi), a, b),
                atol=1e-14,
            )


def test_arriving_at_a_positive_rate_means_leaving_at_a_larger_one(rng):
    P = rng.dirichlet(np.ones(3), size=(100_000, 3))
    log_pi = log_softmax(rng.normal(size=(100_000, 3)), axis=-1)
    arrivals = 0
    for b in range(3):
        before, after = theory.majority_vote.lead_speeds(P, log_pi, b)
        other = (theory.feedback_classes.majority(P, log_pi) != b) & (before >= 0)
        assert np.all(after[other] > before[other])
        arrivals += other.sum()
    assert arrivals > 1000


def test_an_absolute_majority_is_never_overtaken_and_a_doomed_one_always(rng):
    seen = np.zeros(3, dtype=int)
    while np.min(seen[:2]) < 6:
        P, log_pi = random_case(rng)
        safe = bool(theory.majority_vote.majority_is_absolute(P, log_pi))
        doomed = bool(theory.majority_vote.must_flip(P, log_pi))
        assert not (safe and doomed)
        kind = 0 if safe else 1 if doomed else 2
        seen[kind] += 1
        if seen[kind] <= 6:
            flips = vote_flow(P, log_pi, 3e4)[3]
            assert len(flips) == 0 if safe else len(flips) > 0 or not doomed


def test_one_half_is_sharp():
    """A leader with any share below one half may be overtaken."""
    P = np.array([[0.495, 0.505, 0.0], [0.49, 0.2, 0.31]])
    for log_pi in np.log([[0.05, 0.95], [0.3, 0.7]]):
        assert theory.majority_vote.must_flip(P, log_pi)
        assert not theory.majority_vote.majority_is_absolute(P, log_pi)
        assert theory.majority_vote.majority_share(P, log_pi) > 0.49
        assert np.isfinite(theory.majority_vote.flip_time_two_patterns(P, log_pi))


def test_flip_times_of_two_patterns_agree_with_the_stepped_vote(rng):
    found = none = 0
    while found < 6 or none < 6:
        P, log_pi = random_case(rng, K=2, A=4)
        time = theory.majority_vote.flip_time_two_patterns(P, log_pi)
        assert np.isnan(time) != theory.majority_vote.must_flip(P, log_pi)
        if np.isnan(time):
            none += 1
            if none <= 3:
                assert not vote_flow(P, log_pi, 1e3)[3]
        elif time < 1e4:
            found += 1
            flips = vote_flow(P, log_pi, 1.01 * time)[3]
            np.testing.assert_allclose(flips[0], time, rtol=1e-6)


def test_after_a_last_flip_the_vote_ends_at_a_champion_of_its_favourite(rng):
    ended, flipped = 0, 0
    while ended < 25:
        P, log_pi = random_case(rng, K=4, A=4)
        if ended % 2 and not theory.majority_vote.must_flip(P, log_pi):
            continue
        assert theory.majority_vote.vote_settles(P, log_pi)
        _, states, leaders, flips = vote_flow(P, log_pi, 1e5)
        p = softmax(states[-1])
        winner = int(p.argmax())
        if p[winner] < 0.99 or P[winner, leaders[-1]] < P[:, leaders[-1]].max():
            continue  # a plateau, where more is to come
        ended += 1
        flipped += bool(flips)
        assert theory.majority_vote.champions(P, log_pi)[winner]
        assert leaders[-1] == P[winner].argmax()
    assert flipped >= 12


def test_every_speed_of_the_leading_share_vanishes_at_the_vertices_only(rng):
    # `min_a |x^a|^2` is bounded below by the distance to the nearest vertex.
    P = rng.dirichlet(np.ones(3), size=4)
    p = rng.dirichlet(np.full(4, 0.2), size=20_000)
    x = p[:, :, None] * (P - (p @ P)[:, None, :])
    least = np.sum(x**2, axis=1).min(axis=-1)
    away = 1 - p.max(axis=-1)
    apart = np.diff(np.sort(P, axis=0), axis=0).min()
    for e in (0.3, 0.1, 0.03):
        assert least[away > e].min() > 0.05 * (e * apart) ** 2
    at_a_vertex = np.eye(4)[:, :, None] * (P - P[:, None, :])
    np.testing.assert_allclose(np.sum(at_a_vertex**2, axis=1), 0, atol=1e-30)


def test_ties_between_patterns_or_within_one_are_left_out():
    log_pi = np.log([0.2, 0.3, 0.5])
    P = np.array([[0.6, 0.4, 0.0], [0.5, 0.1, 0.4], [0.1, 0.2, 0.7]])
    assert theory.majority_vote.vote_settles(P, log_pi)
    same = P.copy()
    same[1] = [0.6, 0.1, 0.3]  # as often right as pattern 0
    assert not theory.majority_vote.vote_settles(same, log_pi)
    _, states, leaders, _ = vote_flow(same, np.log([0.4, 0.4, 0.2]), 1e5)
    assert leaders == [0] and np.all(softmax(states[-1])[:2] > 0.4)  # no vertex
    two = P.copy()
    two[2] = [0.15, 0.425, 0.425]
    assert not theory.majority_vote.vote_settles(two, log_pi)
    level = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    assert not theory.majority_vote.vote_settles(
        level[:, :2] / 0.75, np.log([0.5, 0.5])
    )
    outside = np.array([np.log(0.4), np.log(0.6), -np.inf])
    assert theory.majority_vote.vote_settles(two, outside)


def test_patterns_without_mass_change_nothing_and_two_patterns_are_required(rng):
    P, log_pi = random_case(rng)
    masked = np.insert(P, 1, [0, 0, 1], axis=0), np.insert(log_pi, 1, -np.inf)
    for function in (
        theory.majority_vote.majority_share,
        theory.majority_vote.majority_speed,
        theory.majority_vote.must_flip,
    ):
        np.testing.assert_allclose(function(*masked), function(P, log_pi))
    np.testing.assert_array_equal(
        np.delete(theory.majority_vote.champions(*masked), 1),
        theory.majority_vote.champions(P, log_pi),
    )
    assert not theory.majority_vote.champions(*masked)[1]
    with pytest.raises(ValueError, match="two patterns"):
        theory.majority_vote.flip_time_two_patterns(P, log_pi)
