"""Files: written whole or not at all, and read or refused in one line."""

import ast
import json
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from experiments import cli
from experiments.commands import figures
from experiments.runtime import output
from experiments.text.errors import UserError

SOURCE = Path(output.__file__).parent


def run(capsys, *words):
    """The exit code, and the only line on stderr (empty if there is none)."""
    code = cli.main(list(map(str, words)))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 1
    return code, "".join(lines)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with the data of a picture that is drawn quickly, and the picture."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "data").mkdir()
    steps = np.arange(11)
    numbers = {f"accuracy_{k}": 0.1 * steps for k in ("mean", "q05", "q95")}
    policy = np.full((11, 1, 3), 1 / 3)
    figures.save_data({"steps": steps, "policy": policy} | numbers, {}, folder, "train")
    figures.draw("train", folder)
    return folder


@pytest.fixture
def folder(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "figures")
    return tmp_path / "figures"


def without(name):
    """The data with one array less."""

    def damage(path):
        arrays = dict(np.load(path))
        del arrays[name]
        np.savez(path, **arrays)

    return damage


def reshaped(path):
    arrays = {k: v for k, v in np.load(path).items() if v.ndim}
    np.savez(path, **{k: v[:3].ravel() for k, v in arrays.items()})


def one_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def flipped(path):
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    # Within the compressed array, behind its header of 30 bytes and its name.
    content[first.header_offset + 30 + len(first.filename) + 30] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "no zip file": lambda path: path.write_text("not a zip file"),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "a flipped bit": flipped,
    "one array, not several": one_array,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "no steps": without("steps"),
    "no policy": without("policy"),
    "other shapes": reshaped,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_data_are_refused_in_one_line(damage, folder, capsys):
    path, picture = folder / "data" / "train.npz", folder / "train.svg"
    before = picture.read_bytes()
    DAMAGES[damage](path)
    code, line = run(capsys, "figures", "train", "--out", folder)
    assert code == 2 and str(path) in line
    assert "pattern-selection train --out" in line
    assert picture.read_bytes() == before


def test_a_flipped_bit_never_changes_a_number(folder):
    path = folder / "data" / "train.npz"
    content, whole = path.read_bytes(), figures._arrays(path)
    refused = 0
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found = figures._arrays(path)
        except Exception:  # `draw` makes one line of any
            refused += 1
            continue
        for name in found.keys() & whole.keys():
            np.testing.assert_array_equal(found[name], whole[name])
    assert refused > 100


def test_a_full_disk_leaves_the_old_picture(folder, capsys):
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 * 512, hard))  # ulimit -f 20
    try:
        code, line = run(capsys, "figures", "train", "--out", folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 2 and str(folder / "train.svg") in line and "too large" in line
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_nothing_is_written_through_a_link_beside_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(output.secrets, "token_hex", lambda size: "0")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".0.partial").symlink_to(victim)
    with pytest.raises(UserError, match=r"a\.txt \(File exists\)"):
        output.write_bytes(tmp_path / "a.txt", b"new")
    assert victim.read_text() == "mine" and not (tmp_path / "a.txt").exists()


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*names):
        raise KeyboardInterrupt

    monkeypatch.setattr(output.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        output.write_bytes(tmp_path / "a.txt", b"new")
    assert not list(tmp_path.iterdir())


CALLS = ("write_text", "write_bytes", "savefig", "savez", "savez_compressed", "save")


def test_every_file_is_written_by_one_function():
    """Calls that write go into a buffer, or are those of `output`."""
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            text = ast.unparse(node)
            opens = text.partition("(")[0].endswith("open") and (
                "'w" in text or "'a" in text or "'x" in text
            )
            method = isinstance(node.func, ast.Attribute) and node.func.attr in CALLS
            buffered = node.args and ast.unparse(node.args[0]) == "buffer"
            if opens or (method and not buffered and "style.save" not in text):
                found.append(f"{path.relative_to(SOURCE)}: {text}")
    assert len(found) == 2 and all(each.startswith("output.py") for each in found)


REFUSED = {
    "no data of this picture": ["figures", "train"],
    "no such picture": ["figures", "rlhf"],
    "no base model": ["train"],
    "no file for JSON": [
        *("train", "--success-rates", "0.9", "0.1", "--policy", "0.5", "0.5"),
        *("--json", "/no/such/folder/a.json"),
    ],
    "no such preset": ["phase-diagram", "qualities"],
    "no such axis": ["phase-diagram", "quality", "--x", "gaps=0.1:0.2"],
    "nothing stored": ["phase-diagram", "quality", "--cell", "gap=0.1"],
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_command_leaves_no_folder(words, tmp_path, capsys):
    code, line = run(capsys, *words, "--out", tmp_path / "new" / "inside")
    assert code == 2 and line
    assert not list(tmp_path.iterdir())


def test_figures_draws_what_comes_with_the_program(tmp_path, capsys):
    assert cli.main(["figures", "hull", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == str(tmp_path / "hull.svg")
    assert "data that come with the program" in err
    saved = Path(__file__).parents[3] / "figures" / "hull.svg"
    assert (tmp_path / "hull.svg").read_bytes() == saved.read_bytes()


def test_figures_prefers_data_of_the_folder_to_those_of_the_program(tmp_path, capsys):
    shipped = Path(__file__).parents[3] / "figures"
    data, stamp = figures.saved_data(shipped / "data" / "entanglement.npz")
    own = {**stamp, "revision": "of my own"}
    figures.save_data(data, own, tmp_path, "entanglement")
    assert cli.main(["figures", "entanglement", "--out", str(tmp_path)]) == 0
    assert "come with the program" not in capsys.readouterr().err
    assert "of my own" in (tmp_path / "entanglement.svg").read_text()


def test_figures_draws_what_there_are_data_for(folder, capsys):
    assert cli.main(["figures", "--out", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(folder / f"train.{kind}") for kind in ("svg", "png")
    ]


@pytest.mark.parametrize("out", ["/", ".", "..", "new/.."])
def test_a_store_needs_a_name(out, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, line = run(capsys, "sweep", "a.toml", "--out", out)
    given = str(Path(out))
    assert (code, line) == (
        2,
        f"error: --out {given}: give a name for the store, NAME.zarr.",
    )


@pytest.mark.parametrize("place", ["a file", "under a file", "a lost link"])
def test_what_cannot_be_a_folder_is_refused(place, tmp_path):
    path = tmp_path / "here"
    if place == "a lost link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_text("a file")
    with pytest.raises(UserError, match="--out"):
        output.check_writable_folder(path / "in" if "under" in place else path)


def test_a_pipe_is_written_to_as_it_is_named(tmp_path):
    """`--json /dev/stdout | cat`, `--json >(cat)`: they have no path of their own."""
    words = ["run", "--success-rates", "0.9", "0.1", "--policy", "0.5", "0.5"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", *words, "--json", "/dev/stderr"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert json.loads(done.stderr)["outcome"] == "reached"
