"""Steps back on the explorer's page, what is late, and what cannot be read."""

import math

import numpy as np
import pytest

from experiments.explorer.state import State, fragment
from tests.experiments.explorer.browser import START

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROBABILITY = 'input[aria-label="best (0): base probability, as a number"]'
PENALTY = '#training input[type=range][aria-label^="KL penalty"]'
HELD = """
const real = window.fetch;
window.held = new Promise((go) => { window.letGo = go; });
window.fetch = async (address, ...rest) => {
  if (address === '/api/numbers') await held;
  return real(address, ...rest);
};
"""
TAKEN = "#save-json, [data-copy=command], [data-copy=python]"


def type_into(page, selector, text):
    field = page.find(selector)
    page.js("arguments[0].select()", field)
    field.send_keys(text, "\t")
    page.settle()


def test_a_gesture_is_one_step_back(page):
    page.open(START)
    length = "return history.length"
    before = page.js(length)
    chain = page.hands().move_to_element(page.find(".handle")).click_and_hold()
    for _ in range(20):
        chain = chain.move_by_offset(-2, -4)
    chain.release().perform()
    page.settle()
    dragged = page.hash
    assert dragged != START and page.js(length) == before + 1
    type_into(page, PROBABILITY, "1%")
    assert page.js(length) == before + 2
    page.driver.back()
    page.settle()
    assert page.hash == dragged
    page.driver.back()
    page.settle()
    assert page.hash == START
    np.testing.assert_allclose(
        page.js("return explorer.shown.base.policy"), np.exp(State().log_policy)
    )


def test_what_is_late_is_dimmed_and_not_taken_along(page):
    page.open()
    late = "return document.querySelector('#numbers').getAttribute('aria-busy')"
    assert page.js(late) == "false"
    page.js(HELD)
    page.focus(".handle")
    page.driver.switch_to.active_element.send_keys("\ue013")  # up
    page.wait("return explorer.shown.state === explorer.state")
    assert page.js(late) == "true"
    assert page.find("#command").get_attribute("aria-busy") == "true"
    assert not any(button.is_enabled() for button in page.all(TAKEN))
    assert page.find("#save-csv").is_enabled()
    page.js("letGo()")
    page.settle()
    assert page.js(late) == "false"
    assert all(button.is_enabled() for button in page.all(TAKEN))


def test_a_penalty_brings_its_run_into_focus_and_takes_it_away(page):
    page.open()
    page.focus(PENALTY)
    page.keys("END")
    assert page.state.beta == 10 and page.state.run == "kl"
    assert not [t for t in page.texts("#hull .name") if "leads" in t]
    page.focus(PENALTY)
    page.keys("HOME")
    assert page.state.beta == 0 and page.state.run == "rlvr"
    assert [t for t in page.texts("#hull .name") if "leads" in t]


@pytest.mark.parametrize("text", ["0", "1.5", "much", ""])
def test_a_field_keeps_what_it_cannot_take_and_says_what_it_can(page, text):
    page.open(START)
    type_into(page, PROBABILITY, text or "\ue017")  # delete
    field = page.find(PROBABILITY)
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("value") == text
    says = page.find("#" + field.get_attribute("aria-describedby")).text
    assert says.startswith("Give ") and "1e-300" in says
    assert page.hash == START
    type_into(page, PROBABILITY, "0.2")
    assert page.find(PROBABILITY).get_attribute("aria-invalid") == "false"
    assert np.exp(page.state.log_policy)[0] == pytest.approx(0.2, rel=1e-3)


def test_an_address_without_a_known_field_says_so(page):
    page.open("#garbage")
    assert "names nothing" in page.find("#message").text
    page.open("#v=1")
    assert not page.find("#message").is_displayed()


def test_without_a_map_its_place_says_why(page):
    page.open(fragment(State(success_rates=(0.5, 0.5, 0.5))))
    assert page.find("#f-map .none").text
    assert not page.find("#message").is_displayed()
    assert all("/api/map" in error for error in page.errors())
    page.open(START)
    assert not page.find("#f-map .none").is_displayed()


@pytest.mark.parametrize(
    "rates, lost, words",
    [
        ((0.9, 0.6, 0.1), None, ["best (0)", "rival (1)", "bad (2)"]),
        ((0.1, 0.9, 0.9), None, ["rival (0)", "best (1)", "best too (2)"]),
        ((0.9, 0.6, 0.6), None, ["best (0)", "rival (1)", "rival too (2)"]),
        ((0.5, 0.5, 0.5), None, ["pattern 0", "pattern 1", "pattern 2"]),
        ((0.9, 0.6, 0.1), 0, ["never drawn (0)", "best (1)", "rival (2)"]),
        ((0.3, 0.3), None, ["pattern 0", "pattern 1"]),
    ],
)
def test_names_say_who_is_as_good_as_whom(page, rates, lost, words):
    logits = [0.0 if k != lost else -math.inf for k in range(len(rates))]
    given = State(
        success_rates=rates, logits=tuple(logits), confidences=(0.5,) * len(rates)
    )
    page.open()
    code = (
        "const { names, parse } = await import('/state.js');"
        "return names(parse(arguments[0]));"
    )
    assert page.module(code, fragment(given)) == words
