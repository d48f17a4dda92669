"""Every line and every number that `run` prints, for random problems."""

import json
import re

import numpy as np
import pytest

from experiments import cli
from tests.differential import comparison, events, problems, witness
from tests.differential.equations import Rule, log_sum
from tests.differential.recipes import Recipe
from tests.differential.test_engines import SEED

pytestmark = pytest.mark.slow

RATE = 0.05  # that steps are counted with
LANES, K, UNIT = 16, 4, float(np.log(10))
LAST = 800 * UNIT  # the time limit where none is given
# Of numbers that are printed with 6 or with 4 digits.
DIGITS = {"policy": 5e-4, "other": 5e-6}
PLANS = (
    (Recipe("gap", "run", ("verifiable",), Rule(), "Gap"), "policy-gradient"),
    (Recipe("pay", "run", ("confidence",), Rule(), "Accuracy"), "policy-gradient"),
    (Recipe("noise", "run", ("noisy",), Rule(), "Crossing"), "policy-gradient"),
    (
        Recipe(
            "rest", "run", ("verifiable",), Rule(natural=True), None, log_limit=LAST
        ),
        "natural-gradient",
    ),
)
SIGNALS = {"verifiable": "verifiable", "confidence": "fixed-confidence"}
SIGNALS["noisy"] = "noisy-verifier"


def held_out(lane: problems.Lane) -> np.ndarray:
    """An attribute: numbers of both signs that nothing else knows."""
    return 2 * np.cos(40 * lane.confidence + 3 * lane.rates)


def words(lane: problems.Lane, plan: Recipe, update: str) -> list[str]:
    """The command line of a lane."""
    (signal,) = plan.signals
    given = ["run", "--success-rates", *map(repr, lane.rates.tolist())]
    given += ["--logits", *map(repr, lane.logits.tolist())]
    column = ",".join(map(repr, held_out(lane).tolist()))
    given += ["--attribute", f"held-out={column}"]
    given += ["--signal", SIGNALS[signal], "--update", update]
    given += ["--learning-rate", repr(RATE)]
    if plan.log_limit != LAST:
        given += ["--max-log10-time", repr(plan.log_limit / UNIT)]
    if signal == "confidence":
        given += ["--confidence", *map(repr, lane.confidence.tolist())]
    if signal == "noisy":
        given += ["--false-positive", repr(lane.false_positive)]
        given += ["--false-negative", repr(lane.false_negative)]
    until = {"Gap": f"gap={lane.level!r}", "Accuracy": f"accuracy={lane.level!r}"}
    return [*given, "--until", until.get(plan.until, (plan.until or "rest").lower())]


def lanes(plan: Recipe):
    rng = np.random.default_rng(
        [SEED, 200, [p.name for p, _ in PLANS].index(plan.name)]
    )
    while True:
        lane = problems.draw(rng, plan.signals, plan.until or "", False)
        inside = np.flatnonzero(lane.logits > -np.inf)
        # K places: one shape for all.
        if len(inside) <= K and 0 < lane.level < 1:
            rest = np.setdiff1d(np.arange(problems.WIDTH), inside)
            keep = np.sort(np.concatenate([inside, rest[: K - len(inside)]]))
            changed = {
                name: getattr(lane, name)[keep]
                for name in ("rates", "logits", "kernel", "reference", "confidence")
            }
            yield lane._replace(**changed, data=lane.data[keep])


def number(text: str) -> float:
    """A number as `run` prints it, as a logarithm to base 10."""
    if text in ("from", "0"):
        return -np.inf
    if text in ("not", "never", "-"):
        return np.inf
    return float(text[3:]) if text.startswith("10^") else float(np.log10(float(text)))


def alike(text: str, log10: float, digits: float) -> bool:
    """Whether a number is the one printed, to the digits given (of its exponent)."""
    size = max(1.0, abs(log10)) if text.startswith("10^") else 1.0
    found = number(text)
    return found == log10 or abs(found - log10) < digits * size


