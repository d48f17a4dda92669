"""`pattern-selection figures`: draw every picture again from its saved data."""

import argparse
import importlib
import io
import json
from pathlib import Path

from experiments.diagrams import preset
from experiments.errors import UserError
from experiments.output import check_writable_folder, write_bytes
from experiments.pictures import NAMES


def diagrams() -> dict[str, str]:
    """The pictures that `phase-diagram` makes, and the preset of each."""
    return {preset.file_name(name): name for name in preset.names()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `figures`."""
    names = ", ".join([*NAMES, *diagrams()])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"from {names}")
    parser.add_argument(
        "--out", type=Path, default=Path("figures"), help="folder (default figures)"
    )


def picture(name: str):
    """The module of a picture."""
    return importlib.import_module(f"experiments.pictures.{name}")


def save_data(data: dict, stamp: dict, folder: Path, name: str) -> None:
    """Write `data/NAME.npz` and beside it its stamp, `NAME.json`."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: np.asarray(v) for k, v in data.items()})
    write_bytes(folder / "data" / f"{name}.npz", buffer.getvalue())
    text = json.dumps(stamp, indent=2) + "\n"
    write_bytes(folder / "data" / f"{name}.json", text.encode())


def draw(name: str, folder: Path) -> None:
    """Draw one picture from `folder/data/NAME.npz`, a diagram from its store."""
    import matplotlib
    import numpy as np

    from experiments import style

    if name in diagrams():
        _draw_diagram(name, folder)
        return
    source = folder / "data" / f"{name}.npz"
    if not source.is_file():
        raise UserError(f"no saved data {source}; run pattern-selection reproduce.")
    with np.load(source) as saved, matplotlib.rc_context(style.RC):
        style.save(picture(name).draw(dict(saved)), folder, name)


def _draw_diagram(name: str, folder: Path) -> None:
    import matplotlib

    from experiments import style
    from experiments.diagrams import drawing
    from experiments.sweeps import grid, march, store

    diagram = preset.load(diagrams()[name])
    cells = grid.cut(diagram.sweep)
    target = store.open_store(
        folder / "data" / f"{name}.zarr", diagram.sweep, cells, mode="r"
    )
    columns = march.all_columns(target)
    with matplotlib.rc_context(style.RC):
        style.save(drawing.draw(diagram, columns), folder, name)


def main(args: argparse.Namespace) -> int:
    """Draw the pictures asked for (default: all)."""
    known = [*NAMES, *diagrams()]
    for name in args.names:
        if name not in known:
            raise UserError(
                f"picture {name} is unknown; choose from {', '.join(known)}."
            )
    check_writable_folder(args.out)
    for name in args.names or known:
        draw(name, args.out)
        print(f"{args.out / name}.svg")
    return 0
