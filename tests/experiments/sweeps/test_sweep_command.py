"""`pattern-selection sweep`, as users call it."""

import hashlib
import json
import shlex
import shutil
import signal
import socket
import time

import numpy as np
import pytest
import xarray
import zarr

from experiments import cli
from experiments.sweeps import (
    command,
    estimate,
    grid,
    locks,
    rendezvous,
    root,
    run_units,
    solving,
)
from tests.experiments.sweeps import small
from tests.experiments.sweeps.many import files
from tests.experiments.sweeps.processes import UNITS, finish, process

SEEDS = """
record = ["accuracy"]
recipe = {estimator = "rloo", num_steps = 20, group_size = 4}
[axes]
learning_rate = [0.1, 1.0]
seed = {count = 4}
[reduce]
over = ["seed"]
statistics = ["mean"]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(small.TEXT)
    return path


def sweep(*words):
    return cli.main(["sweep", *map(str, words)])


def test_a_sweep_is_stored_beside_its_file_and_said(file, capsys):
    assert sweep(file) == 0
    out = capsys.readouterr().out
    assert "cells      60, all stored" in out and "outcomes   reached 60" in out
    path = file.with_suffix(".zarr")
    assert f'xarray.open_zarr("{path}")' in out
    assert xarray.open_zarr(path).log10_t0.shape == (6, 10)
    before = files(path)
    assert sweep(file) == 0  # nothing left to do
    assert files(path) == before


def test_json_and_shards(file, capsys, monkeypatch):
    monkeypatch.setattr(grid, "LANES", 10)
    assert sweep(file, "--shard", "1/2", "--json", "-") == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["cells"], first["missing"]) == (60, 30)
    assert first["outcomes"] == {"reached": 30} and first["unresolved"] == 0
    assert sweep(file, "--dry-run") == 0
    assert "stored  50% of" in capsys.readouterr().out
    assert sweep(file, "--shard", "0/2") == 0
    assert "all stored" in capsys.readouterr().out


def test_the_object_has_a_digest_of_every_array(file, capsys):
    """The SHA-256 of what xarray reads, and the stamp of the store."""
    assert sweep(file, "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    data = xarray.open_zarr(file.with_suffix(".zarr"))
    arrays = {k: np.ascontiguousarray(v.values).tobytes() for k, v in data.items()}
    assert found["arrays"] == {
        name: hashlib.sha256(content).hexdigest() for name, content in arrays.items()
    }
    assert found["stamp"] == json.loads(data.attrs["stamp"])


@pytest.fixture
def tried(monkeypatch):
    """How many runs are solved at once, each time."""
    numbers, solve = [], solving.solve

    def watched(sweep, values, number):
        numbers.append(number)
        return solve(sweep, values, number)

    monkeypatch.setattr(solving, "solve", watched)
    return numbers


def test_dry_run_says_what_it_would_take_and_writes_nothing(file, capsys, tried):
    assert sweep(file, "--dry-run") == 0
    assert max(tried) == 60  # no more than there are
    out = capsys.readouterr().out
    for line in ("cells   60", "memory", "disk", "time"):
        assert line in out
    assert [p.name for p in file.parent.iterdir()] == ["small.toml"]
    assert "stored" not in out


def test_a_dry_run_counts_compiling_in(file, capsys, monkeypatch):
    """Of every program: three updates are three of them, gaps are none."""
    file.write_text(small.TEXT + 'update = ["policy-gradient", "grpo", "pass-at-n"]')
    sampled = {256: (1.0, 4.0), 4096: (3.0, 2.0)}

    def sample(sweep, cells, runs):
        return estimate.Took(*sampled[runs]), min(runs, 30 if runs == 256 else 130)

    monkeypatch.setattr(estimate, "_sample", sample)
    assert sweep(file, "--dry-run") == 0
    out = capsys.readouterr().out
    # 180 runs at 2 s per 100, and 6 s for each program.
    said = (
        "time    22 s on this machine: 3.6 s of solving, 18 s of compiling 3 programs"
    )
    assert said in out.splitlines()


def test_a_dry_run_of_millions_of_runs_in_a_cell_tries_a_few(file, capsys, tried):
    file.write_text(
        'model = {family = "random"}\n[axes]\ntilt = [0.1]\n'
        'draw = {count = 3000000}\n[reduce]\nover = ["draw"]\n'
    )
    assert sweep(file, "--dry-run") == 0
    assert max(tried) == 4096
    assert "3,000,000 runs" in capsys.readouterr().out


def test_check_and_repair(file, capsys):
    sweep(file)
    path = file.with_suffix(".zarr")
    before = files(path)
    assert sweep(file, "--check") == 0
    (path / "log10_t0" / "c" / "0" / "0").write_bytes(b"1234567")
    (path / "gap" / "c" / "0").write_bytes(b"1234567")
    (path / "accuracy" / "zarr.json").unlink()
    capsys.readouterr()
    assert sweep(file, "--check") == 1
    out = capsys.readouterr().out
    assert "unit 0 [0:6, 0:10]" in out and "log10_t0" in out
    assert "coordinate gap is damaged" in out
    assert "accuracy/zarr.json is damaged" in out
    assert sweep(file, "--repair") == 0
    assert files(path) == before


def test_a_repair_that_was_interrupted_goes_on(file, capsys, monkeypatch):
    sweep(file)
    path = file.with_suffix(".zarr")
    before = files(path)
    (path / "log10_t0" / "c" / "0" / "0").write_bytes(b"1234567")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_units, "march", interrupted)
        sweep(file, "--repair")
    capsys.readouterr()
    assert sweep(file, "--check") == 0
    assert "1 of 1 units are not stored yet" in capsys.readouterr().out
    assert sweep(file, "--repair") == 0
    assert files(path) == before


def test_what_is_no_outcome_or_no_file_is_damage(file, capsys):
    sweep(file)
    path = file.with_suffix(".zarr")
    array = zarr.open_group(path, mode="r+")["outcome"]
    array[0, 0] = 77
    chunk = path / "accuracy" / "c" / "0" / "0"
    chunk.unlink()
    chunk.mkdir()
    assert sweep(file, "--check") == 1
    out = capsys.readouterr().out
    assert "outcome/c/0/0 is not complete" in out
    assert "accuracy/c/0/0 is " in out


def test_what_is_of_another_sweep_is_not_repaired(file, capsys):
    sweep(file)
    path = file.with_suffix(".zarr")
    before = files(path)
    other = file.with_name("other.toml")
    other.write_text('record = ["accuracy"]\n[axes]\ngap = [0.1, 0.2]\n')
    for mode in ("--repair", "--check"):
        assert sweep(other, "--out", path, mode) == 2
        assert "another sweep" in capsys.readouterr().err
    assert files(path) == before


def test_a_mixed_store_is_looked_at_with_mix(file, capsys):
    sweep(file)
    file.write_text("max_steps = 30000\n" + small.TEXT)
    for words in (["--check"], ["--cell", "gap=0.2", "best_probability=0.01"]):
        assert sweep(file, *words) == 2
        said = capsys.readouterr().err
        assert "--force" in said and "--overwrite" not in said
        assert sweep(file, *words, "--force") == 0


def test_a_check_writes_nothing(file, monkeypatch, capsys):
    sweep(file)
    before = sorted(file.parent.rglob("*"))

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locks, "claim", forbidden)
    assert sweep(file, "--check") == 0
    assert sorted(file.parent.rglob("*")) == before
    assert "whole" in capsys.readouterr().out


@pytest.mark.parametrize("reduce", ["", '[reduce]\nover = ["gap"]\n'])
def test_times_that_are_not_decided_are_counted(reduce, tmp_path, capsys):
    file, target = tmp_path / "early.toml", tmp_path / "early.json"
    text = small.TEXT.replace('"log10_t0"', '"log10_t0", "log10_crossing"')
    file.write_text(
        text.replace('"accuracy"]', '"accuracy", "base_accuracy"]') + reduce
    )
    assert sweep(file, "--json", target) == 0
    lines = capsys.readouterr().out.splitlines()
    # The run ends at T0, before the best pattern has become the most likely one.
    store = xarray.open_zarr(tmp_path / "early.zarr").load()
    crossing = store.log10_crossing_max if reduce else store.log10_crossing
    number = int(np.isposinf(crossing).sum())
    assert number == crossing.size and not np.isinf(store.get("log10_t0", 0)).any()
    assert json.loads(target.read_text())["undecided"] == {"log10_crossing": number}
    notes = [line for line in lines if line.startswith("note")]
    assert len(notes) == 1
    assert notes[0].startswith(f"note       log10_crossing is inf in {number} cells")
    assert "not before the run ended" in crossing.attrs["comment"]


def test_unresolved_runs_are_said_and_done_again(file, capsys):
    file.write_text("max_steps = 1\n" + small.RARE)
    assert sweep(file) == 1
    out = capsys.readouterr().out
    assert "max_steps 60" in out and "--redo-unresolved" in out
    assert sweep(file, "--check") == 0  # nothing but NaN is stored, and is whole
    assert sweep(file, "--redo-unresolved") == 2
    assert "--max-steps" in capsys.readouterr().err
    assert sweep(file, "--redo-unresolved", "--max-steps", "20000") == 0
    assert "60 cells computed again" in capsys.readouterr().out
    again = xarray.open_zarr(file.with_suffix(".zarr")).load()
    other = file.with_name("other.toml")
    other.write_text(small.RARE)
    sweep(other)
    want = xarray.open_zarr(other.with_suffix(".zarr")).load()
    np.testing.assert_array_equal(again.log10_t0, want.log10_t0)
    # The store says that some of it was made with more steps.
    (mixed,) = json.loads(again.attrs["mixed"])
    assert mixed["config"]["max_steps"] == 20000
    assert json.loads(again.attrs["stamp"])["config"]["max_steps"] == 1


def test_overwriting_is_refused_while_another_shard_works(file, capsys, monkeypatch):
    """Its units would go into the new store: numbers of the other sweep."""
    monkeypatch.setattr(grid, "LANES", 10)
    path = file.with_suffix(".zarr")
    assert sweep(file, "--shard", "0/2") == 0
    before = files(path)
    file.write_text(small.TEXT.replace("0.3, 6]", "0.4, 6]"))
    with locks.claim(path, locks.Shard(1, 2)):
        assert sweep(file, "--shard", "0/2", "--overwrite") == 2
    err = capsys.readouterr().err
    assert "shard 1/2; stop it, or wait for it" in err and err.count("\n") == 1
    assert files(path) == before


@pytest.mark.parametrize("how", ["overwritten", "lost"])
def test_a_store_that_is_replaced_makes_the_exit_code_2(file, capsys, monkeypatch, how):
    """By a program that knows nothing of locks."""
    monkeypatch.setattr(grid, "LANES", 10)
    path, solve, after = file.with_suffix(".zarr"), solving.unit_columns, {}
    other = small.sweep(axes={"gap": [0.1, 0.2], "best_probability": [0.01]})

    def replaced(sweep, unit):
        if unit.index == 3:
            shutil.rmtree(path)
            if how == "overwritten":
                run_units.begin(path, other, "")
            after.update(files(path))
        return solve(sweep, unit)

    monkeypatch.setattr(run_units.march, "__defaults__", (None, replaced))
    assert sweep(file) == 2
    err = capsys.readouterr().err
    assert "removed or replaced by another process" in err and "Traceback" not in err
    assert files(path) == after


@pytest.mark.parametrize("name", [root.FILE, root.COPY])
def test_a_check_names_a_damaged_root_and_a_repair_mends_it(file, capsys, name):
    sweep(file)
    path = file.with_suffix(".zarr")
    before, content = files(path), (path / name).read_bytes()
    harms = [content[:-9], b"", content.replace(b'"gap": {', b'"fap": {'), None]
    for harm in harms:
        (path / name).unlink() if harm is None else (path / name).write_bytes(harm)
        (path / "units" / "done" / "c" / "0").write_bytes(b"?")
        capsys.readouterr()
        assert sweep(file, "--check") == 1
        out, err = capsys.readouterr()
        assert f"{path / name} is damaged" in out and not err
        assert f"{path / 'units' / 'done' / 'c' / '0'} is damaged" in out
        assert "1 of 1 units are not stored yet" in out
        if name == root.FILE:
            assert sweep(file) == 2
            assert "--repair" in capsys.readouterr().err
        assert sweep(file, "--repair") == 0
        assert files(path) == before
        assert sweep(file, "--check") == 0


def test_only_stores_are_overwritten(file, capsys):
    path = file.with_suffix(".zarr")
    zarr.create_group(path, attributes={"title": "mine", "format": 1})
    before = files(path)
    assert sweep(file, "--overwrite") == 2
    err = capsys.readouterr().err
    assert "not a store of a sweep" in err and err.count("\n") == 1
    assert files(path) == before


def test_printed_commands_can_be_pasted(tmp_path, capsys):
    """Whatever the files are called, and with all that decides on the store."""
    file, out = tmp_path / "a; b $(c) 'd\".toml", tmp_path / "e f.zarr"
    file.write_text("max_steps = 1\n" + small.RARE)
    assert sweep(file, "--out", out, "--seed", 3) == 1
    lines = capsys.readouterr().out.splitlines()
    (load,) = (line for line in lines if line.startswith("load"))
    assert eval(load.removeprefix("load").strip(), {"xarray": xarray}).log10_t0.size
    (command,) = (line for line in lines if "--redo-unresolved" in line)
    given = shlex.split(command)
    assert given[:2] == ["pattern-selection", "sweep"] and given[-1] == "N"
    assert cli.main([*given[1:-1], "20000"]) == 0
    out, err = capsys.readouterr()
    assert "60 cells computed again" in out and "--redo-unresolved" not in out


def test_a_printed_command_keeps_precision_and_mixture():
    words = ["sweep", "./-x.toml", "--precision", "float32", "--force"]
    args = cli.build_parser(words).parse_args(words)
    args.seed_given = False
    said = shlex.split(command._redo(args))
    assert said[1:-3] == words and said[-3:] == [
        "--redo-unresolved",
        "--max-steps",
        "N",
    ]


@pytest.mark.slow
def test_a_cell_alone_gives_the_same_number(file, capsys):
    sweep(file)
    capsys.readouterr()
    words = ["gap=0.2", "best_probability=0.01"]
    assert sweep(file, "--cell", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    ds = xarray.open_zarr(file.with_suffix(".zarr"))
    stored = float(ds.log10_t0.sel(gap=0.2, best_probability=0.01, method="nearest"))
    assert f"log10_t0 = {stored:.10g}" in lines[1]
    command = shlex.split(lines[-1])
    assert command[0] == "pattern-selection"
    assert cli.main([*command[1:], "--json", "-"]) == 0
    alone = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(alone["log10_time"], stored, rtol=1e-12)


@pytest.mark.slow
def test_a_cell_of_equal_pay_alone_is_stationary_too(tmp_path, capsys):
    """Two error rates that add up to 1 pay everyone alike, except for rounding."""
    file = tmp_path / "noise.toml"
    file.write_text(
        'record = ["log10_time", "accuracy"]\nuntil = "accuracy=0.8"\n'
        'signal = "noisy-verifier"\n[model]\nfamily = "rival"\n'
        "best_probability = 0.05\ngap = 0.3\n"
        "[axes]\nfalse_positive = [0.1, 0.3]\nfalse_negative = [0.7, 0.9]"
    )
    base = 0.05 * 0.9 + 0.95 * (0.75 * 0.6 + 0.25 * 0.1)
    assert sweep(file) == 0
    stored = xarray.open_zarr(file.with_suffix(".zarr")).load()
    for wrong, missed in ((0.1, 0.9), (0.3, 0.7)):
        cell = [f"false_positive={wrong}", f"false_negative={missed}"]
        capsys.readouterr()
        assert sweep(file, "--cell", *cell) == 0
        lines = capsys.readouterr().out.splitlines()
        here = stored.sel(false_positive=wrong, false_negative=missed)
        np.testing.assert_allclose(here.accuracy, base, rtol=1e-12)
        assert "outcome = stationary" in lines[1] and "outcome = stationary" in lines[2]
        # Of unequal pay every run ends, whatever the exit code says of this one.
        cli.main([*shlex.split(lines[-1])[1:], "--json", str(tmp_path / "alone.json")])
        alone = json.loads((tmp_path / "alone.json").read_text())
        assert alone["outcome"] == "stationary"
        np.testing.assert_allclose(alone["accuracy"], base, rtol=1e-12)


@pytest.mark.slow
def test_a_summary_alone_gives_the_same_numbers(tmp_path, capsys):
    file = tmp_path / "draws.toml"
    file.write_text(
        'record = ["log10_time"]\n[model]\nfamily = "random"\n[axes]\n'
        "temperature = [0.5, 2.0]\ndraw = {count = 30}\n[reduce]\n"
        'over = ["draw"]\nstatistics = ["mean", "q90"]'
    )
    assert sweep(file) == 0
    capsys.readouterr()
    assert sweep(file, "--cell", "temperature=2") == 0
    _, stored, alone, one, _ = capsys.readouterr().out.splitlines()
    assert stored.split()[1:] == alone.split()[1:]
    assert "log10_time_q90 = " in alone and "draw = 0, " in one


def trained_alone(file, cell, capsys):
    """The output of the command that `--cell` prints."""
    assert sweep(file) == 0
    capsys.readouterr()
    assert sweep(file, "--cell", *cell) == 0
    text = capsys.readouterr().out
    command, _, recipe = text[text.index("pattern-sel") :].partition(" <<'END'\n")
    alone = file.with_name("cell.toml")
    alone.write_text(recipe.removesuffix("END\n"))
    words = shlex.split(command.replace("/dev/stdin", str(alone)))
    assert cli.main([*words[1:], "--json", "-"]) == 0
    stored = xarray.open_zarr(file.with_suffix(".zarr"))
    return json.loads(capsys.readouterr().out), stored


@pytest.mark.slow
def test_a_sampled_cell_alone_gives_the_same_number(tmp_path, capsys):
    file = tmp_path / "seeds.toml"
    file.write_text(SEEDS)
    alone, stored = trained_alone(file, ["learning_rate=1"], capsys)
    mean = stored.accuracy_mean.values[1]
    np.testing.assert_allclose(alone["accuracy"]["mean"][-1], mean, rtol=1e-12)


@pytest.mark.slow
def test_a_sampled_run_alone_gives_the_same_number(tmp_path, capsys):
    file = tmp_path / "seeds.toml"
    file.write_text(SEEDS.partition("[reduce]")[0])
    alone, stored = trained_alone(file, ["learning_rate=1", "seed=3"], capsys)
    ends = stored.accuracy.values[1]
    np.testing.assert_allclose(alone["by_seed"]["accuracy"], ends, rtol=1e-12)
    assert len(set(ends)) > 1


@pytest.mark.slow
def test_a_sampled_run_alone_gets_there_at_the_same_step(tmp_path, capsys):
    file = tmp_path / "until.toml"
    text = SEEDS.partition("[reduce]")[0].replace("record", 'until = "t0"\nrecord')
    assert 'record = ["accuracy"]' in text
    file.write_text(text.replace('["accuracy"]', '["first_step"]'))
    alone, stored = trained_alone(file, ["learning_rate=1", "seed=3"], capsys)
    steps = [np.inf if x is None else x for x in alone["first_step"]["by_seed"]]
    assert stored.first_step.values[1].tolist() == steps and len(set(steps)) > 1
    assert cli.main(["rerun", str(file.with_suffix(".zarr"))]) == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["--shard", "2/2"], "--shard 2/2"),
        (["--cell", "gap"], "does not exist"),
        (["--check"], "does not exist"),
        (["--check", "--repair"], "one of them at a time"),
        (["--max-steps", "5"], "--max-steps belongs to --redo-unresolved"),
        (["--out", ""], "--out"),
        (["--shard", "0/9999999"], "at most 100,000"),
        (["--coordinator", "h:1", "--processes", "-1", "--process", "0"], "from 1"),
        (["--coordinator", "127.0.0.1:1"], "go together"),
        (["--coordinator", "h:1", "--processes", "2", "--process", "2"], "0 to 1"),
        (["--coordinator", "h", "--processes", "1", "--process", "0"], "HOST:PORT"),
        (["--coordinator", "h:0", "--processes", "2", "--process", "1"], "1 to 65535"),
        (["--coordinator", "h:1", "--dry-run"], "compute only"),
        (["--json", "/no/such/place"], "not a file"),
        (["--out", "/proc/s.zarr"], "cannot write"),
    ],
)
def test_bad_calls_are_one_line(file, words, said, capsys):
    assert sweep(file, *words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and said in err


@pytest.mark.parametrize(
    "words, said",
    [
        (["gap=0.1"], "give best_probability=VALUE"),
        (["gap=0.1", "best_probability=x"], "give a number"),
        (["gap=99", "best_probability=0.1"], "the axis goes from"),
        (["gap=0.1", "best_probability=0.1", "K=3"], "not an axis"),
        (["gap"], "NAME=VALUE"),
    ],
)
def test_cells_that_are_none_are_refused(file, words, said, capsys):
    sweep(file)
    assert sweep(file, "--cell", *words) == 2
    assert said in capsys.readouterr().err


def test_a_cell_whose_chunk_is_lost_is_said(file, capsys):
    sweep(file)
    (file.with_suffix(".zarr") / "log10_t0" / "c" / "0" / "0").unlink()
    assert sweep(file, "--cell", "gap=0.2", "best_probability=0.01") == 2
    assert "--repair" in capsys.readouterr().err
    assert sweep(file, "--cell", "gap=0.2", "gap=0.3", "best_probability=0.01") == 2
    assert "gap is given twice" in capsys.readouterr().err


def test_another_sweep_is_refused_by_what_has_changed(file, capsys):
    sweep(file)
    file.write_text(small.TEXT.replace("0.3, 6]", "0.4, 6]"))
    assert sweep(file) == 2
    err = capsys.readouterr().err
    assert "axes.gap.linspace[1] was 0.3, is 0.4" in err


def test_another_folder_is_no_store(file, capsys):
    (file.parent / "mine").mkdir()
    assert sweep(file, "--out", file.parent / "mine") == 2
    assert "--overwrite" not in capsys.readouterr().err


def test_a_file_may_begin_with_a_byte_order_mark(file):
    file.write_text(small.TEXT, encoding="utf-8-sig")
    assert sweep(file, "--dry-run") == 0


def test_missing_and_odd_files(tmp_path, capsys):
    for name, content in (("none", None), ("binary", b"\xff\xfe"), ("nul", b"\0")):
        path = tmp_path / f"{name}.toml"
        if content is not None:
            path.write_bytes(content)
        assert sweep(path) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_real_processes_killed_and_interrupted_go_on(many_units, tmp_path):
    """Ctrl-C and kill -9 of the command itself, in the middle of its work.

    On two devices: to the same bits as without interruption on three.
    """
    torn = tmp_path / "torn.zarr"

    def stored():
        return len(list(torn.glob("units/done/c/*")))

    for number in (signal.SIGKILL, signal.SIGINT):
        child, before = process(many_units, "--out", torn), stored()
        while stored() == before and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(number)
        code, out, err = finish(child)
        if number == signal.SIGINT:
            assert code == 130 and "the same command goes on" in out
            assert err.splitlines()[-1] == "interrupted" and "Traceback" not in err
        assert before < stored() < UNITS
    assert finish(process(many_units, "--out", torn))[0] == 0
    assert files(torn) == files(many_units.with_suffix(".zarr"))


def start_two(file, store):
    """Both processes of a group on loopback, and the port where they meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [file, "--out", store, "--coordinator", f"127.0.0.1:{port}"]
    words += ["--processes", 2, "--process"]
    return [process(*words, index, devices=1) for index in range(2)], port