class Printed:
    """The lines of `run`, by label."""

    def __init__(self, text: str):
        self.lines = {line[:11].strip(): line[11:] for line in text.splitlines()}

    def times(self):
        """log10 of T0 and of the crossing."""
        return {
            "T0": number(self.lines["T0"].split()[0]),
            "Crossing": number(self.lines["crossing"].split()[0]),
        }

    def leaders(self):
        """`(pattern, log10 of the time)` of each."""
        found = re.findall(r"pattern (\d+) from t = ([^,\s]+)", self.lines["leaders"])
        return [(int(k), number(t)) for k, t in found]


def differences(plan, lane, result, text):
    """Differences, as `(what, got, right)`: numbers in JSON, then in the text."""
    law = problems.law(lane, plan.signals, plan.rule)
    path = comparison.path_of(law, plan, lane)
    numbers = ("accuracy", "base_accuracy", "peak_accuracy", "entropy", "kl_to_base")
    missing = [name for name in numbers if result[name] is None]
    if missing or "nan" in text:
        yield missing, "NaN", np.exp(path.log_pi[-1])
        return
    result = restored(result)
    inside = lane.logits > -np.inf
    unit = UNIT
    time = result["log10_time"]
    answer = comparison.Answer(
        result["outcome"],
        time * unit,
        np.array(result["log_policy"])[inside],
        np.zeros(0),
        np.zeros((0, inside.sum())),
    )
    wrong = list(comparison._outcome(law, plan, lane, path, answer))
    yield from wrong
    if wrong or not len(path.ends):
        return
    end = min(answer.log_time, plan.log_limit)
    printed = Printed(text)
    yield from _numbers(law, path, lane, result, end)
    defined = [] if np.ptp(law.question.rates) else ["t0"]
    if result["not_defined"] != defined:
        yield "not_defined", result["not_defined"], defined
    for source, near in (("JSON", plan.accurate), ("text", DIGITS["other"] * 10)):
        times = {"T0": result["log10_t0"], "Crossing": result["log10_t_cross"]}
        if source == "text":
            times = printed.times()
        for name, value in (("T0", events.t0(law)), ("Crossing", events.crossing(law))):
            low, high = witness.first_rises(path, value, comparison.NEAR)
            got = times[name] * unit
            if got == np.inf and high < end - near:
                yield f"{name} in {source}", "never", high
            elif got < np.inf and not low - near <= got <= min(high, end) + near:
                yield f"{name} in {source}", got, (low, high)
        found = [(p["pattern"], p["log10_from"]) for p in result["plateaus"]]
        if source == "text":
            found = printed.leaders()
        yield from _leaders(law, path, lane, found, end, near, source)
    yield from _text(printed, result)


def log_mean(log_pi, values):
    """`log sum_k pi_k values[k]`."""
    with np.errstate(divide="ignore"):
        return float(log_sum(log_pi + np.log(values)))


def _numbers(law, path, lane, result, end):
    """Numbers of the JSON object that are no times of first events."""
    base, rates = law.question.log_policy, law.question.rates
    log_pi = np.array(result["log_policy"])[lane.logits > -np.inf]
    # That this policy is on the path at this time is compared before.
    pi, shift = np.exp(log_pi), np.maximum(log_pi, -690) - base
    equal = {
        "base_accuracy": np.exp(base) @ rates,
        "accuracy": pi @ rates,
        "entropy": -pi @ np.maximum(log_pi, -690),
        "kl_to_base": pi @ shift,
        "log10_accuracy": log_mean(log_pi, rates) / UNIT,
        "log10_base_accuracy": log_mean(base, rates) / UNIT,
    }
    bands = {name: (right, right) for name, right in equal.items()}
    optimal, ends = events.log_optimal(law), (end - 1e-6, end + 1e-6)
    dips = [witness.largest(path, lambda log_pi: -optimal(log_pi), e) for e in ends]
    bands["peak_accuracy"] = [
        witness.largest(path, events.accuracy_of(law), e) for e in ends
    ]
    bands["min_optimal_probability"] = [np.exp(-dip) for dip in dips[::-1]]
    bands["log10_min_optimal_probability"] = [-dip / UNIT for dip in dips[::-1]]
    peaks = bands["peak_accuracy"]
    bands["log10_peak_accuracy"] = [np.log10(max(x, 1e-300)) for x in peaks]
    for name, (low, high) in bands.items():
        margin = 1e-7 * (1 + abs(high))
        if not low - margin <= result[name] <= high + margin:
            yield name, result[name], (low, high)
    below = result["log10_t_below_base"] * UNIT
    value = events.below_base(law)
    found = [witness.last_rises(path, value, comparison.NEAR, e) for e in ends]
    low, high = min(f[0] for f in found), max(f[1] for f in found)
    if not low - 1e-6 <= below <= high + 1e-6:
        yield "log10_t_below_base", below, (low, high)
    yield from _attribute(path, lane, result, base, pi, ends)
    yield from _peak_and_end(law, path, lane, result, end)
    yield from _twice(result, rates, lane)


