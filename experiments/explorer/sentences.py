"""A sentence under each view: what it shows of this state, and why.

The numbers are those that the page prints, to three digits; the reasons are statements
of `theory`, whose ids go with the sentence. Nothing is said that holds in most cases
only.
"""

import math
from collections.abc import Callable

import numpy as np

import theory
from experiments.explorer.map_sentences import on_map
from experiments.explorer.numbers import Found, found as find
from experiments.explorer.state import CLOCKS, State
from experiments.explorer.told import STILL, Told, told
from experiments.explorer.wording import (
    Sentence,
    apart,
    ending,
    errors,
    listed,
    nothing,
    number,
    patterns_of,
    share,
    time,
)

SAME = 1e-6  # relative: numbers that are printed alike
RESTS = ("settled", "stationary")
NAMES = {
    "policy-gradient": "The policy gradient",
    "pass-at-8": "Training for pass@8",
    "rejection-sampling": "Rejection sampling",
}


def sentences(state: State, found: Found | None = None) -> dict[str, dict]:
    """For each view `text` and `statements`; `found`: what `numbers` has found."""
    about = told(state, found)
    said = {name: view(about) for name, view in VIEWS.items()}
    model = "model after SFT" if state.dose else "base model"
    return {
        name: {
            "text": one.text.replace("base model", model),
            "statements": [*one.statements, *_other(about, one)],
        }
        for name, one in said.items()
    }


def _other(of: Told, said: Sentence) -> tuple[str, ...]:
    """B6, where something is said of another clock, or of a verifier with errors."""
    moved = any(of.state.errors) or (of.state.clock != CLOCKS[0] and not of.penalised)
    plain = {"A2", "A3", "B2", "B3", "B4"} & set(said.statements)
    return ("B6",) if of.verified and moved and plain else ()


def _simplex(of: Told) -> Sentence:
    """Who leads from when to when, and why."""
    if of.still:
        return nothing(of)
    if of.penalised:
        return _tilted(of)
    leaders = of.leaders
    if not leaders:
        return Sentence("The run did not come to an end.")
    first, start = leaders[0][0], share(float(of.log_policy[leaders[0][0]]))
    paid, mean = of.paid[first], float(of.policy @ of.paid)
    ids = ("B2", "A3") if of.verified and of.informed > 0 and leaders[1:] else ("B2",)
    if len(leaders) == 1:
        text = f"Pattern {first} is the most likely from the start, at {start}"
        if paid >= of.paid[of.winner] - STILL:
            return Sentence(
                f"{text}, and nothing is paid more: it leads all along.", ids
            )
        more, less = apart(of.paid[of.winner], paid)
        more = f"pattern {of.winner} is paid more ({more}"
        text += (
            f", and leads until the run ends, {ending(of)}; {more}, not {less})"
            " and leads later."
        )
        return Sentence(text, ids)
    who = f"pattern {first}"
    if of.verified and first == of.rival:
        who = f"the rival, {who},"
    text = f"{who[0].upper()}{who[1:]} leads from t = 0 to {time(leaders[1][1])}"
    own, average = apart(paid, mean)
    text += f": it starts at {start} and is paid {own}, "
    text += "more" if paid > mean else "no more"
    text += f" than the base model on average ({average})."
    then = [
        f"pattern {k} until {time(leaders[i + 1][1])}"
        for i, (k, _) in enumerate(leaders[:-1])
        if i
    ]
    last = leaders[-1][0]
    most = ", which is paid most" * bool(of.paid[last] >= of.paid[of.winner] - STILL)
    then.append(f"pattern {last}{most}")
    return Sentence(f"{text} Then {', then '.join(then)}.", ids)


def _tilted(of: Told) -> Sentence:
    """Where a KL penalty lets training rest."""
    tilted = of.log_policy[of.drawn] + of.paid[of.drawn] / of.state.beta
    tilted = tilted - np.logaddexp.reduce(tilted)
    top = int(np.argmax(tilted))
    text = (
        "With the KL penalty training rests at the base model times exp(reward / "
        f"beta), made to sum to 1: pattern {of.drawn[top]} at {share(tilted[top])}"
    )
    best = np.logaddexp.reduce(tilted[np.isin(of.drawn, of.best)])
    if of.drawn[top] not in of.best:
        text += f", the best at {share(best)}"
    return Sentence(f"{text}.", ("A1",))


