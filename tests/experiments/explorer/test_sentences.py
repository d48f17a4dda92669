"""Every numeral of every sentence, found another way; and the grammar of rare cases.

The witness solves the same problem with `simulator.solve` directly and computes the
rest with NumPy and `theory`. Each pattern below reads some numerals off a sentence and
says what they are; a numeral that no pattern reads fails the test.
"""

import math
import re

import numpy as np
import pytest

import theory
from experiments.explorer import sentences
from experiments.explorer.sft import after_sft
from experiments.explorer.state import State
from tests.experiments.explorer import drawn
from tests.experiments.explorer.test_numbers import STATES
from tests.experiments.explorer.witness import FEW, UNIT, Witness

NUMERAL = re.compile(
    r"10\^-?\d+(?:\.\d+)?|\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?: %)?"
)
T = S = N = r"(10\^-?\d+(?:\.\d+)?|\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?: %)?)"
NOT_COUNTED = re.compile(
    r"T0|t = 0 to|pass@8|groups of \d+|sum to 1|up to 1: it|more than 1:"
    r"|up to (?:nearly|just over) 1:|at t = 0, for|within 0\.001 of"
)


def read(text: str) -> tuple[float, float]:
    """log10 of a numeral, and half a unit of its last digit in that."""
    if text.startswith("10^"):
        digits = len(text.partition(".")[2])
        return float(text[3:]), 0.5 * 10**-digits + 2e-6
    plain = text.replace(",", "").removesuffix(" %")
    value = float(plain) / (100 if text.endswith("%") else 1)
    # Three digits: at least half a unit of the third.
    half = 0.5 * 10 ** (math.floor(math.log10(value)) - 2)
    return math.log10(value), half / value / UNIT * 1.02 + 2e-6


def check(text: str, log10: float) -> None:
    if text in ("0", "0 %"):
        assert log10 == -math.inf or log10 < -3
        return
    shown, error = read(text)
    assert abs(shown - log10) <= error, (text, 10 ** min(log10, 300))


