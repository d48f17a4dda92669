"""The fragment of an address: the same state back, and nothing but a state."""

import json
import math
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from experiments.explorer import state as states
from experiments.explorer.state import FIELDS, State, fragment, parse
from experiments.text.errors import UserError

SHARES = st.floats(0, 1)
LOGITS = st.floats(-700, 700) | st.just(-math.inf)
OTHERS = st.text(max_size=8).filter(lambda x: x.isascii() and x.isprintable())


@st.composite
def drawn_states(draw) -> State:
    K = draw(st.integers(2, 8))

    def row(values, size=K):
        return tuple(draw(st.lists(values, min_size=size, max_size=size)))

    logits = row(LOGITS)
    if max(logits) == -math.inf:
        logits = (0.0, *logits[1:])
    rest = draw(st.lists(st.tuples(OTHERS, OTHERS), max_size=2))
    known = {field.letter for field in FIELDS.values()} | {"v", ""}
    return State(
        success_rates=row(SHARES),
        logits=logits,
        confidences=row(SHARES),
        weight=draw(SHARES),
        errors=row(SHARES, 2),
        clock=draw(st.sampled_from(states.CLOCKS)),
        beta=draw(st.floats(0, 10)),
        dose=draw(st.floats(0, 1000)),
        run=draw(st.sampled_from(states.RUNS)),
        map=draw(st.sampled_from(states.MAPS)),
        view=draw(st.sampled_from(states.VIEWS)),
        rest=tuple((key, text) for key, text in rest if key not in known),
    )


@settings(max_examples=300, deadline=None)
@given(drawn_states())
def test_text_to_state_and_back_keeps_every_bit(state):
    text = fragment(state)
    assert parse(text) == state and parse(text[1:]) == state
    assert fragment(parse(text)) == text
    assert text.startswith("#v=1&s=") and text.isascii() and " " not in text


@settings(max_examples=100, deadline=None)
@given(drawn_states())
def test_json_to_state_and_back_keeps_every_bit(state):
    sent = json.loads(json.dumps(states.to_json(state), allow_nan=False))
    assert states.from_json(sent) == state.changed(rest=())


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False))
def test_a_number_is_read_back_the_same(x):
    assert float(states.shortest(x).replace("Infinity", "inf")) == x


def test_numbers_are_those_that_javascript_writes():
    values = [*(10.0**k for k in range(-12, 24)), 0.1 + 0.2, -1.5e-7, 1e21, 123456.789]
    sizes = 10.0 ** np.arange(-100, 100)
    values += (np.random.default_rng(0).normal(size=200) * sizes).tolist()
    written = "JSON.stringify(JSON.parse(text).map(String))"
    script = f"process.stdin.on('data', text => console.log({written}))"
    try:
        done = subprocess.run(
            ["node", "-e", script],
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("node is not installed")
    assert [states.shortest(x) for x in values] == json.loads(done.stdout)


def test_what_is_left_out_is_default():
    assert parse("") == State() == parse("#v=1")
    assert parse("#b=0.5").beta == 0.5
    assert parse("#pin=abc&o=1").rest == (("pin", "abc"), ("o", "1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#v=2", "version '2'; this explorer reads 1"),
        ("#s=0.9", "1 success rates (s); give 2 to 8"),
        ("#s=" + ",".join(["0.5"] * 9), "9 success rates (s); give 2 to 8"),
        ("#s=0.9,0.1", "3 logits (l); give 2 numbers"),
        ("#s=0.9,1.1,0", "success rates (s) 1.1: give 0 to 1"),
        ("#s=0.9,x,0", "success rates (s) '0.9,x,0': give numbers joined by commas"),
        ("#s=nan,0.1,0.2", "success rates (s) nan: give 0 to 1"),
        ("#l=-inf,-inf,-inf", "one at least must be finite"),
        ("#l=inf,0,0", "logits (l) inf: give -700 to 700"),
        ("#b=-1", "weight of the KL penalty (b) -1.0: give 0 to 10"),
        ("#w=0.1,0.2", "weight of confidence (w) '0.1,0.2': give one number"),
        ("#n=0.1", "1 errors of the verifier (n); give 2 numbers"),
        ("#u=grpo-7", "clock (u) 'grpo-7' is unknown"),
        ("#map=<script>", "map (map) '<script>' is unknown"),
        ("#d=1e9", "SFT dose (d) 1000000000.0: give 0 to 1000"),
    ],
)
def test_what_is_no_state_is_one_line(text, words):
    with pytest.raises(UserError) as error:
        parse(text)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ([], "must be an object"),
        ({"rates": [1]}, "state: "),
        ({"success_rates": 0.5}, "give a list"),
        ({"success_rates": [0.9, True, 0.1]}, "True: give a number"),
        ({"success_rates": [0.9, None, 0.1]}, "None: give a number"),
        ({"weight": "0.5"}, "'0.5': give a number"),
        ({"clock": ["grpo-8"]}, "unknown"),
    ],
)
def test_what_was_sent_and_is_no_state_is_one_line(sent, words):
    with pytest.raises(UserError) as error:
        states.from_json(sent)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("letter", ["v", *(f.letter for f in FIELDS.values())])
def test_a_long_text_is_not_repeated(letter):
    with pytest.raises(UserError) as error:
        parse(f"#{letter}={'7' * 9000}")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [10**4000, "x" * 9000, ["x" * 9000], [[0.5] * 2000]])
def test_long_values_are_not_repeated(name, value):
    with pytest.raises(UserError) as error:
        states.from_json({name: value})
    assert len(str(error.value)) < 300


def test_every_field_reaches_the_command():
    """Or says where it does not: map and view are of the page alone."""
    from experiments.explorer import exports

    start = State(run="mixture", errors=(0.1, 0.1), beta=0.1)
    others = {
        "success_rates": {"success_rates": (0.8, 0.6, 0.1)},
        "logits": {"logits": (-2.0, -0.35, -1.4)},
        "confidences": {"confidences": (0.4, 0.75, 0.6)},
        "weight": {"weight": 0.25},
        "errors": {"errors": (0.2, 0.1), "run": "rlvr"},
        "clock": {"clock": "grpo-4", "run": "rlvr"},
        "beta": {"beta": 0.2, "run": "kl"},
        "dose": {"dose": 1.0},
        "run": {"run": "rlif"},
    }
    assert FIELDS.keys() - others.keys() == {"map", "view"}
    for name, fields in others.items():
        run = fields.get("run", start.run)
        before = start if name == "run" else start.changed(run=run)
        after = start.changed(**fields)
        assert exports.words(before) != exports.words(after), name
        assert exports.snippet(before) != exports.snippet(after), name


def test_the_page_starts_as_the_readme_and_the_preset_do():
    from experiments.explorer.presets import RARE

    start = State()
    assert start == RARE
    np.testing.assert_allclose(np.exp(start.log_policy), [0.05, 0.7, 0.25], rtol=1e-6)
    page = Path(states.__file__).parent / "page" / "state.js"
    sent = re.search(r"START = Object.freeze\((.*?)\);", page.read_text(), re.S)[1]
    fields = json.loads(re.sub(r"(\w+):", r'"\1":', sent).replace(",\n}", "\n}"))
    assert fields.pop("rest") == []
    assert states.from_json(fields) == start
