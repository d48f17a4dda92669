"""The modes of `pattern-selection sweep`."""

import argparse
import contextlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.runtime.output import check_writable_file, write_json
from experiments.runtime.progress import bar
from experiments.sweeps import (
    cluster,
    grid,
    locks,
    machines,
    result,
    root,
    run_units,
    store,
    sweep_file,
)
from experiments.sweeps.locks import Shard
from experiments.sweeps.store import Store
from experiments.sweeps.sweep_file import Sweep
from experiments.text.errors import UserError


def run(args: argparse.Namespace, mode: str) -> int:
    """Do it; the exit code."""
    check_writable_file(args.json)
    if args.coordinator and (mode != "march" or args.shard):
        raise UserError("--coordinator: compute only, and without --shard.")
    if args.dask and (mode != "march" or args.shard or args.coordinator):
        raise UserError("--dask: compute only, and without --shard and --coordinator.")
    with machines.joined(args.coordinator, args.processes, args.process) as group:
        path = args.out or Path(f"{args.file.with_suffix('')}.zarr")
        seed = args.seed if args.seed_given else None
        if mode == "cell" and seed is None and path.exists():
            seed = root.attributes(path)["stamp"]["seed"]
        sweep = sweep_file.load(args.file, seed)
        text = sweep_file.text(args.file, sweep)
        shard = locks.read(args.shard) if args.shard else Shard()
        run_units.check_corners(sweep)
        if mode == "dry_run":
            from experiments.sweeps import estimate

            old = None
            if path.exists():
                old = existing(path, sweep, text, args.force)
            print(estimate.lines(sweep, old))
            return 0
        if mode == "cell":
            from experiments.sweeps import one_cell

            target, apart = run_units.look(path, sweep, args.force)
            print(one_cell.lines(sweep, target, args.cell, apart))
            return 0
        if mode == "check":
            return _check(sweep, path, args.force)
        if group.count > 1:
            return _together(args, sweep, text, path, group)
        return _alone(args, sweep, text, path, shard, mode)


def existing(path: Path, sweep: Sweep, text: str, force: bool = False) -> Store:
    """The store that is there. Raises `UserError` if none is, or another one."""
    root.read(path, damaged=True)
    return run_units.begin(path, sweep, text, force=force)


def _alone(args, sweep: Sweep, text: str, path: Path, shard: Shard, mode: str) -> int:
    with (
        cluster.joined(args.dask) as elsewhere,
        claim_writable(path, shard, alone=args.overwrite),
    ):
        files: list[Path] = []
        if mode == "repair":
            # First, so that the store can be opened; but of no other sweep's store.
            cells = grid.cut(sweep)
            run_units.agree(path, sweep, run_units.identity(sweep, cells), args.force)
            files = root.mend(path)
        if mode == "march":
            target = run_units.begin(
                path,
                sweep,
                sweep_file.text(args.file, sweep),
                args.overwrite,
                args.force,
            )
        else:
            target = existing(path, sweep, text, args.force)
        if args.force:
            run_units.note_mixture(sweep, target)
        if mode == "repair":
            found = run_units.damages(target)
            _report_damages(found, target, files)
            target.write_coordinates()
            for unit, _ in found:
                target.forget(unit)
        if mode == "redo_unresolved":
            if args.max_steps is None or args.max_steps < 1:
                raise UserError("--redo-unresolved needs --max-steps, a whole number.")
            generous = replace(
                sweep, table={**sweep.table, "max_steps": args.max_steps}
            )
            with bar("redo", "cell") as progress:
                number = run_units.redo_unresolved(generous, target, progress)
            print(f"{number} cells computed again")
        else:
            compute(sweep, target, shard, "sweep", elsewhere)
    return report(args, sweep, target, shard)


