"""`pattern-selection rerun`: repeat what a result file says it is of, and compare."""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.runtime import compiling
from experiments.runtime.output import check_writable_file, to_json, write_json
from experiments.text.errors import UserError

SHOWN = 10  # differences that are listed
# Of a result, these say how it was made and how long that took, or are other results.
NOT_COMPARED = (
    *("stamp", "seconds", "compared", "change", "changes_nothing", "store"),
)
# What decides on the last digits, and may differ from machine to machine.
CIRCUMSTANCES = ("revision", "dirty", "versions", "python", "device", "code_sha256")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `rerun`."""
    parser.epilog = (
        "Exit code 0: every number is the same, bit by bit; 1: some differ.\n\n"
        "example:\n  pattern-selection run --success-rates 0.9 0.6 0.1 "
        "--policy 0.05 0.70 0.25 --json result.json\n"
        "  pattern-selection rerun result.json"
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a file of --json, the data of a figure (.npz), or a store (.zarr)",
    )


def main(args: argparse.Namespace) -> int:
    """Say what differs, of the numbers and of how they were made."""
    check_writable_file(args.json)
    if not args.file.exists():
        raise UserError(f"cannot read {args.file} (it does not exist); give a result.")
    read = {".npz": _figure, ".zarr": _store}.get(args.file.suffix, _json)
    try:
        parts = list(read(args.file))
    except (KeyError, TypeError) as error:
        raise _unknown(args.file, error) from None
    if not parts:
        raise UserError(f"{args.file} holds no result with a stamp; give another file.")
    try:
        results = [_compared(*part) for part in parts]
    except KeyError as error:  # an input that another version did not have
        raise _unknown(args.file, error) from None
    result = {"file": str(args.file), "results": results}
    if args.json != "-":
        print("\n".join(_lines(result)))
    write_json(result, args.json)
    return 1 if any(one["differences"] for one in results) else 0


def _unknown(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} does not say what it is of ({type(error).__name__}: {error}); give a "
        "result that this version of pattern-selection has written."
    )


Part = tuple[dict, Any, Callable[[], Any]]


def _json(path: Path) -> Iterator[Part]:
    """The parts of a file of `--json` that have a stamp, and how to repeat each."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no JSON"
        raise UserError(f"cannot read {path} ({reason}); give a result.") from None
    yield from _stamped(value)


def _stamped(value: Any) -> Iterator[Part]:
    if isinstance(value, list):
        for item in value:
            yield from _stamped(item)
    elif isinstance(value, dict) and "stamp" in value:
        if value.get("missing"):
            raise UserError(
                f"{value['store']} was not complete when this was written; resume it "
                "first, with --json."
            )
        if _command(value["stamp"]) != "reproduce":
            yield value["stamp"], value, _repeat(value["stamp"], value.get("claim"))
        if "agreement" in value:
            yield value["stamp"], value["agreement"], _agreement(value["stamp"])
        yield from _stamped(
            [value.get(name) for name in ("statements", "falsify", "compared")]
        )


def _command(stamp: dict) -> str:
    """The command that wrote it; the stamp of a sweep has its table only."""
    return stamp["config"].get("command", "sweep")


def _repeat(stamp: dict, claim: str | None = None) -> Callable[[], Any]:
    """A function that computes the same result again, as its JSON object."""
    from experiments.commands import falsify, gallery, run_report, train_report, verify
    from experiments.runtime.stamp import restored
    from experiments.sweeps import result

    config = restored(stamp["config"])
    known: dict[str, Callable[[dict], Any]] = {
        "run": run_report.report,
        "train": lambda config: train_report.report(config)[0],
        "verify": verify.repeat,
        "falsify": falsify.repeat,
        "gallery": lambda config: gallery.repeat(config, claim),
        "sweep": result.repeat,
    }
    command = _command(stamp)
    if command not in known:
        raise UserError(
            f"results of {command!r} cannot be repeated; give one of "
            f"{', '.join(known)}, the data of a figure, or a store."
        )
    return lambda: json.loads(to_json(known[command](config)))


