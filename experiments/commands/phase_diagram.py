"""`pattern-selection phase-diagram`: two axes, colours, and lines of theory."""

import argparse
from pathlib import Path

from experiments.commands.options import add_force, add_out
from experiments.pictures import looks
from experiments.runtime.output import check_writable_file, check_writable_folder
from experiments.text.errors import UserError

EXAMPLE = """a sweep file (see sweep --help) with two or three axes and, if wanted,
  [figure]
  x = "best_probability"            (default: the last axis; y is the first)
  panels = "update"                 (a third axis: a panel for each value; default: the
                                    first axis with names, or the first one)
  value = "log10_t0"                (default: the first one recorded; a list: panels)
  lines = ["regime"]                (default: those that are about the value)
  title = "How long it waits"
  labels = {colour = "decades"}     (also of x and y)
  scale = {y = "log"}               (or linear; also of x and colour)
  range = [0, 12]                   (of the colours)
  log10_t = 3                       (time of curves, accuracy_along; step in training)
  cmap = "viridis"                  (and style, width, height, text, format, as below)

--set changes what the file says: keys (update=natural-gradient, until=gap=1e-4;
nothing after = takes the key away), parameters by name (bad_rate=0.2, beta=0.01,
signal.false_positive=0.1, recipe.group_size=16), tables (model.family=crowd,
reduce.statistics='["mean"]'), values as in TOML. model.file=models.csv puts base models
of a file in the place of the family; base_model=NAME takes one of them. Of three axes,
one that is set is fixed.

Written together: phase_NAME.svg, phase_NAME.png and data/phase_NAME.zarr, the sweep
they are drawn from with its stamp. Given again, the command only draws; interrupted, it
goes on. --json FILE: counts, the SHA-256 of every array and all inputs; rerun FILE
repeats it.

examples:
  pattern-selection phase-diagram quality --cells 50 --y bad_rate=0:0.49
  pattern-selection phase-diagram quality --set update=natural-gradient beta=0.01
  pattern-selection phase-diagram mine.toml --cmap viridis --format pdf --text
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `phase-diagram`."""
    from experiments.diagrams import preset
    from experiments.diagrams.lines import LINES

    presets = "\n".join(f"  {n:<16} {text}" for n, text in preset.names().items())
    lines = "\n".join(f"  {name:<16} {line.text}" for name, line in LINES.items())
    parser.epilog = f"presets:\n{presets}\n\nlines of theory:\n{lines}\n\n{EXAMPLE}"
    parser.add_argument(
        "diagram", metavar="DIAGRAM", help="a preset of the list below, or a sweep file"
    )
    parser.add_argument("--x", metavar="NAME=LOW:HIGH[:log]", help="replace the x axis")
    parser.add_argument("--y", metavar="NAME=LOW:HIGH[:log]", help="replace the y axis")
    parser.add_argument("--value", metavar="NAME", help="observable in colour")
    parser.add_argument(
        "--lines", nargs="*", metavar="NAME", help="lines of theory; nothing: none"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        metavar="NAME=VALUE",
        help="anything that a sweep file says: update=grpo, beta=0.01, bad_rate=0.2",
    )
    parser.add_argument("--cells", type=int, metavar="N", help="cells along each axis")
    parser.add_argument("--quick", action="store_true", help="fewer cells and draws")
    add_out(parser, "results", "for the diagram and its data")
    parser.add_argument(
        "--overwrite", action="store_true", help="delete the data, compute again"
    )
    add_force(parser)
    parser.add_argument(
        "--cell",
        nargs="+",
        metavar="NAME=VALUE",
        help="show the stored cell nearest to these values, and the command for it",
    )
    looks.add_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Compute what is missing, draw, and say where it is."""
    from experiments.diagrams import changes, drawing, preset, saved
    from experiments.pictures import NAMES
    from experiments.sweeps import command, one_cell, run_units
    from experiments.sweeps.locks import Shard

    shown = changes.load(
        args.diagram,
        x=args.x,
        y=args.y,
        value=args.value,
        lines=args.lines,
        fixed=args.set or (),
        cells=args.cells,
        quick=args.quick,
        seed=args.seed if args.seed_given else None,
        looks=looks.given(args),
    )
    sweep, name = shown.sweep, preset.file_name(args.diagram)
    if name in NAMES:
        raise UserError(f"{name} is a figure already; rename the sweep file.")
    check_writable_file(args.json)
    path = args.out / "data" / f"{name}.zarr"
    if args.cell:
        sweep = saved.described(path).sweep
        target, apart = run_units.look(path, sweep, args.force)
        print(one_cell.lines(sweep, target, args.cell, apart))
        return 0
    run_units.check_corners(sweep)
    check_writable_folder(path.parent)
    drawing.say(shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    with command.claim_writable(path, Shard()):
        text = changes.text_of(shown)
        target = run_units.begin(path, sweep, text, args.overwrite, args.force)
        if args.force:
            run_units.note_mixture(sweep, target)
        saved.remember(target, shown)
        command.compute(sweep, target, Shard(), args.diagram)
        written = write(path, args.out, name)
    code = command.report(args, sweep, target, Shard(), shown.figure)
    if args.json != "-":
        print("\n".join(map(str, written)))
    return code


def write(path: Path, folder: Path, name: str, **figure) -> list[Path]:
    """Draw the diagram of a store into the folder: the files.

    `figure`: changes of `[figure]`. Raises `UserError` for what cannot be drawn.
    """
    from experiments.diagrams import drawing, saved
    from experiments.pictures import style
    from experiments.sweeps import root

    shown, columns = saved.load(path, **figure)
    stamp = root.attributes(path)["stamp"] | {"figure": dict(shown.figure)}
    with looks.context(shown.looks):
        picture = drawing.draw(shown, columns)[0].figure
        return style.save(picture, folder, name, stamp, shown.looks.format)
