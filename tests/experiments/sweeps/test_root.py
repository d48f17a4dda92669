"""The description of a store: sealed, kept twice, repaired from the whole copy."""

import json
import shutil

import numpy as np
import pytest

from experiments.sweeps import grid, root, run_units, store
from experiments.sweeps.locks import Shard
from experiments.text.errors import UserError
from tests.experiments.sweeps import small
from tests.experiments.sweeps.many import (
    UNITS,
    cut_small,
    files,
    many_units,
    no_solver,
    open_again,
)


@pytest.mark.parametrize("content", [b"{", b"{}", b"[]", b"\xff", b"[" * 10**5])
def test_damaged_metadata_is_said(stored, content):
    sweep, path = stored
    (path / root.FILE).write_bytes(content)
    with pytest.raises(UserError, match="--check, mend with --repair"):
        open_again(sweep, path)
    (path / root.COPY).write_bytes(content)
    with pytest.raises(UserError, match="both .* damaged"):
        open_again(sweep, path)


def change_root(path, change):
    """As another version would have written it: sealed, in both places."""
    table = root.read(path)
    change(table)
    root.write(path, table)


def change_stamp(path, **changes):
    change_root(path, lambda table: table["attributes"]["stamp"].update(changes))


@pytest.mark.parametrize(
    "key, what",
    [
        ("code_sha256", "another version of the code"),
        ("versions", "other versions"),
        ("device", "another kind of device"),
        ("devices", "numbers of one device"),
        ("dtype", "another precision"),
        ("config_sha256", "another sweep"),
    ],
)
def test_a_store_of_something_else_is_refused_unless_told(stored, key, what):
    sweep, path = stored
    change_stamp(path, **{key: "other"})
    with pytest.raises(UserError, match=what):
        run_units.begin(path, sweep, "")
    target = run_units.begin(path, sweep, "", force=True)
    assert target.done().all()
    for _ in range(2):  # noted once
        run_units.note_mixture(sweep, target)
    found = root.attributes(path)
    assert found["stamp"][key] == "other"
    assert [other[key] != "other" for other in found["mixed"]] == [True]
    assert not run_units.begin(path, sweep, "", overwrite=True).done().any()


GAPS = [0.1 + 0.001 * i for i in range(UNITS)]


@pytest.mark.parametrize(
    "changes, same",
    [
        ({"max_steps": 500}, True),
        ({"axes": {"gap": {"linspace": [0.1, 0.3, UNITS]}}}, False),
        ({"axes": many_units().table["axes"] | {"gap": GAPS}}, False),
        ({"record": ["log10_t0"]}, False),
    ],
)
def test_settings_may_be_mixed_but_not_cells(stored, changes, same):
    sweep, path = stored
    other = small.sweep(**{"axes": dict(many_units().table["axes"])} | changes)
    with pytest.raises(UserError, match="another sweep") as refusal:
        run_units.begin(path, other, "")
    assert ("--force" in str(refusal.value)) == same
    if same:
        assert run_units.begin(path, other, "", force=True).done().all()
        return
    with pytest.raises(UserError, match="another sweep"):
        run_units.begin(path, other, "", force=True)


@pytest.fixture(scope="module")
def cells():
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        return grid.cut(many_units())


def damaged(path) -> list[str]:
    """Files that describe the store or an array, and are damaged."""
    return [str(file.relative_to(path)) for file in root.damages(path)]


def check(path, cells) -> list[str]:
    """Everything that `--check` finds damaged."""
    with store.viewed(path, many_units(), cells) as target:
        assert not run_units.damages(target) and not target.damaged_markers()
        return [*damaged(path), *target.damaged_coordinates()]


