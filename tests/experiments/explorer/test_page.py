"""The explorer's page in a real browser: what is drawn, and what hands and keys do."""

import re

import numpy as np
import pytest

from experiments.explorer.state import State, to_json
from tests.experiments.explorer.browser import START

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COUNT = """
window.asked = []; window.flying = {}; window.most = {};
const real = window.fetch;
window.fetch = async (address, ...rest) => {
  asked.push(address);
  flying[address] = (flying[address] ?? 0) + 1;
  most[address] = Math.max(most[address] ?? 0, flying[address]);
  try { return await real(address, ...rest); } finally { flying[address] -= 1; }
};
"""
STOPS = """
return [...document.querySelectorAll('button, select, input, canvas, [tabindex]')]
  .filter((n) => !n.disabled && n.checkVisibility({ visibilityProperty: true }))
  .filter((n) => n.type !== 'radio' || n.checked)
  .map((n, i) => { n.dataset.stop = i; return String(i); });
"""


@pytest.mark.parametrize("view, key", [("policy", "p0"), ("accuracy", "rlif")])
def test_curves_are_drawn_where_the_answers_are(page, view, key):
    page.open()
    log10_t, values = page.curve(view, key)
    answer = page.site.ask("curves", {"state": to_json(State())})
    low, high = answer["window"]
    run = answer["runs"]["rlif" if key == "rlif" else "rlvr"]
    wanted = np.array(run["accuracy"] if key == "rlif" else run["probs"][0])
    times = np.array([-9 if t is None else t for t in run["log10_t"]])
    shown = (times > low) & (times < high)
    assert shown.sum() > 40
    # Each row is a corner of the line: within a fraction of a pixel of a point drawn.
    wide, tall = 500 / (high - low), 170
    for t, v in zip(times[shown], wanted[shown], strict=True):
        assert np.hypot((log10_t - t) * wide, (values - v) * tall).min() < 0.4


def test_the_numbers_are_those_of_the_server_as_they_come(page):
    page.open()
    answer = page.site.ask("numbers", {"state": to_json(State())})
    rows = [[row[name] for name in ("label", "text")] for row in answer["rows"]]
    labels, texts = page.texts("#numbers th"), page.texts("#numbers .text")
    assert [[*pair] for pair in zip(labels, texts, strict=True)] == rows
    for view, sentence in answer["sentences"].items():
        (said,) = page.texts(f"#says-{view}")
        why = [f"why: {name}" for name in sentence["statements"]]
        words = [sentence["text"].replace("^", ""), *why]  # raised
        assert said == " ".join(words)
    links = page.all(".says a")
    assert links
    for link in links:
        assert link.get_attribute("target") == "_blank"
        assert link.get_attribute("rel") == "noopener"
        assert link.get_attribute("href").startswith(f"{page.site.address}statements/")


def test_a_drag_changes_all_and_asks_one_question_at_a_time(page):
    page.open()
    page.js(COUNT)
    command, numbers = page.texts("#command, #numbers")
    before = page.curve("policy", "p0")[1][0]
    chain = page.hands().move_to_element(page.find(".handle")).click_and_hold()
    for _ in range(60):
        chain = chain.move_by_offset(-2, -3)
    chain.release().perform()
    page.settle()
    asked, most = page.js("return [asked, most]")
    assert most["/api/curves"] == most["/api/numbers"] == most["/api/map"] == 1
    for kind in ("curves", "numbers", "map"):
        assert 1 <= asked.count(f"/api/{kind}") <= 62
    p = np.exp(page.state.log_policy)
    assert p[0] > 0.3 and p[1] < 0.6
    assert page.curve("policy", "p0")[1][0] == pytest.approx(p[0], abs=2e-3)
    assert abs(p[0] - before) > 0.2
    assert command not in page.texts("#command")
    assert numbers not in page.texts("#numbers")
    logits = " ".join(map(str, page.state.logits))
    assert f"--logits {logits} " in page.find("#command").text


def test_the_base_model_moves_by_keys_and_keeps_the_focus(page):
    page.open()
    page.focus(".handle")
    page.keys("ARROW_UP", "ARROW_UP", "ARROW_UP")
    assert np.exp(page.state.log_policy)[0] > np.exp(State().log_policy)[0] + 0.01
    assert page.js("return document.activeElement.classList.contains('handle')")
    says = page.find(".handle").get_attribute("aria-valuetext")
    assert re.fullmatch(
        r"best \(0\) 0\.\d+, rival \(1\) 0\.\d+, bad \(2\) 0\.\d+", says
    )


