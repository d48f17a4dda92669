"""The phase diagram of the explorer's page: what its cells say, and load."""

import base64
import math

import numpy as np
import pytest

from experiments.explorer.state import MAPS, State, fragment, to_json
from tests.experiments.explorer.browser import RAISED, START

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def said(page):
    """log10 T0 of the cell looked at, as the page says it."""
    number = page.find("#cell").text.split("= ")[-1].translate(RAISED)
    digits, _, power = number.partition("×10")
    return math.log10(float(digits)) + float(power or 0)


def check_loaded(page, log10_t0):
    """The cell has the value that was said, and is a step that Back undoes."""
    loaded = page.hash
    assert loaded != START
    t0 = page.js("return explorer.numbers.numbers.log10_t0")
    assert t0 == pytest.approx(log10_t0, abs=0.02)  # two digits are said
    page.driver.back()
    page.settle()
    assert page.hash == START
    page.driver.forward()
    page.settle()
    assert page.hash == loaded


def test_a_click_loads_the_cell_whose_value_was_shown(page):
    page.open(START)
    page.point("#cells", -40, 30)
    page.wait("return document.getElementById('cell').textContent.includes('T₀ = ')")
    log10_t0 = said(page)
    page.hands().click().perform()
    page.settle()
    check_loaded(page, log10_t0)


def test_the_map_by_keys(page):
    page.open(START)
    page.focus("#cells")
    page.keys("ARROW_LEFT", "ARROW_LEFT", "ARROW_DOWN")
    log10_t0 = said(page)
    page.keys("ENTER")
    check_loaded(page, log10_t0)


@pytest.mark.parametrize("map", MAPS)
def test_the_ring_and_the_cells_are_those_of_the_server(page, map):
    given = State(map=map, dose=0.3, errors=(0.1, 0.2))
    page.open(fragment(given))
    answer = page.site.ask("map", {"state": to_json(given), "side": 40})
    code = (
        "const { place, decode } = await import('/map.js');"
        "const { parse } = await import('/state.js');"
        "return [place(parse(arguments[0])), [...decode(arguments[1])].map(String)];"
    )
    here, cells = page.module(code, fragment(given), answer["z"])
    np.testing.assert_allclose(here, answer["here"], rtol=1e-6)
    z = np.frombuffer(base64.b64decode(answer["z"]), "<f4")
    np.testing.assert_array_equal(np.array(cells, "<f4"), z)
    assert page.all("#map .mine")
    assert page.texts("#map [data-key=xlabel]") == [answer["axes"]["x"]["label"]]
    assert len(page.all("#map path.theory:not(.under)")) == len(answer["lines"])


def test_colours_follow_the_values(page):
    page.open(START)
    answer = page.site.ask("map", {"state": to_json(State()), "side": 100})
    z = np.frombuffer(base64.b64decode(answer["z"]), "<f4").reshape(100, 100)
    code = (
        "const { colour } = await import('/colours.js'); const c = "
        "document.getElementById('cells'), d = c.getContext('2d').getImageData(0, 0, "
        "c.width, c.height).data; return [[...d], Array.from({length: 256}, "
        "(_, i) => colour(i / 255))];"
    )
    pixels, table = (np.array(rows) for rows in page.module(code))
    pixels = pixels.reshape(100, 100, 4)[::-1]
    known = np.isfinite(z)
    part = (z - z[known].min()) / (z[known].max() - z[known].min())
    wanted = table[np.rint(255 * part[known]).astype(int)]
    assert np.abs(pixels[known][:, :3] - wanted).max() <= 2
    grey = pixels[z == -np.inf][:, :3]
    assert len(grey) and (grey == grey[0]).all()
    assert np.ptp(grey[0]) < 10  # no colour of batlow is that


def test_a_model_off_the_axes_is_an_arrow_at_the_edge(page):
    page.open(fragment(State(logits=(-22.0, 0.0, -1.0))))
    assert page.all("#map [data-key=far]") and not page.all("#map [data-key=ring]")
    (said,) = page.texts("#map [data-key=farword]")
    assert said == "your model: 2×10⁻¹⁰"
    assert "off this map" in page.find("#cell").text
    page.open(fragment(State(logits=(-35.0, 0.0, -1.0), view="logits")))
    (said,) = page.texts("#simplex .farword")
    assert said == "π(best) : π(rival) = 10⁻¹⁵"
    assert page.all("#simplex .handle.far")
    page.open(START)
    assert page.all("#map [data-key=ring]") and not page.all("#map [data-key=far]")
    assert not page.all("#simplex .farword, #simplex .handle.far")


@pytest.mark.parametrize("map, words", [("quality", "time"), ("mixture", "accuracy")])
def test_the_bar_of_colours_has_a_title(page, map, words):
    page.open(fragment(State(map=map)))
    (title,) = page.texts("#map [data-key=title]")
    assert words in title
