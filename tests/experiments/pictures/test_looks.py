"""Looks from the command line: the same for `figures` and `phase-diagram`."""

import argparse
import io
import json
import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import cli
from experiments.commands import figures
from experiments.pictures import looks
from experiments.text.errors import UserError

FIGURES = Path(__file__).parents[3] / "figures"
STYLE = """# a journal's
font.size: 11          # points
axes.prop_cycle: cycler('color', ['r', 'g'])
figure.figsize: 4, 3
"""


def parsed(*words):
    parser = argparse.ArgumentParser()
    looks.add_arguments(parser)
    return looks.given(parser.parse_args(words))


@pytest.fixture
def folder(tmp_path):
    """Data of two pictures: with a colour map and without."""
    (tmp_path / "data").mkdir()
    for name in ("collapse", "entanglement"):
        shutil.copy(FIGURES / "data" / f"{name}.npz", tmp_path / "data")
    return tmp_path


def stamp_of(path):
    """The stamp in the metadata of a picture of any kind."""
    content = path.read_bytes()
    if path.suffix == ".png":
        return json.loads(Image.open(io.BytesIO(content)).text["Description"])
    if path.suffix == ".svg":
        text = re.search(rb"<dc:description>(.*?)</dc:description>", content, re.S)[1]
        return json.loads(text.decode().replace("&quot;", '"'))
    text = re.search(rb"/Subject \((.*?[^\\])\)", content, re.S)[1]
    return json.loads(re.sub(rb"\\([()\\])", rb"\1", text))


def test_options_are_keys_of_the_figure_table(tmp_path):
    file = tmp_path / "a.mplstyle"
    file.write_text(STYLE)
    table = parsed(
        *("--format", "pdf,svg", "--width", "5", "--height", "3.5", "--cmap", "magma"),
        *("--label", "x=rarity", "colour=$T$", "--title", "T", "--text"),
        *("--style", str(file)),
    )
    assert set(table) == set(looks.KEYS)
    found = looks.read(table)
    assert found.format == ("pdf", "svg") and (found.width, found.height) == (5, 3.5)
    assert found.labels == {"x": "rarity", "colour": "$T$"} and found.text
    assert found.style["font.size"] == "11" and found.cmap == "magma"
    assert parsed() == {} and looks.read({}).format == ("svg", "png")
    own = looks.read(parsed("--style", str(file)))
    assert (own.width, own.height) == (4, 3)
    mapped = looks.read({"style": {"image.cmap": "magma"}})
    assert mapped.cmap == "magma"
    both = looks.merged({"labels": {"x": "a", "y": "b"}, "cmap": "magma"}, table)
    assert both["labels"] == {"x": "rarity", "y": "b", "colour": "$T$"}
    with looks.context(own):
        import matplotlib

        assert matplotlib.rcParams["font.size"] == 11
        assert matplotlib.rcParams["svg.hashsalt"] == "pattern-selection"


@pytest.mark.parametrize(
    "words, said",
    [
        (["--format", "gif"], "--format 'gif': choose from svg, png, pdf"),
        (["--format", ""], "--format ''"),
        (["--width", "0"], "--width = 0.0; give 1.5 to 40 inches"),
        (["--height", "nan"], "--height = nan"),
        (["--cmap", "virids"], "did you mean viridis?"),
        (["--cmap", "batlow"], "did you mean cmc.batlow?"),
        (["--label", "color=T"], "did you mean colour?"),
        (["--label", "x"], "give x=TEXT"),
        (["--label", "x=a", "x=b"], "given twice"),
        (["--label", r"x=$\foo$"], r"--label x: '$\foo$' cannot be set"),
        (["--title", r"$\frac{1}$ $"], "--title"),
        (["--style", "none.mplstyle"], "cannot read none.mplstyle"),
    ],
)
def test_what_there_is_not_is_one_line_at_once(words, said, capsys):
    for command in (["figures"], ["phase-diagram", "quality"]):
        assert cli.main([*command, *words, "--out", "/nowhere"]) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ") and err.count("\n") == 1 and said in err


@pytest.mark.parametrize(
    "text, said",
    [
        ("font.sise: 3", "did you mean font.size?"),
        ("font.size: big", "font.size"),
        ("font.size 3", "line 1: 'font.size 3'"),
        ("backend: pdf", "no setting of looks"),
    ],
)
def test_styles_are_checked(tmp_path, text, said):
    (tmp_path / "a.mplstyle").write_text(text)
    with pytest.raises(UserError, match=re.escape(said)):
        parsed("--style", str(tmp_path / "a.mplstyle"))


def test_every_format_has_size_text_and_stamp(folder, capsys):
    words = ["figures", "entanglement", "--out", str(folder), "--width", "6"]
    words += ["--height", "2.5", "--label", "x=MyTime", "--title", "MyTitle", "--text"]
    assert cli.main([*words, "--format", "svg,png,pdf"]) == 0
    files = [folder / f"entanglement.{kind}" for kind in ("svg", "png", "pdf")]
    assert capsys.readouterr().out.splitlines() == [str(file) for file in files]
    _, stamp = figures.saved_data(folder / "data" / "entanglement.npz")
    for file in files:
        found = stamp_of(file)
        asked = found.pop("figure")
        assert found == stamp and asked["title"] == "MyTitle" and asked["width"] == 6
    svg, png, pdf = (file.read_bytes() for file in files)
    assert Image.open(io.BytesIO(png)).size == (1200, 500)
    assert b'width="432pt" height="180pt"' in svg
    assert svg.count(b">MyTime</text>") == 2 and b">MyTitle</text>" in svg
    assert b"/FontType 3" not in _unpacked(pdf)
    again = {file: file.read_bytes() for file in files}
    assert cli.main([*words, "--format", "svg,png,pdf"]) == 0
    assert {file: file.read_bytes() for file in files} == again
    assert cli.main(["figures", "entanglement", "--out", str(folder)]) == 0
    svg = files[0].read_bytes()
    assert b"<text" not in svg and "figure" not in stamp_of(files[0])


def _unpacked(pdf: bytes) -> bytes:
    found = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"".join(found)


def test_a_colour_map_is_that_of_pictures_that_have_one(folder):
    words = ["figures", "--out", str(folder), "--format", "png"]
    names = ("collapse", "entanglement")
    assert cli.main(words) == 0
    plain = {name: (folder / f"{name}.png").read_bytes() for name in names}
    assert cli.main([*words, "--cmap", "magma"]) == 0
    pixels = {
        name: np.asarray(Image.open(io.BytesIO(plain[name])).convert("RGB"))
        for name in names
    }
    now = {
        name: np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
        for name in names
    }
    assert (pixels["collapse"] != now["collapse"]).any()
    np.testing.assert_array_equal(pixels["entanglement"], now["entanglement"])
    assert [*folder.glob("*.svg")] == []


@pytest.mark.parametrize(
    "words, said",
    [
        (["--title", "A"], "--title is of one figure"),
        (["entanglement", "collapse", "--label", "x=a"], "--label is of one figure"),
        (["entanglement", "--label", "y=a"], "different labels"),
        (["entanglement", "--label", "colour=a"], "no label"),
    ],
)
def test_labels_are_of_one_picture_and_one_meaning(folder, capsys, words, said):
    assert cli.main(["figures", *words, "--out", str(folder)]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert [*folder.glob("*.svg")] == []
