"""Where stores are: links, other people's folders, stores replaced while in use."""

import shutil

import pytest
import zarr

from experiments.sweeps import locks, making, root, run_units
from experiments.sweeps.locks import Shard
from experiments.text.errors import UserError
from tests.experiments.sweeps import many, small


def test_overwrite_removes_nothing_but_stores(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    for attributes in (None, {}, {"format": 1}):
        if attributes is not None:
            zarr.create_group(tmp_path / "mine", attributes=attributes, overwrite=False)
        with pytest.raises(UserError, match="not a store"):
            run_units.begin(tmp_path / "mine", many.many_units(), "", overwrite=True)
        (tmp_path / "mine" / root.FILE).unlink(missing_ok=True)
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_a_store_that_is_damaged_may_be_overwritten(stored):
    sweep, path = stored
    (path / root.FILE).write_bytes(b"?")
    assert not run_units.begin(path, sweep, "", overwrite=True).done().any()


def test_a_link_to_a_store_stays_when_it_is_overwritten(stored, tmp_path):
    sweep, path = stored
    link = tmp_path / "elsewhere" / "link.zarr"
    link.parent.mkdir()
    link.symlink_to(path)
    with locks.claim(path, Shard(0, 2)):
        with pytest.raises(UserError, match="another process"):
            with locks.claim(link, Shard(0, 1)):
                pass
    assert not run_units.begin(link, sweep, "", overwrite=True).done().any()
    assert link.is_symlink() and not many.open_again(sweep, path).done().any()
    shutil.rmtree(path)
    run_units.begin(link, sweep, "")  # a link that led nowhere
    assert link.is_symlink() and path.is_dir()
    assert [p.name for p in link.parent.iterdir()] == ["link.zarr"]


def test_a_draft_is_not_made_where_a_link_leads(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("all of it")
    (tmp_path / ".s.zarr.draft").symlink_to(mine)
    with pytest.raises(UserError, match=r"\.s\.zarr\.draft \(File exists"):
        run_units.begin(tmp_path / "s.zarr", many.many_units(), "")
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]
    assert not (tmp_path / "s.zarr").exists()


def test_a_folder_that_is_called_like_that_of_the_locks_is_left(tmp_path):
    other = tmp_path / "s.zarr.locks"
    other.mkdir()
    (other / "notes.txt").write_text("all of it")
    with locks.claim(tmp_path / "s.zarr", Shard()):
        pass
    assert [p.name for p in other.iterdir()] == ["notes.txt"]


def test_overwriting_needs_all_shards_free(stored):
    _, path = stored
    with locks.claim(path, Shard(1, 2)):
        with pytest.raises(UserError, match="shard 1/2; stop it, or wait"):
            with locks.claim(path, Shard(0, 2), alone=True):
                pass
    with locks.claim(path, Shard(0, 2), alone=True):
        with locks.claim(path, Shard(1, 2)):  # once it is done
            pass


def replace(path, how):
    """Another program changes a store that is in use."""
    if how == "lost":
        shutil.rmtree(path)
    elif how == "copied":
        shutil.move(path, path.with_name("old"))
        shutil.copytree(path.with_name("old"), path)
    else:
        shutil.rmtree(path)
        other = small.sweep(axes={"gap": [0.1, 0.2], "best_probability": [0.01]})
        run_units.begin(path, other, "")


@pytest.mark.parametrize("how", ["lost", "copied", "other"])
@pytest.mark.parametrize("when", [0, 5, many.UNITS - 1])
def test_a_store_that_is_replaced_is_not_written_to(tmp_path, monkeypatch, how, when):
    many.cut_small(monkeypatch)
    path, sweep = tmp_path / "s.zarr", many.many_units()
    target, seen = run_units.begin(path, sweep, ""), {}

    def solve(sweep, unit):
        if unit.index == when:
            replace(path, how)
            seen.update(many.files(path))
        return many.no_solver(sweep, unit)

    with pytest.raises(UserError, match="removed or replaced by another process"):
        run_units.march(sweep, target, Shard(), solve=solve)
    assert many.files(path) == seen


def test_a_store_that_is_replaced_after_the_last_write_is_noticed(stored):
    sweep, path = stored
    target = many.open_again(sweep, path)
    shutil.rmtree(path)
    for use in (
        lambda: run_units.march(sweep, target, Shard()),
        lambda: target.forget(target.grid.unit(0)),
        target.write_coordinates,
        target.done,
        lambda: run_units.note_mixture(sweep, target),
    ):
        with pytest.raises(UserError, match="removed or replaced"):
            use()


def test_a_store_that_is_replaced_while_it_is_opened_is_noticed(stored, monkeypatch):
    sweep, path = stored
    agree = run_units.agree

    def slowly(*arguments, **more):
        agree(*arguments, **more)
        replace(path, "copied")

    monkeypatch.setattr(run_units, "agree", slowly)
    with pytest.raises(UserError, match="removed or replaced"):
        many.open_again(sweep, path)


def test_another_sweep_that_was_faster_is_not_gone_on_with(tmp_path, monkeypatch):
    many.cut_small(monkeypatch)
    path, create = tmp_path / "s.zarr", making.create

    def slowly(*arguments):
        monkeypatch.setattr(making, "create", create)
        run_units.begin(path, small.sweep(until="crossing"), "")
        create(*arguments)

    monkeypatch.setattr(making, "create", slowly)
    with pytest.raises(UserError, match="another sweep"):
        run_units.begin(path, small.sweep(), "")
