"""Kills, full disks, damaged chunks, competitors: nothing is lost, and it is said."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from experiments import cli
from experiments.errors import UserError
from experiments.sweeps import claims, grid, layout, making, march, root, store
from experiments.sweeps.claims import Shard
from tests.experiments.sweeps import small

UNITS = 120


def many_units():
    """A sweep of 120 units of 10 cells."""
    return small.sweep(
        axes={
            "gap": {"linspace": [0.1, 0.3, UNITS]},
            "best_probability": {"logspace": [1e-3, 0.1, 10]},
        }
    )


def cut_small(monkeypatch):
    monkeypatch.setattr(grid, "LANES", 10)


def no_solver(sweep, unit):
    """Numbers that are quick to have, and those of this unit only."""
    rng = np.random.default_rng(unit.index)
    names = [name for name in layout.variables(sweep) if name != "outcome"]
    columns = {name: rng.normal(size=unit.shape) for name in names}
    return columns | {"outcome": np.zeros(unit.shape, np.uint8)}


def slow_solver(sweep, unit):
    time.sleep(0.05)
    return no_solver(sweep, unit)


def work(path: str, solve=no_solver, at_work=None) -> None:
    """What a child process does: begin or go on. `at_work`: it has stored a unit."""
    grid.LANES = 10
    sweep, begun = many_units(), []

    def watched(sweep, unit):
        if begun and at_work is not None:
            at_work.set()
        begun.append(unit)
        return solve(sweep, unit)

    with claims.claim(Path(path), Shard()):
        target = march.begin(Path(path), sweep, "")
        march.march(sweep, target, Shard(), solve=watched)


def files(path) -> dict[str, bytes]:
    """Everything in a store, byte by byte."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.is_file():
            found[str(file.relative_to(path))] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def children():
    """A server that has imported everything, and forks children at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_the_same_store(
    tmp_path, children, monkeypatch
):
    cut_small(monkeypatch)
    whole, torn = tmp_path / "whole.zarr", tmp_path / "torn.zarr"
    child = children.Process(target=work, args=(str(whole),))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    rng, partly = np.random.default_rng(0), 0
    for kill in range(20):
        at_work = children.Event()
        child = children.Process(target=work, args=(str(torn), slow_solver, at_work))
        child.start()
        if kill % 4:
            assert at_work.wait(60)
            time.sleep(rng.uniform(0, 0.15))
        else:  # while it begins
            time.sleep(rng.uniform(0, 0.5))
        child.kill()
        child.join()
        if torn.exists():
            target = store.open_store(torn, many_units(), grid.cut(many_units()))
            number = int(target.done().sum())
            partly += 0 < number < UNITS
            # What says it is done is whole.
            assert march.damages(target) == []
    assert partly >= 10  # most kills came in the middle of the work
    child = children.Process(target=work, args=(str(torn),))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    assert files(torn) == files(whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["torn.zarr", "whole.zarr"]


def begin_slowly(path: str, step: str, reached) -> None:
    """Begin again from nothing, and stand still when the new store, or the removal of
    the old one, is on its way.
    """
    grid.LANES = 10
    fill, remove = making._fill, making.shutil.rmtree

    def fill_and_wait(*args):
        fill(*args)
        reached.set()
        time.sleep(60)

    def wait_and_remove(folder, **more):
        if folder.exists():
            reached.set()
            time.sleep(60)
        remove(folder, **more)

    if step == "fill":
        making._fill = fill_and_wait
    else:
        making.shutil.rmtree = wait_and_remove
    with claims.claim(Path(path), Shard()):
        march.begin(Path(path), many_units(), "", overwrite=True)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fill", "remove"])
def test_a_kill_while_a_store_is_made_or_removed_leaves_nothing(stored, children, step):
    _, path = stored
    before, reached = files(path), children.Event()
    child = children.Process(target=begin_slowly, args=(str(path), step, reached))
    child.start()
    assert reached.wait(60)
    child.kill()
    child.join()
    assert not path.exists()
    work(str(path))
    assert files(path) == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_who_creates_a_store_waits_for_another_who_does(
    tmp_path, children, monkeypatch
):
    cut_small(monkeypatch)
    path, reached = tmp_path / "s.zarr", children.Event()
    first = children.Process(target=begin_slowly, args=(str(path), "fill", reached))
    first.start()
    assert reached.wait(60)
    second = children.Process(target=make, args=(str(path),))
    second.start()
    second.join(1.5)
    assert second.exitcode is None and not path.exists()
    first.kill()
    first.join()
    second.join(60)
    assert second.exitcode == 0
    made = store.open_store(path, many_units(), grid.cut(many_units()))
    assert not made.done().any()


def make(path: str) -> None:
    """What a child does: begin, without a claim."""
    grid.LANES = 10
    march.begin(Path(path), many_units(), "")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished store of many units, without solving anything."""
    path = tmp_path_factory.mktemp("finished") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        sweep = many_units()
        target = march.begin(path, sweep, "")
        march.march(sweep, target, Shard(), solve=no_solver)
    return path


