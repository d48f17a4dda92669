"""The address of the explorer's page is all it shows: shared, pinned, or wrong."""

import json
import math

import numpy as np
import pytest

from experiments.explorer.state import (
    CLOCKS,
    FIELDS,
    MAPS,
    RUNS,
    VIEWS,
    State,
    fragment,
    parse,
    to_json,
)
from tests.experiments.explorer.browser import PATIENCE, START

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BASE = "return explorer.shown.base.policy"


def test_a_reload_and_a_shared_address_show_the_same(page):
    page.open()
    page.focus(".handle")
    page.keys("ARROW_UP", "ARROW_RIGHT")
    page.find('input[value="mixture"]').find_element("xpath", "..").click()
    page.settle()
    address, numbers = page.hash, page.texts("#numbers")
    assert page.state.run == "mixture"
    page.driver.refresh()
    page.settle()
    assert (page.hash, page.texts("#numbers")) == (address, numbers)
    page.open()
    assert page.texts("#numbers") != numbers
    page.open(address)
    assert (page.hash, page.texts("#numbers")) == (address, numbers)
    assert page.js("return document.querySelector('input[value=mixture]').checked")


def test_an_address_typed_into_the_bar_is_shown(page):
    page.open()
    given = State(logits=(0.0, -1.0, -2.0))
    page.js("location.hash = arguments[0]", fragment(given))
    page.settle()
    np.testing.assert_allclose(page.js(BASE), np.exp(given.log_policy))


@pytest.mark.parametrize(
    "text",
    [
        "#v=9",
        "#v=1&s=2,0.5,0.1",
        "#v=1&s=0.9,0.6",
        "#v=1&u=<img src=x onerror=alert(1)>",
        "#v=1&l=-Infinity,-Infinity,-Infinity",
        "#v=1&w=x",
        "#v=1&pin=%23v%3D9",
    ],
)
def test_a_bad_address_is_told_in_one_line_and_the_start_is_shown(page, text):
    page.open(text)
    message = page.find("#message").text
    assert "cannot be shown" in message and "\n" not in message
    assert not page.all("img")
    np.testing.assert_allclose(page.js(BASE), np.exp(State().log_policy))


def states(rng, count):
    """Odd ones too: tiny numbers, patterns that are never drawn, unknown fields."""
    for _ in range(count):
        K = int(rng.integers(2, 9))
        logits = rng.normal(size=K) * 10 ** rng.uniform(-9, 2.8)
        logits = [float(x) for x in np.clip(logits, -700, 700)]
        if rng.uniform() < 0.3:
            logits[int(rng.integers(1, K))] = -math.inf
        rates = rng.choice([0, 1, 0.1, 1e-7, 1 / 3, rng.uniform()], K)
        yield State(
            success_rates=tuple(rates.tolist()),
            logits=tuple(logits),
            confidences=tuple(rng.uniform(size=K).tolist()),
            weight=float(rng.uniform()),
            errors=tuple((rng.uniform(size=2) ** 9).tolist()),
            clock=str(rng.choice(CLOCKS)),
            beta=float(rng.choice([0, 1e-5, 10, rng.uniform()])),
            dose=float(rng.choice([0, 1000, 1e-7, rng.uniform()])),
            run=str(rng.choice(RUNS)),
            map=str(rng.choice(MAPS)),
            view=str(rng.choice(VIEWS)),
            rest=(("pin", "#v=1&s=0.5,0.1 +%"), ("né", "a/b!'()*~")),
        )


def test_addresses_are_read_and_written_alike_by_page_and_python(page, rng):
    page.open()
    given = list(states(rng, 200))
    texts = [fragment(one) for one in given]
    code = (
        "const m = await import('/state.js'); return [Object.keys(m.FIELDS), "
        "arguments[0].map((text) => { const one = m.parse(text);"
        " return [m.fragment(one), JSON.stringify(m.toJson(one))]; })];"
    )
    fields, found = page.module(code, texts)
    assert fields == list(FIELDS)
    assert [text for text, _ in found] == texts
    for (_, body), one in zip(found, given, strict=True):
        assert json.loads(body) == json.loads(json.dumps(to_json(one)))
    assert [parse(text) for text, _ in found] == given


def test_a_pinned_state_stays_dashed_in_the_same_axes(page):
    page.open()
    page.button("pin to compare").click()
    page.settle()
    was = page.curve("policy", "pin0")[1][0]
    page.focus(".handle")
    page.keys(*["ARROW_UP"] * 8)
    pinned = page.curve("policy", "pin0")[1][0]
    assert page.curve("policy", "p0")[1][0] > pinned + 0.05
    assert pinned == pytest.approx(was, abs=2e-3)
    dashes = "getComputedStyle(document.querySelector('[data-key=pin0]'))"
    assert page.js(f"return {dashes}.strokeDasharray") != "none"
    assert page.all("#numbers .was")
    page.open(page.hash)
    assert page.all('#policy [data-key="pin0"]')
    page.button("unpin").click()
    page.settle()
    assert not page.all('#policy [data-key="pin0"]')


def test_presets_are_loaded_and_told_of(page):
    page.open()
    assert len(page.all("#presets button")) >= 3
    page.all("#presets button")[0].click()
    page.settle()
    assert page.hash not in ("", START)
    assert page.find("#about").text


def test_sampled_runs_are_laid_over_the_curves(page):
    page.open()
    page.find("#sampled").click()
    page.settle()
    page.wait("return document.querySelector('#accuracy .band') !== null", PATIENCE)
    assert ("o", "1") in page.state.rest
    page.find("#sampled").click()
    page.settle()
    assert not page.all("#accuracy .band") and page.state.rest == ()
