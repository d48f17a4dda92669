"""One lane of an engine against the witness: a list of what differs."""

from typing import NamedTuple

import numpy as np

import simulator as sim
from tests.differential import events, problems, recipes, witness
from tests.differential.equations import Law
from tests.differential.problems import Lane
from tests.differential.recipes import Recipe

NEAR = 1e-7  # values of events within which it may have happened or not
SAME = 2e-6  # difference of log-probabilities, and of scores
LEVELLED = {
    "Gap": events.gap,
    "Accuracy": events.accuracy,
    "OptimalProbability": events.optimal_probability,
    "SuboptimalMass": events.suboptimal_mass,
}


class Difference(NamedTuple):
    """`what` differs in a lane of a recipe: `got` from the engine, not `right`."""

    recipe: str
    lane: int
    family: str
    what: str
    got: object
    right: object

    def __str__(self):
        place = f"{self.recipe}, lane {self.lane} ({self.family})"
        return f"{place}: {self.what} is {self.got}, right: {self.right}"


class Answer(NamedTuple):
    """One lane of a solution, patterns outside the support left out."""

    outcome: str
    log_time: float
    log_pi: np.ndarray
    event_log_times: np.ndarray
    event_log_pi: np.ndarray


def answer(solution: sim.Solution, i: int, inside) -> Answer:
    """Lane `i`."""
    return Answer(
        str(solution.outcome_names[i]),
        float(solution.log_time[i]),
        np.asarray(solution.log_probs)[i][inside],
        np.asarray(solution.event_log_times)[i],
        np.asarray(solution.event_log_probs)[i][:, inside],
    )


def until_value(law: Law, recipe: Recipe, lane: Lane):
    """The value of the event at which to stop, or None."""
    if recipe.until is None:
        return None
    if recipe.until in LEVELLED:
        return LEVELLED[recipe.until](law, lane.level)
    return {"Crossing": events.crossing, "T0": events.t0}[recipe.until](law)


def watched(law: Law, recipe: Recipe, lane: Lane):
    """`(place, name, kind, function)` of each event of a recipe that is compared."""
    if recipe.watch == "levels":
        for place, (name, level) in enumerate(recipes.LEVELS.items()):
            yield place, name, "first", LEVELLED[name](law, level)
        return
    yield 0, "T0", "first", events.t0(law)
    yield 1, "Crossing", "first", events.crossing(law)
    optimal = events.log_optimal(law)
    yield 2, "LowestOptimalProbability", "largest", lambda log_pi: -optimal(log_pi)
    yield 3, "PeakAccuracy", "largest", events.accuracy_of(law)
    yield 4, "BelowBase", "last", events.below_base(law)
    for pattern, place in enumerate(np.flatnonzero(lane.logits > -np.inf)):
        yield 5 + place, f"Leads({place})", "first", events.leads(law, pattern)


def path_of(law: Law, recipe: Recipe, lane: Lane) -> witness.Path:
    """The witness's path, as far as it is needed."""
    stop = until_value(law, recipe, lane)
    first = [np.inf]

    def done(log_t, log_pi):
        """Whether the event surely came, longer ago than times can be told apart."""
        holds = stop(log_pi) > 3 * NEAR if stop else np.zeros(1, bool)
        if holds.any():
            first[0] = min(first[0], log_t[np.argmax(holds)])
        return log_t[-1] >= first[0] + 3 * recipe.accurate

    limit = min(recipe.log_limit, 200.0)
    return witness.follow(law, limit, done, recipe.stiff)


def compare(recipe: Recipe, lane: Lane, found: Answer):
    """Differences, as `(what, got, right)`."""
    law = problems.law(lane, recipe.signals, recipes.rule_of(recipe, lane))
    path = path_of(law, recipe, lane)
    if found.outcome in sim.FAILED_OUTCOMES:
        yield "outcome", found.outcome, "one that is no failure"
        return
    numbers = (found.log_pi, found.event_log_times, found.event_log_pi)
    if any(np.isnan(x).any() for x in (found.log_time, *numbers)):
        yield "a number", "NaN", f"{np.exp(path.log_pi[-1])}"
        return
    wrong = list(_outcome(law, recipe, lane, path, found))
    yield from wrong
    if not wrong and found.outcome not in ("stationary", "unreachable"):
        yield from _events(law, recipe, lane, path, found)


