"""Sampled training on the explorer's page: drawn and told where it was sampled."""

import json

import numpy as np
import pytest

from experiments.explorer.state import State, fragment, to_json
from tests.experiments.explorer.browser import PATIENCE
from tests.experiments.explorer.test_page_exports import saved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BAND = "return document.querySelector('#accuracy .band') !== null"


def test_samples_are_drawn_and_saved_where_they_were_taken(page):
    page.open()
    page.find("#sampled").click()
    page.wait(BAND, PATIENCE)
    page.settle()
    answer = page.site.ask("train", {"state": to_json(State()), "seeds": 64})
    steps = [t for t in answer["log10_t"] if t is not None]
    log10_t, values = page.curve("accuracy", "median")
    assert log10_t[0] == pytest.approx(steps[0], abs=0.02)
    assert log10_t[-1] == pytest.approx(steps[-1], abs=0.02)
    assert values[-1] == pytest.approx(answer["quantiles"]["0.5"][-1], abs=5e-3)
    (end,) = page.texts("#accuracy .until")
    told = float(end.removeprefix("sampled up to t = "))
    assert told == pytest.approx(10 ** steps[-1], rel=0.01)
    assert page.find("#train").text == answer["command"]
    assert page.find("#f-accuracy #recipe").text
    page.button("Curves as CSV").click()
    rows = saved(page, "curves.csv").decode().splitlines()[1:]
    band = [row.split(",")[2] for row in rows if row.startswith("sampled:0.95,")]
    np.testing.assert_allclose(np.array(band, float), answer["quantiles"]["0.95"])
    page.button("All as JSON").click()
    found = json.loads(saved(page, "explorer.json"))["sampled"]
    assert found["quantiles"] == answer["quantiles"]


def test_the_cursor_reads_no_samples_where_there_are_none(page):
    page.open(fragment(State(rest=(("o", "1"),))))
    page.wait(BAND, PATIENCE)
    page.focus("#policy")
    beads = "#accuracy [data-key=cmedian]"
    page.keys("END")
    page.wait("return document.querySelector('#accuracy [data-key=now]') !== null")
    assert not page.all(beads)
    page.keys(*["ARROW_LEFT"] * 25)
    page.wait(f"return document.querySelector('{beads}') !== null")


def test_why_nothing_is_sampled_is_told_beside_the_box(page):
    given = State(run="kl", beta=0.01)
    page.open(fragment(given))
    page.find("#sampled").click()
    said = "document.getElementById('unsampled').textContent"
    page.wait(f"return {said} !== ''", PATIENCE)
    page.settle()
    assert "KL" in page.find("#unsampled").text
    assert not page.find("#sampled").is_selected()
    assert not page.find("#message").is_displayed()
    assert page.state == given
    (error,) = page.errors()  # the answer that was refused
    assert "/api/train" in error and "400" in error