def _attribute(path, lane, result, base, pi, ends):
    """The mean of the attribute, and where it is highest and lowest."""
    f, row = held_out(lane)[lane.logits > -np.inf], result["attributes"]["held-out"]
    for name, right in (("start", np.exp(base) @ f), ("end", pi @ f)):
        if abs(row[name] - right) > 1e-7:
            yield f"attribute, {name}", row[name], right
    for name, sign in (("highest", 1), ("lowest", -1)):

        def score(log_pi, sign=sign):
            return sign * np.exp(log_pi) @ f

        low, high = sorted(sign * witness.largest(path, score, e) for e in ends)
        if not low - 2e-7 <= row[name] <= high + 2e-7:
            yield f"attribute, {name}", row[name], (low, high)
        if row[f"t_{name}"] == 0:
            there = base[None]
        else:
            when = min(row[f"log10_t_{name}"] * UNIT, ends[1])
            around = [path.place(when - 1e-3), path.place(when + 1e-3)]
            there = path.at(np.linspace(*around, 65))[1]
        found = np.exp(there) @ f
        if not found.min() - 2e-7 <= row[name] <= found.max() + 2e-7:
            yield f"attribute, time of {name}", row[f"t_{name}"], row[name]


def _peak_and_end(law, path, lane, result, end):
    """When accuracy is highest, the pattern at the end, and the number of steps."""
    when, right = min(result["log10_t_peak"] * UNIT, end), result["peak_accuracy"]
    there = law.question.log_policy[None]
    if when > -np.inf and len(path.ends):
        # The witness steps along the path: a time has a place of some width.
        around = [path.place(when - 1e-3), path.place(when + 1e-3)]
        there = path.at(np.linspace(*around, 65))[1]
    found = events.accuracy_of(law)(there)
    if not found.min() - 1e-7 <= right <= found.max() + 1e-7:
        yield "log10_t_peak", when, f"accuracy {found.max()} there, peak {right}"
    log_pi = np.array(result["log_policy"])
    inside = lane.logits > -np.inf
    best = lane.rates[inside].max()
    level = log_pi >= log_pi.max() - 1e-6
    if result["final_patterns"] != np.flatnonzero(level).tolist():
        yield "final_patterns", result["final_patterns"], log_pi
    if result["final_pattern"] not in result["final_patterns"]:
        yield "final_pattern", result["final_pattern"], log_pi
    ended_well = (lane.rates[level] == best).all()
    yield from _paid_more(law, inside, result)
    for name, right in (
        ("final_pattern_is_best", ended_well),
        ("best_rate", best),
        (
            "best_rate",
            lane.rates[result["best_pattern"]] * inside[result["best_pattern"]],
        ),
    ):
        if result[name] != right:
            yield name, result[name], right
    steps = result["log10_time"] - np.log10(RATE)
    if result["steps"] is None:
        wrong = steps < 307
    else:
        wrong = abs(np.log10(max(result["steps"], 1e-300)) - steps) > 1e-9 * abs(steps)
    if wrong and np.isfinite(steps):
        yield "steps", result["steps"], 10**steps