def _policy(of: Told) -> Sentence:
    """Whether the best pattern falls first, and when it becomes the most likely."""
    if of.still:
        return Sentence("Nothing moves.", nothing(of).statements)
    several = len(of.best) > 1
    who = f"The best pattern{'s' * several} ({listed(of.best)})"
    verb = ("", "s")[not several]
    start = float(np.logaddexp.reduce(of.log_policy[list(of.best)]))
    lowest = of.numbers["log10_min_optimal_probability"] * math.log(10)
    when, end = of.found.log10_t_lowest, of.numbers["log10_time"]
    ids: tuple[str, ...] = ("A1",)
    if not of.penalised:
        ids = ("B4",) if of.verified and of.informed > 0 else ("B2",)
    falls = lowest < start - SAME
    if falls and not when < (math.inf if end is None else end):
        text = f"{who} fall{verb} from {share(start)} to {share(lowest)} by the end"
        return Sentence(f"{text} of the run, {ending(of)}.{_lost(of)}", ids)
    cross = of.numbers["log10_t_cross"]
    if cross == -math.inf:
        then = "the most likely from the start"
        then = f"{'are' if several else 'is'} {then}"
    elif cross == math.inf:
        waits = "t_cross" in of.numbers["not_before_the_end"]
        then = "has not become" if waits else "never becomes"
        if several:
            then = "have not become" if waits else "never become"
        then += " the most likely" + " when the run ends" * waits
    else:
        then = f"become{verb} the most likely at t = {time(cross)}"
    if falls:
        text = f"{who} first fall{verb}, from {share(start)} to {share(lowest)} at t = "
        return Sentence(f"{text}{time(when)}, and {then}.{_lost(of)}", ids)
    text = (
        f"{who} start{verb} at {share(start)}, never fall{verb} below that, and {then}."
    )
    regime_1 = of.verified and of.numbers["log10_t0"] == -math.inf and not several
    if regime_1 and of.informed > 0 and not of.penalised:
        ids = ("A2",)
    return Sentence(text + _lost(of), ids)


def _lost(of: Told) -> str:
    """Of a pattern that is better than the best one that is ever drawn."""
    top = float(of.rates[of.best[0]])
    better = [k for k, rate in enumerate(of.rates) if rate > top]
    if not better:
        return ""
    k = max(better, key=lambda k: of.rates[k])
    return f" Pattern {k} is never drawn, and so never found."


def _accuracy(of: Told) -> Sentence:
    """When it takes off, or why it rises and falls; what errors and a KL penalty do."""
    if of.still:
        return Sentence("Nothing moves.", nothing(of).statements)
    said = _taking_off(of)
    text, ids = said
    slower = time(-math.log10(of.informed)) if of.informed > 0 else "1"
    if of.verified and not of.penalised and slower != "1":
        if of.clock == CLOCKS[0]:
            text += f" The verifier's errors make it {slower} times slower, on the "
            text += "same path."
        else:
            text += " The verifier's errors change its times, not its path."
        ids = (*ids, "B6") if "B6" not in _other(of, said) else ids
    if of.state.run == "rlvr" and of.state.beta > 0:
        text += " RLVR + KL is the fourth run: choose it to see its numbers."
    return Sentence(text, ids)


def _taking_off(of: Told) -> Sentence:
    first, last = number(of.accuracy), number(of.numbers["accuracy"])
    if of.verified and of.informed < 0:
        text = f"The verifier's errors add up to {errors(of)}: it pays wrong answers "
        text += f"more than right ones, and accuracy goes from {first} to {last}."
        return Sentence(text, ("B6",))
    if of.penalised:
        return _held(of, first, last)
    if not of.verified:
        return _paid_confidence(of, first, last)
    assert of.rival is not None  # else all are paid the same
    t0 = of.numbers["log10_t0"]
    if t0 == -math.inf:
        ids = ("A2",) if len(of.best) == 1 else ("B3",)
        text = f"The accuracy of the base model, {first}, is not below the rate of any "
        text += "pattern but the best: no rival delays it, and it only rises"
        half = of.half_way()
        if half is not None:
            text += f"; it is half-way to the best rate, {number(of.rates[of.best[0]])}"
            text += f", at t = {time(half)}"
        return Sentence(f"{text}.", ids)
    first, rival = apart(of.accuracy, float(of.rates[of.rival]))
    text = f"Accuracy starts at {first}, below the rival's rate, {rival}: it takes off "
    if t0 == math.inf:
        text += (
            f"after it has passed that, which is not before the run ends, {ending(of)}."
        )
    else:
        text += f"when it passes that, at T0 = {time(t0)}."
    return Sentence(text, ("A3", "B4"))


def _held(of: Told, first: str, last: str) -> Sentence:
    """Of a run with a KL penalty."""
    assert of.rival is not None
    rival, t0 = number(float(of.rates[of.rival])), of.numbers["log10_t0"]
    beta = f"the KL penalty, of weight {number(of.state.beta)},"
    if of.numbers["outcome"] not in RESTS:
        text = f"Accuracy goes from {first} to {last} by the end of the run, "
        text += f"{ending(of)}, before it comes to rest."
    elif -math.inf < t0 < math.inf:
        text = (
            f"Accuracy passes the rival's rate, {rival}, at T0 = {time(t0)}, and comes "
        )
        text += f"to rest at {last}, where {beta} balances the reward."
    elif t0 == math.inf and of.accuracy < of.rates[of.rival]:
        text = (
            f"Accuracy goes from {first} to {last} and does not pass the rival's rate, "
        )
        text += f"{rival}: {beta} holds it near the base model."
    else:
        text = (
            f"Accuracy goes from {first} to {last}, where {beta} balances the reward."
        )
    free = find(of.state.changed(run="rlvr", clock=CLOCKS[0])).numbers
    text += f" Without it accuracy comes to {number(free['accuracy'])}"
    if -math.inf < free["log10_t0"] < math.inf:
        text += f", and passes the rival's rate at t = {time(free['log10_t0'])}"
    return Sentence(f"{text}.", ("A1",))