def test_the_logit_plane_reaches_rare_models(page):
    page.open(START.replace("view=simplex", "view=logits"))
    page.focus(".handle")
    for _ in range(20):
        page.driver.switch_to.active_element.send_keys("\ue008\ue012")  # shift, left
    page.settle()
    p = np.exp(page.state.log_policy)
    assert 1e-13 < p[0] < 1e-8 and p[1] > 0.5
    says = page.find(".handle").get_attribute("aria-valuetext")
    assert says.startswith("best (0) ") and "×10⁻" in says


def test_every_control_is_reached_by_tab(page):
    page.open()
    wanted = page.js(STOPS)
    assert len(wanted) > 40
    page.js("document.activeElement.blur(); scrollTo(0, 0)")
    seen = set()
    for _ in range(len(wanted) + 30):
        page.driver.switch_to.active_element.send_keys("\ue004")
        seen.add(page.js("return document.activeElement.dataset.stop ?? null"))
    assert seen - {None} == set(wanted)


def test_a_number_can_be_typed_and_percent_too(page):
    page.open()
    field = page.find('input[aria-label="best (0): base probability, as a number"]')
    field.clear()
    field.send_keys("1%\t")
    page.settle()
    p = np.exp(page.state.log_policy)
    assert p[0] == pytest.approx(0.01, rel=1e-4)
    assert p[1] / p[2] == pytest.approx(0.70 / 0.25, rel=1e-3)


def test_the_cursor_of_time_reads_the_curves(page):
    page.open()
    page.point("#policy")
    page.wait("return document.querySelector('#policy [data-key=cursor]') !== null")
    values = [float(name.split()[-1]) for name in page.texts("#policy .name")]
    assert sum(values) == pytest.approx(1, abs=0.02)
    assert page.all("#simplex [data-key^=bead]")
    page.point("h1")
    page.wait("return document.querySelector('#policy [data-key=cursor]') === null")
    page.focus("#policy")
    page.keys("ARROW_RIGHT", "ARROW_RIGHT")
    assert "at t = " in page.find("#policy").get_attribute("aria-valuetext")


def test_group_size_and_clock(page):
    from selenium.webdriver.support.ui import Select

    page.open()
    Select(page.find("#rule")).select_by_visible_text("GRPO")
    page.settle()
    assert page.state.clock == "grpo-8"
    slider = '#training input[type=range][aria-label^="answers per group"]'
    page.focus(slider)
    page.keys("END")
    assert page.state.clock == "grpo-inf"
    assert page.find(slider).get_attribute("aria-valuetext") == "∞"
    assert "--update grpo --group-size inf" in page.find("#command").text


def test_patterns_are_added_up_to_eight_and_removed_to_two(page):
    page.open()
    for K in range(4, 9):
        page.button("+ add a pattern").click()
        assert page.state.num_patterns == K
    page.settle()
    assert not page.button("+ add a pattern").is_enabled()
    assert page.js("return explorer.shown.runs.rlvr.probs.length") == 8
    for K in range(7, 1, -1):
        page.all(".drop")[-1].click()
        assert page.state.num_patterns == K
    page.settle()
    assert page.js("return explorer.shown.runs.rlvr.probs.length") == 2
    assert not any(drop.is_displayed() for drop in page.all(".drop"))
    page.driver.back()
    page.settle()
    assert page.state.num_patterns == 3


def test_paths_are_drawn_again_between_two_and_three_patterns(page):
    page.open()
    wanted = {"rlvr": "path", "mixture": "path", "rlif": "path"}
    for tag in ("path", "line", "path"):
        shapes = page.js(
            "return [...document.querySelectorAll('#simplex .paths .curve')]"
            ".map((n) => [n.dataset.key, n.tagName, n.getBoundingClientRect().width])"
        )
        found = {key: name for key, name, _ in shapes if key in wanted}
        assert found == dict.fromkeys(wanted, tag)
        assert all(width > 5 for _, _, width in shapes)
        if tag == "path":
            page.all(".drop")[2].click()
        else:
            page.button("+ add a pattern").click()
        page.settle()