@pytest.mark.slow
def test_two_processes_solve_one_ensemble_together(many_units, tmp_path):
    """JAX's multi-process runtime on loopback: the store of three devices in one.

    Nobody listens at another address of this machine.
    """
    together = tmp_path / "together.zarr"
    both, port = start_two(many_units, together)
    while any(child.poll() is None for child in both):
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) != 0
        time.sleep(0.1)
    for code, _, err in map(finish, both):
        assert code == 0, err
    assert files(together) == files(many_units.with_suffix(".zarr"))


@pytest.mark.slow
def test_a_first_process_that_cannot_begin_sends_the_others_home(many_units, tmp_path):
    (tmp_path / "mine.zarr").mkdir()
    (first, _, said), (other, _, told) = map(
        finish, start_two(many_units, tmp_path / "mine.zarr")[0]
    )
    assert (first, other) == (2, 1)
    assert "not a store" in said and "Traceback" not in said
    assert "--process 0 has ended too early" in told and "Traceback" not in told


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_process_that_dies_ends_the_other_at_once(killed, many_units, tmp_path):
    both, port = start_two(many_units, tmp_path / "torn.zarr")
    while len(list(tmp_path.glob("torn.zarr/units/done/c/*"))) < 2:
        assert all(child.poll() is None for child in both)
        time.sleep(0.01)
    both[killed].kill()
    start = time.monotonic()
    code, _, err = finish(both[1 - killed])
    assert time.monotonic() - start < 20
    assert code == 1 and "Traceback" not in err
    assert f"error: --coordinator 127.0.0.1:{port}: --process {killed} has ended" in err
    finish(both[killed])


def test_a_partner_that_never_comes_is_one_line(file, capsys, monkeypatch):
    monkeypatch.setattr(rendezvous, "PATIENCE", 0.5)
    words = ["--coordinator", "127.0.0.1:1", "--processes", "2", "--process", "1"]
    assert sweep(file, *words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert "--process 0 cannot be reached" in err


def test_a_cell_is_looked_at_in_the_store_of_whatever_seed(capsys, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(small.TEXT)
    assert sweep(file, "--seed", "5") == 0
    capsys.readouterr()
    assert sweep(file, "--cell", "gap=0.2", "best_probability=0.01") == 0
    assert "stored" in capsys.readouterr().out