def of(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def _first(w, k, start):
    lead = w.leads()
    assert int(k) == lead[0][1]
    check(start, w.share(int(k)))


def _leads(w, k, until):
    lead = w.leads()
    assert int(k) == lead[0][1]
    check(until, lead[1][0])


def _then(w, k, until):
    lead = w.leads()
    place = next(i for i, (_, one) in enumerate(lead) if one == int(k))
    assert 0 < place
    check(until, lead[place + 1][0])


def _winner(w, k):
    top = w.paid[w.drawn].max()
    assert w.paid[int(k)] >= top - 1e-12
    assert w.leads()[-1][1] == int(k)


def _end(w, t):
    check(t, w.end)


def _clock(w, name, mine, plain):
    state = w.state
    clock = "grpo-8" if state.clock == "policy-gradient" else state.clock
    lasts = [w.by_clock(clock), w.by_clock("policy-gradient")]
    check(mine, lasts[0][-1])
    check(plain, lasts[1][-1])
    assert len(lasts[0]) == len(lasts[1]) > 1
    w.ratio = lasts[1][-1] - lasts[0][-1]


def _half(w, accuracy, mine, plain):
    """No hand-over: both times are of the same accuracy."""
    state = w.state
    clock = "grpo-8" if state.clock == "policy-gradient" else state.clock
    paid = state.errors[0] + w.J * w.rates
    found = []
    for name, t in ((clock, mine), ("policy-gradient", plain)):
        # The times have three digits.
        assert abs(w.after(paid, name, read(t)[0]) - float(accuracy)) < 2e-3
        found.append(read(t)[0])
    w.ratio, w.loose = found[1] - found[0], True


def _half_way(w, best, t):
    state = w.state
    check(best, of(w.rates[w.best[0]]))
    clock = state.clock if state.run == "rlvr" else "policy-gradient"
    paid = state.errors[0] + w.J * w.rates
    half = (w.accuracy + w.rates[w.best[0]]) / 2
    shown, error = read(t)
    before, after = (w.after(paid, clock, shown + x) for x in (-error, error))
    assert before - 3e-3 < half < after + 3e-3


def free(w):
    """The same without KL."""
    return Witness(w.state.changed(run="rlvr", clock="policy-gradient"))


def _enough(w, dose):
    """Just below it accuracy after SFT is below the rival's rate, just above not."""
    base, value = np.array(w.state.log_policy), 10 ** read(dose)[0]
    shown = next(k for k in w.drawn if w.rates[k] == w.rates[w.best[0]])
    for x, enough in ((value * 0.993, False), (value * 1.007, True)):
        after = np.exp(after_sft(base, shown, x)) @ w.rates
        assert (after > w.rival_rate) == enough


def _ratio(w, ratio, way):
    assert (way == "sooner") == (w.ratio > 0)
    shown, error = read(ratio)
    assert abs(shown - abs(w.ratio)) <= error + 5e-3 * getattr(w, "loose", False)


def _pair(w, k, paid):
    check(paid, of(w.paid[int(k)]))


def _hull(w, corners):
    hull = theory.hull.dominance_hull(w.paid, w.logs).vertices
    assert [int(k) for k in corners.split(", ")] == [k for k in hull if k >= 0]


def _others(w, patterns):
    hull = theory.hull.dominance_hull(w.paid, w.logs).vertices
    assert sorted(map(int, re.findall(r"\d", patterns))) == [
        k for k in w.drawn if k not in hull
    ]


def _flip(w, weight):
    """Just below it the best pattern is paid most, just above it is not."""
    value = 10 ** read(weight)[0] if weight != "0" else 0.0
    sure = np.array(w.state.confidences)
    for x, wins in (
        (value - 6e-3 * (value + 0.01), True),
        (value * 1.006 + 1e-4, False),
    ):
        paid = ((1 - x) * w.rates + x * sure)[w.drawn]
        assert (paid.argmax() in np.searchsorted(w.drawn, w.best)) == wins


def _weighted(w, weight, k, paid):
    check(weight, of(w.state.weight))
    values = (1 - w.state.weight) * w.rates + w.state.weight * np.array(
        w.state.confidences
    )
    assert values[int(k)] >= values[w.drawn].max() - 1e-12
    check(paid, of(values[int(k)]))


def _lost(w, k):
    assert w.logs[int(k)] == -np.inf and w.rates[int(k)] > w.rates[w.best[0]]


def accuracy(w, text):
    check(text, of(w.accuracy))


def final(w, text):
    check(text, of(float(np.exp(w.run.log_probs)[: w.K] @ w.rates)))


def peak(w, text):
    check(text, of(float(np.exp(w.run.event_log_probs[3])[: w.K] @ w.rates)))


def rival(w, text):
    check(text, of(w.rival_rate))


def t0(w, text):
    check(text, w.time(0))


def both(*parts):
    return lambda w, *texts: [part(w, t) for part, t in zip(parts, texts, strict=True)]


def best(w, text):
    assert [int(k) for k in re.findall(r"\d", text)] == w.best


READERS = {
    "simplex": {
        rf"[Pp]attern (\d),? leads from t = 0 to {T}": _leads,
        rf"it starts at {S}": lambda w, p: check(p, w.share(w.leads()[0][1])),
        rf"is paid {N}, (?:no )?more than": lambda w, r: _pair(w, w.leads()[0][1], r),
        rf"on average \({N}\)": lambda w, r: check(r, of(w.mean)),
        rf"hen pattern (\d) until {T}": _then,
        r"hen pattern (\d), which is paid most\.": _winner,
        r"hen pattern (\d)\.": lambda w, k: w.leads()[-1][1] == int(k) or 1 / 0,
        rf"Pattern (\d) is the most likely from the start, at {S}": _first,
        rf"pattern (\d) is paid more \({N}, not": _pair,
        rf"not {N}\) and leads later": lambda w, r: _pair(w, w.leads()[-1][1], r),
        rf"until the run ends, at t = {T}": _end,
        rf"sum to 1: pattern (\d) at {S}": lambda w, k, p: check(p, w.tilted([int(k)])),
        rf"the best at {S}": lambda w, p: check(p, w.tilted(w.best)),
    },
    "policy": {
        r"The best patterns? \(([\d and,]+)\)": best,
        rf"from {S} to {S} at t = {T}, and": both(
            lambda w, p: check(p, float(np.logaddexp.reduce(w.logs[w.best])) / UNIT),
            lambda w, p: check(p, w.lowest_log / UNIT),
            lambda w, t: check(t, w.time(2)),
        ),
        rf"from {S} to {S} by the end of the run": both(
            lambda w, p: check(p, float(np.logaddexp.reduce(w.logs[w.best])) / UNIT),
            lambda w, p: check(p, w.lowest_log / UNIT),
        ),
        rf"end of the run, at t = {T}": _end,
        rf"starts? at {S}, never": lambda w, p: check(
            p, float(np.logaddexp.reduce(w.logs[w.best])) / UNIT
        ),
        rf"the most likely at t = {T}": lambda w, t: check(t, w.time(1)),
        r"Pattern (\d) is never drawn": _lost,
    },
    "accuracy": {
        rf"add up to {N}, more than 1": lambda w, e: check(e, of(sum(w.state.errors))),
        rf"goes from {N} to {N}": both(accuracy, final),
        rf"The accuracy of the (?:base model|model after SFT), {N}": accuracy,
        rf"half-way to the best rate, {N}, at t = {T}": _half_way,
        rf"errors make it {N} times slower": lambda w, r: check(r, of(1 / w.J)),
        rf"Without it accuracy comes to {N}": lambda w, a: final(free(w), a),
        rf"passes the rival's rate at t = {T}": lambda w, t: t0(free(w), t),
        rf"starts at {N}, below the rival's rate, {N}": both(accuracy, rival),
        rf"T0 = {T}": t0,
        rf"run ends, at t = {T}": _end,
        rf"end of the run, at t = {T}": _end,
        rf"passes the rival's rate, {N}": rival,
        rf"to rest at {N}": final,
        rf"of weight {N}": lambda w, b: check(b, of(w.state.beta)),
        rf"not pass the rival's rate, {N}": rival,
        r"ranks the best pattern, (\d), first": lambda w, k: int(k) in w.best or 1 / 0,
        rf"ranks pattern (\d) \({N}\)": _pair,
        rf"best one, (\d) \({N}\)": _pair,
        rf"rises from {N} to {N} at t = {T}": both(
            accuracy, peak, lambda w, t: check(t, w.time(3))
        ),
        rf"(?:base model|model after SFT) from t = {T} on": lambda w, t: check(
            t, w.time(4)
        ),
        rf"ends at {N}": final,
        rf"below its start, {N}": accuracy,
        rf"start, {N}, from t = {T} on": lambda w, _, t: check(t, w.time(4)),
    },
    "clocks": {
        rf"pattern (\d) takes the lead at t = {T} instead of {T}": _clock,
        rf"accuracy is {N} at t = {T} instead of {T}": _half,
        rf", {N} times (sooner|later)": _ratio,
    },
    "hull": {
        r"best paid: ([\d, ]+)\.": _hull,
        r"Pattern (\d) is the most likely, and no other is paid more": _hull,
        r"(Patterns? [\d and,]+) never leads?": _others,
    },
    "map": {
        rf"Here accuracy, {N}": accuracy,
        rf"from dose {N} on nothing delays": _enough,
        rf"rival's rate, {N}, and training": rival,
        rf"At weight {N} the mixture pays pattern (\d) most, {N}": _weighted,
        rf"wins up to weight {N}": _flip,
        r"at every weight below (1)": lambda w, _: None,
        rf"errors add up to {N}": lambda w, e: check(e, of(sum(w.state.errors))),
        r"more than (1): the policy": lambda w, _: None,
        rf"{N} times slower than": lambda w, r: check(r, of(1 / w.J)),
        rf"way, {N} times as fast": lambda w, r: check(r, of(-w.J)),
    },
}
NOTHING = {
    rf"paid the same, {N}": lambda w, r: _pair(w, w.drawn[0], r),
    rf"pays every pattern {N}": lambda w, r: _pair(w, w.drawn[0], r),
}


def check_all(state: State) -> dict[str, str]:
    """The sentences of a state, after all of their numerals have been checked."""
    said = sentences.sentences(state)
    witness = Witness(state)
    assert set(said) == set(READERS)
    for view, sentence in said.items():
        text = sentence["text"]
        assert set(sentence["statements"]) <= theory.STATEMENTS.keys()
        assert text[0].isupper() and text.endswith(".") and "  " not in text
        assert "nan" not in text and "inf" not in text
        seen = {i for m in NOT_COUNTED.finditer(text) for i in range(*m.span())}
        for pattern, reader in (READERS[view] | NOTHING).items():
            for match in re.finditer(pattern, text):
                reader(witness, *match.groups())
                for group in range(1, len(match.groups()) + 1):
                    seen |= set(range(*match.span(group)))
        for match in NUMERAL.finditer(text):
            assert set(range(*match.span())) <= seen, (view, match[0], text)
    return {view: sentence["text"] for view, sentence in said.items()}


@pytest.mark.parametrize("name", STATES)
def test_all_that_is_said_of_a_state_is_so(name):
    for kind in ("quality", "mixture", "noise"):
        check_all(STATES[name].changed(map=kind))


def close(*errors: float) -> State:
    return State(errors=errors, map="noise")


RARE_CASES = {
    "hand-overs at once": State(
        success_rates=(0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0),
        logits=tuple(-math.log(k) for k in range(1, 7)),
        confidences=(0.5,) * 6,
    ),
    "all wrong": close(1.0, 1.0),
    "just over 1": close(0.3, 0.7001),
    "nearly 1": close(0.3, 0.6999),
    "hardly paid": close(0.3, 0.699),
    "hardly any errors": close(0.001, 0.0001),
    "KL, many decades": State(
        success_rates=(0.0, 0.25, 0.5, 0.75, 1.0),
        logits=(0.0, -50.0, -100.0, -150.0, -200.0),
        confidences=(0.5,) * 5,
        run="kl",
        beta=1e-3,
    ),
}


@pytest.mark.parametrize("name", RARE_CASES)
def test_all_that_is_said_of_rare_cases_is_so(name):
    said = check_all(RARE_CASES[name])
    text = said["map"] + said["accuracy"]
    for wrong in ("up to 1,", " 1 times", "e+", "Then pattern 4 until"):
        assert wrong not in text + said["simplex"]
    if name == "KL, many decades":
        assert "before it comes to rest" in said["accuracy"]
    if name == "hardly paid":
        assert "within 0.001 of the most" in said["simplex"]
        assert "(0.3009, not 0.3006)" in said["simplex"]


@pytest.mark.parametrize("part", range(8))
def test_all_that_is_said_of_random_states_is_so(part, rng):
    rng = np.random.default_rng([20260604, part])
    for _ in range(25):
        check_all(drawn.state(rng, clock=str(rng.choice(FEW))))


def test_each_kind_of_sentence_is_said_of_some_state():
    said = [sentences.sentences(state) for state in STATES.values()]
    simplex = {text["simplex"]["text"] for text in said}
    for part in ("The rival, pattern 1", "leads all along", "nothing moves", "beta"):
        assert any(part in text for text in simplex)


def test_what_errors_kl_and_sft_change_is_said():
    """And only where they change something."""
    start = State()
    slower = check_all(start.changed(errors=(0.05, 0.05)))["accuracy"]
    assert "1.11 times slower, on the same path" in slower
    plain = check_all(start)
    assert "KL" not in "".join(plain.values()) and "slower" not in plain["accuracy"]
    fourth = check_all(start.changed(beta=0.05))
    assert "RLVR + KL is the fourth run" in fourth["accuracy"]
    held = check_all(start.changed(beta=0.05, run="kl"))
    assert (
        "Without it accuracy comes to 0.899, and passes the rival's rate at t = 42.7."
        in held["accuracy"]
    )
    assert "The map is without KL." in held["map"]
    after = check_all(start.changed(dose=1.0, map="dose"))
    assert (
        "model after SFT" in after["simplex"] and "base model" not in after["simplex"]
    )
    assert "from dose 1.9" in after["map"]


def test_a_slow_start_is_told_where_nothing_delays():
    state = State((0.8, 0.015), (-3.912, -0.0202), (0.5, 0.5), clock="grpo-8")
    said = check_all(state)["accuracy"]
    assert "no rival delays it, and it only rises; it is half-way to" in said
    slow = State((0.0, 0.0, 1.0), (-3.0, -0.35, -10.0))
    assert float(read(check_all(slow)["accuracy"].split("t = ")[-1][:-1])[0]) > 3.9


def test_what_does_not_move_is_said_once():
    said = check_all(State(success_rates=(0.5, 0.5, 0.5)))
    assert said["accuracy"] == said["policy"] == said["hull"] == "Nothing moves."
