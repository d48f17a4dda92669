"""`pattern-selection phase-diagram`: two axes, a colour, and the lines of theory."""

import argparse

from experiments.commands.options import add_force, add_out
from experiments.runtime.output import check_writable_file, check_writable_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `phase-diagram`."""
    from experiments.diagrams import preset

    listed = "\n".join(f"  {name:<16} {text}" for name, text in preset.names().items())
    parser.epilog = (
        f"presets:\n{listed}\n\n"
        "Written together: NAME.svg, NAME.png and data/NAME.zarr, the sweep they are "
        "drawn from\nwith its stamp. Given again, the command only draws; interrupted, "
        "it goes on.\n\nexample:\n  pattern-selection phase-diagram quality --cells 50 "
        "--y bad_rate=0:0.49"
    )
    parser.add_argument("preset", metavar="PRESET", help="one of the list below")
    parser.add_argument("--x", metavar="NAME=LOW:HIGH[:log]", help="replace the x axis")
    parser.add_argument("--y", metavar="NAME=LOW:HIGH[:log]", help="replace the y axis")
    parser.add_argument("--value", metavar="NAME", help="observable in colour")
    parser.add_argument(
        "--set", nargs="+", metavar="NAME=X", help="parameters of the base model"
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


def main(args: argparse.Namespace) -> int:
    """Compute what is missing, draw, and say where it is."""
    import matplotlib

    from experiments.diagrams import drawing, preset, saved
    from experiments.pictures import style
    from experiments.sweeps import command, one_cell, root, run_units
    from experiments.sweeps.locks import Shard

    diagram = preset.load(
        args.preset,
        x=args.x,
        y=args.y,
        value=args.value,
        fixed=args.set,
        cells=args.cells,
        quick=args.quick,
        seed=args.seed if args.seed_given else None,
    )
    sweep, name = diagram.sweep, preset.file_name(args.preset)
    check_writable_file(args.json)
    path = args.out / "data" / f"{name}.zarr"
    if args.cell:
        sweep = saved.described(path).sweep
        target, apart = run_units.look(path, sweep, args.force)
        print(one_cell.lines(sweep, target, args.cell, apart))
        return 0
    run_units.check_corners(sweep)
    check_writable_folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    with command.claim_writable(path, Shard()):
        target = run_units.begin(path, sweep, diagram.text, args.overwrite, args.force)
        if args.force:
            run_units.note_mixture(sweep, target)
        command.compute(sweep, target, Shard(), args.preset)
        columns = run_units.all_columns(target)
        with matplotlib.rc_context(style.RC):
            stamp = root.attributes(path)["stamp"]
            style.save(drawing.draw(diagram, columns), args.out, name, stamp)
    code = command.report(args, sweep, target, Shard())
    if args.json != "-":
        print(args.out / f"{name}.svg")
    return code
