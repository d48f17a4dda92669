"""`pattern-selection sweep`: the product of some axes into one labelled store."""

import argparse
from pathlib import Path

from experiments.commands.options import add_force
from experiments.text.errors import UserError

EXAMPLE = """a sweep file:
  record = ["log10_t0", "accuracy"]
  until = "gap=1e-3"
  [model]
  family = "rival"
  [axes]
  best_probability = {logspace = [1e-6, 0.9, 200]}
  gap = {linspace = [0.01, 0.3, 100]}

An axis is a list, {linspace = [low, high, number]}, {logspace = [...]}, a random
{uniform = [...]}, {loguniform = [...]}, {normal = [mean, deviation, number]},
{beta = [a, b, number]}, or {count = number}. It is named after anything that the model,
the signal, the update, the event or the recipe takes: beta, false_positive, group_size,
learning_rate, level, draw, seed, ... ; `signal.beta` and the like where a name is not
enough. A list of names varies a whole part: update = ["policy-gradient", "grpo"].

A mixture of signals; one weight may be what the others leave:
  signal = [
    {name = "verifiable", weight = "rest"},
    {name = "self-certainty", weight = 0.5},
  ]
  [axes]
  "self-certainty.weight" = {linspace = [0, 1, 101]}

Curves over time, as accuracy_along and entropy_along:
  [along]
  record = ["accuracy", "entropy"]
  log10_t = {linspace = [-1, 8, 91]}   (of sampled training: step = [1, 10, 100])

Summaries over draws or seeds, as accuracy_mean and accuracy_histogram:
  [reduce]
  over = ["draw"]
  statistics = ["mean", "std", "q05", "q95", "min", "max", "count"]
  histogram = {accuracy = [0.0, 1.0, 20]}
and runs_reached and the like, how many runs ended how: a row for each cell in
to_dataframe and to_csv (drop_dims leaves out curves and histograms, of many rows).

Sampled training: recipe = "grpo" (see train --help; or a file, or the table [recipe]).
With until = "accuracy=0.5" it records first_step, as train --until: inf is never.

The result: xarray.open_zarr("FILE.zarr"), a data set whose to_netcdf, to_dataframe and
to_csv work at once; in Python, experiments.sweeps.sweep(FILE) gives the same.

--json FILE: counts, the SHA-256 of every array and a stamp with all inputs; rerun FILE
repeats it, and needs neither the store nor the files.

Times: -inf is from the start, inf not before the run ended, which is not never: how
many cells have such an inf is said. Curves end (NaN) at the event `until`, where the
run ends; until = "rest" lets runs and curves go on.

Patterns of probability 0 are not there: they are neither the best nor a rival. Where
all patterns are equally good, all are best: pi_* is 1, and there is no T0. Runs that
fail (a time that cannot be told, numbers that overflow) are stored as NaN, counted, and
make the exit code 1.

Interrupted, also by kill -9, the same command resumes. Many processes, on one machine
or on many, to the same bits:
  --dask ADDRESS   on the workers of a Dask cluster, which may come and go; this command
                   stores what they solve (pip install 'pattern-selection[dask]')
  --shard 0/4, --shard 1/4, ...   in job arrays, on machines that share a disk
  --coordinator HOST:PORT --processes N --process I   one ensemble over the devices of
                   many machines, on each of them, all started within 40 s. Process 0
                   listens at HOST:PORT. If one of them ends early, so do the others, in
                   a second: start all again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `sweep`; the lists read the source."""
    from experiments.sweeps import families, given_models, observables

    lines = ["families of base models (parameters in brackets):"]
    for name, family in families.FAMILIES.items():
        lines.append(f"  {name:<12} {family.summary} [{', '.join(family.parameters)}]")
    lines += ["", *(given_models.__doc__ or "").splitlines()]
    lines.append(
        "  Signals that look at answers find two in a family, a right and a wrong"
    )
    lines.append("  one (`random`: as many as its `answers`).")
    lines.append("\nobservables:")
    for name, known in observables.TABLE.items():
        lines.append(f"  {name:<28} {known.text}")
    lines.append(f"  {'pass_at_N':<28} pass@N at the end, for any N")
    parser.epilog = EXAMPLE + "\n" + "\n".join(lines)
    parser.add_argument("file", type=Path, metavar="FILE", help="the sweep, as TOML")
    parser.add_argument(
        "--out", type=Path, metavar="STORE", help="the store (default FILE.zarr)"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="estimate cells, memory, disk and time, and stop",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="compute only every N-th unit (a block of cells that is stored at once), "
        "beginning with unit I",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="delete the store, begin again"
    )
    add_force(parser)
    parser.add_argument(
        "--check", action="store_true", help="verify the checksums of a store"
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="restore or recompute the damaged parts of a store",
    )
    parser.add_argument(
        "--redo-unresolved",
        action="store_true",
        help="compute the failed runs again, with more --max-steps",
    )
    parser.add_argument(
        "--max-steps", type=int, metavar="N", help="step limit of --redo-unresolved"
    )
    parser.add_argument(
        "--cell",
        nargs="+",
        metavar="NAME=VALUE",
        help="show the stored cell nearest to these values, and the command for it",
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="solve on the workers of the Dask scheduler at tcp://HOST:PORT; `local` "
        "starts some here",
    )
    parser.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="address of process 0, for sweeps over many machines",
    )
    parser.add_argument("--processes", type=int, metavar="N", help="how many there are")
    parser.add_argument("--process", type=int, metavar="I", help="this one, from 0")


def main(args: argparse.Namespace) -> int:
    """Exit code 1: damaged, or runs are unresolved."""
    from experiments.sweeps import command

    modes = ("dry_run", "check", "repair", "redo_unresolved", "cell")
    asked = [mode for mode in modes if getattr(args, mode)]
    if len(asked) > 1:
        names = ", ".join("--" + mode.replace("_", "-") for mode in asked)
        raise UserError(f"{names}: give one of them at a time.")
    if args.max_steps is not None and not args.redo_unresolved:
        raise UserError("--max-steps belongs to --redo-unresolved; give both.")
    if args.out is not None and args.out.name in ("", ".."):
        raise UserError(f"--out {args.out}: give a name for the store, NAME.zarr.")
    return command.run(args, asked[0] if asked else "march")