@pytest.mark.parametrize("name", [root.FILE, root.COPY])
def test_flipped_bits_of_the_root_are_seen_and_mended(stored, cells, name):
    """150 random bits of each copy, and those in front and at the end."""
    _, path = stored
    file = path / name
    before, rng = file.read_bytes(), np.random.default_rng(0)
    bits = [*range(16), *rng.integers(8 * len(before), size=150)]
    bits += range(8 * len(before) - 16, 8 * len(before))
    for bit in bits:
        content = bytearray(before)
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        assert root.damages(path) == [file]
    assert check(path, cells) == [name]  # with a flipped bit, all is looked at
    root.mend(path)
    assert file.read_bytes() == before and check(path, cells) == []


@pytest.mark.parametrize("change", ["stamp", "sweep", "title", "mixed", "sha256"])
def test_changed_attributes_are_seen_and_mended(stored, cells, change):
    sweep, path = stored
    before = (path / root.FILE).read_bytes()
    table = json.loads(before)
    table["attributes"][change] = "x"
    (path / root.FILE).write_text(json.dumps(table, indent=2))
    with pytest.raises(UserError, match="damaged.*--repair"):
        run_units.begin(path, sweep, "")
    assert check(path, cells) == [root.FILE]
    root.mend(path)
    assert (path / root.FILE).read_bytes() == before


def test_a_lost_root_costs_nothing(stored, cells):
    sweep, path = stored
    before = files(path)
    (path / root.FILE).unlink()
    shutil.rmtree(path / "units" / "done" / "c")
    (path / root.COPY).rename(path / "kept")
    with pytest.raises(UserError, match="not a store of a sweep, or both"):
        root.mend(path)
    (path / "kept").rename(path / root.COPY)
    assert check(path, cells) == [root.FILE]
    root.mend(path)
    run_units.march(sweep, open_again(sweep, path), Shard(), solve=no_solver)
    assert files(path) == before


@pytest.mark.parametrize(
    "change",
    [
        {"data_type": "float32"},
        {"shape": [6, 4]},
        {"dimension_names": ["gap", "gap2"]},
        {"codecs": [{"name": "gzip", "configuration": {"level": 3}}]},
        {"fill_value": 0.0},
    ],
)
def test_what_describes_an_array_is_mended_from_the_whole_root(change, stored):
    """Not from a root that says the same, and is the damaged one."""
    _, path = stored
    before = files(path)
    table = json.loads(before["zarr.json"])
    table["consolidated_metadata"]["metadata"]["accuracy"] |= change
    (path / "zarr.json").write_text(json.dumps(table))
    assert damaged(path) == ["zarr.json"]
    array = path / "accuracy" / "zarr.json"
    array.write_text(json.dumps(json.loads(array.read_text()) | change))
    assert damaged(path) == ["zarr.json", "accuracy/zarr.json"]
    root.mend(path)
    assert files(path) == before and damaged(path) == []


@pytest.mark.parametrize("name", ["gap", "accuracy", "units/done", "outcome"])
def test_a_key_of_an_array_that_was_changed_is_seen(stored, cells, name):
    """`gap` became `fap` in the root: a KeyError once."""
    _, path = stored
    content = (path / "zarr.json").read_text()
    assert f'"{name}": {{' in content
    changed = content.replace(f'"{name}": {{', f'"{name[:-1]}~": {{')
    (path / "zarr.json").write_text(changed)
    assert check(path, cells) == ["zarr.json"]


def test_arrays_of_another_version_are_not_damage(stored):
    sweep, path = stored
    change_stamp(path, code_sha256="other")
    change_root(path, lambda t: t["consolidated_metadata"]["metadata"].pop("accuracy"))
    with pytest.raises(UserError, match="other arrays than this version"):
        run_units.begin(path, sweep, "", force=True)


def test_a_store_of_another_format_is_refused_and_may_be_overwritten(stored):
    sweep, path = stored
    (path / root.COPY).unlink()
    table = json.loads((path / root.FILE).read_text())
    table["attributes"]["format"] = 1
    del table["attributes"][root.SEAL]
    (path / root.FILE).write_text(json.dumps(table))
    with pytest.raises(UserError, match="format 1, this version reads 3"):
        run_units.begin(path, sweep, "")
    assert not run_units.begin(path, sweep, "", overwrite=True).done().any()