@pytest.fixture
def stored(finished, tmp_path, monkeypatch):
    """A copy of it, to be harmed."""
    cut_small(monkeypatch)
    path = tmp_path / "s.zarr"
    shutil.copytree(finished, path)
    return many_units(), path


def open_again(sweep, path):
    return march.begin(path, sweep, "")


def test_shards_in_any_order_make_the_same_store(stored, tmp_path):
    sweep, path = stored
    other = tmp_path / "other.zarr"
    for index in (2, 0, 1):
        target = march.begin(other, sweep, "")
        march.march(sweep, target, Shard(index, 3), solve=no_solver)
    assert files(other) == files(path)


@pytest.mark.parametrize("harm", ["cut", "bit", "lost"])
def test_damaged_chunks_are_found_named_and_mended(stored, harm):
    sweep, path = stored
    before = files(path)
    chunk = path / "accuracy" / "c" / "7" / "0"
    content = bytearray(chunk.read_bytes())
    if harm == "cut":
        chunk.write_bytes(content[: len(content) // 2])
    elif harm == "bit":
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)
    else:
        chunk.unlink()
    target = open_again(sweep, path)
    ((unit, what),) = march.damages(target)
    assert unit.index == 7 and str(chunk) in what
    target.forget(unit)
    assert march.march(sweep, target, Shard(), solve=no_solver) == 1
    assert files(path) == before


def test_a_damaged_marker_is_named_and_means_not_done(stored):
    sweep, path = stored
    before = files(path)
    marker = path / "done" / "c" / "3"
    marker.write_bytes(b"?")
    target = open_again(sweep, path)
    assert target.damaged_markers() == [marker]
    assert not target.done()[3]
    assert march.march(sweep, target, Shard(), solve=no_solver) == 1
    assert files(path) == before


def test_damaged_coordinates_are_found_and_mended(stored):
    sweep, path = stored
    before = files(path)
    (path / "gap" / "c" / "0").write_bytes(b"?")
    target = open_again(sweep, path)
    assert target.damaged_coordinates() == ["gap"]
    target.write_coordinates()
    assert files(path) == before


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
        march.begin(path, sweep, "")
    target = march.begin(path, sweep, "", mix=True)
    assert target.done().all()
    for _ in range(2):  # noted once
        march.note_mixture(sweep, target)
    found = root.attributes(path)
    assert found["stamp"][key] == "other"
    assert [other[key] != "other" for other in found["mixed"]] == [True]
    assert not march.begin(path, sweep, "", overwrite=True).done().any()


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
        march.begin(path, other, "")
    assert ("--mix" in str(refusal.value)) == same
    if same:
        assert march.begin(path, other, "", mix=True).done().all()
        return
    with pytest.raises(UserError, match="another sweep"):
        march.begin(path, other, "", mix=True)


@pytest.fixture(scope="module")
def cells():
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        return grid.cut(many_units())


def check(path, cells) -> list[str]:
    """Everything that `--check` finds damaged."""
    with store.viewed(path, many_units(), cells) as target:
        files = [str(file.relative_to(path)) for file in root.damages(path)]
        assert not march.damages(target) and not target.damaged_markers()
        return [*files, *target.damaged_coordinates()]


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
        march.begin(path, sweep, "")
    assert check(path, cells) == [root.FILE]
    root.mend(path)
    assert (path / root.FILE).read_bytes() == before


def test_a_lost_root_costs_nothing(stored, cells):
    sweep, path = stored
    before = files(path)
    (path / root.FILE).unlink()
    shutil.rmtree(path / "done" / "c")
    (path / root.COPY).rename(path / "kept")
    with pytest.raises(UserError, match="not a store of a sweep, or both"):
        root.mend(path)
    (path / "kept").rename(path / root.COPY)
    assert check(path, cells) == [root.FILE]
    root.mend(path)
    march.march(sweep, open_again(sweep, path), Shard(), solve=no_solver)
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
def test_what_describes_an_array_is_mended_from_the_whole_root(change, stored, cells):
    """Not from a root that says the same, and is the damaged one."""
    _, path = stored
    before = files(path)
    table = json.loads(before["zarr.json"])
    table["consolidated_metadata"]["metadata"]["accuracy"] |= change
    (path / "zarr.json").write_text(json.dumps(table))
    assert check(path, cells) == ["zarr.json"]
    array = path / "accuracy" / "zarr.json"
    array.write_text(json.dumps(json.loads(array.read_text()) | change))
    assert check(path, cells) == ["zarr.json", "accuracy/zarr.json"]
    root.mend(path)
    assert files(path) == before and check(path, cells) == []


@pytest.mark.parametrize("name", ["gap", "accuracy", "done", "outcome"])
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
        march.begin(path, sweep, "", mix=True)


def test_a_store_of_another_format_is_refused_and_may_be_overwritten(stored):
    sweep, path = stored
    (path / root.COPY).unlink()
    table = json.loads((path / root.FILE).read_text())
    table["attributes"]["format"] = 1
    del table["attributes"][root.SEAL]
    (path / root.FILE).write_text(json.dumps(table))
    with pytest.raises(UserError, match="format 1, this version reads 2"):
        march.begin(path, sweep, "")
    assert not march.begin(path, sweep, "", overwrite=True).done().any()


def test_overwrite_removes_nothing_but_stores(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    for attributes in (None, {}, {"format": 1}):
        if attributes is not None:
            zarr.create_group(tmp_path / "mine", attributes=attributes, overwrite=False)
        with pytest.raises(UserError, match="not a store"):
            march.begin(tmp_path / "mine", many_units(), "", overwrite=True)
        (tmp_path / "mine" / root.FILE).unlink(missing_ok=True)
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_a_store_that_is_damaged_may_be_overwritten(stored):
    sweep, path = stored
    (path / root.FILE).write_bytes(b"?")
    assert not march.begin(path, sweep, "", overwrite=True).done().any()


def test_a_link_to_a_store_stays_when_it_is_overwritten(stored, tmp_path):
    sweep, path = stored
    link = tmp_path / "elsewhere" / "link.zarr"
    link.parent.mkdir()
    link.symlink_to(path)
    with claims.claim(path, Shard(0, 2)):
        with pytest.raises(UserError, match="another process"):
            with claims.claim(link, Shard(0, 1)):
                pass
    assert not march.begin(link, sweep, "", overwrite=True).done().any()
    assert link.is_symlink() and not open_again(sweep, path).done().any()
    shutil.rmtree(path)
    march.begin(link, sweep, "")  # a link that led nowhere
    assert link.is_symlink() and path.is_dir()
    assert [p.name for p in link.parent.iterdir()] == ["link.zarr"]


def test_a_draft_is_not_made_where_a_link_leads(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("all of it")
    (tmp_path / ".s.zarr.draft").symlink_to(mine)
    with pytest.raises(UserError, match=r"\.s\.zarr\.draft \(File exists"):
        march.begin(tmp_path / "s.zarr", many_units(), "")
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]
    assert not (tmp_path / "s.zarr").exists()


def test_a_folder_that_is_called_like_that_of_the_locks_is_left(tmp_path):
    other = tmp_path / "s.zarr.locks"
    other.mkdir()
    (other / "notes.txt").write_text("all of it")
    with claims.claim(tmp_path / "s.zarr", Shard()):
        pass
    assert [p.name for p in other.iterdir()] == ["notes.txt"]


def test_overwriting_needs_all_shards_free(stored):
    _, path = stored
    with claims.claim(path, Shard(1, 2)):
        with pytest.raises(UserError, match="shard 1/2; stop it, or wait"):
            with claims.claim(path, Shard(0, 2), alone=True):
                pass
    with claims.claim(path, Shard(0, 2), alone=True):
        with claims.claim(path, Shard(1, 2)):  # once it is done
            pass


def replace(path, how):
    """What another program does to a store that is in use."""
    if how == "lost":
        shutil.rmtree(path)
    elif how == "copied":
        shutil.move(path, path.with_name("old"))
        shutil.copytree(path.with_name("old"), path)
    else:
        shutil.rmtree(path)
        other = small.sweep(axes={"gap": [0.1, 0.2], "best_probability": [0.01]})
        march.begin(path, other, "")


@pytest.mark.parametrize("how", ["lost", "copied", "other"])
@pytest.mark.parametrize("when", [0, 5, UNITS - 1])
def test_a_store_that_is_replaced_is_not_written_to(tmp_path, monkeypatch, how, when):
    cut_small(monkeypatch)
    path, sweep = tmp_path / "s.zarr", many_units()
    target, seen = march.begin(path, sweep, ""), {}

    def solve(sweep, unit):
        if unit.index == when:
            replace(path, how)
            seen.update(files(path))
        return no_solver(sweep, unit)

    with pytest.raises(UserError, match="removed or replaced by another process"):
        march.march(sweep, target, Shard(), solve=solve)
    assert files(path) == seen


def test_a_store_that_is_replaced_after_the_last_write_is_noticed(stored):
    sweep, path = stored
    target = open_again(sweep, path)
    shutil.rmtree(path)
    for use in (
        lambda: march.march(sweep, target, Shard()),
        lambda: target.forget(target.grid.unit(0)),
        target.write_coordinates,
        lambda: march.note_mixture(sweep, target),
    ):
        with pytest.raises(UserError, match="removed or replaced"):
            use()


def test_a_store_that_is_replaced_while_it_is_opened_is_noticed(stored, monkeypatch):
    sweep, path = stored
    agree = march.agree

    def slowly(*arguments, **more):
        agree(*arguments, **more)
        replace(path, "copied")

    monkeypatch.setattr(march, "agree", slowly)
    with pytest.raises(UserError, match="removed or replaced"):
        open_again(sweep, path)


def test_another_sweep_that_was_faster_is_not_gone_on_with(tmp_path, monkeypatch):
    cut_small(monkeypatch)
    path, create = tmp_path / "s.zarr", making.create

    def slowly(*arguments):
        monkeypatch.setattr(making, "create", create)
        march.begin(path, small.sweep(until="crossing"), "")
        create(*arguments)

    monkeypatch.setattr(making, "create", slowly)
    with pytest.raises(UserError, match="another sweep"):
        march.begin(path, small.sweep(), "")


def test_leftovers_of_a_kill_are_removed(stored):
    sweep, path = stored
    before = files(path)
    target = open_again(sweep, path)
    target.forget(target.grid.unit(5))
    for place in ("accuracy/c/5/0", "done/c/5", "accuracy/c/6/0"):
        (path / f"{place}.0123.partial").write_bytes(b"half")
    march.march(sweep, open_again(sweep, path), Shard(), solve=no_solver)
    (path / "accuracy/c/6/0.0123.partial").unlink()  # of a unit that is not ours
    assert files(path) == before


def test_a_second_process_on_the_same_shard_is_refused(tmp_path, children):
    path = tmp_path / "s.zarr"
    with claims.claim(path, Shard(1, 2)):
        for other in (Shard(1, 2), Shard(0, 1), Shard(0, 3)):
            with pytest.raises(UserError, match="another process"):
                with claims.claim(path, other):
                    pass
        with claims.claim(path, Shard(0, 2)):
            pass
    with claims.claim(path, Shard(0, 1)):
        pass
    assert list(tmp_path.iterdir()) == []


def hold(path, claimed) -> None:
    """What a child does: claim, say so, and wait to be killed."""
    with claims.claim(Path(path), Shard()):
        claimed.set()
        time.sleep(60)


def test_a_killed_process_leaves_no_lock(tmp_path, children):
    path, claimed = tmp_path / "s.zarr", children.Event()
    child = children.Process(target=hold, args=(str(path), claimed))
    child.start()
    assert claimed.wait(60)
    with pytest.raises(UserError, match="another process"):
        with claims.claim(path, Shard()):
            pass
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    with claims.claim(path, Shard()):
        pass


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "1/0", "a/b", "0/1000000"])
def test_shards_that_make_no_sense_are_refused(text):
    with pytest.raises(UserError, match="--shard"):
        claims.read(text)