def _agreement(stamp: dict) -> Callable[[], Any]:
    from experiments.checks import agreement

    config = stamp["config"]
    rows = agreement.agreement
    return lambda: json.loads(to_json(rows(config["problems"], config["seed"])))


def _figure(path: Path) -> Iterator[Part]:
    """The arrays of a figure's data."""
    from experiments.commands import figures
    from experiments.runtime.stamp import restored

    stored, stamp = figures.saved_data(path)
    yield stamp, stored, lambda: figures.repeat(restored(stamp["config"]))


def _store(path: Path) -> Iterator[Part]:
    """The arrays of a sweep's store, or of that of a phase diagram."""
    from experiments.sweeps import grid, root, run_units, store, sweep_file
    from experiments.sweeps.locks import Shard
    from experiments.text import toml

    attributes = root.attributes(path)
    stamp, text = attributes["stamp"], attributes["sweep"]
    _set_precision(stamp)
    sweep = sweep_file.read(toml.parse(text), stamp["seed"])
    target = store.open_store(path, sweep, grid.cut(sweep), mode="r")
    if not target.done().all():
        raise UserError(f"{path} is not complete; resume it first.")

    def again():
        with tempfile.TemporaryDirectory() as folder:
            new = run_units.begin(Path(folder) / "again.zarr", sweep, text)
            run_units.march(sweep, new, Shard(), None)
            return run_units.all_columns(new)

    yield stamp, run_units.all_columns(target), again


def _set_precision(stamp: dict) -> None:
    import jax

    jax.config.update("jax_enable_x64", stamp["dtype"] == "float64")


def _compared(stamp: dict, stored: Any, again: Callable[[], Any]) -> dict:
    """One result, repeated: how many numbers, which differ, what else differs."""
    from experiments.runtime.stamp import stamp as new_stamp

    compiling.prepare(_command(stamp))
    _set_precision(stamp)
    now = new_stamp(stamp["config"], stamp["seed"])
    pairs = list(_pairs(stored, again(), ""))
    return {
        "config": stamp["config"],
        "values": len(pairs),
        "differences": [
            {"name": name, "stored": old, "now": new}
            for name, old, new in pairs
            if not _same(old, new)
        ],
        "made_with": {
            name: {"stored": stamp[name], "now": now[name]}
            for name in CIRCUMSTANCES
            if name in now and stamp.get(name) != now[name]
        },
    }


def _pairs(old: Any, new: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Every value of two results, side by side; None where one has nothing."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if key not in NOT_COMPARED:
                inner = f"{name}.{key}" if name else key
                yield from _pairs(old.get(key), new.get(key), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _pairs(one, other, f"{name}[{i}]")
    else:
        yield name, old, new


def _same(old: Any, new: Any) -> bool:
    """Bit by bit; NaN is the same as NaN."""
    import numpy as np

    if hasattr(old, "dtype") and hasattr(new, "dtype"):
        return old.dtype == new.dtype and np.array_equal(
            old, new, equal_nan=old.dtype.kind == "f"
        )
    return type(old) is type(new) and old == new


def _lines(result: dict) -> Iterator[str]:
    for one in result["results"]:
        config, differences = one["config"], one["differences"]
        what = " ".join(str(config[k]) for k in ("command", "id") if k in config)
        verdict = f"{len(differences)} differ" if differences else "the same bits"
        yield f"{what or 'sweep'}: {one['values']} values, {verdict}"
        for change in differences[:SHOWN]:
            old, new = _brief(change["stored"]), _brief(change["now"])
            yield f"  {change['name']}: {old}, now {new}"
        if len(differences) > SHOWN:
            yield f"  and {len(differences) - SHOWN} more"
        for name, change in one["made_with"].items():
            old, new = _brief(change["stored"]), _brief(change["now"])
            yield f"  made with {name} {old}, now {new}"


def _brief(value: Any) -> str:
    text = str(value.shape) if hasattr(value, "shape") else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
