"""The explorer's page for everyone: on a phone, in the dark, by a screen reader.

    EXPLORER_PICTURE=1 python -m pytest -n0 -k picture \\
        tests/experiments/explorer/test_page_access.py

draws `figures/explorer.png` anew.
"""

import base64
import os

import numpy as np
import pytest

from experiments.explorer.state import VIEWS, State, fragment
from tests.experiments.explorer.browser import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("width, dark", [(1280, False), (1280, True), (420, False)])
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(page, width, dark):
    page.dark(dark)
    try:
        page.open(width=width)
        assert page.violations() == []
        assert page.js("return document.documentElement.scrollWidth") <= width
        back = page.js("return getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(255, 255, 255)") == (not dark)
    finally:
        page.dark(False)


def test_one_column_on_a_phone_and_no_small_print(page):
    page.open(width=420)
    lefts = page.js(
        "return [...document.querySelectorAll('main > *')]"
        ".map((n) => n.getBoundingClientRect().left)"
    )
    assert len(lefts) == 9 and len(set(lefts)) == 1
    sizes = page.js(
        "return [...document.querySelectorAll('svg text')]"
        ".map((n) => parseFloat(getComputedStyle(n).fontSize))"
    )
    assert min(sizes) >= 11
    boxes = page.js(
        "return [...document.querySelectorAll('svg')].map((n) => "
        "[n.viewBox.baseVal.width, n.getBoundingClientRect().width])"
    )
    for drawn, shown in boxes:  # text is not scaled
        assert drawn == pytest.approx(shown, abs=1)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("K", [2, 3, 5, 8])
def test_all_numbers_of_patterns_are_drawn_with_labels_apart(page, K, view):
    given = State(
        success_rates=tuple(np.linspace(0.9, 0.1, K).round(3).tolist()),
        logits=tuple(np.linspace(-9, 0, K).tolist()),
        confidences=(0.5,) * K,
        view=view,
    )
    page.open(fragment(given))
    broken = "/NaN|Infinity|undefined/.test(n.getAttribute('d'))"
    paths = "[...document.querySelectorAll('path')]"
    assert page.js(f"return {paths}.filter((n) => {broken}).length") == 0
    assert len(page.all("#policy .lines [data-key^=p]")) == K
    middles = page.js(
        "return [...document.querySelectorAll('#policy .name')]"
        ".map((n) => n.getBoundingClientRect()).map((b) => b.top + b.height / 2)"
    )
    assert len(middles) == K and np.diff(np.sort(middles)).min() > 9


@pytest.mark.skipif("EXPLORER_PICTURE" not in os.environ, reason="draws a figure")
def test_a_picture_for_people(page):
    page.size(1280, 868, 2.0)
    page.driver.get("about:blank")
    page.driver.get(page.site.address + fragment(State(logits=(-2.2, -0.6, -1.05))))
    page.settle()
    page.js("document.querySelector('.hint')?.remove()")
    picture = page.cdp("Page.captureScreenshot", format="png")
    file = ROOT / "figures" / "explorer.png"
    file.write_bytes(base64.b64decode(picture["data"]))