def _paid_more(law, inside, result):
    """Rewards are fixed here, and without a penalty the pattern paid most wins."""
    paid = np.full(len(inside), -np.inf)
    paid[inside] = law.fixed
    last, found = result["final_pattern"], result["paid_more"]
    early = result["outcome"] in ("reached", "horizon")
    if not (early and paid.max() > paid[last]):
        if found is not None:
            yield "paid_more", found, paid
        return
    right = [paid.max(), paid.max(), paid[last], True]
    if found is None:
        yield "paid_more", None, right
        return
    numbers = paid[found["pattern"]], found["reward"], found["reward_of_final"]
    if not np.allclose([*numbers, found["wins_later"]], right, rtol=1e-9):
        yield "paid_more", found, right


def _twice(result, rates, lane):
    """Numbers that the JSON object gives in two ways."""
    for name in ("time", "t0", "t_cross", "t_peak", "t_below_base"):
        log10, time = result[f"log10_{name}"], result[name]
        if time is not None and abs(10**log10 - time) > 1e-9 * time:
            yield name, time, 10**log10
        # From the start is said elsewhere, of events.
        from_the_start = name != "time" and log10 == -np.inf
        if time is None and log10 < 307 and not from_the_start:
            yield name, time, 10**log10
    if not np.allclose(result["policy"], np.exp(result["log_policy"]), atol=1e-12):
        yield "policy", result["policy"], np.exp(result["log_policy"])
    plateaus = result["plateaus"]
    after = [p["from"] for p in plateaus[1:]] + [result["time"]]
    log_after = [p["log10_from"] for p in plateaus[1:]] + [result["log10_time"]]
    for plateau, time, log10 in zip(plateaus, after, log_after, strict=True):
        right = (lane.rates[plateau["pattern"]], time, log10)
        found = [plateau[name] for name in ("success_rate", "to", "log10_to")]
        if plateau is plateaus[-1] and not np.isfinite(result["log10_time"]):
            right, found = right[:1], found[:1]  # the limit, if it never comes
        if list(found) != list(right):
            yield "a plateau", found, right


def _leaders(law, path, lane, found, end, near, source):
    """Who leads, from when on: each listed one leads, each that leads is listed."""
    places = np.flatnonzero(lane.logits > -np.inf)
    unit, listed = UNIT, dict(found)
    for pattern, place in enumerate(places):
        value = events.leads(law, pattern)
        low, high = witness.first_rises(path, value, comparison.NEAR)
        got = listed.get(int(place), np.inf) * unit
        if got == np.inf and high < end - near:
            yield f"leaders in {source}", found, f"pattern {place} from {high / unit}"
        elif got < np.inf and not low - near <= got <= min(high, end) + near:
            right = f"pattern {place} from {low / unit} to {high / unit}"
            yield f"leaders in {source}", found, right
    order = [time for _, time in found]
    if order != sorted(order) or not set(listed) <= set(places.tolist()):
        yield f"leaders in {source}", found, "in order of time, of the support"