def _paid_confidence(of: Told, first: str, last: str) -> Sentence:
    """Of a run that is paid confidence, or a mixture of that and success."""
    numbers, winner = of.numbers, of.winner
    what = "Confidence ranks" if of.state.run == "rlif" else "The mixture ranks"
    right = winner in of.best
    if right:
        why = f"{what} the best pattern, {winner}, first"
    else:
        best = max(of.best, key=lambda k: of.paid[k])
        more, less = apart(of.paid[winner], of.paid[best])
        why = f"{what} pattern {winner} ({more}) above the best one, {best} ({less})"
    peak, below = numbers["log10_t_peak"], numbers["log10_t_below_base"]
    end = math.inf if numbers["log10_time"] is None else numbers["log10_time"]
    higher = numbers["peak_accuracy"] > of.accuracy * (1 + SAME)
    inside = -math.inf < peak < end and higher
    if inside and below < math.inf:
        what_happens = (
            f"accuracy rises from {first} to {number(numbers['peak_accuracy'])} at "
            f"t = {time(peak)}, and is below the base model from t = {time(below)} on"
        )
    elif inside:
        what_happens = (
            f"accuracy rises from {first} to {number(numbers['peak_accuracy'])} at "
            f"t = {time(peak)}, and ends at {last}"
        )
    elif below == -math.inf:
        what_happens = f"accuracy is below its start, {first}, from then on"
        what_happens += f", and ends at {last}"
    elif below < math.inf:
        what_happens = (
            f"accuracy is below its start, {first}, from t = {time(below)} on"
        )
        what_happens += f", and ends at {last}"
    else:
        what_happens = f"accuracy goes from {first} to {last}"
    ids = ("B5", "A4") if of.state.run == "rlif" else ("B5",)
    return Sentence(f"{why}: {what_happens}.", ids)


def _clock_name(clock: str) -> str:
    if clock in NAMES:
        return NAMES[clock]
    size = clock.removeprefix("grpo-")
    return f"GRPO with {'very large groups' if size == 'inf' else f'groups of {size}'}"


def _clocks(of: Told) -> Sentence:
    """What another clock changes: when, and not where."""
    if of.informed == 0 or float(np.ptp(of.rates[of.drawn])) == 0:
        return Sentence("RLVR does not move here, in any clock.", ("B6",))
    shift = of.shift()
    if shift is None:
        return Sentence("RLVR does not move here, in any clock.", ("B6",))
    mine, plain = shift.log10_t, shift.log10_plain
    would = " would pass" if of.state.clock == "policy-gradient" else " passes"
    run = "For RLVR: " * (of.state.run != "rlvr" or of.penalised)
    text = f"{run}{_clock_name(shift.clock)}{would} through the policies of the policy "
    text += "gradient at other times: "
    if shift.pattern is None:
        text += f"accuracy is {number(shift.accuracy)}"
    else:
        text += f"pattern {shift.pattern} takes the lead"
    text += f" at t = {time(mine)} instead of {time(plain)}"
    ratio = abs(mine - plain)
    if ratio > 0.001:
        text += f", {time(ratio)} times {'sooner' if mine < plain else 'later'}"
    return Sentence(f"{text}.", ("B6",))


def _hull(of: Told) -> Sentence:
    """Which patterns ever lead."""
    if of.penalised:
        text = "With a KL penalty the hull does not say who leads: "
        return Sentence(f"{text}what a pattern is paid, net of KL, moves.", ("A1",))
    if of.still:
        return Sentence("Nothing moves.", nothing(of).statements)
    with np.errstate(divide="ignore", invalid="ignore"):
        hull = theory.hull.dominance_hull(of.paid, of.log_policy)
    corners = [int(k) for k in hull.vertices if k >= 0]
    others = [k for k in of.drawn if k not in corners]
    rest = f" {patterns_of(others).capitalize()} never lead{'s' * (len(others) == 1)}."
    if len(corners) == 1:
        text = (
            f"Pattern {corners[0]} is the most likely, and no other is paid more: the "
        )
        text += "hull is one corner."
    else:
        text = "The patterns that ever lead are the corners of the hull, from the most "
        text += f"likely to the best paid: {', '.join(map(str, corners))}."
    return Sentence(text + rest * bool(others), ("B2",))


VIEWS: dict[str, Callable[[Told], Sentence]] = {
    "simplex": _simplex,
    "policy": _policy,
    "accuracy": _accuracy,
    "clocks": _clocks,
    "hull": _hull,
    "map": on_map,
}
