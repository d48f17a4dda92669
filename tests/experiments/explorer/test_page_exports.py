"""What a reader takes along from the explorer's page: commands, pictures, tables."""

import contextlib
import io
import json
import shlex
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from experiments import cli
from experiments.explorer.state import State, fragment, parse, to_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    "given",
    [
        State(),
        State(run="mixture", logits=(-2.0, 0.1, -1.0)),
        State(clock="grpo-8", errors=(0.1, 0.05), dose=0.5),
    ],
)
def test_the_command_and_the_snippet_give_the_numbers_shown(page, given):
    page.open(fragment(given))
    program, *words = shlex.split(page.find("#command").text)
    assert program == "pattern-selection"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert cli.main(words) == 0
    lines = said.getvalue().splitlines()
    for key, label in {
        "t0": "T0",
        "t_cross": "crossing",
        "accuracy": "accuracy",
    }.items():
        (shown,) = page.texts(f'#numbers [data-row="{key}"] .text')
        assert len(shown) > 4
        (line,) = [one for one in lines if one.startswith(label)]
        assert line.removeprefix(label).strip().startswith(shown)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(page.texts("#python")[0], {})
    (shown,) = page.texts('#numbers [data-row="t0"] .text')
    assert f"{float(shown):.4g}" in said.getvalue()


def saved(page, name):
    """The content of a file that the browser saves."""
    file, end = page.folder / name, time.monotonic() + 20
    while not (file.exists() and file.stat().st_size):
        assert time.monotonic() < end, f"{name} was not saved"
        time.sleep(0.05)
    content = file.read_bytes()
    file.unlink()
    return content


@pytest.mark.parametrize(
    "view", ["simplex", "policy", "accuracy", "clocks", "hull", "map"]
)
def test_pictures_are_saved_as_svg_and_png(page, view):
    page.open()
    for text in ("SVG", "PNG"):
        tool = page.button(text, f"#f-{view}")
        page.js("arguments[0].scrollIntoView({block: 'center'})", tool)
        tool.click()
    text = saved(page, f"{view}.svg").decode()
    root = ET.fromstring(text)
    assert "var(" not in text and "class=" not in text
    assert len(list(root.iter("{http://www.w3.org/2000/svg}text"))) > 3
    assert ("data:image/png" in text) == (view == "map")
    assert (">RLVR<" in text) == (view in ("simplex", "accuracy"))  # the legend, too
    png = saved(page, f"{view}.png")
    assert png.startswith(b"\x89PNG")
    size = [int.from_bytes(png[at : at + 4]) for at in (16, 20)]
    assert size == [2 * round(float(root.get(name))) for name in ("width", "height")]


def test_tables_are_saved_as_csv_and_json(page):
    page.open()
    page.button("Curves as CSV").click()
    header, *rows = saved(page, "curves.csv").decode().splitlines()
    assert header == "run,log10_t,accuracy,p0,p1,p2"
    answer = page.site.ask("curves", {"state": to_json(State())})
    wanted = sum(len(run["log10_t"]) for run in answer["runs"].values())
    wanted += sum(map(len, answer["clocks"].values()))
    assert len(rows) == wanted
    for row in rows:
        _, _, accuracy, *p = row.split(",")
        mean = np.array(p, float) @ State().success_rates
        assert float(accuracy) == pytest.approx(mean, abs=2e-4)
    page.button("All as JSON").click()
    found = json.loads(saved(page, "explorer.json"))
    assert parse(found["fragment"]) == State()
    assert found["curves"]["runs"] == answer["runs"]
    assert found["numbers"]["command"] == page.find("#command").text