@contextlib.contextmanager
def claim_writable(path: Path, shard: Shard, alone: bool = False) -> Iterator[None]:
    """`locks.claim`, with a clear line where the folder does not allow it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.claim(path, shard, alone))
        except OSError as error:
            raise UserError(
                f"cannot write beside {path} ({error.strerror}); choose another place "
                "with --out."
            ) from None
        yield


def compute(
    sweep: Sweep,
    target: Store,
    shard: Shard,
    label: str,
    elsewhere: cluster.Elsewhere | None = None,
) -> None:
    """Solve the missing units, with a bar; interrupted, say how much is stored."""
    try:
        with bar(label, "cell") as progress:
            run_units.march(sweep, target, shard, progress, elsewhere=elsewhere)
    except KeyboardInterrupt:
        done = int(target.done().sum())
        print(
            f"{done} of {target.grid.num_units} units are stored in {target.path}; "
            "the same command goes on."
        )
        raise


def _together(args, sweep: Sweep, text: str, path: Path, group) -> int:
    """All processes solve every unit together; the first one keeps the store."""
    if group.index > 0:
        machines.follow(sweep, grid.cut(sweep))
        return 0
    with claim_writable(path, Shard()):
        target = run_units.begin(path, sweep, text, args.overwrite, args.force)
        if args.force:
            run_units.note_mixture(sweep, target)
        with bar("sweep", "cell") as progress:
            machines.lead(sweep, target, progress)
    return report(args, sweep, target, Shard())


def _check(sweep: Sweep, path: Path, force: bool) -> int:
    """Look for damage, without writing anything; exit code 1 if there is some."""
    cells = grid.cut(sweep)
    run_units.agree(path, sweep, run_units.identity(sweep, cells), force, reading=True)
    with store.viewed(path, sweep, cells) as target:
        found, files = run_units.damages(target), root.damages(path)
        whole = _report_damages(found, target, files)
        missing = int((~target.done()).sum())
    if missing:
        print(
            f"{missing} of {cells.num_units} units are not stored yet: the command "
            "without --check computes them"
        )
    return 0 if whole else 1


def _report_damages(found, target: Store, files: list[Path]) -> bool:
    """Print all that is damaged; whether nothing is."""
    for unit, what in found:
        sides = ", ".join(f"{side.start}:{side.stop}" for side in unit.region)
        print(f"unit {unit.index} [{sides}]: {what}")
    coordinates = [f"coordinate {name}" for name in target.damaged_coordinates()]
    damaged = [*coordinates, *target.damaged_markers(), *files]
    for name in damaged:
        print(f"{name} is damaged")
    if not (found or damaged):
        print("all units that are stored are whole")
    return not (found or damaged)


def report(
    args,
    sweep: Sweep,
    target: Store,
    shard: Shard,
    figure: Mapping[str, Any] | None = None,
) -> int:
    """Print what is stored; exit code 1 if runs are unresolved.

    `figure`: what was drawn of it.
    """
    found = result.of_store(sweep, target, figure, digests=args.json is not None)
    write_json(found, args.json)
    if args.json != "-":
        print("\n".join(_lines(found, shard, sweep.trains, _redo(args))))
    return 1 if found["unresolved"] else 0


def _redo(args: argparse.Namespace) -> str | None:
    """The command that computes failed runs again; None for a diagram (no file)."""
    if "file" not in vars(args):
        return None
    words = ["pattern-selection", "sweep", _named(args.file)]
    if args.out is not None:
        words += ["--out", _named(args.out)]
    if args.seed_given:
        words += ["--seed", str(args.seed)]
    if args.precision != "float64":
        words += ["--precision", args.precision]
    if args.force:
        words.append("--force")
    return shlex.join([*words, "--redo-unresolved", "--max-steps"]) + " N"


def _named(path: Path) -> str:
    """The path as a word of a command line, and not as an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _lines(found: dict, shard: Shard, trains: bool, redo: str | None) -> list[str]:
    outcomes = ", ".join(f"{k} {n:,}" for k, n in found["outcomes"].items())
    place = json.dumps(found["store"], ensure_ascii=False)
    missing = f"{found['missing']:,} not stored yet"
    if not found["missing"]:
        missing = "all stored"
    lines = [
        f"cells      {found['cells']:,}, {missing}",
        f"outcomes   {outcomes or '-'}",
        f"load       xarray.open_zarr({place})",
    ]
    lines += [
        f"note       {name} is inf in {number:,} cells: not before the run ended, "
        'which is not never; until = "rest" tells'
        for name, number in found["undecided"].items()
    ]
    usual = "horizon" if trains else "reached"
    lines += [f"           {k}: {v}" for k, v in found["advice"].items() if k != usual]
    if found["missing"] and shard.count > 1:
        lines.append(f"the rest is for the other shards of {shard.count}")
    if found["unresolved"]:
        failed = f"{found['unresolved']:,} runs failed (stored as NaN)"
        if redo is None:
            lines.append(failed)
        else:
            lines += [f"{failed}; just those again, with more steps:", f"  {redo}"]
    return lines