def _text(printed, result):
    """The other lines against the JSON object."""
    lines = printed.lines
    given = {
        "outcome": (lines["outcome"].split(":")[0], result["outcome"]),
    }
    # The numbers themselves, to the digits that are printed.
    # The last one may be followed by the time of the peak.
    shown = re.findall(r"(?:10\^-?)?\d[-+0-9.e]*", lines["accuracy"])
    when = dict(enumerate(shown[3:])).get(0)
    if when is not None and not alike(when, result["log10_t_peak"], DIGITS["other"]):
        yield "the time of the peak in the text", when, result["log10_t_peak"]
    if when is None:
        word = "start" if result["log10_t_peak"] == -np.inf else "end"
        early = word == "end" and result["log10_t_peak"] < result["log10_time"]
        if early or not lines["accuracy"].endswith(f"at the {word}"):
            yield "the time of the peak in the text", lines["accuracy"], word
    shown = shown[:3]
    ended = re.match(
        r"patterns? ([\d, ]+) with probability (\S+)(?: each)?, (not )?the best"
        "( among)?",
        lines["ended at"],
    )
    patterns = [int(k) for k in ended[1].split(",")]
    if (patterns, ended[3] is None and ended[4] is None) != (
        result["final_patterns"],
        result["final_pattern_is_best"],
    ):
        yield "ended at", lines["ended at"], result["final_patterns"]
    more = result["paid_more"]
    said = f"pattern {more['pattern']} is paid more" if more else ""
    if not lines.get("later", "").startswith(said) or (
        ("later" in lines) != bool(more)
    ):
        yield "later", lines.get("later"), more
    if result["log10_t_below_base"] < np.inf:
        below = number(lines["below base"].split()[0])
        if not below == result["log10_t_below_base"] and not alike(
            lines["below base"].split()[0],
            result["log10_t_below_base"],
            DIGITS["other"],
        ):
            yield "below base", lines["below base"], result["log10_t_below_base"]
    elif "below base" in lines:
        yield "below base", lines["below base"], "never"
    if result["steps"] and not alike(
        lines["steps"].split()[0], np.log10(result["steps"]), DIGITS["other"]
    ):
        yield "steps", lines["steps"], result["steps"]
    names = ("base_accuracy", "accuracy", "peak_accuracy")
    numbers = dict(zip(names, shown, strict=True))
    numbers["min_optimal_probability"] = lines["lowest pi*"].split()[0]
    numbers["time"] = lines["time"].split()[0]
    for name, text in numbers.items():
        right = result[f"log10_{name}"]
        if not alike(text, right, DIGITS["other"]):
            yield f"{name} in the text", text, right
    for text, right in zip(
        lines["policy"].split(), np.array(result["log_policy"]) / UNIT, strict=True
    ):
        if not alike(text, right, DIGITS["policy"]):
            yield "policy in the text", lines["policy"], result["policy"]
    for name, (got, right) in given.items():
        if got != right:
            yield f"{name} in the text", got, right


def restored(result: dict) -> dict:
    """The JSON object with the infinities that JSON has not."""
    start = set(result["from_the_start"])
    for name in ("t0", "t_cross", "t_peak", "t_below_base"):
        if result[f"log10_{name}"] is None:
            result[f"log10_{name}"] = -np.inf if name in start else np.inf
    for name in ("accuracy", "base_accuracy", "peak_accuracy"):
        if result[f"log10_{name}"] is None and result[name] == 0:
            result[f"log10_{name}"] = -np.inf
    if result["log10_time"] is None:
        result["log10_time"] = -np.inf if result["time"] == 0 else np.inf
    for plateau in result["plateaus"]:
        if plateau["log10_from"] is None:
            plateau["log10_from"] = -np.inf if plateau["from"] == 0 else np.nan
    result["log_policy"] = [
        -np.inf if x is None and p == 0 else x
        for x, p in zip(result["log_policy"], result["policy"], strict=True)
    ]
    return result


def run(capsys, tmp_path, given):
    """Exit code, JSON object and text of a command."""
    file = tmp_path / "run.json"
    code = cli.main([*given, "--json", str(file)])
    out = capsys.readouterr()
    if code == 2:
        return code, None, out.err
    return code, json.loads(file.read_text()), out.out


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "plan, update", PLANS, ids=lambda part: getattr(part, "name", "")
)
def test_run_prints_what_the_witness_finds(plan, update, capsys, tmp_path):
    found = []
    for i, lane in zip(range(LANES), lanes(plan), strict=False):
        given = words(lane, plan, update)
        code, result, text = run(capsys, tmp_path, given)
        if code == 2:
            law = problems.law(lane, plan.signals, plan.rule)
            path = comparison.path_of(law, plan, lane)
            value = comparison.until_value(law, plan, lane)
            never = value is not None and np.isinf(
                witness.first_rises(path, value, comparison.NEAR)[1]
            )
            reason = re.search(r"(?:often(?: than|,)|best rate,) ([^;,]+)", text)
            rate = f"{law.question.rates.max():g}"
            right = reason is None or reason[1] == rate
            if not (never and right and "never" in text and text.count("\n") == 1):
                found.append((i, " ".join(given), text))
            continue
        found += [
            (i, " ".join(given), *what)
            for what in differences(plan, lane, result, text)
        ]
    assert not found, "\n".join(map(str, found))