def test_a_full_disk_is_said_and_nothing_is_lost(stored, monkeypatch):
    sweep, path = stored
    before = files(path)
    target = open_again(sweep, path)
    target.forget(target.grid.unit(9))

    class Full:
        def __setitem__(self, key, value):
            raise OSError(errno.ENOSPC, "No space left on device")

    broken = open_again(sweep, path)
    broken._opened = {name: Full() for name in broken._names}
    with pytest.raises(UserError, match="No space left.*same command again"):
        broken.write(broken.grid.unit(9), no_solver(sweep, broken.grid.unit(9)))
    assert not open_again(sweep, path).done()[9]
    march.march(sweep, open_again(sweep, path), Shard(), solve=no_solver)
    assert files(path) == before


FILL = """
import os, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from tests.experiments.sweeps import test_reliability as t
from experiments.errors import UserError
from experiments.sweeps import claims, march
path = Path("/tmp/small-disk/s.zarr")
Path("/tmp/small-disk/fat").write_bytes(bytes(2_000_000))
try:
    t.work(str(path))
except UserError as error:
    assert "No space left" in str(error), error
else:
    sys.exit("the disk was not full")
Path("/tmp/small-disk/fat").unlink()
t.work(str(path))
t.work(sys.argv[1])
assert t.files(path) == t.files(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path):
    mount = (
        "mkdir -p /tmp/small-disk && mount -t tmpfs -o size=3300k none /tmp/small-disk"
    )
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        allowed = subprocess.run([*inside, mount], capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this system does not let a test mount a small disk")
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    done = subprocess.run(
        [*inside, f"{mount} && {sys.executable} {script} {tmp_path}/other.zarr"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys, monkeypatch):
    file = tmp_path / "sweep.toml"
    file.write_text(small.TEXT)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(claims.os, "open", refuse)
    assert cli.main(["sweep", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: cannot write beside") and said.count("\n") == 1
    monkeypatch.undo()
    monkeypatch.setattr(making, "_fill", refuse)
    assert cli.main(["sweep", str(file)]) == 2
    assert "choose another place with --out" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.toml"]


def test_clocks_decide_nothing(tmp_path, monkeypatch):
    """Time may jump: no file is compared by its age, no name made of the time."""
    cut_small(monkeypatch)
    sweep, jumps = many_units(), iter(range(10**6, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    first, second = tmp_path / "a.zarr", tmp_path / "b.zarr"
    for path in (first, second):
        target = march.begin(path, sweep, "")
        march.march(sweep, target, Shard(0, 2), solve=no_solver)
        for file in path.rglob("*"):
            os.utime(file, (0, 0))
        march.march(sweep, march.begin(path, sweep, ""), Shard(), solve=no_solver)
    assert files(first) == files(second)