def _outcome(law, recipe, lane, path, found: Answer):
    """Why the run ended, when, and where."""
    stop, best = until_value(law, recipe, lane), law.question.rates.max()
    low, high = np.inf, np.inf
    if stop is not None:
        low, high = witness.first_rises(path, stop, NEAR)
    mode = int(law.mode(law.question.log_policy))
    moves = law.velocity(law.question.log_policy, mode).any()
    if high == -np.inf:
        if (found.outcome, found.log_time) != ("reached", -np.inf):
            got = f"{found.outcome} at log time {found.log_time}"
            yield "the end", got, "reached from the start"
        return
    if not moves:
        still = ("stationary", "unreachable", *["settled"] * bool(law.rule.beta))
        if found.outcome not in still and low > -np.inf:
            yield "outcome", found.outcome, "stationary"
        if stop is not None and low > -np.inf and found.log_time != np.inf:
            yield "log time of what never happens", found.log_time, np.inf
    elif found.outcome == "reached":
        if not _between(found.log_time, low, high, recipe.accurate):
            yield "log time of the end", found.log_time, (low, high)
    elif found.outcome == "horizon":
        if abs(found.log_time - recipe.log_limit) > 1e-12 * recipe.log_limit:
            yield "log time of the horizon", found.log_time, recipe.log_limit
        if high < recipe.log_limit - recipe.accurate:
            yield "outcome", "horizon", f"reached at {high}"
        if recipe.until == "Accuracy" and lane.level > best and not law.pay.moves:
            yield "outcome", "horizon", f"unreachable: no rate is above {best}"
    elif found.outcome == "settled":
        # Nobody would gain, and whoever has any mass has no advantage.
        advantages = law.advantages(found.log_pi, mode)
        left = max(advantages.max(), np.exp(found.log_pi) @ np.abs(advantages))
        if "majority" in recipe.signals or left > 1e-6:
            yield "advantage at rest", left, 0
        if high < found.log_time - recipe.accurate:
            yield "outcome", "settled", f"reached at {high}"
    elif found.outcome == "unreachable":
        known = not law.pay.moves
        known = known or (recipe.until == "Accuracy" and lane.level >= best)
        if not known or stop is None or high < np.inf:
            yield "outcome", "unreachable", f"reached at {high}"
        if found.log_time != np.inf:
            yield "log time of what never happens", found.log_time, np.inf
        return
    else:
        yield "outcome", found.outcome, "another one"
    if not moves:
        return
    yield from _policy(path, recipe, "final policy", found.log_time, found.log_pi)


def _policy(path, recipe, name, log_time, log_pi):
    """A policy against the path's at about the same time.

    At a hand-over no time is sharp enough to tell the policy: any on the path in the
    time's margin will do. Beyond the path's end the policy is near its limit.
    """
    if len(path.ends) and log_time > path.log_t[-1] + recipe.accurate:
        right = path.log_pi[-1]
        apart = np.max(np.abs(np.exp(log_pi) - np.exp(right)))
    else:
        right, apart = path.nearest(log_pi, log_time, recipe.accurate)
    if not apart <= SAME:
        yield name, np.exp(log_pi), np.exp(right)


def _between(log_time, low, high, near):
    return low - near <= log_time <= high + near


def _events(law, recipe, lane, path, found: Answer):
    """Every event on the way."""
    end, near = found.log_time, recipe.accurate
    if found.outcome == "reached" and end == -np.inf:
        return
    for place, name, kind, value in watched(law, recipe, lane):
        log_time, log_pi = found.event_log_times[place], found.event_log_pi[place]
        if kind == "largest":
            least, most = (witness.largest(path, value, end + x) for x in (-near, near))
            # The path ends where so little mass is left to move.
            score = min(value(log_pi[None])[0], -np.log(witness.NOTHING_MOVES))
            least = min(least, -np.log(witness.NOTHING_MOVES))
            margin = SAME * (1 + abs(most))
            if not least - margin <= score <= most + margin:
                yield f"score of {name}", score, (least, most)
            yield from _policy(path, recipe, f"policy at {name}", log_time, log_pi)
            continue
        if kind == "first":
            low, high = witness.first_rises(path, value, NEAR)
        else:
            both = [
                witness.last_rises(path, value, NEAR, end + x) for x in (-near, near)
            ]
            low, high = min(b[0] for b in both), max(b[1] for b in both)
            if low == -np.inf and high < np.inf and log_time == -np.inf:
                continue
        if log_time == np.inf:
            if high < end - near:
                yield f"log time of {name}", "never", high
        elif not _between(log_time, low, min(high, end), near):
            yield f"log time of {name}", log_time, (low, high)
        elif log_time > -np.inf:
            yield from _policy(path, recipe, f"policy at {name}", log_time, log_pi)


def differences(recipe: Recipe, seed: int, lanes: int) -> list[Difference]:
    """All that differs in a batch of random lanes."""
    rng = np.random.default_rng([seed, recipes.RECIPES.index(recipe)])
    drawn = [
        problems.draw(rng, recipe.signals, recipe.until or "", recipes.positive(recipe))
        for _ in range(lanes)
    ]
    solution = recipes.solve(recipe, drawn)
    return [
        Difference(recipe.name, i, lane.family, *what)
        for i, lane in enumerate(drawn)
        for what in compare(recipe, lane, answer(solution, i, lane.logits > -np.inf))
    ]
