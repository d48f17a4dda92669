"""An independent integration of the flow: SciPy, from the equations alone.

The path is a curve in (log-policy, log time); its parameter is the length of that curve
about: with v the velocity of the logits and `z = log(1 + t/t0)`,

    d theta / d sigma = w v,   dz / d sigma = w / (t + t0),
    w = 1 / (|v| + 1 / (t + t0)).

Both derivatives are at most 1, so nothing stalls: a plateau of length 1e19 costs 44
units. Every step is kept as a polynomial, and every event is looked for on 32 points of
each step, closer near its ends, and near each local extremum between them, so that a
change that is undone within a step is seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import DOP853, LSODA

from tests.differential.equations import Law, log_softmax

NEAR_AN_END = 0.5 ** np.arange(5, 13)
LOOKS = np.sort(np.r_[NEAR_AN_END, np.arange(1, 17) / 16, 1 - NEAR_AN_END])
NOTHING_MOVES = 1e-250  # mass outside the winner, where no number can change any more
STILL = 1e-9  # the largest advantage at rest, relative to the first one, or to 1
MOST_STEPS = 30_000


@dataclass
class Path:
    """The way so far: `sigma` `[N]`, `log_t` `[N]`, `log_pi` `[N, K]`.

    `over`: the policy does not change any more after the last point.
    """

    law: Law
    log_t0: float
    pieces: list
    ends: np.ndarray
    sigma: np.ndarray
    log_t: np.ndarray
    log_pi: np.ndarray
    over: bool

    def at(self, sigma):
        """`log_t`, `log_pi` at places along the path."""
        sigma = np.atleast_1d(sigma)
        places = np.clip(np.searchsorted(self.ends, sigma), 0, len(self.ends) - 1)
        rows = np.empty((len(sigma), self.log_pi.shape[1] + 1))
        for piece in np.unique(places):
            mine = places == piece
            rows[mine] = self.pieces[piece](sigma[mine]).T
        return _seen(self.log_t0, rows)

    def policy(self, log_t: float):
        """The policy at a time; the last one beyond the end."""
        return self.at(self.place(log_t))[1][0] if len(self.ends) else self.log_pi[0]

    def nearest(self, log_pi, log_t: float, near: float):
        """The policy of the path nearest to one, at about this time; and how near."""
        floor = np.log(NOTHING_MOVES)
        if not len(self.ends):
            seen = self.log_pi
            low = high = 0.0
        else:
            low, high = self.place(log_t - near), self.place(log_t + near)
        for _ in range(6):
            trial = np.linspace(low, high, 33)
            seen = self.at(trial)[1] if len(self.ends) else self.log_pi
            apart = np.abs(np.maximum(seen, floor) - np.maximum(log_pi, floor))
            apart = apart.max(axis=-1)
            i = int(np.argmin(apart))
            low, high = trial[max(i - 1, 0)], trial[min(i + 1, 32)]
        return seen[i], float(apart[i])

    def place(self, log_t: float) -> float:
        """The sigma of a time."""
        if log_t == -np.inf:
            return 0.0
        if log_t >= self.log_t[-1]:
            return float(self.sigma[-1])
        i = int(np.searchsorted(self.log_t, log_t))
        low, high = self.sigma[max(i - 1, 0)], self.sigma[i]
        for _ in range(4):
            trial = np.linspace(low, high, 33)
            j = int(np.clip(np.searchsorted(self.at(trial)[0], log_t), 1, 32))
            low, high = trial[j - 1], trial[j]
        return float(0.5 * (low + high))


def _seen(log_t0, rows):
    with np.errstate(divide="ignore"):
        # log(expm1(z)), also where exp(z) overflows.
        z = np.maximum(rows[:, -1], 0.0)
        log_t = log_t0 + z + np.log(-np.expm1(-z))
    return log_t, log_softmax(rows[:, :-1])


def follow(
    law: Law,
    log_limit: float,
    done: Callable[[np.ndarray, np.ndarray], bool],
    stiff: bool,
    rtol: float = 1e-10,
) -> Path:
    """Walk until a time, until `done(log_t, log_pi)`, or until nothing moves any more.

    It is asked once for every step, with what was looked at in it.
    """
    theta = law.question.log_policy
    mode = int(law.mode(theta))
    speed = np.linalg.norm(law.velocity(theta, mode))
    size = min(1.0, np.max(np.abs(law.advantages(theta, mode))))
    rows = np.append(theta, 0.0)[None]
    if speed == 0 or done(np.array([-np.inf]), theta[None]):
        return Path(law, 0.0, [], np.zeros(0), np.zeros(1), *_seen(0.0, rows), True)
    log_t0 = -np.log(speed)
    if log_limit < log_t0 - 30:
        return Path(law, 0.0, [], np.zeros(0), np.zeros(1), *_seen(0.0, rows), False)
    pieces, ends, sigmas, times, policies = [], [], [np.zeros(1)], [], []
    log_t, log_pi = _seen(log_t0, rows)
    times.append(log_t)
    policies.append(log_pi)
    over, start, state = False, 0.0, rows[0]
    solver = None
    for _ in range(MOST_STEPS):
        if solver is None:
            method = LSODA if stiff else DOP853
            solver = method(
                _field(law, mode, log_t0), start, state, np.inf, rtol=rtol, atol=1e-12
            )
        solver.step()
        if solver.status == "failed":
            raise RuntimeError("the integration failed")
        piece, low, high = solver.dense_output(), solver.t_old, solver.t
        sigma = low + (high - low) * LOOKS
        rows = piece(sigma).T
        log_t, log_pi = _seen(log_t0, rows)
        if "majority" in law.pay.weights and (law.mode(log_pi) != mode).any():
            high, mode = _flip(law, log_t0, piece, low, sigma, log_pi, mode)
            sigma = low + (high - low) * LOOKS
            rows = piece(sigma).T
            log_t, log_pi = _seen(log_t0, rows)
            start, state, solver = high, rows[-1], None
        pieces.append(piece)
        ends.append(high)
        sigmas.append(sigma)
        times.append(log_t)
        policies.append(log_pi)
        over = _at_rest(law, log_pi[-1], mode, size)
        if over or log_t[-1] > log_limit or done(log_t, log_pi):
            break
    else:
        raise RuntimeError(f"more than {MOST_STEPS} steps: {law}")
    joined = map(np.concatenate, (sigmas, times, policies))
    return Path(law, log_t0, pieces, np.array(ends), *joined, over)


def _field(law, mode, log_t0):
    t0 = np.exp(log_t0)

    def slope(sigma, state):
        velocity = law.velocity(log_softmax(state[:-1]), mode)
        # In units of t0, and with (t + t0)/t0 = exp(z).
        inverse = np.exp(-state[-1])
        weight = 1 / (np.sqrt(velocity @ velocity) * t0 + inverse)
        return np.append(velocity * t0 * weight, inverse * weight)

    return slope


def _flip(law, log_t0, piece, low, sigma, log_pi, mode):
    """Where the majority changes within a step, and to what."""
    first = int(np.argmax(law.mode(log_pi) != mode))
    low, high = (low if first == 0 else sigma[first - 1]), sigma[first]
    for _ in range(60):
        middle = 0.5 * (low + high)
        log_middle = _seen(log_t0, piece(np.array([middle])).T)[1][0]
        if law.mode(log_middle) == mode:
            low = middle
        else:
            high, new = middle, law.mode(log_middle)
    return high, int(new)


def _at_rest(law, log_pi, mode, size) -> bool:
    """Whether no policy that comes can be told from this one."""
    if np.max(np.abs(law.advantages(log_pi, mode))) <= STILL * size:
        return True
    rewards = law.rewards(log_pi, mode)
    best = rewards == rewards.max()
    # Under the natural gradient equals share what there is for ever.
    lasting = law.rule.natural and not (law.rule.beta or law.pay.moves)
    return (best.sum() == 1 or lasting) and np.sum(
        np.exp(log_pi[~best])
    ) < NOTHING_MOVES


# Events on a path.


def _refined(path: Path, value, levels):
    """Places and values, with more of them around extrema near a level."""
    sigma, values = path.sigma, value(path.log_pi)
    if not len(path.ends):
        return sigma, values
    for _ in range(5):
        inner = values[1:-1]
        with np.errstate(invalid="ignore"):  # inf throughout
            left, right = inner - values[:-2], values[2:] - inner
        rise, change = left * right, np.maximum(np.abs(left), np.abs(right))
        near = np.zeros(len(inner), bool)
        for level in levels:
            near |= np.abs(inner - level) <= change
        (chosen,) = np.nonzero((rise <= 0) & near & (change > 0))
        if not len(chosen):
            break
        more = np.concatenate(
            [np.linspace(sigma[i], sigma[i + 2], 34)[1:-1] for i in chosen[:40]]
        )
        more = np.setdiff1d(more, sigma)
        joined = np.concatenate([sigma, more])
        new = np.concatenate([values, value(path.at(more)[1])])
        order = np.argsort(joined, kind="stable")
        sigma, values = joined[order], new[order]
    return sigma, values


def _place(path: Path, value, level, low, high):
    """Log time at which the value passes a level between two places."""
    holds = value(path.at(high)[1])[0] >= level
    for _ in range(4):
        trial = np.linspace(low, high, 33)
        beyond = (value(path.at(trial)[1]) >= level) == holds
        beyond[-1] = True
        i = max(int(np.argmax(beyond)), 1)
        low, high = trial[i - 1], trial[i]
    return float(path.at(0.5 * (low + high))[0][0])


def first_rises(path: Path, value, near: float):
    """The log times between which an event first happens: value -near and +near.

    -inf: from the start; inf: not on the path.
    """
    sigma, values = _refined(path, value, (-near, near))
    found = []
    for level in (-near, near):
        above = values >= level
        if above[0]:
            found.append(-np.inf)
        elif above.any():
            i = int(np.argmax(above))
            found.append(_place(path, value, level, sigma[i - 1], sigma[i]))
        else:
            found.append(np.inf)
    return found


def last_rises(path: Path, value, near: float, log_end: float):
    """The same of the last time at which the value was not positive, until `log_end`.

    (inf, inf) if it is negative at the end.
    """
    sigma, values = _refined(path, value, (-near, near))
    log_t = path.at(sigma)[0] if len(path.ends) else path.log_t
    inside = log_t <= log_end
    sigma, values = sigma[inside], values[inside]
    if values[-1] < -near:
        return [np.inf, np.inf]
    found = []
    for level in (-near, near):
        below = values <= level
        if not below.any():
            found.append(-np.inf)
            continue
        i = len(below) - 1 - int(np.argmax(below[::-1]))
        if i == len(below) - 1:
            found.append(np.inf)
        else:
            found.append(_place(path, value, level, sigma[i], sigma[i + 1]))
    return found


def largest(path: Path, score, log_end: float) -> float:
    """The largest score until a time."""
    sigma, values = path.sigma, score(path.log_pi)
    inside = path.log_t <= log_end
    last = score(path.policy(log_end)[None])[0]
    top = int(np.argmax(np.where(inside, values, -np.inf)))
    found = max(values[top], last)
    if len(path.ends) and 0 < top < len(values) - 1:
        low, high = sigma[top - 1], sigma[top + 1]
        for _ in range(3):
            trial = np.linspace(low, high, 33)
            log_t, log_pi = path.at(trial)
            scores = np.where(log_t <= log_end, score(log_pi), -np.inf)
            i = int(np.argmax(scores))
            found = max(found, scores[i])
            low, high = trial[max(i - 1, 0)], trial[min(i + 1, 32)]
    return float(found)
